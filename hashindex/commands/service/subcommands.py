"""hashindex service: its subcommands, their output, and the arguments for hashindex watch. See background.py."""

import inspect
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypedDict

import typer

from hashindex.commands import watch as watching
from hashindex.commands.command import HAD_PROBLEMS, PlainGroup, add, command
from hashindex.commands.session import COMMON, Session, session_of
from hashindex.core.errors import UsageError
from hashindex.core.installation import shell_line
from hashindex.core.language import Message, local, sentence
from hashindex.output.text.common import JsonPath, json_line, show_text
from hashindex.output.text.terminal import padded

if TYPE_CHECKING:
    from hashindex.commands.service.background import Service

service = typer.Typer(
    cls=PlainGroup,
    add_completion=False,
    help="Run hashindex watch in the background, from login on.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

_PATHS = frozenset(("folders", "organize", "catalogue", "config"))
"""Parameters of watch that are paths. They are made absolute: the service starts in another folder."""

_SCHEDULE_OPTIONS = ("organize", "dedupe", "every", "mode", "rest", "keepers", "name", "folder", "from_client_cache")
"""The parameters of check_schedule."""


ServiceChange = Literal["installed", "uninstalled", "unchanged", "started", "stopped"]


class ServiceChangeJson(TypedDict):
    """What was done."""

    event: ServiceChange
    """"installed": it was started too; "uninstalled": it was stopped first; "unchanged": it was not installed."""
    entry: JsonPath
    """The file that makes the system start it."""


class ServicePreviewJson(TypedDict):
    """What install --print shows."""

    event: Literal["preview"]
    entry: JsonPath
    """The file that install would write."""
    text: str
    """Its text."""
    commands: list[str]
    """What install would run then."""


class ServiceJson(TypedDict):
    """The state of the service."""

    event: Literal["service"]
    installed: bool
    """Whether the system starts it at each login."""
    running: bool
    """Whether it runs now."""
    entry: JsonPath
    """The file that makes the system start it."""
    log: JsonPath | None
    """Null if the system keeps its messages in the journal."""


def _with_options_of(watch: Callable[..., None]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Replaces **of_watch of a function by the parameters of hashindex watch, for help and completion."""

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        own = inspect.signature(function)
        *named, _ = own.parameters.values()
        context, *rest = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in named]
        context = context.replace(kind=inspect.Parameter.POSITIONAL_OR_KEYWORD)
        _, *watch_parameters = inspect.signature(watch).parameters.values()
        watch_parameters = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in watch_parameters]
        function.__signature__ = own.replace(parameters=[context, *watch_parameters, *rest])  # type: ignore[attr-defined]
        annotations = {each.name: each.annotation for each in watch_parameters}
        function.__annotations__ = {**annotations, **function.__annotations__}
        return function

    return decorate


@command(
    "hashindex service install                          # every folder scanned before",
    "hashindex service install ~/QQ/Pic --organize ~/Stickers --every 1d",
    "hashindex service install --print                  # show it, change nothing",
    lines=(ServiceChangeJson, ServicePreviewJson),
    limits=True,
)
@_with_options_of(watching.watch.run)
def install(
    ctx: typer.Context,
    show: Annotated[bool, typer.Option("--print", help="Show what would be written and run, and do neither.")] = False,
    **of_watch: Any,
) -> None:
    """Start hashindex watch now and at each login.

    Takes the folders and options of hashindex watch. Writes a systemd user unit (Linux), a LaunchAgent (macOS) or a
    start-up entry (Windows) and replaces an earlier one. Needs no special rights.
    """
    session = session_of(ctx)
    watching.check_schedule(**{name: of_watch[name] for name in _SCHEDULE_OPTIONS})
    watch = ctx.find_root().command.get_command(ctx, "watch")  # type: ignore[attr-defined]
    arguments = watch_arguments([each for each in watch.params if each.name not in COMMON], ctx.params)
    service = _service(session, ctx.obj["config"], arguments)
    if show:
        print(_preview(service, session.json))
        return
    service.install()
    _report(session, service, "installed", sentence("Installed and started: {file}", file=_file(service)))
    session.say(local(service.entry.note))


@command(
    "hashindex service uninstall",
    lines=(ServiceChangeJson,),
)
def uninstall(ctx: typer.Context) -> None:
    """Stop the service and remove its file. The catalogue and your settings stay."""
    session = session_of(ctx)
    service = _service(session)
    if service.uninstall():
        _report(session, service, "uninstalled", sentence("Stopped and removed: {file}", file=_file(service)))
    else:
        nothing = sentence("Nothing to remove: not installed: {file}", file=_file(service))
        _report(session, service, "unchanged", nothing)


@command(
    "hashindex service start",
    lines=(ServiceChangeJson,),
)
def start(ctx: typer.Context) -> None:
    """Start the installed service."""
    session = session_of(ctx)
    service = _service(session)
    service.start()
    _report(session, service, "started", sentence("Started: {file}", file=_file(service)))


@command(
    "hashindex service stop",
    lines=(ServiceChangeJson,),
)
def stop(ctx: typer.Context) -> None:
    """Stop the service until the next login or hashindex service start."""
    session = session_of(ctx)
    service = _service(session)
    service.stop()
    _report(session, service, "stopped", sentence("Stopped: {file}", file=_file(service)))


@command(
    "hashindex service status",
    "hashindex service status --json",
    lines=(ServiceJson,),
)
def status(ctx: typer.Context) -> None:
    """Show whether the service is installed and running. Exit code 3 if it is not running.

    hashindex status shows its activity, its queue and its last error.
    """
    session = session_of(ctx)
    text, running = _state(_service(session), session.json)
    print(text)
    if not running:
        raise typer.Exit(HAD_PROBLEMS)


@command("hashindex service logs")
def logs(ctx: typer.Context) -> None:
    """Show the last lines of the service's log."""
    session = session_of(ctx)
    lines = _service(session).logs()
    for line in lines.splitlines():
        print(show_text(line))
    if not lines:
        session.say(sentence("The log is empty."))


add(service, (install, uninstall, start, stop, status, logs))


def _service(session: Session, config: Path | None = None, arguments: Sequence[str] = ()) -> "Service":
    """The service of the current user. arguments: those of hashindex watch that install writes."""
    # Imported late: it would slow the start of every other command.
    from hashindex.commands.service.background import service_of, watch_command

    command_line = watch_command(session.index.path, config, arguments, sys.platform)
    return service_of(command_line, _running_pid(session.index.path))


def _running_pid(catalogue: Path) -> int | None:
    """Process id of the hashindex watch of a catalogue; None if none runs."""
    # Imported late: hashindex --help imports this module.
    from hashindex.store.daemon_state import daemon_status

    daemon = daemon_status(catalogue)
    return daemon.pid if daemon is not None and daemon.alive else None


def watch_arguments(parameters: Sequence[Any], values: Mapping[str, Any]) -> list[str]:
    """Arguments of hashindex watch that give these values, with absolute paths.

    parameters: Click parameters of hashindex watch; Any, because Typer does not export Click's types. UsageError for a
    folder that does not exist.
    """
    return list(_arguments(parameters, values))


def _arguments(parameters: Sequence[Any], values: Mapping[str, Any]) -> Iterator[str]:
    positional: list[str] = []
    for parameter in parameters:
        value = values.get(parameter.name)
        if value is None or value == parameter.default or value in ((), []):
            continue
        if parameter.param_type_name == "argument":
            many = value if isinstance(value, (list, tuple)) else [value]
            positional += [_argument(parameter.name, one) for one in many]
        elif isinstance(value, bool):
            yield parameter.opts[0] if value else parameter.secondary_opts[0]
        elif getattr(parameter, "count", False):
            yield from [parameter.opts[0]] * value
        else:
            for one in value if isinstance(value, (list, tuple)) else [value]:
                # Joined by =, so that a value that begins with a dash is not taken for an option.
                yield f"{parameter.opts[0]}={_argument(parameter.name, one)}"
    if positional:
        yield "--"
        yield from positional


def _argument(name: str, value: Any) -> str:
    if name in _PATHS:
        path = os.path.abspath(os.path.expanduser(str(value)))
        if name == "folders" and not os.path.isdir(path):
            raise UsageError(Message("{path}: there is no such folder.", path=path))
        return path
    return str(value.value if isinstance(value, Enum) else value)


def _preview(service: "Service", json: bool) -> str:
    """The file that install would write, and the commands that it would run."""
    entry = service.entry
    commands = [" ".join(command) for command in entry.installed]
    if json:
        return json_line(
            ServicePreviewJson(event="preview", entry=entry.path, text=entry.data.decode(), commands=commands)
        )
    lines = [show_text(shell_line(command, service.user.system)) for command in entry.installed]
    return "\n".join([f"# {show_text(entry.path)}", entry.data.decode().rstrip(), "", sentence("# then"), *lines])


def _file(service: "Service") -> str:
    return show_text(service.entry.path)


def _report(session: Session, service: "Service", event: ServiceChange, text: str) -> None:
    """Prints what was done: with --json the event and the file of the service, else the text."""
    session.sum_up(json_line(ServiceChangeJson(event=event, entry=service.entry.path)), text)


def _field(label: str, text: str) -> str:
    return f"{padded(label, 11)}{text}"


def _state(service: "Service", json: bool) -> tuple[str, bool]:
    """The state of the service as text or JSON, and whether it runs."""
    installed = service.is_installed()
    ran = service.status() if installed else None
    running = ran is not None and ran.code == 0
    entry = service.entry
    if json:
        state = ServiceJson(event="service", installed=installed, running=running, entry=entry.path, log=entry.log)
        return json_line(state), running
    if ran is None:
        return sentence("The service is not installed; install it: hashindex service install"), False
    shown = sentence("running") if running else sentence("not running")
    lines = [_field(sentence("Service"), shown), _field(sentence("Entry"), _file(service))]
    if entry.log is not None:
        lines.append(_field(sentence("Log"), show_text(entry.log)))
    return "\n".join([*lines, "", *map(show_text, ran.output.strip().splitlines())]), running
