"""The command line as a person and a script meet it: streams, JSON, exit codes, sentences instead of tracebacks."""

import io
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pictures import draw, fill, save, write
from typer.testing import CliRunner, Result

from hashindex.commands.cli import app

HASHES = ["phash", "dhash", "ahash", "whash", "phash256", "dhash256"]


@pytest.fixture(autouse=True)
def _own_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or writes the catalogue and the settings of whoever runs it."""
    monkeypatch.setenv("HASHINDEX_CATALOGUE", str(tmp_path / "catalogue.db"))
    for variable in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "APPDATA", "LOCALAPPDATA", "HOME", "USERPROFILE"):
        monkeypatch.setenv(variable, str(tmp_path / "home"))


def run(*words: object, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words], input=stdin, catch_exceptions=False)


def lines(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.fixture
def cats(folder: Path) -> Path:
    """Two encodings of one picture, and another."""
    save(draw(1), folder / "cat.png")
    save(draw(1), folder / "cat.gif")
    save(draw(2), folder / "dog.jpg")
    return folder


def test_scan_ends_with_its_summary(cats: Path) -> None:
    write(cats / "page.png", b"<!doctype html>")
    result = run("scan", cats, "--json")
    assert result.exit_code == 3
    assert lines(result) == [
        {
            "event": "problem",
            "path": str(cats / "page.png"),
            "reason": "it has a picture's suffix, but its content is an HTML page",
        },
        {
            "event": "summary",
            "files": 4,
            "unchanged": 0,
            "digested": 3,
            "decoded": 3,
            "moved": 0,
            "missing": 0,
            "other": 0,
            "problems": 1,
            "outdated": 0,
        },
    ]
    # The problem did not change, so it is not met again.
    assert run("scan", "--json").exit_code == 0
    assert lines(run("problems", "--json")) == [
        {"path": str(cats / "page.png"), "reason": "it has a picture's suffix, but its content is an HTML page"}
    ]


def test_groups_as_json(cats: Path) -> None:
    run("scan", cats)
    result = run("groups", "--json", "--hash", "phash", "--radius", "3")
    assert result.exit_code == 0
    (group,) = lines(result)
    assert (group["level"], group["hash"], group["radius"]) == ("radius", "phash", 3)
    assert [member["keep"] for member in group["members"]] == [True, False]
    assert {member["path"] for member in group["members"]} == {str(cats / "cat.png"), str(cats / "cat.gif")}
    assert set(group["members"][0]) == {
        "path", "keep", "bytes", "width", "height", "frames", "format", "distance"
    }  # fmt: skip
    assert group["members"][1]["distance"] == group["widest"] <= 3


def test_groups_for_a_person_are_paragraphs(cats: Path) -> None:
    run("scan", cats)
    result = run("groups")
    assert result.stdout.startswith("Group 1: 2 pictures\n")
    assert str(cats / "cat.gif") in result.stdout
    assert result.stderr == ""


def test_nothing_found_is_1(cats: Path, tmp_path: Path) -> None:
    (cats / "cat.gif").unlink()
    run("scan", cats)
    assert run("groups").exit_code == 1
    assert run("query", save(draw(9), tmp_path / "asked.png")).exit_code == 1


def test_query_as_json(cats: Path, tmp_path: Path) -> None:
    run("scan", cats)
    (cats / "dog.jpg").rename(tmp_path / "dog.jpg")
    run("scan", cats)
    result = run("query", tmp_path / "dog.jpg", "--json")
    assert result.exit_code == 0
    (hit,) = lines(result)
    assert (hit["path"], hit["present"], list(hit["distances"])) == (str(cats / "dog.jpg"), False, HASHES)
    assert set(hit["distances"].values()) == {0}


def test_query_reads_standard_input(cats: Path) -> None:
    run("scan", cats)
    result = run("query", "-", "--json", "--hash", "dhash", stdin=(cats / "dog.jpg").read_bytes())
    assert [hit["path"] for hit in lines(result)] == [str(cats / "dog.jpg")]
    nothing = run("query", "-", stdin=b"")
    assert (nothing.exit_code, nothing.stdout) == (2, "")


def test_organize_prints_a_plan_and_changes_nothing(cats: Path, tmp_path: Path) -> None:
    run("scan", cats)
    result = run("organize", tmp_path / "dest", "--rest", "--json")
    *steps, summary = lines(result)
    assert summary == {
        "event": "summary",
        "pictures": 3,
        "groups": 1,
        "grouped": 2,
        "remaining": 1,
        "applied": False,
        "batch": None,
    }
    assert [(step["number"], step["copy"]) for step in steps] == [(1, 0), (1, 1), (2, 0)]
    assert set(steps[0]) == {"action", "source", "target", "number", "copy"}
    assert steps[2]["target"] == str(tmp_path / "dest" / "00002.jpg")
    assert not (tmp_path / "dest").exists()
    assert "nothing was changed" in run("organize", tmp_path / "dest").stdout


def test_status_as_json(cats: Path) -> None:
    run("scan", cats)
    (status,) = lines(run("status", "--json"))
    assert status["states"] == {"present": 3, "missing": 0, "other": 0, "problems": 0}
    assert status["formats"] == {"gif": 1, "jpeg": 1, "png": 1}
    assert status["roots"][0]["path"] == str(cats)


def test_forget(cats: Path) -> None:
    run("scan", cats)
    assert lines(run("forget", cats / "dog.jpg", "--json")) == [{"event": "summary", "forgotten": 1}]
    result = run("forget", cats / "dog.jpg")
    assert (result.exit_code, "knows nothing" in result.stderr) == (2, True)


def test_options_work_before_and_after_the_command(cats: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    assert run("--catalogue", other, "scan", cats).exit_code == 0
    assert run("--json", "groups", "--catalogue", other).stdout.startswith("{")
    assert run("groups").exit_code == 4


@pytest.mark.parametrize("command", ["groups", "status", "problems", "organize x", "query {cats}/cat.png", "forget x"])
def test_a_missing_catalogue_is_4_with_the_way_out(cats: Path, command: str) -> None:
    result = run(*command.format(cats=cats).split())
    assert (result.exit_code, result.stdout) == (4, "")
    assert result.stderr.startswith("hashindex: There is no catalogue at ")
    assert "run: hashindex scan FOLDER" in result.stderr


def test_a_foreign_catalogue_is_4(cats: Path, tmp_path: Path) -> None:
    assert run("--catalogue", write(tmp_path / "x.db", b"theirs" * 100), "scan", cats).exit_code == 4


def test_a_lock_held_longer_than_wait_is_5(cats: Path, tmp_path: Path) -> None:
    run("scan", cats)
    holder = sqlite3.connect(tmp_path / "catalogue.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    save(draw(5), cats / "new.png")
    result = run("scan", "--wait", "0.1")
    holder.close()
    assert (result.exit_code, "more than 0.1 s" in result.stderr) == (5, True)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["scan", "{cats}/nowhere"], "there is no such folder"),
        (["scan", "{cats}/cat.png"], "name the folder that holds it"),
        (["scan"], "hashindex scan FOLDER"),
        (["groups", "--hash", "md5"], 'no hash called "md5"'),
        (["groups", "--radius", "300"], "out of range"),
        (["groups", "--passes", "8,x"], "--passes takes whole numbers"),
        (["groups", "--passes", "8", "--radius", "8"], "exclude each other"),
        (["query", "{cats}/nowhere.png"], "no such file"),
        (["query", "{cats}"], "cats" if False else "not a regular file"),
        (["groups", "--config", "{cats}/nowhere.toml"], "no settings file"),
        (["groups", "--keep", "best"], "best"),
        (["nonsense"], "nonsense"),
    ],
)
def test_wrong_usage_is_2_and_a_sentence(cats: Path, words: list[str], sentence: str) -> None:
    if words != ["scan"]:
        run("scan", cats)
    result = run(*(word.format(cats=cats) for word in words))
    assert (result.exit_code, result.stdout) == (2, "")
    assert sentence in result.stderr
    assert "Traceback" not in result.stderr


def test_settings_are_used_and_options_win(cats: Path, tmp_path: Path) -> None:
    settings = write(tmp_path / "s.toml", b'level = "radius"\nhash = "dhash"\nradius = 5\nexclude = ["*.jpg"]\n')
    assert lines(run("scan", cats, "--config", settings, "--json"))[-1]["files"] == 2
    (group,) = lines(run("groups", "--config", settings, "--json"))
    assert (group["hash"], group["radius"]) == ("dhash", 5)
    (group,) = lines(run("groups", "--config", settings, "--hash", "phash", "--radius", "6", "--json"))
    assert (group["hash"], group["radius"]) == ("phash", 6)


def test_settings_name_the_catalogue_unless_the_environment_does(
    cats: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = write(tmp_path / "s.toml", f"catalogue = {json.dumps(str(tmp_path / 'named.db'))}\n".encode())
    run("scan", cats, "--config", settings)
    assert not (tmp_path / "named.db").exists()
    monkeypatch.delenv("HASHINDEX_CATALOGUE")
    run("scan", cats, "--config", settings)
    assert (tmp_path / "named.db").exists()


def test_quiet_says_nothing_but_errors(cats: Path) -> None:
    write(cats / "page.png", b"<html>")
    assert run("scan", cats, "-q").stderr == ""
    assert run("-q", "forget", "nowhere").stderr != ""


def test_the_demo_draws_its_own_pictures_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    command = [sys.executable, "-m", "hashindex", "demo"]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)
    assert done.returncode == 0
    assert "Group " in done.stdout
    assert "nothing was changed" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_the_demo_reads_a_persons_own_folder(cats: Path) -> None:
    before = sorted(path.name for path in cats.iterdir())
    assert "cat.png" in run("demo", cats).stdout
    assert sorted(path.name for path in cats.iterdir()) == before


@pytest.mark.skipif(os.name != "posix", reason="names that are not UTF-8 need a POSIX file system")
def test_a_name_that_is_not_utf_8_survives_json_and_cannot_harm_a_terminal(cats: Path) -> None:
    name = b"\x1b[31m\xff\n.png"
    shutil.copy(cats / "cat.png", os.path.join(os.fsencode(cats), name))
    run("scan", cats)
    (group,) = lines(run("groups", "--json"))
    assert os.path.join(os.fsencode(cats), name) in [os.fsencode(member["path"]) for member in group["members"]]
    text = run("groups").stdout
    assert "\x1b" not in text
    assert r"\x1b[31m\xff\n.png" in text


@pytest.mark.skipif(os.name != "posix", reason="names that are not UTF-8 need a POSIX file system")
def test_a_sentence_with_a_hostile_path_cannot_harm_a_terminal(folder: Path) -> None:
    hostile = os.fsdecode(os.path.join(os.fsencode(folder), b"\x1b[2J\xff"))
    os.mkdir(hostile)
    save(draw(1), Path(hostile) / "a.png")
    run("scan", hostile)
    shutil.rmtree(hostile)
    for result in (run("scan"), run("problems"), run("scan", hostile + "gone")):
        assert "\x1b" not in result.output
        assert "\udcff" not in result.output
        assert r"\x1b[2J" in result.output


def test_the_installed_command_and_the_module_are_the_same(cats: Path) -> None:
    command = [sys.executable, "-m", "hashindex", "scan", str(cats), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["decoded"] == 3


def test_a_reader_that_goes_away_is_no_traceback(folder: Path) -> None:
    for seed in range(30):
        save(draw(seed), folder / f"{seed}.png")
        shutil.copy(folder / f"{seed}.png", folder / f"{seed} again.png")
    run("scan", folder)
    command = [sys.executable, "-m", "hashindex", "groups"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0) as process:
        assert isinstance(process.stdout, io.RawIOBase)
        process.stdout.close()
        assert process.stderr is not None
        assert b"Traceback" not in process.stderr.read()


def test_workers_never_import_numpy(folder: Path) -> None:
    script = (
        "import sys, hashindex.pictures.examine\n"
        "print(sorted(name for name in ('numpy', 'scipy', 'imagehash', 'typer', 'sqlite3') if name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_library_never_prints(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    from hashindex import HashIndex

    fill(folder, range(3))
    write(folder / "cut.png", (folder / "1.png").read_bytes()[:90])
    index = HashIndex()
    index.scan([folder])
    index.groups()
    index.query(folder / "1.png")
    index.status()
    assert capfd.readouterr() == ("", "")
