"""Rows of pictures on a terminal that can show them, drawn by textual-image (extra `thumbnails`).

Kitty's protocol and Sixel are found by asking the terminal, which takes up to .3 s if it does not answer.
"""

import importlib.util
import logging
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from hashindex.core.errors import UsageError
from hashindex.core.installation import how_to_install
from hashindex.core.language import Message
from hashindex.core.model import File
from hashindex.core.options import Limits
from hashindex.output.text.terminal import Thumbnails

if TYPE_CHECKING:
    from PIL.Image import Image

LINES: Final = 6
"""Height of a row of pictures in lines of text."""
COLUMNS: Final = 14
"""About the width of a picture in columns: a row has as many pictures as that allows."""
ROWS: Final = 2
"""Most rows of pictures for one group or one answer."""
SIDE: Final = 128
"""Longest side of a picture in pixels, before it is drawn in LINES lines."""
GAP: Final = 12
"""Pixels between two pictures."""


class TerminalPictures:
    """A terminal that shows pictures; see terminal_pictures."""

    def __init__(self, drawn_by: Any, width: int) -> None:
        """drawn_by: a class of textual_image.renderable."""
        from rich.console import Console

        self._drawn_by = drawn_by
        # Colours are forced: kitty finds a picture by the colour of its placeholders.
        self._console = Console(
            file=sys.stdout, force_terminal=True, color_system="truecolor", no_color=False, width=width, height=LINES
        )
        self._across = max(1, width // COLUMNS)

    def show_files(self, groups: Sequence[Sequence[File]], limits: Limits) -> Iterator[None]:
        """Each step prints thumbnails of the next group, at most ROWS rows of them. Worker processes read the files."""
        from hashindex.pictures.isolated_worker import IsolatedWorker
        from hashindex.pictures.thumbnails import ThumbnailJob, ThumbnailSize, opened, thumbnails
        from hashindex.pictures.worker_pool import available_processors

        shown = [files[: ROWS * self._across] for files in groups]
        jobs = [ThumbnailJob(file.content.digest, (file.path_bytes,)) for files in shown for file in files]
        made = thumbnails(jobs, ThumbnailSize(SIDE, 1), limits, available_processors())
        with IsolatedWorker(limits) as worker:
            for files in shown:
                self.show([opened(next(made), worker, SIDE) for _ in files])
                yield

    def show(self, pictures: "Sequence[Image | None]") -> None:
        """Prints pictures side by side; None is a picture that cannot be shown."""
        for start in range(0, len(pictures), self._across):
            row = _side_by_side(pictures[start : start + self._across])
            self._console.print(self._drawn_by(row, width="auto", height="auto"))


def terminal_pictures(choice: Thumbnails, width: int | None) -> TerminalPictures | None:
    """The terminal of standard output; None if it shows no pictures. width: columns, None if it is no terminal.

    UsageError if blocks are asked for and textual-image is not installed.
    """
    # The terminal answers on standard input.
    if choice is Thumbnails.NEVER or width is None or sys.stdin is None or not sys.stdin.isatty():
        return None
    if importlib.util.find_spec("textual_image") is None:
        if choice is Thumbnails.BLOCKS:
            raise UsageError(
                Message("Pictures in the terminal need an extra: {command}", command=how_to_install("thumbnails"))
            )
        return None
    # It warns if the terminal does not tell the size of a character, and assumes one.
    logging.getLogger("textual_image").setLevel(logging.ERROR)
    from textual_image import renderable

    if choice is Thumbnails.BLOCKS:
        return TerminalPictures(renderable.HalfcellImage, width)
    if renderable.Image in (renderable.SixelImage, renderable.TGPImage):
        return TerminalPictures(renderable.Image, width)
    return None


def _side_by_side(pictures: "Sequence[Image | None]") -> "Image":
    """One picture of all of them, on white, since most transparent stickers are made for a light ground."""
    from PIL import Image, ImageDraw

    height = max([picture.height for picture in pictures if picture is not None], default=SIDE)
    widths = [height if picture is None else picture.width for picture in pictures]
    row = Image.new("RGBA", (sum(widths) + GAP * (len(widths) - 1), height))
    pen = ImageDraw.Draw(row)
    left = 0
    for picture, width in zip(pictures, widths, strict=True):
        if picture is None:
            pen.rectangle((left, 0, left + width - 1, height - 1), outline="grey", width=3)
            pen.line((left, 0, left + width - 1, height - 1), "grey", 3)
        else:
            ground = Image.new("RGBA", picture.size, "white")
            row.paste(Image.alpha_composite(ground, picture.convert("RGBA")), (left, (height - picture.height) // 2))
        left += width + GAP
    return row
