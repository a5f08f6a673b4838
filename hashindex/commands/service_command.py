"""hashindex service: its commands, what it passes on to hashindex watch, and its words. The work is background.py's."""

import inspect
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hashindex.commands import watch_command
from hashindex.commands.command import HAD_PROBLEMS, PlainGroup, add, command
from hashindex.commands.options import COMMON, Session, session_of
from hashindex.core.errors import UsageError
from hashindex.output.render import json_line, show_text
from hashindex.store.daemon_state import daemon_status

if TYPE_CHECKING:
    from hashindex.commands.background import Service

app = typer.Typer(
    cls=PlainGroup,
    help="Keep hashindex watch running in the background, from each login on.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

_PATHS = frozenset(("folders", "organize", "catalogue", "config"))
"""Parameters of watch that name a place: the service is not started where it was installed from."""


_HOW = ("organize", "every", "mode", "rest", "from_client_cache")
"""Options of watch that go together."""


def _with_options_of(watch: Callable[..., None]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Gives a function with **of_watch the parameters of hashindex watch by name, for help and completion."""

    def give(function: Callable[..., None]) -> Callable[..., None]:
        own = inspect.signature(function)
        *named, _ = own.parameters.values()
        context, *rest = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in named]
        context = context.replace(kind=inspect.Parameter.POSITIONAL_OR_KEYWORD)
        _, *theirs = inspect.signature(watch).parameters.values()
        theirs = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in theirs]
        function.__signature__ = own.replace(parameters=[context, *theirs, *rest])  # type: ignore[attr-defined]
        annotations = {each.name: each.annotation for each in theirs}
        function.__annotations__ = {**annotations, **function.__annotations__}
        return function

    return give


@command(
    "hashindex service install                          # every folder scanned before",
    "hashindex service install ~/QQ/Pic --organize ~/Stickers --every 1d",
    "hashindex service install --print                  # show it, write nothing",
    limits=watch_command.watch.limits,
)
@_with_options_of(watch_command.watch.run)
def install(
    ctx: typer.Context,
    show: Annotated[bool, typer.Option("--print", help="Show what would be written and run; write nothing.")] = False,
    **of_watch: Any,
) -> None:
    """Start hashindex watch now, and from now on whenever you log in.

    The folders and options are those of hashindex watch; its help says more. A systemd unit, a LaunchAgent or a
    start-up entry of yours is written; no special rights are needed. An earlier one is replaced.
    """
    session = session_of(ctx)
    watch_command.check_organize(**{name: of_watch[name] for name in _HOW})
    watch = ctx.find_root().command.commands["watch"]  # type: ignore[attr-defined]
    words = watch_arguments([each for each in watch.params if each.name not in COMMON], ctx.params)
    service = _service(session, ctx.obj["config"], words)
    if show:
        print(_preview(service, session.json))
        return
    service.install()
    _tell(session, service, "Installed and started")
    session.say(f"{service.entry.note}.")


@command("hashindex service uninstall")
def uninstall(ctx: typer.Context) -> None:
    """Stop the service and remove what install wrote. The catalogue and your settings stay."""
    session = session_of(ctx)
    service = _service(session)
    what = "Stopped and removed" if service.uninstall() else "Nothing to remove: not installed"
    _tell(session, service, what)


@command("hashindex service start")
def start(ctx: typer.Context) -> None:
    """Start the installed service."""
    session = session_of(ctx)
    service = _service(session)
    service.start()
    _tell(session, service, "Started")


@command("hashindex service stop")
def stop(ctx: typer.Context) -> None:
    """Stop the service until the next login, or until it is started."""
    session = session_of(ctx)
    service = _service(session)
    service.stop()
    _tell(session, service, "Stopped")


@command("hashindex service status", "hashindex service status --json")
def status(ctx: typer.Context) -> None:
    """Say whether the service is installed and running. Exit code 3 if it is not running.

    What it does, its queue and its last trouble are shown by hashindex status.
    """
    session = session_of(ctx)
    text, running = _state(_service(session), session.json)
    print(text)
    if not running:
        raise typer.Exit(HAD_PROBLEMS)


@command("hashindex service logs")
def logs(ctx: typer.Context) -> None:
    """Show the last lines that the service wrote."""
    session = session_of(ctx)
    lines = _service(session).logs()
    for line in lines.splitlines():
        print(show_text(line))
    if not lines:
        session.say("It has written nothing yet.")


add(app, (install, uninstall, start, stop, status, logs))


def _service(session: Session, config: Path | None = None, arguments: Sequence[str] = ()) -> "Service":
    """The person's service; arguments: of hashindex watch, as it is installed with."""
    # Only these commands ask the system; a query should not wait for the module.
    from hashindex.commands.background import service_of, watch_command

    words = watch_command(session.index.path, config, arguments, sys.platform)
    return service_of(words, _running_pid(session.index.path))


def _running_pid(catalogue: Path) -> int | None:
    """The process that watches for a catalogue; None if none does."""
    daemon = daemon_status(catalogue)
    return daemon.pid if daemon is not None and daemon.alive else None


def watch_arguments(parameters: Sequence[Any], values: Mapping[str, Any]) -> list[str]:
    """The words for hashindex watch that come to these values again, its paths made absolute.

    parameters: Click's, of hashindex watch. Any, for Typer keeps its Click to itself. UsageError for a folder that is
    not there.
    """
    return list(_words(parameters, values))


def _words(parameters: Sequence[Any], values: Mapping[str, Any]) -> Iterator[str]:
    arguments: list[str] = []
    for parameter in parameters:
        value = values.get(parameter.name)
        if value is None or value == parameter.default or value in ((), []):
            continue
        if parameter.param_type_name == "argument":
            many = value if isinstance(value, (list, tuple)) else [value]
            arguments += [_word(parameter.name, one) for one in many]
        elif isinstance(value, bool):
            yield parameter.opts[0] if value else parameter.secondary_opts[0]
        elif getattr(parameter, "count", False):
            yield from [parameter.opts[0]] * value
        else:
            for one in value if isinstance(value, (list, tuple)) else [value]:
                # One word, so that a value that begins with a dash is no option.
                yield f"{parameter.opts[0]}={_word(parameter.name, one)}"
    if arguments:
        yield "--"
        yield from arguments


def _word(name: str, value: Any) -> str:
    if name in _PATHS:
        path = os.path.abspath(os.path.expanduser(str(value)))
        if name == "folders" and not os.path.isdir(path):
            raise UsageError(f"{path}: there is no such folder.")
        return path
    return str(value.value if isinstance(value, Enum) else value)


def _preview(service: "Service", json: bool) -> str:
    """What install would write and run."""
    import shlex
    import subprocess

    entry = service.entry
    commands = [" ".join(command) for command in entry.installed]
    if json:
        return json_line({"path": entry.path, "text": entry.data.decode(), "commands": commands})
    join = subprocess.list2cmdline if service.person.system == "win32" else shlex.join
    lines = [show_text(join(command)) for command in entry.installed]
    return "\n".join([f"# {show_text(entry.path)}", entry.data.decode().rstrip(), "", "# then", *lines])


def _tell(session: Session, service: "Service", what: str) -> None:
    """What was done, with the file that it was done to."""
    line = json_line({"event": what.lower(), "entry": service.entry.path})
    session.sum_up(line, f"{what}: {show_text(service.entry.path)}")


def _state(service: "Service", json: bool) -> tuple[str, bool]:
    """Whether it is installed and runs, in words, and whether it runs."""
    installed = service.is_installed()
    ran = service.status() if installed else None
    running = ran is not None and ran.code == 0
    entry = service.entry
    if json:
        facts = {"installed": installed, "running": running, "entry": entry.path, "log": entry.log}
        return json_line(facts), running
    if ran is None:
        return "The service is not installed; install it: hashindex service install", False
    lines = [f"Service    {'running' if running else 'not running'}", f"Entry      {show_text(entry.path)}"]
    if entry.log is not None:
        lines.append(f"Log        {show_text(entry.log)}")
    return "\n".join([*lines, "", *map(show_text, ran.output.strip().splitlines())]), running
