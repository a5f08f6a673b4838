"""Measures copies of one picture and places each on one of them, the anchor. Does no I/O.

keeper_frames.py and keeper_detail.py find the faults of the placed copies; keeper.py chooses.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Final, NamedTuple

import numpy as np
from PIL import Image

from hashindex.judge import compiled, registration
from hashindex.judge.faults import Fault
from hashindex.judge.features import common_ground
from hashindex.judge.planes import Frame, Grey, PixelBox
from hashindex.pictures.quality import Portrait, on_ground, on_white

SMALL_GROUP: Final = 3
"""Groups of up to this many copies have no majority that could show which copy was edited."""


@dataclass(eq=False)
class MeasuredCopy:
    """A portrait, and the measurements of it against the other copies."""

    portrait: Portrait
    number: int
    faults: set[Fault] = field(default_factory=set)
    box: PixelBox | None = None
    """Where the copy lies on the anchor, in pixels of the anchor; None if it does not fit."""
    turn: float = 0.0
    """Rotation against the anchor, in degrees."""
    detail: float = 0.0
    """Root mean square of the fine detail, in grey levels."""
    nearness: float = 1.0
    """Mean correlation of the fine detail with that of the other copies."""
    correlations: Grey | None = None
    """Correlation of the fine detail with that of each copy, by row number."""
    row: int = 0
    """The number of this copy in correlations."""
    tone: float = 1.0
    """Standard deviation of the grey levels."""
    adds: float = 0.0
    """Most contrast, in grey levels, that a window has and the median of the other copies lacks."""
    lacks: float = 0.0
    """Most contrast, in grey levels, that a window lacks and the median of the other copies has."""
    likeness: float = 1.0
    """Correlation with the median of the other copies."""
    spot: float = 0.0
    """Largest difference to the median of the other copies in any 3 x 3 pixels, in grey levels."""
    spread: float = 0.0
    """Share of windows that differ from the median of the other copies."""
    colour_distance: float = 0.0
    """Mean difference to the median of all copies, in levels of red, green and blue."""
    hue: float = 0.0
    """Angle between its colours and those of the median: 0 for the same hue, 1 for a right angle, at most 2."""
    _means: dict[int, Image.Image] = field(default_factory=dict)
    _wholes: dict[int, "_Centred"] = field(default_factory=dict)

    @property
    def size(self) -> tuple[int, int]:
        return self.portrait.size

    @property
    def is_moving(self) -> bool:
        return self.portrait.distinct > 1

    @cached_property
    def greys(self) -> list[Image.Image]:
        """The moments on white, mode L."""
        found: dict[int, Image.Image] = {}
        return [found.setdefault(id(one), on_white(one).convert("L")) for one in self.portrait.moments]

    def mean(self, ground: int = 255) -> Image.Image:
        """The mean of all moments on a grey background (0 to 255), within twice REGISTRATION_SIDE; mode F."""
        if ground not in self._means:
            self._means[ground] = self._mean_on(ground)
        return self._means[ground]

    def _mean_on(self, ground: int) -> Image.Image:
        greys = self.greys
        if ground != 255:
            levels = (ground,) * 3
            alike = {id(one): on_ground(one, levels).convert("L") for one in self.portrait.moments}
            greys = [alike[id(one)] for one in self.portrait.moments]
        scale = min(1.0, 2 * REGISTRATION_SIDE / max(greys[0].size))
        if scale < 1:
            size = max(4, round(greys[0].width * scale)), max(4, round(greys[0].height * scale))
            small = {id(one): one.resize(size, Image.Resampling.BOX) for one in greys}
            greys = [small[id(one)] for one in greys]
        if len({id(one) for one in greys}) == 1:
            return greys[0].convert("F")
        return Image.fromarray(np.mean([np.asarray(one, np.float32) for one in greys], axis=0))

    @cached_property
    def frame(self) -> Frame:
        """The mean of all moments within REGISTRATION_SIDE, for registration."""
        moments = self.portrait.moments
        if len(moments) > 1:
            size = fitted_size(moments[0].size, REGISTRATION_SIDE)
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
        size = fitted_size(image.size, REGISTRATION_SIDE)
        if size != image.size:
            mode = "RGBa" if image.mode == "RGBA" else image.mode
            image = image.convert(mode).resize(size, Image.Resampling.BOX).convert(image.mode)
        return Frame.of(image)

    def whole(self, size: tuple[int, int], ground: int) -> "_Centred":
        """The mean of all moments on a grey background, resized to (width, height), which must always be the same."""
        if ground not in self._wholes:
            self._wholes[ground] = _Centred.of(
                _resized_part(self, (0.0, 0.0, self.size[0], self.size[1]), size, ground)
            )
        return self._wholes[ground]

    @cached_property
    def thumb(self) -> Grey:
        """24 x 24 grey levels with mean 0 and length 1."""
        return unit(np.asarray(self.mean().resize((24, 24), Image.Resampling.BICUBIC), np.float32).ravel())

    @cached_property
    def native(self) -> Grey:
        """The patch as an array."""
        return np.asarray(self.portrait.patch, np.float32)

    @cached_property
    def colourfulness(self) -> float:
        """The 95th percentile of the chroma in the middle moment."""
        moment = on_white(self.portrait.moments[len(self.portrait.moments) // 2])
        small = np.asarray(moment.resize((48, 48), Image.Resampling.BOX).convert("YCbCr"), np.float32)
        return float(np.percentile(np.hypot(small[..., 1] - 128, small[..., 2] - 128), 95))

    def grid(self, size: tuple[int, int], moment: int = 0) -> Grey:
        """A moment in grey levels, resized to (width, height)."""
        grey = self.greys[moment % len(self.greys)]
        if grey.size == size:
            return np.asarray(grey, np.float32)
        return np.asarray(grey.resize(size, Image.Resampling.BICUBIC, reducing_gap=3.0), np.float32)


REGISTRATION_SIDE: Final = 160
"""Longest side at which copies are registered."""
AGREEMENT_SIDE: Final = 200
"""Longest side at which the agreement of two registered copies is measured."""


def fitted_size(size: tuple[int, int], side: int) -> tuple[int, int]:
    """The size reduced to a longest side, at least 4 pixels each way."""
    scale = min(1.0, side / max(size))
    return max(4, round(size[0] * scale)), max(4, round(size[1] * scale))


def unit(values: Grey) -> Grey:
    """The values shifted and scaled to mean 0 and length 1."""
    values = values - values.mean()
    return np.asarray(values / max(float(np.sqrt((values * values).sum())), 1.0), np.float32)


class _Centred(NamedTuple):
    """Grey levels minus their mean."""

    values: Grey
    power: float
    """The sum of their squares."""

    @classmethod
    def of(cls, grey: Grey) -> "_Centred":
        values = grey - grey.mean()
        return cls(values, float((values * values).sum()))

    def correlation(self, other: "_Centred") -> float:
        return float((self.values * other.values).sum() / max(math.sqrt(self.power * other.power), 1e-3))


def correlation(a: Grey, b: Grey) -> float:
    """Pearson's correlation of two arrays of the same shape."""
    return _Centred.of(a).correlation(_Centred.of(b))


def fine_detail(grey: Grey) -> Grey:
    """The picture minus its mean over 3 x 3 pixels."""
    if compiled.kernels is not None:
        found: Grey = np.empty(grey.shape, np.float32)
        compiled.kernels.fine_detail(np.ascontiguousarray(grey, np.float32), found)
        return found
    padded = np.pad(grey, 1, mode="edge")
    rows = padded[:-2] + padded[1:-1] + padded[2:]
    return np.asarray(grey - (rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]) / 9, np.float32)


def first_grey(one: MeasuredCopy) -> Grey:
    """The first moment in grey levels."""
    return np.asarray(one.greys[0], np.float32)


def scale_of(one: MeasuredCopy) -> float:
    """Pixels of the copy for one pixel of the anchor."""
    assert one.box is not None
    return one.size[0] / max(one.box[2] - one.box[0], 1e-3)


def place(members: Sequence[MeasuredCopy]) -> MeasuredCopy:
    """Places every copy on one of them, the anchor, and returns the anchor."""
    anchor = _anchor(members)
    for attempt in range(2):
        for one in members:
            _place_on(anchor, one)
        groups = by_frame(members, anchor)
        if attempt:
            break
        sane = [one for one in members if not one.faults] or members
        if len(sane) <= SMALL_GROUP:
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
"""From this angle, in degrees, a copy counts as turned."""
PLACED: Final = 0.4
"""Below this correlation a copy does not fit the anchor."""


def _anchor(members: Sequence[MeasuredCopy]) -> MeasuredCopy:
    """The copy of the most common size that correlates best with the others."""
    sane = [one for one in members if not one.faults] or list(members)
    shapes = Counter(_shape(one) for one in sane)
    shape = max(shapes, key=lambda one: (shapes[one], one))
    sizes = Counter(one.size for one in sane if _shape(one) == shape)
    size = max(sizes, key=lambda one: (sizes[one], one[0] * one[1]))
    pool = [one for one in sane if one.size == size and _shape(one) == shape]
    # A transparent copy can be compared on any background, a flattened copy only on its own.
    pool = [one for one in pool if one.portrait.transparent] or pool
    if len(members) <= 2:
        return pool[0]

    def agrees(one: MeasuredCopy) -> float:
        others = [float(one.thumb @ other.thumb) for other in sane if other is not one]
        return round(float(np.median(others)), 3) if others else 0.0

    return max(pool, key=agrees)


def _shape(one: MeasuredCopy) -> int:
    """The aspect ratio as an integer; equal for shapes that differ only by rounding."""
    return round(math.log(one.size[0] / one.size[1]) / 0.015)


def _place_on(anchor: MeasuredCopy, one: MeasuredCopy) -> None:
    """Finds where a copy lies on the anchor, and snaps that to the whole anchor or to whole pixels if it fits there."""
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
        degrees = _turn_from_sizes(anchor, one)
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

    @cache
    def agreement_at(box: PixelBox) -> float:
        return _agreement(anchor, one, box, ground)

    best = agreement_at(box)
    across, down = (box[2] - box[0]) / one.size[0], (box[3] - box[1]) / one.size[1]
    off = max(abs(a - b) / side for a, b, side in zip(box, whole, (width, height, width, height), strict=True))
    if abs(across - 1) < 0.03 and abs(down - 1) < 0.03 and (off >= 0.035 or one.size != anchor.size):
        left, top = (box[0] + box[2] - one.size[0]) / 2, (box[1] + box[3] - one.size[1]) / 2
        for x in range(round(left) - 1, round(left) + 2):
            for y in range(round(top) - 1, round(top) + 2):
                place = float(x), float(y), float(x + one.size[0]), float(y + one.size[1])
                agreement = agreement_at(place)
                if agreement > best:
                    best, box = agreement, place
    same_shape = abs(math.log(width * one.size[1] / (height * one.size[0]))) < 0.02
    is_unsure = one.size == anchor.size and best < 0.92
    if off < 0.035 or (one.is_moving and same_shape and off < 0.07) or is_unsure:
        agreement = agreement_at(whole)
        slack = 0.004 if one.size == anchor.size else 0.001
        if one.size == anchor.size and TURNED <= turn < 3:
            # Additions rotate the best map a little. A picture that was really turned seldom keeps its size.
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


def _turn_from_sizes(a: MeasuredCopy, b: MeasuredCopy) -> float:
    """By how many degrees the smaller copy was turned to give the larger one; 0 if the sizes rule that out.

    When a picture is turned a little, each side grows by the other side times the sine, and the corners are plain.
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


def _agreement(anchor: MeasuredCopy, one: MeasuredCopy, box: PixelBox, ground: int) -> float:
    """Correlation of both copies where they overlap; -1 if the overlap is less than 8 pixels."""
    width, height = anchor.size
    left, top, right, bottom = max(0.0, box[0]), max(0.0, box[1]), min(width, box[2]), min(height, box[3])
    if right - left < 8 or bottom - top < 8:
        return -1.0
    scale = min(1.0, AGREEMENT_SIDE / max(right - left, bottom - top))
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
    if (left, top, right, bottom) == (0.0, 0.0, *anchor.size):
        mine = anchor.whole(size, ground)
    else:
        mine = _Centred.of(_resized_part(anchor, (left, top, right, bottom), size, ground))
    its = _Centred.of(_resized_part(one, there, size, ground))
    return mine.correlation(its)


def _resized_part(one: MeasuredCopy, box: PixelBox, size: tuple[int, int], ground: int) -> Grey:
    """A box of the mean of all moments, resized. box: in pixels of the picture."""
    mean = one.mean(ground)
    across, down = mean.width / one.size[0], mean.height / one.size[1]
    inside = (
        max(0.0, box[0] * across),
        max(0.0, box[1] * down),
        min(mean.width, box[2] * across),
        min(mean.height, box[3] * down),
    )
    return np.asarray(mean.resize(size, Image.Resampling.BICUBIC, box=inside), np.float32)


def by_frame(members: Sequence[MeasuredCopy], anchor: MeasuredCopy) -> list[list[MeasuredCopy]]:
    """Groups the copies by the frame of the picture that they show, the most common frame first."""
    placed = [one for one in members if one.box is not None and not is_turned(one, 3.0)]
    least = min((min(one.size) for one in members), default=1)
    tolerance = max(0.008, 0.7 / least if len(members) <= 5 else 0.0)
    width, height = anchor.size
    found: list[list[MeasuredCopy]] = []
    for one in placed:
        for group in found:
            if _box_distance(one, group[0], width, height) < tolerance:
                group.append(one)
                break
        else:
            found.append([one])
    return sorted(found, key=len, reverse=True)


def is_turned(one: MeasuredCopy, least_of_tiny: float = 1e9) -> bool:
    """Whether the copy is turned. Angles of pictures below 48 pixels are too imprecise: they need least_of_tiny."""
    return one.turn >= (TURNED if min(one.size) >= 48 else least_of_tiny)


def _box_distance(a: MeasuredCopy, b: MeasuredCopy, width: int, height: int) -> float:
    assert a.box is not None and b.box is not None
    return max(abs(x - y) / side for x, y, side in zip(a.box, b.box, (width, height, width, height), strict=True))


def corners_are_plain(one: MeasuredCopy) -> bool:
    """Whether all four corners are plain and alike, as they are in a picture that was turned by a few degrees."""
    grey = first_grey(one)
    side = max(2, round(0.025 * min(grey.shape)))
    corners = [grey[:side, :side], grey[:side, -side:], grey[-side:, :side], grey[-side:, -side:]]
    means = [float(corner.mean()) for corner in corners]
    return all(float(corner.std()) < 3 for corner in corners) and max(means) - min(means) < 6
