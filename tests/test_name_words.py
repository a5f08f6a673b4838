"""Names that say what a picture is: its text and its tags, short and valid on every system."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pictures import draw, save

from hashindex import HashIndex
from hashindex.core.name_words import LONGEST, NameWords, name_words, short_text
from hashindex.core.safe_names import safe_name
from hashindex.core.words import TextLine
from hashindex.store.catalogue import Catalogue


def text_of(*lines: str) -> str:
    return short_text([TextLine(line, 0.9, height=0.1) for line in lines])


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        ([], ""),
        (["收到请回复!"], "收到请回复"),
        (["“今天开会”", "明天也开"], "今天开会”明天也开".replace("”", " ")),
        (["Really?", "Yes/No: maybe"], "Really Yes No maybe"),
        (["???"], ""),
        (["(beta)", "(", ")"], "(beta)"),
        (["W", "我太难了"], "我太难了"),
        (["6"], ""),
        (["好"], "好"),
        (["..", "a\0b\x1b"], "a b"),
        (["收到，请回复。"], "收到，请回复"),
        (["❤ you"], "❤ you"),
        (["a" * 30, "b" * 30], "a" * 30),
        (["good morning everybody who works on weekends and nights"], "good morning everybody who works on"),
        (["我" * 30], "我" * 20),
        (["x" * 100], "x" * LONGEST),
    ],
)
def test_a_text_is_short_and_clean(lines: list[str], text: str) -> None:
    assert text_of(*lines) == text


def test_only_large_and_certain_lines_are_in_a_name() -> None:
    lines = [
        TextLine("10:42", 0.99, height=0.03),
        TextLine("I am", 0.95, height=0.2),
        TextLine("noise", 0.3, height=0.2),
        TextLine("fine", 0.95, height=0.15),
        TextLine("@someone", 0.9, height=0.04),
    ]
    assert short_text(lines) == "I am fine"


def test_tags_are_joined() -> None:
    assert name_words([], ["big cat", "a/b", "c", "d", "e", "f"]) == NameWords("", "big cat, a b, c, d, e")


@given(st.lists(st.text(), max_size=4))
def test_every_text_is_a_safe_name_of_bounded_width(lines: list[str]) -> None:
    text = text_of(*lines)
    assert len(text) <= LONGEST
    # safe_name changes a name of Windows, such as con, and nothing else.
    assert safe_name(text).removeprefix("_") == text.removeprefix("_")


def test_organize_names_pictures_by_their_words(index: HashIndex, folder: Path, tmp_path: Path) -> None:
    for seed, name in ((1, "a.png"), (2, "b.png"), (3, "c.png"), (1, "d.gif")):
        save(draw(seed), folder / name)
    index.scan([folder])
    with Catalogue(index.path, write=True) as catalogue, catalogue.atomic():
        for name, text in (("a.png", "收到: 请回复?"), ("b.png", "../../etc/passwd")):
            file = catalogue.file_at(bytes(folder / name))
            assert file is not None
            catalogue.words.put(file.content.digest, "test 1", [TextLine(text, 0.9, height=0.2)])
    index.tag("cat", [folder / "b.png", folder / "c.png"])
    index.organize(tmp_path / "out", rest=True, name="{text}", folder="{tags}")
    placed = sorted(path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.[pg]*"))
    # The copy of a.png was not read, and has the words of a.png.
    assert [name.partition(".")[0] for name in placed] == ["cat/00003", "cat/etc passwd", "收到 请回复", "收到 请回复"]
