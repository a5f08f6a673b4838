"""A worker process that runs one call at a time, so that a picture can crash only this process.

For a few pictures, when starting a pool would take longer than the work: a query, a scan of a few files, the pairs that
groups compares. It imports no decoder itself, so that a fork stays quick.
"""

import contextlib
import json
import os
import pickle
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import IO, Any, TypeVar

from hashindex.core.language import Message
from hashindex.core.options import Limits
from hashindex.pictures import worker_limits

Result = TypeVar("Result")


class WorkerDied(Exception):
    """The process ended during a call: the picture took too long, crashed its decoder or exhausted the memory."""

    def __init__(self, too_long: bool) -> None:
        super().__init__(too_long)
        self.too_long = too_long


def reason_of_death(too_long: bool, limits: Limits) -> str:
    """Why a picture was not decoded, for a WorkerDied."""
    if too_long:
        return Message("decoding it takes longer than {seconds:g} seconds; it was left out", seconds=limits.seconds)
    return Message("decoding it crashed the decoder or used up the memory; it was left out")


class IsolatedWorker:
    """A process that is started by the first call, restarted after a crash, and ended by close or with this process.

    It is forked if this process has one thread (a few ms). Otherwise it is a new interpreter (0.1 s); then a script
    needs no `if __name__ == "__main__":`. Thread-safe: calls from several threads run one after the other.
    """

    def __init__(self, limits: Limits, *, low_priority: bool = False) -> None:
        """low_priority: the process runs with nice 19."""
        self.limits = limits
        self._low_priority = low_priority
        self._process: _Forked | _Spawned | None = None
        self._owner = os.getpid()
        self._lock = threading.Lock()

    def run(self, work: Callable[..., Result], *arguments: Any) -> Result:
        """work(*arguments), run in the process; all must be picklable. Raises WorkerDied, and any exception of work."""
        request = pickle.dumps((work, arguments), pickle.HIGHEST_PROTOCOL)
        with self._lock:
            process = self._running()
            started = time.monotonic()
            try:
                process.requests.write(request)
                process.requests.flush()
                succeeded, answer = pickle.load(process.answers)
            except (EOFError, OSError, pickle.UnpicklingError):
                self._process = None
                status = process.end()
                seconds = time.monotonic() - started
                no_signals = not hasattr(signal, "SIGALRM")
                raise WorkerDied(
                    worker_limits.ended_by_deadline(status) or (no_signals and seconds >= self.limits.seconds)
                ) from None
            except BaseException:
                # Ctrl-C: part of an answer may be in the pipe.
                self._process = None
                process.kill()
                raise
        if not succeeded:
            raise answer
        result: Result = answer
        return result

    def close(self) -> None:
        """Ends the process. The next call starts another."""
        process, self._process = self._process, None
        if process is not None and self._owner == os.getpid():
            # Killed, because its input may be kept open by a process that was forked later.
            process.kill()

    def __enter__(self) -> "IsolatedWorker":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()

    def _running(self) -> "_Forked | _Spawned":
        if self._owner != os.getpid():
            # This process is a fork of the one that started the worker.
            self._process, self._owner = None, os.getpid()
        if self._process is None:
            start = _Forked if hasattr(os, "fork") and has_one_thread() else _Spawned
            self._process = start(self.limits, self._low_priority)
        return self._process


class _Forked:
    def __init__(self, limits: Limits, low_priority: bool) -> None:
        theirs_in, ours_out = os.pipe()
        ours_in, theirs_out = os.pipe()
        self._pid = os.fork()
        if not self._pid:
            try:
                os.close(ours_out)
                os.close(ours_in)
                _serve(os.fdopen(theirs_in, "rb"), os.fdopen(theirs_out, "wb"), limits, low_priority)
            finally:
                # The fork must run no clean-up and flush no buffers of this process.
                os._exit(1)
        os.close(theirs_in)
        os.close(theirs_out)
        self.requests: IO[bytes] = os.fdopen(ours_out, "wb")
        self.answers: IO[bytes] = os.fdopen(ours_in, "rb")

    def end(self) -> int:
        """Waits for the process. Returns its return code, negative for a signal."""
        _close(self.requests)
        _close(self.answers)
        try:
            return os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])
        except ChildProcessError:
            return 0

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGKILL)
        self.end()


class _Spawned:
    def __init__(self, limits: Limits, low_priority: bool) -> None:
        import subprocess

        # In its own process group: Ctrl-C is for this process, and the worker ends with its input.
        own_group: dict[str, Any] = {"start_new_session": True}
        if sys.platform == "win32":
            own_group = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
        program = (
            "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
            "from hashindex.pictures.isolated_worker import main; main()"
        )
        self._process = subprocess.Popen(
            [sys.executable, "-c", program, json.dumps(sys.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            **own_group,
        )
        assert self._process.stdin is not None and self._process.stdout is not None
        self.requests: IO[bytes] = self._process.stdin
        self.answers: IO[bytes] = self._process.stdout
        pickle.dump((limits, low_priority), self.requests, pickle.HIGHEST_PROTOCOL)

    def end(self) -> int:
        _close(self.requests)
        _close(self.answers)
        return self._process.wait()

    def kill(self) -> None:
        self._process.kill()
        self.end()


def _close(stream: IO[bytes]) -> None:
    # Closing writes the rest of the buffer, and the other end may be gone.
    with contextlib.suppress(OSError):
        stream.close()


def main() -> None:
    """Runs in the new interpreter. Output that a decoder prints is kept apart from the answers."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    limits, low_priority = pickle.load(sys.stdin.buffer)
    _serve(sys.stdin.buffer, answers, limits, low_priority)


def _serve(requests: IO[bytes], answers: IO[bytes], limits: Limits, low_priority: bool) -> None:
    start_worker(limits, low_priority=low_priority)
    while True:
        try:
            work, arguments = pickle.load(requests)
        except EOFError:
            os._exit(0)
        try:
            answer = True, work(*arguments)
        except Exception as error:  # noqa: BLE001 - raised again in the calling process
            answer = False, error
        pickle.dump(answer, answers, pickle.HIGHEST_PROTOCOL)
        answers.flush()


def start_worker(
    limits: Limits, notes: worker_limits.Notes | None = None, number: int = 0, *, low_priority: bool = False
) -> None:
    """Makes this process a worker: applies the limits, and leaves Ctrl-C to the process that started it.

    low_priority: sets nice 19.

    Output of C code is discarded: libtiff prints a message for every damaged byte, with text from the file.
    """
    from hashindex.pictures.decode import set_pillow_limits

    if low_priority and hasattr(os, "nice"):
        os.nice(19)
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, 1)
    os.dup2(devnull, 2)
    os.close(devnull)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    set_pillow_limits(limits)
    worker_limits.apply_limits(limits, notes, number)


def has_one_thread() -> bool:
    """Whether this process has one thread, counting those of libraries. False if unknown (not Linux)."""
    for _ in range(5):
        try:
            if len(os.listdir("/proc/self/task")) == 1:
                return True
        except OSError:
            return False
        if threading.active_count() > 1:
            return False
        # The system still lists a thread for a moment after Python has joined it.
        time.sleep(0.001)
    return False
