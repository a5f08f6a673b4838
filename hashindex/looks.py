"""Two pictures, each a small frame, brought to one frame: found in each other, resampled, compared window by window.

Pure, on NumPy arrays. Coordinates run from -1 to 1 across the whole picture, so that sizes do not matter.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property, lru_cache
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hashindex.candidates import trimmed

Grey = NDArray[np.floating[Any]]
"""float32 throughout; the arithmetic of small ones may come out as float64."""
Box = tuple[float, float, float, float]
"""Left, top, right, bottom in pixels."""

THUMB: Final = 16
SURE: Final = 0.995 + 0.01
"""From this correlation of the whole pictures on (and the little by which those are preferred) nothing is refined."""

SURE_FINE: Final = 0.99
"""And from this at FIT_FINE pixels: smooth pictures agree with a crop of theirs in thumbs."""

FIT: Final = 32
FIT_FINE: Final = 64
"""Longest side of the pictures that registration works on, first and last; of the last every other pixel. Those of
more than twice FIT_FINE are brought together at half their size: windows of 9 pixels show an error of one."""

_PARTS: Final = (
    (0.0, 0.0, 1.0, 1.0),
    (0.05, 0.05, 0.95, 0.95),
    (0.1, 0.1, 0.9, 0.9),
    (0.1, 0.0, 1.0, 1.0),
    (0.0, 0.1, 1.0, 1.0),
    (0.0, 0.0, 0.9, 1.0),
    (0.0, 0.0, 1.0, 0.9),
    (0.0, 0.153, 1.0, 1.0),
    (0.0, 0.0, 1.0, 0.847),
)
# Of the picture without its border; the first one is all of it.


@dataclass(eq=False)
class Plane:
    """A frame on one background, with all that can be computed of it alone; every part is computed at most once."""

    grey: Grey
    chroma: Grey
    """Of shape (2, height, width): Cb and Cr less 128."""

    @cached_property
    def box(self) -> Box:
        height, width = self.grey.shape
        if min(height, width) < 8:
            return 0.0, 0.0, float(width), float(height)
        left, top, right, bottom = trimmed(np.clip(self.grey, 0, 255).astype(np.uint8))
        return float(left), float(top), float(right), float(bottom)

    @cached_property
    def parts(self) -> NDArray[np.float64]:
        """Boxes of the whole, and of _PARTS of what is inside the border, of shape (10, 4)."""
        height, width = self.grey.shape
        left, top, right, bottom = self.box
        across, down = right - left, bottom - top
        inner = [(left + across * a, top + down * b, left + across * c, top + down * d) for a, b, c, d in _PARTS]
        return np.array([(0, 0, width, height), *inner], np.float64)

    @cached_property
    def thumbs(self) -> Grey:
        """Each of the parts as THUMB x THUMB, of mean 0 and length 1, of shape (10, THUMB * THUMB)."""
        thumbs: Grey = _thumbs(self.grey[None], self.box)[0]
        return thumbs

    @cached_property
    def small(self) -> Grey:
        """Within FIT x FIT, for registration."""
        return self._within(FIT)

    @cached_property
    def middle(self) -> Grey:
        """Within FIT_FINE x FIT_FINE, for the last steps of it."""
        return self._within(max(FIT_FINE, max(self.grey.shape) // 2))

    def _within(self, side: int) -> Grey:
        height, width = self.grey.shape
        if min(height, width) >= 4 and max(height, width) <= side:
            return self.grey
        scale = min(1.0, side / max(height, width))
        down, across = (max(4, round(length * scale)) for length in (height, width))
        return area(height, 0, height, down) @ self.grey @ area(width, 0, width, across).T

    @cached_property
    def template(self) -> "Template":
        return Template.of(self.small)

    @cached_property
    def template_fine(self) -> "Template":
        return Template.of(self.middle, every_other=True)

    @cached_property
    def edges(self) -> NDArray[np.bool_]:
        """Where the grey steps by more than 40 levels to the left or above."""
        across = np.abs(np.diff(self.grey, axis=1, prepend=self.grey[:, :1]))
        down = np.abs(np.diff(self.grey, axis=0, prepend=self.grey[:1]))
        edges: NDArray[np.bool_] = across + down > 40
        return edges

    @cached_property
    def detail(self) -> float:
        """Standard deviation of the grey levels."""
        off = self.grey - np.float32(np.add.reduce(self.grey, axis=None) / self.grey.size)
        return math.sqrt(float(np.add.reduce(off * off, axis=None)) / off.size)


def share_border(planes: Sequence[Plane]) -> None:
    """Gives frames of one animation the border that is plain in all of them, and makes their thumbs in one go."""
    stack = np.stack([plane.grey for plane in planes])
    box: Box = 0.0, 0.0, float(stack.shape[2]), float(stack.shape[1])
    if min(stack.shape[1:]) >= 8:
        levels = np.clip(stack, 0, 255).astype(np.uint8)
        # A line that is plain in both the lightest and the darkest of all frames, and equally, is plain in each.
        boxes = [trimmed(extreme(levels, axis=0)) for extreme in (np.maximum.reduce, np.minimum.reduce)]
        (a, b, c, d), (e, f, g, h) = boxes
        box = float(min(a, e)), float(min(b, f)), float(max(c, g)), float(max(d, h))
    for plane, thumbs in zip(planes, _thumbs(stack, box), strict=True):
        plane.__dict__["box"] = box
        plane.__dict__["thumbs"] = thumbs


def _thumbs(stack: Grey, box: Box) -> Grey:
    """Of frames of shape (n, height, width) with one border, of shape (n, 10, THUMB * THUMB); see Plane.thumbs."""
    count, height, width = stack.shape
    rows, columns = _thumb_rows(height, box[1], box[3]), _thumb_rows(width, box[0], box[2])
    table = (rows @ stack @ columns.T).reshape(count, _SPANS, THUMB, _SPANS, THUMB).swapaxes(2, 3)
    thumbs = table[:, _ROW_OF, _COLUMN_OF].reshape(count, len(_ROW_OF), -1)
    thumbs = thumbs - thumbs.mean(axis=2, keepdims=True)
    lengths = np.sqrt((thumbs * thumbs).sum(axis=2, keepdims=True))
    return np.asarray(thumbs / np.maximum(lengths, 16.0), np.float32)


class Template(NamedTuple):
    """What registration needs of the picture that stays in place (Baker and Matthews, "Lucas-Kanade 20 Years On")."""

    x: Grey
    y: Grey
    values: Grey
    steepest: Grey
    """Of shape (6, pixels): how each pixel changes with each number of an affine map."""
    inverse: NDArray[np.float64]

    @classmethod
    def of(cls, small: Grey, every_other: bool = False) -> "Template":
        """every_other: of the pixels as of the fields of one colour on a chess board."""
        height, width = small.shape
        steps_down, steps_across = (steps.ravel() for steps in np.gradient(small))
        columns, rows = np.tile(_centres(width), height), np.repeat(_centres(height), width)
        values = small.ravel()
        if every_other and small.size > FIT * FIT:
            fields = _chess(height, width)
            columns, rows, values = columns[fields], rows[fields], values[fields]
            steps_down, steps_across = steps_down[fields], steps_across[fields]
        down, across = steps_down * (height / 2), steps_across * (width / 2)
        steepest = np.stack([across * columns, across * rows, across, down * columns, down * rows, down], axis=1)
        steepest = steepest.astype(np.float32)
        hessian = (steepest.T @ steepest).astype(np.float64)
        ridge = 1e-3 * float(np.trace(hessian)) / 6 + 1e-3
        inverse = np.linalg.inv(hessian + ridge * np.eye(6))
        return cls(columns, rows, values, np.ascontiguousarray(steepest.T), inverse)


@cache
def _chess(height: int, width: int) -> NDArray[np.intp]:
    return np.flatnonzero((np.arange(height)[:, None] + np.arange(width)) % 2 == 0)


@dataclass(eq=False)
class Frame:
    """One frame of a picture, small."""

    plane_on_white: Plane
    alpha: Grey | None
    """0 to 1, where not all of the frame is opaque."""
    _on: dict[int, Plane] = field(default_factory=dict)

    @classmethod
    def of(cls, image: Image.Image, mask: Image.Image | None = None) -> "Frame":
        """From YCbCr on white, and a mask of the same size; or from RGBA or RGB."""
        if image.mode == "RGBA":
            if image.getchannel("A").getextrema() != (255, 255):
                mask = image.getchannel("A")
            white = Image.new("RGB", image.size, "white")
            white.paste(image, mask=mask)
            image = white
        planes = np.asarray(image.convert("YCbCr")).astype(np.float32).transpose(2, 0, 1)
        alpha = None if mask is None else np.asarray(mask).astype(np.float32) / 255
        return cls(Plane(np.ascontiguousarray(planes[0]), planes[1:] - 128), alpha)

    def on(self, background: int) -> Plane:
        """On a grey background, 0 to 255."""
        if self.alpha is None or background == 255:
            return self.plane_on_white
        if background not in self._on:
            white = self.plane_on_white
            self._on[background] = Plane(white.grey - (255 - background) * (1 - self.alpha), white.chroma)
        return self._on[background]


def _centres(count: int) -> Grey:
    return ((np.arange(count) + 0.5) / count * 2 - 1).astype(np.float32)


def area(count: int, start: float, stop: float, out: int) -> Grey:
    """Means of `out` equal parts of [start, stop) of `count` pixels, of shape (out, count); ends are repeated."""
    return _area(count, float(start), float(stop), out)


@lru_cache(maxsize=512)
def _area(count: int, start: float, stop: float, out: int) -> Grey:
    size = (stop - start) / out
    edges = (start + size * np.arange(out + 1)).astype(np.float32)
    low: Grey = edges[:-1, None]
    high: Grey = edges[1:, None]
    if size < 1:
        # A part then lies between two centres, and is interpolated.
        middle = (low + high) / 2
        low, high, size = middle - 0.5, middle + 0.5, 1.0
    if low[0, 0] < 0 or high[-1, 0] > count:
        # What lies beyond the ends is taken from the outermost pixel: all of it goes to its side of the edge.
        inner = _covered(np.clip(low, 0, count), np.clip(high, 0, count), count)
        inner[:, 0] += np.minimum(high, 0)[:, 0] - np.minimum(low, 0)[:, 0]
        inner[:, -1] += np.maximum(high, count)[:, 0] - np.maximum(low, count)[:, 0]
        return inner / np.float32(size)
    return _covered(low, high, count) * np.float32(1 / size)


def _covered(low: Grey, high: Grey, count: int) -> Grey:
    """How much of each pixel lies in each [low, high)."""
    pixels = np.arange(count, dtype=np.float32)
    upper = np.minimum(high, pixels + 1)
    upper -= np.maximum(low, pixels)
    return np.maximum(upper, 0, out=upper)


_HALVES = [(-1.0, -1.0), *sorted({span for a, b, c, d in _PARTS for span in ((a, c), (b, d))})]
_SPANS = len(_HALVES)
_ROW_OF = np.array([0, *(_HALVES.index((b, d)) for _, b, _, d in _PARTS)])
_COLUMN_OF = np.array([0, *(_HALVES.index((a, c)) for a, _, c, _ in _PARTS)])


@lru_cache(maxsize=1024)
def _thumb_rows(count: int, start: float, stop: float) -> Grey:
    size = stop - start
    ends = [(0.0, float(count)) if low < 0 else (start + low * size, start + high * size) for low, high in _HALVES]
    return np.concatenate([area(count, low, high, THUMB) for low, high in ends])


# Registration

Map = NDArray[np.float64]
"""Of shape (2, 3): where in picture A a place of picture B is."""

Affine = tuple[float, float, float, float, float, float]
"""The same row by row: arithmetic on six numbers is faster without NumPy."""


class Fit(NamedTuple):
    """How two pictures lie on each other."""

    map: Map
    agreement: float
    """Correlation of what both show, at FIT pixels; -1 to 1."""
    guess: float
    """Correlation of the best two thumbs."""
    turn: float
    """In degrees."""
    stretch: float
    """|log| of the change of the aspect ratio."""


def find(a: Plane, b: Plane, hopeless: float = -1.0, known: Map | None = None) -> Fit:
    """The map of b into a that makes them agree best: parts of one against the whole of the other, then refined.

    hopeless: below this correlation of the thumbs nothing is refined. known: one that is likely, and is taken with a
    last touch where it holds.
    """
    table = likeness(a, b)
    order = np.argpartition(-table, 3, axis=None)[:3]
    order = order[np.argsort(-table.flat[order], kind="stable")].tolist()
    first = float(table.flat[order[0]])
    if known is not None:
        (p, q, r), (s, t, u) = known.tolist()
        again = _refined(a, b, (p, q, r, s, t, u), first, 1, fine=True)
        if again.agreement > KNOWN_HOLDS:
            return again
    if order[0] == 0 and first > SURE:
        whole = _refined(a, b, _WHOLE, first, 0, fine=True)
        if whole.agreement > SURE_FINE:
            return whole
    if first < hopeless:
        return Fit(np.array(_map_of(_normal(b, 0), _normal(a, 0))).reshape(2, 3), first, first, 0.0, 0.0)
    starts: list[tuple[Affine, float]] = []
    for place in order:
        guess = float(table.flat[place])
        i, j = divmod(place, table.shape[1])
        start = _map_of(_normal(b, j), _normal(a, i))
        if guess >= first - 0.1 and all(_apart(start, other) >= 0.02 for other, _ in starts):
            starts.append((start, guess))
    begun = [(start, guess, _refined(a, b, start, guess, 0)) for start, guess in starts]
    begun.sort(key=lambda one: -one[2].agreement)
    best: Fit | None = None
    exact = begun[0][0]
    for start, guess, at_first in begun[:2]:
        if best is not None and (best.agreement > 0.9 or at_first.agreement < best.agreement - 0.3):
            break
        fit = _refined(a, b, start, guess, 5)
        if best is None or fit.agreement > best.agreement + 0.002:
            best, exact = fit, start
    assert best is not None
    if best.agreement < hopeless and best.guess < GUESS_SURE:
        return best
    # Of small pictures the refined map errs by a tenth of their pixels; where the guess was exact, it is better.
    unmoved = _refined(a, b, exact, best.guess, 0, fine=True)
    if unmoved.agreement > SURE_FINE:
        return unmoved
    (p, q, r), (s, t, u) = best.map.tolist()
    fine = _refined(a, b, (p, q, r, s, t, u), best.guess, 2, fine=True)
    return unmoved if unmoved.agreement > fine.agreement else fine


KNOWN_HOLDS: Final = 0.8
"""From this correlation on the map of other frames is right for these too."""

GUESS_SURE: Final = 0.9
"""From this correlation of thumbs on they decide alone: lines of small print need not agree after a resampling."""

_WHOLE: Final = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


def _apart(one: "Affine", other: "Affine") -> float:
    return max(abs(a - b) for a, b in zip(one, other, strict=True))


def likeness(a: Plane, b: Plane) -> Grey:
    """Correlation of each part of a with each of b; -1 where neither is the whole, plus a little where both are."""
    table = a.thumbs @ b.thumbs.T
    table[2:, 2:] = -1.0
    table[0, 0] += 0.01
    table[1, 1] += 0.005
    return table


def _normal(plane: Plane, part: int) -> Box:
    height, width = plane.grey.shape
    left, top, right, bottom = plane.parts[part].tolist()
    return 2 * left / width - 1, 2 * top / height - 1, 2 * right / width - 1, 2 * bottom / height - 1


def _map_of(b: Box, a: Box) -> Affine:
    """The map that takes box b to box a."""
    across, down = (a[2] - a[0]) / (b[2] - b[0]), (a[3] - a[1]) / (b[3] - b[1])
    return across, 0.0, a[0] - across * b[0], 0.0, down, a[1] - down * b[1]


def _refined(a: Plane, b: Plane, start: Affine, guess: float, steps: int, fine: bool = False) -> Fit:
    """Where the map ends after at most that many steps; 0: how well it fits as it is."""
    template, moving = (b.template_fine, a.middle) if fine else (b.template, a.small)
    best, agreement = start, -2.0
    current = start
    for step in range(steps + 1):
        moved, still, inside, count = _sampled(moving, current, template)
        if count < 0.2 * len(template.values):
            break
        power, own = float(moved @ moved), float(still @ still)
        together = float(moved @ still) / max(math.sqrt(power * own), 16.0 * math.sqrt(count))
        if power < count and own < count:
            together = max(together, 0.9)
        gained = together - agreement
        if gained > 0:
            best, agreement = current, together
        if step == steps or gained < 0.0005 or together < 0.2:
            break
        gain = min(max(math.sqrt(own / max(power, 1e-3)), 0.2), 5.0)
        moved *= np.float32(gain)
        moved -= still
        if inside is not None:
            error = np.zeros(len(inside), np.float32)
            error[inside] = moved
            moved = error
        change = (template.inverse @ (template.steepest @ moved)).tolist()
        following = _moved_back(current, change)
        if following is None or not _is_plausible(following, start):
            break
        current = following
    turn, stretch = _shape(best, a, b)
    if turn > 8 or stretch > 0.3:
        best = start
        turn, stretch = _shape(best, a, b)
    return Fit(np.array(best).reshape(2, 3), agreement, guess, turn, stretch)


def _moved_back(map: Affine, change: list[float]) -> Affine | None:
    """map after the inverse of (identity + change); None where that turns the picture inside out."""
    a, b, c, d, e, f = 1 + change[0], change[1], change[2], change[3], 1 + change[4], change[5]
    area = a * e - b * d
    if abs(area) < 0.5:
        return None
    a, b, d, e = e / area, -b / area, -d / area, a / area
    c, f = -(a * c + b * f), -(d * c + e * f)
    p, q, r, s, t, u = map
    return p * a + q * d, p * b + q * e, p * c + q * f + r, s * a + t * d, s * b + t * e, s * c + t * f + u


def _is_plausible(map: Affine, start: Affine) -> bool:
    scale = math.sqrt(abs((map[0] * map[4] - map[1] * map[3]) / (start[0] * start[4] - start[1] * start[3])))
    return 0.75 < scale < 1.33 and max(abs(map[2] - start[2]), abs(map[5] - start[5])) < 0.35


def _shape(map: Affine, a: Plane, b: Plane) -> tuple[float, float]:
    """Turn in degrees and |log| of the stretch, in pixels rather than in shares of a side."""
    (rows_a, columns_a), (rows_b, columns_b) = a.grey.shape, b.grey.shape
    right, over = columns_a * map[0] / columns_b, columns_a * map[1] / rows_b
    under, down = rows_a * map[3] / columns_b, rows_a * map[4] / rows_b
    turn = abs(math.degrees(math.atan2(under - over, right + down)))
    return turn, abs(math.log(max(math.hypot(right, under), 1e-6) / max(math.hypot(over, down), 1e-6)))


def _sampled(small: Grey, map: Affine, template: Template) -> tuple[Grey, Grey, NDArray[np.bool_] | None, int]:
    """Both pictures less their means where they lie on each other, where that is (None: everywhere), and its size."""
    height, width = small.shape
    half_width, half_height = width / 2, height / 2
    m = [np.float32(number) for number in (
        map[0] * half_width, map[1] * half_width, (map[2] + 1) * half_width - 0.5,
        map[3] * half_height, map[4] * half_height, (map[5] + 1) * half_height - 0.5,
    )]  # fmt: skip
    x, y = template.x * m[0], template.y * m[4]
    if map[1] or map[3]:
        x += template.y * m[1]
        y += template.x * m[3]
    x += m[2]
    y += m[5]
    still = template.values
    # The corners of the template tell whether all of it is inside: an affine map keeps it between them.
    reach_x, reach_y = abs(map[0]) + abs(map[1]), abs(map[3]) + abs(map[4])
    inside = None
    if not (abs(map[2]) + reach_x < 1 + 1 / width and abs(map[5]) + reach_y < 1 + 1 / height):
        inside = (x >= -0.5) & (x <= width - 0.5) & (y >= -0.5) & (y <= height - 0.5)
        x, y, still = x[inside], y[inside], still[inside]
    count = len(still)
    if count == 0:
        return x, still, inside, 0
    moved = _bilinear(small, x, y)
    moved -= moved.sum() * np.float32(1 / count)
    return moved, still - still.sum() * np.float32(1 / count), inside, count


def _bilinear(picture: Grey, x: Grey, y: Grey) -> Grey:
    height, width = picture.shape
    x = np.minimum(np.maximum(x, np.float32(0)), np.float32(width - 1.001))
    y = np.minimum(np.maximum(y, np.float32(0)), np.float32(height - 1.001))
    left, top = x.astype(np.int32), y.astype(np.int32)
    x -= left
    y -= top
    top *= width
    top += left
    flat = picture.ravel()
    upper, lower = flat.take(top), flat[width:].take(top)
    upper += (flat[1:].take(top) - upper) * x
    lower += (flat[width + 1 :].take(top) - lower) * x
    lower -= upper
    lower *= y
    upper += lower
    return upper


class Overlap(NamedTuple):
    """What both pictures show, on the pixels of the coarser one."""

    a: Grey
    b: Grey
    colour_a: Grey
    """Cb and Cr of a, each COLOUR x COLOUR."""
    colour_b: Grey
    rectangle: tuple[int, int, int, int]
    """Where it is in b: left, top, right, bottom."""


COLOUR: Final = 16


def overlap(a: Plane, b: Plane, map: Map) -> Overlap | None:
    """Both pictures where they lie on each other; None where that is less than 8 pixels."""
    height, width = b.grey.shape
    rows, columns = a.grey.shape
    back = invert(map)
    corners = _corners(back)
    # What of b lies in a: the inner box of a's corners, as seen from b.
    left, right = max(-1.0, corners[[0, 2], 0].max()), min(1.0, corners[[1, 3], 0].min())
    top, bottom = max(-1.0, corners[[0, 1], 1].max()), min(1.0, corners[[2, 3], 1].min())
    x0, x1 = int(np.ceil((left + 1) / 2 * width - 0.25)), int(np.floor((right + 1) / 2 * width + 0.25))
    y0, y1 = int(np.ceil((top + 1) / 2 * height - 0.25)), int(np.floor((bottom + 1) / 2 * height + 0.25))
    x0, y0, x1, y1 = max(0, x0), max(0, y0), min(width, x1), min(height, y1)
    if x1 - x0 < 8 or y1 - y0 < 8:
        return None
    own = b.grey[y0:y1, x0:x1]
    slant = max(abs(map[0, 1]) * rows, abs(map[1, 0]) * columns)
    x_from, y_from, x_to, y_to = seen_from(map, (x0, y0, x1, y1), b.grey.shape, a.grey.shape)
    if a.grey.shape == b.grey.shape and np.array_equal(map, np.eye(2, 3)):
        other = a.grey
    elif slant < 1.2:
        other = area(rows, y_from, y_to, y1 - y0) @ a.grey @ area(columns, x_from, x_to, x1 - x0).T
    else:
        y, x = np.meshgrid(
            (np.arange(y0, y1) + 0.5) / height * 2 - 1, (np.arange(x0, x1) + 0.5) / width * 2 - 1, indexing="ij"
        )
        x, y = x.astype(np.float32), y.astype(np.float32)
        m = map.astype(np.float32)
        px = (m[0, 0] * x + m[0, 1] * y + (m[0, 2] + 1)) * (columns / 2) - 0.5
        py = (m[1, 0] * x + m[1, 1] * y + (m[1, 2] + 1)) * (rows / 2) - 0.5
        other = _bilinear(a.grey, px.ravel(), py.ravel()).reshape(px.shape)
    coarse_rows, coarse_columns = area(rows, y_from, y_to, COLOUR), area(columns, x_from, x_to, COLOUR)
    own_rows, own_columns = area(height, y0, y1, COLOUR), area(width, x0, x1, COLOUR)
    return Overlap(
        other,
        own,
        coarse_rows @ a.chroma @ coarse_columns.T,
        own_rows @ b.chroma @ own_columns.T,
        (x0, y0, x1, y1),
    )


def seen_from(map: Map, rectangle: tuple[int, int, int, int], b: tuple[int, ...], a: tuple[int, ...]) -> Box:
    """Where a rectangle of picture b lies in picture a, in pixels; of a turned one the middle of each edge.

    a, b: their shapes.
    """
    x0, y0, x1, y1 = rectangle
    u, v = np.array([x0, x1]) / b[1] * 2 - 1, np.array([y0, y1]) / b[0] * 2 - 1
    left, right = ((map[0, 0] * u + map[0, 1] * v.mean() + map[0, 2] + 1) / 2 * a[1]).tolist()
    top, bottom = ((map[1, 1] * v + map[1, 0] * u.mean() + map[1, 2] + 1) / 2 * a[0]).tolist()
    return left, top, right, bottom


def invert(map: Map) -> Map:
    """The map from a into b."""
    return np.asarray(np.linalg.inv(np.vstack([map, [0, 0, 1]]))[:2])


def _corners(map: Map) -> NDArray[np.float64]:
    """Where the corners of the whole picture go: upper left, upper right, lower left, lower right."""
    corners = np.array([[-1, -1, 1], [1, -1, 1], [-1, 1, 1], [1, 1, 1]], float)
    return np.asarray(corners @ map.T)


# Windows

WINDOW: Final = 9
STRIDE: Final = 3


@cache
def band(count: int, size: int) -> Grey:
    """Means of all runs of `size` among `count`, of shape (count - size + 1, count)."""
    rows = np.zeros((count - size + 1, count), np.float32)
    for start, row in enumerate(rows):
        row[start : start + size] = 1 / size
    return rows


@cache
def _window_rows(count: int) -> Grey:
    """Means of windows of WINDOW pixels, STRIDE apart, of shape (windows, count)."""
    return np.ascontiguousarray(band(count, min(WINDOW, count))[::STRIDE])


class Windows(NamedTuple):
    """Of each window of an overlap; arrays of shape (rows, columns) of windows."""

    difference: Grey
    """Of structure: 0 where it is the same, 1 where there is nothing in common, at most 2."""
    power_a: Grey
    power_b: Grey
    """Variance of the grey levels."""
    mean: Grey
    """Mean of a less mean of b."""


NOISE: Final = 10.0
"""Grey levels of a window's contrast below which it counts as plain."""


def windows(a: Grey, b: Grey) -> Windows:
    """1 - (2 cov + c^2) / (var a + var b + c^2), the best of small shifts where it is large.

    The structure term of SSIM (Wang et al. 2004), with one constant for the noise.
    """
    rows, columns = _window_rows(a.shape[0]), _window_rows(a.shape[1]).T
    stack = np.stack([a, b, a * a, b * b, a * b])
    mean_a, mean_b, square_a, square_b, both = rows @ stack @ columns
    power_a = np.maximum(square_a - mean_a * mean_a, 0)
    power_b = np.maximum(square_b - mean_b * mean_b, 0)
    noise = NOISE * NOISE
    difference = 1 - (2 * (both - mean_a * mean_b) + noise) / (power_a + power_b + noise)
    bad = np.argwhere(difference > 0.25)
    if 0 < len(bad) <= 0.4 * difference.size and min(a.shape) > WINDOW + 2:
        if len(bad) > 128:
            worst = np.argsort(-difference[bad[:, 0], bad[:, 1]])[:128]
            bad = bad[worst]
        difference[bad[:, 0], bad[:, 1]] = np.minimum(difference[bad[:, 0], bad[:, 1]], _shifted(a, b, bad))
    return Windows(difference, power_a, power_b, mean_a - mean_b)


def _shifted(a: Grey, b: Grey, places: NDArray[np.int64]) -> Grey:
    """The least difference of the windows at these places under shifts of a by one pixel."""
    y = np.clip(places[:, 0] * STRIDE, 1, a.shape[0] - WINDOW - 1)
    x = np.clip(places[:, 1] * STRIDE, 1, a.shape[1] - WINDOW - 1)
    view_b = np.lib.stride_tricks.sliding_window_view(b, (WINDOW, WINDOW))[y, x].reshape(len(y), -1)
    view_b = view_b - view_b.mean(axis=1, keepdims=True)
    power_b = np.einsum("ij,ij->i", view_b, view_b)
    noise = NOISE * NOISE * WINDOW * WINDOW
    best = np.full(len(y), 2.0, np.float32)
    all_a = np.lib.stride_tricks.sliding_window_view(a, (WINDOW, WINDOW))
    for down, across in ((0, 1), (0, -1), (1, 0), (-1, 0)):
        view_a = all_a[y + down, x + across].reshape(len(y), -1)
        view_a = view_a - view_a.mean(axis=1, keepdims=True)
        cov = np.einsum("ij,ij->i", view_a, view_b)
        power_a = np.einsum("ij,ij->i", view_a, view_a)
        best = np.minimum(best, 1 - (2 * cov + noise) / (power_a + power_b + noise))
    return best
