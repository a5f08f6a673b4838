"""The commands that pages show exist, and those of the first page and of the recipes run as they are shown."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pictures import draw, save, write
from typer.testing import CliRunner

from hashindex.commands.cli import app

ROOT = Path(__file__).resolve().parent.parent
GENERATED = {"CHANGELOG.md", "docs/cli.md"}
PAGES = sorted(
    {path.relative_to(ROOT).as_posix() for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]} - GENERATED
)

FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
NO_SHELL = ("text", "python", "toml")


def command_lines(markdown: str) -> Iterator[str]:
    """What a page shows to be typed: lines of fenced blocks, and commands in sentences."""
    for language, block in FENCE.findall(markdown):
        if language not in NO_SHELL:
            yield from block.splitlines()
    yield from re.findall(r"`(hashindex [^`]+)`", FENCE.sub("", markdown))


def calls(line: str) -> Iterator[tuple[str, ...]]:
    """The arguments of each hashindex in a line of shell, also of one that is quoted for another program."""
    lexer = shlex.shlex(line.removeprefix("ExecStart=").replace("\\", "/"), posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    words = list(lexer)
    for at, word in enumerate(words):
        if word.startswith("hashindex "):
            yield from calls(word)
        elif word.rpartition("/")[2] == "hashindex":
            rest = words[at + 1 :]
            end = next((place for place, other in enumerate(rest) if set(other) <= set("|&;<>()")), len(rest))
            yield tuple(rest[:end])


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("hashindex scan ~/a  # every night", [("scan", "~/a")]),
        ("17 3 * * *  $HOME/.local/bin/hashindex -q scan", [("-q", "scan")]),
        ("ExecStart=%h/.local/bin/hashindex -q scan", [("-q", "scan")]),
        ("hashindex groups --json | jq -r 'select(.id)' > a", [("groups", "--json")]),
        ('have() { hashindex query "$1"; } && hashindex undo', [("query", "$1"), ("undo",)]),
        ('schtasks /TR "hashindex -q scan"', [("-q", "scan")]),
        (r"hashindex groups --keep under:~/Best,best", [("groups", "--keep", "under:~/Best,best")]),
        ("pip install hashindex-theirs", []),
    ],
)
def test_commands_are_found_in_a_line_of_shell(line: str, expected: list[tuple[str, ...]]) -> None:
    assert list(calls(line)) == expected


def refusal(call: tuple[str, ...]) -> str:
    """Why the command line does not take these words; "" if it does. Nothing is run: --help comes first."""
    # With --json the runner takes all output for JSON (tests/json_schema.py), and every command has this option.
    result = CliRunner().invoke(app, [*(word for word in call if word != "--json"), "--help"])
    return "" if result.exit_code == 0 else f"{' '.join(call)}: {result.output.strip()}"


def test_an_unknown_command_or_option_is_refused() -> None:
    assert all(refusal(call) for call in [("scann",), ("scan", "--no-such"), ("service", "begin"), ("groups", "--lim")])


@pytest.mark.parametrize("page", PAGES)
def test_the_commands_of_a_page_exist(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8").replace("hashindex COMMAND --help", "")
    shown = {call for line in command_lines(text) if "hashindex" in line for call in calls(line)}
    if page == "CONTRIBUTING.md":
        shown -= {("folders",)}  # its example of a new command
    assert [why for call in sorted(shown) if (why := refusal(call))] == []


# The first page and the recipes, run as they are shown.


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home folder with some pictures in the folders that the pages name, and hashindex as a program."""
    for seed in (1, 2, 3):
        save(draw(seed), tmp_path / "Pictures" / f"{seed}.png")
        save(draw(seed), tmp_path / "Pictures" / "again" / f"{seed}.jpg", quality=90)
    save(draw(1), tmp_path / "Downloads" / "cat.jpg", quality=80)
    save(draw(4), tmp_path / "Downloads" / "new.png")
    save(draw(2), tmp_path / "Desktop" / "cat.jpg", quality=80)
    program = tmp_path / ".local" / "bin" / "hashindex"
    program.parent.mkdir(parents=True)
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m hashindex "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    return tmp_path


def run_as_shown(page: str, home: Path, first: str, last: str) -> str:
    """The output of `first`, all shell blocks of a page, and `last`, in one shell that an error ends.

    Left out are blocks that install hashindex, and those of hashindex watch, which would not end.
    """
    blocks = [block for language, block in FENCE.findall((ROOT / page).read_text(encoding="utf-8")) if language == "sh"]
    wanted = [block for block in blocks if not re.search(r"\binstall\b|hashindex watch", block)]
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("HASHINDEX_", "XDG_"))}
    environment = clean | {
        "HOME": str(home),
        "PATH": f"{home / '.local/bin'}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "LC_ALL": "C.UTF-8",
    }
    script = "set -euo pipefail\n" + "\n".join([first, *wanted, last])
    result = subprocess.run(
        ["bash", "-c", script], cwd=home, env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


needs_shell = pytest.mark.skipif(
    os.name == "nt" or not (shutil.which("bash") and shutil.which("jq")), reason="it needs bash and jq"
)


@needs_shell
def test_the_first_page_works_from_the_scan_to_undo(home: Path) -> None:
    def pictures() -> list[Path]:
        return sorted(path for folder in ("Pictures", "Downloads", "Stickers") for path in (home / folder).rglob("*.*"))

    before = pictures()
    output = run_as_shown("docs/index.md", home, "", "hashindex undo")
    assert "3 groups, 4 extra copies" in output and "Moved" in output and "Copied" in output
    assert (home / "report.html").exists()
    assert [path for path in pictures() if path.name != ".hashindex.jsonl"] == before


@needs_shell
def test_the_recipes_work(home: Path) -> None:
    broken = write(home / "Downloads" / "broken.png", b"")
    output = run_as_shown("docs/recipes.md", home, "hashindex -q scan ~/Pictures ~/Downloads || [ $? = 3 ]", "")
    assert "You have it." in output
    assert not (home / "Downloads" / "cat.jpg").exists()
    assert f"{broken}: " in output
    table = (home / "groups.csv").read_text(encoding="utf-8").splitlines()
    assert len(table) == 6 and all(re.match(r'[1-3],"(identical|copy)",\d+,160,120,"', row) for row in table)
    assert (home / "decisions.jsonl").exists()
