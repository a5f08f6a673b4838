"""Writes docs/cli.md from the `--help` of hashindex and of each command, so that the two cannot differ.

    python docs/make_cli.py            write docs/cli.md
    python docs/make_cli.py --check    exit 1 with a diff if docs/cli.md is not current

The help is plain text, 100 columns wide: Rich's boxes differ between versions and read badly in Markdown.
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

The output of `--help` for hashindex and for each command.
"""


def commands(app: typer.Typer) -> Iterator[tuple[tuple[str, ...], Any]]:
    """(path, command) of each visible command, in the order of the help. The path of the app itself is ().

    command: as typer.main.get_command returns it; Any, because Typer does not export Click's types.
    """
    return _commands_below((), typer.main.get_command(app))


def _commands_below(path: tuple[str, ...], command: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
    yield path, command
    context = typer.Context(command)
    for name in command.list_commands(context) if hasattr(command, "list_commands") else ():
        child = command.get_command(context, name)
        if not child.hidden:
            yield from _commands_below((*path, name), child)


def help_of(app: typer.Typer, path: tuple[str, ...]) -> str:
    """The output of `hashindex PATH --help` as plain text, wrapped at WIDTH."""
    plain = copy.copy(app)
    plain.rich_markup_mode = None
    runner = CliRunner(env={"NO_COLOR": "1", "LANGUAGE": "en"})
    result = runner.invoke(
        plain, [*path, "--help"], prog_name=PROGRAM, terminal_width=WIDTH, color=False, catch_exceptions=False
    )
    if result.exit_code != 0:
        raise SystemExit(f"`{' '.join((PROGRAM, *path))} --help` ended with {result.exit_code}: {result.output}")
    return "\n".join(line.rstrip() for line in result.output.strip().splitlines())


def build(app: typer.Typer) -> str:
    """The whole text of docs/cli.md."""
    parts = [HEADER]
    for path, _ in commands(app):
        line = " ".join((PROGRAM, *path))
        parts.append(f"## {line}\n\n```console\n$ {line} --help\n{help_of(app, path)}\n```\n")
    return "\n".join(parts)


def drift(app: typer.Typer, target: Path = TARGET) -> str:
    """A sentence and a unified diff if `target` is not current; "" if it is."""
    current = target.read_text(encoding="utf-8") if target.exists() else ""
    wanted = build(app)
    if current == wanted:
        return ""
    diff = difflib.unified_diff(current.splitlines(), wanted.splitlines(), f"docs/{target.name}", "--help", lineterm="")
    return "\n".join([f"docs/{target.name} is not current; write it with: python docs/make_cli.py", *diff])


def main(arguments: list[str]) -> int:
    """Writes docs/cli.md, or compares it with --check. Returns the exit code."""
    # Before an installed copy, which may be older than this checkout.
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
