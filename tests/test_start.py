"""What a command imports. Imports are most of the time of a short command (benchmarks/start.py)."""

import subprocess
import sys
from pathlib import Path

import pytest
from pictures import draw, save

NEVER = {"pydantic", "rich", "imagehash", "scipy", "pywt", "numba", "watchdog", "pybktree", "importlib.metadata"}
"""Typer imports Pydantic and Rich unless we prevent it, see commands/values.py and cli.py."""
PICTURES = {"numpy", "PIL", "hashindex.judge.pair_judge", "multiprocessing"}
CATALOGUE = {"sqlite3", "hashindex.service", "hashindex.store.daemon_state", "tomllib"}

SCRIPT = """
import atexit, sys
unwanted = sys.argv.pop(1).split()
atexit.register(lambda: print("imported:", *[name for name in unwanted if name in sys.modules], file=sys.stderr))
from hashindex.__main__ import main
main()
"""


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HASHINDEX_CATALOGUE", str(tmp_path / "catalogue.db"))
    for variable in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "APPDATA", "LOCALAPPDATA", "HOME", "USERPROFILE"):
        monkeypatch.setenv(variable, str(tmp_path / "home"))


def imported(unwanted: set[str], *words: object) -> list[str]:
    """The unwanted modules that a command imports. It must succeed."""
    command = [sys.executable, "-c", SCRIPT, " ".join(sorted(unwanted)), *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stderr.splitlines()[-1].split()[1:]


@pytest.mark.parametrize("words", [("--version",), ("--help",), ("groups", "--help"), ("service", "--help")])
def test_help_and_version_open_no_catalogue(places: None, words: tuple[str, ...]) -> None:
    assert imported(NEVER | PICTURES | CATALOGUE, *words) == []


def test_version_imports_no_command(places: None) -> None:
    assert imported({"hashindex.commands.scan", "hashindex.commands.groups"}, "--version") == []


def test_a_command_imports_no_other_command(places: None) -> None:
    assert imported({"hashindex.commands.scan", "hashindex.commands.watch"}, "groups", "--help") == []


def test_status_and_groups_open_no_picture(places: None, folder: Path) -> None:
    save(draw(1), folder / "cat.png")
    save(draw(1), folder / "cat.gif")
    subprocess.run([sys.executable, "-m", "hashindex", "scan", "-q", folder], check=True)
    # The first groups compares the members of each group; later ones read what it stored.
    subprocess.run([sys.executable, "-m", "hashindex", "groups", "-q"], check=True, stdout=subprocess.DEVNULL)
    values = ("--wait", "5", "-v", "--config", folder.parent / "settings.toml")
    (folder.parent / "settings.toml").write_text("", encoding="utf-8")
    assert imported(NEVER | PICTURES | {"hashindex.core.explanation"}, *values, "status") == []
    assert imported(NEVER | PICTURES, *values, "groups", "--level", "copies", "--workers", "1") == []


def test_a_query_for_a_known_picture_needs_no_judge(places: None, folder: Path) -> None:
    save(draw(1), folder / "cat.png")
    save(draw(1), folder / "cat.gif")
    subprocess.run([sys.executable, "-m", "hashindex", "scan", "-q", folder], check=True)
    unwanted = NEVER | {"hashindex.judge.pair_judge", "multiprocessing"}
    assert imported(unwanted, "query", folder / "cat.png", "--limit", "3") == []


def test_a_search_by_words_needs_no_judge_and_opens_no_picture(places: None, folder: Path) -> None:
    save(draw(1), folder / "cat.png")
    subprocess.run([sys.executable, "-m", "hashindex", "scan", "-q", folder], check=True)
    assert imported(NEVER | PICTURES | {"hashindex.index.judge_new"}, "find", "cat") == []
