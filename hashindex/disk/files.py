"""Reads the user's files and their stats; walk.py does so for folders. Writes nothing."""

import errno
import os
import stat
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from typing import BinaryIO, Literal, NamedTuple

from hashindex.core.bounds import bounded, unsigned
from hashindex.core.language import N_, Message, Part
from hashindex.core.messages import FileStat, Placed
from hashindex.core.paths import PathLike, path_bytes

MANIFEST = b".hashindex.jsonl"
"""Name of the manifest that organize keeps in a destination. A new or second catalogue learns from it what was placed
there; see messages.Placed."""
_SEPARATOR = os.sep.encode()
HAS_CTIME = os.name != "nt"
"""On Windows, st_ctime is the time of creation, which does not change when the bytes do."""


def real_folder(path: PathLike) -> bytes:
    """The absolute path of a folder with links resolved.

    Raises FileNotFoundError, NotADirectoryError, or another OSError if it cannot be reached.
    """
    real = os.path.realpath(expanded(path))
    if not stat.S_ISDIR(os.stat(real).st_mode):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), real)
    return real


def expanded(path: PathLike) -> bytes:
    """The path with ~ replaced by the home folder."""
    return os.path.expanduser(path_bytes(path))


def absolute(path: PathLike) -> bytes:
    """The absolute path with links resolved in its folders but not in its last part. It need not exist."""
    folder, name = os.path.split(os.path.abspath(expanded(path)))
    return os.path.join(os.path.realpath(folder), name) if name else os.path.realpath(folder)


def real_path(path: PathLike) -> bytes:
    """The absolute path with every link resolved. It need not exist."""
    return os.path.realpath(expanded(path))


def is_within(path: bytes, folder: bytes) -> bool:
    """Whether path is the folder or anything below it."""
    return path == folder or path.startswith(folder.rstrip(_SEPARATOR) + _SEPARATOR)


def innermost(path: bytes, folders: Iterable[bytes]) -> bytes | None:
    """The innermost of these folders that is path or contains it; None if no folder does."""
    return max((folder for folder in folders if is_within(path, folder)), key=len, default=None)


def device_of(folder: bytes) -> int:
    """Device number of a folder. Raises OSError."""
    return unsigned(os.stat(folder).st_dev)


def file_stat(name: bytes, info: os.stat_result) -> FileStat:
    """The stat of a file, in numbers that the catalogue can store.

    An mtime may lie after 2262 or before 1678: `touch -d` and archives set any time, and network drives and FUSE report
    arbitrary numbers for the other fields.
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
    """A user's file that is open for reading. stat: its fstat when it was opened."""

    def __init__(self, handle: BinaryIO, name: bytes) -> None:
        self._handle = handle
        self.stat = self._fstat(name)

    def read(self, most: int) -> bytes:
        """The next `most` bytes; fewer only at the end of the file."""
        return self._handle.read(most)

    def read_rest(self) -> bytes:
        return self._handle.read()

    def has_changed(self) -> bool:
        """Whether the file was written to since it was opened."""
        now = self._fstat(self.stat.name)
        return (now.size, now.mtime_ns) != (self.stat.size, self.stat.mtime_ns)

    def _fstat(self, name: bytes) -> FileStat:
        return file_stat(name, os.fstat(self._handle.fileno()))


@contextmanager
def opened(path: bytes, *, links: bool = True) -> Iterator[OpenFile]:
    """Opens a regular file for reading. Raises OSError. Never blocks on a FIFO and never opens a device.

    links False: neither the file nor any folder of its path may be a link, even one that was made since the walk.
    """
    # Without O_NONBLOCK, opening a FIFO that has replaced the file would wait for a writer.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags if links else flags | getattr(os, "O_NOFOLLOW", 0))
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, Message("it is not a regular file"))
        if not links and os.name == "posix":
            _refuse_links(descriptor, path)
        handle = os.fdopen(descriptor, "rb", closefd=False)
        yield OpenFile(handle, os.path.basename(path))
    finally:
        os.close(descriptor)


def _refuse_links(descriptor: int, path: bytes) -> None:
    """Raises OSError unless the open file is the one at path and no folder of path is a link. 20 us."""
    folder = os.path.dirname(path)
    if os.path.realpath(folder) != folder or not os.path.samestat(os.fstat(descriptor), os.lstat(path)):
        raise OSError(errno.ELOOP, Message("a folder of its path was replaced by a link"))


def responds(path: bytes, within_s: float) -> bool:
    """Whether a stat of path returns within that time, with or without an error. A network drive may hang forever."""
    returned = threading.Event()

    def call_stat() -> None:
        with suppress(OSError):
            os.stat(path)
        returned.set()

    # A daemon thread, so that a hanging stat does not keep the process from ending.
    thread = threading.Thread(target=call_stat, name="stat", daemon=True)
    thread.start()
    if not returned.wait(within_s):
        return False
    # Joined, because a process can be forked safely only if it has one thread.
    thread.join()
    return True


def names_in(folder: bytes) -> list[bytes]:
    """Names in a folder; none if it does not exist. Raises other OSErrors."""
    try:
        return os.listdir(folder)
    except FileNotFoundError:
        return []


class FolderNames(NamedTuple):
    """The names in a folder, and below it as paths with / between the names: folders, and everything else."""

    folders: list[bytes]
    others: list[bytes]


def some_names(folder: bytes, most: int) -> list[bytes]:
    """At most `most` names in a folder, as the system lists them. Raises OSError."""
    with os.scandir(folder) as entries:
        return [entry.name for entry in islice(entries, most)]


def folder_names(folder: bytes, *, below: bool) -> FolderNames:
    """The names in a folder; none if it does not exist. below: also those in its subfolders, of which links are none.

    Subfolders that may not be read are left out. Raises other OSErrors.
    """
    found = FolderNames([], [])
    todo = [b""]
    while todo:
        prefix = todo.pop()
        try:
            with os.scandir(os.path.join(folder, prefix)) as entries:
                for entry in entries:
                    is_folder = entry.is_dir(follow_symlinks=False)
                    (found.folders if is_folder else found.others).append(prefix + entry.name)
                    if is_folder and below:
                        todo.append(prefix + entry.name + b"/")
        except FileNotFoundError:
            continue
        except PermissionError:
            # Somebody else's, such as lost+found.
            if not prefix:
                raise
    return found


def read_manifest(folder: bytes) -> list[Placed]:
    """Entries of the manifest in a folder, without incomplete lines; none if there is no manifest. Raises OSError."""
    try:
        # Something else may have that name: a pipe, or a link to anything.
        path = os.path.join(folder, MANIFEST)
        if link_target(path) is not None:
            raise OSError(
                errno.ELOOP,
                Message("its {manifest} is a link, which hashindex did not make", manifest=os.fsdecode(MANIFEST)),
            )
        with opened(path) as manifest:
            lines = manifest.read_rest().decode("utf-8", "replace").splitlines()
            return [placed for line in lines if (placed := Placed.from_line(line)) is not None]
    except FileNotFoundError:
        return []


def lstat_of(path: bytes) -> os.stat_result | None:
    """The lstat of a path; None if nothing is there. Raises OSError if the system cannot tell."""
    try:
        return os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None


def stat_at(path: bytes) -> FileStat | None:
    """The stat of a path; None if there is none."""
    try:
        return file_stat(os.path.basename(path), os.stat(path))
    except OSError:
        return None


def exists(path: bytes) -> bool:
    """Whether anything is at path, even a dangling link. False if the system cannot tell."""
    return os.path.lexists(path)


def is_regular_file(path: bytes) -> bool:
    """Whether a regular file, or a link to one, is at path."""
    try:
        return stat.S_ISREG(os.stat(path).st_mode)
    except OSError:
        return False


def has_size_and_mtime(path: bytes, size: int, mtime_ns: int) -> bool:
    """Whether a regular file, and no link, with that size and mtime is at path."""
    try:
        info = os.lstat(path)
    except OSError:
        return False
    return stat.S_ISREG(info.st_mode) and (bounded(info.st_size), bounded(info.st_mtime_ns)) == (size, mtime_ns)


def is_same_file(a: bytes, b: bytes) -> bool:
    """Whether both paths exist and are one file. Raises OSError if the system cannot tell."""
    one, other = lstat_of(a), lstat_of(b)
    return one is not None and other is not None and os.path.samestat(one, other)


def is_same_stat(before: os.stat_result | None, now: os.stat_result | None) -> bool:
    """Whether both are of one file that was not written to in between."""
    if before is None or now is None:
        return False
    facts = [(one.st_dev, one.st_ino, one.st_size, one.st_mtime_ns) for one in (before, now)]
    return facts[0] == facts[1]


def size_of_regular(path: bytes) -> int | None:
    """The size of the regular file at path; None for anything else. Raises OSError if the system cannot tell."""
    info = lstat_of(path)
    return info.st_size if info is not None and stat.S_ISREG(info.st_mode) else None


def link_target(path: bytes) -> bytes | None:
    """The target of the symbolic link at path; None if there is no link. Raises OSError if the system cannot tell."""
    info = lstat_of(path)
    return os.readlink(path) if info is not None and stat.S_ISLNK(info.st_mode) else None


def folder_identity(path: bytes) -> tuple[int, int] | None:
    """Device and inode of a folder; None if path is no folder or a link. Raises OSError if the system cannot tell."""
    info = lstat_of(path)
    return (info.st_dev, info.st_ino) if info is not None and stat.S_ISDIR(info.st_mode) else None


def nearest_existing(path: bytes) -> bytes:
    """The path, or its nearest parent that exists; the topmost path if none does."""
    while not exists(path):
        above = os.path.dirname(path)
        if above == path:
            break  # a drive of Windows that does not exist: the parent of Z:\ is Z:\
        path = above
    return path


_TEMPORARY = {
    *(errno.EACCES, errno.EPERM, errno.EBUSY, errno.EAGAIN, errno.ETXTBSY),
    *(errno.EIO, errno.ELOOP, errno.ESTALE, errno.EMFILE),
}


def may_be_temporary(error: OSError) -> bool:
    """Whether the error may go away without a change of the file: permission, a lock, an unreliable drive."""
    return error.errno in _TEMPORARY or getattr(error, "winerror", None) in {5, 32, 33}


SYSTEM_REASONS = (
    N_("directory not empty"),
    N_("disk quota exceeded"),
    N_("file exists"),
    N_("file name too long"),
    N_("file too large"),
    N_("input/output error"),
    N_("invalid argument"),
    N_("invalid cross-device link"),
    N_("is a directory"),
    N_("no such file or directory"),
    N_("no space left on device"),
    N_("not a directory"),
    N_("operation not permitted"),
    N_("operation not supported"),
    N_("permission denied"),
    N_("read-only file system"),
    N_("stale file handle"),
    N_("too many levels of symbolic links"),
    N_("too many open files"),
)
"""Messages of Linux, marked for translation; most are the same on macOS and Windows."""


def system_reason(error: OSError) -> str:
    """The message of the operating system as a clause, for use in a sentence."""
    said = error.strerror or str(error)
    return said if isinstance(said, Message) else Part(said.lower())


def reason_of(error: OSError, what: Literal["file", "folder"] = "file") -> str:
    """Why a file or folder could not be read: a sentence for the user, without its path."""
    noun = Message("folder") if what == "folder" else Message("file")
    if isinstance(error, PermissionError):
        return Message(
            "the {what} may not be read: permission denied; change its permissions and scan again", what=noun
        )
    if isinstance(error, NotADirectoryError):
        return Message("it is a file, not a folder; name the folder that contains it")
    if isinstance(error, FileNotFoundError):
        return Message("there is no such {what}", what=noun)
    return Message("the {what} cannot be read: {reason}", what=noun, reason=system_reason(error))
