"""The only opener of pictures: one decoder for each, and what of a frame it could load. Used by decode.py alone.

A file reaches the decoder that its first bytes name; what it asks for is checked before a pixel is decoded.
"""

import importlib
import io
from typing import Final

from PIL import Image, ImageFile

from hashindex.core.options import Limits
from hashindex.pictures.formats import Format
from hashindex.pictures.picture_problems import WORDS, Refused
from hashindex.pictures.pixels import UPRIGHT


def open_picture(data: bytes, form: Format) -> ImageFile.ImageFile:
    """Not decoded yet. Raises Refused where its decoder is not here, and whatever the decoder raises."""
    words = WORDS[form.name]
    try:
        plugin = importlib.import_module(form.plugin)
    except ImportError as error:
        if form.extra is None:
            raise Refused(f"{words} pictures cannot be read here: the installed Pillow lacks {words}") from error
        raise Refused(f"{words} pictures need an extra: pip install 'hashindex[{form.extra}]'") from error
    if not getattr(plugin, "SUPPORTED", True):
        raise Refused(f"{words} pictures cannot be read here: the installed Pillow was built without {words}")
    # Only this one format: left alone, Pillow tries decoder after decoder and imports all of them on the way.
    image = Image.open(io.BytesIO(data), formats=[form.pillow])
    if form.name == "png":
        _scale_transparency(image)
    return image


def _scale_transparency(image: ImageFile.ImageFile) -> None:
    """Pillow widens or narrows the samples of a PNG to 8 bits but leaves its transparent colour as it was."""
    transparent = image.info.get("transparency")
    if transparent is None or not image.tile:
        return
    raw = image.tile[0].args
    if isinstance(transparent, int) and raw in ("L;2", "L;4"):
        image.info["transparency"] = transparent * (85 if raw == "L;2" else 17)
    elif isinstance(transparent, tuple) and raw == "RGB;16B":
        image.info["transparency"] = tuple(sample >> 8 for sample in transparent)


def check_size(size: tuple[int, int], form: Format, limits: Limits) -> None:
    """Raises Refused where there are more pixels than may be decoded, or none."""
    width, height = size
    limit = limits.pixels if form.pixels is None else min(limits.pixels, form.pixels)
    if width > 0 and height > 0 and width * height > limit:
        raise Refused(f"the picture is {width} x {height} pixels, more than the limit of {limit:,}")
    if width <= 0 or height <= 0:
        raise Refused("the picture has no pixels: its width or height is 0")


def luma_mode(image: ImageFile.ImageFile) -> str | None:
    """The mode in which a JPEG's first channel is its luma, by libjpeg's own rules; None where it has none (RGB)."""
    channels = [layer[0] for layer in getattr(image, "layer", ())]
    if image.info.get("adobe_transform", 1) == 0 or channels == [*b"RGB"]:
        return None
    return "YCbCr" if image.mode == "RGB" else "L"


def load(image: ImageFile.ImageFile, form: Format) -> float:
    """Decode the frame; the share of rows that the file does not have, where the rest can be used.

    Pillow's own way to read a cut off file is a switch for the whole process (LOAD_TRUNCATED_IMAGES); but after the
    error the rows that were decoded are there, and taking the tile away makes the image give them out.
    """
    tiles = image.tile
    interlaced = bool(image.info.get("interlace"))
    if form.name == "gif" and tiles and isinstance(tiles[0].args, tuple):
        interlaced = bool(tiles[0].args[1])
    try:
        image.load()
    except (MemoryError, Image.DecompressionBombError):
        raise
    except Exception:
        # Interlaced rows come in any order: what is missing would be holes all over the picture.
        if interlaced or form.name not in _ROW_BY_ROW or getattr(image, "_im", None) is None:
            raise
        image.tile = []
        missing = _missing_rows(image, form)
        if missing >= image.height:
            raise
        return missing / image.height
    return 0.0


_ROW_BY_ROW = frozenset(("png", "gif", "bmp", "ppm"))


def made_up_rows(grey: Image.Image) -> int:
    """Rows at the end of a JPEG that are nothing but the middle grey which the decoder puts where it has no data.

    At least 1 where only the lower right corner is so: a part of the last row of blocks is missing.
    """
    width, height = grey.size
    last = grey.getpixel((width - 1, height - 1))
    corner = grey.crop((max(0, width - 2), max(0, height - 2), width, height)).getextrema()
    if last not in (127, 128) or corner != (last, last):
        return 0
    box = grey.point([int(value != last) for value in range(256)]).getbbox()
    return max(1, height - box[3]) if box else height


def _missing_rows(image: ImageFile.ImageFile, form: Format) -> int:
    """Rows at the end of a cut off picture that still are as the decoder found them; black ones are counted too."""
    fill = image.info.get("transparency") if form.name == "gif" else None
    written: Image.Image = image
    if isinstance(fill, int) and fill and image.mode in ("P", "L"):
        written = image.point([int(value != fill) for value in range(256)])
    box = written.getbbox(alpha_only=False)
    if box is None:
        return image.height
    # BMP files begin with the bottom row.
    return box[1] if form.name == "bmp" and box[1] else image.height - box[3]


_ORIENTATION_TAG: Final = 0x0112
_HOLD_EXIF: Final = frozenset(("exif", "xmp", "XML:com.adobe.xmp", "Raw profile type exif"))


def orientation(image: ImageFile.ImageFile, form: Format) -> int:
    """EXIF orientation that is left to apply, 1 to 8; 1 where there is none or it is damaged."""
    # The decoders of TIFF, HEIC and camera raws turn the picture themselves, that of JPEG XL unless it rebuilds a JPEG.
    if (
        form.name in ("tiff", "heic")
        or form.extra == "raw"
        or (form.name == "jxl" and not getattr(image, "jpeg", False))
    ):
        return 1
    if _HOLD_EXIF.isdisjoint(image.info):
        return 1
    try:
        value = image.getexif().get(_ORIENTATION_TAG, 1)
    except Exception:  # noqa: BLE001
        # Damaged EXIF raises as many kinds of errors as damaged pictures do, and is no reason to lose the picture.
        return 1
    return value if isinstance(value, int) and value in UPRIGHT else 1
