"""What hashindex watch reports: events, and the state of the daemon."""

import os
from typing import NamedTuple

from hashindex.core.paths import with_readable_paths


@with_readable_paths
class WatchEvent(NamedTuple):
    """One event of hashindex watch. Each kind sets only the fields that it needs."""

    kind: str
    """For files: new, better, changed, moved, removed, back, compared, problem. For the daemon: watching, swept,
    organized, deduped, trouble, stopped."""
    time_ns: int
    path_bytes: bytes | None = None
    old_bytes: bytes | None = None
    """If moved: the former path. If better: the file whose place the better rendition takes."""
    relation: str | None = None
    """What a new, changed or returned picture is to the others: new, copy or variant."""
    other_bytes: bytes | None = None
    """If relation is copy or variant: the path of the other picture."""
    other_gone: bool = False
    distance: int | None = None
    """Bits between the two by the default hash; None if equal pixels decided."""
    same_bytes: bool = False
    message: str | None = None
    """A sentence; for a problem, its reason."""
    numbers: dict[str, int | float] = {}  # noqa: RUF012 - never changed
    """Counts of a sweep, of organize or of dedupe."""

    @property
    def path(self) -> str | None:
        return None if self.path_bytes is None else os.fsdecode(self.path_bytes)

    @property
    def old(self) -> str | None:
        return None if self.old_bytes is None else os.fsdecode(self.old_bytes)

    @property
    def other(self) -> str | None:
        return None if self.other_bytes is None else os.fsdecode(self.other_bytes)


FILE_EVENTS = frozenset(("new", "better", "changed", "moved", "removed", "back"))
"""Kinds of events for which the --notify command runs."""


@with_readable_paths
class WatchedRoot(NamedTuple):
    """How the daemon follows a folder."""

    path_bytes: bytes
    how: str
    """events; sweeping, if events are missing for some or all of its folders; or away."""
    why: str | None
    """A sentence, unless the daemon follows it by events."""

    @property
    def path(self) -> str:
        return os.fsdecode(self.path_bytes)


class DaemonStatus(NamedTuple):
    """State of hashindex watch when it last wrote its status."""

    alive: bool
    pid: int
    host: str
    started_ns: int
    written_ns: int
    """When this status was written."""
    doing: str
    """starting, sweeping, reading, organizing, waiting (for the catalogue) or watching. If it has ended: stopped,
    failed (by an error) or killed."""
    roots: tuple[WatchedRoot, ...]
    swept_ns: int | None
    """When all folders were last compared with the catalogue."""
    queue: int
    """Changed files that are not in the catalogue yet."""
    counts: dict[str, int]
    """Events by name, and errors, since the start."""
    last_error: str | None
    organized_ns: int | None
    organizes_ns: int | None
    """When it organizes next."""
    failed: str | None = None
    """The error that ended it."""
