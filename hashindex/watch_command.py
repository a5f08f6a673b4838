"""hashindex watch as a command: its options, its signals, its lines. The work is daemon.py's."""

import os
import queue
import re
import signal
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from hashindex import files
from hashindex.daemon import Daemon, Order, WatchOptions
from hashindex.errors import UsageError
from hashindex.model import ScanOptions, WalkRules, WatchEvent
from hashindex.options import Session, grouping_arguments
from hashindex.render_watch import event_json, event_text
from hashindex.settings import Settings

LEAVE_S = 1.7
"""After so long it leaves in the middle of whatever it is doing, as after kill -9: that loses nothing but time."""
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}


def watch_options(
    session: Session,
    settings: Settings,
    folders: Sequence[str],
    organize: str | None,
    every: str,
    how: dict[str, Any],
    notify: str | None,
    settle: str,
    sweep: str,
    workers: int | None,
) -> WatchOptions:
    """What the options of the command and the settings file come to. UsageError where they make no sense.

    how: of organizing: action, rest and from_client_cache.
    """
    rules = WalkRules(settings.include, settings.exclude, settings.hidden, settings.links)
    order = None
    if organize is not None:
        dest = os.fsdecode(files.real_path(organize))
        grouping = grouping_arguments(settings, None, None, None, None, None, None)
        order = Order(dest, max(60.0, seconds(every, "--every")), how | grouping)
    return WatchOptions(
        tuple(map(_folder, folders)),
        ScanOptions(rules, session.limits(), workers or settings.workers),
        seconds(settle, "--settle"),
        max(1.0, seconds(sweep, "--sweep")),
        order,
        notify,
    )


def seconds(text: str, option: str) -> float:
    """What 1.5s, 30m, 12h, 1d or 1w come to. UsageError for anything else."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w)", text.strip().lower())
    if found is None:
        raise UsageError(f"{option} takes a time, as 30s, 5m, 12h, 1d or 1w; not {text!r}.")
    return float(found[1]) * _UNITS[found[2]]


def run_watch(session: Session, options: WatchOptions, *, wait_s: float, reread: Callable[[], WatchOptions]) -> bool:
    """Watches until it is told to stop. Returns whether that was Ctrl-C."""

    def tell(event: WatchEvent) -> None:
        line = event_json(event) if session.json else event_text(event)
        if line is not None and (session.json or not session.quiet):
            print(line, flush=True)
        if event.kind == "watching" and not session.json:
            session.say(f"Watching {event.numbers['roots']:,} folders; Ctrl-C ends it.")

    daemon = Daemon(session.index.path, options, tell, wait_s=wait_s, reread=reread)
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
    asked: queue.SimpleQueue[int] = queue.SimpleQueue()

    def wait() -> None:
        number = asked.get()
        time.sleep(LEAVE_S)
        os._exit(130 if number == signal.SIGINT else 0)

    threading.Thread(target=wait, name="deadline", daemon=True).start()
    return asked


def _folder(path: str) -> bytes:
    try:
        return files.real_folder(path)
    except OSError as error:
        raise UsageError(f"{path}: {files.reason_of(error, 'folder')}.") from error
