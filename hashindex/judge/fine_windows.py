"""Comparison of two large pictures window by window: resampling, tone, structure, small shifts. Does no I/O.

The windows are those of overlap.py, but computed for pictures of millions of pixels and for dozens of frames.
"""

import math
from typing import Any, Final, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hashindex.judge import compiled
from hashindex.judge.planes import Grey, Map

Levels = NDArray[np.uint8]
"""Grey levels."""


# Onto the same pixels


def resampled(image: Image.Image, shape: tuple[int, ...], map: Map, rectangle: tuple[int, int, int, int]) -> Levels:
    """The image a resampled to the pixels of a rectangle of picture b. shape: of b. map: of b into a."""
    height, width = shape
    x0, y0, x1, y1 = rectangle
    # In pixels of a: x = p[0] * column + p[1] * row + p[2], and so on.
    across, down = image.width / 2, image.height / 2
    step_x, step_y = 2 / width, 2 / height
    a, b, c, d, e, f = map
    matrix = [
        a * across * step_x, b * across * step_y, (c + 1 - a - b) * across,
        d * down * step_x, e * down * step_y, (f + 1 - d - e) * down,
    ]  # fmt: skip
    finer = math.sqrt(abs(matrix[0] * matrix[4] - matrix[1] * matrix[3]))
    corners = [(matrix[0] * x + matrix[1] * y + matrix[2] - x, matrix[3] * x + matrix[4] * y + matrix[5] - y)
               for x, y in ((x0, y0), (x1, y0), (x0, y1), (x1, y1))]  # fmt: skip
    if image.size == (width, height) and max(abs(off) for corner in corners for off in corner) < UNMOVED:
        return np.asarray(image)[y0:y1, x0:x1]
    if finer > 1.1:
        # Pillow's transform reads two pixels on each side only, so the image is reduced to the scale of b first.
        size = max(1, round(image.width / finer)), max(1, round(image.height / finer))
        ratio_x, ratio_y = size[0] / image.width, size[1] / image.height
        image = image.resize(size, Image.Resampling.BOX)
        matrix = [number * ratio_x for number in matrix[:3]] + [number * ratio_y for number in matrix[3:]]
    matrix[2] += matrix[0] * x0 + matrix[1] * y0
    matrix[5] += matrix[3] * x0 + matrix[4] * y0
    # Pillow returns black outside the image, so its edge is repeated.
    wide = Image.fromarray(_with_repeated_edges(np.asarray(image), 2))
    matrix[2] += 2
    matrix[5] += 2
    return np.asarray(
        wide.transform((x1 - x0, y1 - y0), Image.Transform.AFFINE, matrix, Image.Resampling.BICUBIC), np.uint8
    )


GreyOrLevels = TypeVar("GreyOrLevels", Levels, Grey)


def _with_repeated_edges(picture: GreyOrLevels, border: int) -> GreyOrLevels:
    """numpy.pad of mode edge, in a fifth of the time."""
    height, width = picture.shape
    wide = np.empty((height + 2 * border, width + 2 * border), picture.dtype)
    inside = slice(border, border + width)
    wide[border : border + height, inside] = picture
    wide[:border, inside] = picture[0]
    wide[border + height :, inside] = picture[-1]
    wide[:, :border] = wide[:, border : border + 1]
    wide[:, border + width :] = wide[:, border + width - 1 : border + width]
    return wide


UNMOVED: Final = 0.3
"""If all corners are off by less than this, in pixels, nothing is resampled, so nothing is blurred."""


# Tone

SAMPLES: Final = 1 << 16
"""The approximate number of pixels to which a tone curve is fitted."""


def toned_levels(a: Levels, b: Levels) -> Grey:
    """The picture a with its grey levels fitted to those of b."""
    return np.asarray(np.take(tone_curve(a, b), a), np.float32)


def tone_curve(a: Levels, b: Levels) -> Grey:
    """A curve from the grey levels of a to those of b, of shape (256,), with a slope within SLOPES.

    A flat curve would merge letters, or the inside of a face, with their background, so that no difference remained.
    """
    step = max(1, math.isqrt(a.size // SAMPLES))
    table = _table(a[::step, ::step], b[::step, ::step])
    count = table.sum(axis=1).astype(float)
    used = np.flatnonzero(count >= max(4.0, 0.0005 * count.sum()))
    # Medians and not means, so that places with different content have less influence.
    levels, heights = used * 8 + 3.5, _medians(table[used])
    steps = np.diff(levels)
    rises = np.clip(np.diff(heights), SLOPES[0] * steps, SLOPES[1] * steps)
    curve = np.concatenate([[0.0], np.cumsum(rises)])
    # The offset that fits most pixels.
    order = np.argsort(heights - curve)
    half = np.searchsorted(np.cumsum(count[used][order]), count.sum() / 2)
    curve += (heights - curve)[order[min(half, len(order) - 1)]]
    every = np.interp(_LEVELS, levels, curve)
    every[: int(levels[0])] += _LEVELS[: int(levels[0])] - levels[0]
    every[int(levels[-1]) + 1 :] += _LEVELS[int(levels[-1]) + 1 :] - levels[-1]
    return np.asarray(every, np.float32)


def _table(a: Levels, b: Levels) -> NDArray[np.int64]:
    """How often each level of b occurs where a has a level of each bin of 8, of shape (32, 256)."""
    if compiled.kernels is not None:
        table = np.zeros((32, 256), np.int64)
        compiled.kernels.tally(np.ascontiguousarray(a), np.ascontiguousarray(b), table)
        return table
    places = (a >> 3).astype(np.int64) * 256 + b
    return np.bincount(places.ravel(), minlength=32 * 256).reshape(32, 256)


def _medians(table: NDArray[np.int64]) -> Grey:
    """The medians of levels that occur this often, one for each row. table: of shape (n, 256)."""
    seen = np.cumsum(table, axis=1)
    count = seen[:, -1:]
    low, high = (seen > (count - 1) // 2).argmax(axis=1), (seen > count // 2).argmax(axis=1)
    return np.asarray((low + high) / 2)


SLOPES: Final = (0.4, 2.5)
_LEVELS: Final = np.arange(256)


# Windows

WINDOW: Final = 9
STRIDE: Final = 3
NOISE: Final = 10.0 * 10.0
"""A window with less variance counts as plain; the square of overlap.NOISE."""
DIFFERS: Final = 0.4
"""From this difference of structure a window counts as changed."""


class FineWindows(NamedTuple):
    """Measurements of windows of WINDOW pixels, STRIDE apart; arrays of shape (rows, columns) of windows."""

    difference: Grey
    """Difference of structure: 0 for the same structure, 1 for nothing in common, at most 2."""
    power_a: Grey
    power_b: Grey
    """Variance of the grey levels."""

    def weight(self) -> Grey:
        """The two-sided weight: difference times the lower contrast where both show something, else 0."""
        least, most = np.minimum(self.power_a, self.power_b), np.maximum(self.power_a, self.power_b)
        two = (self.difference > DIFFERS) & (least > 36) & (least > 0.15 * most)
        return np.where(two, self.difference * np.sqrt(least), np.float32(0))

    def one_sided_weight(self) -> Grey:
        """The one-sided weight: the additional contrast where only one of the two shows something, else 0."""
        least, most = np.minimum(self.power_a, self.power_b), np.maximum(self.power_a, self.power_b)
        two = (self.difference > DIFFERS) & (least > 36) & (least > 0.15 * most)
        one = (self.difference > 0.5) & ~two & (most > 144)
        return np.where(one, np.sqrt(most - least), np.float32(0))


def spot(weight: Grey) -> float:
    """The largest mean over 5 x 5 windows."""
    return float(_sums(weight, 5).max()) / 25 if min(weight.shape) >= 5 else float(weight.mean())


def deep(weight: Grey) -> float:
    """The fifth largest weight."""
    return float(np.partition(weight, -5, axis=None)[-5]) if weight.size >= 5 else 0.0


def measured(a: Grey, b: Grey) -> FineWindows:
    """The structure term of SSIM (Wang et al. 2004), with one constant for the noise."""
    if compiled.kernels is not None:
        made = np.empty((3, a.shape[0] // STRIDE - 2, a.shape[1] // STRIDE - 2), np.float32)
        compiled.kernels.measure(np.ascontiguousarray(a), np.ascontiguousarray(b), made)
        return FineWindows(*made)
    # Minus a middle level, so that squares stay precise in 32 bits.
    a, b = a - np.float32(128), b - np.float32(128)
    share = np.float32(1 / (WINDOW * WINDOW))
    mean_a, mean_b = window_sums(a) * share, window_sums(b) * share
    power_a = np.maximum(window_sums(a * a) * share - mean_a * mean_a, 0)
    power_b = np.maximum(window_sums(b * b) * share - mean_b * mean_b, 0)
    both = window_sums(a * b) * share - mean_a * mean_b
    return FineWindows(1 - (2 * both + NOISE) / (power_a + power_b + NOISE), power_a, power_b)


def window_sums(values: Grey) -> Grey:
    """The sums of all windows of WINDOW pixels, STRIDE apart. values: of shape (..., height, width).

    A window is three blocks of STRIDE in each direction.
    """
    height, width = (length // STRIDE * STRIDE for length in values.shape[-2:])
    rows = values[..., 0:height:STRIDE, :] + values[..., 1:height:STRIDE, :] + values[..., 2:height:STRIDE, :]
    rows = rows[..., :-2, :] + rows[..., 1:-1, :] + rows[..., 2:, :]
    blocks = rows[..., 0:width:STRIDE] + rows[..., 1:width:STRIDE] + rows[..., 2:width:STRIDE]
    return np.asarray(blocks[..., :-2] + blocks[..., 1:-1] + blocks[..., 2:])


def _sums(values: Grey, size: int) -> Grey:
    """The sums of all squares of this size."""
    sums = np.zeros((values.shape[0] + 1, values.shape[1] + 1))
    np.cumsum(np.cumsum(values, axis=0, dtype=np.float64), axis=1, out=sums[1:, 1:])
    return np.asarray(sums[size:, size:] - sums[:-size, size:] - sums[size:, :-size] + sums[:-size, :-size])


# Small errors of the registration

FLAT: Final = 1e-3
"""As overlap.FLAT."""
TILE: Final = 48
"""Side of a tile, which is moved as one, in pixels; the inner half of each tile counts."""
REACH: Final = 3
"""The farthest that a tile is moved, in pixels."""
MOST_TILES: Final = 400


def realigned(a: Grey, b: Grey, view: FineWindows, strong: NDArray[np.bool_]) -> FineWindows:
    """The windows, the strong ones compared again after their tile of a was moved to where it fits best."""
    height, width = b.shape
    half, border = TILE // 2, REACH + 1
    wide = _with_repeated_edges(a, border)
    difference = view.difference.copy()
    places, counts = np.unique(np.argwhere(strong) * STRIDE // half, axis=0, return_counts=True)
    for row, column in places[np.argsort(-counts)][:MOST_TILES].tolist():
        top = min(max(0, row * half - half // 2), height - TILE)
        left = min(max(0, column * half - half // 2), width - TILE)
        down, across = _best_shift(wide, b, top, left)
        first_y, first_x = -(-row * half // STRIDE), -(-column * half // STRIDE)
        last_y, last_x = -(-(row + 1) * half // STRIDE), -(-(column + 1) * half // STRIDE)
        y0, x0 = first_y * STRIDE, first_x * STRIDE
        y1, x1 = min(height, (last_y - 1) * STRIDE + WINDOW), min(width, (last_x - 1) * STRIDE + WINDOW)
        if y1 - y0 < WINDOW or x1 - x0 < WINDOW:
            continue
        still = b[y0:y1, x0:x1]
        for extra_down, extra_across in ((0, 0), (0, 1), (0, -1), (1, 0), (-1, 0)):
            y, x = y0 + border + down + extra_down, x0 + border + across + extra_across
            again = measured(wide[y : y + y1 - y0, x : x + x1 - x0], still).difference
            part = difference[first_y : first_y + again.shape[0], first_x : first_x + again.shape[1]]
            np.minimum(part, again[: part.shape[0], : part.shape[1]], out=part)
    return view._replace(difference=difference)


def _best_shift(wide: Grey, b: Grey, top: int, left: int) -> tuple[int, int]:
    """How far down and across the tile of a is that fits the tile of b best. wide: a, padded."""
    still = b[top : top + TILE, left : left + TILE]
    reach = wide[top + 1 : top + 1 + TILE + 2 * REACH, left + 1 : left + 1 + TILE + 2 * REACH]
    cost = np.empty((2 * REACH + 1, 2 * REACH + 1), np.float32)
    if compiled.kernels is not None:
        compiled.kernels.cost(np.ascontiguousarray(reach), np.ascontiguousarray(still), cost)
    else:
        moved: Any = np.lib.stride_tricks.sliding_window_view(reach, (TILE, TILE))
        off = moved - still
        off -= (np.add.reduce(off, axis=(2, 3), keepdims=True, dtype=np.float64) / still.size).astype(np.float32)
        off *= off
        cost[:] = np.add.reduce(off, axis=(2, 3), dtype=np.float64)
        # Equal up to a constant: what remains is rounding.
        cost[cost < FLAT] = 0
    down, across = divmod(int(cost.argmin()), 2 * REACH + 1)
    return down - REACH, across - REACH
