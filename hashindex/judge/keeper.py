"""Chooses which of several copies of one picture to keep, and names the faults of the others. Does no I/O.

Comparing the copies with each other shows the faults of each. The copy whose worst fault is mildest wins. Among copies
without a fault, these criteria decide in this order: nearest to all others in fine detail (each edit departs from the
original in its own direction, so the original is the middle), least loss, nearest colours.
"""

import math
from collections.abc import Sequence
from typing import Final

import numpy as np

from hashindex.core.language import Message
from hashindex.judge.faults import WORDS, Choice, Fault, Ranked
from hashindex.judge.keeper_detail import (
    compare_detail,
    find_blurred,
    find_enlarged,
    find_flattened,
    find_softer,
    is_only_sharper,
    is_poorer,
    sharpness_step,
)
from hashindex.judge.keeper_frames import find_faults_of_frame, find_faults_of_motion, play_differently
from hashindex.judge.keeper_ground import SMALL_GROUP, MeasuredCopy, place, scale_of
from hashindex.pictures.quality import Portrait

MINOR_FAULTS: Final = (Fault.CROPPED, Fault.BORDERED, Fault.TURNED, Fault.ADDED)
"""Faults that a larger copy may have and still show more than a copy without a fault."""


def choose(portraits: Sequence[Portrait | None]) -> Choice:
    """Ranks the copies of one picture. None stands for a file that cannot be read.

    Cost: linear in the number of copies, except for one small matrix; see docs/judgement.md.
    """
    members = [MeasuredCopy(one, number) for number, one in enumerate(portraits) if one is not None]
    if not members:
        return Choice(tuple(Ranked(0, (Fault.BROKEN,)) for _ in portraits), Message("none of the files can be read"))
    group = _Group(members)
    group.find_faults()
    order = group.order()
    found: dict[int, Ranked] = {}
    rank = -1
    last: object = None
    for key, member in order:
        if key != last:
            rank, last = rank + 1, key
        found[member.number] = Ranked(rank, tuple(sorted(member.faults)))
    broken = Ranked(rank + 1, (Fault.BROKEN,))
    return Choice(tuple(found.get(number, broken) for number in range(len(portraits))), group.doubt)


_Key = tuple[tuple[int, int], int, tuple[int, int, int], float, int]
"""The sort key of a copy: worst fault, steps away in fine detail, loss, sharpness or colours, colourfulness."""


class _Group:
    """The copies of one group while they are compared."""

    def __init__(self, members: list[MeasuredCopy]) -> None:
        self.members = members
        self.usable: list[MeasuredCopy] = []
        """The copies that move if any copy moves, else all copies; without damaged copies if others are whole."""
        self.full_frame: list[MeasuredCopy] = []
        """The copies that show exactly the best frame."""
        self.doubt: str | None = None
        self.has_empty_margin = False

    def find_faults(self) -> None:
        for member in self.members:
            if not member.portrait.whole:
                member.faults.add(Fault.BROKEN)
        whole = [one for one in self.members if not one.faults] or self.members
        moving = any(one.is_moving for one in whole)
        for member in self.members:
            if moving and not member.is_moving:
                member.faults.add(Fault.STILL)
        self.usable = [one for one in whole if not one.faults] or whole
        if len(self.members) < 2:
            return
        if min(min(one.size) for one in self.usable) < LEAST_SIDE:
            # Too small to compare: the copy with the most pixels wins.
            most = max(one.portrait.area for one in self.usable)
            for one in self.usable:
                if one.portrait.area < most:
                    one.faults.add(Fault.REDUCED)
            return
        if moving:
            find_faults_of_motion(self.usable)
        place(self.usable)
        self.full_frame, self.has_empty_margin = find_faults_of_frame(self.usable)
        if len(self.full_frame) <= SMALL_GROUP:
            find_flattened(self.full_frame)
        inner = [one for one in self.full_frame if not one.faults] or self.full_frame
        compare_detail(inner)
        self._find_faults_inside(inner)

    def _find_faults_inside(self, same: list[MeasuredCopy]) -> None:
        """Finds what was added to, or removed from, copies that show the same frame."""
        ok = [one for one in same if not one.faults]
        if len(same) <= SMALL_GROUP:
            find_blurred(ok)
            ok = [one for one in same if not one.faults]
        # Next to blurred copies only, sharp detail would count as an addition.
        if len(ok if len(same) <= SMALL_GROUP else same) > 1:
            for one in ok:
                if (
                    one.adds > ADDED_CONTRAST
                    and one.adds > 1.3 * one.lacks
                    and one.likeness < 0.9995
                    and one.spread < 0.5
                    and not is_only_sharper(one, ok)
                ):
                    one.faults.add(Fault.ADDED)
        # Bars and captions may have colour although the picture has none.
        colours = [one.colourfulness for one in [one for one in same if not one.faults] or same]
        if max(colours) > 8:
            usual = float(np.median([one for one in colours if one > 0.3 * max(colours)]))
            for one in self.usable:
                if one.colourfulness < GREY_SHARE * usual:
                    one.faults.add(Fault.GREY)
        if any(one.portrait.transparent and not one.faults for one in same):
            for one in same:
                if not one.portrait.transparent:
                    one.faults.add(Fault.FLATTENED)
        find_enlarged(same)
        left = [one for one in same if not one.faults]
        most = max((one.portrait.area for one in left), default=0)
        for one in left:
            if one.portrait.area < 0.92 * most:
                one.faults.add(Fault.REDUCED)
        if len(same) <= SMALL_GROUP:
            find_softer([one for one in same if not one.faults])
        left = [one for one in same if not one.faults]
        palettes = [one.portrait.colours for one in left if one.portrait.colours]
        for one in left:
            if one.portrait.colours and one.portrait.colours < 0.6 * max(palettes):
                one.faults.add(Fault.FEWER_COLOURS)

    def order(self) -> list[tuple[_Key, MeasuredCopy]]:
        """The copies with their sort keys, the best first. Sets doubt."""
        left = [one for one in self.full_frame if not one.faults]
        few = len(self.full_frame) <= SMALL_GROUP
        self.doubt = self._doubt(left)
        if len(left) > 2:
            for one in left:
                assert one.correlations is not None
                one.nearness = float(np.mean([one.correlations[other.row] for other in left if other is not one]))
        best = max((one.nearness for one in left), default=1.0)
        detail = float(np.median([one.detail for one in left])) if left else 1.0

        quietest = min((one.spot for one in left), default=0.0)
        nearest = min((one.colour_distance for one in left), default=0.0)

        def steps_behind(one: MeasuredCopy) -> int:
            if one.faults:
                return 0
            if few:
                return int(max(0.0, best - one.nearness) / 0.1) if len(self.full_frame) > 2 else 0
            steps = round(max(0.0, best - one.nearness) * detail / DETAIL_STEP)
            steps += int((one.spot - quietest) / SPOT_STEP)
            return steps + int((one.colour_distance - nearest) / COLOUR_STEP)

        moving = len(self.usable) > 0 and self.usable[0].is_moving
        keys = []
        for one in self.members:
            worst = min(one.faults, default=None)
            first = (-100 if worst is None else -worst, len(one.faults))
            last = (
                -sharpness_step(one) if few and one in self.full_frame else 0 if few else round(one.colour_distance, 1)
            )
            keys.append(
                ((first, steps_behind(one), loss(one.portrait, moving), last, -round(one.colourfulness / 2)), one)
            )
        order = self._preferring_size(sorted(keys, key=lambda pair: pair[0]))
        self._compare_with_best(order[0], order[1:])
        return order

    def _compare_with_best(self, best: tuple[_Key, MeasuredCopy], others: Sequence[tuple[_Key, MeasuredCopy]]) -> None:
        """Marks copies without a fault with the reason why they rank below the best; doubts a best that has a fault."""
        key, top = best
        for other_key, other in others:
            if other.faults or top.faults or other_key == key:
                continue
            behind = next(number for number, (a, b) in enumerate(zip(key, other_key, strict=True)) if a != b)
            other.faults.add((Fault.ALTERED, Fault.ALTERED, Fault.MORE_LOSS, Fault.SOFTER, Fault.OTHER_COLOURS)[behind])
        if self.doubt is None:
            for fault in sorted(top.faults - {Fault.BROKEN}):
                if any(fault not in other.faults and Fault.BROKEN not in other.faults for _, other in others):
                    self.doubt = Message(
                        "the best one is {fault}, and the others have other faults", fault=WORDS[fault]
                    )

    def _doubt(self, left: Sequence[MeasuredCopy]) -> str | None:
        """Why to ask the user: copies are good in different ways, or differ in what only the user can decide."""
        readable = [one for one in self.usable if Fault.BROKEN not in one.faults]
        if any(Fault.APART in one.faults for one in readable):
            return Message("some do not lie on the others: mirrored, turned by a quarter, or other pictures")
        if any(one.hue > OTHER_HUE and Fault.GREY not in one.faults for one in self.full_frame):
            return Message("they differ in colour")
        if 1 < len(left) <= SMALL_GROUP and max(one.colour_distance for one in left) > OTHER_TONE:
            return Message("they differ in colour or brightness")
        if len(left) == 2 and left[0].is_moving and play_differently(*left):
            return Message("they play in another order")
        if self.has_empty_margin:
            return Message("one has a margin around the picture that may belong to it")
        return None

    def _preferring_size(self, order: list[tuple[_Key, MeasuredCopy]]) -> list[tuple[_Key, MeasuredCopy]]:
        """If no copy is best in everything, real size counts more than a watermark or a margin."""
        top = order[0][1]
        if top.box is None or Fault.BROKEN in top.faults:
            return order
        big = [
            pair
            for pair in order
            if pair[1].box is not None
            and pair[1].faults
            and pair[1].faults <= set(MINOR_FAULTS)
            and scale_of(pair[1]) > MUCH_LARGER * scale_of(top)
            and not is_poorer(pair[1], top)
        ]
        if not big:
            return order
        first = min(big, key=lambda pair: (-scale_of(pair[1]), order.index(pair)))
        self.doubt = Message("one is larger, another shows the picture without marks, margins or cuts")
        if len(self.usable) > 5:
            return order
        return [first, *(pair for pair in order if pair is not first)]


LEAST_SIDE: Final = 8
"""Pictures with a shorter side than this, in pixels, are not compared."""
ADDED_CONTRAST: Final = 9.0
GREY_SHARE: Final = 0.25
SPOT_STEP: Final = 6.0
"""Grey levels of difference in one spot that count as one step away from the others."""
COLOUR_STEP: Final = 4.0
"""Levels of colour and tone that count as one step away from the others."""
DETAIL_STEP: Final = 0.06
"""Grey levels of fine detail that count as one step away from the others."""
MUCH_LARGER: Final = 1.4
OTHER_TONE: Final = 5.0
"""From this distance to the median of two or three copies, in levels, it is unclear which tone is the original."""
OTHER_HUE: Final = 0.25
"""From this difference of hue a copy counts as recoloured."""


def loss(portrait: Portrait, moving: bool) -> tuple[int, int, int]:
    """How much the format itself loses; a larger value means more loss."""
    if portrait.format == "gif" and portrait.colours is not None:
        if portrait.colours <= 66:
            return 2, 0, 0
        return (0, 0, 0) if moving else (1, -18, 0)
    if portrait.jpeg_quality is not None:
        return 1, round(-portrait.jpeg_quality / 4), 0
    if portrait.lossless:
        return 0, 0, 0
    # Other formats do not record their quality. More bytes for the same pixels mean less loss, in steps of 10 %.
    return 1, -19, -round(10 * math.log(portrait.bytes / portrait.area))
