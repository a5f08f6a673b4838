"""Two pictures -> copy, variant or different, and how surely. Pure: what it looks at is handed in.

What two pictures have in common is measured by looks.py; here it becomes about thirty numbers, and trees that were
trained on labelled pairs (benchmarks/train_judge.py) make two probabilities of them.
"""

import json
import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hashindex import looks
from hashindex.looks import COLOUR, Frame, Grey, Overlap, Plane
from hashindex.model import JUDGE_VERSION, Relation
from hashindex.signature import Signature, distinct

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
"""Names of the numbers that features gives, in order."""

Row = NDArray[np.float32]


class Meeting(NamedTuple):
    """Two frames brought to one: the first is the one of more pixels where they lie on each other."""

    a: Frame
    b: Frame
    ground_a: Plane
    """On the background on which they are compared."""
    ground_b: Plane
    fit: looks.Fit
    map: looks.Map
    """Of b into a."""
    shared: Overlap
    contrast: float
    """Standard deviation of the grey levels where they lie on each other, of the plainer one."""


def meeting(a: Frame, b: Frame, known: looks.Map | None = None) -> Meeting | None:
    """How two frames lie on each other; None where nothing fits. The same whichever comes first.

    known: of the second into the first, where other frames of the same two pictures told it.
    """
    if _rank(a) < _rank(b):
        a, b = b, a
        known = None if known is None else looks.invert(known)
    white_a, white_b = _on_one_ground(a, b)
    fit = looks.find(white_a, white_b, GUESS_LEAST, known)
    if fit.guess < GUESS_LEAST or (fit.agreement < AGREEMENT_LEAST and fit.guess < looks.GUESS_SURE):
        return None
    map = fit.map
    (p, q, _), (r, t, _) = map.tolist()
    pixels_on_one = math.sqrt(abs(p * t - q * r) * white_a.grey.size / white_b.grey.size)  # of a, on one of b
    if pixels_on_one < 0.9:
        a, b, white_a, white_b, map = b, a, white_b, white_a, looks.invert(map)
    shared = looks.overlap(white_a, white_b, map)
    if shared is None:
        return None
    contrast = min(_spread(shared.a), _spread(shared.b))
    return None if contrast < PLAIN else Meeting(a, b, white_a, white_b, fit, map, shared, contrast)


def features(a: Frame, b: Frame, finer: float = 0.0) -> Row | None:
    """What two frames have in common, one number for each of FEATURES; None where nothing fits.

    finer: how many times (as log2) smaller the frames are than the smaller of the two pictures that they stand for.
    The same whichever comes first.
    """
    met = meeting(a, b)
    return None if met is None else _features(met, finer)


def _features(met: Meeting, finer: float) -> Row:
    a, b, white_a, white_b, fit, map, shared, contrast = met
    found: dict[str, float] = {
        "guess": fit.guess,
        "agreement": fit.agreement,
        "turn": fit.turn,
        "stretch": fit.stretch,
    }
    _outside(found, white_a, white_b, map, shared)
    _structure(found, shared)
    _colour(found, shared)
    _mask(found, a, b, map, shared)
    found["contrast"] = contrast
    found["pixels"] = float(np.log2(max(shared.b.shape)))
    found["finer"] = finer
    return np.array([found[name] for name in FEATURES], np.float32)


def _rank(frame: Frame) -> tuple[int, int, float]:
    grey = frame.plane_on_white.grey
    return max(grey.shape), grey.size, float(grey.sum())


def _on_one_ground(a: Frame, b: Frame) -> tuple[Plane, Plane]:
    """Both on the background on which they can be compared best."""
    if a.alpha is None and b.alpha is None:
        return a.on(255), b.on(255)
    if a.alpha is not None and b.alpha is not None:
        ground = max((255, 0), key=lambda level: min(a.on(level).detail, b.on(level).detail))
        return a.on(ground), b.on(ground)
    opaque = (b if a.alpha is not None else a).plane_on_white.grey
    border = np.concatenate([opaque[0], opaque[-1], opaque[:, 0], opaque[:, -1]])
    grounds = [255, 0]
    level = round(float(np.median(border)))
    if 12 < level < 243 and float(np.abs(border - level).mean()) < 12:
        grounds.append(level)
    pairs = [(a.on(ground), b.on(ground)) for ground in grounds]
    return max(pairs, key=lambda pair: float(looks.likeness(*pair).max()))


def _outside(found: dict[str, float], a: Plane, b: Plane, map: looks.Map, shared: Overlap) -> None:
    """What one picture shows that the other does not, inside its plain border."""
    of_b = _outside_of(b, shared.rectangle)
    height, width = a.grey.shape
    left, top, right, bottom = looks.seen_from(map, shared.rectangle, b.grey.shape, a.grey.shape)
    across = [round(min(max(edge, 0), width)) for edge in (left, right)]
    down = [round(min(max(edge, 0), height)) for edge in (top, bottom)]
    of_a = _outside_of(a, (across[0], down[0], across[1], down[1]))
    more, less = max(of_a, of_b), min(of_a, of_b)
    found["cover"], found["cover_other"] = 1 - more.area, 1 - less.area
    found["out_area"], found["out_edges"], found["out_plain"], found["out_upright"] = more[:4]
    found["out_other"] = less.area * less.edges
    bar = max(of_a, of_b, key=lambda outside: outside.bar)
    found["bar"], found["bar_edges"], found["bar_plain"] = bar[4:]


class _Outside(NamedTuple):
    area: float
    """Share of the trimmed picture that is outside."""
    edges: float
    plain: float
    """Shares of edges and of its commonest grey there."""
    upright: float
    """Share of it that is above or below."""
    bar: float
    """How much more lies on one side than opposite, as a share of the side: words on a bar are on one side."""
    bar_edges: float
    bar_plain: float
    """The same shares, on that side alone."""


def _outside_of(plane: Plane, rectangle: tuple[int, int, int, int]) -> _Outside:
    left, top, right, bottom = (int(edge) for edge in plane.box)
    x0, y0, x1, y1 = rectangle
    x0, x1 = max(left, min(x0, right)), max(left, min(x1, right))
    y0, y1 = max(top, min(y0, bottom)), max(top, min(y1, bottom))
    whole = (right - left) * (bottom - top)
    rest = whole - (x1 - x0) * (y1 - y0)
    if rest <= 0.01 * whole:
        return _Outside(0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
    boxes = [(left, top, right, y0), (left, y1, right, bottom), (left, y0, x0, y1), (x1, y0, right, y1)]
    strips = [plane.grey[b:d, a:c] for a, b, c, d in boxes]
    sharp = [int(plane.edges[b:d, a:c].sum()) for a, b, c, d in boxes]
    upright = (strips[0].size + strips[1].size) / rest
    down, across = ((bottom - y1) - (y0 - top)) / (bottom - top), ((right - x1) - (x0 - left)) / (right - left)
    side = (1 if down > 0 else 0) if abs(down) >= abs(across) else (3 if across > 0 else 2)
    bar = max(abs(down), abs(across))
    edges_there = sharp[side] / max(1, strips[side].size)
    plain = _plainness(np.concatenate([strip.ravel() for strip in strips]))
    return _Outside(rest / whole, sum(sharp) / rest, plain, upright, bar, edges_there, _plainness(strips[side].ravel()))


def _plainness(values: Grey) -> float:
    """Share of the commonest 16 neighbouring levels."""
    if not len(values):
        return 1.0
    counts = np.bincount(np.minimum(np.maximum(values, 0), 255).astype(np.uint8) >> 3, minlength=34)
    return float((counts[:-1] + counts[1:]).max()) / len(values)


def _structure(found: dict[str, float], shared: Overlap) -> None:
    toned, gain = _toned(shared.a, shared.b)
    few = 1 + shared.b.size // 200
    found["gain"] = abs(math.log(min(max(abs(gain), 0.2), 5.0))) + (2.0 if gain < 0 else 0.0)
    rest = np.abs(toned - shared.b)
    found["rest"] = _mean(rest)
    found["rest_worst"] = float(np.partition(rest, -few, axis=None)[-few])
    found["toned"] = _mean(np.abs(toned - shared.a))
    view = looks.windows(toned, shared.b)
    difference = view.difference
    power_a, power_b = view.power_a, view.power_b
    ordered = np.sort(difference, axis=None)
    count = len(ordered)
    found["worst"] = float(ordered[-1])
    found["worst_1"] = float(ordered[int(0.99 * (count - 1))])
    found["worst_5"] = float(ordered[int(0.95 * (count - 1))])
    contrast = np.sqrt(power_a + power_b)
    found["weighed"] = _total(difference * contrast) / max(_total(contrast), 1e-3)
    bad = difference > BAD
    found["bad"] = _share(bad)
    least, most = np.minimum(power_a, power_b), np.maximum(power_a, power_b)
    two = two_sided(view)
    one = bad & ~two
    found["two_sided"] = _share(two)
    found["two_sided_spot"] = _spot(two.astype(np.float32))
    found["two_sided_contrast"] = float(np.sqrt((least * two * difference).max()))
    found["one_sided_spot"] = _spot(one.astype(np.float32))
    found["one_sided_contrast"] = float(np.sqrt(((most - least) * one).max()))
    rows, columns = np.nonzero(bad)
    found["bad_height"] = (int(np.ptp(rows)) + 1) / bad.shape[0] if len(rows) else 0.0
    found["bad_width"] = (int(np.ptp(columns)) + 1) / bad.shape[1] if len(columns) else 0.0
    mean = np.sort(np.abs(view.mean), axis=None)
    found["mean_worst"] = float(mean[int(0.99 * (count - 1))])


BAD: Final = 0.5
"""From this difference on a window counts as another one."""


def two_sided(view: looks.Windows) -> NDArray[np.bool_]:
    """Windows that differ although both show something there."""
    least, most = np.minimum(view.power_a, view.power_b), np.maximum(view.power_a, view.power_b)
    return np.asarray((view.difference > 0.4) & (least > 36) & (least > 0.15 * most))


def windows_of(met: Meeting) -> looks.Windows:
    """The windows of two frames as features looks at them."""
    return looks.windows(_toned(met.shared.a, met.shared.b)[0], met.shared.b)


# The methods of arrays take four times as long for so few numbers.


def _total(values: Grey) -> float:
    return float(np.add.reduce(values, axis=None))


def _mean(values: Grey) -> float:
    return _total(values) / values.size


def _share(marked: NDArray[np.bool_]) -> float:
    return int(np.count_nonzero(marked)) / marked.size


def _spread(values: Grey) -> float:
    """Standard deviation."""
    off = values - np.float32(_mean(values))
    return math.sqrt(_mean(off * off))


def _spot(marked: Grey) -> float:
    """The largest share of marked windows in any square of 5 x 5."""
    height, width = marked.shape
    rows, columns = looks.band(height, min(5, height)), looks.band(width, min(5, width))
    return float((rows @ marked @ columns.T).max())


def _toned(a: Grey, b: Grey) -> tuple[Grey, float]:
    """a with its grey levels brought to those of b by a curve that only rises, and the gain of a straight line."""
    levels = np.minimum(np.maximum(a, 0), 255).astype(np.uint8)
    step = 2 if a.size > 4096 else 1
    some_a, some_b = a[::step, ::step], b[::step, ::step]
    bins = (levels[::step, ::step] >> 3).ravel()
    count = np.bincount(bins, minlength=32).astype(float)
    total = np.bincount(bins, weights=some_b.ravel(), minlength=32)
    middle_a, middle_b = _mean(some_a), _mean(some_b)
    power = _mean(some_a * some_a) - middle_a * middle_a
    gain = (_mean(some_a * some_b) - middle_a * middle_b) / power if power > 1 else 1.0
    used = np.flatnonzero(count >= max(4.0, 0.001 * some_a.size))
    if len(used) < 2:
        return a - middle_a + middle_b, gain
    heights = _rising((total[used] / count[used]).tolist(), count[used].tolist())
    curve = np.interp(np.arange(256), used * 8 + 3.5, heights).astype(np.float32)
    # Beyond the outermost bins, and within one, grey levels keep their steps.
    slope = np.clip(np.interp(np.arange(256), used * 8 + 3.5, np.gradient(heights, used * 8.0)), 0, 2)
    outer = np.arange(256)
    first, last = used[0] * 8 + 3.5, used[-1] * 8 + 3.5
    curve += np.where(outer < first, (outer - first) * slope, 0) + np.where(outer > last, (outer - last) * slope, 0)
    return np.take(np.clip(curve, 0, 255).astype(np.float32), levels), gain


def _rising(heights: list[float], weights: list[float]) -> list[float]:
    """The nearest sequence that never falls: pool adjacent violators."""
    pools: list[list[float]] = []
    for height, weight in zip(heights, weights, strict=True):
        pools.append([height, weight, 1])
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            above, heavy, many = pools.pop()
            below, light, few = pools.pop()
            pools.append([(above * heavy + below * light) / (heavy + light), heavy + light, many + few])
    return [height for height, _, many in pools for _ in range(int(many))]


def _colour(found: dict[str, float], shared: Overlap) -> None:
    a, b = shared.colour_a.reshape(2, -1), shared.colour_b.reshape(2, -1)
    power_a, power_b = np.sqrt((a * a).sum(axis=0)), np.sqrt((b * b).sum(axis=0))
    least, most = sorted((_mean(power_a), _mean(power_b)))
    if _total(power_a) < _total(power_b):
        a, b, power_a, power_b = b, a, power_b, power_a
    scale = _total(a * b) / max(_total(a * a), 1e-3)
    scale = min(max(scale, 0.05), 2.0)
    rest = np.sqrt(((scale * a - b) ** 2).sum(axis=0))
    strong = (power_a > 12) & (power_b > 12)
    turned = 1 - (a * b).sum(axis=0) / np.maximum(power_a * power_b, 1e-3)
    found["saturation"] = scale
    found["colour_rest"] = _mean(rest)
    found["colour_worst"] = float(np.partition(rest, -8)[-8])
    few = len(turned) // 32
    found["hue"] = float(np.sort(turned[strong])[-few]) if int(strong.sum()) >= few else 0.0
    found["colour_least"], found["colour_most"] = least, most


def _mask(found: dict[str, float], a: Frame, b: Frame, map: looks.Map, shared: Overlap) -> None:
    found["mask_mean"] = found["mask_worst"] = 0.0
    if a.alpha is None or b.alpha is None:
        return
    x0, y0, x1, y1 = shared.rectangle
    rows, columns = b.alpha.shape
    height, width = a.alpha.shape
    left, top, right, bottom = looks.seen_from(map, shared.rectangle, (rows, columns), (height, width))
    own = looks.area(rows, y0, y1, COLOUR) @ b.alpha @ looks.area(columns, x0, x1, COLOUR).T
    other = looks.area(height, top, bottom, COLOUR) @ a.alpha @ looks.area(width, left, right, COLOUR).T
    off = np.abs(own - other)
    found["mask_mean"], found["mask_worst"] = float(off.mean()), float(off.max())


# The judge


class Trees(NamedTuple):
    """Boosted trees side by side: node n of tree t is at [t, n]; arrays of shape (trees, nodes)."""

    start: float
    """Log odds to begin with."""
    feature: NDArray[np.intp]
    """What a node asks about; a leaf's is 0."""
    threshold: NDArray[np.float64]
    """Up to it the answer is yes; a leaf's is infinite."""
    yes: NDArray[np.intp]
    no: NDArray[np.intp]
    """Where to go on; a leaf leads to itself."""
    value: NDArray[np.float64]
    """Log odds that a leaf adds."""
    depth: int

    @classmethod
    def of(cls, data: dict[str, Any]) -> "Trees":
        """From what train_judge.py writes: lists of [feature, threshold, yes, no] or a leaf's value, one a tree."""
        trees = data["trees"]
        shape = len(trees), max(map(len, trees), default=1)
        feature, yes, no = (np.zeros(shape, np.intp) for _ in range(3))
        threshold, value = np.full(shape, np.inf), np.zeros(shape)
        for t, tree in enumerate(trees):
            for n, node in enumerate(tree):
                if isinstance(node, list):
                    feature[t, n], threshold[t, n], yes[t, n], no[t, n] = node
                else:
                    value[t, n], yes[t, n], no[t, n] = node, n, n
        depth = max((_depth(tree, 0) for tree in trees), default=0)
        return cls(float(data["start"]), feature, threshold, yes, no, value, depth)

    def probability(self, row: Row) -> float:
        """What they say of a row of features, 0 to 1. About 40 us for 100 trees."""
        trees = np.arange(len(self.feature))
        node = np.zeros(len(trees), np.intp)
        values = row.astype(np.float64)
        for _ in range(self.depth):
            is_yes = values[self.feature[trees, node]] <= self.threshold[trees, node]
            node = np.where(is_yes, self.yes[trees, node], self.no[trees, node])
        return 1 / (1 + math.exp(-self.start - float(np.add.reduce(self.value[trees, node]))))


def _depth(tree: list[Any], node: int) -> int:
    return 1 + max(_depth(tree, below) for below in tree[node][2:]) if isinstance(tree[node], list) else 0


Model = dict[str, dict[str, Trees]]
"""Trees by scale ("stored", "opened"), then by question ("copy", "similar")."""


class Chances(NamedTuple):
    """How surely two pictures are copies, and how surely copies or variants; 0 to 1."""

    copy: float
    similar: float


class Bounds(NamedTuple):
    """From `yes` on a chance is a yes, up to `no` it is a no; between them it is left open."""

    no: float
    yes: float


STORED_COPY = Bounds(0.1, 0.93)
"""What small frames may decide. Whether two are similar they always may: the files say the same in 99 of 100 cases."""
COPY_YES: Final = 0.7
SIMILAR_YES: Final = 0.7
"""What a look at the pixels decides."""

NOTHING = Chances(0.0, 0.0)

PLAIN: Final = 2.5
"""Grey levels of contrast (standard deviation) below which there is too little to see for any verdict but different."""

GUESS_LEAST: Final = 0.5
AGREEMENT_LEAST: Final = 0.6
"""Below these correlations of small pictures nothing more is looked at."""


@dataclass(eq=False)
class Sight:
    """What is seen of one picture at one scale."""

    frames: list[Frame]
    begins_ms: tuple[int, ...]
    """When each of the frames begins."""
    finer: float
    """How many times (log2) smaller the frames are than the picture."""

    @property
    def is_animated(self) -> bool:
        return len(self.frames) > 1

    @classmethod
    def of_signature(cls, known: Signature) -> "Sight":
        frames = [Frame.of(image, known.mask) for image in known.shown]
        finer = float(np.log2(max(1.0, max(known.width, known.height) / max(known.shown[0].size))))
        return cls(*_boxed(frames, known.times_ms), finer=finer)

    @classmethod
    def of_frames(cls, shown: Sequence[tuple[Image.Image, int]], longest: int, most: int) -> "Sight":
        """Of frames as decode.shown gives them; at most `most` of an animation.

        longest: the longer side of the picture itself, in pixels.
        """
        kept = distinct(shown, most) if len(shown) > 1 else list(shown)
        finer = float(np.log2(max(1.0, longest / max(kept[0][0].size))))
        return cls(*_boxed([Frame.of(image) for image, _ in kept], [ms for _, ms in kept]), finer=finer)


def _boxed(frames: list[Frame], times_ms: Sequence[int]) -> tuple[list[Frame], tuple[int, ...]]:
    """Frames of an animation have one border: what is plain in all of them. Blank frames are left out.

    The second is when each frame that is left begins.
    """
    begins = [sum(times_ms[:number]) for number in range(len(frames))]
    if len(frames) < 2:
        return frames, tuple(begins)
    left = [number for number, frame in enumerate(frames) if frame.plane_on_white.detail > 4] or [0]
    frames, begins = [frames[number] for number in left], [begins[number] for number in left]
    looks.share_border([frame.plane_on_white for frame in frames])
    for frame in frames:
        frame.alpha = None
    return frames, tuple(begins)


class Evidence(NamedTuple):
    """What two pictures have in common at one scale."""

    rows: tuple[Row, ...]
    """Features of the pairs of frames that were looked at; none where nothing fits."""
    frames: tuple[tuple[int, int], ...] = ()
    """Numbers of those frames, of the first picture and of the second."""
    matched_most: float = 1.0
    matched_least: float = 1.0
    """Of two animations: share of the frames of either that have one like them in the other, the larger one first."""
    can_be_copy: bool = True
    """False for a still and an animation, and for animations of which too few frames are alike."""


def evidence(a: Sight, b: Sight, trees: dict[str, Trees] | None = None) -> Evidence:
    """Cost: 2 to 3 ms a pair of frames at 96 pixels; of two animations at most LOOKED_AT pairs.

    trees: where given, frames are looked at only until these would not change their mind.
    """
    if a.is_animated and b.is_animated:
        return _of_animations(a, b, trees)
    if a.is_animated or b.is_animated:
        if b.is_animated:
            return _of_still(a, b)
        found = _of_still(b, a)
        return found._replace(frames=tuple((one, other) for other, one in found.frames))
    return _looked_at([(0, 0)], a, b)


def _looked_at(pairs: Sequence[tuple[int, int]], a: Sight, b: Sight, trees: dict[str, Trees] | None = None) -> Evidence:
    """Of these pairs of frames, by their numbers, those that lie on each other."""
    finer = min(a.finer, b.finer)
    rows: list[Row] = []
    fitting: list[tuple[int, int]] = []
    known: looks.Map | None = None
    for one, other in pairs:
        met = meeting(a.frames[one], b.frames[other], known)
        if met is not None:
            rows.append(_features(met, finer))
            fitting.append((one, other))
            known = met.map if met.a is a.frames[one] else looks.invert(met.map)
        if trees is not None and len(rows) == 2 < len(pairs) and _agree(rows[0], rows[1], trees):
            break
    return Evidence(tuple(rows), tuple(fitting))


def _agree(one: Row, other: Row, trees: dict[str, Trees]) -> bool:
    """Whether two rows say the same so clearly that a third could not outvote them."""
    copies = [trees["copy"].probability(row) for row in (one, other)]
    if not (min(copies) >= STORED_COPY.yes or max(copies) <= STORED_COPY.no):
        return False
    alike = [max(copy, trees["similar"].probability(row)) for copy, row in zip(copies, (one, other), strict=True)]
    return min(alike) >= SIMILAR_YES or max(alike) < SIMILAR_YES


def chances(found: Evidence, trees: dict[str, Trees]) -> Chances:
    """What the trees of that scale say."""
    if not found.rows:
        return NOTHING
    copies = [trees["copy"].probability(row) for row in found.rows] if found.can_be_copy else [0.0]
    copy = statistics.median(copies)
    similar = statistics.median(trees["similar"].probability(row) for row in found.rows)
    return Chances(copy, max(copy, similar))


def _matched(a: Sequence[Frame], b: Sequence[Frame]) -> Grey:
    """Correlation of each frame of a with each of b, seen through the two parts that match best over all frames."""
    thumbs_a = np.stack([frame.plane_on_white.thumbs for frame in a])
    thumbs_b = np.stack([frame.plane_on_white.thumbs for frame in b])
    parts, pixels = thumbs_a.shape[1:]
    table = (thumbs_a.reshape(-1, pixels) @ thumbs_b.reshape(-1, pixels).T).reshape(len(a), parts, len(b), parts)
    score = (table.max(axis=2).mean(axis=0) + table.max(axis=0).mean(axis=1)) / 2
    score[2:, 2:] = -1
    score[0, 0] += 0.01
    i, j = np.unravel_index(int(score.argmax()), score.shape)
    return np.asarray(table[:, i, :, j], np.float32)


SAME_FRAME: Final = 0.86
MATCHED_MOST: Final = 0.75
MATCHED_LEAST: Final = 0.5
"""Shares of the frames of either animation that have one like them in the other, for copies."""
LOOKED_AT: Final = 3


def _of_animations(a: Sight, b: Sight, trees: dict[str, Trees] | None) -> Evidence:
    """Copies where the frames of one are nearly all in the other, half of the other's in it, and a few bear it out."""
    if len(a.frames) > len(b.frames):
        found = _of_animations(b, a, trees)
        return found._replace(frames=tuple((one, other) for other, one in found.frames))
    table = _matched(a.frames, b.frames)
    shares = [float((table.max(axis=axis) > SAME_FRAME).mean()) for axis in (0, 1)]
    if max(shares) < 0.5:
        return Evidence((), (), max(shares), min(shares))
    like = np.flatnonzero(table.max(axis=1) > 0.75)
    if not len(like):
        return Evidence((), (), max(shares), min(shares), False)
    can_be_copy = max(shares) >= MATCHED_MOST and min(shares) >= MATCHED_LEAST
    wanted = min(LOOKED_AT if can_be_copy else 1, len(like))
    places = np.unique(np.linspace(0, len(like) - 1, wanted + 2)[1:-1].round().astype(int))
    looked_at = _looked_at([(n, int(table[n].argmax())) for n in like[places].tolist()], a, b, trees)
    return looked_at._replace(matched_most=max(shares), matched_least=min(shares), can_be_copy=can_be_copy)


def _of_still(still: Sight, animation: Sight) -> Evidence:
    """A still is at most a variant of an animation, when it is like one of its frames."""
    thumbs = still.frames[0].plane_on_white.thumbs
    likeness = []
    for frame in animation.frames:
        table = frame.plane_on_white.thumbs @ thumbs.T
        table[2:, 2:] = -1
        likeness.append(float(table.max()))
    number = int(np.argmax(likeness))
    if likeness[number] < 0.75:
        return Evidence((), can_be_copy=False)
    return _looked_at([(0, number)], still, animation)._replace(can_be_copy=False)


class Judgement(NamedTuple):
    """Copy, variant or different; how surely; and whether the pixels had to be looked at."""

    relation: Relation
    chances: Chances
    by_pixels: bool


def judge(stored: Evidence, opened: Callable[[], Evidence | None], model: Model) -> Judgement:
    """From signatures where they suffice, else from the pixels, if they can still be had."""
    first = chances(stored, model["stored"])
    if not STORED_COPY.no < first.copy < STORED_COPY.yes:
        return Judgement(_relation(first, STORED_COPY.yes, SIMILAR_YES), first, False)
    found = opened()
    if found is None:
        # Nothing better is to be had: what is likelier is said.
        return Judgement(_relation(first, COPY_YES, SIMILAR_YES), first, False)
    second = chances(found, model["opened"])
    return Judgement(_relation(second, COPY_YES, SIMILAR_YES), second, True)


def _relation(found: Chances, copy_yes: float, similar_yes: float) -> Relation:
    if found.copy >= copy_yes:
        return Relation.COPY
    return Relation.VARIANT if found.similar >= similar_yes else Relation.DIFFERENT


@cache
def trained_model() -> Model:
    """The trees that come with the package."""
    return model_of(json.loads(resources.files("hashindex").joinpath("judge.json").read_text()))


def model_of(data: dict[str, Any]) -> Model:
    """From what train_judge.py writes. ValueError if it was trained on other features."""
    if data["version"] != JUDGE_VERSION or tuple(data["features"]) != FEATURES:
        raise ValueError("These trees were trained on other features; run benchmarks/train_judge.py.")
    return {
        scale: {question: Trees.of(trees) for question, trees in data[scale].items()} for scale in ("stored", "opened")
    }
