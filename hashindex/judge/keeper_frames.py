"""Finds faults of framing (crops, borders, rotation) and of motion (lost frames, other order). Does no I/O."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from hashindex.judge.faults import Fault
from hashindex.judge.features import plainness
from hashindex.judge.keeper_ground import SMALL_GROUP, MeasuredCopy, by_frame, first_grey, is_turned, scale_of, unit
from hashindex.judge.planes import Grey
from hashindex.pictures.quality import MOMENTS


def find_faults_of_motion(members: Sequence[MeasuredCopy]) -> None:
    """Marks animations that lost frames, have blank frames, or play in another order or at another pace than most."""

    def usual(counts: list[int]) -> int:
        if len(counts) <= SMALL_GROUP:
            return max(counts)
        return max(counts, key=lambda one: (sum(abs(other - one) <= max(1, 0.03 * one) for other in counts), one))

    frames = usual([one.portrait.frames for one in members])
    distinct = usual([one.portrait.distinct for one in members])
    usual_low_detail = float(np.median([one.portrait.low_detail for one in members]))
    for one in members:
        seen = one.portrait
        if seen.frames < 0.92 * frames - 0.5 and seen.distinct < 0.92 * distinct - 0.5:
            one.faults.add(Fault.FEWER_FRAMES)
        if seen.low_detail > usual_low_detail:
            one.faults.add(Fault.BLANK_FRAMES)
    left = [one for one in members if not one.faults]
    if len(left) <= 2:
        return
    motions = np.array([_motion(one) for one in left])
    table = motions @ motions.T
    agreement = [float(np.median(np.delete(row, number))) for number, row in enumerate(table)]
    for one, agrees in zip(left, agreement, strict=True):
        if agrees < SAME_ORDER * max(agreement) and max(agreement) > 0.5:
            one.faults.add(Fault.OTHER_ORDER)
    left = [one for one in left if not one.faults]
    paces = [one.portrait.duration_ms / one.portrait.frames for one in left]
    if len(left) > SMALL_GROUP:
        common = max(paces, key=lambda pace: sum(abs(other - pace) <= 0.1 * pace for other in paces))
        share = sum(abs(other - common) <= 0.1 * common for other in paces) / len(paces)
        for one in left:
            length = one.portrait.duration_ms
            total = common * frames
            if (
                share > 0.5
                and abs(length - total) > 0.15 * total
                and abs(length / one.portrait.frames - common) > 0.15 * common
            ):
                one.faults.add(Fault.OTHER_PACE)


def _motion(one: MeasuredCopy) -> Grey:
    """The small moments minus their mean, scaled to mean 0 and length 1."""
    film = np.array([one.grid((24, 24), moment) for moment in range(MOMENTS)])
    return unit((film - film.mean(axis=0)).ravel())


def play_differently(one: MeasuredCopy, other: MeasuredCopy) -> bool:
    """Whether two animations play in a different order."""
    return float(_motion(one) @ _motion(other)) < SAME_ORDER


SAME_ORDER: Final = 0.8
"""Below this correlation of their motion two animations play in another order."""


def find_faults_of_frame(members: Sequence[MeasuredCopy]) -> tuple[list[MeasuredCopy], bool]:
    """Marks copies that show less than the best frame, or something else; returns the copies that show exactly it.

    The second value: whether an empty margin decided, which may or may not belong to the picture.
    """
    anchor = next((one for one in members if one.box == (0.0, 0.0, *map(float, one.size))), members[0])
    groups = by_frame(members, anchor)
    if not groups:
        return [], False
    best = groups[0]
    is_margin = False
    if len(best) < 3 or (len(groups) > 1 and len(best) <= 1.5 * len(groups[1])):
        for group in groups[1:]:
            one, other = _representative(group), _representative(best)
            if "low detail" in (_outside(one, other)[1], _outside(other, one)[1]):
                is_margin = is_margin or not (_has_seam(one, other) or _has_seam(other, one))
            if _shows_more(one, other):
                best = group
    reference = best[0].box
    assert reference is not None
    area = max(1.0, (reference[2] - reference[0]) * (reference[3] - reference[1]))
    for one in members:
        if one.box is None:
            one.faults.add(Fault.APART)
        elif is_turned(one):
            one.faults.add(Fault.TURNED)
        elif one not in best:
            shown = max(0.0, (one.box[2] - one.box[0]) * (one.box[3] - one.box[1])) / area
            one.faults.add(Fault.CROPPED if shown < 0.995 else Fault.BORDERED)
    return best, is_margin


def _representative(group: Sequence[MeasuredCopy]) -> MeasuredCopy:
    """The copy that represents its frame: the largest one that kept its transparency, if any did."""
    return max(group, key=lambda one: (one.portrait.transparent, one.portrait.area, one.portrait.lossless))


def _shows_more(one: MeasuredCopy, other: MeasuredCopy) -> bool:
    """Whether the frame of one is fuller: it shows picture, and not a border, outside the frame of the other."""
    outside, kind = _outside(one, other)
    outside_other, kind_other = _outside(other, one)
    is_edged = _has_seam(one, other) or (kind == "low detail" and _is_letterboxed(one, other))
    is_edged_other = _has_seam(other, one) or (kind_other == "low detail" and _is_letterboxed(other, one))
    scale, scale_other = scale_of(one), scale_of(other)
    if max(scale, scale_other) > 1.2 * min(scale, scale_other) and all(
        share <= 0.01 or (kind in ("low detail", "none") and not edged)
        for share, kind, edged in ((outside, kind, is_edged), (outside_other, kind_other, is_edged_other))
    ):
        return scale > scale_other

    def cost(share: float, edged: bool) -> float:
        if share <= 0.01:
            return 0.0
        return 1.0 if edged else -share

    costs = cost(outside, is_edged), cost(outside_other, is_edged_other)
    if (
        min(costs) < 0
        and one.portrait.transparent != other.portrait.transparent
        and "picture" not in (kind, kind_other)
    ):
        return one.portrait.transparent
    return costs[0] < costs[1]


def _edges_within(one: MeasuredCopy, other: MeasuredCopy, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """The box that the frame of the other covers within one. size: of the picture in whose pixels the box is given."""
    assert one.box is not None and other.box is not None
    width, height = size
    across, down = width / (one.box[2] - one.box[0]), height / (one.box[3] - one.box[1])
    left, top = (other.box[0] - one.box[0]) * across, (other.box[1] - one.box[1]) * down
    right, bottom = (other.box[2] - one.box[0]) * across, (other.box[3] - one.box[1]) * down
    return (
        max(0, min(width, round(left))), max(0, min(height, round(top))),
        max(0, min(width, round(right))), max(0, min(height, round(bottom))),
    )  # fmt: skip


def _outside(one: MeasuredCopy, other: MeasuredCopy) -> tuple[float, str]:
    """What one shows outside the frame of the other: its share, and "low detail", "bar", "picture" or "none"."""
    grey = np.clip(np.asarray(one.mean(), np.float32), 0, 255)
    height, width = grey.shape
    left, top, right, bottom = _edges_within(one, other, (width, height))
    share = 1 - max(0, right - left) * max(0, bottom - top) / (width * height)
    strips = [
        grey[: top - 1 if top > 1 else top],
        grey[bottom + 1 if bottom < height - 1 else bottom :],
        grey[top:bottom, : left - 1 if left > 1 else left],
        grey[top:bottom, right + 1 if right < width - 1 else right :],
    ]
    strips = [strip for strip in strips if strip.size]
    if not strips or share < 0.004:
        return 0.0, "none"
    plain = [plainness(strip.ravel()) for strip in strips]
    if min(plain) > 0.985:
        return share, "low detail"
    if min(plain) > 0.55 and plainness(np.concatenate([strip.ravel() for strip in strips])) > 0.6:
        return share, "bar"
    return share, "picture"


SEAM_STEP: Final = 12
"""From this difference of neighbours, in grey levels, a step counts as an edge."""


def _has_seam(one: MeasuredCopy, other: MeasuredCopy) -> bool:
    """Whether one has an edge along most of the outline of the other's frame, as a border or a bar has."""
    grey = first_grey(one)
    height, width = grey.shape
    left, top, right, bottom = _edges_within(one, other, (width, height))
    if right - left < 8 or bottom - top < 8:
        return False
    steps, inside = [], []
    if top > 2:
        steps.append(grey[top + 1, left:right] - grey[top - 2, left:right])
        inside.append(grey[min(top + 5, height - 1), left:right] - grey[top + 2, left:right])
    if bottom < height - 2:
        steps.append(grey[bottom - 2, left:right] - grey[bottom + 1, left:right])
        inside.append(grey[max(bottom - 6, 0), left:right] - grey[bottom - 3, left:right])
    if left > 2:
        steps.append(grey[top:bottom, left + 1] - grey[top:bottom, left - 2])
        inside.append(grey[top:bottom, min(left + 5, width - 1)] - grey[top:bottom, left + 2])
    if right < width - 2:
        steps.append(grey[top:bottom, right - 2] - grey[top:bottom, right + 1])
        inside.append(grey[top:bottom, max(right - 6, 0)] - grey[top:bottom, right - 3])
    if not steps:
        return False
    seam = float((np.abs(np.concatenate(steps)) > SEAM_STEP).mean())
    return seam > 0.5 and seam > 1.6 * float((np.abs(np.concatenate(inside)) > SEAM_STEP).mean())


def _is_letterboxed(one: MeasuredCopy, other: MeasuredCopy) -> bool:
    """Whether one shows more on two opposite sides only, and equally much: bars do that, crops seldom do."""
    width, height = one.size
    left, top, right, bottom = _edges_within(one, other, one.size)
    above, below, before, after = top, height - bottom, left, width - right
    if max(before, after) <= 1:
        return min(above, below) > 2 and abs(above - below) <= 2
    return max(above, below) <= 1 and min(before, after) > 2 and abs(before - after) <= 2
