"""The area that two aligned frames share, and its comparison window by window. Does no I/O."""

import math
from functools import cache
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hashindex.judge import compiled
from hashindex.judge.planes import Grey, Map, Plane, Surface, shrunk
from hashindex.judge.registration import WHOLE, corners, invert, seen_from


class Overlap(NamedTuple):
    """The area that both pictures show, on the pixels of the coarser picture b."""

    a: Grey
    b: Grey
    colour_a: Grey
    """Cb and Cr of a, each COLOUR x COLOUR."""
    colour_b: Grey
    rectangle: tuple[int, int, int, int]
    """The shared area in b: left, top, right, bottom, in pixels."""


COLOUR: Final = 16


def overlap_of(a: Plane, b: Plane, map: Map) -> Overlap | None:
    """The overlap of both pictures; None if a side of it is shorter than 8 pixels. map: of b into a."""
    rectangle = shared_rectangle(b.grey.shape, map)
    if rectangle is None:
        return None
    x0, y0, x1, y1 = rectangle
    height, width = b.grey.shape
    rows, columns = a.grey.shape
    own = np.ascontiguousarray(b.grey[y0:y1, x0:x1])
    slant = max(abs(map[1]) * rows, abs(map[3]) * columns)
    there = seen_from(map, (x0, y0, x1, y1), b.grey.shape, a.grey.shape)
    if a.grey.shape == b.grey.shape and map == WHOLE:
        other = a.grey
    elif slant < 1.2:
        other = shrunk(a.grey, there, y1 - y0, x1 - x0)
    elif compiled.kernels is not None:
        other = np.empty(own.shape, np.float32)
        compiled.kernels.warp(a.grey, map, b.grey.shape, (x0, y0), other)
    else:
        down, across = (np.arange(y0, y1) + 0.5) / height * 2 - 1, (np.arange(x0, x1) + 0.5) / width * 2 - 1
        y, x = (places.ravel() for places in np.meshgrid(down, across, indexing="ij"))
        places = np.stack([x, y]).astype(np.float32)
        other = Surface(a.grey).at(map, places).reshape(y1 - y0, x1 - x0)
    return Overlap(
        other,
        own,
        shrunk(a.chroma, there, COLOUR, COLOUR),
        shrunk(b.chroma, (x0, y0, x1, y1), COLOUR, COLOUR),
        (x0, y0, x1, y1),
    )


def shared_rectangle(shape: tuple[int, ...], map: Map) -> tuple[int, int, int, int] | None:
    """The part of b that lies in a: left, top, right, bottom in pixels of b; None if a side is shorter than 8 pixels.

    shape: of b. map: of b into a.
    """
    height, width = shape
    # The largest upright box inside the corners of a, in coordinates of b.
    upper_left, upper_right, lower_left, lower_right = corners(invert(map))
    left, right = max(-1.0, upper_left[0], lower_left[0]), min(1.0, upper_right[0], lower_right[0])
    top, bottom = max(-1.0, upper_left[1], upper_right[1]), min(1.0, lower_left[1], lower_right[1])
    x0, x1 = math.ceil((left + 1) / 2 * width - 0.25), math.floor((right + 1) / 2 * width + 0.25)
    y0, y1 = math.ceil((top + 1) / 2 * height - 0.25), math.floor((bottom + 1) / 2 * height + 0.25)
    x0, y0, x1, y1 = max(0, x0), max(0, y0), min(width, x1), min(height, y1)
    if x1 - x0 < 8 or y1 - y0 < 8:
        return None
    return x0, y0, x1, y1


# Windows

WINDOW: Final = 9
STRIDE: Final = 3


@cache
def band(count: int, size: int) -> Grey:
    """A matrix that takes the sums of all runs of `size` out of `count`, of shape (count - size + 1, count)."""
    rows = np.zeros((count - size + 1, count))
    for start, row in enumerate(rows):
        row[start : start + size] = 1
    return rows


@cache
def _window_rows(count: int) -> Grey:
    """A matrix that takes the sums of windows of WINDOW pixels, STRIDE apart, of shape (windows, count)."""
    return np.ascontiguousarray(band(count, min(WINDOW, count))[::STRIDE])


class Windows(NamedTuple):
    """Measurements of each window of an overlap; arrays of shape (rows, columns) of windows."""

    difference: Grey
    """Difference of structure: 0 for the same structure, 1 for nothing in common, at most 2."""
    power_a: Grey
    power_b: Grey
    """Variance of the grey levels."""
    mean: Grey
    """Mean of a minus mean of b."""


NOISE: Final = 10.0
"""A window with less contrast than this, in grey levels, counts as plain."""
FLAT: Final = 1e-3
"""A variance below this counts as 0, because rounding also causes it."""


def windows(a: Grey, b: Grey) -> Windows:
    """1 - (2 cov + c^2) / (var a + var b + c^2); where that is large, the minimum over small shifts.

    This is the structure term of SSIM (Wang et al. 2004) with one constant for the noise.
    """
    if compiled.kernels is not None:
        across, down = ((length - min(WINDOW, length)) // STRIDE + 1 for length in (a.shape[1], a.shape[0]))
        made = np.empty((4, down, across), np.float32)
        compiled.kernels.windows(np.ascontiguousarray(a, np.float32), np.ascontiguousarray(b, np.float32), made)
        return Windows(*made)
    rows, columns = _window_rows(a.shape[0]), _window_rows(a.shape[1]).T
    one, other = a.astype(np.float64), b.astype(np.float64)
    stack = np.stack([one, other, one * one, other * other, one * other])
    means = rows @ stack @ columns
    means /= min(WINDOW, a.shape[0]) * min(WINDOW, a.shape[1])
    mean_a, mean_b, square_a, square_b, both = means
    power_a, power_b = square_a - mean_a * mean_a, square_b - mean_b * mean_b
    power_a[power_a < FLAT] = 0
    power_b[power_b < FLAT] = 0
    noise = NOISE * NOISE
    difference = 1 - (2 * (both - mean_a * mean_b) + noise) / (power_a + power_b + noise)
    difference, power_a, power_b = (values.astype(np.float32) for values in (difference, power_a, power_b))
    bad = np.argwhere(difference > 0.25)
    if 0 < len(bad) <= 0.4 * difference.size and min(a.shape) > WINDOW + 2:
        if len(bad) > 128:
            worst = np.argsort(-difference[bad[:, 0], bad[:, 1]], kind="stable")[:128]
            bad = bad[worst]
        difference[bad[:, 0], bad[:, 1]] = np.minimum(difference[bad[:, 0], bad[:, 1]], _shifted(one, other, bad))
    return Windows(difference, power_a, power_b, (mean_a - mean_b).astype(np.float32))


def _shifted(a: Grey, b: Grey, places: NDArray[np.int64]) -> Grey:
    """The smallest difference of the windows at these places when a is shifted by one pixel."""
    y = np.clip(places[:, 0] * STRIDE, 1, a.shape[0] - WINDOW - 1)
    x = np.clip(places[:, 1] * STRIDE, 1, a.shape[1] - WINDOW - 1)
    view_b = np.lib.stride_tricks.sliding_window_view(b, (WINDOW, WINDOW))[y, x].reshape(len(y), -1)
    view_b = view_b - view_b.mean(axis=1, keepdims=True)
    power_b = np.einsum("ij,ij->i", view_b, view_b)
    noise = NOISE * NOISE * WINDOW * WINDOW
    best = np.full(len(y), 2.0, np.float32)
    all_a = np.lib.stride_tricks.sliding_window_view(a, (WINDOW, WINDOW))
    for down, across in ((0, 1), (0, -1), (1, 0), (-1, 0)):
        view_a = all_a[y + down, x + across].reshape(len(y), -1)
        view_a = view_a - view_a.mean(axis=1, keepdims=True)
        cov = np.einsum("ij,ij->i", view_a, view_b)
        power_a = np.einsum("ij,ij->i", view_a, view_a)
        best = np.minimum(best, (1 - (2 * cov + noise) / (power_a + power_b + noise)).astype(np.float32))
    return best
