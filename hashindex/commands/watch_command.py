"""hashindex watch: its options, its signals, its lines. The work is daemon.py's."""

import os
import re
import signal
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from hashindex.commands.command import INTERRUPTED, command
from hashindex.commands.options import ClientOption, Session, grouping_of, session_of
from hashindex.core.errors import UsageError
from hashindex.core.options import ScanOptions, WalkRules
from hashindex.core.organizing import Action
from hashindex.core.settings import Settings, read_settings
from hashindex.core.watch_events import WatchEvent
from hashindex.disk import files
from hashindex.output.render import show_count
from hashindex.output.render_watch import event_json, event_text

if TYPE_CHECKING:
    import queue

    from hashindex.watch.daemon import WatchOptions
    from hashindex.watch.organizing import OrganizeSchedule

LEAVE_S = 1.7
"""After so long it leaves in the middle of whatever it is doing, as after kill -9: that loses nothing but time."""
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}


@command(
    "hashindex watch                          # every folder scanned before",
    "hashindex watch ~/QQ/Pic --json",
    "hashindex watch --organize ~/Stickers --every 1d",
    "hashindex watch --notify 'notify-picture --stdin'",
    limits=True,
)
def watch(
    ctx: typer.Context,
    folders: Annotated[
        list[str] | None, typer.Argument(metavar="FOLDER", help="Folders to watch; all known ones if none.")
    ] = None,
    client: ClientOption = None,
    organize: Annotated[
        str | None, typer.Option(metavar="DEST", help="Organize into this folder now and then, as with --apply.")
    ] = None,
    every: Annotated[
        str | None, typer.Option(metavar="TIME", help="How often to organize: 30m, 12h, 1d, 1w. [default: 1d]")
    ] = None,
    mode: Annotated[
        Action | None,
        typer.Option(help="How to organize; move makes a chat client fetch or miss the files. [default: copy]"),
    ] = None,
    from_client_cache: Annotated[
        bool, typer.Option("--from-client-cache", help="With --mode move: also out of a chat client's own folders.")
    ] = False,
    rest: Annotated[bool, typer.Option("--rest", help="Also number the pictures that are in no group.")] = False,
    notify: Annotated[
        str | None, typer.Option(metavar="COMMAND", help="Run this for each change, its JSON on standard input.")
    ] = None,
    settle: Annotated[
        str, typer.Option(metavar="TIME", help="How long a file must hold still before it is read.")
    ] = "1s",
    sweep: Annotated[
        str, typer.Option(metavar="TIME", help="How often to look through all folders, whatever events say.")
    ] = "5m",
    workers: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Processes that read a burst. [default: all]")
    ] = None,
) -> None:
    """Keep the catalogue in step with folders while pictures come and go, until Ctrl-C.

    Looks through the folders first, then follows what happens there, and looks through them again every few minutes.
    A file is read when it is whole. Each new picture is shown with what it is a copy of. Other commands work beside
    it; one catalogue has one hashindex watch. SIGHUP reads the settings again.
    """
    # Only this command watches; a query should not wait for the module.
    from hashindex.watch.organizing import OrganizeSchedule

    session = session_of(ctx)
    check_organize(organize, every=every, mode=mode, rest=rest, from_client_cache=from_client_cache)
    chosen = [*(folders or ()), *map(os.fsdecode, session.index.client_roots(client or ()))]

    def options(settings: Settings) -> "WatchOptions":
        schedule = None
        if organize is not None:
            dest = os.fsdecode(files.real_path(organize))
            every_s = max(60.0, _seconds(every or "1d", "--every"))
            grouping = grouping_of(session, workers=workers, settings=settings)
            schedule = OrganizeSchedule(dest, every_s, mode or Action.COPY, rest, from_client_cache, grouping)
        return _watch_options(session, settings, chosen, schedule, notify, settle, sweep, workers)

    common = ctx.obj
    interrupted = _run_watch(
        session,
        options(session.settings),
        wait_s=common["wait"] or 0.0,
        reread=lambda: options(read_settings(common["config"])),
    )
    if interrupted:
        raise typer.Exit(INTERRUPTED)


def check_organize(organize: str | None, **how: object) -> None:
    """UsageError for an option that says how to organize where nothing is to be organized."""
    idle = [f"--{name.replace('_', '-')}" for name, value in how.items() if value]
    if organize is None and idle:
        raise UsageError(f"{idle[0]} needs --organize DEST: it says how to organize.")


def _watch_options(
    session: Session,
    settings: Settings,
    folders: Sequence[str],
    schedule: "OrganizeSchedule | None",
    notify: str | None,
    settle: str,
    sweep: str,
    workers: int | None,
) -> "WatchOptions":
    """What the options of the command and the settings file come to. UsageError where they make no sense."""
    # Only this command watches; a query should not wait for the module.
    from hashindex.watch.daemon import WatchOptions

    rules = WalkRules(settings.include, settings.exclude, settings.hidden, settings.links)
    return WatchOptions(
        tuple(map(_folder, folders)),
        ScanOptions(rules, session.limits_by(settings), workers or settings.workers),
        _seconds(settle, "--settle"),
        max(1.0, _seconds(sweep, "--sweep")),
        schedule,
        notify,
    )


def _seconds(text: str, option: str) -> float:
    """What 1.5s, 30m, 12h, 1d or 1w come to. UsageError for anything else."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w)", text.strip().lower())
    if found is None:
        raise UsageError(f"{option} takes a time, as 30s, 5m, 12h, 1d or 1w; not {text!r}.")
    return float(found[1]) * _UNITS[found[2]]


def _run_watch(
    session: Session, options: "WatchOptions", *, wait_s: float, reread: Callable[[], "WatchOptions"]
) -> bool:
    """Watches until it is told to stop. Returns whether that was Ctrl-C."""
    from hashindex.watch.daemon import Daemon

    def on_event(event: WatchEvent) -> None:
        line = event_json(event) if session.json else event_text(event)
        if line is not None and (session.json or not session.quiet):
            print(line, flush=True)
        if event.kind == "watching" and not session.json:
            session.say(f"Watching {show_count(int(event.numbers['roots']), 'folder')}; Ctrl-C ends it.")

    daemon = Daemon(session.index, options, on_event, wait_s=wait_s, reread=reread)
    came: list[int] = []
    deadline = _deadline()

    def stop(number: int, frame: object) -> None:
        came.append(number)
        deadline.put(number)
        daemon.stop()

    handlers: dict[str, Callable[[int, object], None]] = {
        "SIGINT": stop,
        "SIGTERM": stop,
        "SIGBREAK": stop,
        "SIGHUP": lambda number, frame: daemon.reload(),
    }
    before = {
        number: signal.signal(number, handler)
        for name, handler in handlers.items()
        if (number := getattr(signal, name, None)) is not None
    }
    try:
        daemon.run()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return bool(came) and came[0] == signal.SIGINT


def _deadline() -> "queue.SimpleQueue[int]":
    """A thread that ends the process LEAVE_S after something is put: started now, for a signal handler cannot."""
    import queue

    asked: queue.SimpleQueue[int] = queue.SimpleQueue()

    def wait() -> None:
        number = asked.get()
        time.sleep(LEAVE_S)
        os._exit(INTERRUPTED if number == signal.SIGINT else 0)

    threading.Thread(target=wait, name="deadline", daemon=True).start()
    return asked


def _folder(path: str) -> bytes:
    try:
        return files.real_folder(path)
    except OSError as error:
        raise UsageError(f"{path}: {files.reason_of(error, 'folder')}.") from error
