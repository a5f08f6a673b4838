"""The only room that touches the user's files: walk, look, read. Everything here is read-only."""

import errno
import fnmatch
import os
import re
import stat
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from operator import attrgetter
from typing import BinaryIO, TypeAlias

from hashindex.model import Listed, Placed, Seen, WalkRules

MANIFEST = b".hashindex.jsonl"
"""What organize placed in a folder, so that a second or a lost catalogue knows; see model.Placed."""
_SEPARATOR = os.sep.encode()
_DOT = ord(".")
_UNFINISHED = (b".tmp", b".jtmp", b".part", b".download", b".TMP", b".PART")
_CONTAINERS = (b".zip", b".ZIP", b".DB", b".DS_Store")
_PASSED_OVER = _UNFINISHED + _CONTAINERS
_DATABASE = re.compile(rb"\.db[^.]*")
_HIDDEN_ATTRIBUTE = 0x2  # FILE_ATTRIBUTE_HIDDEN on Windows


class _Entry:
    """What a scan of its folder would say of one path, with a question to the system each time it is asked."""

    def __init__(self, path: bytes) -> None:
        self.path = path
        self.name = os.path.basename(path)

    def is_symlink(self) -> bool:
        return os.path.islink(self.path)

    def is_dir(self) -> bool:
        return os.path.isdir(self.path)

    def is_file(self) -> bool:
        return os.path.isfile(self.path)

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
        return os.stat(self.path, follow_symlinks=follow_symlinks)


_AnEntry: TypeAlias = os.DirEntry[bytes] | _Entry


@dataclass(slots=True)
class Listing:
    """One folder as a walk found it."""

    path: bytes
    files: list[Listed] = field(default_factory=list)
    """In no particular order."""
    special: list[tuple[bytes, str]] = field(default_factory=list)
    """Names that are no regular files (FIFOs, sockets, devices) and what they are; never opened."""
    left_alone: set[bytes] = field(default_factory=set)
    """Names of files that are there but not taken."""
    not_entered: set[bytes] = field(default_factory=set)
    """Paths of folders that are there but not walked."""
    has_manifest: bool = False
    """It is a destination of organize."""
    problem: str | None = None
    """Why the folder could not be listed."""


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


def device_of(folder: bytes) -> int:
    """The number of the device that holds a folder. Raises OSError."""
    return os.stat(folder).st_dev


class Walk:
    """Folders below roots, one listing each, parents first, in byte order of their names; no folder twice.

    One Walk serves all roots of a scan, so that overlapping roots meet no folder twice.
    """

    def __init__(self, roots: list[bytes], rules: WalkRules, not_ours: frozenset[bytes] = frozenset()) -> None:
        """not_ours: paths of files to pass over without a word (the catalogue's own)."""
        self._rules = rules
        self._not_ours = {folder: set[bytes]() for folder in map(os.path.dirname, not_ours)}
        for path in not_ours:
            self._not_ours[os.path.dirname(path)].add(os.path.basename(path))
        self._outside = list(roots)
        # With neither globs nor hidden attributes, the name's first byte says whether to take a regular file.
        self._by_name = not rules.include and not rules.exclude and (rules.hidden or os.name != "nt")
        self.visited: set[bytes] = set()

    def below(self, folder: bytes, root: bytes | None = None) -> Iterator[Listing]:
        """Lists a folder and every one below it that was not listed before. Never raises OSError.

        root: what the globs start from; the folder itself if not given.
        """
        root = folder if root is None else root
        pending = [folder]
        while pending:
            folder = pending.pop()
            if folder in self.visited:
                continue
            self.visited.add(folder)
            listing, folders = self._list(folder, root)
            yield listing
            pending.extend(reversed(folders))

    def some(self, folder: bytes, names: Iterable[bytes], root: bytes) -> tuple[Listing, list[bytes]]:
        """What below() would say of these names in one folder, and those that are folders to be walked.

        A name that is in neither of them is not there. Costs some stats a name, however many names the folder has.
        """
        listing = Listing(folder)
        folders: list[bytes] = []
        if self._enters(folder, root):
            for name in sorted(names):
                self._sort_in(_Entry(os.path.join(folder, name)), root, listing, folders)
        else:
            listing.left_alone.update(names)
        return listing, folders

    def _enters(self, folder: bytes, root: bytes) -> bool:
        """Whether the walk from root comes to folder: nothing on the way is hidden, excluded or a link."""
        while len(folder) > len(root):
            entry = _Entry(folder)
            try:
                if entry.is_symlink() or self._is_hidden(entry) or self._is_excluded(entry, root):
                    return False
            except FileNotFoundError:
                return True  # gone, and what is in it is gone too
            except OSError:
                return False
            folder = os.path.dirname(folder)
        return folder == root

    def _list(self, folder: bytes, root: bytes) -> tuple[Listing, list[bytes]]:
        listing = Listing(folder)
        folders: list[bytes] = []
        others: list[os.DirEntry[bytes]] = []
        not_ours = self._not_ours.get(folder, ())
        by_name, take = self._by_name, listing.files.append
        try:
            with os.scandir(folder) as found:
                for entry in found:
                    # What _sort_in finds for nearly every name there is, in a third of its time.
                    name = entry.name
                    try:
                        if (
                            by_name
                            and name[0] != _DOT
                            and not name.endswith(_PASSED_OVER)
                            and b".db" not in name
                            and entry.is_file(follow_symlinks=False)
                        ):
                            if name not in not_ours:
                                info = entry.stat(follow_symlinks=False)
                                take((name, info.st_size, info.st_mtime_ns, info.st_dev))
                            continue
                    except OSError:
                        pass  # _sort_in asks again and knows what it means
                    others.append(entry)
        except OSError as error:
            return Listing(folder, problem=reason_of(error, "folder")), folders
        for entry in sorted(others, key=_NAME):
            self._sort_in(entry, root, listing, folders)
        return listing, folders

    def _sort_in(self, entry: _AnEntry, root: bytes, listing: Listing, folders: list[bytes]) -> None:
        try:
            linked = entry.is_symlink()
            if linked and not self._follows(entry):
                self._pass_over(entry, listing)
                return
            if entry.is_dir():
                if self._is_hidden(entry) or self._is_excluded(entry, root):
                    listing.not_entered.add(entry.path)
                else:
                    folders.append(entry.path)
                return
            info = entry.stat()
        except FileNotFoundError:
            return  # it went between listing and stat: the client is at work
        except OSError:
            # The name is there, but not to be asked about now; its row must not be taken for missing.
            self._pass_over(entry, listing)
            return
        if entry.name == MANIFEST:
            listing.has_manifest = True
            return
        if entry.name in self._not_ours.get(listing.path, ()):
            return
        if self._is_hidden(entry) or self._is_excluded(entry, root) or not self._is_included(entry, root):
            listing.left_alone.add(entry.name)
        elif stat.S_ISREG(info.st_mode):
            listing.files.append((entry.name, info.st_size, info.st_mtime_ns, info.st_dev))
        else:
            listing.special.append((entry.name, _kind_of(info.st_mode)))

    def _pass_over(self, entry: _AnEntry, listing: Listing) -> None:
        listing.left_alone.add(entry.name)
        listing.not_entered.add(entry.path)

    def _follows(self, link: _AnEntry) -> bool:
        """Whether to follow a link: only on request, only out of every root, and to each place once.

        A link back inside, or to a folder that holds a root, would show the same files twice or without end.
        """
        if not self._rules.links or not (link.is_dir() or link.is_file()):
            return False
        target = os.path.realpath(link.path)
        if any(is_within(target, place) or is_within(place, target) for place in self._outside):
            return False
        if link.is_dir():
            self._outside.append(target)
        return True

    def _is_hidden(self, entry: _AnEntry) -> bool:
        if self._rules.hidden:
            return False
        if entry.name.startswith(b"."):
            return True
        attributes = getattr(entry.stat(follow_symlinks=False), "st_file_attributes", 0) if os.name == "nt" else 0
        return bool(attributes & _HIDDEN_ATTRIBUTE)

    def _is_excluded(self, entry: _AnEntry, root: bytes) -> bool:
        return bool(self._rules.exclude) and _matches(entry, root, self._rules.exclude)

    def _is_included(self, entry: _AnEntry, root: bytes) -> bool:
        if not self._rules.include:
            return not is_passed_over(entry.name)
        return _matches(entry, root, self._rules.include)


_NAME = attrgetter("name")


def is_passed_over(name: bytes) -> bool:
    """Whether a file is left alone for its name: unfinished downloads, archives, databases (Thumbs.db too).

    Clients write them beside pictures all the time. --include takes them again.
    """
    if name.endswith(_PASSED_OVER):
        return True
    dot = name.rfind(b".")
    return dot >= 0 and _DATABASE.fullmatch(name, dot) is not None


def _matches(entry: _AnEntry, root: bytes, globs: tuple[str, ...]) -> bool:
    name = os.fsdecode(entry.name)
    below = os.fsdecode(entry.path[len(root) :]).replace(os.sep, "/").lstrip("/")
    return any(fnmatch.fnmatch(below if "/" in glob else name, glob.strip("/")) for glob in globs)


def _kind_of(mode: int) -> str:
    kinds = {
        stat.S_IFIFO: "a named pipe",
        stat.S_IFSOCK: "a socket",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device",
    }
    return kinds.get(stat.S_IFMT(mode), "not a regular file")


class OpenFile:
    """A user's file, opened read-only; seen is what fstat said when it was opened."""

    def __init__(self, handle: BinaryIO, name: bytes) -> None:
        self._handle = handle
        self.seen = self._now(name)

    def read(self, most: int) -> bytes:
        """The next bytes, at most that many; fewer only at the end of the file."""
        return self._handle.read(most)

    def read_rest(self) -> bytes:
        return self._handle.read()

    def has_changed(self) -> bool:
        """Whether somebody wrote to it since it was opened."""
        now = self._now(self.seen.name)
        return (now.size, now.mtime_ns) != (self.seen.size, self.seen.mtime_ns)

    def _now(self, name: bytes) -> Seen:
        info = os.fstat(self._handle.fileno())
        return Seen(name, info.st_size, info.st_mtime_ns, info.st_dev, info.st_ino)


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
    one, other = look_at(a), look_at(b)
    return one is not None and other is not None and os.path.samestat(one, other)


def is_as_it_was(path: bytes, size: int, mtime_ns: int) -> bool:
    """Whether a regular file (no link) is there with that size and mtime."""
    try:
        info = os.lstat(path)
    except OSError:
        return False
    return stat.S_ISREG(info.st_mode) and (info.st_size, info.st_mtime_ns) == (size, mtime_ns)


def nearest_there(path: bytes) -> bytes:
    """The path, or the closest one above it that is there."""
    while not is_there(path):
        path = os.path.dirname(path)
    return path


def size_of_regular(path: bytes) -> int | None:
    """The size of the regular file that has that name; None for anything else. OSError where the disk does not say."""
    info = look_at(path)
    return info.st_size if info is not None and stat.S_ISREG(info.st_mode) else None


def link_target(path: bytes) -> bytes | None:
    """Where a symbolic link leads; None where there is none. OSError where the disk does not say."""
    info = look_at(path)
    return os.readlink(path) if info is not None and stat.S_ISLNK(info.st_mode) else None


def is_unchanged(before: os.stat_result | None, now: os.stat_result | None) -> bool:
    """Whether two looks at a name saw one file that nobody wrote to between them."""
    if before is None or now is None:
        return False
    facts = [(one.st_dev, one.st_ino, one.st_size, one.st_mtime_ns) for one in (before, now)]
    return facts[0] == facts[1]


def folder_identity(path: bytes) -> tuple[int, int] | None:
    """Device and inode of a folder; None where it is gone, or a link has its name. OSError: the disk does not say."""
    info = look_at(path)
    return (info.st_dev, info.st_ino) if info is not None and stat.S_ISDIR(info.st_mode) else None


def is_there(path: bytes) -> bool:
    """Whether anything has that name, a dangling link too; False also where the disk does not say."""
    return os.path.lexists(path)


def look_at(path: bytes) -> os.stat_result | None:
    """What has that name, links not followed; None where nothing has it. OSError where the disk does not say."""
    try:
        return os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None


def seen_at(path: bytes) -> Seen | None:
    """What stat says of a path now; None where it says nothing."""
    try:
        info = os.stat(path)
    except OSError:
        return None
    return Seen(os.path.basename(path), info.st_size, info.st_mtime_ns, info.st_dev, info.st_ino)


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
