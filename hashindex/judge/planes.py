"""Small frames as arrays, with everything that can be computed from one frame alone. Does no I/O.

Coordinates run from -1 to 1 across the whole picture, so that sizes do not matter.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hashindex.judge import compiled
from hashindex.judge.candidates import PROBES, trimmed

Grey = NDArray[np.floating[Any]]
"""float32; arithmetic on small arrays may return float64. Sums are taken in float64, see compiled.py."""
PixelBox = tuple[float, float, float, float]
"""Left, top, right, bottom in pixels."""

THUMB: Final = 16

FIT: Final = 32
FIT_FINE: Final = 64
"""Longest side of the pictures in the first and in the last steps of registration; the last uses every other pixel.
Pictures of more than twice FIT_FINE are aligned at half their size: windows of 9 pixels show an error of one pixel."""

_PARTS: Final = ((0.0, 0.0, 1.0, 1.0), *PROBES)
# Parts of the picture without its border; the first part is all of it.


@dataclass(eq=False)
class Plane:
    """A frame on one background; each property is computed at most once."""

    grey: Grey
    chroma: Grey
    """Cb - 128 and Cr - 128, of shape (2, height, width)."""

    @cached_property
    def box(self) -> PixelBox:
        height, width = self.grey.shape
        if min(height, width) < 8:
            return 0.0, 0.0, float(width), float(height)
        left, top, right, bottom = trimmed(levels_of(self.grey))
        return float(left), float(top), float(right), float(bottom)

    @cached_property
    def parts(self) -> NDArray[np.float64]:
        """The boxes of the whole and of _PARTS of the area inside the border, of shape (10, 4)."""
        return _parts(*self.grey.shape, self.box)

    @cached_property
    def thumbs(self) -> Grey:
        """Each part as THUMB x THUMB levels with mean 0 and length 1, of shape (10, THUMB * THUMB)."""
        thumbs: Grey = _thumbs(self.grey[None], self.box)[0]
        return thumbs

    @cached_property
    def small(self) -> Grey:
        """Within FIT x FIT, for the first steps of registration."""
        return self._within(FIT)

    @cached_property
    def middle(self) -> Grey:
        """For the last steps of registration: within FIT_FINE x FIT_FINE, or half the size if that is more."""
        return self._within(max(FIT_FINE, max(self.grey.shape) // 2))

    def _within(self, side: int) -> Grey:
        height, width = self.grey.shape
        if min(height, width) >= 4 and max(height, width) <= side:
            return self.grey
        scale = min(1.0, side / max(height, width))
        down, across = (max(4, round(length * scale)) for length in (height, width))
        return shrunk(self.grey, (0, 0, width, height), down, across)

    @cached_property
    def surface(self) -> "Surface":
        return Surface(self.small)

    @cached_property
    def surface_fine(self) -> "Surface":
        return Surface(self.middle)

    @cached_property
    def template(self) -> "Template":
        return Template.of(self.small)

    @cached_property
    def template_fine(self) -> "Template":
        return Template.of(self.middle, every_other=True)

    @cached_property
    def edges(self) -> NDArray[np.bool_]:
        """Pixels where the steps from the left and from above add up to more than 40 grey levels."""
        across = np.abs(np.diff(self.grey, axis=1, prepend=self.grey[:, :1]))
        down = np.abs(np.diff(self.grey, axis=0, prepend=self.grey[:1]))
        edges: NDArray[np.bool_] = across + down > 40
        return edges

    @cached_property
    def detail(self) -> float:
        """Standard deviation of the grey levels."""
        return deviation(self.grey)

    @cached_property
    def sum(self) -> float:
        """The sum of the grey levels."""
        return total(self.grey)


def share_border(planes: Sequence[Plane]) -> None:
    """Gives the frames of one animation the border that is plain in all of them, and computes their thumbs at once."""
    stack = np.stack([plane.grey for plane in planes])
    box: PixelBox = 0.0, 0.0, float(stack.shape[2]), float(stack.shape[1])
    if min(stack.shape[1:]) >= 8:
        levels = levels_of(stack)
        # A line that is plain in both the maximum and the minimum of all frames, with equal greys, is plain in each.
        boxes = [trimmed(extreme(levels, axis=0)) for extreme in (np.maximum.reduce, np.minimum.reduce)]
        (a, b, c, d), (e, f, g, h) = boxes
        box = float(min(a, e)), float(min(b, f)), float(max(c, g)), float(max(d, h))
    for plane, thumbs in zip(planes, _thumbs(stack, box), strict=True):
        plane.__dict__["box"] = box
        plane.__dict__["thumbs"] = thumbs


def deviation(values: Grey) -> float:
    """Standard deviation. values: of shape (height, width)."""
    if compiled.kernels is not None:
        found: float = compiled.kernels.deviation(values)
        return found
    off = values - np.float32(total(values) / values.size)
    return math.sqrt(total(off * off) / off.size)


def levels_of(grey: Grey) -> NDArray[np.uint8]:
    """Whole grey levels, 0 to 255."""
    return np.minimum(np.maximum(grey, 0), 255).astype(np.uint8)


@lru_cache(maxsize=512)
def _parts(height: int, width: int, box: PixelBox) -> NDArray[np.float64]:
    """As Plane.parts. box: the area inside the border."""
    left, top, right, bottom = box
    across, down = right - left, bottom - top
    inner = [(left + across * a, top + down * b, left + across * c, top + down * d) for a, b, c, d in _PARTS]
    return np.array([(0, 0, width, height), *inner], np.float64)


def _thumbs(stack: Grey, box: PixelBox) -> Grey:
    """The thumbs of frames with one border, of shape (n, 10, THUMB * THUMB). stack: of shape (n, height, width)."""
    count, height, width = stack.shape
    if compiled.kernels is not None:
        parts = _parts(height, width, box)
        made = np.empty((count, len(parts), THUMB * THUMB), np.float32)
        compiled.kernels.thumb(np.ascontiguousarray(stack, np.float32), parts, made)
        return made
    rows, columns = _thumb_rows(height, box[1], box[3]), _thumb_rows(width, box[0], box[2])
    reduced = (rows @ stack).reshape(count, _SPANS, THUMB, width)[:, _ROW_OF]
    thumbs = (reduced @ columns.reshape(_SPANS, THUMB, width).swapaxes(1, 2)[_COLUMN_OF]).reshape(
        count, len(_ROW_OF), -1
    )
    thumbs = thumbs - thumbs.mean(axis=2, keepdims=True)
    lengths = np.sqrt((thumbs * thumbs).sum(axis=2, keepdims=True))
    return np.asarray(thumbs / np.maximum(lengths, 16.0), np.float32)


Map = tuple[float, float, float, float, float, float]
"""An affine map from places in picture B to places in picture A, by rows: (x, y) -> (a x + b y + c, d x + e y + f).
Six numbers and not an array, because arithmetic on six numbers is faster without NumPy."""


@dataclass(eq=False)
class Surface:
    """A picture with bilinear interpolation between its pixels."""

    picture: Grey

    def __post_init__(self) -> None:
        self.picture = np.ascontiguousarray(self.picture, np.float32)
        self.height, self.width = self.picture.shape

    @cached_property
    def quads(self) -> Grey:
        """Value, step to the right, step down and mixed difference of each pixel, of shape (pixels, 4); stored side by
        side so that one access fetches them."""
        picture = self.picture
        quads = np.zeros((*picture.shape, 4), np.float32)
        quads[:, :, 0] = picture
        quads[:, :-1, 1] = picture[:, 1:] - picture[:, :-1]
        quads[:-1, :, 2:] = quads[1:, :, :2] - quads[:-1, :, :2]
        return quads.reshape(-1, 4)

    @cached_property
    def last(self) -> Grey:
        """The start of the last column and of the last row, of shape (2, 1)."""
        return np.array([[self.width - 1.001], [self.height - 1.001]], np.float32)

    def pixels(self, map: Map, places: Grey) -> Grey:
        """Places of another picture in pixels of this one, of shape (2, n). places: of shape (2, n)."""
        across, down = self.width / 2, self.height / 2
        into = np.array(
            [
                [map[0] * across, map[1] * across, (map[2] + 1) * across - 0.5],
                [map[3] * down, map[4] * down, (map[5] + 1) * down - 0.5],
            ],
            np.float32,
        )
        pixels: Grey = into[:, :1] * places[0]
        pixels += into[:, 1:2] * places[1]
        pixels += into[:, 2:]
        return pixels

    def values(self, pixels: Grey) -> Grey:
        """The values at places, clamped to the picture. pixels: of shape (2, n); overwritten."""
        np.maximum(pixels, 0, out=pixels)
        np.minimum(pixels, self.last, out=pixels)
        whole = np.floor(pixels)
        pixels -= whole
        x, y = pixels
        number = whole[1] * np.float32(self.width)
        number += whole[0]
        four = self.quads.take(number.astype(np.intp), axis=0)
        found: Grey = four[:, 1] * x
        found += four[:, 0]
        below = four[:, 3] * x
        below += four[:, 2]
        below *= y
        found += below
        return found

    def at(self, map: Map, places: Grey) -> Grey:
        """The values of this picture at places of another picture."""
        return self.values(self.pixels(map, places))


CACHED_PIXELS: Final = 128 * 128
"""The places of larger pictures are computed anew each time, because a cache of them would fill the memory."""


@dataclass(eq=False)
class Template:
    """The picture that stays in place during registration (Baker and Matthews, "Lucas-Kanade 20 Years On")."""

    height: int
    width: int
    every_other: bool
    """Only every other pixel is used, as the squares of one colour on a chessboard."""
    values: Grey
    """Grey levels of the pixels minus their mean."""
    gradients: Grey
    """The gradients across and down in each pixel, of shape (2, pixels)."""
    inverse: NDArray[np.float64]
    """The inverse of the Hessian, of shape (6, 6)."""
    power: float
    """Sum of the squares of values."""

    @classmethod
    def of(cls, picture: Grey, every_other: bool = False) -> "Template":
        """every_other: use every other pixel if there are more than FIT * FIT."""
        height, width = picture.shape
        every_other = every_other and picture.size > FIT * FIT
        if compiled.kernels is not None:
            count = (picture.size + 1) // 2 if every_other else picture.size
            values, gradients = np.empty(count, np.float32), np.empty((2, count), np.float32)
            inverse: NDArray[np.float64] = np.empty((6, 6))
            power = compiled.kernels.template(
                np.ascontiguousarray(picture, np.float32), every_other, values, gradients, inverse
            )
            return cls(height, width, every_other, values, gradients, inverse, power)
        _, places, chosen = _places_of(height, width, every_other)
        gradients = np.stack(
            [_steps(picture.T).T.ravel() * np.float32(width / 2), _steps(picture).ravel() * np.float32(height / 2)]
        )
        values = picture.ravel()
        if chosen is not None:
            values, gradients = values[chosen], gradients[:, chosen]
        steepest = (gradients.astype(np.float64)[:, None] * places).reshape(6, -1)
        hessian = steepest @ steepest.T
        ridge = 1e-3 * float(np.trace(hessian)) / 6 + 1e-3
        inverse = np.asarray(np.linalg.inv(hessian + ridge * np.eye(6)), np.float64)
        values = values - np.float32(total(values) / len(values))
        wide = values.astype(np.float64)
        return cls(height, width, every_other, values, gradients, inverse, float(wide @ wide))

    # What follows is only for the definition in NumPy.

    @cached_property
    def wide(self) -> NDArray[np.float64]:
        """The values in 64 bits."""
        return self.values.astype(np.float64)

    @cached_property
    def _places(self) -> "Places":
        return _places_of(self.height, self.width, self.every_other)

    @property
    def places(self) -> Grey:
        """x and y of the pixels, of shape (2, pixels)."""
        return self._places[0]

    def change(self, error: Grey) -> list[float]:
        """The change of the six numbers of a map that reduces an error of each pixel."""
        weighed = np.multiply(self.gradients, error, dtype=np.float64)
        change: list[float] = (self.inverse @ (weighed @ self._places[1].T).ravel()).tolist()
        return change


def total(values: Grey) -> float:
    """The sum in 64 bits, whose first 32 bits hardly ever depend on the order."""
    return float(np.add.reduce(values, axis=None, dtype=np.float64))


def _steps(values: Grey) -> Grey:
    """The gradient from row to row, as numpy.gradient computes it, in a quarter of the time."""
    steps = np.empty_like(values)
    np.subtract(values[2:], values[:-2], out=steps[1:-1])
    steps[1:-1] *= np.float32(0.5)
    np.subtract(values[1], values[0], out=steps[0])
    np.subtract(values[-1], values[-2], out=steps[-1])
    return steps


Places = tuple[Grey, NDArray[np.float64], NDArray[np.intp] | None]
"""x and y of pixels, of shape (2, n); x, y and ones, of shape (3, n); the numbers of the pixels (None for all)."""


def _places_of(height: int, width: int, every_other: bool) -> Places:
    return (_places if height * width <= CACHED_PIXELS else _places.__wrapped__)(height, width, every_other)


@lru_cache(maxsize=256)
def _places(height: int, width: int, every_other: bool) -> Places:
    columns, rows = np.tile(_centres(width), height), np.repeat(_centres(height), width)
    wide = np.stack([columns, rows, np.ones_like(rows)]).astype(np.float64)
    chosen = None
    if every_other:
        chosen = np.flatnonzero((np.arange(height)[:, None] + np.arange(width)) % 2 == 0)
        wide = np.ascontiguousarray(wide[:, chosen])
    return wide[:2].astype(np.float32), wide, chosen


@dataclass(eq=False)
class Frame:
    """One frame of a picture, small."""

    plane_on_white: Plane
    alpha: Grey | None
    """0 to 1; None if the frame is opaque."""
    _on: dict[int, Plane] = field(default_factory=dict)

    @classmethod
    def of(cls, image: Image.Image, mask: Image.Image | None = None) -> "Frame":
        """From YCbCr on white and a mask of the same size, or from RGBA or RGB."""
        if image.mode == "RGBA":
            if image.getchannel("A").getextrema() != (255, 255):
                mask = image.getchannel("A")
            white = Image.new("RGB", image.size, "white")
            white.paste(image, mask=mask)
            image = white
        pixels = np.asarray(image if image.mode == "YCbCr" else image.convert("YCbCr"))
        alpha = None if mask is None else np.asarray(mask).astype(np.float32) / 255
        return cls(Plane(*_bands(pixels)), alpha)

    def on(self, background: int) -> Plane:
        """The frame on a grey background, 0 to 255."""
        if self.alpha is None or background == 255:
            return self.plane_on_white
        if background not in self._on:
            white = self.plane_on_white
            self._on[background] = Plane(white.grey - (255 - background) * (1 - self.alpha), white.chroma)
        return self._on[background]


def _bands(pixels: NDArray[np.uint8]) -> tuple[Grey, Grey]:
    """As the first two fields of Plane. pixels: YCbCr, of shape (height, width, 3)."""
    height, width, _ = pixels.shape
    if compiled.kernels is not None:
        grey, chroma = np.empty((height, width), np.float32), np.empty((2, height, width), np.float32)
        compiled.kernels.split(pixels, grey, chroma)
        return grey, chroma
    bands = np.ascontiguousarray(pixels.transpose(2, 0, 1)).astype(np.float32)
    return bands[0], bands[1:] - np.float32(128)


def _centres(count: int) -> Grey:
    return ((np.arange(count) + 0.5) / count * 2 - 1).astype(np.float32)


def shrunk(picture: Grey, box: PixelBox, height: int, width: int) -> Grey:
    """A box of a picture reduced to height x width means. picture: of shape (..., rows, columns)."""
    rows, columns = picture.shape[-2:]
    if compiled.kernels is not None:
        bands = np.ascontiguousarray(picture, np.float32).reshape(-1, rows, columns)
        made = np.empty((len(bands), height, width), np.float32)
        compiled.kernels.shrink(bands, box, made)
        return made.reshape(*picture.shape[:-2], height, width)
    left, top, right, bottom = box
    means = area(rows, top, bottom, height) @ picture @ area(columns, left, right, width).T
    return means.astype(np.float32)


def area(count: int, start: float, stop: float, out: int) -> Grey:
    """A matrix that takes the means of `out` equal parts of [start, stop), of shape (out, count); ends are repeated."""
    return _area(count, float(start), float(stop), out)


@lru_cache(maxsize=512)
def _area(count: int, start: float, stop: float, out: int) -> Grey:
    """The weights are rounded to 32 bits, but stored in 64 so that means are taken in 64 bits."""
    size = (stop - start) / out
    edges = (start + size * np.arange(out + 1)).astype(np.float32)
    low: Grey = edges[:-1, None]
    high: Grey = edges[1:, None]
    if size < 1:
        # A part is smaller than a pixel here: it is interpolated between two centres.
        middle = (low + high) / 2
        low, high, size = middle - 0.5, middle + 0.5, 1.0
    if low[0, 0] < 0 or high[-1, 0] > count:
        # Beyond the ends the outermost pixel is repeated: its weight increases by the length outside.
        inner = _covered(np.clip(low, 0, count), np.clip(high, 0, count), count)
        inner[:, 0] += np.minimum(high, 0)[:, 0] - np.minimum(low, 0)[:, 0]
        inner[:, -1] += np.maximum(high, count)[:, 0] - np.maximum(low, count)[:, 0]
        return (inner / np.float32(size)).astype(np.float64)
    return (_covered(low, high, count) * np.float32(1 / size)).astype(np.float64)


def _covered(low: Grey, high: Grey, count: int) -> Grey:
    """The share of each pixel that is inside each [low, high)."""
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
