"""Compares two animations that would be copies frame by frame; the worst pair of frames decides. Does no I/O.

classifier.py compares three frames, so it misses words in one frame of sixty. Here the frames of both animations are
aligned in order, with gaps on either side (frames that were dropped, trimmed or faded in). Aligned frames are compared
window by window, as in fine_comparison.py for stills.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from PIL import Image

from hashindex.core.messages import Comparison, Objection
from hashindex.judge import features, overlap, planes, registration
from hashindex.judge.fine_windows import (
    NOISE,
    TILE,
    WINDOW,
    FineWindows,
    Levels,
    measured,
    realigned,
    resampled,
    spot,
    tone_curve,
    window_sums,
)
from hashindex.judge.planes import Frame, Grey, Map, Plane
from hashindex.judge.registration import invert

FRAMES_SIDE: Final = 320
"""Longest side, in pixels, at which aligned frames are compared."""
SMALL_SIDE: Final = 128
"""Longest side, in pixels, at which frames are aligned."""
MOST_FRAMES: Final = 120
"""As decode.SHOWN_FRAMES."""

DIFFERS_MOST: Final = 20.0
"""If the badness of two frames is higher, they show something different."""
ADDITION: Final = ((0.96, 45.0), (0.998, 32.0))
"""(Correlation, badness) of an unaligned frame and a frame of the other animation: above both, the two show one pose
with something added. A dropped frame differs less from its neighbours."""
SAME_MOMENT: Final = 0.75
"""From this correlation two frames at the seam of a loop, where either may be trimmed, show the same moment."""
ONE_SIDED: Final = 0.7
"""The weight of a difference where only one of two frames shows something."""
TWO_SIDED: Final = 1.6
"""The weight, at full size, of a difference where both frames show something; lost colours are one-sided."""
NEAR: Final = 3
"""Each frame is compared with this many frames of the other animation, the most similar ones."""


class FineAnimation(NamedTuple):
    """The frames of an animation on white, without blank frames and repetitions of the frame before."""

    fine: Levels
    """Frames within FRAMES_SIDE, of shape (frames, height, width)."""
    small: Levels
    """The same frames within SMALL_SIDE."""

    @classmethod
    def of(cls, shown: Sequence[tuple[Image.Image, int]]) -> "FineAnimation":
        """From frames as decode.shown returns them."""
        fine: list[Levels] = []
        small: list[Levels] = []
        for image, _ in shown:
            grey = _on_white(image)
            scale = min(1.0, SMALL_SIDE / max(grey.size))
            size = max(8, round(grey.width * scale)), max(8, round(grey.height * scale))
            less = np.asarray(grey.resize(size, Image.Resampling.BOX) if size != grey.size else grey)
            is_repeated = small and int(np.abs(less.astype(np.int16) - small[-1]).max()) <= REPEATED
            if not is_repeated and float(less.std()) > LOW_DETAIL:
                fine.append(np.asarray(grey))
                small.append(less)
        if not fine:
            return cls(np.zeros((0, 0, 0), np.uint8), np.zeros((0, 0, 0), np.uint8))
        return cls(np.stack(fine), np.stack(small))

    @property
    def nbytes(self) -> int:
        return self.fine.nbytes + self.small.nbytes


REPEATED: Final = 12
"""A frame that differs from the one before by at most this in every pixel, in grey levels, is a repetition."""
LOW_DETAIL: Final = 4.0
"""A frame with no more than this standard deviation of its grey levels is blank; as in classifier.py."""


def _on_white(image: Image.Image) -> Image.Image:
    if image.mode != "RGBA":
        return image.convert("L")
    white = Image.new("RGB", image.size, "white")
    white.paste(image, mask=image.getchannel("A"))
    return white.convert("L")


def compare_animations(a: FineAnimation, b: FineAnimation) -> Comparison | None:
    """Compares two animations; None if no two frames can be aligned. Cost: see docs/judgement.md."""
    if not len(a.fine) or not len(b.fine):
        return None
    if _rank(a) < _rank(b):
        a, b = b, a
    frames_a, frames_b = _frames(a.small), _frames(b.small)
    likeness = features.matched(frames_a, frames_b)
    map = _common_map(frames_a, frames_b, likeness)
    if map is None:
        return None
    area = abs(map[0] * map[4] - map[1] * map[3])
    if area * a.small[0].size / b.small[0].size < 0.9:
        a, b, map, likeness = b, a, invert(map), likeness.T
    side = max(b.fine.shape[1:])
    table = _Table.of(a.small, b.small, map, likeness)
    if table is None:
        return None
    path = table.path()
    if not path or table.objects(path):
        return Comparison(side, Objection.FRAMES)
    return Comparison(side, Objection.FRAMES if _worst(a.fine, b.fine, map, path) > DIFFERS_MOST else None)


def _rank(animation: FineAnimation) -> tuple[int, int, int]:
    """A sort key, so that the order of two animations does not matter."""
    return animation.fine[0].size, len(animation.fine), int(animation.fine.sum(dtype=np.int64))


def _frames(stack: Levels) -> list[Frame]:
    chroma = np.zeros((2, *stack.shape[1:]), np.float32)
    found = [Frame(Plane(grey.astype(np.float32), chroma), None) for grey in stack]
    planes.share_border([frame.plane_on_white for frame in found])
    return found


def _common_map(a: Sequence[Frame], b: Sequence[Frame], likeness: Grey) -> Map | None:
    """The map of b into a that fits the most similar pairs of frames best."""
    best = np.argsort(-likeness.max(axis=1), kind="stable")[:MAP_FRAMES]
    pairs = [(a[i], b[int(likeness[i].argmax())]) for i in best.tolist()]
    found: list[Map] = []
    for one, other in pairs[:: max(1, len(pairs) // 2)]:
        alignment = features.align(one, other)
        if alignment is not None:
            map = alignment.map if alignment.a is one else invert(alignment.map)
            starts = [map, *registration.box_maps(one.plane_on_white, other.plane_on_white)]
            found.append(registration.refined_at([one.plane_on_white.grey], [other.plane_on_white.grey], starts))
            found.append(map)
    if not found:
        return None
    found += registration.box_maps(a[0].plane_on_white, b[0].plane_on_white)
    stack_a, stack_b = (
        np.stack([pair[side].plane_on_white.grey for pair in pairs]).astype(np.uint8) for side in (0, 1)
    )
    # Without a border the four boxes are one.
    return min(dict.fromkeys(found), key=lambda map: _misfit(stack_a, stack_b, map))


MAP_FRAMES: Final = 6
"""The number of pairs of frames by which the map of two animations is chosen."""


def _misfit(a: Levels, b: Levels, map: Map) -> float:
    """The misfit of pairs of frames under a map; a small overlap increases it."""
    pair = _overlaps(a, b, map)
    if pair is None:
        return FAR
    stack_a, stack_b = _tone_matched(*pair, np.eye(len(a)))
    off = float(np.median(np.abs(stack_a - stack_b).mean(axis=(1, 2))))
    return float(off + 10 * (1 - pair[1][0].size / b[0].size))


class _Table(NamedTuple):
    """The comparison of the frames of a (rows) with similar frames of b (columns)."""

    badness: Grey
    """The badness of each pair; FAR for pairs that were not compared."""
    likeness: Grey
    """Correlation of the thumbs of each pair."""
    a: Grey
    b: Grey
    """The frames on the same pixels."""
    moments_a: tuple[Grey, Grey]
    moments_b: tuple[Grey, Grey]

    @classmethod
    def of(cls, a: Levels, b: Levels, map: Map, likeness: Grey) -> "_Table | None":
        pair = _overlaps(a, b, map)
        if pair is None:
            return None
        badness = np.full(likeness.shape, FAR)
        off = np.full(likeness.shape, FAR)
        near = np.zeros(likeness.shape, np.bool_)
        for row, values in enumerate(likeness):
            near[row, np.argsort(-values)[:NEAR]] = True
        for column, values in enumerate(likeness.T):
            near[np.argsort(-values)[:NEAR], column] = True
        stack_a, stack_b = _tone_matched(*pair, likeness)
        moments_a, moments_b = _moments(stack_a), _moments(stack_b)
        for i, j in np.argwhere(near).tolist():
            view = _windows(stack_a[i], stack_b[j], moments_a, moments_b, i, j)
            badness[i, j], off[i, j] = _badness(view), _mean_difference(view)
        if float(np.median(off.min(axis=1 if len(off) <= len(off.T) else 0))) > MISFIT_MOST:
            return None
        return cls(badness, likeness, stack_a, stack_b, moments_a, moments_b)

    def path(self) -> list[tuple[int, int]]:
        """The longest ordered list of pairs that match, starting anywhere in the loop."""
        best: list[tuple[int, int]] = []
        most = min(self.badness.shape)
        good = np.argsort(self.badness - 5 * self.likeness, axis=None, kind="stable")[:STARTS]
        starts = [(0, 0), *zip(*(axis.tolist() for axis in np.unravel_index(good, self.badness.shape)), strict=True)]
        rows, columns = self.badness.shape
        for i0, j0 in starts:
            rolled = np.roll(self.badness, (-i0, -j0), axis=(0, 1))
            found = [(i, j) for i, j in aligned(rolled) if rolled[i, j] <= DIFFERS_MOST]
            if len(found) > len(best):
                best = [((i + i0) % rows, (j + j0) % columns) for i, j in found]
            if len(best) == most:
                break
        return best

    def objects(self, path: Sequence[tuple[int, int]]) -> bool:
        """Whether unaligned frames show something different, and were not just dropped, trimmed or faded."""
        # Aligned frames have the same losses by colour, sharpness and registration.
        loss = float(np.median([self.badness[pair] for pair in path]))
        if self._has_addition(path, max(0.0, loss + LOST - CHANGED)):
            return True
        return 2 * len(path) >= min(self.likeness.shape) and self._was_changed(path, max(CHANGED, LOST + loss))

    def _has_addition(self, path: Sequence[tuple[int, int]], more: float) -> bool:
        for row, likeness in enumerate(self.likeness):
            if all(row != i for i, _ in path) and self._has_more(row, None, likeness, more):
                return True
        for column, likeness in enumerate(self.likeness.T):
            if all(column != j for _, j in path) and self._has_more(None, column, likeness, more):
                return True
        return False

    def _has_more(self, row: int | None, column: int | None, likeness: Grey, more: float) -> bool:
        near = [other for other in np.argsort(-likeness)[:NEAR].tolist() if likeness[other] > ADDITION[0][0]]
        if not near:
            return False
        found = [
            (
                float(likeness[other]),
                self.badness_of(other if row is None else row, other if column is None else column),
            )
            for other in near
        ]
        least = min(badness for _, badness in found)
        most = max(similar for similar, _ in found)
        return any(most > similar and least > badness + more for similar, badness in ADDITION)

    def _was_changed(self, path: Sequence[tuple[int, int]], bound: float) -> bool:
        """Whether both have frames between two aligned pairs, and the frames of one side do not occur in the other."""
        rows, columns = self.likeness.shape
        for place, (i, j) in enumerate(path):
            is_seam = place + 1 == len(path)
            after_i, after_j = path[0] if is_seam else path[place + 1]
            between_a = [(i + n) % rows for n in range(1, (after_i - i - 1) % rows + 1)]
            between_b = [(j + n) % columns for n in range(1, (after_j - j - 1) % columns + 1)]
            fewest, most = sorted((len(between_a), len(between_b)))
            if not fewest or (is_seam and most > 2 * fewest):
                continue
            fewer: list[list[tuple[int, int]]] = []
            if len(between_a) == fewest:
                fewer += [[(one, other) for other in between_b] for one in between_a]
            if len(between_b) == fewest:
                fewer += [[(one, other) for one in between_a] for other in between_b]
            for pairs in fewer:
                may_be_trimmed = is_seam and (rows != columns or len(between_a) != len(between_b))
                if may_be_trimmed and max(float(self.likeness[pair]) for pair in pairs) < SAME_MOMENT:
                    continue
                if min(self.badness_of(*pair) for pair in pairs) > bound:
                    return True
        return False

    def badness_of(self, i: int, j: int) -> float:
        """As badness, but the fainter frame gets the contrast of the other, so that a frame that fades in matches."""
        view = _windows(self.a[i], self.b[j], self.moments_a, self.moments_b, i, j)
        both = ((1 - view.difference) * (view.power_a + view.power_b + NOISE) - NOISE) / 2
        power_a, power_b = view.power_a, view.power_b
        if float(power_a.sum()) < float(power_b.sum()):
            gain = min(max(float(both.sum()) / max(float(power_a.sum()), 1e-3), 1.0), 8.0)
            power_a, both = power_a * (gain * gain), both * gain
        else:
            gain = min(max(float(both.sum()) / max(float(power_b.sum()), 1e-3), 1.0), 8.0)
            power_b, both = power_b * (gain * gain), both * gain
        return _badness(FineWindows(1 - (2 * both + NOISE) / (power_a + power_b + NOISE), power_a, power_b))


CHANGED: Final = 20.0
"""If badness_of is higher, a frame in the place of another frame shows something different."""
LOST: Final = 12.0
"""badness_of must also exceed the badness of aligned frames by this."""
MISFIT_MOST: Final = 0.3
"""Above this mean difference of structure most frames do not fit each other at all, so the comparison means nothing."""
FAR: Final = 999.0
STARTS: Final = 4


def aligned(badness: Grey) -> list[tuple[int, int]]:
    """Aligns rows with columns in order, with gaps (Needleman and Wunsch 1970)."""
    rows, columns = badness.shape
    gap = 0.5 * DIFFERS_MOST
    steps = np.minimum(badness, 2.5 * DIFFERS_MOST).tolist()
    table = [[gap * column for column in range(columns + 1)]]
    for row in range(rows):
        above, here = table[-1], [gap * (row + 1)]
        step = steps[row]
        for column in range(columns):
            here.append(min(above[column] + step[column], above[column + 1] + gap, here[column] + gap))
        table.append(here)
    found = []
    i, j = rows, columns
    while i and j:
        if table[i][j] == table[i - 1][j - 1] + steps[i - 1][j - 1]:
            i, j = i - 1, j - 1
            found.append((i, j))
        elif table[i][j] == table[i - 1][j] + gap:
            i -= 1
        else:
            j -= 1
    return found[::-1]


def _overlaps(a: Levels, b: Levels, map: Map) -> tuple[Levels, Levels] | None:
    """The overlap of all frames on the pixels of b; None if it is too small."""
    rectangle = overlap.shared_rectangle(b.shape[1:], map)
    if rectangle is None:
        return None
    x0, y0, x1, y1 = rectangle
    if min(x1 - x0, y1 - y0) < 2 * WINDOW:
        return None
    moved = np.stack([resampled(Image.fromarray(frame), b.shape[1:], map, rectangle) for frame in a])
    return moved, b[:, y0:y1, x0:x1]


def _tone_matched(a: Levels, b: Levels, likeness: Grey) -> tuple[Grey, Grey]:
    """Both as floats, a fitted to the grey levels of b by one curve for all frames, from the most similar pairs."""
    best = likeness.argmax(axis=1)
    some = np.argsort(-likeness.max(axis=1), kind="stable")[:8]
    curve = tone_curve(np.concatenate(a[some]), np.concatenate(b[best[some]]))
    return np.take(curve, a) - np.float32(128), b.astype(np.float32) - np.float32(128)


_SHARE = np.float32(1 / (WINDOW * WINDOW))


def _moments(stack: Grey) -> tuple[Grey, Grey]:
    """The mean and the variance of every window of every frame."""
    means = window_sums(stack) * _SHARE
    return means, np.maximum(window_sums(stack * stack) * _SHARE - means * means, 0)


def _windows(a: Grey, b: Grey, of_a: tuple[Grey, Grey], of_b: tuple[Grey, Grey], i: int, j: int) -> FineWindows:
    both = window_sums(a * b) * _SHARE - of_a[0][i] * of_b[0][j]
    power_a, power_b = of_a[1][i], of_b[1][j]
    return FineWindows(1 - (2 * both + NOISE) / (power_a + power_b + NOISE), power_a, power_b)


def _badness(view: FineWindows, two_sided: float = 1.0) -> float:
    return max(two_sided * spot(view.weight()), ONE_SIDED * spot(view.one_sided_weight()))


def _mean_difference(view: FineWindows) -> float:
    """Mean difference of the windows with structure, weighted by contrast."""
    contrast = np.sqrt(np.maximum(view.power_a, view.power_b))
    contrast = contrast * (contrast > 10)
    return float((contrast * view.difference).sum()) / max(float(contrast.sum()), 1e-3)


def _worst(a: Levels, b: Levels, map: Map, path: Sequence[tuple[int, int]]) -> float:
    """The largest badness of aligned frames, at full size."""
    i, j = path[len(path) // 2]
    map = registration.refined_at([a[i].astype(np.float32)], [b[j].astype(np.float32)], [map])
    rows, columns = ([pair[side] for pair in path] for side in (0, 1))
    pair = _overlaps(a[rows], b[columns], map)
    if pair is None:
        return 0.0
    stack_a, stack_b = _tone_matched(*pair, np.eye(len(path)))
    worst = 0.0
    for one, other in zip(stack_a, stack_b, strict=True):
        view = measured(one, other)
        if _badness(view, TWO_SIDED) > DIFFERS_MOST and min(one.shape) >= TILE:
            strong = (view.weight() > 0) | (view.one_sided_weight() > 0)
            view = realigned(one, other, view, strong)
        worst = max(worst, _badness(view, TWO_SIDED))
    return worst
