"""Words in pictures that we draw: fonts, and lines that fit. Pure but for the system's fonts, which it reads."""

from functools import lru_cache
from typing import Final

from PIL import ImageDraw, ImageFont

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
"""Fonts with Chinese, by the names that systems give them; without any, Pillow's own, which has Latin letters only."""

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def write(pen: ImageDraw.ImageDraw, at: tuple[float, float], words: str, size: int, colour: str) -> None:
    """Draws a line of words; what no font here can show is a question mark."""
    pen.text(at, "".join(showable(character, size) for character in words), fill=colour, font=font_of(size))


def shortened(words: str, size: int, room: float) -> str:
    """The words, or their beginning and end with dots between: suffixes and numbers stand at the end."""
    words = "".join(showable(character, size) for character in words)
    font = font_of(size)
    if font.getlength(words) <= room:
        return words
    # No letter of these fonts is narrower than 2 pixels, and a name may have 4,000.
    keep = min(len(words) - 1, int(room) // 2)
    while keep > 1:
        start = keep * 3 // 5
        short = f"{words[:start]}...{words[len(words) - (keep - start) :]}"
        if font.getlength(short) <= room:
            return short
        keep -= 1
    return "..."


@lru_cache
def font_of(size: int) -> Font:
    """The first of FONTS that is installed, so high in pixels."""
    for name in FONTS:
        try:
            return ImageFont.truetype(name, size, layout_engine=ImageFont.Layout.BASIC)
        except (OSError, ImportError):
            continue
    return ImageFont.load_default(size)


@lru_cache(maxsize=4096)
def showable(character: str, size: int) -> str:
    """The character, or a question mark where the font would draw an empty box."""
    font = font_of(size)
    if not isinstance(font, ImageFont.FreeTypeFont):
        return character if character.isascii() else "?"
    if character.isspace():
        return " "
    mask, nothing = font.getmask(character), font.getmask("\uffff")
    return "?" if (mask.size, bytes(mask)) == (nothing.size, bytes(nothing)) else character
