"""(known, seen) -> what one folder's listing means for the catalogue: unchanged, to be read, gone.

Pure: no stat, no SQL. A move is not seen here: it shows only when all folders are known (catalogue.settle_gone).
"""

from collections.abc import Collection, Sequence
from typing import NamedTuple, TypeAlias

from hashindex.core.bounds import bounded, unsigned
from hashindex.core.messages import ListedFile

RACY_NS = 2_000_000_000
"""A file read this soon after its mtime may have been written again with the same mtime: FAT keeps 2 s steps."""


class KnownFile(NamedTuple):
    """A file as the catalogue remembers it."""

    size: int
    mtime_ns: int
    looked_ns: int
    """When its bytes were last read, nanoseconds since 1970."""
    elsewhere: bool
    """It was read from another device than the one that its root moved to."""
    content: int | None
    problem: str | None
    retry: bool
    """Its problem may pass by itself (permission, a lock): look again however unchanged it is."""
    missing: bool
    ctime_ns: int | None = None
    """None where the system did not say."""


SettledRow: TypeAlias = tuple[bytes, bytes, int, int, int | None, bool, int | None]
"""Folder, name, size, mtime_ns, content, True, ctime_ns: a plain tuple as SQLite makes it, as nearly every file has
one."""


class KnownFolder(NamedTuple):
    """The files that the catalogue knows in one folder, by name; each is in one of the two."""

    settled: dict[bytes, SettledRow]
    """Those of which size and times say all there is to say: present, without a problem of their own, not read within
    RACY_NS of their mtime, and not from elsewhere."""
    others: dict[bytes, KnownFile]


NOTHING_KNOWN = KnownFolder({}, {})


class ToRead(NamedTuple):
    """A file whose bytes must be read; decode: hash it even if its content is known."""

    name: bytes
    size: int
    decode: bool


class FolderDiff(NamedTuple):
    """What one listing means. unchanged_other and unchanged are disjoint counts of files that cost one stat."""

    unchanged: int
    unchanged_other: int
    remounted: int
    """Those among both that are on the device that the root moved to, and were on another when they were read."""
    to_read: tuple[ToRead, ...]
    back: tuple[bytes, ...]
    """Names that were missing and are there again, unchanged."""
    gone: tuple[bytes, ...]


def compare(
    known: KnownFolder,
    listed: Sequence[ListedFile],
    left_alone: Collection[bytes],
    stale: Collection[int],
    moved_to: int | None,
) -> FolderDiff:
    """What to do about one folder.

    left_alone: names that are on disk but not taken (hidden, excluded): their rows stay as they are.
    stale: ids of contents that are to be decoded again. moved_to: the device that the root is on now, if it was on
    another before; files that moved along are counted. Another device or inode changes nothing (they differ after a
    remount, on FAT and on network drives). Another ctime does: bytes may have been written, or a file renamed to this
    name, with the mtime set back. A new permission or hard link changes it too and costs one reading of the file, no
    decode. O(n).
    """
    settled, others = known
    new = unchanged_other = remounted = 0
    to_read: list[ToRead] = []
    back: list[bytes] = []
    for name, size, mtime_ns, device, ctime_ns in listed:
        row = settled.get(name)
        if row is not None:
            _, _, known_size, known_mtime_ns, content, _, known_ctime_ns = row
            # Compared as they are, for they nearly always agree; only then by the rule.
            if (size != known_size or mtime_ns != known_mtime_ns or ctime_ns != known_ctime_ns) and not _agree(
                known_size, known_mtime_ns, known_ctime_ns, size, mtime_ns, ctime_ns
            ):
                to_read.append(ToRead(name, size, decode=False))
            elif content is None:
                unchanged_other += 1
            elif content in stale:
                to_read.append(ToRead(name, size, decode=True))
            continue
        file = others.get(name)
        if file is None or not is_unchanged(file, size, mtime_ns, ctime_ns):
            new += file is None
            to_read.append(ToRead(name, size, decode=False))
            continue
        if file.content is not None and file.content in stale:
            to_read.append(ToRead(name, size, decode=True))
            continue
        unchanged_other += file.content is None and file.problem is None
        remounted += file.elsewhere and unsigned(device) == moved_to
        if file.missing:
            back.append(name)
    unchanged = len(listed) - len(to_read) - unchanged_other
    gone: tuple[bytes, ...] = ()
    if len(listed) - new < len(settled) + len(others):
        there = {name for name, *_ in listed}.union(left_alone)
        present = (*settled, *(name for name, file in others.items() if not file.missing))
        gone = tuple(name for name in present if name not in there)
    return FolderDiff(unchanged, unchanged_other, remounted, tuple(to_read), tuple(back), gone)


def is_unchanged(known: KnownFile, size: int, mtime_ns: int, ctime_ns: int | None) -> bool:
    """Same size and times, that mtime not so near the reading that a later write could share it, nothing to retry."""
    return (
        _agree(known.size, known.mtime_ns, known.ctime_ns, size, mtime_ns, ctime_ns)
        and abs(known.looked_ns - known.mtime_ns) > RACY_NS
        and not known.retry
    )


def _agree(
    known_size: int, known_mtime_ns: int, known_ctime_ns: int | None, size: int, mtime_ns: int, ctime_ns: int | None
) -> bool:
    """Whether what the system says is what is known, as far as the catalogue could hold it."""
    if (bounded(size), bounded(mtime_ns)) != (known_size, known_mtime_ns):
        return False
    return known_ctime_ns is None or ctime_ns is None or bounded(ctime_ns) == known_ctime_ns
