"""Changed paths on their way from watchdog to the daemon: collected, kept until they settle, returned when readable.

A path is readable when its file holds still. A file whose name is its own MD5, as chat clients name originals, is
readable as soon as its bytes have that MD5.
"""

import contextlib
import hashlib
import os
import stat
from pathlib import Path

from hashindex.disk import files
from hashindex.index.scan import OWN_SUFFIXES
from hashindex.watch.clock import Clock
from hashindex.watch.settle import Identity, Readiness, SettleQueue, md5_in_name
from hashindex.watch.watching import Inbox

EARLY_MOST = 64
"""With more paths waiting, no file is checked by its MD5: its turn would come no sooner."""
EARLY_BYTES = 16 * 2**20
"""Size of the largest file that is checked by its MD5."""
_HIDDEN = os.sep.encode() + b"."


class Changes:
    """The changed paths of one daemon."""

    def __init__(self, catalogue: Path, inbox: Inbox, settle: SettleQueue, clock: Clock) -> None:
        """Changes of the catalogue's own files are dropped: each scan writes them."""
        self._inbox = inbox
        self._settle = settle
        self._clock = clock
        own = os.fsencode(os.path.realpath(catalogue))
        self._own = frozenset(own + suffix for suffix in OWN_SUFFIXES)

    def collect(self, roots: list[bytes], *, hidden: bool) -> bool:
        """Moves the paths in the inbox to the settle queue; returns whether there were any.

        hidden: also those with a hidden name below their root.
        """
        paths = self._inbox.take()
        now = self._clock.monotonic()
        early = len(self._settle) + len(paths) <= EARLY_MOST
        for path in paths:
            if path in self._own or (not hidden and _HIDDEN in path[len(files.innermost(path, roots) or b"") :]):
                continue
            self._settle.add(path, now, early=early and md5_in_name(os.path.basename(path)) is not None)
        return bool(paths)

    def ready(self, most: int) -> list[bytes]:
        """At most that many paths whose files can be read or are gone. Reads the size and times of each due file."""
        early = len(self._settle) <= EARLY_MOST
        now, wall_ns = self._clock.monotonic(), self._clock.wall_ns()
        taken = []
        for path in self._settle.take_due(now, most):
            seen, whole = _stat(path)
            md5 = md5_in_name(os.path.basename(path)) if early and seen is not None and not whole else None
            if md5 is not None and seen is not None:
                whole = 0 < seen.size <= EARLY_BYTES and _md5_of(path) == md5
            readiness = self._settle.observe(path, seen, now, wall_ns, whole=whole, early=md5 is not None)
            if readiness is not Readiness.WAIT:
                taken.append(path)
        return taken


def _stat(path: bytes) -> tuple[Identity | None, bool]:
    """The identity of what is at path, and whether it needs no waiting, as a folder does not."""
    try:
        info = os.lstat(path)
    except OSError:
        return None, False
    return Identity(info.st_size, info.st_mtime_ns, info.st_ino), not stat.S_ISREG(info.st_mode)


def _md5_of(path: bytes) -> str | None:
    with contextlib.suppress(OSError), files.opened(path) as source:
        return hashlib.md5(source.read_rest(), usedforsecurity=False).hexdigest()
    return None
