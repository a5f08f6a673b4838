"""Problems of pictures as sentences for users, without paths, library names or bytes of the file."""

from typing import Final

from PIL import Image

from hashindex.core.language import Message
from hashindex.core.options import Limits
from hashindex.pictures.formats import CAMERA_RAWS, FORMATS, Format
from hashindex.pictures.structure import Structure

FORMAT_NAMES: Final = {
    "jpeg": "JPEG",
    "png": "PNG",
    "apng": Message("animated PNG"),
    "gif": "GIF",
    "webp": "WebP",
    "bmp": "BMP",
    "tiff": "TIFF",
    "avif": "AVIF",
    "ico": Message("icon"),
    "cur": Message("cursor"),
    "jp2": "JPEG 2000",
    "qoi": "QOI",
    "psd": "Photoshop",
    "ppm": "PPM",
    "heic": "HEIC",
    "jxl": "JPEG XL",
    **{name: Message("camera raw ({name})", name=name.upper()) for name in CAMERA_RAWS if name != "raw"},
    "raw": Message("camera raw"),
}
assert FORMAT_NAMES.keys() == FORMATS.keys()


_CHECKED_FORMATS: Final = frozenset(("jpeg", "png", "apng", "gif", "webp", "tiff"))
"""Formats whose end structure.py checks. The decoder's error does not suffice: it calls short blocks "truncated" too,
and treats a block with a wrong length as the end of the file."""

_TRUNCATED: Final = ("truncated", "input/output error", "end of file", "failed to read", "only got")
"""Parts of the messages of other decoders for a truncated file."""


class Refused(Exception):
    """A picture must not be decoded; str() is the reason."""


def no_picture(content: str) -> str:
    """The problem of a file that is no picture. content: from formats.describe_content."""
    if content == "empty":
        return Message("the file is empty")
    if content.startswith("cut off"):
        return Message("the file is {content}", content=content)
    return Message("the file is not a supported picture: it is {content}", content=content)


def problem_of(error: Exception, form: Format, structure: Structure, limits: Limits) -> str:
    """The problem behind a decoder's error, whose message is for programmers and may contain anything."""
    name = FORMAT_NAMES[form.name]
    if isinstance(error, MemoryError):
        return Message("there is not enough memory to decode the {name}", name=name)
    if isinstance(error, Image.DecompressionBombError):
        return Message("the {name} asks for more pixels than the limit of {pixels:,}", name=name, pixels=limits.pixels)
    message = str(error).lower()
    if not structure.whole or (form.name not in _CHECKED_FORMATS and any(end in message for end in _TRUNCATED)):
        return Message("the {name} is cut off: it ends before the picture does", name=name)
    if isinstance(error, NotImplementedError) or "unsupported" in message:
        return Message("this kind of {name} cannot be read", name=name)
    return Message("the {name} is damaged: its picture cannot be read", name=name)
