"""Walks the user's folders and lists each: files to scan, files to ignore, folders not to walk. Opens no file."""

import os
import re
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from operator import attrgetter
from typing import TypeAlias

from hashindex.core.language import Message
from hashindex.core.messages import ListedFile
from hashindex.core.options import WalkRules
from hashindex.disk.files import HAS_CTIME, MANIFEST, is_within, reason_of
from hashindex.disk.patterns import Patterns

_DOT = ord(".")
_UNFINISHED = (b".tmp", b".jtmp", b".part", b".download", b".TMP", b".PART")
_CONTAINERS = (b".zip", b".ZIP", b".DB", b".DS_Store")
_IGNORED_ENDS = _UNFINISHED + _CONTAINERS
_DATABASE = re.compile(rb"\.db[^.]*")
_HIDDEN_ATTRIBUTE = 0x2  # FILE_ATTRIBUTE_HIDDEN on Windows
HIDDEN_MOST = 10_000
"""Hidden files are counted up to this number. A home folder may contain millions of them, and none is scanned."""
HIDDEN_NAMES_MOST = 100_000
"""Most names below hidden folders that are checked for this count."""


class _Entry:
    """An os.DirEntry for one path without a scan of its folder. Each method is a system call."""

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


_AnyEntry: TypeAlias = os.DirEntry[bytes] | _Entry


@dataclass(slots=True)
class Listing:
    """What a walk found in one folder."""

    path: bytes
    files: list[ListedFile] = field(default_factory=list)
    """In no particular order."""
    special: list[tuple[bytes, str]] = field(default_factory=list)
    """Names of FIFOs, sockets and devices, each with what it is; they are never opened."""
    ignored: set[bytes] = field(default_factory=set)
    """Names of files that exist but are not scanned."""
    not_walked: set[bytes] = field(default_factory=set)
    """Paths of folders that exist but are not walked."""
    has_manifest: bool = False
    """The folder is a destination of organize."""
    problem: str | None = None
    """Why the folder could not be listed."""


class Walk:
    """Lists the folders below roots: parents first, in byte order of their names, and no folder twice.

    One Walk serves all roots of a scan, so that overlapping roots list no folder twice.
    """

    def __init__(
        self,
        roots: list[bytes],
        rules: WalkRules,
        own_files: frozenset[bytes] = frozenset(),
        other_roots: Iterable[bytes] = (),
    ) -> None:
        """own_files: paths of the catalogue's own files, which are in no listing.

        other_roots: roots that this run does not walk. Patterns are relative to the innermost root, walked or not.
        """
        self._rules = rules
        self._roots = frozenset((*roots, *other_roots))
        self._exclude = Patterns(rules.exclude) if rules.exclude else None
        self._include = Patterns(rules.include) if rules.include else None
        self._included_folder: tuple[bytes, bool] | None = None
        self.hidden = 0
        """Files left out because they or a parent folder are hidden; at most HIDDEN_MOST.

        A lower bound if hidden folders contain more than HIDDEN_NAMES_MOST names.
        """
        self._hidden_names = 0
        self._own_files = {folder: set[bytes]() for folder in map(os.path.dirname, own_files)}
        for path in own_files:
            self._own_files[os.path.dirname(path)].add(os.path.basename(path))
        self._covered = list(roots)
        # If no file has a hidden attribute, the name and the patterns decide about a regular file.
        self._by_name = rules.hidden or os.name != "nt"
        self.visited: set[bytes] = set()

    def below(self, folder: bytes, root: bytes | None = None) -> Iterator[Listing]:
        """Lists a folder and all folders below it, except those listed before. Never raises OSError.

        root: patterns are relative to it; the folder itself if not given.
        """
        pending = [(folder, folder if root is None else root)]
        while pending:
            folder, root = pending.pop()
            if folder in self.visited:
                continue
            self.visited.add(folder)
            if folder in self._roots:
                root = folder
            listing, folders = self._list(folder, root)
            yield listing
            pending.extend((below, root) for below in reversed(folders))

    def unmatched(self) -> list[str]:
        """Patterns that have matched nothing so far: those of include, then those of exclude."""
        return [text for each in (self._include, self._exclude) if each is not None for text in each.unmatched()]

    def list_names(self, folder: bytes, names: Iterable[bytes], root: bytes) -> tuple[Listing, list[bytes]]:
        """What below() would list of these names in one folder, and which of them are folders to walk.

        A name in neither does not exist. Costs a few stats per name, however many names the folder has.
        """
        listing = Listing(folder)
        folders: list[bytes] = []
        if self._enters(folder, root):
            for name in sorted(names):
                self._classify(_Entry(os.path.join(folder, name)), root, listing, folders)
        else:
            listing.ignored.update(names)
        return listing, folders

    def _enters(self, folder: bytes, root: bytes) -> bool:
        """Whether the walk from root reaches folder: nothing on the way is hidden, excluded or a link."""
        while len(folder) > len(root):
            entry = _Entry(folder)
            try:
                if entry.is_symlink() or self._is_hidden(entry) or self._is_excluded(entry.path, root, is_folder=True):
                    return False
            except FileNotFoundError:
                return True  # it is gone, with everything in it
            except OSError:
                return False
            folder = os.path.dirname(folder)
        return folder == root

    def _list(self, folder: bytes, root: bytes) -> tuple[Listing, list[bytes]]:
        listing = Listing(folder)
        folders: list[bytes] = []
        others: list[os.DirEntry[bytes]] = []
        own_files = self._own_files.get(folder, ())
        by_name, take = self._by_name, listing.files.append
        patterns = self._exclude is not None or self._include is not None
        try:
            with os.scandir(folder) as found:
                for entry in found:
                    # The result of _classify for nearly every name, in a third of its time.
                    name = entry.name
                    try:
                        if (
                            by_name
                            and name[0] != _DOT
                            and not name.endswith(_IGNORED_ENDS)
                            and b".db" not in name
                            and entry.is_file(follow_symlinks=False)
                        ):
                            if name in own_files:
                                continue
                            if patterns and not self._is_wanted(entry.path, root):
                                listing.ignored.add(name)
                            else:
                                info = entry.stat(follow_symlinks=False)
                                ctime_ns = info.st_ctime_ns if HAS_CTIME else None
                                take((name, info.st_size, info.st_mtime_ns, info.st_dev, ctime_ns))
                            continue
                    except OSError:
                        pass  # _classify handles it
                    others.append(entry)
        except OSError as error:
            return Listing(folder, problem=reason_of(error, "folder")), folders
        for entry in sorted(others, key=_NAME):
            self._classify(entry, root, listing, folders)
        return listing, folders

    def _classify(self, entry: _AnyEntry, root: bytes, listing: Listing, folders: list[bytes]) -> None:
        try:
            linked = entry.is_symlink()
            if linked and not self._follows(entry):
                self._ignore(entry, listing)
                return
            if entry.is_dir():
                if self._is_excluded(entry.path, root, is_folder=True):
                    listing.not_walked.add(entry.path)
                elif self._is_hidden(entry):
                    listing.not_walked.add(entry.path)
                    self._count_hidden(entry.path, root)
                else:
                    folders.append(entry.path)
                return
            info = entry.stat()
        except FileNotFoundError:
            return  # it was deleted after the listing, as by a chat client at work
        except OSError:
            # The name exists but has no stat now. Its row must not become missing.
            self._ignore(entry, listing)
            return
        if entry.name == MANIFEST:
            listing.has_manifest = True
            return
        if entry.name in self._own_files.get(listing.path, ()):
            return
        if not self._is_wanted(entry.path, root):
            listing.ignored.add(entry.name)
        elif self._is_hidden(entry):
            listing.ignored.add(entry.name)
            if stat.S_ISREG(info.st_mode):
                self.hidden = min(self.hidden + 1, HIDDEN_MOST)
        elif stat.S_ISREG(info.st_mode):
            ctime_ns = info.st_ctime_ns if HAS_CTIME else None
            listing.files.append((entry.name, info.st_size, info.st_mtime_ns, info.st_dev, ctime_ns))
        else:
            listing.special.append((entry.name, _kind_of(info.st_mode)))

    def _ignore(self, entry: _AnyEntry, listing: Listing) -> None:
        listing.ignored.add(entry.name)
        listing.not_walked.add(entry.path)

    def _follows(self, link: _AnyEntry) -> bool:
        """Whether to follow a link: only on request, only to a target outside every root, and to each target once.

        A link into a root, or to a folder that contains a root, would list files twice or endlessly.
        """
        if not self._rules.links or not (link.is_dir() or link.is_file()):
            return False
        target = os.path.realpath(link.path)
        if any(is_within(target, folder) or is_within(folder, target) for folder in self._covered):
            return False
        if link.is_dir():
            self._covered.append(target)
        return True

    def _is_hidden(self, entry: _AnyEntry) -> bool:
        if self._rules.hidden:
            return False
        if entry.name.startswith(b"."):
            return True
        attributes = getattr(entry.stat(follow_symlinks=False), "st_file_attributes", 0) if os.name == "nt" else 0
        return bool(attributes & _HIDDEN_ATTRIBUTE)

    def _count_hidden(self, folder: bytes, root: bytes) -> None:
        """Counts the files below a hidden folder that would be scanned if hidden files were. 1 us a name."""
        pending = [folder]
        while pending and self.hidden < HIDDEN_MOST and self._hidden_names < HIDDEN_NAMES_MOST:
            folder = pending.pop()
            if folder in self._roots:
                continue  # it is walked as a root
            try:
                with os.scandir(folder) as found:
                    for entry in found:
                        self._hidden_names += 1
                        if entry.is_dir(follow_symlinks=False):
                            if not self._is_excluded(entry.path, root, is_folder=True):
                                pending.append(entry.path)
                        elif entry.is_file(follow_symlinks=False) and self._is_wanted(entry.path, root):
                            self.hidden = min(self.hidden + 1, HIDDEN_MOST)
            except OSError:
                continue

    def _is_wanted(self, path: bytes, root: bytes) -> bool:
        """Whether the patterns and the name of a file, hidden or not, allow it."""
        if self._is_excluded(path, root, is_folder=False):
            return False
        if self._include is None:
            return not is_ignored_name(os.path.basename(path))
        decision = self._include.decide(path, root, is_folder=False)
        return self._is_below_included(os.path.dirname(path), root) if decision is None else decision

    def _is_excluded(self, path: bytes, root: bytes, *, is_folder: bool) -> bool:
        return self._exclude is not None and self._exclude.decide(path, root, is_folder) is True

    def _is_below_included(self, folder: bytes, root: bytes) -> bool:
        """Whether --include matches the folder or a parent. The innermost match decides."""
        assert self._include is not None
        if self._included_folder is not None and self._included_folder[0] == folder:
            return self._included_folder[1]
        included, above = False, folder
        while len(above) > len(root):
            decision = self._include.decide(above, root, is_folder=True)
            if decision is not None:
                included = decision
                break
            above = os.path.dirname(above)
        self._included_folder = (folder, included)
        return included


_NAME = attrgetter("name")


def is_ignored_name(name: bytes) -> bool:
    """Whether files with that name are ignored: unfinished downloads, archives, databases (Thumbs.db too).

    Chat clients write many of them beside pictures. --include overrides this.
    """
    if name.endswith(_IGNORED_ENDS):
        return True
    dot = name.rfind(b".")
    return dot >= 0 and _DATABASE.fullmatch(name, dot) is not None


def _kind_of(mode: int) -> str:
    kinds = {
        stat.S_IFIFO: Message("a named pipe"),
        stat.S_IFSOCK: Message("a socket"),
        stat.S_IFCHR: Message("a device"),
        stat.S_IFBLK: Message("a device"),
    }
    return kinds.get(stat.S_IFMT(mode), Message("not a regular file"))
