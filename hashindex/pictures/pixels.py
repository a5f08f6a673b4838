"""Reduces a loaded picture to what is compared: 64 x 64 grey levels, small colour frames, and its detail. No I/O.

Worker processes run this module, so it uses Pillow without NumPy, which would cost each of them 0.1 s and 30 MB.
"""

from collections.abc import Sequence
from itertools import accumulate
from operator import mul
from typing import Final

from PIL import Image, ImageChops

SIDE: Final = 64
"""Width and height of `prepared`."""

UPRIGHT: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""Transpositions that undo EXIF orientations 2 to 8."""


def prepare(grey: Image.Image, reduced: int, factor: int, turned: int) -> Image.Image:
    """Scales a grey picture to SIDE x SIDE by box averages and a bilinear filter, and makes it upright.

    factor: reduction of the box averages. reduced: part of factor that the decoder applied (see jpeg_scale).
    turned: EXIF orientation, 1 to 8.
    """
    if factor > reduced:
        grey = grey.reduce(factor // reduced)
    if grey.size != (SIDE, SIDE):
        grey = grey.resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    return grey.transpose(UPRIGHT[turned]) if turned > 1 else grey


def turned(prepared: bytes, how: Image.Transpose) -> bytes:
    """A SIDE x SIDE picture of grey levels, mirrored or rotated."""
    return Image.frombytes("L", (SIDE, SIDE), prepared).transpose(how).tobytes()


def jpeg_scale(width: int, height: int) -> int:
    """The part of the factor that the JPEG decoder applies: 1, 2, 4 or 8.

    Box averages apply at least a factor of 2, because the decoder drops frequencies when it reduces; so only pictures
    of 384 pixels and more are reduced. If not is_steady, the picture is decoded again in full.
    """
    share = min(width, height) // 96
    return next((scale for scale in (8, 4, 2) if share >= 2 * scale), 1)


def reduction(width: int, height: int) -> int:
    """Whole factor of the reduction before the bilinear filter. It depends on the size alone, not on the format."""
    share, scale = min(width, height) // 96, jpeg_scale(width, height)
    return max(1, scale * (share // scale))


STEADY_TEXTURE: Final = 8
STEADY_TIES: Final = 6


def is_steady(small: Image.Image) -> bool:
    """Whether the hashes of a SIDE x SIDE picture hardly change if some grey levels change by one.

    False if the picture differs from itself at 16 x 16 by less than STEADY_TEXTURE grey levels on average: in smooth
    pictures, all but the lowest frequencies are rounding noise, and pHash uses their signs. False if more than
    STEADY_TIES of the 8 x 8 block means are within one level of their median, with which wHash compares them. Both
    limits were measured with JPEGs decoded at reduced size and in full (benchmarks/preparation.py). About 40 us.
    """
    coarse = small.reduce(4).resize(small.size, Image.Resampling.BILINEAR)
    texture: int = sum(map(mul, ImageChops.difference(small, coarse).histogram(), range(256)))
    if texture < STEADY_TEXTURE * SIDE * SIDE:
        return False
    means = sorted(small.reduce(SIDE // 8).tobytes())
    twice_median = means[31] + means[32]
    return sum(abs(2 * mean - twice_median) <= 3 for mean in means) <= STEADY_TIES


def to_grey(image: Image.Image) -> Image.Image:
    """A loaded picture in mode L, with transparency on white."""
    mode, transparent = image.mode, image.info.get("transparency")
    if mode == "YCbCr":
        return image.getchannel(0)
    if mode == "P":
        return _grey_of_palette(image, transparent)
    if mode in ("L", "1"):
        grey = image if mode == "L" else image.convert("L")
        if isinstance(transparent, int) and 0 <= transparent <= 255:
            levels = list(range(256))
            levels[transparent] = 255
            return map_levels(grey, levels)
        return grey
    if mode == "F" or mode.startswith("I"):
        return _grey_of_numbers(image, transparent)
    if mode != "LA":
        image = to_rgb_or_rgba(image)
    if image.mode == "RGB":
        return image.convert("L")
    alpha = image.getchannel("A")
    grey = image.convert("L")
    if alpha.getextrema()[0] == 255:
        return grey
    white = Image.new("L", image.size, 255)
    white.paste(grey, mask=alpha)
    return white


def _grey_of_palette(image: Image.Image, transparent: object) -> Image.Image:
    """Flattens the palette instead of the pixels, which takes a third of the time."""
    if image.palette is None or image.palette.mode != "RGB":
        return to_grey(image.convert("RGBA"))
    colours = image.palette.tobytes()
    size = len(colours) // 3, 1
    strip = Image.frombuffer("RGB", size, colours[: 3 * size[0]], "raw", "RGB", 0, 1).convert("L")
    if isinstance(transparent, bytes):
        alpha = Image.frombytes("L", size, transparent[: size[0]].ljust(size[0], b"\xff"))
        flat = Image.new("L", size, 255)
        flat.paste(strip, mask=alpha)
        strip = flat
    levels = [*strip.tobytes(), *bytes(256 - size[0])]
    if isinstance(transparent, int) and 0 <= transparent <= 255:
        levels[transparent] = 255
    return map_levels(image, levels)


def map_levels(image: Image.Image, levels: list[int]) -> Image.Image:
    """image.point(levels, "L"), 20 us faster because it does not round the 256 integers."""
    return Image.Image()._new(image.im.point(levels, "L"))


def _grey_of_numbers(image: Image.Image, transparent: object) -> Image.Image:
    """Grey levels from modes of more than 8 bits, which Pillow would clip at 255.

    Range of values that is mapped to 0 to 255. 16 bits: 0 to 65535. 32 bits: the same, or minimum to maximum if values
    are outside. Floats: the first of 0 to 1, 0 to 255 and 0 to 65535 that contains all values, or minimum to maximum.
    """
    low, high = 0.0, 65535.0
    if not image.mode.startswith("I;16"):
        least, most = (float(value) for value in _range(image))
        tops = (1.0, 255.0, 65535.0) if image.mode == "F" else (65535.0,)
        low, high = next(((0.0, top) for top in tops if least >= 0 and most <= top), (least, most))
    numbers = image.convert("I") if image.mode.startswith("I;16") else image
    scale = 255 / (high - low) if high > low else 0.0
    offset = 0.5 - low * scale
    grey = numbers.convert("F").point(lambda value: value * scale + offset).convert("L")
    if isinstance(transparent, int) and 0 <= transparent <= 65535 and image.mode != "F":
        opaque = [255] * 65536
        opaque[transparent] = 0
        white = Image.new("L", image.size, 255)
        white.paste(grey, mask=numbers.point(opaque, "L"))
        return white
    return grey


def _range(image: Image.Image) -> tuple[float, float]:
    least, most = image.getextrema()
    assert isinstance(least, (int, float)) and isinstance(most, (int, float))
    return least, most


def to_rgb_or_rgba(image: Image.Image) -> Image.Image:
    """A loaded picture in mode RGB, or RGBA if it may have transparency."""
    mode = image.mode
    if mode in ("RGBA", "RGB") and not (mode == "RGB" and isinstance(image.info.get("transparency"), tuple)):
        return image
    if mode in ("LA", "PA", "RGB") or "transparency" in image.info:
        return image.convert("RGBA")
    if mode in ("La", "RGBa"):
        return image.convert("LA" if mode == "La" else "RGBA").convert("RGBA")
    return image.convert("RGB")


def to_rgba(image: Image.Image) -> Image.Image:
    """A loaded picture in mode RGBA, with zeros where it is fully transparent."""
    if image.mode == "F" or image.mode.startswith("I"):
        return to_grey(image).convert("RGBA")
    rgba = image.convert("RGBA") if image.mode in ("P", "L", "1") else to_rgb_or_rgba(image).convert("RGBA")
    alpha = rgba.getchannel("A")
    if alpha.getextrema()[0] == 0:
        rgba.paste((0, 0, 0, 0), mask=map_levels(alpha, _ONLY_ZERO))
    return rgba


_ONLY_ZERO = [255] + [0] * 255


def reduce_colour(image: Image.Image, side: int, turned: int) -> Image.Image:
    """A loaded picture, upright and reduced by box averages of a whole factor to less than 2 * side; never enlarged.

    The mode is RGB or YCbCr, or RGBA if any pixel is transparent.
    """
    if image.mode not in ("RGB", "RGBA", "YCbCr") or "transparency" in image.info:
        image = to_rgba(image)
    if image.mode == "RGBA" and image.getchannel("A").getextrema()[0] == 255:
        image = image.convert("RGB")
    factor = max(image.size) // side
    if factor > 1:
        image = image.reduce(factor)
    return image.transpose(UPRIGHT[turned]) if turned > 1 else image


# Weight of a difference of n grey levels. Mask for the flattened rows: pixels at row ends are no neighbours.
_WEIGHTS = tuple(difference * 100 // 255 for difference in range(256))
_NEIGHBOURS = Image.frombytes(
    "L", (SIDE * SIDE - 1 + SIDE * (SIDE - 1), 1), (b"\xff" * 63 + b"\0") * 63 + b"\xff" * 4095
)


LEAST_RANGE: Final = 14
FULL_RANGE: Final = 128
"""Grey levels between the darkest and the lightest hundredth: from the first on they are stretched to the second."""
FEW_PIXELS: Final = SIDE * SIDE // 100


def _level_at(counts: Sequence[int], pixels: int) -> int:
    """The first level up to which there are more pixels than that."""
    for level, total in enumerate(accumulate(counts)):
        if total > pixels:
            return level
    return len(counts) - 1


def detail_of(prepared: bytes) -> int:
    """Detail of a SIDE x SIDE picture of grey levels, rows from the top: 0 (blank) to 100.

    min(100, S // 90), S being the sum over all horizontal and vertical neighbours of 100 * |a - b| // 255. Source: the
    quality of PDQ (Facebook, "The TMK+PDQF Video-Hashing Algorithm and the PDQ Image-Hashing Algorithm", 2019), with
    the reduction of this module instead of its Jarosz filter. About 35 us.
    """
    levels = Image.frombuffer("L", (SIDE, SIDE), prepared, "raw", "L", 0, 1)
    counts = levels.histogram()
    low, high = _level_at(counts, FEW_PIXELS), 255 - _level_at(counts[::-1], FEW_PIXELS)
    if LEAST_RANGE <= high - low < FULL_RANGE:
        # Dark and pale pictures have detail relative to their range.
        gain, middle = FULL_RANGE / (high - low), (low + high) / 2
        stretched = [min(255, max(0, round(128 + gain * (level - middle)))) for level in range(256)]
        prepared = map_levels(levels, stretched).tobytes()
    size = _NEIGHBOURS.size
    after = Image.frombuffer("L", size, prepared[1:] + prepared[SIDE:], "raw", "L", 0, 1)
    before = Image.frombuffer("L", size, prepared[:-1] + prepared[:-SIDE], "raw", "L", 0, 1)
    histogram = ImageChops.difference(after, before).histogram(_NEIGHBOURS)
    weighed: int = sum(map(mul, histogram, _WEIGHTS))
    return min(100, weighed // 90)
