"""Writes docs/cli.md from the `--help` of hashindex and of each of its commands, so that the two cannot drift.

    python docs/make_cli.py            write docs/cli.md
    python docs/make_cli.py --check    exit 1 with a diff where docs/cli.md is not current

The help is shown plain, 100 columns wide: Rich's boxes change from version to version and read badly in Markdown.
"""

import copy
import difflib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer.main
from typer.testing import CliRunner

TARGET = Path(__file__).resolve().parent / "cli.md"
PROGRAM = "hashindex"
WIDTH = 100

HEADER = """\
# Command line

<!-- Written by docs/make_cli.py from `--help`; do not edit. -->

What hashindex and each command say with `--help`.
"""


def commands(app: typer.Typer) -> Iterator[tuple[tuple[str, ...], Any]]:
    """(words, command) of every command that help shows, in the order of help; the app itself is ().

    A command is what typer.main.get_command gives. Any, for Typer keeps its Click to itself.
    """
    return _below((), typer.main.get_command(app))


def _below(words: tuple[str, ...], command: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
    yield words, command
    for name, child in getattr(command, "commands", {}).items():
        if not child.hidden:
            yield from _below((*words, name), child)


def help_of(app: typer.Typer, words: tuple[str, ...]) -> str:
    """What `hashindex WORDS --help` prints, plain, in lines of at most WIDTH where they can be wrapped."""
    plain = copy.copy(app)
    plain.rich_markup_mode = None
    runner = CliRunner(env={"NO_COLOR": "1", "LANGUAGE": "en"})
    result = runner.invoke(
        plain, [*words, "--help"], prog_name=PROGRAM, terminal_width=WIDTH, color=False, catch_exceptions=False
    )
    if result.exit_code != 0:
        raise SystemExit(f"`{' '.join((PROGRAM, *words))} --help` ended with {result.exit_code}: {result.output}")
    return "\n".join(line.rstrip() for line in result.output.strip().splitlines())


def build(app: typer.Typer) -> str:
    """The whole text of docs/cli.md."""
    parts = [HEADER]
    for words, _ in commands(app):
        line = " ".join((PROGRAM, *words))
        parts.append(f"## {line}\n\n```console\n$ {line} --help\n{help_of(app, words)}\n```\n")
    return "\n".join(parts)


def drift(app: typer.Typer, target: Path = TARGET) -> str:
    """A sentence and a unified diff from `target` to what it should be; "" where it is current."""
    written = target.read_text(encoding="utf-8") if target.exists() else ""
    wanted = build(app)
    if written == wanted:
        return ""
    diff = difflib.unified_diff(
        written.splitlines(), wanted.splitlines(), f"docs/{target.name}", "what --help says", lineterm=""
    )
    return "\n".join([f"docs/{target.name} is not current; write it with: python docs/make_cli.py", *diff])


def main(arguments: list[str]) -> int:
    """Write docs/cli.md, or with --check only compare; returns the exit code."""
    # Before an installed copy, which may be older than this tree.
    sys.path.insert(0, str(TARGET.parent.parent))
    from hashindex.commands.cli import app

    if arguments not in ([], ["--check"]):
        print("Usage: python docs/make_cli.py [--check]", file=sys.stderr)
        return 2
    if not arguments:
        TARGET.write_text(build(app), encoding="utf-8", newline="\n")
        return 0
    difference = drift(app)
    if difference:
        print(difference, file=sys.stderr)
    return 1 if difference else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
