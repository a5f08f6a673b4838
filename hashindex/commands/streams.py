"""Standard output and error: a write that fails ends the command with an exit code of its own, whoever wrote.

Without this a reader that went away would be exit code 1, which means that nothing was found, and what is written only
when the interpreter ends would fail without a word.
"""

import errno
import io
import os
import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

FAILED = 2
"""Also where the output cannot be written."""
INTERRUPTED = 130
NO_READER = 141
"""What a shell says of a program that SIGPIPE ended: 128 + 13."""


class OutputEnded(SystemExit):
    """Ends the command. A SystemExit, so that nothing on the way takes it for an error of its own."""


class _Raw(io.RawIOBase):
    """Passes on what is written until that fails; from then on nothing is written any more, so that the end of the
    process, which flushes once again, is quiet."""

    def __init__(self, raw: io.RawIOBase, *, needed: bool) -> None:
        """needed: whether a failure other than a missing reader ends the command too; what is said then is lost."""
        self._raw = raw
        self._needed = needed
        self._ended = False

    def write(self, data: "ReadableBuffer", /) -> int:
        size = memoryview(data).nbytes
        if self._ended:
            return size
        try:
            written = self._raw.write(data)
        except OSError as error:
            self._ended = True
            if _has_no_reader(error):
                raise OutputEnded(NO_READER) from None
            if not self._needed:
                return size
            print(f"hashindex: the output cannot be written: {_words(error)}.", file=sys.stderr, flush=True)
            raise OutputEnded(FAILED) from None
        if written is None:  # a pipe that does not wait is full
            import select

            select.select([], [self._raw.fileno()], [])
            return self.write(data)
        return written

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._raw.fileno()

    def isatty(self) -> bool:
        return self._raw.isatty()


def guard() -> None:
    """Takes the place of sys.stdout and sys.stderr; once, at the start of a process."""
    if os.name == "posix":
        _fill_closed()
    sys.stderr = _guarded(sys.stderr, needed=False)
    sys.stdout = _guarded(sys.stdout, needed=True)


def flush() -> None:
    """Writes what is still held back, while a failure can be told. Raises OutputEnded."""
    sys.stdout.flush()
    sys.stderr.flush()


def _guarded(stream: TextIO | None, *, needed: bool) -> TextIO:
    if stream is None:  # no console, as under pythonw
        return open(os.devnull, "w", encoding="utf-8")
    buffer = getattr(stream, "buffer", None)
    # Under PYTHONUNBUFFERED there is nothing between the text and the raw stream.
    unbuffered = isinstance(buffer, io.RawIOBase)
    raw = buffer if unbuffered else getattr(buffer, "raw", None)
    if raw is None:
        return stream
    stream.flush()
    _KEPT.append(stream)
    return io.TextIOWrapper(
        io.BufferedWriter(_Raw(raw, needed=needed)),
        encoding=stream.encoding,
        # A character that the terminal's encoding does not have shows as an escape.
        errors="backslashreplace",
        line_buffering=unbuffered or stream.isatty() or not needed,
    )


_KEPT: list[TextIO] = []
"""The streams as they were: one that is no longer referred to would close what it writes to."""


def _fill_closed() -> None:
    """Opens what the caller closed (>&-), for reading only: no file of ours gets its number and is written to.

    What is written there then fails, and says so.
    """
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDONLY)
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115 - as above


def _has_no_reader(error: OSError) -> bool:
    # Windows says EINVAL of a pipe that nobody reads.
    return isinstance(error, BrokenPipeError) or (os.name == "nt" and error.errno == errno.EINVAL)


def _words(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
