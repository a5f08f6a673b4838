"""hashindex watch: its options, signals and output. watch/daemon.py does the work."""

import os
import re
import signal
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from hashindex.commands.command import INTERRUPTED, command
from hashindex.commands.options import (
    ClientOption,
    FolderOption,
    KeepersOption,
    Mode,
    NameOption,
    RestOption,
    grouping_of,
    templates_of,
)
from hashindex.commands.session import Session, session_of
from hashindex.core.deduping import DedupeOptions
from hashindex.core.errors import UsageError
from hashindex.core.language import Message, plural
from hashindex.core.name_template import Naming
from hashindex.core.options import Level, ScanOptions, WalkRules
from hashindex.core.organizing import Action
from hashindex.core.settings import Settings, read_settings
from hashindex.core.watch_events import WatchEvent
from hashindex.output.text.watch import WatchEventJson, event_json, event_text

if TYPE_CHECKING:
    import queue

    from hashindex.watch.daemon import WatchOptions

EXIT_WITHIN_S = 1.7
"""Time from a signal to the end of the process, even in the middle of work. As after kill -9, only time is lost."""
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}


@command(
    "hashindex watch                          # every folder scanned before",
    "hashindex watch ~/QQ/Pic --json",
    "hashindex watch --organize ~/Stickers --every 1d",
    "hashindex watch --notify 'notify-picture --stdin'",
    lines=(WatchEventJson,),
    limits=True,
)
def watch(
    ctx: typer.Context,
    folders: Annotated[
        list[str] | None, typer.Argument(metavar="FOLDER", help="Folders to watch. [default: all known folders]")
    ] = None,
    client: ClientOption = None,
    organize: Annotated[
        str | None, typer.Option(metavar="DEST", help="Organize into this folder regularly, as with --apply.")
    ] = None,
    dedupe: Annotated[
        bool, typer.Option("--dedupe", help="Move copies to the trash regularly, as hashindex dedupe --apply does.")
    ] = False,
    every: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="How often to organize or dedupe: 30m, 12h, 1d, 1w. [default: 1d]"),
    ] = None,
    mode: Annotated[
        Mode | None,
        typer.Option(help="How to organize; after move, a chat client downloads or misses the files. [default: copy]"),
    ] = None,
    from_client_cache: Annotated[
        bool,
        typer.Option(
            "--from-client-cache",
            help="With --mode move or --dedupe: also move files out of the folders of a chat client.",
        ),
    ] = False,
    rest: RestOption = False,
    keepers: KeepersOption = False,
    name: NameOption = None,
    folder: FolderOption = None,
    read: Annotated[
        bool, typer.Option("--read", help="Read the words in new pictures when there is no other work.")
    ] = False,
    notify: Annotated[
        str | None, typer.Option(metavar="COMMAND", help="Run this for each event, with its JSON on standard input.")
    ] = None,
    settle: Annotated[
        str, typer.Option(metavar="TIME", help="How long a file must stay unchanged before it is read.")
    ] = "1s",
    sweep: Annotated[
        str, typer.Option(metavar="TIME", help="How often to scan all folders, even without events.")
    ] = "5m",
    workers: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Processes that read many new files. [default: one per processor]"),
    ] = None,
) -> None:
    """Keep the catalogue up to date while pictures come and go, until Ctrl-C.

    Scans the folders first, then follows the events of the file system, and scans again every few minutes. A file is
    read when it is complete. Each new picture is shown with the picture that it is a copy of. Other commands work at
    the same time; a catalogue has at most one hashindex watch. SIGHUP reloads the settings.
    """
    # Imported late: it would slow the start of every other command.
    from hashindex.watch.organizing import DedupeSchedule, OrganizeSchedule

    session = session_of(ctx)
    check_schedule(
        organize, dedupe, every=every, mode=mode, rest=rest, keepers=keepers, name=name, folder=folder,
        from_client_cache=from_client_cache,
    )  # fmt: skip
    if read:
        session.index.check_reader()
    chosen = [*(folders or ()), *session.index.client_roots(client or ())]

    def options(settings: Settings) -> "WatchOptions":
        schedule = removal = None
        every_s = max(60.0, _seconds(every or "1d", "--every"))
        if dedupe:
            copies = grouping_of(session, level=Level.COPIES, workers=workers, settings=settings)
            removal = DedupeSchedule(every_s, DedupeOptions(from_client_cache=from_client_cache), copies)
        if organize is not None:
            grouping = grouping_of(session, workers=workers, settings=settings)
            templates = templates_of(settings, name, folder)
            schedule = OrganizeSchedule(
                organize, every_s, Action(mode or Mode.COPY), rest, from_client_cache, grouping, keepers, **templates
            )
        watching = _watch_options(session, settings, chosen, notify, settle, sweep, workers)
        return replace(watching, organize=schedule, dedupe=removal, read=read)

    common = ctx.obj
    interrupted = _run_watch(
        session,
        options(session.settings),
        wait_s=common["wait"] or 0.0,
        reload=lambda: options(read_settings(common["config"])),
    )
    if interrupted:
        raise typer.Exit(INTERRUPTED)


def check_schedule(organize: str | None, dedupe: bool, **how: object) -> None:
    """UsageError for an option about organizing without --organize, or a wrong template. how: the options by name."""
    of_both = ("every", "from_client_cache")
    given = [name for name, value in how.items() if value and not (dedupe and name in of_both)]
    if organize is None and given:
        option = f"--{given[0].replace('_', '-')}"
        if given[0] in of_both:
            raise UsageError(Message("{option} needs --organize DEST or --dedupe.", option=option))
        raise UsageError(Message("{option} needs --organize DEST.", option=option))
    for what in ("name", "folder"):
        if how[what] is not None:
            Naming(**{what: str(how[what])})


def _watch_options(
    session: Session,
    settings: Settings,
    folders: Sequence[str],
    notify: str | None,
    settle: str,
    sweep: str,
    workers: int | None,
) -> "WatchOptions":
    """The options of the daemon, from the command line and the settings file. UsageError for a wrong value."""
    # Imported late: it would slow the start of every other command.
    from hashindex.watch.daemon import WatchOptions

    rules = WalkRules(settings.include, settings.exclude, settings.hidden, settings.links)
    return WatchOptions(
        folders,
        ScanOptions(rules, session.limits(settings), workers or settings.workers),
        _seconds(settle, "--settle"),
        max(1.0, _seconds(sweep, "--sweep")),
        notify=notify,
        tags=settings.tags,
    )


def _seconds(text: str, option: str) -> float:
    """Seconds of a time such as 1.5s, 30m, 12h, 1d or 1w. UsageError for other text."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w)", text.strip().lower())
    if match is None:
        raise UsageError(
            Message("{option} takes a time such as 30s, 5m, 12h, 1d or 1w, not {given!r}.", option=option, given=text)
        )
    return float(match[1]) * _SECONDS[match[2]]


def _run_watch(
    session: Session, options: "WatchOptions", *, wait_s: float, reload: Callable[[], "WatchOptions"]
) -> bool:
    """Watches until a signal arrives. Returns whether it was Ctrl-C."""
    from hashindex.watch.daemon import Daemon

    def on_event(event: WatchEvent) -> None:
        line = event_json(event) if session.json else event_text(event)
        if line is not None and (session.json or not session.quiet):
            print(line, flush=True)
        if event.kind == "watching" and not session.json:
            roots = int(event.numbers["roots"])
            session.say(
                plural(roots, "Watching {count} folder; Ctrl-C ends it.", "Watching {count} folders; Ctrl-C ends it.")
            )

    daemon = Daemon(session.index.path, options, on_event, wait_s=wait_s, reread=reload)
    signals: list[int] = []
    stop_requests = _start_deadline()

    def stop(number: int, frame: object) -> None:
        signals.append(number)
        stop_requests.put(number)
        daemon.stop()

    handlers: dict[str, Callable[[int, object], None]] = {
        "SIGINT": stop,
        "SIGTERM": stop,
        "SIGBREAK": stop,
        "SIGHUP": lambda number, frame: daemon.reload(),
    }
    previous = {
        number: signal.signal(number, handler)
        for name, handler in handlers.items()
        if (number := getattr(signal, name, None)) is not None
    }
    try:
        daemon.run()
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
    return bool(signals) and signals[0] == signal.SIGINT


def _start_deadline() -> "queue.SimpleQueue[int]":
    """Starts a thread that ends the process EXIT_WITHIN_S after a signal number is put into the queue.

    It starts early because a signal handler cannot start a thread safely.
    """
    import queue

    requests: queue.SimpleQueue[int] = queue.SimpleQueue()

    def wait() -> None:
        number = requests.get()
        time.sleep(EXIT_WITHIN_S)
        os._exit(INTERRUPTED if number == signal.SIGINT else 0)

    threading.Thread(target=wait, name="deadline", daemon=True).start()
    return requests
