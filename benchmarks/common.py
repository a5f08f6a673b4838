"""What the benchmarks share: finding pictures, the bare decode they compare with, tables. Measures nothing itself."""

import argparse
import io
import os
from collections.abc import Sequence
from pathlib import Path

from hashindex import formats


def folder(text: str) -> Path:
    """An argparse type: a folder that is there."""
    path = Path(text)
    if not path.is_dir():
        raise argparse.ArgumentTypeError(f"there is no folder {text}")
    return path.resolve()


def count(text: str) -> int:
    """An argparse type: a whole number of 1 or more."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number of 1 or more")
    return int(text)


def pictures_below(root: Path) -> list[Path]:
    """Every regular file below root that is a picture by its first bytes, by path."""
    found = []
    for parent, folders, names in os.walk(root):
        folders.sort()
        for name in sorted(names):
            path = Path(parent, name)
            if path.is_file() and not path.is_symlink():
                with path.open("rb") as source:
                    if formats.sniff(source.read(formats.LOOK_BYTES)) is not None:
                        found.append(path)
    return found


def bare_decode(data: bytes) -> None:
    """The least that Pillow can do for a hash: open and load the first frame, JPEG as luma of decode()'s size."""
    # Not at the top: the process that watches a scan's memory has to stay small itself.
    from PIL import Image

    from hashindex.pixels import jpeg_scale

    with Image.open(io.BytesIO(data)) as image:
        if image.format == "JPEG":
            scale = jpeg_scale(*image.size)
            image.draft("L", (image.width // scale, image.height // scale))
        image.load()


def print_table(headers: Sequence[str], rows: Sequence[Sequence[object]], *, markdown: bool = False) -> None:
    """The first column to the left, the others to the right."""
    cells = [[str(cell) for cell in row] for row in (headers, *rows)]
    if markdown:
        rule = ["---", *["---:"] * (len(headers) - 1)]
        for line in (cells[0], rule, *cells[1:]):
            print("| " + " | ".join(line) + " |")
        return
    widths = [max(len(line[column]) for line in cells) for column in range(len(headers))]
    for line in cells:
        first, *others = (
            cell.rjust(width) if column else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        print("  ".join([first, *others]).rstrip())
