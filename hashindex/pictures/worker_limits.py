"""Holds a worker process to its limits: a timer that ends it, a ceiling for its memory, a note of what is under way.

Only in processes that are ours (hold was called there): in another one a signal or a limit would hit its program.
What C code does, however long it keeps the interpreter's lock, cannot be interrupted from Python; so the operating
system ends the process, and who started it says which picture it was.
"""

import contextlib
import faulthandler
import os
import signal
import sys
import time
import zlib
from collections.abc import MutableSequence
from typing import Final

from hashindex.core.options import Limits

NOTE: Final = 2
"""Numbers in a worker's note: which file is under way (see mark_of; NOTHING), and since when its decode is timed."""
NOTHING: Final = -1.0

Notes = MutableSequence[float]
"""Shared memory of a pool: NOTE numbers a worker."""


class _Applied:
    """What this process is held to."""

    is_ours = False
    notes: Notes | None = None
    at = 0
    silence: int | None = None


def apply_limits(limits: Limits, notes: Notes | None = None, place: int = 0) -> None:
    """From now on this process is a worker: timed and noted do what they say, and memory has a ceiling."""
    _Applied.is_ours = True
    _Applied.notes, _Applied.at = notes, place * NOTE
    if hasattr(signal, "SIGALRM"):
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGALRM})
    else:
        _Applied.silence = os.open(os.devnull, os.O_WRONLY)
    _bound_memory(limits.memory)


def _bound_memory(most: int) -> None:
    """Linux: so much more than this process has now; then Python and Pillow say MemoryError instead of being killed.

    RLIMIT_DATA and not RLIMIT_AS: address space that nobody writes to (files, reserves of the allocator) costs nothing.
    """
    if not sys.platform.startswith("linux"):
        return
    import resource

    with contextlib.suppress(OSError, ValueError), open("/proc/self/statm", "rb") as statm:
        held = int(statm.read().split()[5]) * resource.getpagesize()
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        soft = held + most if hard == resource.RLIM_INFINITY else min(held + most, hard)
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


class deadline:
    """`with timed(seconds):` ends this process, if it is ours, where what follows takes longer by the clock. 2 us."""

    __slots__ = ("_seconds",)

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def __enter__(self) -> None:
        if not _Applied.is_ours:
            return
        if _Applied.notes is not None:
            _Applied.notes[_Applied.at + 1] = time.monotonic()
        if _Applied.silence is None:
            signal.setitimer(signal.ITIMER_REAL, self._seconds)
        else:
            faulthandler.dump_traceback_later(self._seconds, exit=True, file=_Applied.silence)

    def __exit__(self, *_: object) -> None:
        if not _Applied.is_ours:
            return
        if _Applied.silence is None:
            signal.setitimer(signal.ITIMER_REAL, 0)
        else:
            faulthandler.cancel_dump_traceback_later()
        if _Applied.notes is not None:
            _Applied.notes[_Applied.at + 1] = NOTHING


def note_current(path: bytes | None) -> None:
    """Says which file this worker has in hand from now on; None: none."""
    if _Applied.notes is not None:
        _Applied.notes[_Applied.at] = NOTHING if path is None else mark_of(path)


def mark_of(path: bytes) -> float:
    """What stands for a path in a note. Two may share one: then one is suspected in vain."""
    return float(zlib.crc32(path))


def ended_by_deadline(status: int) -> bool:
    """Whether a process that ended with this return code (negative: the signal) was ended by `timed`."""
    return hasattr(signal, "SIGALRM") and status == -signal.SIGALRM
