"""(known, seen) -> what one folder's listing means for the catalogue: unchanged, to be read, gone.

Pure: no stat, no SQL. A move is not seen here: it shows only when all folders are known (catalogue.settle_gone).
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from hashindex.model import Seen

RACY_NS = 2_000_000_000
"""A file read this soon after its mtime may have been written again with the same mtime: FAT keeps 2 s steps."""


class Known(NamedTuple):
    """A file as the catalogue remembers it."""

    device: int
    size: int
    mtime_ns: int
    looked_ns: int
    """When its bytes were last read, nanoseconds since 1970."""
    content: int | None
    problem: str | None
    retry: bool
    """Its problem may pass by itself (permission, a lock): look again however unchanged it is."""
    missing: bool


class ToRead(NamedTuple):
    """A file whose bytes must be read; decode: hash it even if its content is known."""

    seen: Seen
    decode: bool


@dataclass(frozen=True, slots=True)
class FolderDiff:
    """What one listing means. unchanged_other and unchanged are disjoint counts of files that cost one stat."""

    unchanged: int
    unchanged_other: int
    remounted: int
    """Those among both that are on another device than when they were read."""
    to_read: tuple[ToRead, ...]
    back: tuple[bytes, ...]
    """Names that were missing and are there again, unchanged."""
    gone: tuple[bytes, ...]


def compare(
    known: Mapping[bytes, Known], seen: Sequence[Seen], left_alone: Collection[bytes], stale: Collection[int]
) -> FolderDiff:
    """What to do about one folder.

    left_alone: names that are on disk but not taken (hidden, excluded): their rows stay as they are.
    stale: ids of contents that are to be decoded again. Another device or inode changes nothing (they differ after a
    remount, on FAT and on network drives); other devices are counted. O(n).
    """
    unchanged = unchanged_other = remounted = 0
    to_read: list[ToRead] = []
    back: list[bytes] = []
    for file in seen:
        row = known.get(file.name)
        if row is None or not is_unchanged(row, file):
            to_read.append(ToRead(file, decode=False))
            continue
        if row.content is not None and row.content in stale:
            to_read.append(ToRead(file, decode=True))
            continue
        remounted += row.device != file.device
        if row.missing:
            back.append(file.name)
        if row.content is None and row.problem is None:
            unchanged_other += 1
        else:
            unchanged += 1
    on_disk = {file.name for file in seen}
    gone = tuple(
        name for name, row in known.items() if not row.missing and name not in on_disk and name not in left_alone
    )
    return FolderDiff(unchanged, unchanged_other, remounted, tuple(to_read), tuple(back), gone)


def is_unchanged(known: Known, seen: Seen) -> bool:
    """Same size and mtime, and that mtime was not so near the reading that a later write could share it."""
    return (
        known.size == seen.size
        and known.mtime_ns == seen.mtime_ns
        and abs(known.looked_ns - known.mtime_ns) > RACY_NS
        and not known.retry
    )
