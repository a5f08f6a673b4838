"""Opens pictures with Pillow and loads frames, damaged ones too. No other module opens pictures.

Each file is given to one decoder, the one for its first bytes, and its size is checked before any pixel is decoded.
"""

import importlib
import io
from typing import Final

from PIL import Image, ImageFile

from hashindex.core.installation import how_to_install
from hashindex.core.language import Message
from hashindex.core.options import Limits
from hashindex.pictures.formats import Format
from hashindex.pictures.picture_problems import FORMAT_NAMES, Refused
from hashindex.pictures.pixels import UPRIGHT


def open_picture(data: bytes, form: Format) -> ImageFile.ImageFile:
    """Opens a picture without decoding it. Raises Refused if its decoder is missing, and any error of the decoder."""
    name = FORMAT_NAMES[form.name]
    try:
        plugin = importlib.import_module(form.plugin)
    except ImportError as error:
        if form.extra is None:
            raise Refused(
                Message("{name} pictures cannot be read here: the installed Pillow lacks {name}", name=name)
            ) from error
        raise Refused(
            Message("{name} pictures need an extra: {command}", name=name, command=how_to_install(form.extra))
        ) from error
    if not getattr(plugin, "SUPPORTED", True):
        raise Refused(
            Message("{name} pictures cannot be read here: the installed Pillow was built without {name}", name=name)
        )
    # Without formats, Pillow would import and try all decoders.
    image = Image.open(io.BytesIO(data), formats=[form.pillow])
    if form.name == "png":
        _scale_transparency(image)
    return image


def _scale_transparency(image: ImageFile.ImageFile) -> None:
    """Scales the transparent colour of a PNG to 8 bits. Pillow scales the samples, but not this colour."""
    transparent = image.info.get("transparency")
    if transparent is None or not image.tile:
        return
    raw = image.tile[0].args
    if isinstance(transparent, int) and raw in ("L;2", "L;4"):
        image.info["transparency"] = transparent * (85 if raw == "L;2" else 17)
    elif isinstance(transparent, tuple) and raw == "RGB;16B":
        image.info["transparency"] = tuple(sample >> 8 for sample in transparent)


def check_size(size: tuple[int, int], form: Format, limits: Limits) -> None:
    """Raises Refused if there are more pixels than the limit, or none."""
    width, height = size
    limit = limits.pixels if form.pixels is None else min(limits.pixels, form.pixels)
    if width > 0 and height > 0 and width * height > limit:
        raise Refused(
            Message(
                "the picture is {width} x {height} pixels, more than the limit of {limit:,}",
                width=width,
                height=height,
                limit=limit,
            )
        )
    if width <= 0 or height <= 0:
        raise Refused(Message("the picture has no pixels: its width or height is 0"))


def luma_mode(image: ImageFile.ImageFile) -> str | None:
    """The mode in which the first channel of a JPEG is its luma, by libjpeg's rules; None if it has no luma (RGB)."""
    channels = [layer[0] for layer in getattr(image, "layer", ())]
    if image.info.get("adobe_transform", 1) == 0 or channels == [*b"RGB"]:
        return None
    return "YCbCr" if image.mode == "RGB" else "L"


def load(image: ImageFile.ImageFile, form: Format) -> float:
    """Decodes the frame. Returns the fraction of rows that are missing, if the other rows can be used.

    Pillow reads truncated files only if LOAD_TRUNCATED_IMAGES is set for the whole process. However, after the error
    the decoded rows are in the image, and removing its tiles gives access to them.
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
        # Interlaced rows are not stored from top to bottom: gaps would be all over the picture.
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
    """Number of rows at the end of a JPEG that are all middle grey, with which the decoder fills missing data.

    At least 1 if the lower right corner is: then part of the last row of blocks is missing.
    """
    width, height = grey.size
    last = grey.getpixel((width - 1, height - 1))
    corner = grey.crop((max(0, width - 2), max(0, height - 2), width, height)).getextrema()
    if last not in (127, 128) or corner != (last, last):
        return 0
    box = grey.point([int(value != last) for value in range(256)]).getbbox()
    return max(1, height - box[3]) if box else height


def _missing_rows(image: ImageFile.ImageFile, form: Format) -> int:
    """Number of rows at the end of a truncated picture that the decoder did not write, including black rows."""
    fill = image.info.get("transparency") if form.name == "gif" else None
    written: Image.Image = image
    if isinstance(fill, int) and fill and image.mode in ("P", "L"):
        written = image.point([int(value != fill) for value in range(256)])
    box = written.getbbox(alpha_only=False)
    if box is None:
        return image.height
    # BMP files store the bottom row first.
    return box[1] if form.name == "bmp" and box[1] else image.height - box[3]


_ORIENTATION_TAG: Final = 0x0112
_EXIF_KEYS: Final = frozenset(("exif", "xmp", "XML:com.adobe.xmp", "Raw profile type exif"))


def orientation(image: ImageFile.ImageFile, form: Format) -> int:
    """EXIF orientation that must still be applied, 1 to 8; 1 if there is none or it is damaged."""
    # Decoders of TIFF, HEIC and camera raws apply it themselves; so does that of JPEG XL, unless it rebuilds a JPEG.
    if (
        form.name in ("tiff", "heic")
        or form.extra == "raw"
        or (form.name == "jxl" and not getattr(image, "jpeg", False))
    ):
        return 1
    if _EXIF_KEYS.isdisjoint(image.info):
        return 1
    try:
        value = image.getexif().get(_ORIENTATION_TAG, 1)
    except Exception:  # noqa: BLE001
        # Damaged EXIF may raise any exception and must not lose the picture.
        return 1
    return value if isinstance(value, int) and value in UPRIGHT else 1
