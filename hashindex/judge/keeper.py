"""Which of several copies of one picture is the best to keep, and why the others are not. Pure: portraits in.

Each member gets its faults, found by comparing it with the others: the best has the mildest worst fault. Among members
without a fault the nearest to all others in fine detail wins (every edit departs from the original in its own
direction, so the original is the middle), then the least loss, then the nearest colours.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

import numpy as np
from PIL import Image

from hashindex.judge import overlap, registration
from hashindex.judge.faults import WORDS, Choice, Fault, Ranked
from hashindex.judge.features import common_ground, plainness
from hashindex.judge.planes import Frame, Grey, PixelBox
from hashindex.pictures.quality import MOMENTS, Portrait, on_ground, on_white

CAVEATS: Final = (Fault.CROPPED, Fault.BORDERED, Fault.TURNED, Fault.ADDED)
"""Faults that a larger picture may have and still hold more than the one that has none."""


@dataclass(eq=False)
class _Member:
    """A portrait, and what is found out of it beside the others."""

    portrait: Portrait
    number: int
    faults: set[Fault] = field(default_factory=set)
    box: PixelBox | None = None
    """Where its frame lies on the anchor, in pixels of the anchor; None where it does not."""
    turn: float = 0.0
    """In degrees, against the anchor."""
    detail: float = 0.0
    """Root mean square of its fine detail, in grey levels."""
    nearness: float = 1.0
    """Mean correlation of its fine detail with that of the others."""
    correlations: Grey | None = None
    row: int = 0
    """Of correlations."""
    tone: float = 1.0
    adds: float = 0.0
    lacks: float = 0.0
    likeness: float = 1.0
    spot: float = 0.0
    """The largest difference to the middle of the others in any 3 x 3 pixels, in grey levels."""
    spread: float = 0.0
    """Share of windows that differ from the others."""
    colour_distance: float = 0.0
    hue: float = 0.0
    """How far its colours point elsewhere than those of the others: 0 nowhere, 1 at a right angle, at most 2."""
    _means: dict[int, Image.Image] = field(default_factory=dict)

    @property
    def size(self) -> tuple[int, int]:
        return self.portrait.size

    @property
    def is_moving(self) -> bool:
        return self.portrait.distinct > 1

    @cached_property
    def greys(self) -> list[Image.Image]:
        """The moments as grey levels on white, mode L."""
        found: dict[int, Image.Image] = {}
        return [found.setdefault(id(one), on_white(one).convert("L")) for one in self.portrait.moments]

    def mean(self, ground: int = 255) -> Image.Image:
        """All moments on one, within twice REGISTERED, on that background; mode F."""
        if ground not in self._means:
            self._means[ground] = self._mean_on(ground)
        return self._means[ground]

    def _mean_on(self, ground: int) -> Image.Image:
        greys = self.greys
        if ground != 255:
            levels = (ground,) * 3
            alike = {id(one): on_ground(one, levels).convert("L") for one in self.portrait.moments}
            greys = [alike[id(one)] for one in self.portrait.moments]
        scale = min(1.0, 2 * REGISTERED / max(greys[0].size))
        if scale < 1:
            size = max(4, round(greys[0].width * scale)), max(4, round(greys[0].height * scale))
            small = {id(one): one.resize(size, Image.Resampling.BOX) for one in greys}
            greys = [small[id(one)] for one in greys]
        if len({id(one) for one in greys}) == 1:
            return greys[0].convert("F")
        return Image.fromarray(np.mean([np.asarray(one, np.float32) for one in greys], axis=0))

    @cached_property
    def frame(self) -> Frame:
        """For registration: within REGISTERED."""
        moments = self.portrait.moments
        if len(moments) > 1:
            size = _within(moments[0].size, REGISTERED)
            alike = {id(one): one for one in moments}
            weights = Counter(id(one) for one in moments)
            stack = np.zeros((size[1], size[0], 4), np.float32)
            for key, one in alike.items():
                small = one.convert("RGBA").convert("RGBa").resize(size, Image.Resampling.BOX)
                stack += np.asarray(small, np.float32) * weights[key]
            levels = np.ascontiguousarray((stack / len(moments)).astype(np.uint8))
            image = Image.frombytes("RGBa", size, levels.tobytes()).convert("RGBA")
            return Frame.of(image)
        image = moments[0]
        size = _within(image.size, REGISTERED)
        if size != image.size:
            mode = "RGBa" if image.mode == "RGBA" else image.mode
            image = image.convert(mode).resize(size, Image.Resampling.BOX).convert(image.mode)
        return Frame.of(image)

    @cached_property
    def thumb(self) -> Grey:
        """24 x 24, of mean 0 and length 1."""
        return _unit(np.asarray(self.mean().resize((24, 24), Image.Resampling.BICUBIC), np.float32).ravel())

    @cached_property
    def native(self) -> Grey:
        """The patch as numbers."""
        return np.asarray(self.portrait.patch, np.float32)

    @cached_property
    def colourfulness(self) -> float:
        """95th percentile of the chroma of the middle moment."""
        moment = on_white(self.portrait.moments[len(self.portrait.moments) // 2])
        small = np.asarray(moment.resize((48, 48), Image.Resampling.BOX).convert("YCbCr"), np.float32)
        return float(np.percentile(np.hypot(small[..., 1] - 128, small[..., 2] - 128), 95))

    def grid(self, size: tuple[int, int], moment: int = 0) -> Grey:
        """A moment at that size."""
        grey = self.greys[moment % len(self.greys)]
        if grey.size == size:
            return np.asarray(grey, np.float32)
        return np.asarray(grey.resize(size, Image.Resampling.BICUBIC, reducing_gap=3.0), np.float32)


REGISTERED: Final = 160
"""Longest side at which members are laid on each other."""
COMPARED: Final = 200
GRID: Final = 512
"""Longest side at which fine detail is compared."""
SMALL: Final = 128
"""And at which something added is looked for."""


def _within(size: tuple[int, int], side: int) -> tuple[int, int]:
    scale = min(1.0, side / max(size))
    return max(4, round(size[0] * scale)), max(4, round(size[1] * scale))


def _unit(values: Grey) -> Grey:
    values = values - values.mean()
    return np.asarray(values / max(float(np.sqrt((values * values).sum())), 1.0), np.float32)


def _correlation(a: Grey, b: Grey) -> float:
    a, b = a - a.mean(), b - b.mean()
    return float((a * b).sum() / max(math.sqrt(float((a * a).sum()) * float((b * b).sum())), 1e-3))


def fine_detail(grey: Grey) -> Grey:
    """A picture less the means of 3 x 3 pixels."""
    padded = np.pad(grey, 1, mode="edge")
    rows = padded[:-2] + padded[1:-1] + padded[2:]
    return np.asarray(grey - (rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]) / 9, np.float32)


def choose(portraits: Sequence[Portrait | None]) -> Choice:
    """The best of copies of one picture. None stands for a file that cannot be read.

    Cost: linear in the members but for one small matrix; see docs/judgement.md.
    """
    members = [_Member(one, number) for number, one in enumerate(portraits) if one is not None]
    if not members:
        return Choice(tuple(Ranked(0, (Fault.BROKEN,)) for _ in portraits), "none of the files can be read")
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
"""What members are ordered by: worst fault, steps away in fine detail, loss, sharpness or colours, colourfulness."""


class _Group:
    """Members of one group, while they are compared."""

    def __init__(self, members: list[_Member]) -> None:
        self.members = members
        self.live: list[_Member] = []
        """Those that move, if any does."""
        self.same: list[_Member] = []
        """Those that show just what the best frame shows."""
        self.doubt: str | None = None
        self.has_low_detail_margin = False

    def find_faults(self) -> None:
        for member in self.members:
            if not member.portrait.whole:
                member.faults.add(Fault.BROKEN)
        whole = [one for one in self.members if not one.faults] or self.members
        moving = any(one.is_moving for one in whole)
        for member in self.members:
            if moving and not member.is_moving:
                member.faults.add(Fault.STILL)
        self.live = [one for one in whole if not one.faults] or whole
        if len(self.members) < 2:
            return
        if min(min(one.size) for one in self.live) < LEAST_SIDE:
            # Too little to compare: the most pixels are the most there is.
            most = max(one.portrait.area for one in self.live)
            for one in self.live:
                if one.portrait.area < most:
                    one.faults.add(Fault.REDUCED)
            return
        if moving:
            find_faults_of_motion(self.live)
        place(self.live)
        self.same, self.has_low_detail_margin = find_faults_of_frame(self.live)
        if len(self.same) <= FEW:
            find_darkened(self.same)
        inner = [one for one in self.same if not one.faults] or self.same
        compare_detail(inner)
        self._find_faults_inside(inner)

    def _find_faults_inside(self, same: list[_Member]) -> None:
        """Of members that show the same: what was added or taken away."""
        ok = [one for one in same if not one.faults]
        if len(same) <= FEW:
            find_blurred(ok)
            ok = [one for one in same if not one.faults]
        # Beside what is blurred alone, detail would look like something added.
        if len(ok if len(same) <= FEW else same) > 1:
            for one in ok:
                if (
                    one.adds > ADDED_CONTRAST
                    and one.adds > 1.3 * one.lacks
                    and one.likeness < 0.9995
                    and one.spread < 0.5
                    and not _is_only_sharper(one, ok)
                ):
                    one.faults.add(Fault.ADDED)
        # Bars and words may have colour where the picture has none.
        colours = [one.colourfulness for one in [one for one in same if not one.faults] or same]
        if max(colours) > 8:
            usual = float(np.median([one for one in colours if one > 0.3 * max(colours)]))
            for one in self.live:
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
        if len(same) <= FEW:
            find_softer([one for one in same if not one.faults])
        left = [one for one in same if not one.faults]
        palettes = [one.portrait.colours for one in left if one.portrait.colours]
        for one in left:
            if one.portrait.colours and one.portrait.colours < 0.6 * max(palettes):
                one.faults.add(Fault.FEWER_COLOURS)

    def order(self) -> list[tuple[_Key, _Member]]:
        """Members with what they are ordered by, the best first; also says what there is to doubt."""
        left = [one for one in self.same if not one.faults]
        few = len(self.same) <= FEW
        self.doubt = self._doubt(left)
        if len(left) > 2:
            for one in left:
                assert one.correlations is not None
                one.nearness = float(np.mean([one.correlations[other.row] for other in left if other is not one]))
        best = max((one.nearness for one in left), default=1.0)
        detail = float(np.median([one.detail for one in left])) if left else 1.0

        quietest = min((one.spot for one in left), default=0.0)
        nearest = min((one.colour_distance for one in left), default=0.0)

        def lag(one: _Member) -> int:
            if one.faults:
                return 0
            if few:
                return int(max(0.0, best - one.nearness) / 0.1) if len(self.same) > 2 else 0
            steps = round(max(0.0, best - one.nearness) * detail / DETAIL_STEP)
            steps += int((one.spot - quietest) / SPOT_STEP)
            return steps + int((one.colour_distance - nearest) / COLOUR_STEP)

        moving = len(self.live) > 0 and self.live[0].is_moving
        keys = []
        for one in self.members:
            worst = min(one.faults, default=None)
            first = (-100 if worst is None else -worst, len(one.faults))
            last = -_sharpness_step(one) if few and one in self.same else 0 if few else round(one.colour_distance, 1)
            keys.append(((first, lag(one), loss(one.portrait, moving), last, -round(one.colourfulness / 2)), one))
        order = self._preferring_size(sorted(keys, key=lambda pair: pair[0]))
        self._compare_with_best(order[0], order[1:])
        return order

    def _compare_with_best(self, best: tuple[_Key, _Member], others: Sequence[tuple[_Key, _Member]]) -> None:
        """Says in what the others stand behind, where it is no fault by itself; and what the best one lacks."""
        key, top = best
        for other_key, other in others:
            if other.faults or top.faults or other_key == key:
                continue
            behind = next(number for number, (a, b) in enumerate(zip(key, other_key, strict=True)) if a != b)
            other.faults.add((Fault.ALTERED, Fault.ALTERED, Fault.MORE_LOSS, Fault.SOFTER, Fault.OTHER_COLOURS)[behind])
        if self.doubt is None:
            for fault in sorted(top.faults - {Fault.BROKEN}):
                if any(fault not in other.faults and Fault.BROKEN not in other.faults for _, other in others):
                    self.doubt = f"the best one is {WORDS[fault]}, and the others have other faults"

    def _doubt(self, left: Sequence[_Member]) -> str | None:
        """What a person should be asked: members that are good in different ways, or differ in what only he knows."""
        readable = [one for one in self.live if Fault.BROKEN not in one.faults]
        if any(Fault.APART in one.faults for one in readable):
            return "some do not lie on the others: mirrored, turned by a quarter, or other pictures"
        if any(one.hue > OTHER_HUE and Fault.GREY not in one.faults for one in self.same):
            return "they differ in colour"
        if 1 < len(left) <= FEW and max(one.colour_distance for one in left) > OTHER_TONE:
            return "they differ in colour or brightness"
        if len(left) == 2 and left[0].is_moving and _play_differently(*left):
            return "they play in another order"
        if self.has_low_detail_margin:
            return "one has a margin around the picture that may belong to it"
        return None

    def _preferring_size(self, order: list[tuple[_Key, _Member]]) -> list[tuple[_Key, _Member]]:
        """Where no file has everything, the size that is really there counts more than a mark or a margin."""
        top = order[0][1]
        if top.box is None or Fault.BROKEN in top.faults:
            return order
        big = [
            pair
            for pair in order
            if pair[1].box is not None
            and pair[1].faults
            and pair[1].faults <= set(CAVEATS)
            and _scale(pair[1]) > MUCH_LARGER * _scale(top)
            and not is_poorer(pair[1], top)
        ]
        if not big:
            return order
        first = min(big, key=lambda pair: (-_scale(pair[1]), order.index(pair)))
        self.doubt = "one is larger, another shows the picture without marks, margins or cuts"
        if len(self.live) > 5:
            return order
        return [first, *(pair for pair in order if pair is not first)]


LEAST_SIDE: Final = 8
"""Pictures of fewer pixels a side are not compared."""
FEW: Final = 3
"""Up to this many members there is no majority to ask."""
ADDED_CONTRAST: Final = 9.0
GREY_SHARE: Final = 0.25
SPOT_STEP: Final = 6.0
"""Levels of difference in one spot that count as one."""
COLOUR_STEP: Final = 4.0
"""Levels of colour and tone that count as one."""
DETAIL_STEP: Final = 0.06
"""Grey levels of fine detail that count as one step away from the others."""
MUCH_LARGER: Final = 1.4
OTHER_TONE: Final = 5.0
"""Levels from the middle of two or three from which on nothing tells which tone was first."""
OTHER_HUE: Final = 0.25
"""From here on a member counts as recoloured."""


def loss(portrait: Portrait, moving: bool) -> tuple[int, int, int]:
    """How much the format itself loses; the larger, the more."""
    if portrait.format == "gif" and portrait.colours is not None:
        if portrait.colours <= 66:
            return 2, 0, 0
        return (0, 0, 0) if moving else (1, -18, 0)
    if portrait.jpeg_quality is not None:
        return 1, round(-portrait.jpeg_quality / 4), 0
    if portrait.lossless:
        return 0, 0, 0
    # These formats do not tell their quality; more bytes for the same pixels are less loss, in steps of a tenth.
    return 1, -19, -round(10 * math.log(portrait.bytes / portrait.area))


def _scale(one: _Member) -> float:
    """Pixels on one unit of the common picture."""
    assert one.box is not None
    return one.size[0] / max(one.box[2] - one.box[0], 1e-3)


# Motion


def find_faults_of_motion(members: Sequence[_Member]) -> None:
    """Marks animations that lost frames, have blank ones, or play in another order or at another pace than most."""

    def usual(counts: list[int]) -> int:
        if len(counts) <= FEW:
            return max(counts)
        return max(counts, key=lambda one: (sum(abs(other - one) <= max(1, 0.03 * one) for other in counts), one))

    frames = usual([one.portrait.frames for one in members])
    distinct = usual([one.portrait.distinct for one in members])
    blank = float(np.median([one.portrait.low_detail for one in members]))
    for one in members:
        seen = one.portrait
        if seen.frames < 0.92 * frames - 0.5 and seen.distinct < 0.92 * distinct - 0.5:
            one.faults.add(Fault.FEWER_FRAMES)
        if seen.low_detail > blank:
            one.faults.add(Fault.BLANK_FRAMES)
    left = [one for one in members if not one.faults]
    if len(left) <= 2:
        return
    films = np.array([_film(one) for one in left])
    table = films @ films.T
    agreement = [float(np.median(np.delete(row, number))) for number, row in enumerate(table)]
    for one, agrees in zip(left, agreement, strict=True):
        if agrees < SAME_ORDER * max(agreement) and max(agreement) > 0.5:
            one.faults.add(Fault.OTHER_ORDER)
    left = [one for one in left if not one.faults]
    paces = [one.portrait.duration_ms / one.portrait.frames for one in left]
    if len(left) > FEW:
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


def _film(one: _Member) -> Grey:
    """What moves, small, of mean 0 and length 1."""
    film = np.array([one.grid((24, 24), moment) for moment in range(MOMENTS)])
    return _unit((film - film.mean(axis=0)).ravel())


def _play_differently(one: _Member, other: _Member) -> bool:
    return float(_film(one) @ _film(other)) < SAME_ORDER


SAME_ORDER: Final = 0.8
"""Correlation of two films, each less its mean, below which they play in another order."""


# Which frame each shows


def place(members: Sequence[_Member]) -> _Member:
    """Lays every member on one of them, the anchor, which is returned."""
    anchor = _anchor(members)
    for attempt in range(2):
        for one in members:
            _lay(anchor, one)
        groups = _frames(members, anchor)
        if attempt:
            break
        sane = [one for one in members if not one.faults] or members
        if len(sane) <= FEW:
            turned = [one for one in members if one.box is not None and one is not anchor and one.turn >= TURNED]
            if len(turned) == 2:
                anchor = max(turned, key=lambda one: one.portrait.area)
                continue
            if turned:
                mine, its = corners_are_plain(anchor), corners_are_plain(turned[0])
                if (mine and not its) or (mine == its and anchor.portrait.area > turned[0].portrait.area):
                    anchor = turned[0]
                    continue
        if not groups or anchor in groups[0]:
            break
        anchor = max(groups[0], key=lambda one: one.portrait.area)
    return anchor


TURNED: Final = 0.7
"""Degrees from which on a picture counts as turned."""
PLACED: Final = 0.4
"""Correlation below which a member does not lie on the anchor."""


def _anchor(members: Sequence[_Member]) -> _Member:
    """Of the commonest size, the one that looks most like the others."""
    sane = [one for one in members if not one.faults] or list(members)
    shapes = Counter(_shape(one) for one in sane)
    shape = max(shapes, key=lambda one: (shapes[one], one))
    sizes = Counter(one.size for one in sane if _shape(one) == shape)
    size = max(sizes, key=lambda one: (sizes[one], one[0] * one[1]))
    pool = [one for one in sane if one.size == size and _shape(one) == shape]
    # What is transparent can be laid on any background, what was flattened on its own only.
    pool = [one for one in pool if one.portrait.transparent] or pool
    if len(members) <= 2:
        return pool[0]

    def agrees(one: _Member) -> float:
        others = [float(one.thumb @ other.thumb) for other in sane if other is not one]
        return round(float(np.median(others)), 3) if others else 0.0

    return max(pool, key=agrees)


def _shape(one: _Member) -> int:
    """Of one number where the shapes differ by no more than rounding."""
    return round(math.log(one.size[0] / one.size[1]) / 0.015)


def _lay(anchor: _Member, one: _Member) -> None:
    """Finds where a member lies on the anchor, and snaps that to the whole, or to whole pixels, where it fits."""
    one.turn = 0.0
    width, height = anchor.size
    whole = (0.0, 0.0, float(width), float(height))
    if one is anchor:
        one.box = whole
        return
    one.box = None
    ground = common_ground(anchor.frame, one.frame)
    plane, other = anchor.frame.on(ground), one.frame.on(ground)
    fit = registration.find(plane, other)
    if fit.turn < TURNED:
        degrees = _turn_of_sizes(anchor, one)
        for start in (degrees, -degrees) if degrees else ():
            again = registration.find_turned(plane, other, fit, start)
            if again.turn >= TURNED and again.agreement > fit.agreement + 0.001:
                fit = again
    turn = fit.turn
    map = fit.map
    box = (
        (map[2] - map[0] + 1) / 2 * width,
        (map[5] - map[4] + 1) / 2 * height,
        (map[2] + map[0] + 1) / 2 * width,
        (map[5] + map[4] + 1) / 2 * height,
    )
    if box[2] - box[0] < 1 or box[3] - box[1] < 1:
        return
    best = _agreement(anchor, one, box, ground)
    across, down = (box[2] - box[0]) / one.size[0], (box[3] - box[1]) / one.size[1]
    off = max(abs(a - b) / side for a, b, side in zip(box, whole, (width, height, width, height), strict=True))
    if abs(across - 1) < 0.03 and abs(down - 1) < 0.03 and (off >= 0.035 or one.size != anchor.size):
        left, top = (box[0] + box[2] - one.size[0]) / 2, (box[1] + box[3] - one.size[1]) / 2
        for x in range(round(left) - 1, round(left) + 2):
            for y in range(round(top) - 1, round(top) + 2):
                place = float(x), float(y), float(x + one.size[0]), float(y + one.size[1])
                agreement = _agreement(anchor, one, place, ground)
                if agreement > best:
                    best, box = agreement, place
    same_shape = abs(math.log(width * one.size[1] / (height * one.size[0]))) < 0.02
    is_unsure = one.size == anchor.size and best < 0.92
    if off < 0.035 or (one.is_moving and same_shape and off < 0.07) or is_unsure:
        agreement = _agreement(anchor, one, whole, ground)
        slack = 0.004 if one.size == anchor.size else 0.001
        if one.size == anchor.size and TURNED <= turn < 3:
            # What was drawn in turns the best map a little; who turns a picture seldom keeps its size.
            slack = 0.02
        if is_unsure:
            slack = 0.03
        if one.is_moving and one.size == anchor.size:
            slack = 0.05
        elif one.is_moving and (width % one.size[0] in (0, 1) or one.size[0] % width in (0, 1)):
            slack = 0.03
        if agreement > best - slack:
            best, box, turn = agreement, whole, 0.0
    one.turn = turn
    if best > PLACED:
        one.box = box


def _turn_of_sizes(a: _Member, b: _Member) -> float:
    """By how many degrees the smaller was turned if the larger is what that makes of it; 0 where the sizes deny it.

    A picture turned a little by an editor grows by its other side times the sine, and has plain corners.
    """
    small, large = (a, b) if a.portrait.area < b.portrait.area else (b, a)
    (width, height), (across, down) = small.size, large.size
    if across <= width or down <= height or not corners_are_plain(large):
        return 0.0
    one, other = (down - height) / width, (across - width) / height
    tolerance = 2.5 / width + 2.5 / height
    if abs(one - other) > tolerance or max(one, other) > 0.12:
        return 0.0
    return math.degrees((one + other) / 2)


def _agreement(anchor: _Member, one: _Member, box: PixelBox, ground: int) -> float:
    """Correlation of both where they lie on each other; -1 where that is next to nothing."""
    width, height = anchor.size
    left, top, right, bottom = max(0.0, box[0]), max(0.0, box[1]), min(width, box[2]), min(height, box[3])
    if right - left < 8 or bottom - top < 8:
        return -1.0
    scale = min(1.0, COMPARED / max(right - left, bottom - top))
    size = max(8, round((right - left) * scale)), max(8, round((bottom - top) * scale))
    across, down = one.size[0] / (box[2] - box[0]), one.size[1] / (box[3] - box[1])
    there = (
        max(0.0, (left - box[0]) * across),
        max(0.0, (top - box[1]) * down),
        min(one.size[0], (right - box[0]) * across),
        min(one.size[1], (bottom - box[1]) * down),
    )
    if there[2] - there[0] < 4 or there[3] - there[1] < 4:
        return -1.0
    return _correlation(_part(anchor, (left, top, right, bottom), size, ground), _part(one, there, size, ground))


def _part(one: _Member, box: PixelBox, size: tuple[int, int], ground: int) -> Grey:
    """A box of the mean of all moments, in pixels of the picture, at a size."""
    mean = one.mean(ground)
    across, down = mean.width / one.size[0], mean.height / one.size[1]
    inside = (
        max(0.0, box[0] * across),
        max(0.0, box[1] * down),
        min(mean.width, box[2] * across),
        min(mean.height, box[3] * down),
    )
    return np.asarray(mean.resize(size, Image.Resampling.BICUBIC, box=inside), np.float32)


def _frames(members: Sequence[_Member], anchor: _Member) -> list[list[_Member]]:
    """Members by what they show of the picture, the commonest first."""
    placed = [one for one in members if one.box is not None and not _is_turned(one, 3.0)]
    least = min((min(one.size) for one in members), default=1)
    tolerance = max(0.008, 0.7 / least if len(members) <= 5 else 0.0)
    width, height = anchor.size
    found: list[list[_Member]] = []
    for one in placed:
        for group in found:
            if _apart(one, group[0], width, height) < tolerance:
                group.append(one)
                break
        else:
            found.append([one])
    return sorted(found, key=len, reverse=True)


def _is_turned(one: _Member, least_of_tiny: float = 1e9) -> bool:
    """Of tiny pictures an angle is measured too roughly."""
    return one.turn >= (TURNED if min(one.size) >= 48 else least_of_tiny)


def _apart(a: _Member, b: _Member, width: int, height: int) -> float:
    assert a.box is not None and b.box is not None
    return max(abs(x - y) / side for x, y, side in zip(a.box, b.box, (width, height, width, height), strict=True))


def find_faults_of_frame(members: Sequence[_Member]) -> tuple[list[_Member], bool]:
    """Marks members that show less, or other, than the best frame shows; returns those that show just that.

    And whether that was decided by a margin with nothing in it, which may belong to the picture or not.
    """
    anchor = next((one for one in members if one.box == (0.0, 0.0, *map(float, one.size))), members[0])
    groups = _frames(members, anchor)
    if not groups:
        return [], False
    best = groups[0]
    is_margin = False
    if len(best) < 3 or (len(groups) > 1 and len(best) <= 1.5 * len(groups[1])):
        for group in groups[1:]:
            one, other = _typical(group), _typical(best)
            if "low detail" in (_outside(one, other)[1], _outside(other, one)[1]):
                is_margin = is_margin or not (_has_seam(one, other) or _has_seam(other, one))
            if shows_more(one, other):
                best = group
    reference = best[0].box
    assert reference is not None
    area = max(1.0, (reference[2] - reference[0]) * (reference[3] - reference[1]))
    for one in members:
        if one.box is None:
            one.faults.add(Fault.APART)
        elif _is_turned(one):
            one.faults.add(Fault.TURNED)
        elif one not in best:
            shown = max(0.0, (one.box[2] - one.box[0]) * (one.box[3] - one.box[1])) / area
            one.faults.add(Fault.CROPPED if shown < 0.995 else Fault.BORDERED)
    return best, is_margin


def _typical(group: Sequence[_Member]) -> _Member:
    """One that stands for all of a frame: one that kept its transparency, the largest."""
    return max(group, key=lambda one: (one.portrait.transparent, one.portrait.area, one.portrait.lossless))


def shows_more(one: _Member, other: _Member) -> bool:
    """Whether the frame of one is the fuller one of the two: what lies outside the other is picture, and no border."""
    outside, kind = _outside(one, other)
    outside_other, kind_other = _outside(other, one)
    is_edged = _has_seam(one, other) or (kind == "low detail" and _is_letterboxed(one, other))
    is_edged_other = _has_seam(other, one) or (kind_other == "low detail" and _is_letterboxed(other, one))
    scale, scale_other = _scale(one), _scale(other)
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


def _edges(one: _Member, other: _Member, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Where the frame of other ends within one, in pixels of a picture of that size of one."""
    assert one.box is not None and other.box is not None
    width, height = size
    across, down = width / (one.box[2] - one.box[0]), height / (one.box[3] - one.box[1])
    left, top = (other.box[0] - one.box[0]) * across, (other.box[1] - one.box[1]) * down
    right, bottom = (other.box[2] - one.box[0]) * across, (other.box[3] - one.box[1]) * down
    return (
        max(0, min(width, round(left))), max(0, min(height, round(top))),
        max(0, min(width, round(right))), max(0, min(height, round(bottom))),
    )  # fmt: skip


def _first_grey(one: _Member) -> Grey:
    return np.asarray(one.greys[0], np.float32)


def _outside(one: _Member, other: _Member) -> tuple[float, str]:
    """What one shows outside the frame of the other: its share, and "low detail", "bar", "picture" or "none"."""
    grey = np.clip(np.asarray(one.mean(), np.float32), 0, 255)
    height, width = grey.shape
    left, top, right, bottom = _edges(one, other, (width, height))
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
"""Grey levels from which on a step between neighbours counts as an edge."""


def _has_seam(one: _Member, other: _Member) -> bool:
    """Whether one has an edge along most of the end of the other's frame, as a border or a bar has."""
    grey = _first_grey(one)
    height, width = grey.shape
    left, top, right, bottom = _edges(one, other, (width, height))
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


def _is_letterboxed(one: _Member, other: _Member) -> bool:
    """Whether one shows more on two opposite sides only, and as much on both: who cuts a picture seldom does that."""
    width, height = one.size
    left, top, right, bottom = _edges(one, other, one.size)
    above, below, before, after = top, height - bottom, left, width - right
    if max(before, after) <= 1:
        return min(above, below) > 2 and abs(above - below) <= 2
    return max(above, below) <= 1 and min(before, after) > 2 and abs(before - after) <= 2


def corners_are_plain(one: _Member) -> bool:
    """Whether all four corners are plain and alike, as after a turn by a few degrees."""
    grey = _first_grey(one)
    side = max(2, round(0.025 * min(grey.shape)))
    corners = [grey[:side, :side], grey[:side, -side:], grey[-side:, :side], grey[-side:, -side:]]
    means = [float(corner.mean()) for corner in corners]
    return all(float(corner.std()) < 3 for corner in corners) and max(means) - min(means) < 6


# What was added, and fine detail


def find_darkened(same: Sequence[_Member]) -> None:
    """Marks members whose transparency was flattened on anything but white, where another one still has it.

    Before anything else is compared, which is done on white: of two or three the dark ground would be most of it.
    """
    clear = [one for one in same if one.portrait.transparent and not one.faults]
    if not clear:
        return
    moment = clear[0].portrait.moments[0]
    if moment.mode != "RGBA":
        return
    size = _within(moment.size, SMALL)
    is_clear = np.asarray(moment.getchannel("A").resize(size, Image.Resampling.BOX)) < 32
    if not is_clear.any():
        return
    for one in same:
        if not one.portrait.transparent and float(one.grid(size)[is_clear].mean()) < 232:
            one.faults.add(Fault.FLATTENED)


def compare_detail(same: Sequence[_Member]) -> None:
    """Fine detail, colour and additions of members that show the same, each against the others."""
    if not same:
        return
    sizes = Counter(one.size for one in same)
    largest = max(sizes, key=lambda size: size[0] * size[1])
    size = largest if len(same) <= FEW else max(sizes, key=lambda one: (sizes[one], one[0] * one[1]))
    grid = _within(size, GRID)
    longest = [max(one.size) for one in same]
    middle = min(longest) if len(same) <= FEW else float(np.median(longest))
    scale = min(1.0, SMALL / max(grid), max(40.0, middle) / max(grid))
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


def _compare_fine(same: Sequence[_Member], fine: Grey) -> None:
    fine -= fine.mean(axis=1, keepdims=True)
    table = fine @ fine.T
    power = np.diagonal(table).copy()
    table = table / np.sqrt(np.maximum(np.outer(power, power), 1e-6))
    for number, one in enumerate(same):
        others = np.delete(table[number], number)
        one.correlations, one.row = table[number], number
        one.nearness = float(others.mean()) if len(others) else 1.0
        one.detail = math.sqrt(float(power[number]) / fine.shape[1])


def _compare_colour(same: Sequence[_Member], small: tuple[int, int], count: int) -> None:
    rows = []
    for one in same:
        moments = one.portrait.moments
        shown: dict[int, Grey] = {}
        for moment in moments:
            if id(moment) not in shown:
                shown[id(moment)] = np.asarray(
                    on_white(moment).resize(small, Image.Resampling.BOX, reducing_gap=2.0), np.float32
                ).ravel()
        rows.append(np.concatenate([shown[id(moments[number % len(moments)])] for number in range(count)]))
    table = np.array(rows)
    middle = np.median(table, axis=0)
    for one, row in zip(same, table, strict=True):
        one.colour_distance = float(np.abs(row - middle).mean())
    # Differences to grey point where the hue does, whatever the brightness and the saturation.
    chroma = table.reshape(len(same), -1, 3)
    chroma = chroma - chroma.mean(axis=2, keepdims=True)
    reference = np.median(chroma, axis=0) if len(same) > 2 else chroma[0]
    power = float((reference * reference).mean())
    for one, row in zip(same, chroma, strict=True):
        own = float((row * row).mean())
        if min(power, own) > 16:
            one.hue = 1 - float((row * reference).mean()) / math.sqrt(power * own)


def _find_additions(same: Sequence[_Member], levels: Grey) -> None:
    """levels: of shape (members, moments, height, width)."""
    found: list[tuple[Grey, Grey] | None] = [None] * len(same)
    for moment in range(levels.shape[1]):
        stack = levels[:, moment]
        middles = _middles(stack)
        for number, one in enumerate(same):
            mine, middle = stack[number], toned(middles[number], stack[number])
            one.likeness = min(one.likeness, _correlation(mine, middle))
            one.spot = max(one.spot, _largest_spot(mine - middle))
            view = overlap.windows(middle, mine)
            differs = view.difference > 0.3
            one.spread = max(one.spread, float(differs.mean()))
            more = (np.sqrt(view.power_b) - np.sqrt(view.power_a)) * differs
            up, down = np.maximum(more, 0), np.maximum(-more, 0)
            # Of an animation the least over its moments: else motion would count.
            before = found[number]
            found[number] = (up, down) if before is None else (np.minimum(before[0], up), np.minimum(before[1], down))
    for one, pair in zip(same, found, strict=True):
        assert pair is not None
        one.adds, one.lacks = float(pair[0].max()), float(pair[1].max())


MANY: Final = 8
"""From this many members on, the middle of all stands for the middle of the others: the cost stays linear."""


def _middles(stack: Grey) -> list[Grey]:
    """For each of these pictures, of shape (members, height, width), the median of the others, toned alike."""
    count = len(stack)
    if count >= MANY:
        reference = np.median(stack, axis=0)
        middle = np.median([toned(one, reference) for one in stack], axis=0).astype(np.float32)
        return [middle] * count
    found = []
    for number in range(count):
        others = [toned(stack[other], stack[number]) for other in range(count) if other != number]
        found.append(np.median(others, axis=0).astype(np.float32) if len(others) > 1 else others[0])
    return found


def _largest_spot(difference: Grey) -> float:
    return float(np.abs(difference - fine_detail(difference)).max())


def toned(a: Grey, b: Grey) -> Grey:
    """a with its levels brought to those of b by a straight line."""
    off = a - a.mean()
    power = float((off * off).mean())
    if power < 1:
        return np.asarray(off + b.mean(), np.float32)
    return np.asarray(off * (float((off * (b - b.mean())).mean()) / power) + b.mean(), np.float32)


def _is_only_sharper(one: _Member, members: Sequence[_Member]) -> bool:
    """Whether it is much larger than all others: what it has more is sharpness, unless it is in one place."""
    others = [max(other.size) for other in members if other is not one]
    if not others:
        return False
    if max(one.size) < 1.25 * max(others):
        return min(max(others), max(one.size)) < 32
    return one.spread > 0.06 or max(others) < 48


# What is really there of the size


REPRESENTATIVES: Final = 4
"""How many members of each size a larger one is compared with."""


def find_enlarged(same: Sequence[_Member]) -> None:
    """Marks members that have more pixels than another one, but no more detail."""
    sizes = Counter(one.size for one in same)
    usual = max(sizes, key=lambda size: (sizes[size], size[0] * size[1])) if same else None
    if usual is not None and (sizes[usual] < 3 or sizes[usual] < 0.4 * len(same)):
        usual = None
    left = [one for one in same if not one.faults]
    # Some of each size stand for all: the nearest to the others.
    smaller: list[_Member] = []
    for size in sizes:
        of_size = sorted((one for one in left if one.size == size), key=lambda one: -one.nearness)
        smaller += of_size[:REPRESENTATIVES]
    for one in left:
        for other in smaller:
            ratio = math.sqrt(one.portrait.area / other.portrait.area)
            if ratio <= 1.08 or max(other.size) < 16 or min(one.size) < 8:
                continue
            over = min(ratio, 2.2) - 1.25
            limit = 0.36 + 0.5 * over if other.size == usual else 0.28 + 0.42 * over
            if _unexplained(one, other) < limit or is_poorer(one, other):
                one.faults.add(Fault.ENLARGED)
                break


def _patches(one: _Member, other: _Member) -> tuple[Grey, Grey]:
    """The same part of both at full size, as far as the patches go."""
    part = min(one.portrait.part, other.portrait.part)
    return _middle(one, part), _middle(other, part)


def _middle(one: _Member, part: float) -> Grey:
    share = part / one.portrait.part
    grey = one.native
    if share >= 1:
        return grey
    height, width = grey.shape
    left, top = round(width * (1 - share) / 2), round(height * (1 - share) / 2)
    return grey[top : height - top, left : width - left]


def _unexplained(one: _Member, other: _Member) -> float:
    """What of one an enlargement of the other does not tell, over its own fine detail."""
    large, small = _patches(one, other)
    own = fine_detail(large)[2:-2, 2:-2]
    image = Image.fromarray(small)
    least = math.inf
    for how in (Image.Resampling.BICUBIC, Image.Resampling.LANCZOS, Image.Resampling.BILINEAR):
        enlarged = np.asarray(image.resize((large.shape[1], large.shape[0]), how), np.float32)
        rest = (large - toned(enlarged, large))[2:-2, 2:-2]
        least = min(least, float((rest * rest).mean()))
    return math.sqrt(least / max(1e-3, float((own * own).mean())))


def is_poorer(one: _Member, other: _Member) -> bool:
    """Whether a larger one shows less than the other when it is brought to the size of that."""
    large, small = _patches(one, other)
    reduced = np.asarray(
        Image.fromarray(large).resize((small.shape[1], small.shape[0]), Image.Resampling.LANCZOS), np.float32
    )
    mine, its = fine_detail(toned(reduced, small)), fine_detail(small)
    power, power_other = float((mine * mine).mean()), float((its * its).mean())
    return power < 0.5 * power_other and float((mine * its).mean()) > 1.2 * max(power, 1e-3)


def find_blurred(left: Sequence[_Member]) -> None:
    """Of two or three: marks one that is softer than another everywhere, as words and marks are not."""
    for one in left:
        for other in left:
            if one is other or one.size != other.size or other.faults:
                continue
            gain = _usual_gain(other, one)
            if gain is not None and gain > BLURRED:
                one.faults.add(Fault.SOFTER)
                break


BLURRED: Final = 1.1
"""From here on the one that has so much more fine detail, and the same, is the sharper one."""


def _usual_gain(sharp: _Member, soft: _Member) -> float | None:
    """How many times the fine detail of one is in the other: the median over the blocks that have the most of it.

    A blur takes away a part of what is there, so the gain is above 1; noise only adds to it.
    """
    greys = [_first_grey(one) for one in (sharp, soft)]
    fine, fine_soft = (fine_detail(grey) for grey in greys)
    if fine.shape != fine_soft.shape or min(fine.shape) < 16:
        return None
    both, own, power = (_blocks(values) for values in (fine * fine_soft, fine_soft * fine_soft, fine * fine))
    rich = power > max(1.0, float(np.percentile(power, 60)))
    if int(rich.sum()) < 8:
        return None
    # More contrast is no more detail.
    tone = float(greys[0].std()) / max(float(greys[1].std()), 1.0)
    return float(np.median(both[rich] / np.maximum(own[rich], 0.05))) / max(tone, 0.1)


def _blocks(values: Grey) -> Grey:
    """Means of blocks of 8 x 8."""
    rows, columns = values.shape[0] // 8, values.shape[1] // 8
    return np.asarray(values[: rows * 8, : columns * 8].reshape(rows, 8, columns, 8).mean(axis=(1, 3)))


def find_softer(left: Sequence[_Member]) -> None:
    """Of two or three: marks one that has less detail than another where that is no noise, or only noise."""
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
                and _crossing(other) > 1.15 * _crossing(one)
                and _grain(other) < _grain(one) + 0.5
            ):
                # Mildly blurred: what is lost lies at the edges, and where there is nothing nothing changed.
                soft.add(one)
            elif (
                gain < 1.05
                and sharper > 1.06 * sharpness
                and _grain(other) > _grain(one) + 0.75
                and (one.portrait.lossless or (one.portrait.jpeg_quality or 0) > 80)
                and one.portrait.colours is None
            ):
                noisy.add(other)
    for one in soft:
        one.faults.add(Fault.SOFTER)
    for one in noisy - soft:
        one.faults.add(Fault.NOISY)


def _crossing(one: _Member) -> float:
    """The finest detail that pixels can show, over the contrast: root mean square of (a - b) - (c - d) of 2 x 2."""
    grey = _first_grey(one)
    steps = np.diff(np.diff(grey, axis=0), axis=1)
    return float(np.sqrt((steps * steps).mean())) / max(one.tone, 1.0)


def _sharpness_step(one: _Member) -> int:
    """Steps of 4 %: what is a little sharper wins where nothing else tells."""
    return round(math.log(max(_crossing(one), 1e-3)) / 0.04)


def _grain(one: _Member) -> float:
    """Fine detail where there is least, in grey levels."""
    return float(np.percentile(np.abs(fine_detail(_first_grey(one))), 20))
