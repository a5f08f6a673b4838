"""How a command is made: its help with examples, the options of all, its errors as sentences, its exit code."""

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
from hashindex.commands.options import ABSENT, COMMON, LIMITS
from hashindex.core.errors import HashIndexError
from hashindex.output.render import show_text

NOTHING_FOUND = 1
"""And nothing else."""
HAD_PROBLEMS = 3
INTERRUPTED = streams.INTERRUPTED

EXIT_CODES = """\
Exit codes: 0 done (query, groups: found); 1 nothing found (query, groups, caches, same and separate --undo); 2 error,
wrong usage, or output that cannot be written; 3 done, but files had problems met in this run, doctor or check found a
problem, or the service does not run; 4 the catalogue is missing, foreign, newer or damaged; 5 another process held its
lock longer than --wait; 130 interrupted; 141 the reader of the output went away."""

SHOWN_PROBLEMS = 20
"""More than so many are counted, not shown, beside the result of a command."""


class WrongValue(typer.BadParameter):
    """A sentence about a value of the command line, and nothing before it."""

    def format_message(self) -> str:
        return self.message


class PlainCommand(TyperCommand):
    """A command that says in its own words what is wrong with a value; Typer passes on those of its parts."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        with _plain_words(ctx):
            return super().parse_args(ctx, args)


class PlainGroup(TyperGroup):
    """The same for options before the command, and for the command's name."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        with _plain_words(ctx):
            return super().parse_args(ctx, args)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args and not ctx.resilient_parsing and not args[0].startswith("-") and args[0] not in self.commands:
            meant = _meant(args[0], self.commands)
            raise WrongValue(f"There is no command {show_text(args[0])!r}{meant}", ctx=ctx)
        return super().resolve_command(ctx, args)


@contextmanager
def _plain_words(ctx: Any) -> Iterator[None]:
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
    """What an option or argument takes, by the type that the check of its value failed with."""
    given = show_text(str(detail["input"]))
    kind, limits = str(detail["type"]), detail.get("ctx", {})
    if kind.startswith(("int_", "float_")):
        return f"{name} takes a {'whole ' if kind.startswith('int') else ''}number, not {given!r}."
    if kind == "greater_than_equal":
        return f"{name} takes a number of {limits['ge']} or more, not {given}."
    said = re.sub(r"^Value error, ", "", str(detail["msg"]))
    choices = re.findall(r"'([^']*)'", said.partition(" is not one of ")[2])
    if choices:
        *first, last = choices
        return f"{name} takes {', '.join(first)} or {last}, not {given!r}{_meant(given, choices)}"
    return f"{name}: {said.rstrip('.')}."


def _meant(given: str, known: Iterable[str]) -> str:
    """The end of a sentence about a word that is not known: the one that is nearest to it."""
    near = difflib.get_close_matches(given, list(known), n=1, cutoff=0.7)
    return f"; did you mean {near[0]}?" if near else "."


class Command(NamedTuple):
    """A command that is not registered yet: cli.py says where each stands."""

    name: str
    help: str
    run: Callable[..., None]
    limits: bool
    """Takes those of LIMITS."""
    settings: dict[str, Any]
    """Of its Click context."""


def command(
    *examples: str, name: str = "", limits: bool = False, **settings: Any
) -> Callable[[Callable[..., None]], Command]:
    """Makes a command of a function: its docstring and the examples are its help, its parameters the options.

    name: instead of the function's; limits: it decodes, and Session.limits knows what was asked; settings: of its Click
    context.
    """

    def make(function: Callable[..., None]) -> Command:
        text = "\n\n".join(
            [inspect.getdoc(function) or "", "Examples:", "\b\n" + "\n".join(f"  {line}" for line in examples)]
        )
        return Command(name or function.__name__, text, function, limits, settings)

    return make


def add(app: typer.Typer, commands: Iterable[Command]) -> None:
    """Registers commands, in the order in which help shows them, each with the common options."""
    for each in commands:
        run = with_common(each.run, LIMITS if each.limits else {})
        app.command(name=each.name, help=each.help, context_settings=each.settings or None, cls=PlainCommand)(run)


def with_common(function: Callable[..., None], more: Mapping[str, Any] = MappingProxyType({})) -> Callable[..., None]:
    """Gives a function the options of COMMON; they reach it in the context, merged with those before the command.

    more: other options that reach it in the context too.
    """

    def wrapper(ctx: typer.Context, **values: Any) -> None:
        given = {name: values.pop(name) for name in COMMON}
        ctx.obj = {name: value if value != ABSENT[name] else (ctx.obj or ABSENT)[name] for name, value in given.items()}
        ctx.obj |= {name: values.pop(name) for name in more}
        try:
            function(ctx, **values)
        except HashIndexError as error:
            print(f"hashindex: {show_text(str(error))}", file=sys.stderr)
            raise typer.Exit(error.exit_code) from None
        except KeyboardInterrupt:
            print("hashindex: interrupted; what was done so far is kept.", file=sys.stderr)
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
