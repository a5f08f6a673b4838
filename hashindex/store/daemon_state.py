"""The daemon of a catalogue: the lock that it holds while it runs, and the state that it writes for other processes.

The lock (NAME.watch.lock) belongs to the system, so a killed daemon holds nothing. The state (NAME.watch.json) is a
file that is replaced as a whole: status can read it while the catalogue is busy, writing it waits for no lock, and a
row in the catalogue would cost a transaction and a write-ahead log every few seconds.
"""

import contextlib
import json
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path

from hashindex.core.bounds import bounded
from hashindex.core.dates import local_minute
from hashindex.core.errors import CatalogueLocked, CatalogueUnwritable
from hashindex.core.language import Message
from hashindex.core.watch_events import DaemonStatus, WatchedRoot


@dataclass(slots=True)
class DaemonState:
    """What a daemon writes for other processes, and for the daemon after it. The fields are the keys of the file."""

    pid: int
    host: str
    started_ns: int
    written_ns: int | None = None
    doing: str = "starting"
    """As DaemonStatus.doing, without the states of a daemon that has ended."""
    roots: tuple[WatchedRoot, ...] = ()
    queue: int = 0
    """Changed files that are not in the catalogue yet."""
    counts: Counter[str] = field(default_factory=Counter)
    """Events by kind, and what went wrong, since the start."""
    swept_ns: int | None = None
    last_error: str | None = None
    organized: dict[str, int] = field(default_factory=dict)
    """Destination to the time of the last organize, in nanoseconds since 1970."""
    organized_ns: int | None = None
    organizes_ns: int | None = None
    """When organize runs next."""
    failed: str | None = None
    """The error that ended the daemon."""
    ended: bool = False
    """Whether it ended by itself; a killed daemon cannot write this."""

    def to_json(self) -> str:
        roots = [{"path": os.fsdecode(root.path_bytes), "how": root.how, "why": root.why} for root in self.roots]
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        return json.dumps({**values, "roots": roots})

    @classmethod
    def from_json(cls, text: str) -> "DaemonState | None":
        """Reads any text. None without a process, a host and a start; any other damaged field has its default."""
        try:
            given = json.loads(text)
        except (ValueError, RecursionError):
            return None
        if not isinstance(given, dict):
            return None
        numbers, texts = _integers(given), {key: value for key, value in given.items() if isinstance(value, str)}
        if not {"pid", "started_ns"} <= numbers.keys() or "host" not in texts:
            return None
        return cls(
            pid=numbers["pid"],
            host=texts["host"],
            started_ns=numbers["started_ns"],
            written_ns=numbers.get("written_ns"),
            doing=texts.get("doing", ""),
            roots=tuple(_roots(given.get("roots"))),
            queue=numbers.get("queue", 0),
            counts=Counter(_integers(given.get("counts"))),
            swept_ns=numbers.get("swept_ns"),
            last_error=texts.get("last_error"),
            organized=_integers(given.get("organized")),
            organized_ns=numbers.get("organized_ns"),
            organizes_ns=numbers.get("organizes_ns"),
            failed=texts.get("failed") or None,
            ended=bool(given.get("ended")),
        )


def _integers(given: object) -> dict[str, int]:
    """The integers among the values of a JSON object, each as one that SQLite can hold."""
    if not isinstance(given, dict):
        return {}
    return {key: bounded(value) for key, value in given.items() if type(value) is int}


def _roots(given: object) -> Iterator[WatchedRoot]:
    for each in given if isinstance(given, list) else ():
        # A path that this system cannot have is a ValueError.
        with contextlib.suppress(ValueError, TypeError, KeyError):
            yield WatchedRoot(os.fsencode(each["path"]), str(each["how"]), each["why"] and str(each["why"]))


def lock_path(catalogue: Path) -> Path:
    """The file that the one daemon of a catalogue locks."""
    return catalogue.with_name(f"{catalogue.name}.watch.lock")


def state_path(catalogue: Path) -> Path:
    """The file in which that daemon writes its state."""
    return catalogue.with_name(f"{catalogue.name}.watch.json")


@contextmanager
def daemon_lock(catalogue: Path, wait_s: float) -> Iterator[None]:
    """Holds the lock. Raises CatalogueLocked after wait_s, with a sentence that names the process that holds it."""
    from filelock import FileLock, Timeout

    catalogue.parent.mkdir(parents=True, exist_ok=True)
    try:
        # At least half a second: hashindex status holds the lock for some microseconds to see whether it is free.
        with FileLock(lock_path(catalogue), timeout=max(wait_s, 0.5)):
            yield
    except Timeout:
        raise CatalogueLocked(
            Message(
                "{owner} watches for the catalogue {catalogue} already; stop it first, or watch with another "
                "--catalogue.",
                owner=_owner(read_state(catalogue)),
                catalogue=catalogue,
            )
        ) from None
    except PermissionError as error:
        raise CatalogueUnwritable(
            Message(
                "{file} may not be opened, perhaps because hashindex watch ran as another user once: remove "
                "that file, or watch with another --catalogue.",
                file=error.filename or lock_path(catalogue),
            )
        ) from error


def _owner(state: DaemonState | None) -> str:
    if state is None:
        return Message("Another process")
    # Imported late: it would slow the start of hashindex status.
    import socket

    since = local_minute(state.started_ns)
    if state.host == socket.gethostname():
        return Message("Process {pid}, running since {time},", pid=state.pid, time=since)
    return Message("Process {pid} on {host}, running since {time},", pid=state.pid, host=state.host, time=since)


def _is_alive(catalogue: Path) -> bool:
    """Whether a daemon holds the lock. A lock that cannot be tested counts as held."""
    if not lock_path(catalogue).exists():
        return False
    from filelock import FileLock, Timeout

    try:
        with FileLock(lock_path(catalogue), timeout=0):
            return False
    except (Timeout, OSError):
        return True


def write_state(catalogue: Path, state: DaemonState) -> None:
    """Replaces the file as a whole. If that fails, as on a full disk, the old file stays."""
    place = state_path(catalogue)
    part = place.with_name(f"{place.name}.part")
    with contextlib.suppress(OSError):
        # Only the owner may read it, as with the catalogue: it names folders.
        with open(part, "w", encoding="utf-8", opener=lambda path, flags: os.open(path, flags, 0o600)) as out:
            out.write(state.to_json())
        os.replace(part, place)


def read_state(catalogue: Path) -> DaemonState | None:
    """The state that the last daemon wrote; None if there is none or it cannot be read."""
    try:
        return DaemonState.from_json(state_path(catalogue).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def daemon_status(catalogue: Path) -> DaemonStatus | None:
    """The daemon of a catalogue, running or ended; None if none ever ran, or its state cannot be read."""
    state = read_state(catalogue)
    if state is None:
        return None
    alive = _is_alive(catalogue)
    return DaemonStatus(
        alive=alive,
        pid=state.pid,
        host=state.host,
        started_ns=state.started_ns,
        written_ns=state.started_ns if state.written_ns is None else state.written_ns,
        doing=state.doing if alive else _how_it_ended(state),
        roots=state.roots,
        swept_ns=state.swept_ns,
        queue=state.queue if alive else 0,
        counts=dict(state.counts),
        last_error=state.last_error,
        organized_ns=state.organized_ns,
        organizes_ns=state.organizes_ns if alive else None,
        failed=None if alive else state.failed,
    )


def _how_it_ended(state: DaemonState) -> str:
    if state.failed is not None:
        return "failed"
    return "stopped" if state.ended else "killed"
