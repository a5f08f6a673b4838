"""Who watches for a catalogue, and how it goes: a lock for as long as it lives, and a small file to be read by others.

The lock (NAME.watch.lock) is the system's, so a daemon that was killed holds nothing. What it is doing lies in a
file of its own (NAME.watch.json), replaced as a whole: status can read it while the catalogue is busy, writing it
waits for nobody, and a row in the catalogue would cost a transaction and a write-ahead log every few seconds.
"""

import contextlib
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hashindex.core.bounds import bounded
from hashindex.core.dates import local_minute
from hashindex.core.errors import CatalogueLocked, CatalogueUnwritable
from hashindex.core.watch_events import DaemonStatus, WatchedRoot


def lock_path(catalogue: Path) -> Path:
    """Held by the one daemon of a catalogue."""
    return catalogue.with_name(f"{catalogue.name}.watch.lock")


def state_path(catalogue: Path) -> Path:
    """What that daemon does."""
    return catalogue.with_name(f"{catalogue.name}.watch.json")


@contextmanager
def watching_alone(catalogue: Path, wait_s: float) -> Iterator[None]:
    """Holds the lock. Raises CatalogueLocked after wait_s with a sentence that says who has it."""
    from filelock import FileLock, Timeout

    catalogue.parent.mkdir(parents=True, exist_ok=True)
    try:
        # At least a moment: hashindex status holds it for some microseconds to see whether anybody does.
        with FileLock(lock_path(catalogue), timeout=max(wait_s, 0.5)):
            yield
    except Timeout:
        raise CatalogueLocked(
            f"{_owner(read_state(catalogue))} watches for the catalogue {catalogue} already; stop it first, "
            "or watch with another --catalogue."
        ) from None
    except PermissionError as error:
        raise CatalogueUnwritable(
            f"{error.filename or lock_path(catalogue)} may not be opened, perhaps because hashindex watch ran as "
            "another user once: remove that file, or watch with another --catalogue."
        ) from error


def _owner(state: dict[str, Any] | None) -> str:
    if state is None:
        return "Another process"
    where = "" if state["host"] == socket.gethostname() else f" on {state['host']}"
    return f"Process {state['pid']}{where}, running since {local_minute(state['started_ns'])},"


def is_watched(catalogue: Path) -> bool:
    """Whether a daemon lives. A lock that cannot be asked about counts as held."""
    if not lock_path(catalogue).exists():
        return False
    from filelock import FileLock, Timeout

    try:
        with FileLock(lock_path(catalogue), timeout=0):
            return False
    except (Timeout, OSError):
        return True


def write_state(catalogue: Path, state: dict[str, Any]) -> None:
    """Replaces the file as a whole; where that fails (a full disk) it stays as it was."""
    place = state_path(catalogue)
    part = place.with_name(f"{place.name}.part")
    with contextlib.suppress(OSError):
        # The owner's alone, as the catalogue is: it names folders.
        with open(part, "w", encoding="utf-8", opener=lambda path, flags: os.open(path, flags, 0o600)) as out:
            json.dump(state, out)
        os.replace(part, place)


def read_state(catalogue: Path) -> dict[str, Any] | None:
    """What the last daemon wrote; None where there was none or it cannot be read."""
    try:
        state = json.loads(state_path(catalogue).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(state, dict) or type(state.get("pid")) is not int or type(state.get("started_ns")) is not int:
        return None
    return state if isinstance(state.get("host"), str) else None


def daemon_status(catalogue: Path) -> DaemonStatus | None:
    """What is known of the daemon of a catalogue; None if there never was one, or what it wrote makes no sense."""
    state = read_state(catalogue)
    if state is None:
        return None
    try:
        return _status_of(state, is_watched(catalogue))
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def _status_of(state: dict[str, Any], alive: bool) -> DaemonStatus:
    times = {name: bounded(number) for name, number in numbers_in(state).items() if name.endswith("_ns")}
    doing = state.get("doing", "") if alive else _how_it_ended(state)
    last_error = state.get("last_error")
    return DaemonStatus(
        alive=alive,
        pid=state["pid"],
        host=state["host"],
        started_ns=times["started_ns"],
        written_ns=times.get("written_ns", times["started_ns"]),
        doing=str(doing),
        roots=tuple(
            WatchedRoot(os.fsencode(each["path"]), each["how"], each["why"]) for each in state.get("roots", ())
        ),
        swept_ns=times.get("swept_ns"),
        queue=numbers_in(state).get("queue", 0) if alive else 0,
        counts=numbers_in(dict(state.get("counts", {}))),
        last_error=None if last_error is None else str(last_error),
        organized_ns=times.get("organized_ns"),
        organizes_ns=times.get("organizes_ns") if alive else None,
        failed=None if alive else failure_of(state),
    )


def numbers_in(given: object) -> dict[str, int]:
    """Those of its values that are whole numbers; none where it is no object."""
    return {key: value for key, value in given.items() if type(value) is int} if isinstance(given, dict) else {}


def failure_of(state: dict[str, Any]) -> str | None:
    """Why the daemon that wrote this fell; None where it did not, or could not say so."""
    why = state.get("failed")
    return why if isinstance(why, str) and why else None


def _how_it_ended(state: dict[str, Any]) -> str:
    if failure_of(state) is not None:
        return "failed"
    return "stopped" if state.get("ended") else "killed"
