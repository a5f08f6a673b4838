"""Compares two stills that would be copies at the finest scale that both have. Does no I/O.

classifier.py decides at 256 pixels, where words 12 pixels high on a large screen are only dots. Here the coarser of the
two pictures keeps its pixels, and the other picture is resampled to them. A two-sided difference (both show something,
but not the same: letters, digits, a mouth) means that the two are not copies. A one-sided difference (only one shows
something) is no objection, because watermarks, blur and compression cause it.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np
from PIL import Image

from hashindex.core.messages import Comparison, Objection
from hashindex.judge import features, overlap, registration
from hashindex.judge.fine_windows import (
    TILE,
    FineWindows,
    Levels,
    deep,
    measured,
    realigned,
    resampled,
    spot,
    toned_levels,
)
from hashindex.judge.planes import Frame, Grey, Map
from hashindex.judge.registration import invert

FINE_SIDE: Final = 2048
"""Longest side, in pixels, at which stills are compared: all of a phone's screen, half of a photograph's."""


class FinePicture(NamedTuple):
    """A still within FINE_SIDE."""

    grey: Levels
    """On white."""
    alpha: Levels | None
    """255 where it is opaque; None if the whole picture is opaque."""

    @classmethod
    def of(cls, image: Image.Image) -> "FinePicture":
        """From a picture as decode.shown returns it."""
        if image.mode != "RGBA":
            return cls(np.asarray(image.convert("L")), None)
        mask = image.getchannel("A")
        if mask.getextrema() == (255, 255):
            return cls(np.asarray(image.convert("L")), None)
        white = Image.new("RGB", image.size, "white")
        white.paste(image, mask=mask)
        return cls(np.asarray(white.convert("L")), np.asarray(mask))

    def on(self, background: int) -> Levels:
        """The picture on a grey background, 0 to 255."""
        if self.alpha is None or background == 255:
            return self.grey
        below = (255 - background) * (255 - self.alpha.astype(np.int32)) // 255
        return np.asarray(np.clip(self.grey.astype(np.int32) - below, 0, 255), np.uint8)

    @property
    def nbytes(self) -> int:
        return self.grey.nbytes + (0 if self.alpha is None else self.alpha.nbytes)


def compare_stills(a: Frame, b: Frame, fine_a: FinePicture, fine_b: FinePicture) -> Comparison | None:
    """Compares two stills; None if they cannot be aligned at 256 pixels, or if too little is shared.

    a, b: the stills at 256 pixels. Cost: see docs/judgement.md.
    """
    alignment = features.align(a, b)
    if alignment is None:
        return None
    ground = features.common_ground(a, b)
    pair = resampled_overlap(fine_a.on(ground), fine_b.on(ground), starts_of(alignment, a, b, ground))
    if pair is None:
        return None
    return Comparison(max(pair[1].shape), objection_to(*pair))


def objection_to(a: Levels, b: Levels) -> Objection | None:
    """The objection to two aligned pictures, which are compared at their own scale and then down to COARSEST pixels."""
    for number, scale in enumerate(halved(a, b)):
        found = measures(*scale, max(b.shape))
        if found.is_beyond_bounds:
            return Objection.DETAIL
        # At coarser scales only the edge of a shape remains, blurred in one picture and sharp in the other.
        if number == 0 and found.is_little and found.differing > LITTLE_DIFFERS_MOST:
            return Objection.SHAPE
    return None


# Onto the same pixels

REFINED_SIDES: Final = (96, 192, 384)
"""Scales at which the map found at 256 pixels is refined. The remaining errors are corrected tile by tile."""


def starts_of(alignment: features.Alignment, a: Frame, b: Frame, ground: int) -> list[Map]:
    """Maps of b into a to start from: the one of the alignment, and those by the borders, which are exact."""
    found = [alignment.map if alignment.a is a else invert(alignment.map)]
    for start in registration.box_maps(a.on(ground), b.on(ground)):
        if all(max(abs(p - q) for p, q in zip(start, other, strict=True)) > 0.002 for other in found):
            found.append(start)
    return found


def resampled_overlap(a: Levels, b: Levels, starts: Sequence[Map]) -> tuple[Levels, Levels] | None:
    """The overlap of both on the pixels of the coarser one; None if it is too small.

    starts: maps of b into a, from a coarser scale.
    """
    map = starts[0]
    area = abs(map[0] * map[4] - map[1] * map[3])
    if math.sqrt(area * a.size / b.size) < 0.95:
        a, b, starts = b, a, [invert(start) for start in starts]
    images = Image.fromarray(a), Image.fromarray(b)
    last = max(*a.shape, *b.shape)
    sides = [side for side in REFINED_SIDES if side < last] or [last]
    small = [[_within(image, side) for side in sides] for image in images]
    map = registration.refined_at(small[0], small[1], starts)
    rectangle = overlap.shared_rectangle(b.shape, map)
    if rectangle is None:
        return None
    x0, y0, x1, y1 = rectangle
    if min(x1 - x0, y1 - y0) < LEAST_SIDE:
        return None
    return resampled(images[0], b.shape, map, rectangle), b[y0:y1, x0:x1]


LEAST_SIDE: Final = 24
"""With a shorter side than this, in pixels, there are too few windows for a comparison."""


def _within(image: Image.Image, side: int) -> Grey:
    scale = min(1.0, side / max(image.size))
    size = max(4, round(image.width * scale)), max(4, round(image.height * scale))
    small = image if scale == 1 else image.resize(size, Image.Resampling.BOX)
    return np.asarray(small).astype(np.float32)


def halved(a: Levels, b: Levels) -> Iterator[tuple[Levels, Levels]]:
    """Both at their own scale, then at half the size, and so on down to COARSEST pixels."""
    while True:
        yield a, b
        if max(a.shape) < 2 * COARSEST or min(a.shape) < 2 * LEAST_SIDE:
            return
        a, b = (np.asarray(Image.fromarray(picture).reduce(2)) for picture in (a, b))


COARSEST: Final = 128


# Detail

PLAINNESS: Final = (0.7, 0.82)
"""A picture is textured up to the first value and plain from the second; between them the bounds are interpolated."""
SIDES: Final = (256, 480)
"""A picture is small up to the first value and large from the second, in pixels; between them as for PLAINNESS."""
SPOT_MOST: Final = ((36.0, 8.0), (11.0, 12.5))
DEEP_MOST: Final = ((70.0, 40.0), (30.0, 36.0))
"""The highest Measures.spot and deep of copies: (textured, plain) of small pictures, then of large ones. A watermark on
a small texture is as strong as a different small word; on large or plain pictures it is one-sided."""
WRITTEN: Final = 0.6
"""From this share of plain ground a watermark is also visible on the ground, where it is one-sided."""
WRITTEN_SPOT_MOST: Final = 7.0
"""The highest Measures.spot of copies on plain ground, if spot is more than twice one_sided."""


class Measures(NamedTuple):
    """Measurements over all windows of two pictures."""

    spot: float
    """Largest mean of the two-sided weight over 5 x 5 windows."""
    deep: float
    """Fifth largest two-sided weight."""
    one_sided: float
    """As spot, but of the one-sided weight."""
    differing: float
    """Mean difference of the windows that have structure, weighted by contrast."""
    plainness: float
    """The higher plainness of the two pictures; see the function plainness."""
    is_little: bool
    """The pictures show little on plain ground."""
    side: int
    """Longest side of the pictures at their finest scale, in pixels."""

    @property
    def is_beyond_bounds(self) -> bool:
        """Whether a spot or a few windows differ by more than they do in copies."""
        if self.plainness > WRITTEN and self.spot > WRITTEN_SPOT_MOST and self.spot > 2 * self.one_sided:
            return True
        return self.spot > self._bound(SPOT_MOST) or self.deep > self._bound(DEEP_MOST)

    def _bound(self, bounds: tuple[tuple[float, float], tuple[float, float]]) -> float:
        small, large = (float(np.interp(self.plainness, PLAINNESS, pair)) for pair in bounds)
        return float(np.interp(math.log(self.side), [math.log(side) for side in SIDES], (small, large)))


def measures(a: Levels, b: Levels, side: int) -> Measures:
    """The measurements of two pictures on the same pixels, after small errors of the registration are corrected.

    side: as Measures.side.
    """
    toned, still = toned_levels(a, b), b.astype(np.float32)
    view = measured(toned, still)
    has_structure = np.maximum(view.power_a, view.power_b) > STRUCTURE
    plain = max(plainness(a), plainness(b))
    is_little = float(has_structure.mean()) < LITTLE_MOST and plain > PLAIN_LEAST
    found = _measures_of(view, plain, is_little, side)
    if min(a.shape) >= TILE and (found.is_beyond_bounds or (is_little and found.differing > LITTLE_DIFFERS_MOST)):
        strong = (view.weight() > 0) | (has_structure & (view.difference > 0.1) if is_little else False)
        found = _measures_of(realigned(toned, still, view, strong), plain, is_little, side)
    return found


def _measures_of(view: FineWindows, plain: float, is_little: bool, side: int) -> Measures:
    weight = view.weight()
    most = np.maximum(view.power_a, view.power_b)
    contrast = np.sqrt(most) * (most > STRUCTURE)
    differing = float((contrast * view.difference).sum()) / max(float(contrast.sum()), 1e-3)
    return Measures(spot(weight), deep(weight), spot(view.one_sided_weight()), differing, plain, is_little, side)


# Little on plain ground

PLAIN_LEAST: Final = 0.8
"""From this plainness a picture is plain."""
LITTLE_MOST: Final = 0.15
"""Up to this share of windows with structure there is little to compare."""
LITTLE_DIFFERS_MOST: Final = 0.18
"""The highest Measures.differing of copies with little to compare. A shape that is aligned with another shape differs
along all its edges, though only a little."""
STRUCTURE: Final = 100.0
"""From this variance a window has structure."""


def plainness(levels: Levels) -> float:
    """Share of the most common 16 adjacent grey levels."""
    counts = np.bincount(levels.ravel() >> 3, minlength=34)
    return float((counts[:-1] + counts[1:]).max()) / levels.size
