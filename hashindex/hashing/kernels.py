"""The arithmetic of the six perceptual hashes, in batches of prepared pictures.

Every hash is bit for bit that of ImageHash for `PIL.Image.frombytes("L", (64, 64), prepared)`, in a twentieth of the
time. Three things make that possible:

- Pillow shrinks in fixed point, and float64 holds those whole numbers exactly, so its Lanczos filter is two matrix
  products here.
- A bit is the sign of (value - median). If the rounding errors of both are far smaller than the gap to the median, the
  sign is certain.
- If it is not certain (symmetric pictures have coefficients that are zero except for rounding), the wavelet repeats the
  roundings of PyWavelets step by step, and the cosine transform is left to ImageHash, which is imported only then.

"Bit for bit" holds for a PyWavelets that was built without fused multiply-add, as its wheels for x86-64 are. With
another one (arm64) a wavelet hash may differ in bits whose block ties with the median.

The matrices are small, and threads of OpenBLAS wait for each other by spinning: on two busy cores two threads took 460
to 830 microseconds a picture, and one took 80 to 130. So set OPENBLAS_NUM_THREADS=1 before NumPy is first imported.
"""

import math
from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

SIDE = 64
"""Width and height of a prepared picture."""

Pixels = NDArray[np.float64]
"""Grey levels, whole numbers 0 to 255, of shape (pictures, height, width)."""
Bits = NDArray[np.bool_]
"""Of shape (pictures, bits of the recipe), in ImageHash's order: row by row from the top left."""


def compute(prepared: Sequence[bytes]) -> list[dict[str, bytes]]:
    """recipes.compute, for pictures of the right length."""
    values: list[dict[str, bytes]] = []
    for start in range(0, len(prepared), _BATCH):
        values += _compute_batch(prepared[start : start + _BATCH])
    return values


_BATCH = 32
# Pictures at a time: at 32 KB a picture and stage the matrices stay in cache. 16 to 64 are as fast; 8 take 40 % longer.


def _compute_batch(prepared: Sequence[bytes]) -> list[dict[str, bytes]]:
    grey = np.frombuffer(b"".join(prepared), np.uint8).reshape(-1, SIDE, SIDE)
    pixels = grey.astype(np.float64)
    values: list[dict[str, bytes]] = [{} for _ in prepared]
    for name, bits_of in _ALGORITHMS.items():
        packed = np.packbits(bits_of(pixels), axis=1)
        for value, row in zip(values, packed, strict=True):
            value[name] = row.tobytes()
    return values


# Shrinking as Pillow does


def _shrink(pixels: Pixels, width: int, height: int) -> Pixels:
    """Image.resize((width, height), LANCZOS), exactly; like Pillow, skips a side that has its size already."""
    if pixels.shape[2] != width:
        # One product for all rows of all pictures is three times as fast as one for each picture.
        rows = pixels.reshape(-1, pixels.shape[2])
        pixels = _round(rows @ _lanczos(pixels.shape[2], width).T).reshape(len(pixels), -1, width)
    if pixels.shape[1] != height:
        pixels = _round(_lanczos(pixels.shape[1], height) @ pixels)
    return pixels


def _round(sums: Pixels) -> Pixels:
    """Pillow's clip8 after each pass, in place: rounds half up, then clips to 0 to 255."""
    sums += 0.5
    np.floor(sums, out=sums)
    np.clip(sums, 0.0, 255.0, out=sums)
    return sums


@cache
def _lanczos(before: int, after: int) -> NDArray[np.float64]:
    """Weights of shape (after, before) as in Pillow's Resample.c (precompute_coeffs, normalize_coeffs_8bpc).

    There they are whole numbers of 22 fraction bits. A weighted sum of bytes then has at most 31 bits, and scaling
    by a power of two rounds nothing, so float64 gives Pillow's sums in whatever order BLAS adds. The steps below
    keep Pillow's order and form, for one unit in the last of the 22 bits may turn a pixel.
    """
    scale = before / after
    reach = 3.0 * max(scale, 1.0)
    per_pixel = 1.0 / max(scale, 1.0)
    weights = np.zeros((after, before))
    for target in range(after):
        center = (target + 0.5) * scale
        first = max(0, int(center - reach + 0.5))
        last = min(before, int(center + reach + 0.5))
        raw = [_lanczos_at((source - center + 0.5) * per_pixel) for source in range(first, last)]
        total = 0.0
        for weight in raw:  # not sum(): since Python 3.12 it compensates for rounding, and Pillow does not
            total += weight
        for source, weight in zip(range(first, last), raw, strict=True):
            scaled = weight / total * (1 << 22)
            weights[target, source] = int(scaled - 0.5 if scaled < 0 else scaled + 0.5) / (1 << 22)
    return weights


def _lanczos_at(x: float) -> float:
    return _sinc(x) * _sinc(x / 3.0) if -3.0 <= x < 3.0 else 0.0


def _sinc(x: float) -> float:
    return math.sin(x * math.pi) / (x * math.pi) if x else 1.0


# Average and differences: whole numbers throughout, so every comparison is exact


def _average_bits(pixels: Pixels) -> Bits:
    """imagehash.average_hash(image)."""
    small = _shrink(pixels, 8, 8).reshape(-1, 64)
    bits: Bits = small * 64 > small.sum(axis=1, keepdims=True)
    return bits


def _difference_bits(pixels: Pixels, hash_size: int) -> Bits:
    """imagehash.dhash(image, hash_size)."""
    small = _shrink(pixels, hash_size + 1, hash_size)
    return (small[:, :, 1:] > small[:, :, :-1]).reshape(len(pixels), -1)


# Cosine transform

_DCT_CERTAIN = 1e-6
# Coefficients reach 4 * 64 * 64 * 255 = 4.2e6. Two products of 64 terms in float64 then err by less than 1e-7, SciPy's
# by less still, and the median by as much again.


def _cosine_bits(pixels: Pixels, hash_size: int) -> Bits:
    """imagehash.phash(image, hash_size): which of the lowest frequencies lie above their median."""
    side = 4 * hash_size
    squares = _shrink(pixels, side, side)
    cosines = _cosines(hash_size, side)
    across = (squares.reshape(-1, side) @ cosines.T).reshape(-1, side, hash_size)
    coefficients = cosines @ across
    flat = coefficients.reshape(-1, hash_size * hash_size)
    above = flat - _median(flat)
    bits: Bits = above > 0
    for number in np.flatnonzero(np.abs(above).min(axis=1) <= _DCT_CERTAIN):
        certain = _striped_cosine_bits(squares[number], coefficients[number])
        bits[number] = _imagehash_bits(pixels[number], hash_size) if certain is None else certain
    return bits


def _striped_cosine_bits(square: Pixels, coefficients: Pixels) -> Bits | None:
    """The bits, if certain, of a picture with one grey level in each row, in each column or everywhere.

    All frequencies along such lines are exactly zero in SciPy too, because they start as differences of equal numbers.
    So the median is exactly zero, and only the other frequencies, one row or column, must differ clearly from it. Of
    2,736 real pictures 103 tie in pHash; this decides 72 of them, 48 of one grey level and 24 striped.
    """
    zero = np.zeros(coefficients.shape, np.bool_)
    zero[:, 1:] = (square == square[:, :1]).all()
    zero[1:, :] |= (square == square[:1, :]).all()
    zero[0, 0] = not square.any()
    if not zero[1:, 1:].all() or not (zero | (np.abs(coefficients) > _DCT_CERTAIN)).all():
        return None
    bits: Bits = (coefficients > 0) & ~zero
    return bits.ravel()


def _imagehash_bits(picture: Pixels, hash_size: int) -> Bits:
    """The bits of a picture whose ties depend on SciPy's rounding, by imagehash.phash: 1 % of real pictures.

    Its imports take 0.4 s once a process, a picture then 0.2 ms.
    """
    import imagehash
    from PIL import Image

    image = Image.fromarray(picture.astype(np.uint8))
    return np.asarray(imagehash.phash(image, hash_size=hash_size).hash, np.bool_).ravel()


@cache
def _cosines(count: int, side: int) -> NDArray[np.float64]:
    """The first rows of SciPy's unnormalised DCT-II of `side` points: 2 cos(pi k (2 i + 1) / (2 side))."""
    turns = np.outer(np.arange(count), 2 * np.arange(side) + 1) % (4 * side)  # whole, so angles are exact
    return np.asarray(2 * np.cos(turns * (math.pi / (2 * side))), np.float64)


def _median(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """numpy.median of each row, of shape (rows, 1), for rows of even length."""
    upper = values.shape[1] // 2
    middle = np.partition(values, (upper - 1, upper), axis=1)[:, upper - 1 : upper + 1]
    return np.asarray((middle[:, :1] + middle[:, 1:]) / 2, np.float64)


# Haar wavelet


def _wavelet_bits(pixels: Pixels) -> Bits:
    """imagehash.whash(image): which of the 8 x 8 block means lie above their median.

    ImageHash subtracts the overall mean, which shifts all blocks equally. So sums of whole numbers decide exactly,
    unless a block ties with the median: in 12 % of real pictures, those with flat backgrounds.
    """
    columns = _BLOCKS.T
    sums = (_BLOCKS @ (pixels.reshape(-1, SIDE) @ columns).reshape(-1, SIDE, 8)).reshape(-1, 64)
    above = sums - _median(sums)
    bits: Bits = above > 0
    tied = np.flatnonzero((above == 0).any(axis=1))
    if len(tied):
        bits[tied] = _tied_wavelet_bits(pixels[tied])
    return bits


_BLOCKS = np.repeat(np.eye(8), SIDE // 8, axis=1)
# Of shape (8, 64): sums runs of eight pixels.


def _tied_wavelet_bits(pixels: Pixels) -> Bits:
    """_wavelet_bits with every rounding of PyWavelets' float64 steps, because rounding decides a tie.

    Six levels down, the overall mean set to zero, six levels up, three down. A level works on quads of adjacent values,
    rows first on the way down and last on the way up. In quad order (_quad_order) the coarse part of a level is the
    first quarter of the level before, so all levels run in place. It takes a quarter of the time of PyWavelets, and
    agrees with one that was built without fused multiply-add, as its wheels for x86-64 are.
    """
    count = len(pixels)
    values = pixels.reshape(count, -1)[:, _quad_order(SIDE)] / 255.0
    sizes = [SIDE * SIDE >> 2 * level for level in range(6)]
    for size in sizes:
        quads = values[:, :size].reshape(count, 2, 2, -1)
        _haar_step(quads)
        _haar_step(quads.swapaxes(1, 2))
    values[:, 0] = 0.0
    for size in reversed(sizes):
        quads = values[:, :size].reshape(count, 2, 2, -1)
        _haar_step(quads.swapaxes(1, 2))
        _haar_step(quads)
    for _ in range(3):
        quads = values.reshape(count, 2, 2, -1) * _HALF_ROOT
        rows = (quads[:, 0] + quads[:, 1]) * _HALF_ROOT
        values = rows[:, 0] + rows[:, 1]
    bits: Bits = np.empty((count, 64), np.bool_)
    bits[:, _quad_order(8)] = values > _median(values)
    return bits


_HALF_ROOT = 0.7071067811865476
# The coefficient of PyWavelets' Haar filter and of its inverse.


def _haar_step(pairs: Pixels) -> None:
    """Replaces the two members of axis 1, in place, by their scaled sum and their scaled difference."""
    scaled = pairs * _HALF_ROOT
    np.add(scaled[:, 0], scaled[:, 1], out=pairs[:, 0])
    np.subtract(scaled[:, 0], scaled[:, 1], out=pairs[:, 1])


@cache
def _quad_order(side: int) -> NDArray[np.intp]:
    """An order of the pixels of a side x side picture in which the members of every 2 x 2 quad are a quarter apart.

    It interleaves the bits of row and column, lowest first: row bit 0, column bit 0, row bit 1, and so on.
    """
    levels = side.bit_length() - 1
    axes = [axis for level in range(levels) for axis in (levels - 1 - level, 2 * levels - 1 - level)]
    return np.arange(side * side).reshape((2,) * (2 * levels)).transpose(axes).ravel()


_ALGORITHMS: dict[str, Callable[[Pixels], Bits]] = {
    "phash": lambda pixels: _cosine_bits(pixels, hash_size=8),
    "dhash": lambda pixels: _difference_bits(pixels, hash_size=8),
    "ahash": _average_bits,
    "whash": _wavelet_bits,
    "phash256": lambda pixels: _cosine_bits(pixels, hash_size=16),
    "dhash256": lambda pixels: _difference_bits(pixels, hash_size=16),
}
"""By the names in recipes.RECIPES; a changed computation needs a new version there."""
