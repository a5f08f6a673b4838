"""(known, seen) -> what one folder's listing means for the catalogue: unchanged, to be read, gone.

Pure: no stat, no SQL. A move is not seen here: it shows only when all folders are known (catalogue.settle_gone).
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from hashindex.model import Listed

RACY_NS = 2_000_000_000
"""A file read this soon after its mtime may have been written again with the same mtime: FAT keeps 2 s steps."""


class Known(NamedTuple):
    """A file as the catalogue remembers it."""

    folder: bytes
    name: bytes
    size: int
    mtime_ns: int
    looked_ns: int
    """When its bytes were last read, nanoseconds since 1970."""
    on_device: bool
    """It was read from the device that its root is on now."""
    content: int | None
    problem: str | None
    retry: bool
    """Its problem may pass by itself (permission, a lock): look again however unchanged it is."""
    missing: bool


KnownRow: TypeAlias = tuple[bytes, bytes, int, int, int, bool, int | None, str | None, bool, bool]
"""The fields of Known in a plain tuple, as SQLite makes it: a named one would take as long again to make."""


class ToRead(NamedTuple):
    """A file whose bytes must be read; decode: hash it even if its content is known."""

    name: bytes
    size: int
    decode: bool


@dataclass(frozen=True, slots=True)
class FolderDiff:
    """What one listing means. unchanged_other and unchanged are disjoint counts of files that cost one stat."""

    unchanged: int
    unchanged_other: int
    remounted: int
    """Those among both that are on the root's device, and were on another when they were read."""
    to_read: tuple[ToRead, ...]
    back: tuple[bytes, ...]
    """Names that were missing and are there again, unchanged."""
    gone: tuple[bytes, ...]


def compare(
    known: Mapping[bytes, KnownRow],
    listed: Sequence[Listed],
    left_alone: Collection[bytes],
    stale: Collection[int],
    device: int,
) -> FolderDiff:
    """What to do about one folder.

    A file is unchanged if it has the same size and mtime, that mtime was not so near the reading that a later write
    could share it, and it has no problem that may pass. Another device or inode changes nothing (they differ after a
    remount, on FAT and on network drives).

    left_alone: names that are on disk but not taken (hidden, excluded): their rows stay as they are.
    stale: ids of contents that are to be decoded again. device: the one that the root is on now. O(n).
    """
    met = unchanged_other = remounted = 0
    to_read: list[ToRead] = []
    back: list[bytes] = []
    for name, size, mtime_ns, device_now in listed:
        row = known.get(name)
        if row is None:
            to_read.append(ToRead(name, size, decode=False))
            continue
        met += 1
        _, _, known_size, known_mtime_ns, looked_ns, on_device, content, problem, retry, missing = row
        if size != known_size or mtime_ns != known_mtime_ns or -RACY_NS <= looked_ns - mtime_ns <= RACY_NS or retry:
            to_read.append(ToRead(name, size, decode=False))
            continue
        if content is None:
            unchanged_other += problem is None
        elif content in stale:
            to_read.append(ToRead(name, size, decode=True))
            continue
        if not on_device and device_now == device:
            remounted += 1
        if missing:
            back.append(name)
    unchanged = len(listed) - len(to_read) - unchanged_other
    gone: tuple[bytes, ...] = ()
    if met < len(known):
        on_disk = {name for name, *_ in listed}
        gone = tuple(
            name
            for name, (*_, missing) in known.items()
            if not missing and name not in on_disk and name not in left_alone
        )
    return FolderDiff(unchanged, unchanged_other, remounted, tuple(to_read), tuple(back), gone)
