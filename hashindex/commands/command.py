"""How a command is made: its help with examples, the options of all, its errors as sentences, its exit code."""

import inspect
import sys
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import typer

from hashindex.commands import streams
from hashindex.commands.options import ABSENT, COMMON, LIMITS
from hashindex.errors import HashIndexError
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
        app.command(name=each.name, help=each.help, context_settings=each.settings or None)(run)


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
