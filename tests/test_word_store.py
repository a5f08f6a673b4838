"""Recognised lines and tags in the catalogue: what is kept, and what survives."""

import math
import sqlite3
from pathlib import Path

import pytest
from pictures import draw, fill, save

from hashindex import HashIndex
from hashindex.core.words import TextLine, WordCounts
from hashindex.store import schema
from hashindex.store.catalogue import Catalogue
from hashindex.store.rescue import set_aside

LINES = [TextLine("收到请回复", 0.98, 0.1, 0.7, 0.8, 0.2), TextLine("ok", 0.4, frame=3)]


def test_lines_are_kept_in_order_and_replaced_by_another_reader(index: HashIndex, folder: Path) -> None:
    fill(folder, [1, 2])
    index.scan([folder])
    with Catalogue(index.path, write=True) as catalogue:
        first, second = catalogue.unread_pictures("ocr 1")
        with catalogue.atomic():
            catalogue.words.put(first.content.digest, "ocr 1", LINES)
            catalogue.words.put(second.content.digest, "ocr 1", [], problem="it is too small")
        assert catalogue.words.of([first.content.id, second.content.id]) == {first.content.id: LINES}
        assert catalogue.unread_pictures("ocr 1") == []
        # Without those with a problem.
        assert catalogue.words.read_by([first.content.id, second.content.id], "ocr 1") == {first.content.id}
        assert catalogue.words.counts() == WordCounts(2, 2)
        # Until the newer reader has read them, the lines of the older one remain.
        assert catalogue.unread_pictures("ocr 2") == [first, second]
        with catalogue.atomic():
            catalogue.words.put(first.content.digest, "ocr 2", LINES[1:])
        assert catalogue.words.of([first.content.id]) == {first.content.id: LINES[1:]}
        assert catalogue.unread_pictures("ocr 2") == [second]


def test_unread_are_present_pictures_one_file_each(index: HashIndex, folder: Path) -> None:
    save(draw(1), folder / "b.png")
    save(draw(1), folder / "sub" / "a.png")
    gone = save(draw(2), folder / "gone.png")
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(50))
    index.scan([folder])
    gone.unlink()
    index.scan([folder])
    with Catalogue(index.path) as catalogue:
        assert [Path(file.path).name for file in catalogue.unread_pictures("ocr 1")] == ["b.png"]
        (below,) = catalogue.unread_pictures("ocr 1", bytes(folder / "sub"))
        assert below.path == str(folder / "sub" / "a.png")


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf, -1.0, 7.5])
def test_numbers_out_of_range_become_the_nearest_within(index: HashIndex, folder: Path, number: float) -> None:
    fill(folder, [1])
    index.scan([folder])
    with Catalogue(index.path, write=True) as catalogue:
        (file,) = catalogue.unread_pictures("ocr 1")
        line = TextLine("a\0b\udc80c\x1b[31m", number, number, number, number, number, -5)
        with catalogue.atomic():
            catalogue.words.put(file.content.digest, "ocr 1", [line])
        (((text, *numbers, frame),),) = catalogue.words.of([file.content.id]).values()
        assert text == "a\0b\\udc80c\x1b[31m"
        assert all(0 <= each <= 1 for each in numbers)
        assert frame == 0


def test_forgotten_pictures_lose_their_lines_and_keep_their_tags(index: HashIndex, folder: Path) -> None:
    fill(folder, [1])
    index.scan([folder])
    with Catalogue(index.path, write=True) as catalogue:
        (file,) = catalogue.unread_pictures("ocr 1")
        with catalogue.atomic():
            catalogue.words.put(file.content.digest, "ocr 1", LINES)
            catalogue.words.tag([file.content.digest], ["cat"], 1)
    index.forget(folder)
    index.scan([folder])
    with Catalogue(index.path) as catalogue:
        assert [again.content.digest for again in catalogue.unread_pictures("ocr 1")] == [file.content.digest]
        assert catalogue.words.counts() == WordCounts(1, 0)
        assert catalogue.words.tags_of([file.content.digest]) == {file.content.digest: ["cat"]}


def test_a_catalogue_that_is_built_anew_takes_over_words_and_tags(index: HashIndex, folder: Path) -> None:
    fill(folder, [1, 2])
    index.scan([folder])
    with Catalogue(index.path, write=True) as catalogue:
        first, second = catalogue.unread_pictures("ocr 1")
        with catalogue.atomic():
            for file in (first, second):
                catalogue.words.put(file.content.digest, "ocr 1", LINES)
            catalogue.words.tag([first.content.digest], ["cat", "funny"], 1)
            # As if the page with one of its lines were damaged.
            catalogue.connection.execute("DELETE FROM text_line WHERE picture = 2 AND position = 1")
        catalogue.mark_corrupt("a test")
    assert set_aside(index.path, 1) is not None
    index.scan([folder])
    with Catalogue(index.path) as catalogue:
        assert [file.path for file in catalogue.unread_pictures("ocr 1")] == [second.path]
        assert list(catalogue.words.of([1, 2]).values()) == [LINES]
        assert catalogue.words.tags_of([first.content.digest]) == {first.content.digest: ["cat", "funny"]}


def test_a_catalogue_without_words_is_migrated(index: HashIndex, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(folder, [1, 2])
    with monkeypatch.context() as before:
        before.setattr(schema, "MIGRATIONS", ())
        Catalogue(index.path, write=True).close()
    connection = sqlite3.connect(index.path)
    assert connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'tag'").fetchall() == []
    connection.close()
    index.scan([folder])
    with Catalogue(index.path) as catalogue:
        assert len(catalogue.unread_pictures("ocr 1")) == 2
