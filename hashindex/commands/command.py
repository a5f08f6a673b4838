"""What every command has: help with examples, the common options, errors as sentences, an exit code."""

import inspect
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import zip_longest
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import typer
import typer.main
from typer.core import TyperCommand, TyperGroup

from hashindex.commands import streams
from hashindex.commands.help import HelpContext, first_sentence
from hashindex.commands.options import GROUPING, SELECTION
from hashindex.commands.session import ABSENT, COMMON, LIMITS
from hashindex.commands.values import Conversion, WrongValue, suggestion
from hashindex.core.errors import HashIndexError, UsageError
from hashindex.core.language import Message, choose_language, is_english, local, sentence
from hashindex.core.settings import read_settings
from hashindex.output.progress import ProgressStyle
from hashindex.output.text.common import show_message, show_text
from hashindex.output.text.messages import error_json
from hashindex.output.text.terminal import terminal_of

NOTHING_FOUND = 1
HAD_PROBLEMS = 3
INTERRUPTED = streams.INTERRUPTED

EXIT_CODES = """\
Exit codes: 0 success (query, find, groups: something found); 1 nothing found (query, find, groups, caches, untag, same
and separate --undo, explain --exit-code); 2 error, wrong usage, or the output cannot be written; 3 finished with
problems: files that could not be processed in this run, a problem found by doctor or check, or a service that does not
run; 4 the catalogue is missing, damaged, from a newer version or not a catalogue; 5 another process kept the catalogue
locked longer than --wait; 130 interrupted; 141 the reader of the output closed it."""

SHOWN_PROBLEMS = 20
"""How many problems a command prints beside its result; the rest are counted."""


class PlainCommand(TyperCommand):
    """A command that converts values without Pydantic, suggests a name for an unknown option, and speaks the language
    of the process."""

    context_class = HelpContext

    def get_short_help_str(self, limit: int = 45) -> str:
        return super().get_short_help_str(limit) if is_english() else first_sentence(self.help or "")

    def get_params(self, ctx: Any) -> list[Any]:
        return _without_pydantic(super().get_params(ctx))

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        with _own_sentences(self.get_params(ctx), ctx):
            return super().parse_args(ctx, args)


class PlainGroup(TyperGroup):
    """A group that does so too, and suggests a name for an unknown command."""

    context_class = HelpContext

    def get_short_help_str(self, limit: int = 45) -> str:
        return super().get_short_help_str(limit) if is_english() else first_sentence(self.help or "")

    def get_params(self, ctx: Any) -> list[Any]:
        return _without_pydantic(super().get_params(ctx))

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if ctx.parent is None:
            _choose_language(args)
        with _own_sentences(self.get_params(ctx), ctx):
            return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        with _own_sentences(self.get_params(ctx), ctx):
            return super().invoke(ctx)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name = args[0]
        if not ctx.resilient_parsing and not name.startswith("-") and self.get_command(ctx, name) is None:
            ending = suggestion(name, self.list_commands(ctx))
            message = sentence("There is no command {name!r}{suggestion}", name=show_text(name), suggestion=ending)
            raise WrongValue(message, ctx=ctx)
        return super().resolve_command(ctx, args)


def _without_pydantic(parameters: list[Any]) -> list[Any]:
    for parameter in parameters:
        # Typer uses Pydantic only if this attribute is None.
        parameter._runtime_param = Conversion(parameter)
    return parameters


def _choose_language(args: Sequence[str]) -> None:
    """Chooses the language before the arguments are parsed: help and errors of the parser are shown in it too.

    That of --lang, else of the settings, else of the environment. What is wrong is reported later, by the command.
    """
    given = _value_of("--lang", args)
    config = _value_of("--config", args)
    if given is None:
        with suppress(HashIndexError):
            given = read_settings(None if config is None else Path(config)).lang
    try:
        choose_language(given)
    except UsageError:
        choose_language()


def _value_of(option: str, args: Sequence[str]) -> str | None:
    """The last value of an option among arguments that are not parsed yet."""
    value = None
    for each, following in zip_longest(args, args[1:]):
        if each == "--":
            break
        if each == option:
            value = following
        elif each.startswith(f"{option}="):
            value = each.partition("=")[2]
    return value


_UsageError: Any = typer.BadParameter.__mro__[1]
"""Click's base class of errors in the usage, which Typer does not export."""


@contextmanager
def _own_sentences(parameters: list[Any], ctx: Any) -> Iterator[None]:
    try:
        yield
    except WrongValue:
        raise
    except _UsageError as error:
        # Only the error of an unknown option has possibilities.
        if hasattr(error, "possibilities"):
            name = str(error.option_name)
            known = [known for parameter in parameters for known in (*parameter.opts, *parameter.secondary_opts)]
            message = sentence(
                "There is no option {name}{suggestion}", name=show_text(name), suggestion=suggestion(name, known)
            )
            raise WrongValue(message, ctx=ctx) from None
        if type(error).show is not _UsageError.show:  # the help of a group that needs a command
            raise
        raise WrongValue(local(error.format_message()), ctx=error.ctx) from None


class Command(NamedTuple):
    """A command that cli.py has yet to register."""

    name: str
    help: str
    run: Callable[..., None]
    more: Mapping[str, Any]
    """Its options from SELECTION, GROUPING and LIMITS."""
    settings: dict[str, Any]
    """Settings of its Click context."""
    lines: tuple[type, ...]
    """What it prints with --json: the TypedDict of each kind of line."""


def command(
    *examples: str,
    lines: Sequence[type] = (),
    selection: bool = False,
    grouping: bool = False,
    limits: bool = False,
    **settings: Any,
) -> Callable[[Callable[..., None]], Command]:
    """Makes a command of a function. Its docstring and the examples are the help, its parameters are the options.

    lines: the TypedDicts of the lines that the command prints with --json; docs/make_json.py documents them. selection:
    the command shows groups, and takes the options that selection_of reads. grouping: the command makes groups, and
    takes the options that grouping_of reads. limits: the command decodes pictures, and takes the options that
    Session.limits reads. All of these are in Session.given. settings: of its Click context.
    """

    def make(function: Callable[..., None]) -> Command:
        text = "\n\n".join(
            [inspect.getdoc(function) or "", "Examples:", "\b\n" + "\n".join(f"  {line}" for line in examples)]
        )
        more = {**(SELECTION if selection else {}), **(GROUPING if grouping else {}), **(LIMITS if limits else {})}
        return Command(function.__name__, text, function, more, settings, tuple(lines))

    return make


def built(made: Command | typer.Typer) -> Any:
    """The Click command of a command or of a group of commands; Any, because Typer does not export Click's types."""
    if isinstance(made, typer.Typer):
        return typer.main.get_command(made)
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    add(app, [made])
    return typer.main.get_command(app)


def add(app: typer.Typer, commands: Iterable[Command]) -> None:
    """Registers commands in the order of the help, each with the common options."""
    for each in commands:
        run = with_common(each.run, each.more)
        run.lines = each.lines  # type: ignore[attr-defined]
        app.command(name=each.name, help=each.help, context_settings=each.settings or None, cls=PlainCommand)(run)


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
            if ctx.obj["lang"] is not None:
                choose_language(ctx.obj["lang"])
            function(ctx, **values)
        except HashIndexError as error:
            _print_error(ctx, error.args[0], error.exit_code)
            raise typer.Exit(error.exit_code) from None
        except KeyboardInterrupt:
            _print_error(ctx, Message("interrupted; work done so far is kept."), INTERRUPTED)
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


def _print_error(ctx: typer.Context, message: str, exit_code: int) -> None:
    if ctx.obj["progress"] is ProgressStyle.JSON:
        print(error_json(message, exit_code), file=sys.stderr)
    else:
        print(terminal_of(sys.stderr).wrapped(f"hashindex: {show_message(message)}"), file=sys.stderr)
