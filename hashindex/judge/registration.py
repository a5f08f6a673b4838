"""Registration of two frames: the affine map of one into the other is guessed and then refined. Does no I/O.

The guess compares thumbs of parts of either picture with the whole of the other. The refinement is Lucas-Kanade in its
inverse compositional form (Baker and Matthews, "Lucas-Kanade 20 Years On").
"""

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hashindex.judge import compiled
from hashindex.judge.planes import Grey, Map, PixelBox, Plane, Surface, Template, total


class Registration(NamedTuple):
    """The result of a registration."""

    map: Map
    """Of b into a."""
    agreement: float
    """Correlation in the overlap, at FIT or FIT_FINE pixels; -1 to 1."""
    guess: float
    """Correlation of the two best thumbs."""
    turn: float
    """Rotation in degrees."""
    stretch: float
    """Absolute logarithm of the change of the aspect ratio."""


SURE: Final = 0.995 + 0.01
"""From this correlation of the whole pictures nothing is refined. 0.01 is what likeness adds to the whole pictures."""

SURE_FINE: Final = 0.99
"""The correlation at FIT_FINE pixels that is needed too: thumbs of a smooth picture also match those of a crop."""


def find(a: Plane, b: Plane, hopeless: float = -1.0, known: Map | None = None) -> Registration:
    """The map of b into a with the best agreement, from parts of one against the whole of the other, then refined.

    hopeless: below this correlation of the thumbs nothing is refined. known: a likely map; if it holds, it is only
    refined.
    """
    table = likeness(a, b)
    order = np.argsort(-table, axis=None, kind="stable")[:3].tolist()
    first = float(table.flat[order[0]])
    if known is not None:
        again = _refined(a, b, known, first, 1, fine=True)
        if again.agreement > KNOWN_HOLDS:
            return again
    if order[0] == 0 and first > SURE:
        whole = _refined(a, b, WHOLE, first, 0, fine=True)
        if whole.agreement > SURE_FINE:
            return whole
    if first < hopeless:
        return Registration(_map_of(_normal(b, 0), _normal(a, 0)), first, first, 0.0, 0.0)
    starts: list[tuple[Map, float]] = []
    for place in order:
        guess = float(table.flat[place])
        i, j = divmod(place, table.shape[1])
        start = _map_of(_normal(b, j), _normal(a, i))
        if guess >= first - 0.1 and all(_map_distance(start, other) >= 0.02 for other, _ in starts):
            starts.append((start, guess))
    tried = [(start, guess, _refined(a, b, start, guess, 0)) for start, guess in starts]
    tried.sort(key=lambda one: -one[2].agreement)
    best: Registration | None = None
    exact = tried[0][0]
    for start, guess, at_first in tried[:2]:
        if best is not None and (best.agreement > 0.9 or at_first.agreement < best.agreement - 0.3):
            break
        fit = _refined(a, b, start, guess, 5)
        if best is None or fit.agreement > best.agreement + 0.002:
            best, exact = fit, start
    assert best is not None
    if best.agreement < hopeless and best.guess < GUESS_SURE:
        return best
    # On small pictures the refined map is wrong by a tenth of a pixel, so an exact guess can be better.
    unmoved = _refined(a, b, exact, best.guess, 0, fine=True)
    if unmoved.agreement > SURE_FINE:
        return unmoved
    fine = _refined(a, b, best.map, best.guess, 2, fine=True)
    return unmoved if unmoved.agreement > fine.agreement else fine


def find_turned(a: Plane, b: Plane, from_fit: Registration, degrees: float) -> Registration:
    """The registration that is refined from another one turned by this many degrees."""
    rows, columns = b.grey.shape
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    across, over, right, under, down, below = from_fit.map
    over_turned, under_turned = -sine * rows / columns, sine * columns / rows
    start = (
        across * cosine + over * under_turned, across * over_turned + over * cosine, right,
        under * cosine + down * under_turned, under * over_turned + down * cosine, below,
    )  # fmt: skip
    coarse = _refined(a, b, start, from_fit.guess, 5)
    return _refined(a, b, coarse.map, from_fit.guess, 2, fine=True)


KNOWN_HOLDS: Final = 0.8
"""From this correlation the map of other frames is valid for these frames too."""

GUESS_SURE: Final = 0.9
"""From this correlation the thumbs alone decide: after resampling, lines of small print may not agree any more."""

WHOLE: Final = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


def _map_distance(one: Map, other: Map) -> float:
    return max(abs(a - b) for a, b in zip(one, other, strict=True))


def likeness(a: Plane, b: Plane) -> Grey:
    """Correlation of each part of a with each part of b.

    -1 where neither part is the whole. A small bonus prefers the two wholes, with and without border.
    """
    table = a.thumbs @ b.thumbs.T
    table[2:, 2:] = -1.0
    table[0, 0] += 0.01
    table[1, 1] += 0.005
    return table


def _normal(plane: Plane, part: int) -> PixelBox:
    height, width = plane.grey.shape
    left, top, right, bottom = plane.parts[part].tolist()
    return 2 * left / width - 1, 2 * top / height - 1, 2 * right / width - 1, 2 * bottom / height - 1


def _map_of(b: PixelBox, a: PixelBox) -> Map:
    """The map of box b to box a."""
    across, down = (a[2] - a[0]) / (b[2] - b[0]), (a[3] - a[1]) / (b[3] - b[1])
    return across, 0.0, a[0] - across * b[0], 0.0, down, a[1] - down * b[1]


def _refined(a: Plane, b: Plane, start: Map, guess: float, steps: int, fine: bool = False) -> Registration:
    """Refines a map in at most this many steps; 0 steps only measure how well it fits."""
    surface, template = (a.surface_fine, b.template_fine) if fine else (a.surface, b.template)
    best, agreement = _optimized(surface, template, start, steps)
    turn, stretch = _shape(best, a, b)
    if turn > 8 or stretch > 0.3:
        best = start
        turn, stretch = _shape(best, a, b)
    return Registration(best, agreement, guess, turn, stretch)


def _optimized(surface: Surface, template: Template, start: Map, steps: int) -> tuple[Map, float]:
    """The best map after at most this many Gauss-Newton steps, and its correlation."""
    if compiled.kernels is not None:
        shape = template.height, template.width, template.every_other
        found: tuple[Map, float] = compiled.kernels.optimize(
            surface.picture, template.values, template.gradients, template.inverse, shape, template.power, start, steps
        )
        return found
    best, agreement = start, -2.0
    current = start
    for step in range(steps + 1):
        moved, still, own, inside = _sampled(surface, current, template)
        count = len(still)
        if count < 0.2 * len(template.values):
            break
        wide = moved.astype(np.float64)
        power = float(wide @ wide)
        together = float(wide @ still) / max(math.sqrt(power * own), 16.0 * math.sqrt(count))
        if power < count and own < count:
            together = max(together, 0.9)
        gained = together - agreement
        if gained > 0:
            best, agreement = current, together
        if step == steps or gained < 0.0005 or together < 0.2:
            break
        moved *= np.float32(min(max(math.sqrt(own / max(power, 1e-3)), 0.2), 5.0))
        moved -= still.astype(np.float32)
        if inside is not None:
            error = np.zeros(len(inside), np.float32)
            error[inside] = moved
            moved = error
        following = _moved_back(current, template.change(moved))
        if following is None or not _is_plausible(following, start):
            break
        current = following
    return best, agreement


def refined_at(a: Sequence[Grey], b: Sequence[Grey], starts: Sequence[Map]) -> Map:
    """The best of several maps, refined at finer scales. a, b: the pictures at each scale, from coarse to fine."""
    surfaces, templates = [Surface(one) for one in a], [Template.of(other, every_other=True) for other in b]
    at_first = {start: _optimized(surfaces[0], templates[0], start, 4) for start in dict.fromkeys(starts)}
    tried = sorted((at_first[start] for start in starts), key=lambda one: -one[1])
    best, best_agreement = tried[0]
    for place, (found, agreement) in enumerate(dict.fromkeys(tried[:2])):
        for surface, template in zip(surfaces[1:], templates[1:], strict=True):
            found, agreement = _optimized(surface, template, found, 4)
        if place == 0 or agreement > best_agreement:
            best, best_agreement = found, agreement
        if best_agreement > GOOD:
            break
    return best


GOOD: Final = 0.99
"""From this correlation no other start is tried."""


def box_maps(a: Plane, b: Plane) -> list[Map]:
    """The four maps of b into a that map the whole of b, or its inside without border, to the whole or inside of a."""
    return [_map_of(_normal(b, j), _normal(a, i)) for i in (0, 1) for j in (0, 1)]


def _moved_back(map: Map, change: list[float]) -> Map | None:
    """The map composed with the inverse of (identity + change); None if that is close to singular."""
    step = 1 + change[0], change[1], change[2], change[3], 1 + change[4], change[5]
    if abs(step[0] * step[4] - step[1] * step[3]) < 0.5:
        return None
    a, b, c, d, e, f = invert(step)
    p, q, r, s, t, u = map
    return p * a + q * d, p * b + q * e, p * c + q * f + r, s * a + t * d, s * b + t * e, s * c + t * f + u


def _is_plausible(map: Map, start: Map) -> bool:
    scale = math.sqrt(abs((map[0] * map[4] - map[1] * map[3]) / (start[0] * start[4] - start[1] * start[3])))
    return 0.75 < scale < 1.33 and max(abs(map[2] - start[2]), abs(map[5] - start[5])) < 0.35


def _shape(map: Map, a: Plane, b: Plane) -> tuple[float, float]:
    """Rotation in degrees and absolute logarithm of the stretch, both measured in pixels."""
    (rows_a, columns_a), (rows_b, columns_b) = a.grey.shape, b.grey.shape
    right, over = columns_a * map[0] / columns_b, columns_a * map[1] / rows_b
    under, down = rows_a * map[3] / columns_b, rows_a * map[4] / rows_b
    turn = abs(math.degrees(math.atan2(under - over, right + down)))
    return turn, abs(math.log(max(math.hypot(right, under), 1e-6) / max(math.hypot(over, down), 1e-6)))


def _sampled(surface: Surface, map: Map, template: Template) -> tuple[Grey, Grey, float, NDArray[np.bool_] | None]:
    """Both pictures minus their means in the overlap, the power of the second, and the overlap (None for all)."""
    height, width = surface.height, surface.width
    pixels = surface.pixels(map, template.places)
    still, own, inside = template.wide, template.power, None
    # If the corners are inside, all of the template is: an affine map keeps it between its corners.
    reach_x, reach_y = abs(map[0]) + abs(map[1]), abs(map[3]) + abs(map[4])
    if not (abs(map[2]) + reach_x < 1 + 1 / width and abs(map[5]) + reach_y < 1 + 1 / height):
        x, y = pixels
        inside = (x >= -0.5) & (x <= width - 0.5) & (y >= -0.5) & (y <= height - 0.5)
        pixels, own_values = pixels.compress(inside, axis=1), template.values[inside]
        if not len(own_values):
            return own_values, own_values, 0.0, inside
        own_values -= np.float32(total(own_values) / len(own_values))
        still = own_values.astype(np.float64)
        own = float(still @ still)
    moved = surface.values(pixels)
    moved -= np.float32(total(moved) / len(moved))
    return moved, still, own, inside


def seen_from(map: Map, rectangle: tuple[int, int, int, int], b: tuple[int, ...], a: tuple[int, ...]) -> PixelBox:
    """Where a rectangle of picture b is in picture a, in pixels; of a turned rectangle the middle of each edge.

    a, b: shapes of the pictures.
    """
    (rows_a, columns_a), (rows_b, columns_b) = a, b
    x0, y0, x1, y1 = rectangle
    left, right = 2 * x0 / columns_b - 1, 2 * x1 / columns_b - 1
    top, bottom = 2 * y0 / rows_b - 1, 2 * y1 / rows_b - 1
    across, down = map[2] + 1 + map[1] * (top + bottom) / 2, map[5] + 1 + map[3] * (left + right) / 2
    return (
        (map[0] * left + across) / 2 * columns_a,
        (map[4] * top + down) / 2 * rows_a,
        (map[0] * right + across) / 2 * columns_a,
        (map[4] * bottom + down) / 2 * rows_a,
    )


def invert(map: Map) -> Map:
    """The inverse map, from a into b. ZeroDivisionError for a singular map, which find never returns."""
    a, b, c, d, e, f = map
    area = a * e - b * d
    a, b, d, e = e / area, -b / area, -d / area, a / area
    return a, b, -(a * c + b * f), d, e, -(d * c + e * f)


def corners(map: Map) -> list[tuple[float, float]]:
    """The images of the corners of the whole picture: upper left, upper right, lower left, lower right."""
    a, b, c, d, e, f = map
    return [(a * x + b * y + c, d * x + e * y + f) for x, y in ((-1, -1), (1, -1), (-1, 1), (1, 1))]
