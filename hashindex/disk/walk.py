"""Goes through the user's folders and says what is in each: what to take, what to leave alone, where not to go.

Read-only, as files.py, which opens what was found.
"""

import fnmatch
import os
import re
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from operator import attrgetter
from typing import TypeAlias

from hashindex.disk.files import HAS_CTIME, MANIFEST, is_within, reason_of
from hashindex.model import Listed, WalkRules

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
                                ctime_ns = info.st_ctime_ns if HAS_CTIME else None
                                take((name, info.st_size, info.st_mtime_ns, info.st_dev, ctime_ns))
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
            ctime_ns = info.st_ctime_ns if HAS_CTIME else None
            listing.files.append((entry.name, info.st_size, info.st_mtime_ns, info.st_dev, ctime_ns))
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
