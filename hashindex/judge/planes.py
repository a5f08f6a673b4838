"""Small frames as arrays, with everything that can be computed from one frame alone. Does no I/O.

Coordinates run from -1 to 1 across the whole picture, so that sizes do not matter.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hashindex.judge.candidates import PROBES, trimmed

Grey = NDArray[np.floating[Any]]
"""float32; arithmetic on small arrays may return float64."""
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
        left, top, right, bottom = trimmed(np.clip(self.grey, 0, 255).astype(np.uint8))
        return float(left), float(top), float(right), float(bottom)

    @cached_property
    def parts(self) -> NDArray[np.float64]:
        """The boxes of the whole and of _PARTS of the area inside the border, of shape (10, 4)."""
        height, width = self.grey.shape
        left, top, right, bottom = self.box
        across, down = right - left, bottom - top
        inner = [(left + across * a, top + down * b, left + across * c, top + down * d) for a, b, c, d in _PARTS]
        return np.array([(0, 0, width, height), *inner], np.float64)

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
        return Surface.of(self.small)

    @cached_property
    def surface_fine(self) -> "Surface":
        return Surface.of(self.middle)

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
        off = self.grey - np.float32(np.add.reduce(self.grey, axis=None) / self.grey.size)
        return math.sqrt(float(np.add.reduce(off * off, axis=None)) / off.size)


def share_border(planes: Sequence[Plane]) -> None:
    """Gives the frames of one animation the border that is plain in all of them, and computes their thumbs at once."""
    stack = np.stack([plane.grey for plane in planes])
    box: PixelBox = 0.0, 0.0, float(stack.shape[2]), float(stack.shape[1])
    if min(stack.shape[1:]) >= 8:
        levels = np.clip(stack, 0, 255).astype(np.uint8)
        # A line that is plain in both the maximum and the minimum of all frames, with equal greys, is plain in each.
        boxes = [trimmed(extreme(levels, axis=0)) for extreme in (np.maximum.reduce, np.minimum.reduce)]
        (a, b, c, d), (e, f, g, h) = boxes
        box = float(min(a, e)), float(min(b, f)), float(max(c, g)), float(max(d, h))
    for plane, thumbs in zip(planes, _thumbs(stack, box), strict=True):
        plane.__dict__["box"] = box
        plane.__dict__["thumbs"] = thumbs


def _thumbs(stack: Grey, box: PixelBox) -> Grey:
    """The thumbs of frames with one border, of shape (n, 10, THUMB * THUMB). stack: of shape (n, height, width)."""
    count, height, width = stack.shape
    rows, columns = _thumb_rows(height, box[1], box[3]), _thumb_rows(width, box[0], box[2])
    table = (rows @ stack @ columns.T).reshape(count, _SPANS, THUMB, _SPANS, THUMB).swapaxes(2, 3)
    thumbs = table[:, _ROW_OF, _COLUMN_OF].reshape(count, len(_ROW_OF), -1)
    thumbs = thumbs - thumbs.mean(axis=2, keepdims=True)
    lengths = np.sqrt((thumbs * thumbs).sum(axis=2, keepdims=True))
    return np.asarray(thumbs / np.maximum(lengths, 16.0), np.float32)


Map = tuple[float, float, float, float, float, float]
"""An affine map from places in picture B to places in picture A, by rows: (x, y) -> (a x + b y + c, d x + e y + f).
Six numbers and not an array, because arithmetic on six numbers is faster without NumPy."""


class Surface(NamedTuple):
    """A picture with bilinear interpolation between its pixels."""

    quads: Grey
    """Value, step to the right, step down and mixed difference of each pixel, of shape (pixels, 4); stored side by side
    so that one access fetches them."""
    height: int
    width: int
    last: Grey
    """The start of the last column and of the last row, of shape (2, 1)."""

    @classmethod
    def of(cls, picture: Grey) -> "Surface":
        height, width = picture.shape
        quads = np.zeros((height, width, 4), np.float32)
        quads[:, :, 0] = picture
        quads[:, :-1, 1] = picture[:, 1:] - picture[:, :-1]
        quads[:-1, :, 2:] = quads[1:, :, :2] - quads[:-1, :, :2]
        last = np.array([[width - 1.001], [height - 1.001]], np.float32)
        return cls(quads.reshape(-1, 4), height, width, last)

    def pixels(self, map: Map, places: Grey) -> Grey:
        """Places of another picture in pixels of this one, of shape (2, n). places: of shape (3, n), the last row 1."""
        across, down = self.width / 2, self.height / 2
        into = [
            [map[0] * across, map[1] * across, (map[2] + 1) * across - 0.5],
            [map[3] * down, map[4] * down, (map[5] + 1) * down - 0.5],
        ]
        return np.array(into, np.float32) @ places

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


class Template(NamedTuple):
    """The picture that stays in place during registration (Baker and Matthews, "Lucas-Kanade 20 Years On")."""

    places: Grey
    """x, y and ones, of shape (3, pixels)."""
    values: Grey
    """Grey levels minus their mean."""
    power: float
    """Sum of the squares of values."""
    descent: Grey
    """How an error in each pixel changes the six numbers of the map, of shape (6, pixels)."""

    @classmethod
    def of(cls, small: Grey, every_other: bool = False) -> "Template":
        """every_other: use every other pixel, as the squares of one colour on a chessboard."""
        height, width = small.shape
        places_of = _places if small.size <= CACHED_PIXELS else _places.__wrapped__
        places, chosen = places_of(height, width, every_other and small.size > FIT * FIT)
        down, across = _steps(small).ravel() * np.float32(height / 2), _steps(small.T).T.ravel() * np.float32(width / 2)
        values = small.ravel()
        if chosen is not None:
            values, down, across = values[chosen], down[chosen], across[chosen]
        steepest = np.concatenate([places * across, places * down])
        hessian = (steepest @ steepest.T).astype(np.float64)
        ridge = 1e-3 * float(np.trace(hessian)) / 6 + 1e-3
        inverse = np.linalg.inv(hessian + ridge * np.eye(6))
        values = values - np.float32(np.add.reduce(values) / len(values))
        return cls(places, values, float(values @ values), inverse.astype(np.float32) @ steepest)


def _steps(values: Grey) -> Grey:
    """The gradient from row to row, as numpy.gradient computes it, in a quarter of the time."""
    steps = np.empty_like(values)
    np.subtract(values[2:], values[:-2], out=steps[1:-1])
    steps[1:-1] *= np.float32(0.5)
    np.subtract(values[1], values[0], out=steps[0])
    np.subtract(values[-1], values[-2], out=steps[-1])
    return steps


@lru_cache(maxsize=512)
def _places(height: int, width: int, every_other: bool) -> tuple[Grey, NDArray[np.intp] | None]:
    """The places of all pixels or of every other pixel, as in Template, and their numbers (None for all)."""
    columns, rows = np.tile(_centres(width), height), np.repeat(_centres(height), width)
    places = np.stack([columns, rows, np.ones_like(rows)])
    if not every_other:
        return places, None
    chosen = np.flatnonzero((np.arange(height)[:, None] + np.arange(width)) % 2 == 0)
    return np.ascontiguousarray(places[:, chosen]), chosen


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
        planes = np.asarray(image.convert("YCbCr")).astype(np.float32).transpose(2, 0, 1)
        alpha = None if mask is None else np.asarray(mask).astype(np.float32) / 255
        return cls(Plane(np.ascontiguousarray(planes[0]), planes[1:] - 128), alpha)

    def on(self, background: int) -> Plane:
        """The frame on a grey background, 0 to 255."""
        if self.alpha is None or background == 255:
            return self.plane_on_white
        if background not in self._on:
            white = self.plane_on_white
            self._on[background] = Plane(white.grey - (255 - background) * (1 - self.alpha), white.chroma)
        return self._on[background]


def _centres(count: int) -> Grey:
    return ((np.arange(count) + 0.5) / count * 2 - 1).astype(np.float32)


def shrunk(picture: Grey, box: PixelBox, height: int, width: int) -> Grey:
    """A box of a picture reduced to height x width means. picture: of shape (..., rows, columns)."""
    rows, columns = picture.shape[-2:]
    left, top, right, bottom = box
    return area(rows, top, bottom, height) @ picture @ area(columns, left, right, width).T


def area(count: int, start: float, stop: float, out: int) -> Grey:
    """A matrix that takes the means of `out` equal parts of [start, stop), of shape (out, count); ends are repeated."""
    return _area(count, float(start), float(stop), out)


@lru_cache(maxsize=512)
def _area(count: int, start: float, stop: float, out: int) -> Grey:
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
        return inner / np.float32(size)
    return _covered(low, high, count) * np.float32(1 / size)


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
