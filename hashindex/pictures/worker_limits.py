"""Limits of a worker process: the time of a decode and the memory, and a note of the current file.

They act only in worker processes (where apply_limits was called): in any other process, a signal or a limit would hit
the program that uses this package. Python cannot interrupt C code, however long it holds the interpreter's lock;
therefore the operating system ends the process, and the process that started it reports the picture.
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

NOTE_SIZE: Final = 2
"""Numbers per worker: path_mark of its file, and time.monotonic at the start of the decode; IDLE if there is none."""
IDLE: Final = -1.0

Notes = MutableSequence[float]
"""Shared memory of a pool: NOTE_SIZE numbers per worker."""


class _Applied:
    """State of this process as a worker."""

    is_worker = False
    notes: Notes | None = None
    offset = 0
    """Where the note of this worker begins in notes."""
    devnull: int | None = None


def apply_limits(limits: Limits, notes: Notes | None = None, number: int = 0) -> None:
    """Makes this process a worker: limits its memory and enables deadline and note_current.

    number: index of this worker in notes.
    """
    _Applied.is_worker = True
    _Applied.notes, _Applied.offset = notes, number * NOTE_SIZE
    if hasattr(signal, "SIGALRM"):
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGALRM})
    else:
        _Applied.devnull = os.open(os.devnull, os.O_WRONLY)
    _limit_memory(limits.memory)


def _limit_memory(most: int) -> None:
    """On Linux, limits what this process may allocate beyond its present size: then MemoryError is raised.

    RLIMIT_DATA instead of RLIMIT_AS, because unused address space (mapped files, reserves of the allocator) is free.
    """
    if not sys.platform.startswith("linux"):
        return
    import resource

    with contextlib.suppress(OSError, ValueError), open("/proc/self/statm", "rb") as statm:
        used = int(statm.read().split()[5]) * resource.getpagesize()
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        soft = used + most if hard == resource.RLIM_INFINITY else min(used + most, hard)
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


class deadline:
    """`with deadline(seconds):` ends this worker process if the block takes longer (wall clock). 2 us."""

    __slots__ = ("_seconds",)

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def __enter__(self) -> None:
        if not _Applied.is_worker:
            return
        if _Applied.notes is not None:
            _Applied.notes[_Applied.offset + 1] = time.monotonic()
        if _Applied.devnull is None:
            signal.setitimer(signal.ITIMER_REAL, self._seconds)
        else:
            faulthandler.dump_traceback_later(self._seconds, exit=True, file=_Applied.devnull)

    def __exit__(self, *_: object) -> None:
        if not _Applied.is_worker:
            return
        if _Applied.devnull is None:
            signal.setitimer(signal.ITIMER_REAL, 0)
        else:
            faulthandler.cancel_dump_traceback_later()
        if _Applied.notes is not None:
            _Applied.notes[_Applied.offset + 1] = IDLE


def note_current(path: bytes | None) -> None:
    """Notes the file that this worker now works on; None for none."""
    if _Applied.notes is not None:
        _Applied.notes[_Applied.offset] = IDLE if path is None else path_mark(path)


def path_mark(path: bytes) -> float:
    """The number that represents a path in a note. If two paths have one number, a harmless file may be suspected."""
    return float(zlib.crc32(path))


def ended_by_deadline(status: int) -> bool:
    """Whether a process with this return code (negative for a signal) was ended by `deadline`."""
    return hasattr(signal, "SIGALRM") and status == -signal.SIGALRM
