"""What is wrong with a picture, in sentences for people, without a path, the name of a library or its bytes."""

from typing import Final

from PIL import Image

from hashindex.model import Limits
from hashindex.pictures.formats import FORMATS, Format
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
}
assert WORDS.keys() == FORMATS.keys()


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
    if not structure.whole or "truncated" in str(error).lower():
        return f"the {words} is cut off: it ends before the picture does"
    if isinstance(error, NotImplementedError) or "unsupported" in str(error).lower():
        return f"this kind of {words} cannot be read"
    return f"the {words} is damaged: its picture cannot be read"
