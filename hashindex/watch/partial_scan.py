"""A scan of single paths for the daemon. It writes for these paths what a scan of the whole roots would write."""

import os
from collections.abc import Iterable, Iterator, Sequence

from hashindex.core.messages import Arrival, Job
from hashindex.core.model import ScanSummary
from hashindex.disk import files
from hashindex.disk.walk import Walk
from hashindex.index.scan import Scan
from hashindex.store.folders import Root


class PartialScan(Scan):
    """One scan of paths."""

    def run_paths(self, paths: Iterable[bytes], roots: list[bytes]) -> ScanSummary:
        """Updates the catalogue from these paths, which may be files, folders or gone. A folder includes all below it.

        roots: known roots. Ignores paths outside them, and all paths below a root that cannot be reached or is on
        another device than before: only a sweep handles these.
        """
        self._arrived: list[Arrival] = []
        known = {root.path: root for root in self._catalogue.roots()}
        self._reachable = [root for root in known if _is_reachable(known[root])]
        walk = self._walk(roots, known)
        left = set(paths)

        def jobs() -> Iterator[Job]:
            # The innermost root first: the rules of the nearest root above a path apply.
            for root in sorted(roots, key=len, reverse=True):
                below = {path for path in left if path != root and files.is_within(path, root)}
                if root in self._reachable:
                    yield from self._below_root(walk, known[root], below)
                left.difference_update(below)

        return self._carry_out(jobs())

    def _below_root(self, walk: Walk, root: Root, paths: set[bytes]) -> Iterator[Job]:
        seen_ns = root.scanned_ns or 0
        by_folder: dict[bytes, list[bytes]] = {}
        for path in paths:
            folder, name = os.path.split(path)
            by_folder.setdefault(folder, []).append(name)
        for folder in sorted(by_folder):
            if folder in walk.visited:
                continue
            listing, below = walk.list_names(folder, by_folder[folder], root.path)
            known = self._catalogue.known_names(folder, by_folder[folder])
            difference = self._compare(listing, known, None)
            self._gone.extend((folder, name, seen_ns) for name in difference.gone)
            yield from self._jobs(listing, difference)
            there = {name for name, *_ in (*listing.files, *listing.special)} | listing.ignored
            for name in by_folder[folder]:
                path = os.path.join(folder, name)
                if path in below:
                    yield from self._below_folder(walk, path, root.path, seen_ns)
                elif name not in there and path not in listing.not_walked:
                    self._gone.extend(self._known_below(path, seen_ns))
            self._show_progress()

    def _below_folder(self, walk: Walk, path: bytes, root: bytes, seen_ns: int) -> Iterator[Job]:
        for listing, difference in self._compared(walk, path, None, root):
            if listing.problem is not None:
                self._note_folder(listing)
            else:
                self._gone.extend((listing.path, name, seen_ns) for name in difference.gone)
            yield from self._jobs(listing, difference)
        self._gone.extend(self._gone_with_their_folder(walk, path, seen_ns))

    def _note_arrived(self, arrivals: Sequence[Arrival]) -> None:
        super()._note_arrived(arrivals)
        self._arrived.extend(arrival for arrival in arrivals if arrival.before is None)

    def _before_settling(self) -> None:
        """An arrival may have been moved from a path whose event has not come yet: that path is treated as gone."""
        # A folder and the folders below it may be gone, each by a path of its own: the same files are below both.
        gone = {(folder, name): seen_ns for folder, name, seen_ns in self._gone}
        self._gone = [(folder, name, seen_ns) for (folder, name), seen_ns in gone.items()]
        for arrival in self._arrived:
            for folder, name in self._catalogue.present_names_of(arrival.content):
                path = os.path.join(folder, name)
                reachable = files.innermost(path, self._reachable) is not None
                if reachable and (folder, name) not in gone and not files.exists(path):
                    self._gone.append((folder, name, 0))
                    gone[folder, name] = 0

    def _known_below(self, path: bytes, seen_ns: int) -> Iterator[tuple[bytes, bytes, int]]:
        """Known files below a path that is gone, if it was a folder."""
        for folder in self._catalogue.folders_below(path):
            for name in self._catalogue.present_files(folder):
                yield folder, name, seen_ns


def _is_reachable(root: Root) -> bool:
    try:
        return files.device_of(root.path) == root.device
    except OSError:
        return False
