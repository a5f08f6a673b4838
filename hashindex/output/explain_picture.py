"""Draws an explanation as PNG: both pictures, one over the other, and their differences."""

import os
import re
from pathlib import Path
from typing import Final

from PIL import Image, ImageDraw
from PIL.PngImagePlugin import PngInfo

from hashindex.core.explanation import Box, Explanation, Side
from hashindex.core.language import Message, local, sentence
from hashindex.output.drawing import drawn_language, font_of, shortened, write
from hashindex.output.report import check_replaceable, replacing
from hashindex.output.text.common import show_path

MARK: Final = b"hashindex explanation"
"""In a text chunk in the first KiB of the PNG. A file without it is not overwritten."""

SIDE: Final = 300
GAP: Final = 20
HEAD: Final = 44
TEXT, MUTED, GROUND, TILE, ACCENT = "#1f1f22", "#63626a", "#f5f4f0", "#ffffff", "#0a6b62"
LINE: Final = 17
"""Height of a line of text, in pixels."""


def check_picture(file: Path) -> None:
    """UsageError if the file exists and is not such a picture, or if its folder does not exist."""
    check_replaceable(file, Message("explanation"), MARK)


@drawn_language()
def write_picture(found: Explanation, file: Path) -> None:
    """Draws four panels of 300 pixels and the verdict. Replaces an earlier picture. UsageError as check_picture."""
    panels = found.panels
    tiles = [
        (
            sentence("first"),
            found.a,
            None if panels is None else panels.a,
            None if found.fit is None else found.fit.overlap_a,
        )
    ]
    tiles.append((sentence("second"), found.b, None if panels is None else panels.b, found.fit and found.fit.overlap_b))
    lines = _wrapped(local(found.reason), 4 * SIDE + 3 * GAP)
    width = 4 * SIDE + 5 * GAP
    sheet = Image.new("RGB", (width, HEAD + SIDE + 3 * LINE + GAP + LINE * len(lines) + GAP), GROUND)
    pen = ImageDraw.Draw(sheet)
    write(pen, (GAP, 10), local(found.relation.label), 22, ACCENT)
    for number, (which, side, image, overlap) in enumerate(tiles):
        x = GAP + number * (SIDE + GAP)
        _tile(sheet, (x, HEAD), image, overlap)
        _label(pen, (x, HEAD + SIDE + 4), f"{which}: {show_path(os.path.basename(side.path_bytes))}", _facts(side))
    overlays = [
        (
            sentence("one over the other"),
            sentence("red: dark only in the first; cyan: only in the second"),
            panels and panels.laid,
        ),
        (
            sentence("what differs"),
            sentence("red: both show something; orange: only one does"),
            panels and panels.differing,
        ),
    ]
    for number, (name, legend, image) in enumerate(overlays, 2):
        x = GAP + number * (SIDE + GAP)
        _tile(sheet, (x, HEAD), image, None)
        _label(pen, (x, HEAD + SIDE + 4), name, legend)
    for number, line in enumerate(lines):
        write(pen, (GAP, HEAD + SIDE + 3 * LINE + number * LINE), line, 14, TEXT)
    metadata = PngInfo()
    metadata.add_text("Software", MARK.decode("ascii"))
    with replacing(file, Message("explanation"), MARK) as target:
        sheet.save(target, "PNG", pnginfo=metadata)


def _tile(sheet: Image.Image, at: tuple[int, int], image: Image.Image | None, overlap: Box | None) -> None:
    pen = ImageDraw.Draw(sheet)
    x, y = at
    pen.rectangle((x, y, x + SIDE - 1, y + SIDE - 1), TILE)
    if image is None:
        write(pen, (x + 10, y + SIDE // 2 - 8), sentence("nothing to show"), 14, MUTED)
        return
    scale = SIDE / max(image.size)
    size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    shown = image.resize(size, Image.Resampling.NEAREST if scale > 2 else Image.Resampling.BICUBIC)
    left, top = x + (SIDE - size[0]) // 2, y + (SIDE - size[1]) // 2
    sheet.paste(shown, (left, top))
    if overlap is not None:
        a, b, c, d = overlap
        corners = left + a * size[0], top + b * size[1], left + c * size[0] - 1, top + d * size[1] - 1
        pen.rectangle(corners, outline=ACCENT, width=2)


def _label(pen: ImageDraw.ImageDraw, at: tuple[int, int], name: str, facts: str) -> None:
    write(pen, at, shortened(name, 14, SIDE), 14, TEXT)
    write(pen, (at[0], at[1] + LINE), shortened(facts, 12, SIDE), 12, MUTED)


def _facts(side: Side) -> str:
    size = f"{side.format}, {side.width} x {side.height}"
    if side.frames <= 1:
        return size
    return sentence("{size}, {frames} frames", size=size, frames=side.frames)


_PIECES = re.compile(
    r"\s*(?:[\u2e80-\u9fff\uff00-\uffef][\u3000-\u303f\uff01-\uff0f\uff1a-\uff1f]*|[^\s\u2e80-\u9fff\uff00-\uffef]+)"
)
"""What a line may end after: a word, or a Chinese character with its punctuation."""


def _wrapped(text: str, width: int) -> list[str]:
    font, lines = font_of(14), [""]
    for piece in _PIECES.findall(text):
        longer = f"{lines[-1]}{piece}".strip()
        if font.getlength(longer) > width:
            lines.append(piece.strip())
        else:
            lines[-1] = longer
    return lines
