"""hashindex config: every setting with its source, the path of the settings file, and the user's editor."""

import json
import sys
import tomllib
from dataclasses import fields
from pathlib import Path

import pytest
from pictures import draw, save
from typer.testing import CliRunner, Result

from hashindex.commands.cli import app
from hashindex.core.settings import Settings, read_settings

posix = pytest.mark.skipif(sys.platform == "win32", reason="editors are shell scripts here")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for variable in ("HASHINDEX_CATALOGUE", "VISUAL", "EDITOR"):
        monkeypatch.delenv(variable, raising=False)
    for variable in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "APPDATA", "LOCALAPPDATA", "HOME", "USERPROFILE"):
        monkeypatch.setenv(variable, str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def toml(tmp_path: Path) -> Path:
    return tmp_path / "some settings.toml"


def run(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)


def shown(*words: object) -> dict[str, tuple[object, str]]:
    lines = [json.loads(line) for line in run("config", "--json", *words).stdout.splitlines()]
    return {line["key"]: (line["value"], line["source"]) for line in lines}


def editor(tmp_path: Path, script: str) -> str:
    path = tmp_path / "my editor"
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)
    return f"'{path}' --wait"


def test_every_setting_has_a_source(home: Path) -> None:
    found = shown()
    assert list(found) == [field.name for field in fields(Settings)]
    assert {source for _, source in found.values()} == {"default"}
    assert (found["wait"][0], found["workers"][0], found["keep"][0]) == (30.0, None, ["best"])
    assert str(found["catalogue"][0]).startswith(str(home))


def test_an_option_overrides_the_environment_and_that_the_file(toml: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    toml.write_text('catalogue = "file.db"\nwait = 4\nlevel = "similar"\n', encoding="utf-8")
    given = ("--config", toml)
    assert shown(*given)["catalogue"] == ("file.db", "file")
    assert (shown(*given)["wait"], shown(*given)["level"]) == ((4, "file"), ("similar", "file"))
    monkeypatch.setenv("HASHINDEX_CATALOGUE", "environment.db")
    assert shown(*given)["catalogue"] == ("environment.db", "environment")
    found = shown(*given, "--catalogue", "option.db", "--wait", "0")
    assert (found["catalogue"], found["wait"]) == (("option.db", "option"), (0.0, "option"))


def test_the_text_is_a_settings_file_that_says_the_same(toml: Path, tmp_path: Path) -> None:
    given = {"exclude": ["Video/", "*.psd", 'a "b" \\ 图'], "hidden": True, "max_seconds": 2.5}
    toml.write_text("\n".join(f"{key} = {json.dumps(value)}" for key, value in given.items()), encoding="utf-8")
    text = run("config", "--config", toml).stdout
    assert tomllib.loads(text) == given
    assert text.splitlines()[0] == f"# {toml}"
    again = tmp_path / "again.toml"
    again.write_text(text, encoding="utf-8")
    assert read_settings(again) == read_settings(toml)


def test_a_settings_file_that_does_not_exist_is_said(home: Path) -> None:
    assert "(does not exist; create it: hashindex config edit)" in run("config").stdout.splitlines()[0]
    assert not home.exists()


def test_path_prints_the_path_alone(home: Path, toml: Path) -> None:
    assert run("config", "path", "--config", toml).stdout == f"{toml}\n"
    (line,) = run("config", "path").stdout.splitlines()
    assert (Path(line).name, line.startswith(str(home))) == ("settings.toml", True)


@posix
@pytest.mark.parametrize("variable", ["VISUAL", "EDITOR"])
def test_edit_creates_the_file_and_opens_it_in_the_editor(
    toml: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv("EDITOR", "false")
    monkeypatch.setenv(variable, editor(tmp_path, 'test "$1" = --wait && echo "workers = 3" >> "$2"'))
    assert run("config", "edit", "--config", toml).exit_code == 0
    assert read_settings(toml) == Settings(workers=3)
    lines = toml.read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line.startswith("# wait")] == ["# wait = 30.0"]


@posix
def test_edit_changes_nothing_in_a_file_that_exists(
    toml: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    toml.write_text("wait = 1 # mine\n", encoding="utf-8")
    monkeypatch.setenv("EDITOR", "true")
    assert run("config", "edit", "--config", toml).exit_code == 0
    assert toml.read_text(encoding="utf-8") == "wait = 1 # mine\n"


@posix
def test_a_mistake_is_said_after_the_editor_and_can_be_mended_with_it(
    toml: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDITOR", editor(tmp_path, 'echo "patience = 3" > "$2"'))
    wrong = run("config", "edit", "--config", toml)
    assert (wrong.exit_code, "has an unknown key 'patience'" in wrong.stderr) == (2, True)
    monkeypatch.setenv("EDITOR", editor(tmp_path, 'echo "wait = 3" > "$2"'))
    assert run("config", "edit", "--config", toml).exit_code == 0


@posix
def test_an_editor_that_fails_or_is_not_known_is_a_sentence(toml: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDITOR", "false")
    failed = run("config", "edit", "--config", toml)
    assert (failed.exit_code, "The editor 'false' ended with 1" in failed.stderr) == (2, True)
    monkeypatch.delenv("EDITOR")  # the standard input of a test is no terminal
    unknown = run("config", "edit", "--config", toml)
    assert (unknown.exit_code, f"No editor is known: set $EDITOR, or edit {toml}." in unknown.stderr) == (2, True)


@posix
def test_a_settings_file_that_cannot_be_created_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = run("config", "edit", "--config", tmp_path / "file" / "settings.toml")
    assert (result.exit_code, "cannot be created: " in result.stderr) == (2, True)


# Without a command


def test_hashindex_alone_says_how_to_begin(home: Path) -> None:
    result = run()
    lines = result.stdout.splitlines()
    assert (result.exit_code, len(lines) <= 12) == (0, True)
    assert [line.split("  ")[1] for line in lines[1:]] == [
        "hashindex scan FOLDER",
        "hashindex groups",
        "hashindex report report.html",
        "hashindex dedupe",
        "hashindex organize FOLDER",
        "hashindex demo",
        "hashindex --help",
    ]
    assert not home.exists()


def test_hashindex_alone_shows_the_state_of_a_catalogue(folder: Path) -> None:
    save(draw(1), folder / "cat.png")
    run("scan", folder)
    status, next_steps = run().stdout.split("\n\n")
    assert status == run("status").stdout.rstrip()
    assert next_steps.startswith("Next:\n  hashindex groups")
    assert run("--json").stdout == run("status", "--json").stdout


def test_hashindex_alone_with_json_needs_a_catalogue(home: Path) -> None:
    result = run("--json")
    assert (result.exit_code, result.stdout, "There is no catalogue" in result.stderr) == (4, "", True)


def test_hashindex_alone_says_what_is_wrong_with_the_catalogue(tmp_path: Path) -> None:
    (tmp_path / "c.db").write_bytes(b"this is no database" * 1000)
    result = run("--catalogue", tmp_path / "c.db")
    assert (result.exit_code, result.stdout) == (4, "")


def test_status_says_where_the_settings_are(folder: Path, toml: Path) -> None:
    save(draw(1), folder / "cat.png")
    run("scan", folder)
    toml.touch()
    assert f"Settings   {toml}\n" in run("status", "--config", toml).stdout
    assert "settings.toml (does not exist)\n" in run("status").stdout
    assert json.loads(run("status", "--json", "--config", toml).stdout)["settings"] == str(toml)
