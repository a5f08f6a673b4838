"""Looks at the user's files and reads them, as walk.py does with folders; nobody else does. All is read-only here."""

import errno
import os
import stat
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO

from hashindex.core.bounds import bounded, unsigned
from hashindex.core.messages import FileStat, Placed

MANIFEST = b".hashindex.jsonl"
"""What organize placed in a folder, so that a second or a lost catalogue knows; see model.Placed."""
_SEPARATOR = os.sep.encode()
HAS_CTIME = os.name != "nt"
"""Windows says under that name when a file was made, which stays as it is when other bytes take its place."""


def real_folder(path: str | bytes | os.PathLike[str]) -> bytes:
    """The absolute path of a folder with links resolved.

    Raises FileNotFoundError, NotADirectoryError, or another OSError where it cannot be reached.
    """
    real = os.path.realpath(os.path.expanduser(os.fsencode(path)))
    if not stat.S_ISDIR(os.stat(real).st_mode):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), real)
    return real


def expanded(path: str | bytes | os.PathLike[str]) -> bytes:
    """The path with ~ as it is meant."""
    return os.path.expanduser(os.fsencode(path))


def absolute(path: str | bytes | os.PathLike[str]) -> bytes:
    """The absolute path with links in its folders resolved, but not of its last part. It need not exist."""
    folder, name = os.path.split(os.path.abspath(os.path.expanduser(os.fsencode(path))))
    return os.path.join(os.path.realpath(folder), name) if name else os.path.realpath(folder)


def real_path(path: str | bytes | os.PathLike[str]) -> bytes:
    """The absolute path with every link resolved. It need not exist."""
    return os.path.realpath(os.path.expanduser(os.fsencode(path)))


def is_within(path: bytes, folder: bytes) -> bool:
    """Whether path is folder itself or lies anywhere below it."""
    return path == folder or path.startswith(folder.rstrip(_SEPARATOR) + _SEPARATOR)


def innermost(path: bytes, folders: Iterable[bytes]) -> bytes | None:
    """Of folders that may lie in each other, the innermost one that path is, or is in; None where it is in none."""
    return max((folder for folder in folders if is_within(path, folder)), key=len, default=None)


def device_of(folder: bytes) -> int:
    """The number of the device that holds a folder. Raises OSError."""
    return unsigned(os.stat(folder).st_dev)


def file_stat(name: bytes, info: os.stat_result) -> FileStat:
    """What stat says of a file, in numbers that the catalogue can hold.

    An mtime may be of the year 2262 and later, or before 1678: `touch -d` and archives set what they like, and
    network drives and FUSE give any number for the rest.
    """
    return FileStat(
        name,
        bounded(info.st_size),
        bounded(info.st_mtime_ns),
        unsigned(info.st_dev),
        unsigned(info.st_ino),
        bounded(info.st_ctime_ns) if HAS_CTIME else None,
    )


class OpenFile:
    """A user's file, opened read-only; seen is what fstat said when it was opened."""

    def __init__(self, handle: BinaryIO, name: bytes) -> None:
        self._handle = handle
        self.stat = self._now(name)

    def read(self, most: int) -> bytes:
        """The next bytes, at most that many; fewer only at the end of the file."""
        return self._handle.read(most)

    def read_rest(self) -> bytes:
        return self._handle.read()

    def has_changed(self) -> bool:
        """Whether somebody wrote to it since it was opened."""
        now = self._now(self.stat.name)
        return (now.size, now.mtime_ns) != (self.stat.size, self.stat.mtime_ns)

    def _now(self, name: bytes) -> FileStat:
        return file_stat(name, os.fstat(self._handle.fileno()))


@contextmanager
def opened(path: bytes, *, links: bool = True) -> Iterator[OpenFile]:
    """Opens a regular file for reading. Raises OSError; never blocks on a FIFO and never opens a device.

    links False: neither the file nor a folder on its way may be a link, also where one took its place since the walk.
    """
    # Without O_NONBLOCK, opening a FIFO that took a picture's name since the walk would wait for a writer.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags if links else flags | getattr(os, "O_NOFOLLOW", 0))
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file")
        if not links and os.name == "posix":
            _refuse_links(descriptor, path)
        handle = os.fdopen(descriptor, "rb", closefd=False)
        yield OpenFile(handle, os.path.basename(path))
    finally:
        os.close(descriptor)


def _refuse_links(descriptor: int, path: bytes) -> None:
    """After the opening: what is open is what lies at path, and no folder on the way there is a link. 20 us."""
    folder = os.path.dirname(path)
    if os.path.realpath(folder) != folder or not os.path.samestat(os.fstat(descriptor), os.lstat(path)):
        raise OSError(errno.ELOOP, "a link has taken the place of a folder on its way")


def answers(path: bytes, within_s: float) -> bool:
    """Whether the file system says anything about a path in that time: a network drive may hang for ever."""
    said = threading.Event()

    def ask() -> None:
        with suppress(OSError):
            os.stat(path)
        said.set()

    # A daemon: one that hangs keeps nobody from ending.
    thread = threading.Thread(target=ask, name="ask", daemon=True)
    thread.start()
    if not said.wait(within_s):
        return False
    # A process of one thread can be forked.
    thread.join()
    return True


def names_in(folder: bytes) -> list[bytes]:
    """Names in a folder; none where there is no such folder. Other OSErrors are raised."""
    try:
        return os.listdir(folder)
    except FileNotFoundError:
        return []


def read_manifest(folder: bytes) -> list[Placed]:
    """What the manifest in a folder says; none where there is none. Lines that are no whole entries are passed over."""
    try:
        # What somebody put there under that name may be a pipe, or a link to anything.
        path = os.path.join(folder, MANIFEST)
        if link_target(path) is not None:
            raise OSError(errno.ELOOP, f"its {os.fsdecode(MANIFEST)} is a link, which is not ours")
        with opened(path) as manifest:
            lines = manifest.read_rest().decode("utf-8", "replace").splitlines()
            return [placed for line in lines if (placed := Placed.from_line(line)) is not None]
    except FileNotFoundError:
        return []


def is_same_file(a: bytes, b: bytes) -> bool:
    """Whether both names are there and are one file. OSError where the disk does not say."""
    one, other = lstat_of(a), lstat_of(b)
    return one is not None and other is not None and os.path.samestat(one, other)


def is_as_it_was(path: bytes, size: int, mtime_ns: int) -> bool:
    """Whether a regular file (no link) is there with that size and mtime."""
    try:
        info = os.lstat(path)
    except OSError:
        return False
    return stat.S_ISREG(info.st_mode) and (bounded(info.st_size), bounded(info.st_mtime_ns)) == (size, mtime_ns)


def nearest_there(path: bytes) -> bytes:
    """The path, or the closest one above it that is there; the top itself where not even that is."""
    while not is_there(path):
        above = os.path.dirname(path)
        if above == path:
            break  # a drive of Windows that is not there: nothing is above Z:\
        path = above
    return path


def size_of_regular(path: bytes) -> int | None:
    """The size of the regular file that has that name; None for anything else. OSError where the disk does not say."""
    info = lstat_of(path)
    return info.st_size if info is not None and stat.S_ISREG(info.st_mode) else None


def link_target(path: bytes) -> bytes | None:
    """Where a symbolic link leads; None where there is none. OSError where the disk does not say."""
    info = lstat_of(path)
    return os.readlink(path) if info is not None and stat.S_ISLNK(info.st_mode) else None


def is_unchanged(before: os.stat_result | None, now: os.stat_result | None) -> bool:
    """Whether two looks at a name saw one file that nobody wrote to between them."""
    if before is None or now is None:
        return False
    facts = [(one.st_dev, one.st_ino, one.st_size, one.st_mtime_ns) for one in (before, now)]
    return facts[0] == facts[1]


def folder_identity(path: bytes) -> tuple[int, int] | None:
    """Device and inode of a folder; None where it is gone, or a link has its name. OSError: the disk does not say."""
    info = lstat_of(path)
    return (info.st_dev, info.st_ino) if info is not None and stat.S_ISDIR(info.st_mode) else None


def is_there(path: bytes) -> bool:
    """Whether anything has that name, a dangling link too; False also where the disk does not say."""
    return os.path.lexists(path)


def lstat_of(path: bytes) -> os.stat_result | None:
    """What has that name, links not followed; None where nothing has it. OSError where the disk does not say."""
    try:
        return os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None


def stat_at(path: bytes) -> FileStat | None:
    """What stat says of a path now; None where it says nothing."""
    try:
        return file_stat(os.path.basename(path), os.stat(path))
    except OSError:
        return None


def is_present(path: bytes) -> bool:
    """Whether a regular file, or a link to one, has that name now."""
    try:
        return stat.S_ISREG(os.stat(path).st_mode)
    except OSError:
        return False


_MAY_PASS = {
    *(errno.EACCES, errno.EPERM, errno.EBUSY, errno.EAGAIN, errno.ETXTBSY),
    *(errno.EIO, errno.ELOOP, errno.ESTALE, errno.EMFILE),
}


def may_pass(error: OSError) -> bool:
    """Whether a problem may go away without the file changing: permission, a lock, a flaky drive."""
    return error.errno in _MAY_PASS or getattr(error, "winerror", None) in {5, 32, 33}


def reason_of(error: OSError, what: str = "file") -> str:
    """A sentence for a person about a file or folder that could not be read."""
    if isinstance(error, PermissionError):
        return f"the {what} may not be read: permission denied; change its permissions and scan again"
    if isinstance(error, NotADirectoryError):
        return "it is a file where a folder is meant; name the folder that holds it"
    if isinstance(error, FileNotFoundError):
        return f"there is no such {what}"
    return f"the {what} cannot be read: {(error.strerror or str(error)).lower()}"
