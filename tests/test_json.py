"""The JSON of every command is documented, fits its schema, and progress is JSON on request."""

import importlib.util
import json
import os
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, NotRequired, TypedDict

import json_schema
import pytest
from pictures import draw, fill, save, write
from typer.testing import CliRunner

from hashindex.commands.cli import app
from hashindex.output import progress
from hashindex.output.progress import Display, ProgressStyle, Stage

ROOT = Path(__file__).resolve().parent.parent


def load_make_json() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_json", ROOT / "docs" / "make_json.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


make_json = load_make_json()
LINES = {"-".join(name.split()[1:]): lines for name, lines in make_json.commands(app)}
WITHOUT_JSON = {"review", "service logs"}
"""The first prints an address, the second the text of others."""


def run(*words: object) -> Any:
    return CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)


def test_the_reference_and_the_schema_are_current() -> None:
    difference = make_json.drift(app)
    assert not difference, difference


def test_every_command_documents_its_lines() -> None:
    from typer.main import get_command

    def leaves(command: Any, words: tuple[str, ...] = ()) -> list[str]:
        if not hasattr(command, "commands"):
            return [" ".join(words)]
        context = make_json.typer.Context(command)
        names = command.list_commands(context)
        return [each for name in names for each in leaves(command.get_command(context, name), (*words, name))]

    documented = {name.replace("hashindex ", "") for name, _ in make_json.commands(app)}
    assert set(leaves(get_command(app))) - documented == WITHOUT_JSON


def objects() -> set[Any]:
    """The types of all lines, and of their parts."""
    lines = {line for found in [*LINES.values(), make_json.STDERR] for line in found}
    return lines.union(*map(make_json.parts_of, lines))


def test_every_key_has_a_description() -> None:
    silent = [
        f"{each.__name__}.{key}"
        for each in objects()
        for key, text in make_json.descriptions(each).items()
        if not text and key != "event"
    ]
    assert silent == []


def test_every_line_says_what_it_is() -> None:
    lines = {line for found in [*LINES.values(), make_json.STDERR] for line in found}
    assert [line.__name__ for line in lines if "event" not in make_json.keys(line)] == []


class Inner(TypedDict):
    """A part."""

    b: int
    """Its b."""


class Outer(Inner):
    """A line."""

    event: Literal["x"]
    c: NotRequired[list[Inner | None]]
    """A list."""


def test_a_schema_allows_only_what_the_type_has() -> None:
    assert make_json.definition(Outer) == {
        "type": "object",
        "description": "A line.",
        "properties": {
            "b": {"type": "integer", "description": "Its b."},
            "event": {"const": "x"},
            "c": {
                "type": "array",
                "items": {"anyOf": [{"$ref": "#/$defs/Inner"}, {"type": "null"}]},
                "description": "A list.",
            },
        },
        "required": ["b", "event"],
        "additionalProperties": False,
    }
    assert make_json.parts_of(Outer) == [Inner]
    assert make_json.type_text(list[Inner | None]) == "list of [inner](#inner) or null"


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("problems", {"path": "a", "reason": "b"}),
        ("problems", {"event": "problem", "path": "a", "reason": "b", "more": 1}),
        ("problems", {"event": "problem", "path": "a", "reason": 5}),
        ("history", {"event": "batch"}),
        ("decisions", {"event": "summary", "imported": "1"}),
        ("watch", {"event": "new", "time": "yesterday"}),
    ],
)
def test_the_schema_refuses_other_lines(name: str, line: dict[str, object]) -> None:
    with pytest.raises(AssertionError, match="printed"):
        json_schema.check_lines(name, json.dumps(line))


def test_watch_events_fit_the_schema() -> None:
    json_schema.check_lines("watch", '{"event":"new","time":"2026-11-29T14:05:00+00:00","path":"a","relation":"new"}')


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with pictures in `pictures`, of which a scan made a catalogue."""
    monkeypatch.setenv("HASHINDEX_CATALOGUE", str(tmp_path / "c.db"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    fill(tmp_path / "pictures", [1, 2])
    save(draw(1), tmp_path / "pictures" / "1.gif")
    save(draw(1).resize((80, 60)), tmp_path / "pictures" / "1 small.png")
    write(tmp_path / "pictures" / "page.png", b"<!doctype html>")
    pairs = ["path_a\tpath_b\tlabel", "pictures/1.png\tpictures/1.gif\tsame", "no.png\tno.gif\tsame"]
    (tmp_path / "pairs.tsv").write_text("\n".join(pairs))
    return tmp_path


COMMANDS: tuple[tuple[str, ...], ...] = (
    ("scan", "pictures"),
    ("caches",),
    ("groups",),
    ("groups", "--hash", "phash"),
    ("query", "pictures/1.gif"),
    ("explain", "--blocks", "pictures/1.png", "pictures/1.gif"),
    ("explain", "pictures/1.png", "pictures/2.png"),
    ("calibrate", "pairs.tsv"),
    ("dedupe",),
    ("organize", "out", "--rest"),
    ("organize", "out", "--rest", "--apply"),
    ("undo",),
    ("history",),
    ("dedupe", "--to", "copies", "--doubtful", "--apply"),
    ("undo",),
    ("recover",),
    ("same", "pictures/1.png", "pictures/2.png"),
    ("decisions",),
    ("separate", "pictures/1.png", "pictures/2.png"),
    ("decisions", "--undo", "1"),
    ("report", "report.html", "--contact-sheet", "sheet.png"),
    ("status",),
    ("config",),
    ("config", "path"),
    ("doctor",),
    ("check",),
    ("backup", "copy.db"),
    ("problems",),
    ("forget", "pictures"),
    ("service", "status"),
    ("service", "install", "--print"),
    (),
)
"""In this order. conftest.py compares what each prints with the schema."""


def test_the_walk_prints_only_what_is_documented(world: Path) -> None:
    seen: dict[str, set[str]] = {}
    for words in COMMANDS:
        result = run(*words, "--json", "--progress", "json")
        assert result.exit_code in (0, 1, 3), (words, result.output)
        name = json_schema.name_of(words)
        seen.setdefault(name, set()).update(json.loads(line)["event"] for line in result.stdout.splitlines())
    assert {name: events for name, events in seen.items() if not events} in ({}, {"caches": set(), "recover": set()})
    assert seen["groups"] == {"group", "summary"}
    assert seen["dedupe"] == {"removal", "summary"}


# Progress


def events(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_progress_is_json_with_quiet_too(world: Path) -> None:
    result = run("scan", "pictures", "--progress", "json", "-q")
    found = events(result.stderr)
    assert result.stdout == ""
    assert {each["event"] for each in found} == {"progress"}
    compared = [each for each in found if each["is_last"]]
    assert {each["stage"] for each in compared} == {"comparing pairs"}
    assert compared[-1]["done"] == compared[-1]["total"] > 0


def test_messages_and_errors_are_json_too(world: Path) -> None:
    run("scan", "pictures")
    nothing = run("query", "pictures/2.png", "--progress", "json", "--json")
    assert (nothing.exit_code, [each["event"] for each in events(nothing.stderr)][-1]) == (1, "message")
    wrong = run("query", "no.png", "--progress", "json")
    (error,) = events(wrong.stderr)
    assert (error["event"], error["exit_code"], wrong.exit_code) == ("error", 2, 2)
    assert error["message"].startswith("no.png: ")


def test_a_stage_is_reported_when_it_begins_when_it_is_done_and_seldom_between(
    capsys: pytest.CaptureFixture[str],
) -> None:
    now = iter([0.0] + [tick / 10 for tick in range(100)]).__next__
    lines = progress._JsonLines(progress.READING, now)
    for done in range(41):
        lines.show(Stage(progress.READING, done, 40))
    lines.show(Stage(progress.READING, 40, 40))
    lines.show(Stage(progress.CANDIDATES, 0, None))
    found = events(capsys.readouterr().err)
    assert [each["done"] for each in found] == [0, 5, 10, 15, 20, 25, 30, 35, 40, 0]
    assert found[1] == {
        "event": "progress", "stage": "reading", "done": 5, "total": 40, "per_second": 10.0, "seconds_left": 3.5,
        "is_last": True,
    }  # fmt: skip
    assert (found[0]["per_second"], found[-1]["total"], found[-1]["is_last"]) == (None, None, False)


def test_a_display_without_json_prints_none(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.counted(Display(quiet=True), progress.CHECKING) as show:
        show(1, 2)
    assert capsys.readouterr().err == ""
    with progress.counted(Display(quiet=True, style=ProgressStyle.JSON), progress.CHECKING) as show:
        show(1, 2)
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_json_is_compact_and_utf8(world: Path) -> None:
    save(draw(3), world / "pictures" / "猫.png")
    result = run("scan", "pictures", "--json")
    assert ": " not in result.stdout and ', "' not in result.stdout
    shown = run("query", "pictures/猫.png", "--radius", "200", "--json")
    assert os.path.join("pictures", "猫.png") not in shown.stdout
    found = run("query", "pictures/1.png", "--radius", "256", "--limit", "50", "--json").stdout
    assert "猫.png" in found
