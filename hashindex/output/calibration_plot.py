"""Draws a calibration as PNG: precision against recall, one curve per hash and one square per level."""

from pathlib import Path
from typing import Final

from PIL import Image, ImageDraw
from PIL.PngImagePlugin import PngInfo

from hashindex.core.explanation import Calibration, CalibrationTarget, Score
from hashindex.core.language import Message, local, sentence
from hashindex.output.drawing import drawn_language, font_of, write
from hashindex.output.report import check_replaceable, replacing

MARK: Final = b"hashindex calibration"
"""In a text chunk in the first KiB of the PNG. A file without it is not overwritten."""

PLOT: Final = 420
LEFT, TOP, GAP, BOTTOM = 64, 56, 90, 100
GROUND, PAPER, GRID, TEXT, MUTED, LEVEL = "#f5f4f0", "#ffffff", "#e3e0d8", "#1f1f22", "#63626a", "#c01020"
COLOURS: Final = ("#0a6b62", "#1f5fbf", "#b8860b", "#7a4fb0", "#12a594", "#5aa9e6")
"""One per hash, in the order of recipes.RECIPES."""


def check_plot(file: Path) -> None:
    """UsageError if the file exists and is not such a plot, or if its folder does not exist."""
    check_replaceable(file, Message("calibration"), MARK)


@drawn_language()
def write_plot(found: Calibration, file: Path) -> None:
    """Draws one plot per level, side by side. Replaces an earlier file. UsageError as check_plot."""
    count = len(found.targets)
    sheet = Image.new("RGB", (LEFT + count * (PLOT + GAP), TOP + PLOT + BOTTOM), GROUND)
    for number, target in enumerate(found.targets):
        _plot(sheet, (LEFT + number * (PLOT + GAP), TOP), target)
    metadata = PngInfo()
    metadata.add_text("Software", MARK.decode("ascii"))
    with replacing(file, Message("calibration"), MARK) as output:
        sheet.save(output, "PNG", pnginfo=metadata)


def _plot(sheet: Image.Image, at: tuple[int, int], target: CalibrationTarget) -> None:
    pen = ImageDraw.Draw(sheet)
    x, y = at
    pen.rectangle((x, y, x + PLOT, y + PLOT), PAPER)
    write(pen, (x, y - 46), local(target.name), 20, TEXT)
    write(
        pen,
        (x, y - 22),
        sentence(
            "{wanted:,} pairs belong together, {unwanted:,} do not", wanted=target.wanted, unwanted=target.unwanted
        ),
        13,
        MUTED,
    )
    for tenth in range(0, 11, 2):
        off = PLOT * tenth // 10
        pen.line((x + off, y, x + off, y + PLOT), GRID)
        pen.line((x, y + off, x + PLOT, y + off), GRID)
        write(pen, (x + off - 9, y + PLOT + 5), f"{tenth / 10:.1f}", 12, MUTED)
        write(pen, (x - 26, y + PLOT - off - 8), f"{tenth / 10:.1f}", 12, MUTED)
    recall = sentence("recall")
    write(pen, (x + PLOT - font_of(13).getlength(recall), y + PLOT + 22), recall, 13, TEXT)
    write(pen, (x - 58, y - 4), sentence("precision"), 13, TEXT)
    for number, scores in enumerate(target.hashes):
        colour = COLOURS[number % len(COLOURS)]
        points = [point for point in (_point(at, score) for score in scores) if point is not None]
        if len(points) > 1:
            pen.line(points, colour, 2)
        best = _point(at, target.best[number])
        if best is not None:
            pen.ellipse((best[0] - 4, best[1] - 4, best[0] + 4, best[1] + 4), colour)
        across, down = number % 3, number // 3
        left, top = x + across * 150, y + PLOT + 44 + down * 18
        pen.line((left, top + 8, left + 18, top + 8), colour, 3)
        write(
            pen,
            (left + 24, top),
            sentence("{rule}, best at {radius}", rule=target.best[number].rule, radius=target.best[number].radius),
            12,
            TEXT,
        )
    level = _point(at, target.level)
    if level is not None:
        pen.rectangle((level[0] - 6, level[1] - 6, level[0] + 6, level[1] + 6), LEVEL)
    left, top = x, y + PLOT + 80
    pen.rectangle((left + 4, top + 3, left + 14, top + 13), LEVEL)
    write(pen, (left + 24, top), sentence("level {level}", level=target.level.rule), 12, TEXT)


def _point(at: tuple[int, int], score: Score) -> tuple[float, float] | None:
    if score.precision is None:
        return None
    return at[0] + score.recall * PLOT, at[1] + (1 - score.precision) * PLOT
