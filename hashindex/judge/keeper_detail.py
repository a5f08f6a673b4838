"""Compares copies that show the same frame: fine detail, colour, additions, real size. Does no I/O."""

import math
from collections import Counter
from collections.abc import Sequence
from typing import Final

import numpy as np
from PIL import Image

from hashindex.judge import compiled, overlap
from hashindex.judge.faults import Fault
from hashindex.judge.keeper_ground import SMALL_GROUP, MeasuredCopy, correlation, fine_detail, first_grey, fitted_size
from hashindex.judge.planes import Grey
from hashindex.pictures.quality import MOMENTS, on_white

DETAIL_SIDE: Final = 512
"""Longest side at which fine detail is compared."""
ADDITION_SIDE: Final = 128
"""Longest side at which additions are searched for."""


def find_flattened(same: Sequence[MeasuredCopy]) -> None:
    """Marks copies flattened on a background other than white, if another copy is still transparent.

    This comes first, because everything else is compared on white. In a group of two or three the other background
    would outweigh every other difference.
    """
    clear = [one for one in same if one.portrait.transparent and not one.faults]
    if not clear:
        return
    moment = clear[0].portrait.moments[0]
    if moment.mode != "RGBA":
        return
    size = fitted_size(moment.size, ADDITION_SIDE)
    is_clear = np.asarray(moment.getchannel("A").resize(size, Image.Resampling.BOX)) < 32
    if not is_clear.any():
        return
    for one in same:
        if not one.portrait.transparent and float(one.grid(size)[is_clear].mean()) < 232:
            one.faults.add(Fault.FLATTENED)


def compare_detail(same: Sequence[MeasuredCopy]) -> None:
    """Measures fine detail, colour and additions of each copy against the others, which show the same frame."""
    if not same:
        return
    sizes = Counter(one.size for one in same)
    largest = max(sizes, key=lambda size: size[0] * size[1])
    size = largest if len(same) <= SMALL_GROUP else max(sizes, key=lambda one: (sizes[one], one[0] * one[1]))
    grid = fitted_size(size, DETAIL_SIDE)
    longest = [max(one.size) for one in same]
    middle = min(longest) if len(same) <= SMALL_GROUP else float(np.median(longest))
    scale = min(1.0, ADDITION_SIDE / max(grid), max(40.0, middle) / max(grid))
    small = max(12, round(grid[0] * scale)), max(12, round(grid[1] * scale))
    count = MOMENTS if same[0].is_moving else 1
    fine, low = [], []
    for one in same:
        greys = [one.grid(grid, moment) for moment in range(count)]
        fine.append(np.concatenate([fine_detail(grey).ravel() for grey in greys]))
        low.append([one.grid(small, moment) for moment in range(count)])
    _compare_fine(same, np.array(fine))
    _compare_colour(same, small, count)
    levels = np.array(low)
    for number, one in enumerate(same):
        one.tone = float(np.std(levels[number]))
    if len(same) > 1:
        _find_additions(same, levels)


def _compare_fine(same: Sequence[MeasuredCopy], fine: Grey) -> None:
    fine -= fine.mean(axis=1, keepdims=True)
    table = fine @ fine.T
    power = np.diagonal(table).copy()
    table = table / np.sqrt(np.maximum(np.outer(power, power), 1e-6))
    for number, one in enumerate(same):
        others = np.delete(table[number], number)
        one.correlations, one.row = table[number], number
        one.nearness = float(others.mean()) if len(others) else 1.0
        one.detail = math.sqrt(float(power[number]) / fine.shape[1])


def _compare_colour(same: Sequence[MeasuredCopy], small: tuple[int, int], count: int) -> None:
    pixels = 3 * small[0] * small[1]
    table = np.empty((len(same), count * pixels), np.float32)
    for one, row in zip(same, table, strict=True):
        moments = one.portrait.moments
        shown: dict[int, Grey] = {}
        for number in range(count):
            moment = moments[number % len(moments)]
            if id(moment) not in shown:
                shown[id(moment)] = np.asarray(
                    on_white(moment).resize(small, Image.Resampling.BOX, reducing_gap=2.0), np.float32
                ).ravel()
            row[number * pixels : (number + 1) * pixels] = shown[id(moment)]
    middle = median(table)
    for one, row in zip(same, table, strict=True):
        one.colour_distance = float(np.abs(row - middle).mean())
    # The difference to grey has the direction of the hue, whatever the brightness and the saturation.
    chroma = table.reshape(len(same), -1, 3)
    chroma -= chroma.mean(axis=2, keepdims=True)
    reference = (median(table) if len(same) > 2 else table[0]).reshape(-1, 3)
    power = float((reference * reference).mean())
    for one, own_chroma in zip(same, chroma, strict=True):
        own = float((own_chroma * own_chroma).mean())
        if min(power, own) > 16:
            one.hue = 1 - float((own_chroma * reference).mean()) / math.sqrt(power * own)


def median(rows: Grey) -> Grey:
    """The median of each column, for an even number of rows the mean of the two middle ones. rows: of shape (n, m)."""
    if compiled.kernels is not None:
        found: Grey = np.empty(rows.shape[1], np.float32)
        compiled.kernels.median(np.ascontiguousarray(rows, np.float32), found)
        return found
    return np.asarray(np.median(rows, axis=0), np.float32)


def _find_additions(same: Sequence[MeasuredCopy], levels: Grey) -> None:
    """Measures adds, lacks, likeness, spot and spread. levels: of shape (copies, moments, height, width)."""
    found: list[tuple[Grey, Grey] | None] = [None] * len(same)
    for moment in range(levels.shape[1]):
        stack = levels[:, moment]
        middles = _medians_of_others(stack)
        for number, one in enumerate(same):
            mine, middle = stack[number], tone_matched(middles[number], stack[number])
            one.likeness = min(one.likeness, correlation(mine, middle))
            one.spot = max(one.spot, _largest_spot(mine - middle))
            view = overlap.windows(middle, mine)
            differs = view.difference > 0.3
            one.spread = max(one.spread, float(differs.mean()))
            more = (np.sqrt(view.power_b) - np.sqrt(view.power_a)) * differs
            up, down = np.maximum(more, 0), np.maximum(-more, 0)
            # For an animation this is the minimum over its moments; otherwise motion would count as an addition.
            before = found[number]
            found[number] = (up, down) if before is None else (np.minimum(before[0], up), np.minimum(before[1], down))
    for one, pair in zip(same, found, strict=True):
        assert pair is not None
        one.adds, one.lacks = float(pair[0].max()), float(pair[1].max())


LARGE_GROUP: Final = 8
"""From this many copies the median of all replaces the median of the others, so that the cost stays linear."""


def _medians_of_others(stack: Grey) -> list[Grey]:
    """For each picture the median of the others, matched in tone. stack: of shape (copies, height, width)."""
    count = len(stack)
    if count >= LARGE_GROUP:
        reference = _median_of(stack)
        middle = _median_of(np.stack([tone_matched(one, reference) for one in stack]))
        return [middle] * count
    found = []
    for number in range(count):
        others = [tone_matched(stack[other], stack[number]) for other in range(count) if other != number]
        found.append(_median_of(np.stack(others)) if len(others) > 1 else others[0])
    return found


def _median_of(stack: Grey) -> Grey:
    return median(stack.reshape(len(stack), -1)).reshape(stack.shape[1:])


def _largest_spot(difference: Grey) -> float:
    return float(np.abs(difference - fine_detail(difference)).max())


def tone_matched(a: Grey, b: Grey) -> Grey:
    """The picture a with its levels fitted to those of b by a straight line."""
    off = a - a.mean()
    power = float((off * off).mean())
    if power < 1:
        return np.asarray(off + b.mean(), np.float32)
    return np.asarray(off * (float((off * (b - b.mean())).mean()) / power) + b.mean(), np.float32)


def is_only_sharper(one: MeasuredCopy, members: Sequence[MeasuredCopy]) -> bool:
    """Whether a copy is much larger than all others. Its additional detail is sharpness unless it is in one place."""
    others = [max(other.size) for other in members if other is not one]
    if not others:
        return False
    if max(one.size) < 1.25 * max(others):
        return min(max(others), max(one.size)) < 32
    return one.spread > 0.06 or max(others) < 48


# Real size and sharpness


COMPARED_A_SIZE: Final = 4
"""A larger copy is compared with at most this many copies of each smaller size."""


def find_enlarged(same: Sequence[MeasuredCopy]) -> None:
    """Marks copies that have more pixels than another copy, but not more detail."""
    sizes = Counter(one.size for one in same)
    usual = max(sizes, key=lambda size: (sizes[size], size[0] * size[1])) if same else None
    if usual is not None and (sizes[usual] < 3 or sizes[usual] < 0.4 * len(same)):
        usual = None
    left = [one for one in same if not one.faults]
    # The copies nearest to the others represent each size.
    smaller: list[MeasuredCopy] = []
    for size in sizes:
        of_size = sorted((one for one in left if one.size == size), key=lambda one: -one.nearness)
        smaller += of_size[:COMPARED_A_SIZE]
    for one in left:
        for other in smaller:
            ratio = math.sqrt(one.portrait.area / other.portrait.area)
            if ratio <= 1.08 or max(other.size) < 16 or min(one.size) < 8:
                continue
            over = min(ratio, 2.2) - 1.25
            limit = 0.36 + 0.5 * over if other.size == usual else 0.28 + 0.42 * over
            if _unexplained_detail(one, other) < limit or is_poorer(one, other):
                one.faults.add(Fault.ENLARGED)
                break


def _shared_patches(one: MeasuredCopy, other: MeasuredCopy) -> tuple[Grey, Grey]:
    """The part that the patches of both copies cover, at full size."""
    part = min(one.portrait.part, other.portrait.part)
    return _inner_part(one, part), _inner_part(other, part)


def _inner_part(one: MeasuredCopy, part: float) -> Grey:
    share = part / one.portrait.part
    grey = one.native
    if share >= 1:
        return grey
    height, width = grey.shape
    left, top = round(width * (1 - share) / 2), round(height * (1 - share) / 2)
    return grey[top : height - top, left : width - left]


def _unexplained_detail(one: MeasuredCopy, other: MeasuredCopy) -> float:
    """The part of one that no enlargement of the other reproduces, divided by the fine detail of one."""
    large, small = _shared_patches(one, other)
    own = fine_detail(large)[2:-2, 2:-2]
    image = Image.fromarray(small)
    least = math.inf
    for how in (Image.Resampling.BICUBIC, Image.Resampling.LANCZOS, Image.Resampling.BILINEAR):
        enlarged = np.asarray(image.resize((large.shape[1], large.shape[0]), how), np.float32)
        rest = (large - tone_matched(enlarged, large))[2:-2, 2:-2]
        least = min(least, float((rest * rest).mean()))
    return math.sqrt(least / max(1e-3, float((own * own).mean())))


def is_poorer(one: MeasuredCopy, other: MeasuredCopy) -> bool:
    """Whether a larger copy shows less detail than the other copy when it is reduced to the same size."""
    large, small = _shared_patches(one, other)
    reduced = np.asarray(
        Image.fromarray(large).resize((small.shape[1], small.shape[0]), Image.Resampling.LANCZOS), np.float32
    )
    mine, its = fine_detail(tone_matched(reduced, small)), fine_detail(small)
    power, power_other = float((mine * mine).mean()), float((its * its).mean())
    return power < 0.5 * power_other and float((mine * its).mean()) > 1.2 * max(power, 1e-3)


def find_blurred(left: Sequence[MeasuredCopy]) -> None:
    """In a group of two or three, marks a copy that is softer than another everywhere; additions are not everywhere."""
    for one in left:
        for other in left:
            if one is other or one.size != other.size or other.faults:
                continue
            gain = _detail_gain(other, one)
            if gain is not None and gain > BLURRED:
                one.faults.add(Fault.SOFTER)
                break


BLURRED: Final = 1.1
"""From this gain of the same fine detail a copy is sharper than the other."""


def _detail_gain(sharp: MeasuredCopy, soft: MeasuredCopy) -> float | None:
    """By what factor the sharp copy has the fine detail of the soft copy: the median over the most detailed blocks.

    None if the sizes differ or there is too little detail. A blur removes a share of the detail, so the gain is above
    1; noise is added to the detail and leaves the gain at 1.
    """
    greys = [first_grey(one) for one in (sharp, soft)]
    fine, fine_soft = (fine_detail(grey) for grey in greys)
    if fine.shape != fine_soft.shape or min(fine.shape) < 16:
        return None
    both, own, power = (_blocks(values) for values in (fine * fine_soft, fine_soft * fine_soft, fine * fine))
    rich = power > max(1.0, float(np.percentile(power, 60)))
    if int(rich.sum()) < 8:
        return None
    # More contrast is not more detail.
    tone = float(greys[0].std()) / max(float(greys[1].std()), 1.0)
    return float(np.median(both[rich] / np.maximum(own[rich], 0.05))) / max(tone, 0.1)


def _blocks(values: Grey) -> Grey:
    """Means of blocks of 8 x 8."""
    rows, columns = values.shape[0] // 8, values.shape[1] // 8
    return np.asarray(values[: rows * 8, : columns * 8].reshape(rows, 8, columns, 8).mean(axis=(1, 3)))


def find_softer(left: Sequence[MeasuredCopy]) -> None:
    """In a group of two or three, marks copies that are softer than another copy, and copies that are only noisier."""
    soft, noisy = set(), set()
    for one in left:
        for other in left:
            sharpness, sharper = (each.detail / max(each.tone, 1.0) for each in (one, other))
            if other is one or sharper <= sharpness:
                continue
            assert one.correlations is not None
            together = float(one.correlations[other.row])
            gain = together * sharper / max(sharpness, 1e-4)
            if gain > 1.05 and together > 0.5 and sharper > 1.12 * sharpness:
                soft.add(one)
            elif (
                together > 0.7
                and sharper > 1.05 * sharpness
                and _finest_detail(other) > 1.15 * _finest_detail(one)
                and _noise_level(other) < _noise_level(one) + 0.5
            ):
                # Mildly blurred: the edges lost detail, and plain areas did not change.
                soft.add(one)
            elif (
                gain < 1.05
                and sharper > 1.06 * sharpness
                and _noise_level(other) > _noise_level(one) + 0.75
                and (one.portrait.lossless or (one.portrait.jpeg_quality or 0) > 80)
                and one.portrait.colours is None
            ):
                noisy.add(other)
    for one in soft:
        one.faults.add(Fault.SOFTER)
    for one in noisy - soft:
        one.faults.add(Fault.NOISY)


def _finest_detail(one: MeasuredCopy) -> float:
    """The finest detail that pixels can show, divided by the contrast: RMS of (a - b) - (c - d) in 2 x 2 pixels."""
    grey = first_grey(one)
    steps = np.diff(np.diff(grey, axis=0), axis=1)
    return float(np.sqrt((steps * steps).mean())) / max(one.tone, 1.0)


def sharpness_step(one: MeasuredCopy) -> int:
    """Sharpness in steps of 4 %: the slightly sharper copy wins if nothing else decides."""
    return round(math.log(max(_finest_detail(one), 1e-3)) / 0.04)


def _noise_level(one: MeasuredCopy) -> float:
    """Fine detail in the plainest fifth of the picture, in grey levels."""
    return float(np.percentile(np.abs(fine_detail(first_grey(one))), 20))
