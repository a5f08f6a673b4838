"""Help and usage errors in the user's language, and the texts of the help for the translators.

Typer and Click write the help of a command line; their own words are translated here too.
"""

import inspect
import re
import shutil
from collections.abc import Iterator, Sequence
from typing import Any

import typer

from hashindex.core.language import N_, is_english, local, sentence
from hashindex.output.text.terminal import NARROWEST, Terminal, columns_of, padded

EXPERTS = "Experts"
"""The heading of options that few people need; the panel of Typer that such an option names."""

WORDS = (
    N_("Arguments"),
    N_("Options"),
    N_("Experts"),
    N_("Commands"),
    N_("Show this message and exit."),
    N_("Install completion for the current shell."),
    N_("Show completion for the current shell, to copy it or customize the installation."),
    N_("required"),
)
"""Texts of Typer's help, marked for translation."""
ERRORS = (
    N_("Missing argument {name}."),
    N_("Missing option {name}."),
    N_("Missing command."),
    N_("Option {name} requires an argument."),
    N_("Option {name} requires {count} arguments."),
    N_("Option {name} does not take a value."),
    N_("Argument {name} takes {count} values"),
    N_("Got unexpected extra argument(s) ({arguments})"),
)
"""Typer's errors, marked for translation."""

MOST_IN_FIRST_COLUMN = 30
"""Columns of the list of options that Click uses for their names."""

CLICK_NARROWEST = 52
"""Columns below which Click writes lines that do not fit."""

_COMMENT = r"(?<= # ).*"
"""The comment behind an example."""

_Formatter: Any = typer.Context.formatter_class


class HelpFormatter(_Formatter):  # type: ignore[misc]
    """Writes help in the language of the process; in English as Click does."""

    def __init__(self, *, width: int | None = None, **more: Any) -> None:
        # Click takes 50 columns at least, whatever the terminal has.
        columns = shutil.get_terminal_size().columns
        super().__init__(
            width=columns - 2 if width is None and NARROWEST <= columns < CLICK_NARROWEST else width, **more
        )

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        super().write_usage(prog, args, sentence("Usage: ") if prefix is None else prefix)

    def write_heading(self, heading: str) -> None:
        self.write(f"{'':{self.current_indent}}{sentence('{heading}:', heading=local(heading))}\n")

    def write_text(self, text: str) -> None:
        if is_english():
            super().write_text(text)
            return
        terminal = Terminal(self.width - self.current_indent)
        parts = (part if _is_example(part) else terminal.wrapped(part, 0) for part in local_help(text))
        lines = "\n\n".join(part.removeprefix("\b\n") for part in parts).split("\n")
        self.write("".join(f"{'':{self.current_indent}}{line}".rstrip() + "\n" for line in lines))

    def write_dl(self, rows: Sequence[tuple[str, str]], col_max: int = MOST_IN_FIRST_COLUMN, *more: int) -> None:
        if self.width < 2 * MOST_IN_FIRST_COLUMN:
            col_max = self.width // 3
        if is_english():
            super().write_dl(rows, col_max, *more)
            return
        column = min(max(columns_of(name) for name, _ in rows), col_max) + 2
        terminal = Terminal(max(self.width - self.current_indent - column, 10))
        for name, text in rows:
            lines = terminal.wrapped(_local_option(text), 0).split("\n")
            if columns_of(name) > column - 2:
                lines.insert(0, "")
            for first, line in zip([name, *[""] * len(lines)], lines, strict=False):
                self.write(f"{'':{self.current_indent}}{padded(first, column)}{line}".rstrip() + "\n")


class HelpContext(typer.Context):
    """A context whose help is written by HelpFormatter."""

    formatter_class = HelpFormatter


def local_help(text: str) -> Iterator[str]:
    """The paragraphs of the help of a command in the language of the process; only examples have several lines."""
    for part in _paragraphs(text):
        yield re.sub(_COMMENT, lambda comment: local(comment[0]), part) if _is_example(part) else local(part)


def first_sentence(text: str) -> str:
    """The first sentence of the help of a command, in the language of the process."""
    return next(local_help(text)).split("。")[0] + "。"


def _paragraphs(text: str) -> Iterator[str]:
    for part in re.split(r"\n{2,}", inspect.cleandoc(text)):
        yield part if _is_example(part) else " ".join(part.split())


def _is_example(part: str) -> bool:
    """Whether a paragraph keeps its lines."""
    return part.startswith("\b\n")


def _local_option(text: str) -> str:
    """The help of an option or argument; Click appends its own notes: "...  [default: 10; x>=1]"."""
    help, brackets, notes = text.partition("  [")
    if not brackets:
        return local(help)
    return f"{local(help)}  [{sentence('; ').join(map(_local_note, notes.rstrip(']').split('; ')))}]"


def _local_note(note: str) -> str:
    name, colon, value = note.partition(": ")
    return sentence("default: {value}", value=value) if colon and name == "default" else local(note)


def help_texts(command: Any) -> Iterator[str]:
    """Every text of the help of a command and its subcommands that is to be translated, some more than once.

    command: as typer.main.get_command returns it; Any, because Typer does not export Click's types.
    """
    for text in (command.help, command.epilog):
        for part in _paragraphs(text or ""):
            if _is_example(part):
                yield from re.findall(_COMMENT, part)
            elif part:
                yield part
    yield from (parameter.help for parameter in command.params if parameter.help and not parameter.hidden)
    for name in getattr(command, "list_commands", lambda ctx: ())(None):
        yield from help_texts(command.get_command(None, name))
