"""Draws a calibration as PNG: precision against recall, one curve per hash and one square per level.

Each plot shows the part in which the best scores lie, up to 1.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from PIL import Image, ImageDraw
from PIL.PngImagePlugin import PngInfo

from hashindex.core.explanation import Calibration, CalibrationTarget, Score
from hashindex.core.language import Message, local, sentence
from hashindex.output.drawing import drawn_language, font_of, write
from hashindex.output.report import check_replaceable, replacing

MARK: Final = b"hashindex calibration"
"""In a text chunk in the first KiB of the PNG. A file without it is not overwritten."""

PLOT: Final = 420
LEFT, TOP, GAP, BOTTOM = 76, 62, 90, 144
EDGE: Final = 7
"""Pixels around the plot, so that a mark at 1 is not cut off."""
LEAST: Final = 0.05
"""The shortest axis."""
MOST_TICKS: Final = 6
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


class _View(NamedTuple):
    """The part of the plot that is shown: from these values to 1, so that the best scores do not lie in one corner."""

    recall: float
    precision: float

    def point(self, score: Score) -> tuple[float, float] | None:
        """Pixels from the upper left corner of _curves; outside of it for a score that is not shown."""
        if score.precision is None:
            return None
        return (
            EDGE + PLOT * (score.recall - self.recall) / (1 - self.recall),
            EDGE + PLOT * (1 - score.precision) / (1 - self.precision),
        )


def view_of(target: CalibrationTarget) -> _View:
    """A view of the best score of each hash and of the level; curves that lead out of it are cut off."""
    scores = [score for score in (*target.best, target.level) if score.precision is not None]
    recalls = [score.recall for score in scores]
    precisions = [score.precision for score in scores if score.precision is not None]
    return _View(_start(recalls), _start(precisions))


def _start(values: Sequence[float]) -> float:
    """Where an axis begins: half as far again from 1 as the lowest value, on a tick."""
    distance = min(1.0, max(LEAST, 1.5 * (1 - min(values, default=0.0))))
    step = _step(distance)
    return max(0.0, 1 - step * math.ceil(round(distance / step, 6)))


def _step(distance: float) -> float:
    """The step from tick to tick for an axis of this length: at most MOST_TICKS ticks."""
    return next(step for step in (0.01, 0.02, 0.05, 0.1, 0.2) if distance <= MOST_TICKS * step)


def _ticks(start: float) -> list[float]:
    step = _step(1 - start)
    return [start + number * step for number in range(round((1 - start) / step) + 1)]


def _plot(sheet: Image.Image, at: tuple[int, int], target: CalibrationTarget) -> None:
    pen = ImageDraw.Draw(sheet)
    x, y = at
    write(pen, (x, y - 52), local(target.name), 20, TEXT)
    write(
        pen,
        (x, y - 28),
        sentence(
            "{wanted:,} pairs belong together, {unwanted:,} do not", wanted=target.wanted, unwanted=target.unwanted
        ),
        13,
        MUTED,
    )
    view = view_of(target)
    # A picture of its own cuts off the curves at its edges.
    sheet.paste(_curves(target, view), (x - EDGE, y - EDGE))
    _axes(sheet, at, view)
    _legend(pen, (x, y + PLOT + 54), target)


def _curves(target: CalibrationTarget, view: _View) -> Image.Image:
    size = PLOT + 1 + 2 * EDGE
    paper = Image.new("RGB", (size, size), PAPER)
    pen = ImageDraw.Draw(paper)
    for tick in _ticks(view.recall):
        across = EDGE + PLOT * (tick - view.recall) / (1 - view.recall)
        pen.line((across, EDGE, across, EDGE + PLOT), GRID)
    for tick in _ticks(view.precision):
        down = EDGE + PLOT * (1 - tick) / (1 - view.precision)
        pen.line((EDGE, down, EDGE + PLOT, down), GRID)
    for number, scores in enumerate(target.hashes):
        colour = COLOURS[number % len(COLOURS)]
        points = [point for point in map(view.point, scores) if point is not None]
        if len(points) > 1:
            pen.line(points, colour, 2)
        best = view.point(target.best[number])
        if best is not None:
            pen.ellipse((best[0] - 4, best[1] - 4, best[0] + 4, best[1] + 4), colour)
    level = view.point(target.level)
    if level is not None:
        pen.rectangle((level[0] - 6, level[1] - 6, level[0] + 6, level[1] + 6), LEVEL)
    return paper


def _axes(sheet: Image.Image, at: tuple[int, int], view: _View) -> None:
    """The numbers at the ticks, and the names of the axes beyond them."""
    pen = ImageDraw.Draw(sheet)
    x, y = at
    for tick in _ticks(view.recall):
        across = x + PLOT * (tick - view.recall) / (1 - view.recall)
        number = f"{tick:.2f}"
        write(pen, (across - font_of(12).getlength(number) / 2, y + PLOT + 10), number, 12, MUTED)
    for tick in _ticks(view.precision):
        down = y + PLOT * (1 - tick) / (1 - view.precision)
        number = f"{tick:.2f}"
        write(pen, (x - 12 - font_of(12).getlength(number), down - 8), number, 12, MUTED)
    recall, precision = sentence("recall"), sentence("precision")
    write(pen, (x + (PLOT - font_of(13).getlength(recall)) / 2, y + PLOT + 28), recall, 13, TEXT)
    upright = Image.new("RGB", (math.ceil(font_of(13).getlength(precision)) + 4, 20), GROUND)
    write(ImageDraw.Draw(upright), (2, 1), precision, 13, TEXT)
    turned = upright.transpose(Image.Transpose.ROTATE_90)
    sheet.paste(turned, (x - LEFT + 6, y + (PLOT - turned.height) // 2))


def _legend(pen: ImageDraw.ImageDraw, at: tuple[int, int], target: CalibrationTarget) -> None:
    x, y = at
    for number, best in enumerate(target.best):
        left, top = x + number % 2 * PLOT // 2, y + number // 2 * 20
        pen.line((left, top + 8, left + 18, top + 8), COLOURS[number % len(COLOURS)], 3)
        text = sentence("{rule}, best at {radius}", rule=best.rule, radius=best.radius)
        write(pen, (left + 24, top), text, 12, TEXT)
    top = y + (len(target.best) + 1) // 2 * 20
    pen.rectangle((x + 4, top + 3, x + 14, top + 13), LEVEL)
    write(pen, (x + 24, top), sentence("level {level}", level=target.level.rule), 12, TEXT)
