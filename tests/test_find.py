"""hashindex find: which pictures words find, in which order, whatever the words are and whatever befalls the index."""

import json
import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pictures import draw, fill, save
from recognised import read_as
from typer.testing import CliRunner, Result

from hashindex import HashIndex, UsageError
from hashindex.commands.cli import app
from hashindex.core.folding import fold, query_words
from hashindex.core.words import TextLine, WordCounts
from hashindex.output.text.explain import explanation_text
from hashindex.store.catalogue import Catalogue
from hashindex.store.word_index import WordIndex


def names(index: HashIndex, words: str, **how: Any) -> list[str]:
    """The names of the pictures that words find, in order."""
    return [Path(found.file.path).name for found in index.find(words, **how)]


@pytest.fixture
def few(index: HashIndex, folder: Path) -> HashIndex:
    """Six pictures named 1.png to 6.png, without words."""
    for seed in range(1, 7):
        save(draw(seed), folder / f"{seed}.png")
    index.scan([folder])
    return index


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("收到请回复", ["1.png"]),
        ("请回", ["1.png"]),
        ("请", ["1.png"]),
        ("收到 复", ["1.png"]),
        ("收到，请！", ["1.png"]),
        ("開會", ["2.png"]),
        ("开会", ["2.png"]),
        ("morn", ["3.png"]),
        ("ＭＯＲＮＩＮＧ good", ["3.png"]),
        ("?", ["4.png"]),
        ("❤", ["5.png"]),
        ("don't", ["6.png"]),
        ("今天开会明天", ["2.png"]),
        ("nothing like it", []),
    ],
)
def test_words_and_parts_of_words_find_a_caption(few: HashIndex, words: str, found: list[str]) -> None:
    read_as(
        few,
        {
            "1.png": "收到，请回复!",
            "2.png": [TextLine("今天開會", 0.9), TextLine("明天", 0.9)],
            "3.png": "Good Morning",
            "4.png": "???",
            "5.png": "I ❤️ u",
            "6.png": "I don’t know".replace("’", "'"),
        },
    )
    assert names(few, words) == found


def test_tags_come_before_captions_captions_before_names_and_uncertain_lines_last(few: HashIndex, folder: Path) -> None:
    save(draw(8), folder / "the cat.png")
    few.scan([folder])
    read_as(
        few,
        {
            "1.png": [TextLine("cat", 0.3)],
            "2.png": "educational",
            "3.png": "a cat and a long caption",
            "4.png": "cat",
        },
    )
    few.tag(["funny cat"], [folder / "5.png"])
    few.tag(["cat"], [folder / "6.png"])
    assert names(few, "cat") == ["6.png", "5.png", "4.png", "3.png", "2.png", "the cat.png", "1.png"]
    assert names(few, "cat", limit=2) == ["6.png", "5.png"]


def test_a_wrong_letter_is_forgiven_after_exact_words(few: HashIndex) -> None:
    read_as(few, {"1.png": "mornlng", "2.png": "morning everybody", "3.png": "evening", "4.png": "收到清回复"})
    found = few.find("morning")
    assert [(Path(one.file.path).name, one.is_exact) for one in found] == [
        ("2.png", True),
        ("1.png", False),
    ]
    assert names(few, "收到请回复") == ["4.png"]
    assert names(few, "20201") == []


def test_if_no_picture_has_all_words_those_with_some_are_found(few: HashIndex) -> None:
    read_as(few, {"1.png": "red green", "2.png": "green", "3.png": "blue"})
    assert names(few, "green red") == ["1.png"]
    assert names(few, "green red yellow") == ["1.png", "2.png"]
    assert not any(found.is_exact for found in few.find("green red yellow"))


def test_a_picture_is_found_once_with_its_copies(index: HashIndex, folder: Path) -> None:
    for path in ("a/cat.png", "b/cat.gif", "b/again.png"):
        save(draw(1), folder / path)
    save(draw(2), folder / "cat.png")
    index.scan([folder])
    read_as(index, {"cat.gif": "meow"})
    (found,) = index.find("meow")
    paths = {Path(file.path).relative_to(folder).as_posix() for file in (found.file, *found.copies)}
    assert paths == {"a/cat.png", "b/cat.gif", "b/again.png"}
    assert found.lines == ("meow",)
    (below,) = index.find("meow", under=folder / "b")
    assert below.file.path.startswith(str(folder / "b"))
    assert index.find("meow", under=folder / "c") == []
    assert len(index.find("cat")) == 2


def test_decisions_join_and_part_found_pictures(few: HashIndex, folder: Path) -> None:
    read_as(few, {"1.png": "meow", "2.png": "meow"})
    assert len(few.find("meow")) == 2
    few.same(folder / "1.png", folder / "2.png", folder / "3.png")
    (found,) = few.find("meow")
    assert len(found.copies) == 2


def test_separate_copies_are_two_pictures(index: HashIndex, folder: Path) -> None:
    save(draw(1), folder / "cat.png")
    save(draw(1), folder / "cat.gif")
    index.scan([folder])
    assert len(index.find("cat")) == 1
    index.separate(folder / "cat.png", folder / "cat.gif")
    assert len(index.find("cat")) == 2


def test_every_change_is_searched_at_once(index: HashIndex, folder: Path) -> None:
    cat = save(draw(1), folder / "cat.png")
    save(draw(2), folder / "dog.png")
    index.scan([folder])
    assert names(index, "cat") == ["cat.png"]
    cat.rename(folder / "tiger.png")
    index.scan([folder])
    assert (names(index, "cat"), names(index, "tiger")) == ([], ["tiger.png"])
    read_as(index, {"tiger.png": "roar"})
    assert names(index, "roar") == ["tiger.png"]
    read_as(index, {"tiger.png": "purr"})
    assert (names(index, "roar"), names(index, "purr")) == ([], ["tiger.png"])
    index.tag(["big"], [folder / "tiger.png"])
    assert names(index, "big") == ["tiger.png"]
    index.untag(["big"], [folder / "tiger.png"])
    assert names(index, "big") == []
    # Another picture under the name, twice without a search between.
    for seed in (3, 4):
        (folder / "tiger.png").unlink()
        save(draw(seed), folder / "tiger.png")
        index.scan([folder])
    assert (names(index, "purr"), names(index, "tiger")) == ([], ["tiger.png"])
    # Deleted since the last scan, and then found missing by the next.
    (folder / "tiger.png").unlink()
    assert names(index, "tiger") == []
    index.scan([folder])
    assert names(index, "tiger") == []
    index.forget(folder)
    assert names(index, "dog") == []


def test_organized_pictures_are_found_where_they_are(index: HashIndex, folder: Path, tmp_path: Path) -> None:
    save(draw(1), folder / "cat.png")
    index.scan([folder])
    read_as(index, {"cat.png": "meow"})
    index.organize(tmp_path / "sorted", action="move", rest=True)  # type: ignore[arg-type]
    assert names(index, "meow") == ["00001.png"]


def test_counts_tell_what_can_be_found(few: HashIndex, folder: Path) -> None:
    read_as(few, {"1.png": "cat", "2.png": []})
    (folder / "4.png").unlink()
    few.scan([folder])
    assert few.word_counts() == WordCounts(5, 2)


def test_explain_and_report_show_words(few: HashIndex, folder: Path, tmp_path: Path) -> None:
    save(draw(1), folder / "copy.gif")
    few.scan([folder])
    read_as(few, {"1.png": "收到 </script>"})
    few.tag("cat", folder / "2.png")
    found = few.explain(folder / "1.png", folder / "2.png")
    assert (found.a.lines, found.a.tags, found.b.lines, found.b.tags) == (("收到 </script>",), (), (), ("cat",))
    assert '"收到 </script>")' in explanation_text(found)
    assert "#cat)" in explanation_text(found)
    few.report(tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text("utf-8")
    # The copy was not read.
    (words,) = re.findall(r'"words":(\{"\d":.*?\})', page)
    assert list(json.loads(words).values()) == [[["收到 </script>"], []]]


# Any words


def filled(path: Path, texts: Iterable[tuple[str, str, str]]) -> Catalogue:
    """A catalogue of contents with a certain line, a tag and a file name each, by ids from 1."""
    catalogue = Catalogue(path, write=True)
    connection = catalogue.connection
    with catalogue.atomic():
        connection.execute("INSERT INTO pipeline VALUES (1, '', '')")
        connection.execute("INSERT INTO folder (id, path) VALUES (1, x'2f')")
        for id, (line, tag, name) in enumerate(texts, 1):
            digest = id.to_bytes(32, "big")
            connection.execute(
                "INSERT INTO content VALUES (?, ?, 1, 'png', 1, 1, 1, 0, 9, NULL, NULL, 1)", (id, digest)
            )
            values = (os.fsencode(f"{name}#{id}.png"), id)
            connection.execute(
                "INSERT INTO file VALUES (1, ?, 1, 0, 0, x'', x'', ?, NULL, 0, 0, 0, 0, 0, NULL)", values
            )
            catalogue.words.put(digest, "test 1", [TextLine(line, 1.0)])
            catalogue.words.tag([digest], [tag] if tag else [], 1)
        while catalogue.word_index.refresh(7):
            pass
    return catalogue


some_text = st.text(alphabet=st.sampled_from("ab我你 \"'*-_^():?!\0\n\x1b\u202e❤Ａ愛1"), max_size=9)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    texts=st.lists(st.tuples(some_text, some_text, some_text.filter(lambda text: "\0" not in text)), max_size=8),
    query=some_text.filter(fold),
)
def test_found_is_what_the_slow_definition_finds(
    tmp_path_factory: pytest.TempPathFactory, texts: list[tuple[str, str, str]], query: str
) -> None:
    words = query_words(query)
    with filled(tmp_path_factory.mktemp("catalogue") / "catalogue.db", texts) as catalogue:
        found = {match.content for match in catalogue.word_index.matches(words) if match.is_exact}
        rows = catalogue.connection.execute("SELECT content, words, tags, names FROM search_text").fetchall()
    assert found == {content for content, *parts in rows if all(any(word in part for part in parts) for word in words)}
    folded = {id: (fold(line), fold(tag), fold(f"{name}#{id}")) for id, (line, tag, name) in enumerate(texts, 1)}
    assert {content: tuple(parts) for content, *parts in rows} == folded


@pytest.fixture(scope="module")
def words_of_all_kinds(tmp_path_factory: pytest.TempPathFactory) -> Iterable[Catalogue]:
    with filled(tmp_path_factory.mktemp("catalogue") / "catalogue.db", [("我爱你", "cat", "dog")] * 3) as catalogue:
        yield catalogue


QUERIES = (
    *('"', '""', '"""', "'", "AND", "a OR b", "NOT", "NEAR(a b)", "cat*", "^cat", "-cat", "words:cat", "{a b}:c"),
    *("(", ")", "cat AND (", "\\", "%", "_", "[a]", ";DROP TABLE file", "?1", ":a", "@a", "$a"),
    *(
        "😀",
        "👨\u200d👩\u200d👧",
        "e\u0301",
        "\u202eabc",
        "\x1b[2J",
        "a\0b",
        "\ud800",
        "\udcff",
        "\uffff",
        "\U0010ffff",
    ),
    *("x" * 10_000, "我" * 10_000, "a " * 10_000),
)


@pytest.mark.parametrize("query", QUERIES, ids=range(len(QUERIES)))
def test_no_query_is_an_error(words_of_all_kinds: Catalogue, query: str) -> None:
    try:
        words = query_words(query)
    except UsageError:
        return
    list(words_of_all_kinds.word_index.matches(words))


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(query=st.one_of(st.text(max_size=30), st.lists(st.sampled_from(QUERIES), max_size=5).map(" ".join)))
def test_no_text_is_an_error(words_of_all_kinds: Catalogue, query: str) -> None:
    if fold(query):
        list(words_of_all_kinds.word_index.matches(query_words(query)))


# Trouble


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE text_index_data SET block = x'ff00ff00ff' WHERE id > 1",
        "UPDATE text_index_data SET block = x'ff00ff00ff' WHERE id > 100",
        "UPDATE text_index_data SET block = x'' WHERE id = 10",
        "DELETE FROM text_index_data",
        "DELETE FROM text_index_config",
        "DROP TABLE text_index_idx",
        "DROP TABLE text_index",
    ],
)
def test_a_damaged_index_is_made_anew(few: HashIndex, folder: Path, damage: str) -> None:
    read_as(few, {"1.png": "morning", "2.png": "evening"})
    assert names(few, "morning") == ["1.png"]
    connection = sqlite3.connect(few.path)
    connection.execute(damage)
    connection.commit()
    connection.close()
    few.tag(["morning"], [folder / "2.png"])
    assert names(few, "morning") == ["2.png", "1.png"]
    few.scan()
    with Catalogue(few.path) as catalogue:
        assert catalogue.faults() == []


def test_a_locked_catalogue_answers_with_what_is_indexed(few: HashIndex, folder: Path) -> None:
    read_as(few, {"1.png": "morning"})
    assert names(few, "morning") == ["1.png"]
    few.tag(["morning"], [folder / "2.png"])
    holder = sqlite3.connect(few.path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    assert names(few, "morning") == ["1.png"]
    holder.execute("ROLLBACK")
    holder.close()
    assert names(few, "morning") == ["2.png", "1.png"]


def test_without_full_text_search_scans_go_on_and_find_says_so(
    index: HashIndex, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(folder, [1])
    with monkeypatch.context() as without:
        without.setattr(WordIndex, "is_available", lambda self: False)
        assert index.scan([folder]).decoded == 1
        with pytest.raises(UsageError, match=r"no full-text search \(FTS5\)"):
            index.find("1")
    index.tag(["cat"], list(folder.iterdir()))
    assert len(index.find("cat")) == 1


def test_indexing_that_is_killed_goes_on_where_it_was(index: HashIndex, folder: Path) -> None:
    fill(folder, range(1, 6))
    index.scan([folder])
    read_as(index, {path.name: "morning" for path in folder.iterdir()})
    script = (
        "import os, sys; from hashindex.store.catalogue import Catalogue; from hashindex.store import word_index\n"
        "with Catalogue(__import__('pathlib').Path(sys.argv[1]), write=True) as catalogue:\n"
        "    with catalogue.atomic(): catalogue.word_index.refresh(2)\n"
        "    with catalogue.atomic(): catalogue.word_index.refresh(2); os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", script, index.path], check=False).returncode == 9
    with Catalogue(index.path) as catalogue:
        assert catalogue.word_index.count_unindexed() == 3
    assert len(index.find("morning")) == 5


# The command


def run(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)


@pytest.fixture
def _own_catalogue(index: HashIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HASHINDEX_CATALOGUE", str(index.path))


@pytest.mark.usefixtures("_own_catalogue")
def test_the_command_shows_a_line_for_each_picture(index: HashIndex, folder: Path) -> None:
    for name in ("cat.png", "cat.gif"):
        save(draw(1), folder / name)
    index.scan([folder])
    read_as(index, {"cat.gif": [TextLine("meow\x1b[2J", 1.0), TextLine("meow", 1.0)]})
    index.tag(["funny"], [folder / "cat.gif"])
    (found,) = index.find("meow")
    shown, copy = found.file.path, found.copies[0].path
    assert run("find", "meow").stdout == f"{shown}  meow\\x1b[2J meow  #funny\n"
    assert run("find", "meow", "funny", "--copies").stdout == f"{shown}  meow\\x1b[2J meow  #funny\n    {copy}\n"
    assert json.loads(run("find", "meow", "--json").stdout) == {
        "event": "found",
        "path": shown,
        "bytes": found.file.size,
        "copies": [copy],
        "lines": ["meow\x1b[2J", "meow"],
        "tags": ["funny"],
        "exact": True,
        "width": 160,
        "height": 120,
        "frames": 1,
        "format": found.file.content.format,
    }


@pytest.mark.usefixtures("_own_catalogue")
def test_the_command_says_what_to_do_if_nothing_is_found(index: HashIndex, folder: Path) -> None:
    fill(folder, [1, 2])
    index.scan([folder])
    result = run("find", "meow")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        "No picture with these words among 2 pictures.\n"
        "No text was read in pictures yet: only tags and file names were searched. Run: hashindex read\n"
    )
    read_as(index, {next(folder.iterdir()).name: "meow"})
    result = run("find", "meowww")
    assert result.exit_code == 1
    assert "The text of some pictures was not read yet. Run: hashindex read" in result.stderr
    result = run("find", "meow", "cat")
    assert result.exit_code == 0
    assert "No picture has exactly these words; these are the nearest." in result.stderr
    assert run("find", " ").exit_code == 2


@pytest.mark.usefixtures("_own_catalogue")
def test_groups_are_chosen_by_words(index: HashIndex, folder: Path) -> None:
    for seed in (1, 2):
        for extension in ("png", "gif"):
            save(draw(seed), folder / f"{seed}.{extension}")
    index.scan([folder])
    read_as(index, {"2.gif": "meow"})
    group, summary = map(json.loads, run("groups", "--words", "meow", "--json").stdout.splitlines())
    assert {Path(member["path"]).name for member in group["members"]} == {"2.gif", "2.png"}
    assert summary["groups"] == 1
    result = run("groups", "--words", "woof")
    assert (result.exit_code, "No picture has the words 'woof'" in result.stderr) == (2, True)
    assert run("groups", folder / "1.png", "--words", "meow").exit_code == 2


@pytest.mark.usefixtures("_own_catalogue")
def test_open_starts_the_viewer_without_a_shell(
    index: HashIndex, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(draw(1), folder / "$(touch cat) & cat.png")
    save(draw(2), folder / "dog.png").rename(folder / "dog.exe")
    index.scan([folder])
    started: list[Any] = []
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr("hashindex.commands.viewer.subprocess.Popen", lambda command, **how: started.append(command))
    assert run("find", "touch", "--open").exit_code == 0
    assert started == [["xdg-open", bytes(folder / "$(touch cat) & cat.png")]]
    result = run("find", "dog", "--open")
    assert result.exit_code == 2
    assert "dog.exe does not have the extension of a picture" in result.stderr
