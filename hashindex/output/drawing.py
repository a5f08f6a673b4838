"""Text in the pictures that hashindex draws: fonts, and lines that fit. Reads fonts of the system."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import lru_cache
from typing import Final

from PIL import ImageDraw, ImageFont

from hashindex.core.language import ENGLISH, in_language, is_english

FONTS: Final = (
    "NotoSansCJK-Regular.ttc",
    "NotoSansSC-Regular.otf",
    "SourceHanSansSC-Regular.otf",
    "PingFang.ttc",
    "Hiragino Sans GB.ttc",
    "msyh.ttc",
    "wqy-microhei.ttc",
    "wqy-zenhei.ttc",
    "DroidSansFallbackFull.ttf",
)
"""File names of fonts with Chinese characters. Without any of these, Pillow's own font is used: Latin letters only."""

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def write(pen: ImageDraw.ImageDraw, at: tuple[float, float], text: str, size: int, colour: str) -> None:
    """Draws a line of text. Characters that the font lacks become question marks."""
    pen.text(at, "".join(showable(character, size) for character in text), fill=colour, font=font_of(size))


def shortened(text: str, size: int, width: float) -> str:
    """The text, shortened to a width by dots in the middle, since extensions and numbers are at the end."""
    text = "".join(showable(character, size) for character in text)
    font = font_of(size)
    if font.getlength(text) <= width:
        return text
    # No letter of these fonts is narrower than 2 pixels. A name may have 4,000 letters.
    keep = min(len(text) - 1, int(width) // 2)
    while keep > 1:
        start = keep * 3 // 5
        short = f"{text[:start]}...{text[len(text) - (keep - start) :]}"
        if font.getlength(short) <= width:
            return short
        keep -= 1
    return "..."


@contextmanager
def drawn_language() -> Iterator[None]:
    """A context in which messages are in a language that the font can draw: that of the process, or else English."""
    with nullcontext() if is_english() or showable("图", 14) == "图" else in_language(ENGLISH):
        yield


@lru_cache
def font_of(size: int) -> Font:
    """The first of FONTS that is installed, `size` pixels high."""
    for name in FONTS:
        try:
            return ImageFont.truetype(name, size, layout_engine=ImageFont.Layout.BASIC)
        except (OSError, ImportError):
            continue
    return ImageFont.load_default(size)


@lru_cache(maxsize=4096)
def showable(character: str, size: int) -> str:
    """The character, or a question mark if the font lacks it."""
    font = font_of(size)
    if not isinstance(font, ImageFont.FreeTypeFont):
        return character if character.isascii() else "?"
    if character.isspace():
        return " "
    mask, missing = font.getmask(character), font.getmask("\uffff")
    return "?" if (mask.size, bytes(mask)) == (missing.size, bytes(missing)) else character
