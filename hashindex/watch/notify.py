"""Runs the command of --notify for each event, one at a time."""

import os
import queue
import shlex
import subprocess
import threading
from collections.abc import Callable

from hashindex.core.errors import UsageError
from hashindex.core.language import Message
from hashindex.disk.files import system_reason

MOST_QUEUED = 10_000
"""Events that may wait, about 4 MB. Any more are dropped and counted as failures."""
TIMEOUT_S = 60.0
"""A command that takes longer is killed."""


class Notifier:
    """Runs one command for each event, with the event's JSON line on standard input.

    The command is split into arguments as a shell would, but runs without a shell: nothing in a path can be executed.
    """

    def __init__(self, command: str, on_failure: Callable[[str], None], timeout_s: float = TIMEOUT_S) -> None:
        """on_failure: called in another thread, with a sentence, for the first failure in a row.

        UsageError if command is empty or its quotes do not match.
        """
        self._arguments = _split(command)
        self._on_failure = on_failure
        self._timeout_s = timeout_s
        self._queue: queue.Queue[str | None] = queue.Queue(MOST_QUEUED)
        self._running: subprocess.Popen[bytes] | None = None
        self._stopping = False
        self.failed = 0
        """Failures, including dropped events."""
        self._reported = False
        self._thread = threading.Thread(target=self._serve, name="notify", daemon=True)
        self._thread.start()

    def send(self, line: str) -> None:
        """Queues one event. Never blocks."""
        try:
            self._queue.put_nowait(line)
        except queue.Full:
            self._fail(
                Message(
                    "--notify is too slow: more than {most:,} events wait for it; events are left out",
                    most=MOST_QUEUED,
                )
            )

    def stop(self, wait_s: float) -> None:
        """Waits at most that long for the queue to empty, then kills the running command."""
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
                self._reported = False
            else:
                self._fail(trouble)

    def _run(self, line: str) -> str | None:
        name = self._arguments[0]
        try:
            with subprocess.Popen(self._arguments, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as self._running:
                try:
                    self._running.communicate((line + "\n").encode("utf-8", "surrogatepass"), self._timeout_s)
                except subprocess.TimeoutExpired:
                    self._running.kill()
                    return Message(
                        "--notify: {name} took longer than {seconds:g} s and was ended",
                        name=name,
                        seconds=self._timeout_s,
                    )
                code = self._running.returncode
        except OSError as error:
            return Message("--notify: {name} cannot be run: {reason}", name=name, reason=system_reason(error))
        finally:
            self._running = None
        return None if not code else Message("--notify: {name} failed with exit code {code}", name=name, code=code)

    def _fail(self, sentence: str) -> None:
        self.failed += 1
        if not self._reported and not self._stopping:
            self._reported = True
            self._on_failure(sentence)


def _split(command: str) -> list[str]:
    try:
        # On Windows a backslash is part of a path. In that mode shlex leaves the quotes on.
        arguments = shlex.split(command, posix=os.name != "nt")
    except ValueError as error:
        raise UsageError(
            Message("--notify {command!r} is no command: {error}.", command=command, error=str(error).lower())
        ) from error
    if not arguments:
        raise UsageError(Message("--notify needs a command."))
    return [argument.strip('"') for argument in arguments] if os.name == "nt" else arguments
