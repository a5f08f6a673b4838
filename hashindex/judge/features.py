"""The features of two frames: about forty numbers that say what they have in common. Does no I/O.

registration.py aligns the frames and overlap.py compares windows; classifier.py evaluates the features.
"""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hashindex.judge import compiled, overlap, registration
from hashindex.judge.overlap import COLOUR, Overlap
from hashindex.judge.planes import Frame, Grey, Map, Plane, deviation, levels_of, shrunk, total
from hashindex.judge.registration import invert, seen_from

FEATURES: Final = (
    "guess",
    "agreement",
    "turn",
    "stretch",
    "cover",
    "cover_other",
    "out_area",
    "out_edges",
    "out_plain",
    "out_upright",
    "out_other",
    "bar",
    "bar_edges",
    "bar_plain",
    "worst",
    "worst_1",
    "worst_5",
    "weighed",
    "bad",
    "two_sided",
    "two_sided_spot",
    "two_sided_contrast",
    "one_sided_spot",
    "one_sided_contrast",
    "bad_width",
    "bad_height",
    "gain",
    "rest",
    "rest_worst",
    "toned",
    "mean_worst",
    "saturation",
    "colour_rest",
    "colour_worst",
    "hue",
    "colour_least",
    "colour_most",
    "mask_mean",
    "mask_worst",
    "contrast",
    "pixels",
    "finer",
)
"""The names of the numbers that features returns, in order."""

Row = NDArray[np.float32]

PLAIN: Final = 2.5
"""Below this standard deviation of the grey levels there is too little to see, and two frames count as different."""

GUESS_LEAST: Final = 0.5
AGREEMENT_LEAST: Final = 0.6
"""Below these correlations of small pictures nothing more is computed."""


class Alignment(NamedTuple):
    """Two aligned frames; the first has more pixels in their overlap."""

    a: Frame
    b: Frame
    ground_a: Plane
    """The frames on the background on which they are compared."""
    ground_b: Plane
    fit: registration.Registration
    map: Map
    """From b into a."""
    shared: Overlap
    contrast: float
    """Standard deviation of the grey levels in the overlap, the lower of the two."""


def align(a: Frame, b: Frame, known: Map | None = None) -> Alignment | None:
    """The alignment of two frames; None if nothing fits. The order of the frames does not matter.

    known: the map of the second into the first that was found for other frames of the same two pictures. The last
    alignment is kept, because the fine comparison needs it again after the judge.
    """
    return _aligned(a, b, known)


@lru_cache(maxsize=1)
def _aligned(a: Frame, b: Frame, known: Map | None) -> Alignment | None:
    if _rank(a) < _rank(b):
        a, b = b, a
        known = None if known is None else invert(known)
    white_a, white_b = on_one_ground(a, b)
    fit = registration.find(white_a, white_b, GUESS_LEAST, known)
    if fit.guess < GUESS_LEAST or (fit.agreement < AGREEMENT_LEAST and fit.guess < registration.GUESS_SURE):
        return None
    map = fit.map
    area_of_b = abs(map[0] * map[4] - map[1] * map[3])  # as a share of a
    pixels_on_one = math.sqrt(area_of_b * white_a.grey.size / white_b.grey.size)  # pixels of a for one pixel of b
    if pixels_on_one < 0.9:
        a, b, white_a, white_b, map = b, a, white_b, white_a, invert(map)
    shared = overlap.overlap_of(white_a, white_b, map)
    if shared is None:
        return None
    contrast = min(deviation(shared.a), deviation(shared.b))
    return None if contrast < PLAIN else Alignment(a, b, white_a, white_b, fit, map, shared, contrast)


def matched(a: Sequence[Frame], b: Sequence[Frame]) -> Grey:
    """Correlation of each frame of a with each frame of b, in the two parts that match best over all frames."""
    thumbs_a = np.stack([frame.plane_on_white.thumbs for frame in a])
    thumbs_b = np.stack([frame.plane_on_white.thumbs for frame in b])
    if compiled.kernels is not None:
        found = np.empty((len(a), len(b)), np.float32)
        compiled.kernels.match(thumbs_a, thumbs_b, found)
        return found
    table = np.full((len(thumbs_a[0]), len(thumbs_b[0]), len(a), len(b)), -1, np.float32)
    # One of the two parts is the whole: the first two parts are the whole with and without its border.
    parts_a, parts_b = thumbs_a.swapaxes(0, 1).astype(np.float64), thumbs_b.transpose(1, 2, 0).astype(np.float64)
    table[:2] = parts_a[:2, None] @ parts_b
    table[2:, :2] = parts_a[2:, None] @ parts_b[:2]
    rows, columns = table.max(axis=3).astype(np.float64), table.max(axis=2).astype(np.float64)
    score = (rows.mean(axis=2) + columns.mean(axis=2)) / 2
    score[2:, 2:] = -1
    score[0, 0] += 0.01
    i, j = np.unravel_index(int(score.argmax()), score.shape)
    return np.asarray(table[i, j])


def features(a: Frame, b: Frame, finer: float = 0.0) -> Row | None:
    """One number for each of FEATURES; None if nothing fits. The order of the frames does not matter.

    finer: log2 of the factor by which the frames are smaller than the smaller of the two pictures.
    """
    alignment = align(a, b)
    return None if alignment is None else features_of(alignment, finer)


def features_of(alignment: Alignment, finer: float) -> Row:
    """The features of two frames that are aligned already."""
    a, b, white_a, white_b, fit, map, shared, contrast = alignment
    found: dict[str, float] = {
        "guess": fit.guess,
        "agreement": fit.agreement,
        "turn": fit.turn,
        "stretch": fit.stretch,
    }
    _outside(found, white_a, white_b, map, shared)
    structure = structure_of(shared.a, shared.b)
    found |= structure._asdict()
    gain = structure.gain
    found["gain"] = abs(math.log(min(max(abs(gain), 0.2), 5.0))) + (2.0 if gain < 0 else 0.0)
    found |= colours_of(shared.colour_a, shared.colour_b)._asdict()
    _mask(found, a, b, map, shared)
    found["contrast"] = contrast
    found["pixels"] = float(np.log2(max(shared.b.shape)))
    found["finer"] = finer
    return np.array([found[name] for name in FEATURES], np.float32)


def _rank(frame: Frame) -> tuple[int, int, float]:
    grey = frame.plane_on_white.grey
    return max(grey.shape), grey.size, frame.plane_on_white.sum


def on_one_ground(a: Frame, b: Frame) -> tuple[Plane, Plane]:
    """Both frames on the background on which they can be compared best."""
    ground = common_ground(a, b)
    return a.on(ground), b.on(ground)


def common_ground(a: Frame, b: Frame) -> int:
    """The grey level, 0 to 255, of the background on which two frames can be compared best."""
    if a.alpha is None and b.alpha is None:
        return 255
    if a.alpha is not None and b.alpha is not None:
        return max((255, 0), key=lambda level: min(a.on(level).detail, b.on(level).detail))
    opaque = (b if a.alpha is not None else a).plane_on_white.grey
    border = np.concatenate([opaque[0], opaque[-1], opaque[:, 0], opaque[:, -1]])
    grounds = [255, 0]
    level = round(float(np.median(border)))
    if 12 < level < 243 and float(np.abs(border - level).mean()) < 12:
        grounds.append(level)
    return max(grounds, key=lambda ground: float(registration.likeness(a.on(ground), b.on(ground)).max()))


def _outside(found: dict[str, float], a: Plane, b: Plane, map: Map, shared: Overlap) -> None:
    """Adds the features of what one picture shows outside the other, without plain borders."""
    of_b = outside_of(b, shared.rectangle)
    height, width = a.grey.shape
    left, top, right, bottom = seen_from(map, shared.rectangle, b.grey.shape, a.grey.shape)
    across = [round(min(max(edge, 0), width)) for edge in (left, right)]
    down = [round(min(max(edge, 0), height)) for edge in (top, bottom)]
    of_a = outside_of(a, (across[0], down[0], across[1], down[1]))
    more, less = max(of_a, of_b), min(of_a, of_b)
    found["cover"], found["cover_other"] = 1 - more.area, 1 - less.area
    found["out_area"], found["out_edges"], found["out_plain"], found["out_upright"] = more[:4]
    found["out_other"] = less.area * less.edges
    bar = max(of_a, of_b, key=lambda outside: outside.bar)
    found["bar"], found["bar_edges"], found["bar_plain"] = bar[4:]


class Outside(NamedTuple):
    area: float
    """Share of the trimmed picture that is outside."""
    edges: float
    plain: float
    """Share of edges, and of the most common grey, in the part that is outside."""
    upright: float
    """Share of the part outside that is above or below."""
    bar: float
    """How much more is outside on one side than on the opposite side, as a share of the side; a captioned bar is on one
    side."""
    bar_edges: float
    bar_plain: float
    """Shares of edges, and of the most common grey, on that side alone."""


def outside_of(plane: Plane, rectangle: tuple[int, int, int, int]) -> Outside:
    """What is outside a rectangle (left, top, right, bottom, in pixels), without plain borders."""
    if compiled.kernels is not None:
        return Outside(*compiled.kernels.outside(plane.grey, plane.box, rectangle))
    left, top, right, bottom = (int(edge) for edge in plane.box)
    x0, y0, x1, y1 = rectangle
    x0, x1 = max(left, min(x0, right)), max(left, min(x1, right))
    y0, y1 = max(top, min(y0, bottom)), max(top, min(y1, bottom))
    whole = (right - left) * (bottom - top)
    rest = whole - (x1 - x0) * (y1 - y0)
    if rest <= 0.01 * whole:
        return Outside(0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
    boxes = [(left, top, right, y0), (left, y1, right, bottom), (left, y0, x0, y1), (x1, y0, right, y1)]
    strips = [plane.grey[b:d, a:c] for a, b, c, d in boxes]
    sharp = [int(plane.edges[b:d, a:c].sum()) for a, b, c, d in boxes]
    upright = (strips[0].size + strips[1].size) / rest
    down, across = ((bottom - y1) - (y0 - top)) / (bottom - top), ((right - x1) - (x0 - left)) / (right - left)
    side = (1 if down > 0 else 0) if abs(down) >= abs(across) else (3 if across > 0 else 2)
    bar = max(abs(down), abs(across))
    edges_there = sharp[side] / max(1, strips[side].size)
    plain = plainness(np.concatenate([strip.ravel() for strip in strips]))
    return Outside(rest / whole, sum(sharp) / rest, plain, upright, bar, edges_there, plainness(strips[side].ravel()))


def plainness(values: Grey) -> float:
    """Share of the most common 16 adjacent levels."""
    if not len(values):
        return 1.0
    counts = np.bincount(levels_of(values) >> 3, minlength=34)
    return float((counts[:-1] + counts[1:]).max()) / len(values)


class StructureFeatures(NamedTuple):
    """The features of the grey levels of an overlap, apart from `gain`."""

    gain: float
    """The slope of a linear fit of the grey levels."""
    rest: float
    rest_worst: float
    toned: float
    worst: float
    worst_1: float
    worst_5: float
    weighed: float
    bad: float
    two_sided: float
    two_sided_spot: float
    two_sided_contrast: float
    one_sided_spot: float
    one_sided_contrast: float
    bad_width: float
    bad_height: float
    mean_worst: float


def structure_of(a: Grey, b: Grey) -> StructureFeatures:
    """Compares the two pictures of an overlap, after the grey levels of a were fitted to those of b."""
    if compiled.kernels is not None:
        return StructureFeatures(*compiled.kernels.structure(a, b))
    toned, gain = _tone_matched(a, b)
    few = 1 + b.size // 200
    rest = np.abs(toned - b)
    view = overlap.windows(toned, b)
    difference = view.difference
    power_a, power_b = view.power_a, view.power_b
    ordered = np.sort(difference, axis=None)
    mean = np.sort(np.abs(view.mean), axis=None)
    count = len(ordered)
    contrast = np.sqrt(power_a + power_b)
    bad = difference > BAD
    least, most = np.minimum(power_a, power_b), np.maximum(power_a, power_b)
    two = two_sided(view)
    one = bad & ~two
    rows, columns = np.nonzero(bad)
    return StructureFeatures(
        gain=gain,
        rest=_mean(rest),
        rest_worst=float(np.partition(rest, -few, axis=None)[-few]),
        toned=_mean(np.abs(toned - a)),
        worst=float(ordered[-1]),
        worst_1=float(ordered[int(0.99 * (count - 1))]),
        worst_5=float(ordered[int(0.95 * (count - 1))]),
        weighed=total(difference * contrast) / max(total(contrast), 1e-3),
        bad=_share(bad),
        two_sided=_share(two),
        two_sided_spot=_spot(two),
        two_sided_contrast=float(np.sqrt((least * two * difference).max())),
        one_sided_spot=_spot(one),
        one_sided_contrast=float(np.sqrt(((most - least) * one).max())),
        bad_width=(int(np.ptp(columns)) + 1) / bad.shape[1] if len(columns) else 0.0,
        bad_height=(int(np.ptp(rows)) + 1) / bad.shape[0] if len(rows) else 0.0,
        mean_worst=float(mean[int(0.99 * (count - 1))]),
    )


BAD: Final = 0.5
"""From this difference a window counts as changed."""


def two_sided(view: overlap.Windows) -> NDArray[np.bool_]:
    """Windows that differ although both pictures have structure there."""
    least, most = np.minimum(view.power_a, view.power_b), np.maximum(view.power_a, view.power_b)
    return np.asarray((view.difference > 0.4) & (least > 36) & (least > 0.15 * most))


def windows_of(alignment: Alignment) -> overlap.Windows:
    """The windows of two frames that features compares."""
    return overlap.windows(_tone_matched(alignment.shared.a, alignment.shared.b)[0], alignment.shared.b)


def _mean(values: Grey) -> float:
    return total(values) / values.size


def _share(marked: NDArray[np.bool_]) -> float:
    return int(np.count_nonzero(marked)) / marked.size


def _spot(marked: NDArray[np.bool_]) -> float:
    """The largest share of marked windows in any square of 5 x 5."""
    height, width = marked.shape
    rows, columns = overlap.band(height, min(5, height)), overlap.band(width, min(5, width))
    largest = float((rows @ marked @ columns.T).max())
    return largest / float(min(5, height) * min(5, width))


def _tone_matched(a: Grey, b: Grey) -> tuple[Grey, float]:
    """The picture a with its grey levels fitted to those of b by tone_curve, and the gain."""
    levels = levels_of(a)
    step = 2 if a.size > 4096 else 1
    some_a, some_b = a[::step, ::step], b[::step, ::step]
    curve, gain = tone_curve(some_a, some_b)
    if curve is None:
        return a - np.float32(_mean(some_a)) + np.float32(_mean(some_b)), gain
    return np.take(curve, levels), gain


def tone_curve(a: Grey, b: Grey) -> tuple[Grey | None, float]:
    """A non-decreasing curve from the grey levels of a to those of b, of shape (256,), and the gain of a linear fit.

    The curve is None if all of a has one level: then only a shift can be fitted.
    """
    bins = (levels_of(a) >> 3).ravel()
    count = np.bincount(bins, minlength=32).astype(float)
    sums = np.bincount(bins, weights=b.ravel(), minlength=32)
    middle_a, middle_b = _mean(a), _mean(b)
    power = _mean(a * a) - middle_a * middle_a
    gain = (_mean(a * b) - middle_a * middle_b) / power if power > 1 else 1.0
    used = np.flatnonzero(count >= max(4.0, 0.001 * a.size))
    if len(used) < 2:
        return None, gain
    heights = _non_decreasing((sums[used] / count[used]).tolist(), count[used].tolist())
    middles = used * 8 + 3.5
    curve = np.interp(_LEVELS, middles, heights)
    # Beyond the outermost bins the curve continues with the slope of the outermost segment.
    below, above = used[0] * 8 + 4, used[-1] * 8 + 4
    curve[:below] += (_LEVELS[:below] - middles[0]) * _slope(heights[:2], middles[:2])
    curve[above:] += (_LEVELS[above:] - middles[-1]) * _slope(heights[-2:], middles[-2:])
    return np.clip(curve, 0, 255).astype(np.float32), gain


_LEVELS: Final = np.arange(256)


def _slope(heights: list[float], middles: Grey) -> float:
    return float(min(max((heights[1] - heights[0]) / (middles[1] - middles[0]), 0), 2))


def _non_decreasing(heights: list[float], weights: list[float]) -> list[float]:
    """The nearest non-decreasing sequence, by pooling adjacent violators."""
    pools: list[list[float]] = []
    for height, weight in zip(heights, weights, strict=True):
        pools.append([height, weight, 1])
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            above, weight_above, count_above = pools.pop()
            below, weight_below, count_below = pools.pop()
            total = weight_above + weight_below
            pools.append([(above * weight_above + below * weight_below) / total, total, count_above + count_below])
    return [height for height, _, count in pools for _ in range(int(count))]


class ColourFeatures(NamedTuple):
    """The features of the colours of an overlap."""

    saturation: float
    colour_rest: float
    colour_worst: float
    hue: float
    colour_least: float
    colour_most: float


def colours_of(a: Grey, b: Grey) -> ColourFeatures:
    """Compares the colours of an overlap. a, b: Cb and Cr, of shape (2, COLOUR, COLOUR)."""
    if compiled.kernels is not None:
        return ColourFeatures(*compiled.kernels.colour(a, b))
    a, b = a.reshape(2, -1), b.reshape(2, -1)
    power_a, power_b = np.sqrt((a * a).sum(axis=0)), np.sqrt((b * b).sum(axis=0))
    least, most = sorted((_mean(power_a), _mean(power_b)))
    if total(power_a) < total(power_b):
        a, b, power_a, power_b = b, a, power_b, power_a
    scale = min(max(total(a * b) / max(total(a * a), 1e-3), 0.05), 2.0)
    rest = np.sqrt(((np.float32(scale) * a - b) ** 2).sum(axis=0))
    strong = (power_a > 12) & (power_b > 12)
    turned = 1 - (a * b).sum(axis=0) / np.maximum(power_a * power_b, np.float32(1e-3))
    few = len(turned) // 32
    hue = float(np.sort(turned[strong])[-few]) if int(strong.sum()) >= few else 0.0
    return ColourFeatures(scale, _mean(rest), float(np.partition(rest, -8)[-8]), hue, least, most)


def _mask(found: dict[str, float], a: Frame, b: Frame, map: Map, shared: Overlap) -> None:
    found["mask_mean"] = found["mask_worst"] = 0.0
    if a.alpha is None or b.alpha is None:
        return
    there = seen_from(map, shared.rectangle, b.alpha.shape, a.alpha.shape)
    own, other = shrunk(b.alpha, shared.rectangle, COLOUR, COLOUR), shrunk(a.alpha, there, COLOUR, COLOUR)
    off = np.abs(own - other)
    found["mask_mean"], found["mask_worst"] = float(off.mean()), float(off.max())
