"""What is wrong with a picture, in sentences for people, without a path, the name of a library or its bytes."""

from typing import Final

from PIL import Image

from hashindex.core.options import Limits
from hashindex.pictures.formats import CAMERA_RAWS, FORMATS, Format
from hashindex.pictures.structure import Structure

WORDS: Final = {
    "jpeg": "JPEG",
    "png": "PNG",
    "apng": "animated PNG",
    "gif": "GIF",
    "webp": "WebP",
    "bmp": "BMP",
    "tiff": "TIFF",
    "avif": "AVIF",
    "ico": "icon",
    "cur": "cursor",
    "jp2": "JPEG 2000",
    "qoi": "QOI",
    "psd": "Photoshop",
    "ppm": "PPM",
    "heic": "HEIC",
    "jxl": "JPEG XL",
    **{name: f"camera raw ({name.upper()})" for name in CAMERA_RAWS if name != "raw"},
    "raw": "camera raw",
}
assert WORDS.keys() == FORMATS.keys()


_BLOCKS_READ: Final = frozenset(("jpeg", "png", "apng", "gif", "webp", "tiff"))
"""Formats of which structure.py says whether their end is there. A decoder calls a block too short "truncated" as well,
and stops at a block whose length is wrong as if the file ended."""

_ENDS: Final = ("truncated", "input/output error", "end of file", "failed to read", "only got")
"""What decoders of the other formats say where the file ends too early."""


class Refused(Exception):
    """Why a picture is not decoded; str() is the sentence."""


def no_picture(words: str) -> str:
    """Of a file that is something else; words: of formats.what_it_is."""
    if words == "empty":
        return "the file is empty"
    return (
        f"the file is {words}"
        if words.startswith("cut off")
        else f"the file is no picture that can be read: it is {words}"
    )


def sentence(error: Exception, form: Format, structure: Structure, limits: Limits) -> str:
    """What a decoder's error means to a person; its own words are for programmers and may hold anything."""
    words = WORDS[form.name]
    if isinstance(error, MemoryError):
        return f"there is not enough memory to decode the {words}"
    if isinstance(error, Image.DecompressionBombError):
        return f"the {words} asks for more pixels than the limit of {limits.pixels:,}"
    said = str(error).lower()
    if not structure.whole or (form.name not in _BLOCKS_READ and any(end in said for end in _ENDS)):
        return f"the {words} is cut off: it ends before the picture does"
    if isinstance(error, NotImplementedError) or "unsupported" in said:
        return f"this kind of {words} cannot be read"
    return f"the {words} is damaged: its picture cannot be read"
