"""Two TIFF files of several pages are copies only where all of their pages are."""

import io
import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from pictures import draw, save, write
from PIL import Image, ImageDraw

from hashindex import HashIndex
from hashindex.core.options import Level
from hashindex.pictures import decode

COVER = draw(1, (300, 380))


BLANK = Image.new("RGB", (300, 380), "white")


def page(number: int, figure: int = 0) -> Image.Image:
    """Lines of text, and one figure at the foot of the page."""
    image = Image.new("RGB", (300, 380), "white")
    pen = ImageDraw.Draw(image)
    for line in range(12):
        pen.rectangle((20, 20 + line * 24, 60 + (number * 37 + line * line * 13) % 220, 30 + line * 24), fill="black")
    pen.text((20, 350), f"{figure} pieces", fill="black")
    return image


def tiff(pages: Sequence[Image.Image], compression: str = "tiff_lzw") -> bytes:
    out = io.BytesIO()
    pages[0].save(out, "TIFF", save_all=True, append_images=pages[1:], compression=compression)
    return out.getvalue()


def groups(index: HashIndex, level: Level) -> list[set[str]]:
    return [
        {os.path.basename(os.fsdecode(member.file.path_bytes)) for member in group.members}
        for group in index.groups(level=level)
    ]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([COVER, page(1)], [COVER, page(2)]),
        ([COVER, page(1)], [COVER, page(1), page(2)]),
        ([COVER], [COVER, page(1)]),
        ([COVER, *(page(n) for n in range(1, 8))], [COVER, *(page(n) for n in range(1, 7)), page(7, 5)]),
        ([COVER, *(page(n) for n in range(1, 40))], [COVER, *(page(n, n == 30) for n in range(1, 40))]),
        ([COVER, page(1), page(2)], [COVER, page(2), page(1)]),
        ([COVER] * 2, [COVER] * 3),
        ([COVER, COVER, page(1)], [COVER, page(1), page(1)]),
        ([BLANK] * 2, [BLANK] * 3),
        ([BLANK, COVER, COVER], [BLANK, BLANK, COVER]),
        ([COVER.convert("1"), page(1).convert("1")], [COVER.convert("1"), page(1, 7).convert("1")]),
    ],
    ids=[
        "another page",
        "one more",
        "cover alone",
        "a figure",
        "a figure on page 30",
        "order",
        "times",
        "doubled",
        "blank",
        "blank and doubled",
        "fax",
    ],
)
def test_a_page_that_differs_makes_two_of_them(
    one: list[Image.Image], other: list[Image.Image], index: HashIndex, folder: Path
) -> None:
    write(folder / "a.tif", tiff(one))
    write(folder / "b.tif", tiff(other))
    index.scan([folder])
    assert groups(index, Level.COPIES) == []


def test_equal_pages_are_copies_however_they_are_packed(index: HashIndex, folder: Path) -> None:
    pages = [COVER, page(1), page(2)]
    for number, compression in enumerate(("raw", "tiff_lzw", "tiff_deflate")):
        write(folder / f"{number}.tif", tiff(pages, compression))
    index.scan([folder])
    assert groups(index, Level.COPIES) == [{"0.tif", "1.tif", "2.tif"}]


def test_a_cover_is_a_variant_of_the_file_that_begins_with_it(index: HashIndex, folder: Path) -> None:
    write(folder / "all.tif", tiff([COVER, page(1), page(2)]))
    write(folder / "cover.tif", tiff([COVER]))
    index.scan([folder])
    assert groups(index, Level.COPIES) == []
    assert groups(index, Level.SIMILAR) == [{"all.tif", "cover.tif"}]


def test_explain_gives_the_reason_why_files_with_pages_are_not_copies(index: HashIndex, folder: Path) -> None:
    paths = [
        write(folder / f"{number}.tif", tiff(pages))
        for number, pages in enumerate(
            ([COVER, page(1), page(2)], [COVER, page(1), page(2, 1)], [COVER, page(1)], [COVER])
        )
    ]
    index.scan([folder])
    end = "files with several pages are copies only if all pages are copies."
    said = [index.explain(paths[0], other).reason for other in paths[1:]]
    assert said == [
        f"They have matching pages, but not every pixel of every page is the same: {end}",
        f"They have matching pages, but one has 2 and the other 3: {end}",
        f"They have matching pages, but one has 1 and the other 3: {end}",
    ]


def test_pages_are_read_again_when_there_is_more_to_say_of_them(
    index: HashIndex, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(folder / "pages.tif", tiff([COVER, page(1)]))
    write(folder / "damaged.png", b"\x89PNG\r\n\x1a\n" + bytes(99))
    save(COVER, folder / "sound.png")
    assert index.scan([folder]).decoded == 3
    monkeypatch.setattr(decode, "READING_VERSION", decode.READING_VERSION + 1)
    assert [index.scan([folder]).decoded for _ in range(2)] == [2, 0]
