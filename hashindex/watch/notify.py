"""Hands events to a person's own command, one at a time and never faster than it takes them. Touches nothing else."""

import os
import queue
import shlex
import subprocess
import threading
from collections.abc import Callable

from hashindex.core.errors import UsageError

MOST_QUEUED = 10_000
"""Events that may wait, about 4 MB; what comes beyond is dropped and counted."""
TIMEOUT_S = 60.0
"""A command that takes longer is ended."""


class Notifier:
    """Runs one command for each event, with its JSON line on standard input.

    The command is split into words as a shell would, and run without one: what a path holds cannot become a command.
    """

    def __init__(self, command: str, on_failure: Callable[[str], None], timeout_s: float = TIMEOUT_S) -> None:
        """on_failure: hears a sentence of the first failure in a row, from a thread. UsageError for no command."""
        self._words = _words(command)
        self._on_failure = on_failure
        self._timeout_s = timeout_s
        self._queue: queue.Queue[str | None] = queue.Queue(MOST_QUEUED)
        self._running: subprocess.Popen[bytes] | None = None
        self._stopping = False
        self.failed = 0
        """How often it failed, events that were dropped included."""
        self._said = False
        self._thread = threading.Thread(target=self._serve, name="notify", daemon=True)
        self._thread.start()

    def send(self, line: str) -> None:
        """Queues one event; never waits."""
        try:
            self._queue.put_nowait(line)
        except queue.Full:
            self._fail(f"--notify is too slow: more than {MOST_QUEUED:,} events wait for it; events are left out")

    def stop(self, wait_s: float) -> None:
        """Lets what is queued go for so long, then ends what runs."""
        self._queue_end()
        self._thread.join(wait_s)
        self._stopping = True
        running = self._running
        if running is not None:
            running.kill()

    def _queue_end(self) -> None:
        try:
            self._queue.put_nowait(None)
        except queue.Full:
            self._stopping = True

    def _serve(self) -> None:
        while not self._stopping:
            line = self._queue.get()
            if line is None:
                return
            trouble = self._run(line)
            if trouble is None:
                self._said = False
            else:
                self._fail(trouble)

    def _run(self, line: str) -> str | None:
        name = self._words[0]
        try:
            with subprocess.Popen(self._words, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as self._running:
                try:
                    self._running.communicate((line + "\n").encode("utf-8", "surrogatepass"), self._timeout_s)
                except subprocess.TimeoutExpired:
                    self._running.kill()
                    return f"--notify: {name} took longer than {self._timeout_s:g} s and was ended"
                code = self._running.returncode
        except OSError as error:
            return f"--notify: {name} cannot be run: {(error.strerror or str(error)).lower()}"
        finally:
            self._running = None
        return None if not code else f"--notify: {name} failed with exit code {code}"

    def _fail(self, sentence: str) -> None:
        self.failed += 1
        if not self._said and not self._stopping:
            self._said = True
            self._on_failure(sentence)


def _words(command: str) -> list[str]:
    try:
        # A backslash is part of a path on Windows, and the quotes stay on then.
        words = shlex.split(command, posix=os.name != "nt")
    except ValueError as error:
        raise UsageError(f"--notify {command!r} is no command: {str(error).lower()}.") from error
    if not words:
        raise UsageError("--notify needs a command.")
    return [word.strip('"') for word in words] if os.name == "nt" else words
