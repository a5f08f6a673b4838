"""Standard output and standard error, whose write errors end the command with exit codes of their own.

Without this, a reader that closed the pipe would cause exit code 1, which means that nothing was found, and an error
while the interpreter flushes at its end would pass in silence.
"""

import errno
import io
import os
import sys
from typing import TYPE_CHECKING, TextIO

from hashindex.core.language import sentence

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

FAILED = 2
"""An error, such as output that cannot be written."""
INTERRUPTED = 130
NO_READER = 141
"""The exit code that shells give to a program ended by SIGPIPE: 128 + 13."""


class OutputEnded(SystemExit):
    """Ends the command. A SystemExit, so that no handler of errors catches it."""


class _Raw(io.RawIOBase):
    """Writes to a raw stream until a write fails, then discards everything: the flush at the end of the process must
    not fail again."""

    def __init__(self, raw: io.RawIOBase, *, needed: bool) -> None:
        """needed: whether an error other than a missing reader ends the command. If not, the output is lost."""
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
            from hashindex.disk.files import system_reason

            message = sentence("the output cannot be written: {reason}.", reason=system_reason(error))
            print(f"hashindex: {message}", file=sys.stderr, flush=True)
            raise OutputEnded(FAILED) from None
        if written is None:  # a non-blocking pipe is full
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
    """Replaces sys.stdout and sys.stderr. Call it once, at the start of the process."""
    if os.name == "posix":
        _fill_closed()
    sys.stderr = _guarded(sys.stderr, needed=False)
    sys.stdout = _guarded(sys.stdout, needed=True)


def flush() -> None:
    """Writes all buffered output while an error can still be reported. Raises OutputEnded."""
    sys.stdout.flush()
    sys.stderr.flush()


def _guarded(stream: TextIO | None, *, needed: bool) -> TextIO:
    if stream is None:  # no console, as under pythonw
        return open(os.devnull, "w", encoding="utf-8")
    buffer = getattr(stream, "buffer", None)
    # Under PYTHONUNBUFFERED the text stream writes straight to the raw stream.
    unbuffered = isinstance(buffer, io.RawIOBase)
    raw = buffer if unbuffered else getattr(buffer, "raw", None)
    if raw is None:
        return stream
    stream.flush()
    _KEPT.append(stream)
    return io.TextIOWrapper(
        io.BufferedWriter(_Raw(raw, needed=needed)),
        encoding=stream.encoding,
        # Characters that the encoding of the terminal lacks are shown as escapes.
        errors="backslashreplace",
        line_buffering=unbuffered or stream.isatty() or not needed,
    )


_KEPT: list[TextIO] = []
"""The original streams. Without a reference, they would be collected and close their file descriptors."""


def _fill_closed() -> None:
    """Opens standard streams that the caller closed (>&-), so that no other file gets their descriptors.

    They are opened for reading only: writing fails and is reported.
    """
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDONLY)
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115 - as above


def _has_no_reader(error: OSError) -> bool:
    # Windows reports EINVAL for a pipe without a reader.
    return isinstance(error, BrokenPipeError) or (os.name == "nt" and error.errno == errno.EINVAL)
