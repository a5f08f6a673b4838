"""Looks at the files that settle.py has due, and says which can be read: those that hold still, or are whole."""

import contextlib
import hashlib
import os
import stat

from hashindex.disk import files
from hashindex.watch.settle import Identity, Readiness, Settle, md5_in_name

EARLY_MOST = 64
"""With more files waiting none is digested early: its turn comes no sooner by that."""
EARLY_BYTES = 16 * 2**20


def ready(settle: Settle, now: float, wall_ns: int, most: int) -> list[bytes]:
    """At most so many of what is due. A file whose name says its MD5 is ready as soon as its bytes have it."""
    early = len(settle) <= EARLY_MOST
    taken = []
    for path in settle.due(now, most):
        seen, whole = _look_at(path)
        md5 = md5_in_name(os.path.basename(path)) if early and seen is not None and not whole else None
        if md5 is not None and seen is not None:
            whole = 0 < seen.size <= EARLY_BYTES and _md5_of(path) == md5
        verdict = settle.looked(path, seen, now, wall_ns, whole=whole, early=md5 is not None)
        if verdict is not Readiness.WAIT:
            taken.append(path)
    return taken


def _look_at(path: bytes) -> tuple[Identity | None, bool]:
    """What lstat says; and whether there is nothing to wait for, as with a folder."""
    try:
        info = os.lstat(path)
    except OSError:
        return None, False
    return Identity(info.st_size, info.st_mtime_ns, info.st_ino), not stat.S_ISREG(info.st_mode)


def _md5_of(path: bytes) -> str | None:
    with contextlib.suppress(OSError), files.opened(path) as source:
        return hashlib.md5(source.read_rest(), usedforsecurity=False).hexdigest()
    return None
