"""Goes through the user's folders and says what is in each: what to take, what to leave alone, where not to go.

Read-only, as files.py, which opens what was found.
"""

import os
import re
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from operator import attrgetter
from typing import TypeAlias

from hashindex.core.messages import ListedFile
from hashindex.core.options import WalkRules
from hashindex.disk.files import HAS_CTIME, MANIFEST, is_within, reason_of
from hashindex.disk.patterns import Patterns

_DOT = ord(".")
_UNFINISHED = (b".tmp", b".jtmp", b".part", b".download", b".TMP", b".PART")
_CONTAINERS = (b".zip", b".ZIP", b".DB", b".DS_Store")
_PASSED_OVER = _UNFINISHED + _CONTAINERS
_DATABASE = re.compile(rb"\.db[^.]*")
_HIDDEN_ATTRIBUTE = 0x2  # FILE_ATTRIBUTE_HIDDEN on Windows
HIDDEN_MOST = 10_000
"""Hidden files are counted up to this number: below a home folder there may be millions, and none of them is taken."""
HIDDEN_NAMES = 100_000
"""So many names below hidden folders are looked at for that, at most."""


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
    files: list[ListedFile] = field(default_factory=list)
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

    def __init__(
        self,
        roots: list[bytes],
        rules: WalkRules,
        not_ours: frozenset[bytes] = frozenset(),
        other_roots: Iterable[bytes] = (),
    ) -> None:
        """not_ours: paths of files to pass over without a word (the catalogue's own).

        other_roots: roots that this run does not walk. Patterns count from the innermost root, whichever are walked.
        """
        self._rules = rules
        self._roots = frozenset((*roots, *other_roots))
        self._exclude = Patterns(rules.exclude) if rules.exclude else None
        self._include = Patterns(rules.include) if rules.include else None
        self._included_folder: tuple[bytes, bool] | None = None
        self.hidden = 0
        """Files that were left out because they, or a folder that they are in, are hidden; at most HIDDEN_MOST.

        Fewer than there are where more than HIDDEN_NAMES would have to be looked at.
        """
        self._hidden_names = 0
        self._not_ours = {folder: set[bytes]() for folder in map(os.path.dirname, not_ours)}
        for path in not_ours:
            self._not_ours[os.path.dirname(path)].add(os.path.basename(path))
        self._outside = list(roots)
        # Without hidden attributes, the name's first byte and the patterns say whether to take a regular file.
        self._by_name = rules.hidden or os.name != "nt"
        self.visited: set[bytes] = set()

    def below(self, folder: bytes, root: bytes | None = None) -> Iterator[Listing]:
        """Lists a folder and every one below it that was not listed before. Never raises OSError.

        root: what the patterns count from; the folder itself if not given.
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
        """Patterns that matched nothing in all that was walked so far: those of include, then those of exclude."""
        return [text for each in (self._include, self._exclude) if each is not None for text in each.unmatched()]

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
                if entry.is_symlink() or self._is_hidden(entry) or self._is_excluded(entry.path, root, is_folder=True):
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
        patterns = self._exclude is not None or self._include is not None
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
                            if name in not_ours:
                                continue
                            if patterns and not self._is_asked_for(entry.path, root):
                                listing.left_alone.add(name)
                            else:
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
                if self._is_excluded(entry.path, root, is_folder=True):
                    listing.not_entered.add(entry.path)
                elif self._is_hidden(entry):
                    listing.not_entered.add(entry.path)
                    self._count_hidden(entry.path, root)
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
        if not self._is_asked_for(entry.path, root):
            listing.left_alone.add(entry.name)
        elif self._is_hidden(entry):
            listing.left_alone.add(entry.name)
            if stat.S_ISREG(info.st_mode):
                self.hidden = min(self.hidden + 1, HIDDEN_MOST)
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

    def _count_hidden(self, folder: bytes, root: bytes) -> None:
        """Counts what would be taken below a hidden folder if hidden files were. Only lists folders: 1 us a name."""
        pending = [folder]
        while pending and self.hidden < HIDDEN_MOST and self._hidden_names < HIDDEN_NAMES:
            folder = pending.pop()
            if folder in self._roots:
                continue  # walked by itself
            try:
                with os.scandir(folder) as found:
                    for entry in found:
                        self._hidden_names += 1
                        if entry.is_dir(follow_symlinks=False):
                            if not self._is_excluded(entry.path, root, is_folder=True):
                                pending.append(entry.path)
                        elif entry.is_file(follow_symlinks=False) and self._is_asked_for(entry.path, root):
                            self.hidden = min(self.hidden + 1, HIDDEN_MOST)
            except OSError:
                continue  # what cannot be listed is not counted

    def _is_asked_for(self, path: bytes, root: bytes) -> bool:
        """Whether a file, hidden or not, is one that the patterns and its name let in."""
        if self._is_excluded(path, root, is_folder=False):
            return False
        if self._include is None:
            return not is_passed_over(os.path.basename(path))
        said = self._include.decide(path, root, is_folder=False)
        return self._is_below_included(os.path.dirname(path), root) if said is None else said

    def _is_excluded(self, path: bytes, root: bytes, *, is_folder: bool) -> bool:
        return self._exclude is not None and self._exclude.decide(path, root, is_folder) is True

    def _is_below_included(self, folder: bytes, root: bytes) -> bool:
        """Whether --include names the folder, or one above it: of several that are named, the innermost decides."""
        assert self._include is not None
        if self._included_folder is not None and self._included_folder[0] == folder:
            return self._included_folder[1]
        included, above = False, folder
        while len(above) > len(root):
            said = self._include.decide(above, root, is_folder=True)
            if said is not None:
                included = said
                break
            above = os.path.dirname(above)
        self._included_folder = (folder, included)
        return included


_NAME = attrgetter("name")


def is_passed_over(name: bytes) -> bool:
    """Whether a file is left alone for its name: unfinished downloads, archives, databases (Thumbs.db too).

    Clients write them beside pictures all the time. --include takes them again.
    """
    if name.endswith(_PASSED_OVER):
        return True
    dot = name.rfind(b".")
    return dot >= 0 and _DATABASE.fullmatch(name, dot) is not None


def _kind_of(mode: int) -> str:
    kinds = {
        stat.S_IFIFO: "a named pipe",
        stat.S_IFSOCK: "a socket",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device",
    }
    return kinds.get(stat.S_IFMT(mode), "not a regular file")
