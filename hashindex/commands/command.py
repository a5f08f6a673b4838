"""What every command has: help with examples, the common options, errors as sentences, an exit code."""

import difflib
import inspect
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup

from hashindex.commands import streams
from hashindex.commands.options import GROUPING, SELECTION
from hashindex.commands.session import ABSENT, COMMON, LIMITS
from hashindex.core.errors import HashIndexError
from hashindex.output.text.common import show_text
from hashindex.output.text.terminal import terminal_of

NOTHING_FOUND = 1
HAD_PROBLEMS = 3
INTERRUPTED = streams.INTERRUPTED

EXIT_CODES = """\
Exit codes: 0 success (query, groups: something found); 1 nothing found (query, groups, caches, same and separate
--undo, explain --exit-code); 2 error, wrong usage, or the output cannot be written; 3 finished with problems: files
that could not be processed in this run, a problem found by doctor or check, or a service that does not run; 4 the
catalogue is missing, damaged, from a newer version or not a catalogue; 5 another process kept the catalogue locked
longer than --wait; 130 interrupted; 141 the reader of the output closed it."""

SHOWN_PROBLEMS = 20
"""How many problems a command prints beside its result; the rest are counted."""


class WrongValue(typer.BadParameter):
    """An error of the command line that is shown without Click's prefix."""

    def format_message(self) -> str:
        return self.message


class PlainCommand(TyperCommand):
    """A command that explains wrong values in our sentences, not in Pydantic's."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        with _own_sentences(ctx):
            return super().parse_args(ctx, args)


class PlainGroup(TyperGroup):
    """A group that does so for options before the command, and suggests a name for an unknown command."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        with _own_sentences(ctx):
            return super().parse_args(ctx, args)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args and not ctx.resilient_parsing and not args[0].startswith("-") and args[0] not in self.commands:
            suggestion = _suggestion(args[0], [name for name, each in self.commands.items() if not each.hidden])
            raise WrongValue(f"There is no command {show_text(args[0])!r}{suggestion}", ctx=ctx)
        return super().resolve_command(ctx, args)


@contextmanager
def _own_sentences(ctx: Any) -> Iterator[None]:
    try:
        yield
    except typer.BadParameter as error:
        details = getattr(error.__cause__, "errors", None)
        if details is None or error.param is None:
            raise
        is_option = error.param.param_type_name == "option"
        name = error.param.opts[0] if is_option else error.param.metavar or str(error.param.name).upper()
        raise WrongValue(_sentence(name, details()[0]), ctx=error.ctx) from None


def _sentence(name: str, detail: Mapping[str, Any]) -> str:
    """A sentence that tells which values an option or argument takes. detail: one error of Pydantic."""
    given = show_text(str(detail["input"]))
    kind, limits = str(detail["type"]), detail.get("ctx", {})
    if kind.startswith(("int_", "float_")):
        return f"{name} takes a {'whole ' if kind.startswith('int') else ''}number, not {given!r}."
    if kind == "greater_than_equal":
        return f"{name} takes a number of {limits['ge']} or more, not {given}."
    message = re.sub(r"^Value error, ", "", str(detail["msg"]))
    choices = re.findall(r"'([^']*)'", message.partition(" is not one of ")[2])
    if choices:
        *first, last = choices
        return f"{name} takes {', '.join(first)} or {last}, not {given!r}{_suggestion(given, choices)}"
    return f"{name}: {message.rstrip('.')}."


def _suggestion(given: str, known: Iterable[str]) -> str:
    """The end of a sentence about an unknown name: the known name most like it, if any is."""
    close = difflib.get_close_matches(given, list(known), n=1, cutoff=0.7)
    return f"; did you mean {close[0]}?" if close else "."


class Command(NamedTuple):
    """A command that cli.py has yet to register."""

    name: str
    help: str
    run: Callable[..., None]
    more: Mapping[str, Any]
    """Its options from SELECTION, GROUPING and LIMITS."""
    alias: str
    """A second name that help does not show; "" for none."""
    settings: dict[str, Any]
    """Settings of its Click context."""


def command(
    *examples: str,
    selection: bool = False,
    grouping: bool = False,
    limits: bool = False,
    alias: str = "",
    **settings: Any,
) -> Callable[[Callable[..., None]], Command]:
    """Makes a command of a function. Its docstring and the examples are the help, its parameters are the options.

    selection: the command shows groups, and takes the options that selection_of reads. grouping: the command makes
    groups, and takes the options that grouping_of reads. limits: the command decodes pictures, and takes the options
    that Session.limits reads. All are in Session.given. alias: a second name that help does not show. settings: of its
    Click context.
    """

    def make(function: Callable[..., None]) -> Command:
        text = "\n\n".join(
            [inspect.getdoc(function) or "", "Examples:", "\b\n" + "\n".join(f"  {line}" for line in examples)]
        )
        more = {**(SELECTION if selection else {}), **(GROUPING if grouping else {}), **(LIMITS if limits else {})}
        return Command(function.__name__, text, function, more, alias, settings)

    return make


def add(app: typer.Typer, commands: Iterable[Command]) -> None:
    """Registers commands in the order of the help, each with the common options."""
    for each in commands:
        run = with_common(each.run, each.more)
        for name in filter(None, (each.name, each.alias)):
            app.command(
                name=name,
                help=each.help,
                hidden=name == each.alias,
                context_settings=each.settings or None,
                cls=PlainCommand,
            )(run)


def with_common(function: Callable[..., None], more: Mapping[str, Any] = MappingProxyType({})) -> Callable[..., None]:
    """Gives a function the options in COMMON, and prints its errors.

    The values are in the context (ctx.obj); those given before the command's name are merged in. more: other options
    to pass in the context.
    """

    def wrapper(ctx: typer.Context, **values: Any) -> None:
        given = {name: values.pop(name) for name in COMMON}
        ctx.obj = {name: value if value != ABSENT[name] else (ctx.obj or ABSENT)[name] for name, value in given.items()}
        ctx.obj |= {name: values.pop(name) for name in more}
        try:
            function(ctx, **values)
        except HashIndexError as error:
            print(terminal_of(sys.stderr).wrapped(f"hashindex: {show_text(str(error))}"), file=sys.stderr)
            raise typer.Exit(error.exit_code) from None
        except KeyboardInterrupt:
            print("hashindex: interrupted; work done so far is kept.", file=sys.stderr)
            raise typer.Exit(INTERRUPTED) from None

    parameters = list(inspect.signature(function).parameters.values())
    added = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=ABSENT.get(name), annotation=annotation)
        for name, annotation in {**more, **COMMON}.items()
    ]
    own = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in parameters[1:]]
    wrapper.__signature__ = inspect.Signature([parameters[0], *own, *added])  # type: ignore[attr-defined]
    wrapper.__annotations__ = {**function.__annotations__, **more, **COMMON}
    wrapper.__doc__, wrapper.__name__ = function.__doc__, function.__name__
    return wrapper
