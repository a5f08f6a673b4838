"""Compares one folder's listing with the catalogue: which files are unchanged, must be read, or are gone.

Does no I/O. Moves are found later, when all folders have been listed (catalogue.settle_gone).
"""

from collections.abc import Collection, Sequence
from typing import NamedTuple, TypeAlias

from hashindex.core.bounds import bounded, unsigned
from hashindex.core.messages import ListedFile

RACY_NS = 2_000_000_000
"""A file that was read within 2 s of its mtime may have been written again with the same mtime: FAT stores mtimes in
steps of 2 s."""


class KnownFile(NamedTuple):
    """A file as the catalogue describes it."""

    size: int
    mtime_ns: int
    looked_ns: int
    """When its bytes were last read."""
    elsewhere: bool
    """It was read from another device than the one that its root is on now."""
    content: int | None
    problem: str | None
    retry: bool
    """Its problem may be temporary (permission, a lock): read it again even if it is unchanged."""
    missing: bool
    ctime_ns: int | None = None
    """None if the system did not report it."""


StableRow: TypeAlias = tuple[bytes, bytes, int, int, int | None, bool, int | None]
"""Folder, name, size, mtime_ns, content, True, ctime_ns: a plain tuple as SQLite returns it, since nearly every file
has one."""


class KnownFolder(NamedTuple):
    """The files of one folder in the catalogue, by name. Each is in one of the two dicts."""

    stable: dict[bytes, StableRow]
    """Files that are unchanged if size and times are: present, without a problem of their own, not read within
    RACY_NS of their mtime, and not read from another device."""
    unstable: dict[bytes, KnownFile]


NOTHING_KNOWN = KnownFolder({}, {})


class ToRead(NamedTuple):
    """A file whose bytes must be read. decode: decode it even if its content is known."""

    name: bytes
    size: int
    decode: bool


class FolderDiff(NamedTuple):
    """Result for one folder. unchanged counts pictures and problems, unchanged_other the other unchanged files."""

    unchanged: int
    unchanged_other: int
    remounted: int
    """How many of these unchanged files are on the root's new device and were read from another one."""
    to_read: tuple[ToRead, ...]
    returned: tuple[bytes, ...]
    """Names that were missing and are present again, unchanged."""
    gone: tuple[bytes, ...]


def compare(
    known: KnownFolder,
    listed: Sequence[ListedFile],
    ignored: Collection[bytes],
    stale: Collection[int],
    moved_to: int | None,
) -> FolderDiff:
    """Compares a folder's listing with the catalogue. O(n).

    ignored: names that exist but are not taken (hidden, excluded); their rows stay as they are.
    stale: ids of contents to decode again.
    moved_to: the device that the root is on now, if it was on another one before.

    A file with another device or inode is unchanged: they differ after a remount, on FAT and on network drives. A file
    with another ctime must be read: its bytes may be new, or another file was renamed to this name, and the mtime was
    set back. A new permission or hard link changes the ctime too; then the file is read once, but not decoded.
    """
    stable, unstable = known
    new = unchanged_other = remounted = 0
    to_read: list[ToRead] = []
    returned: list[bytes] = []
    for name, size, mtime_ns, device, ctime_ns in listed:
        row = stable.get(name)
        if row is not None:
            _, _, known_size, known_mtime_ns, content, _, known_ctime_ns = row
            # The plain comparison comes first because it nearly always succeeds.
            if (size != known_size or mtime_ns != known_mtime_ns or ctime_ns != known_ctime_ns) and not _are_equal(
                known_size, known_mtime_ns, known_ctime_ns, size, mtime_ns, ctime_ns
            ):
                to_read.append(ToRead(name, size, decode=False))
            elif content is None:
                unchanged_other += 1
            elif content in stale:
                to_read.append(ToRead(name, size, decode=True))
            continue
        file = unstable.get(name)
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
            returned.append(name)
    unchanged = len(listed) - len(to_read) - unchanged_other
    gone: tuple[bytes, ...] = ()
    if len(listed) - new < len(stable) + len(unstable):
        existing = {name for name, *_ in listed}.union(ignored)
        present = (*stable, *(name for name, file in unstable.items() if not file.missing))
        gone = tuple(name for name in present if name not in existing)
    return FolderDiff(unchanged, unchanged_other, remounted, tuple(to_read), tuple(returned), gone)


def is_unchanged(known: KnownFile, size: int, mtime_ns: int, ctime_ns: int | None) -> bool:
    """Whether size and times are equal, the file was not read within RACY_NS of its mtime, and needs no retry."""
    return (
        _are_equal(known.size, known.mtime_ns, known.ctime_ns, size, mtime_ns, ctime_ns)
        and abs(known.looked_ns - known.mtime_ns) > RACY_NS
        and not known.retry
    )


def _are_equal(
    known_size: int, known_mtime_ns: int, known_ctime_ns: int | None, size: int, mtime_ns: int, ctime_ns: int | None
) -> bool:
    """Whether size and times, bounded as in the catalogue, are equal. An unknown ctime equals any."""
    if (bounded(size), bounded(mtime_ns)) != (known_size, known_mtime_ns):
        return False
    return known_ctime_ns is None or ctime_ns is None or bounded(ctime_ns) == known_ctime_ns
