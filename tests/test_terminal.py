"""How text looks on a terminal: wrapped lines, colours, and no trace of either elsewhere."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pictures import draw, save

from hashindex.output.text.terminal import NARROWEST, PLAIN, Color, Terminal, columns_of, terminal_of

posix = pytest.mark.skipif(os.name != "posix", reason="a terminal of our own is POSIX")


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _no_choice_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "40")


@pytest.mark.parametrize(
    ("stream", "environment", "color", "expected"),
    [
        (Screen(), {}, None, Terminal(40, True)),
        (Screen(), {}, Color.AUTO, Terminal(40, True)),
        (Screen(), {"NO_COLOR": "1"}, None, Terminal(40, False)),
        (Screen(), {"NO_COLOR": ""}, None, Terminal(40, True)),
        (Screen(), {"NO_COLOR": "1"}, Color.ALWAYS, Terminal(40, True)),
        (Screen(), {}, Color.NEVER, Terminal(40, False)),
        (Screen(), {"TERM": "dumb"}, None, PLAIN),
        (Screen(), {"COLUMNS": "3"}, None, Terminal(NARROWEST, True)),
        (io.StringIO(), {}, None, PLAIN),
        (io.StringIO(), {}, Color.ALWAYS, Terminal(None, True)),
    ],
)
def test_colours_and_width_follow_the_stream_the_option_and_the_environment(
    stream: io.StringIO,
    environment: dict[str, str],
    color: Color | None,
    expected: Terminal,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert terminal_of(stream, color) == expected


@pytest.mark.parametrize(
    ("text", "hang", "lines"),
    [
        ("short", None, ["short"]),
        ("one two three four five", None, ["one two three four", "  five"]),
        ("  one two three four five", None, ["  one two three four", "    five"]),
        ("Root  one two three four", 6, ["Root  one two three", "      four"]),
        ("Root one two three four", 90, ["Root one two three", "      four"]),
        ("see /pictures/cats/grey/cat.png", None, ["see /pictures/cats/", "  grey/cat.png"]),
        ("see /cats/grey/cat", None, ["see /cats/grey/cat"]),
        ("keep a.png /cats/cat", None, ["keep a.png /cats/cat"]),
        ("keep ab.png /cats/cat", None, ["keep ab.png", "  /cats/cat"]),
        ("keep in an /pictures/cats/cat.png", None, ["keep in an", "  /pictures/cats/", "  cat.png"]),
        ("abcdefghijklmnopqrstuvwxyz", None, ["abcdefghijklmnopqrst", "  uvwxyz"]),
        ("一二三四五六七八九十。另一句话", None, ["一二三四五六七八九", "  十。另一句话"]),
        ("a line\nanother line of words", None, ["a line", "another line of", "  words"]),
        ("", None, [""]),
    ],
)
def test_lines_break_between_words_and_go_on_indented(text: str, hang: int | None, lines: list[str]) -> None:
    assert Terminal(20).wrapped(text, hang).split("\n") == lines
    assert PLAIN.wrapped(text, hang) == text


@given(st.text(st.sampled_from("ab /图片。\n\u0301")), st.integers(NARROWEST, 100), st.none() | st.integers(0, 60))
def test_no_line_is_wider_than_the_terminal_and_no_character_is_lost(text: str, width: int, hang: int | None) -> None:
    wrapped = Terminal(width).wrapped(text, hang)
    assert max(map(columns_of, wrapped.split("\n"))) <= width
    assert "".join(wrapped.split()) == "".join(text.split())


@given(st.lists(st.text("abc图", min_size=1), min_size=1))
def test_styles_take_no_columns(words: list[str]) -> None:
    colored, plain = Terminal(20, True), Terminal(20, False)
    styled = colored.wrapped(" ".join(colored.style(word, "bold", "red") for word in words))
    assert styled.replace("\x1b[1;31m", "").replace("\x1b[0m", "") == plain.wrapped(" ".join(words))


def test_without_colours_there_are_no_styles() -> None:
    assert (PLAIN.style("cat", "bold"), Terminal(40, True).style("cat", "bold")) == ("cat", "\x1b[1mcat\x1b[0m")


def on_a_terminal(*words: object, columns: int = 40, environment: dict[str, str] | None = None) -> str:
    """What a command prints on a terminal."""
    from make_captures import on_terminal

    env = {name: value for name, value in os.environ.items() if name != "COLUMNS"} | (environment or {})
    command = [sys.executable, "-m", "hashindex", *map(str, words)]
    return on_terminal(command, columns, env, Path.cwd()).decode().replace("\r\n", "\n")


@posix
@pytest.mark.parametrize("columns", [40, 100])
def test_messages_and_errors_keep_to_the_width_of_a_terminal(columns: int, tmp_path: Path) -> None:
    catalogue = ("--catalogue", tmp_path / "catalogue.db")
    save(draw(1), tmp_path / "pictures" / "cat.png")
    told = on_a_terminal(*catalogue, "scan", tmp_path / "pictures", "--exclude", "nothing-like-it", columns=columns)
    told += on_a_terminal(*catalogue, "query", "cat", columns=columns)
    told += on_a_terminal(*catalogue, "status", columns=columns)
    assert "matched nothing" in " ".join(told.split())
    assert "searches by a picture" in " ".join(told.split())
    lines = [line for line in told.split("\n") if "\r" not in line and "\x1b" not in line]
    assert max(map(columns_of, lines)) <= columns


@pytest.fixture
def scanned(tmp_path: Path) -> tuple[tuple[str, Path], Path]:
    """The option that names a catalogue, and a scanned folder with two copies of one picture."""
    catalogue = ("--catalogue", tmp_path / "catalogue.db")
    folder = tmp_path / "pictures"
    save(draw(1), folder / "cat.png")
    save(draw(1), folder / "cat.jpg")
    subprocess.run([sys.executable, "-m", "hashindex", *catalogue, "-q", "scan", folder], check=True)
    return catalogue, folder


@posix
def test_a_terminal_gets_colours_and_paths_relative_to_the_scanned_folder(
    scanned: tuple[tuple[str, Path], Path],
) -> None:
    catalogue, folder = scanned
    query = (*catalogue, "query", folder / "cat.png")
    shown = on_a_terminal(*query, columns=100)
    assert "\x1b[32m     copy\x1b[0m" in shown and "  cat.jpg  " in shown and str(folder) not in shown
    groups = on_a_terminal(*catalogue, "groups", columns=100)
    assert "\x1b[1;32m    keep\x1b[0m  \x1b[1mcat.png\x1b[0m" in groups
    assert "\x1b[32m    copy\x1b[0m  cat.jpg" in groups and str(folder) not in groups
    for words, environment in (
        (("--color", "never"), {}),
        ((), {"NO_COLOR": "1"}),
        ((), {"TERM": "dumb"}),
    ):
        assert "\x1b" not in on_a_terminal(*query, *words, columns=100, environment=environment)
    assert str(folder) in on_a_terminal(*query, columns=100, environment={"TERM": "dumb"})


@posix
def test_a_pipe_gets_absolute_paths_and_no_colours_unless_asked_for(scanned: tuple[tuple[str, Path], Path]) -> None:
    catalogue, folder = scanned

    def piped(*words: object) -> str:
        command = [sys.executable, "-m", "hashindex", *map(str, (*catalogue, *words))]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    plain = piped("query", folder / "cat.png")
    assert "\x1b" not in plain and str(folder / "cat.jpg") in plain and plain.count("\n") == 1
    colored = piped("query", folder / "cat.png", "--color", "always")
    assert "\x1b[32m" in colored and str(folder / "cat.jpg") in colored and colored.count("\n") == 1
    assert "\x1b" not in piped("query", folder / "cat.png", "--color", "always", "--json")


@pytest.mark.parametrize("language", ["en", "zh_CN"])
def test_help_keeps_to_a_narrow_terminal(language: str) -> None:
    command = [sys.executable, "-m", "hashindex", "--lang", language, "groups", "--help"]
    text = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=True).stdout
    lines = [line for line in text.splitlines() if not line.startswith("    hashindex ")]
    assert len(lines) > 100
    assert max(map(columns_of, lines)) <= 40


@posix
def test_plans_on_a_terminal_have_relative_paths(scanned: tuple[tuple[str, Path], Path], tmp_path: Path) -> None:
    catalogue, folder = scanned
    environment = {"NO_COLOR": "1", "XDG_DATA_HOME": str(tmp_path / "data")}
    plans = on_a_terminal(*catalogue, "dedupe", columns=200, environment=environment)
    plans += on_a_terminal(*catalogue, "organize", tmp_path / "Stickers", columns=200, environment=environment)
    pictures = folder.name
    assert "trash  cat.jpg  (kept: cat.png; copy, it is saved with more loss)\n" in plans
    assert f"copy  {pictures}/cat.png  ->  Stickers/00001.png\n" in plans
    assert f"{folder}/" not in plans


@posix
@pytest.mark.parametrize("columns", [40, 100])
def test_every_listing_keeps_to_the_width_of_a_terminal(
    columns: int, scanned: tuple[tuple[str, Path], Path], tmp_path: Path
) -> None:
    catalogue, folder = scanned
    pictures = (folder / "cat.png", folder / "cat.jpg")
    for words in (
        ("scan", folder),
        ("groups",),
        ("query", pictures[0]),
        ("explain", *pictures),
        ("explain", *pictures, "-v"),
        ("same", *pictures),
        ("decisions",),
        ("organize", tmp_path / "out"),
        ("organize", tmp_path / "out", "--apply"),
        ("history",),
        ("status",),
        ("doctor",),
        ("undo",),
    ):
        shown = on_a_terminal(*catalogue, *words, columns=columns)
        # What a progress bar drew was erased.
        lines = [line for line in shown.split("\n") if "\r" not in line and "\x1b[2K" not in line]
        assert max(map(columns_of, lines)) <= columns, words
