"""The command line: streams, JSON, exit codes, and messages instead of tracebacks."""

import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pictures import draw, fill, save, write
from typer.testing import CliRunner, Result

from hashindex import Finding, HashIndex, Severity
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


def test_scan_ends_with_a_summary(cats: Path) -> None:
    write(cats / "page.png", b"<!doctype html>")
    result = run("scan", cats, "--json")
    assert result.exit_code == 3
    assert lines(result) == [
        {
            "event": "problem",
            "path": str(cats / "page.png"),
            "reason": "it has a picture's extension, but its content is an HTML page",
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
            "hidden": 0,
            "unmatched": [],
            "groups": 1,
            "extra": 1,
            "extra_bytes": min((cats / name).stat().st_size for name in ("cat.png", "cat.gif")),
        },
    ]
    # The problem did not change, so it is not met again.
    assert run("scan", "--json").exit_code == 0
    assert lines(run("problems", "--json")) == [
        {
            "event": "problem",
            "path": str(cats / "page.png"),
            "reason": "it has a picture's extension, but its content is an HTML page",
        }
    ]


def test_groups_as_json(cats: Path) -> None:
    run("scan", cats)
    result = run("groups", "--json", "--hash", "phash", "--radius", "3")
    assert result.exit_code == 0
    group, totals = lines(result)
    assert totals["event"] == "summary"
    assert (group["level"], group["hash"], group["radius"]) == ("radius", "phash", 3)
    assert [member["keep"] for member in group["members"]] == [True, False]
    assert {member["path"] for member in group["members"]} == {str(cats / "cat.png"), str(cats / "cat.gif")}
    assert group["members"][1]["distance"] == group["widest"] <= 3


def test_groups_as_text_are_paragraphs(cats: Path) -> None:
    run("scan", cats)
    result = run("groups")
    assert result.stdout.startswith("Group 1: 2 pictures\n")
    assert str(cats / "cat.gif") in result.stdout
    assert result.stderr == ""


def test_nothing_found_is_1(cats: Path, tmp_path: Path) -> None:
    (cats / "cat.gif").unlink()
    run("scan", cats)
    groups, query = run("groups"), run("query", save(draw(9), tmp_path / "asked.png"))
    assert (groups.exit_code, query.exit_code) == (1, 1)
    assert groups.stderr == "No duplicates found among 2 pictures. Variants: --level similar\n"
    assert query.stderr.startswith("No similar picture found among 2 pictures (scan more folders")
    assert run("groups", "--level", "similar").stderr == "No duplicates found among 2 pictures.\n"


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
        "placed": 0,
        "refused": 0,
        "stopped": None,
    }
    assert [(step["number"], step["copy"]) for step in steps] == [(1, 0), (1, 1), (2, 0)]
    assert steps[2]["target"] == str(tmp_path / "dest" / "00002.jpg")
    assert not (tmp_path / "dest").exists()
    assert "Nothing was changed" in run("organize", tmp_path / "dest").stdout


def test_status_as_json(cats: Path) -> None:
    run("scan", cats)
    (status,) = lines(run("status", "--json"))
    assert status["states"] == {"present": 3, "missing": 0, "other": 0, "problems": 0}
    assert status["formats"] == {"gif": 1, "jpeg": 1, "png": 1}
    assert status["roots"][0]["path"] == str(cats)


def test_forget(cats: Path) -> None:
    run("scan", cats)
    assert lines(run("forget", cats / "dog.jpg", "--json")) == [{"event": "summary", "forgotten": 1, "pictures": 1}]
    result = run("forget", cats / "dog.jpg")
    assert (result.exit_code, "knows nothing" in result.stderr) == (2, True)


def test_options_work_before_and_after_the_command(cats: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    assert run("--catalogue", other, "scan", cats).exit_code == 0
    assert run("--json", "groups", "--catalogue", other).stdout.startswith("{")
    assert run("groups").exit_code == 4


@pytest.mark.parametrize("command", ["groups", "status", "problems", "organize x", "query {cats}/cat.png", "forget x"])
def test_a_missing_catalogue_is_4_and_the_message_names_the_next_step(cats: Path, command: str) -> None:
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
        (["scan", "{cats}/cat.png"], "name the folder that contains it"),
        (["scan"], "hashindex scan FOLDER"),
        (["groups", "--hash", "md5"], 'no hash called "md5"'),
        (["groups", "--radius", "300"], "out of range"),
        (["groups", "--passes", "8,x"], "--passes takes whole numbers"),
        (["groups", "--passes", "8", "--radius", "8"], "exclude each other"),
        (["query", "{cats}/nowhere.png"], "no such file"),
        (["query", "{cats}"], "is a folder; name a picture in it"),
        (["groups", "--config", "{cats}/nowhere.toml"], "nowhere.toml does not exist"),
        (["groups", "--keep", "prettiest"], "prettiest"),
        (["groups", "--level", "simlar"], "not 'simlar'; did you mean similar?"),
        (["scan", "--workers", "abc"], "--workers takes a whole number, not 'abc'."),
        (["scan", "--workers", "0"], "--workers takes a number of 1 or more, not 0."),
        (["--wait", "x", "status"], "--wait takes a number, not 'x'."),
        (["scan", "--max-memory", "5", "."], "--max-memory takes a number of 67,108,864 or more, not 5."),
        (["groups", "--wait=-1"], "--wait takes a number of 0 or more, not -1."),
        (["groups", "--wait", "nan"], "--wait takes a number of 0 or more, not nan."),
        (["groups", "--engine", "bk"], "--engine takes auto, bktree or packed, not 'bk'."),
        (["groups", "--levle", "copies"], "There is no option --levle; did you mean --level?"),
        (["groups", "--\x1b[31mred"], "There is no option --\\x1b[31mred."),
        (["-x", "groups"], "There is no option -x."),
        (["--jsno", "status"], "There is no option --jsno; did you mean --json?"),
        (["scan", "--no-hiden"], "There is no option --no-hiden; did you mean --no-hidden?"),
        (["service", "install", "--evry=1d"], "There is no option --evry; did you mean --every?"),
        (["config", "pth"], "ACTION takes show, path or edit, not 'pth'; did you mean path?"),
        (["undo", "abc"], "BATCH takes a whole number, not 'abc'."),
        (["scan", "{cats}", "--include", "!*.gif"], "skip files with --exclude"),
        (["grups"], "There is no command 'grups'; did you mean groups?"),
        (["nonsense"], "There is no command 'nonsense'."),
        (["watch", "--every", "1d"], "--every needs --organize DEST"),
        (["watch", "--mode", "move"], "--mode needs --organize DEST"),
        (["watch", "--rest"], "--rest needs --organize DEST"),
        (["watch", "--from-client-cache"], "--from-client-cache needs --organize DEST"),
        (["report", "out.pdf"], "a name that ends in .html"),
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
    group, _ = lines(run("groups", "--config", settings, "--json"))
    assert (group["hash"], group["radius"]) == ("dhash", 5)
    group, _ = lines(run("groups", "--config", settings, "--hash", "phash", "--radius", "6", "--json"))
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


def test_decisions_are_listed_exported_and_imported(cats: Path, tmp_path: Path) -> None:
    run("scan", cats)
    assert run("decisions").stderr == "No decisions yet; see hashindex same and hashindex separate.\n"
    assert run("same", cats / "cat.png", cats / "dog.jpg", "--undo").stdout == (
        "There is no decision that these 2 are the same picture.\n"
    )
    run("same", cats / "cat.png", cats / "dog.jpg")
    file = tmp_path / "decisions.jsonl"
    assert run("decisions", "--export", file).stderr == "Wrote 1 decision or tag.\n"
    assert run("same", cats / "cat.png", cats / "dog.jpg", "--undo").stdout == (
        "Withdrawn: these 2 are the same picture.\n"
    )
    assert run("decisions", "--import", file).stdout == "Read 1 decision or tag.\n"
    assert [line["said"] for line in lines(run("decisions", "--json"))] == ["same"]


def test_words_is_a_hidden_name_of_decisions(cats: Path) -> None:
    run("scan", cats)
    run("same", cats / "cat.png", cats / "dog.jpg")
    assert run("words").stdout == run("decisions").stdout != ""
    assert "\n  words" not in run("--help").stdout


def test_quiet_prints_only_errors(cats: Path, tmp_path: Path) -> None:
    write(cats / "page.png", b"<html>")
    dest = tmp_path / "dest"
    for words in (
        ["scan", cats, "--exclude", "nothing"],
        ["same", cats / "cat.png", cats / "dog.jpg"],
        ["organize", dest, "--apply"],
        ["undo"],
        ["report", tmp_path / "page.html"],
        ["backup", tmp_path / "copy.db"],
        ["forget", cats],
    ):
        assert run(*words, "-q").output == "", words
    assert run("-q", "forget", "nowhere").stderr != ""


def test_quiet_still_prints_requested_results(cats: Path, tmp_path: Path) -> None:
    assert lines(run("scan", cats, "-q", "--json"))[-1]["event"] == "summary"
    assert run("groups", "-q").stdout.startswith("Group 1: 2 pictures\n")
    assert run("query", cats / "cat.png", "-q").stdout != ""
    assert run("organize", tmp_path / "dest", "-q").stdout.count("copy  ") == 2


def test_organize_shows_each_step_with_v_only(cats: Path, tmp_path: Path) -> None:
    run("scan", cats)
    assert len(run("organize", tmp_path / "one", "--apply").stdout.splitlines()) == 1
    assert len(run("organize", tmp_path / "two", "--apply", "-v").stdout.splitlines()) == 3


def test_scan_prints_the_files_of_each_folder_with_v(cats: Path) -> None:
    command = [sys.executable, "-m", "hashindex", "scan", str(cats), "-v"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert f"{cats}: 3 files in 1 folders, 3 to read" in done.stderr


def test_scan_warns_once_of_a_pattern_that_matched_nothing(cats: Path, tmp_path: Path) -> None:
    save(draw(3), cats / "old" / "owl.png")
    settings = write(tmp_path / "s.toml", b'exclude = ["*.psd"]\n')
    said = run("scan", cats, "--exclude", "*/old/*", "--exclude", "*.jpg")
    assert said.stderr.count("matched nothing") == 1
    assert "--exclude '*/old/*' matched nothing; a pattern with a slash" in said.stderr
    # What is set for every scan need not match in each.
    assert "matched nothing" not in run("scan", cats, "--config", settings).stderr
    assert "in the settings '*.psd' matched nothing" in run("scan", cats, "--config", settings, "-v").stderr
    assert lines(run("scan", cats, "--include", "*.bmp", "--json"))[-1]["unmatched"] == ["*.bmp"]


def test_the_example_in_the_help_skips_a_folder_in_the_scanned_one(cats: Path) -> None:
    save(draw(3), cats / "old" / "owl.png")
    assert "--exclude old/" in run("scan", "--help").stdout
    assert lines(run("scan", cats, "--exclude", "old/", "--json"))[-1]["files"] == 3


def test_scan_counts_hidden_files_that_it_skipped(cats: Path) -> None:
    save(draw(3), cats / ".thumb" / "owl.png")
    assert " 1 hidden left out; --hidden takes it." in run("scan", cats).stdout
    assert lines(run("scan", cats, "--json"))[-1]["hidden"] == 1
    assert "hidden" not in run("scan", cats, "--hidden").stdout


def test_groups_mentions_organized_pictures_when_it_finds_nothing(cats: Path, tmp_path: Path) -> None:
    dest = tmp_path / "dest"
    run("scan", cats)
    run("organize", dest, "--mode", "move", "--apply")
    result = run("groups")
    assert (result.exit_code, "2 pictures are organized already" in result.stderr) == (1, True)
    assert f"Organized  {dest}: 2 pictures, in no group" in run("status").stdout
    assert lines(run("status", "--json"))[0]["destinations"] == [{"path": str(dest), "files": 2}]


def test_moving_after_copying_warns_of_duplicates(cats: Path, tmp_path: Path) -> None:
    dest = tmp_path / "dest"
    run("scan", cats)
    run("organize", dest, "--apply")
    result = run("organize", dest, "--mode", "move")
    assert f"2 files to be moved are in {dest} already" in result.stderr
    assert "twice" not in run("organize", dest).stderr


def test_the_demo_makes_samples_and_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    command = [sys.executable, "-m", "hashindex", "demo"]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)
    assert done.returncode == 0
    assert "Group " in done.stdout
    assert "Nothing was changed" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_the_demo_shows_three_groups_with_short_paths_and_the_next_step() -> None:
    shown = run("demo").stdout.splitlines()
    assert len([line for line in shown if line.startswith("Group ")]) == 3
    assert [line for line in shown if line.startswith("...")] == ["... 11 more groups", "... 28 more files"]
    members = [line.split("  ") for line in shown if line.strip().startswith(("keep ", "copy ", "identical "))]
    paths = [words[-2] if words[0] == "" else words[1] for words in members]
    assert {path.split("/")[0] for path in paths} <= {"2019-08", "2019-09"}
    assert all(line.split("  ->  ")[1].startswith("~/Stickers/0") for line in shown if "  ->  " in line)
    assert shown[-1] == "Now your own pictures: hashindex scan FOLDER; then: hashindex groups"


def test_the_demo_of_a_folder_without_copies_says_so(folder: Path) -> None:
    save(draw(1), folder / "cat.png")
    shown = run("demo", folder).stdout.splitlines()
    assert "No duplicates found among 1 picture. Variants: --level similar" in shown
    assert shown[-1] == f"Now for good: hashindex scan {folder}; then: hashindex groups"


def test_the_demo_with_json_shows_all_groups() -> None:
    found = lines(run("demo", "--json"))
    assert len([line for line in found if "id" in line]) == 14


def test_the_demo_reads_a_given_folder(cats: Path) -> None:
    before = sorted(path.name for path in cats.iterdir())
    assert "cat.png" in run("demo", cats).stdout
    assert sorted(path.name for path in cats.iterdir()) == before


@pytest.mark.skipif(os.name != "posix", reason="names that are not UTF-8 need a POSIX file system")
def test_a_name_that_is_not_utf_8_survives_json_and_cannot_harm_a_terminal(cats: Path) -> None:
    name = b"\x1b[31m\xff\n.png"
    shutil.copy(os.fsencode(cats / "cat.png"), os.path.join(os.fsencode(cats), name))
    run("scan", cats)
    group, _ = lines(run("groups", "--json"))
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


OUTPUTS = (
    *((["groups"], ""), (["groups", "--json"], "1"), (["query", "cat.png"], ""), (["--help"], "")),
    *((["--version"], "1"), (["scan", "."], "")),
)
"""Commands, and whether Python buffers their output."""


def module(*words: object, **given: Any) -> subprocess.CompletedProcess[str]:
    """A process of its own, whose streams are real."""
    command = [sys.executable, "-m", "hashindex", *map(str, words)]
    return subprocess.run(command, check=False, text=True, **{"stderr": subprocess.PIPE, **given})


def unbuffered(switch: str) -> dict[str, str]:
    return {**os.environ, "PYTHONUNBUFFERED": switch, "PYTHONPATH": os.getcwd()}


@pytest.mark.parametrize(("words", "switch"), OUTPUTS)
def test_a_reader_that_closes_the_pipe_is_141_without_a_message(cats: Path, words: list[str], switch: str) -> None:
    run("scan", cats)
    reading, writing = os.pipe()
    os.close(reading)
    done = module(*words, stdout=writing, cwd=cats, env=unbuffered(switch))
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")
@pytest.mark.parametrize(("words", "switch"), OUTPUTS)
def test_output_that_cannot_be_written_is_2_and_a_sentence(cats: Path, words: list[str], switch: str) -> None:
    run("scan", cats)
    with open("/dev/full", "w") as full:
        done = module(*words, stdout=full, cwd=cats, env=unbuffered(switch))
    sentence = "hashindex: the output cannot be written: no space left on device.\n"
    assert (done.returncode, done.stderr) == (2, sentence)


@pytest.mark.skipif(os.name != "posix", reason="closes what a shell closes with >&-")
@pytest.mark.parametrize("words", [["groups", "--json"], ["--version"]], ids=" ".join)
def test_closed_output_is_2_and_no_own_file_is_written_to(cats: Path, words: list[str]) -> None:
    run("scan", cats)
    command = " ".join([sys.executable, "-m", "hashindex", *words, ">&-"])
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert (done.returncode, "the output cannot be written: bad file descriptor" in done.stderr) == (2, True)
    assert run("check").exit_code == 0


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")
def test_messages_that_cannot_be_written_do_not_end_the_command(cats: Path) -> None:
    write(cats / "page.png", b"<html>")
    with open("/dev/full", "w") as full:
        done = module("scan", cats, "-v", stdout=subprocess.PIPE, stderr=full)
    assert (done.returncode, done.stdout.startswith("Read 3 pictures")) == (3, True)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")
def test_a_batch_is_complete_although_its_lines_cannot_be_written(cats: Path, tmp_path: Path) -> None:
    run("scan", cats)
    with open("/dev/full", "w") as full:
        done = module("organize", tmp_path / "dest", "--apply", "--json", stdout=full, env=unbuffered("1"))
    assert done.returncode == 2
    (batch,) = lines(run("history", "--json"))
    assert (batch["state"], batch["placed"], batch["skipped"]) == ("applied", 1, 1)


def test_a_character_that_the_terminal_lacks_is_an_escape(cats: Path) -> None:
    (cats / "cat.png").rename(cats / "猫.png")
    run("scan", cats)
    given = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = module("groups", stdout=subprocess.PIPE, env=given)
    assert (done.returncode, done.stderr) == (0, "")
    assert r"\u732b.png" in done.stdout


def test_an_internal_error_is_not_the_exit_code_of_nothing_found() -> None:
    script = (
        "import hashindex.commands.cli as cli, hashindex.__main__ as main\n"
        "def app(**_): raise RuntimeError('a fault')\n"
        "cli.app = app\n"
        "main.main()"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, "RuntimeError: a fault" in done.stderr) == (2, True)


@pytest.mark.parametrize("name", ["doctor", "check"])
def test_doctor_and_check_end_with_3_if_they_find_a_problem(
    cats: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    run("scan", cats)
    found = [Finding("a", Severity.NOTE, "well"), Finding("b", Severity.PROBLEM, "bad")]
    monkeypatch.setattr(HashIndex, name, lambda self, **_: found)
    result = run(name)
    assert (result.exit_code, result.stdout.splitlines()[-1]) == (3, "2 findings: 1 problem, 1 note.")
    quiet = run(name, "-q")
    assert (quiet.exit_code, "bad" in quiet.stdout, "well" in quiet.stdout) == (3, True, False)
    monkeypatch.setattr(HashIndex, name, lambda self, **_: found[:1])
    assert run(name).exit_code == 0


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


def test_scan_says_what_it_found_and_quiet_says_nothing(cats: Path) -> None:
    write(cats / ".hidden.png", b"")
    result = run("scan", cats, "-v")
    first, second, third = result.stdout.splitlines()
    assert first.startswith("Read 3 pictures in ") and first.endswith(" 1 hidden left out; --hidden takes it.")
    assert second.startswith("1 group, 1 extra copy, at least ")
    assert third == "Next: hashindex groups, hashindex report report.html, hashindex dedupe"
    assert "Counts: files 3, unchanged 0, digested 3" in result.stderr
    assert "comparing pairs" in result.stderr
    again = run("-q", "scan")
    assert (again.exit_code, again.stdout, again.stderr) == (0, "", "")


def test_decisions_name_files_and_are_withdrawn_by_number(cats: Path, tmp_path: Path) -> None:
    elsewhere = save(draw(7), tmp_path / "elsewhere" / "owl.png")
    shutil.copy(cats / "cat.png", cats / "copy.png")
    run("scan", cats)
    run("same", cats / "cat.png", cats / "cat.gif")
    run("separate", cats / "cat.png", cats / "dog.jpg", elsewhere)
    (cats / "dog.jpg").unlink()
    run("scan")
    shown = run("decisions")
    assert shown.stderr == "Withdraw one: hashindex decisions --undo NUMBER\n"
    one, two = shown.stdout.splitlines()
    assert re.fullmatch(r"  1  \S+ \S+  same      .*", one)
    assert re.fullmatch(r"  2  \S+ \S+  separate  .*", two)
    assert f"{cats / 'cat.png'} (also 1 other)" in one and str(cats / "cat.gif") in one
    assert f"{cats / 'dog.jpg'} (gone)" in two and "(in no scanned folder)" in two
    pairs = lines(run("decisions", "--json"))
    assert [pair["number"] for pair in pairs] == [1, 2, 2, 2]
    files = [file for pair in pairs for file in pair["a_files"] + pair["b_files"]]
    assert {"path": str(cats / "dog.jpg"), "present": False} in files
    wrong = run("decisions", "--undo", "1", "--undo", "3")
    assert (wrong.exit_code, wrong.stderr) == (2, "hashindex: There is no decision 3; see hashindex decisions.\n")
    undone = run("decisions", "--undo", "2")
    assert undone.stdout.startswith("Withdrawn: 2  ") and str(cats / "dog.jpg") in undone.stdout
    assert [pair["said"] for pair in lines(run("decisions", "--json"))] == ["same"]
    assert run("-q", "decisions", "--undo", "1").stdout == ""
    assert run("decisions").stdout == ""


def test_a_decision_on_many_pictures_names_some_and_verbose_all(folder: Path) -> None:
    pictures = [save(draw(number), folder / f"{number}.png") for number in range(9)]
    run("scan", folder)
    assert run("same", *pictures).stdout == "Noted: these 9 are the same picture.\n"
    assert (
        run("separate", *pictures[:2]).stdout
        == "Noted: these 2 do not belong together (instead of: the same picture).\n"
    )
    assert " and 4 other pictures\n" in run("decisions").stdout.splitlines(keepends=True)[0]
    assert all(str(picture) in run("decisions", "-v").stdout for picture in pictures)


def test_same_refuses_what_is_no_picture(cats: Path) -> None:
    write(cats / "notes.txt", b"words")
    for command in ("same", "separate"):
        for other in (cats / "notes.txt", cats):
            refused = run(command, cats / "cat.png", other)
            assert (refused.exit_code, refused.stdout) == (2, "")
            assert str(other) in refused.stderr
    assert run("decisions", "--json").stdout == ""
