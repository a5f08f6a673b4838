"""One process that does one thing at a time for this one, so that a picture can take it down and nothing else.

For a picture or two, where a pool would take longer to start than the work: a query, a scan of a few files, the pairs
that groups asks about. Imports no decoder itself: a process that is forked has to stay quick to start.
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

from hashindex.core.options import Limits
from hashindex.pictures import worker_limits

Made = TypeVar("Made")


class WorkerDied(Exception):
    """The process ended while it was at work: the picture took too long, crashed its decoder or used up the memory."""

    def __init__(self, too_long: bool) -> None:
        super().__init__(too_long)
        self.too_long = too_long


def sentence(too_long: bool, limits: Limits) -> str:
    """What to say of a picture that ended its process."""
    if too_long:
        return f"decoding it takes longer than {limits.seconds:g} seconds; it was left out"
    return "decoding it crashed the decoder or used up the memory; it was left out"


class IsolatedWorker:
    """Started when it is first asked, again after a picture took it down, and ended by close or with this process.

    A fork where this process has one thread (a few ms), else a new interpreter (0.1 s), which needs no
    `if __name__ == "__main__":` in the script. For several threads: they take turns.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._process: _Forked | _Started | None = None
        self._owner = os.getpid()
        self._lock = threading.Lock()

    def run(self, work: Callable[..., Made], *given: Any) -> Made:
        """work(*given), done there; both must be picklable. Raises Ended, and whatever work raises."""
        asked = pickle.dumps((work, given), pickle.HIGHEST_PROTOCOL)
        with self._lock:
            process = self._at_hand()
            begun = time.monotonic()
            try:
                process.requests.write(asked)
                process.requests.flush()
                is_sound, answer = pickle.load(process.answers)
            except (EOFError, OSError, pickle.UnpicklingError):
                self._process = None
                status = process.end()
                took = time.monotonic() - begun
                no_signals = not hasattr(signal, "SIGALRM")
                raise WorkerDied(
                    worker_limits.ended_by_deadline(status) or (no_signals and took >= self.limits.seconds)
                ) from None
            except BaseException:
                # Ctrl-C: half an answer may lie in the pipe.
                self._process = None
                process.kill()
                raise
        if not is_sound:
            raise answer
        made: Made = answer
        return made

    def close(self) -> None:
        """Ends the process; the next run starts another."""
        process, self._process = self._process, None
        if process is not None and self._owner == os.getpid():
            # Not by the end of its input: a worker that was forked meanwhile may hold that open.
            process.kill()

    def __enter__(self) -> "IsolatedWorker":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()

    def _at_hand(self) -> "_Forked | _Started":
        if self._owner != os.getpid():
            # This process was forked from the one that started it.
            self._process, self._owner = None, os.getpid()
        if self._process is None:
            self._process = _Forked(self.limits) if hasattr(os, "fork") and has_one_thread() else _Started(self.limits)
        return self._process


class _Forked:
    def __init__(self, limits: Limits) -> None:
        theirs_in, ours_out = os.pipe()
        ours_in, theirs_out = os.pipe()
        self._pid = os.fork()
        if not self._pid:
            try:
                os.close(ours_out)
                os.close(ours_in)
                _serve(os.fdopen(theirs_in, "rb"), os.fdopen(theirs_out, "wb"), limits)
            finally:
                # Nothing of what this process was doing may be done here as well: no clean-up, no buffers.
                os._exit(1)
        os.close(theirs_in)
        os.close(theirs_out)
        self.requests: IO[bytes] = os.fdopen(ours_out, "wb")
        self.answers: IO[bytes] = os.fdopen(ours_in, "rb")

    def end(self) -> int:
        """Waits for it; its return code, negative for a signal."""
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


class _Started:
    def __init__(self, limits: Limits) -> None:
        import subprocess

        # Not in our group: Ctrl-C is for us, and it ends when its input does.
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
        pickle.dump(limits, self.requests, pickle.HIGHEST_PROTOCOL)

    def end(self) -> int:
        _close(self.requests)
        _close(self.answers)
        return self._process.wait()

    def kill(self) -> None:
        self._process.kill()
        self.end()


def _close(stream: IO[bytes]) -> None:
    # Closing writes what is left, and nobody may be there to read it.
    with contextlib.suppress(OSError):
        stream.close()


def main() -> None:
    """What a new interpreter runs. A decoder that prints must not print among the answers."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    limits = pickle.load(sys.stdin.buffer)
    _serve(sys.stdin.buffer, answers, limits)


def _serve(requests: IO[bytes], answers: IO[bytes], limits: Limits) -> None:
    start_worker(limits)
    while True:
        try:
            work, given = pickle.load(requests)
        except EOFError:
            os._exit(0)
        try:
            answer = True, work(*given)
        except Exception as error:  # noqa: BLE001 - it is raised where the question came from
            answer = False, error
        pickle.dump(answer, answers, pickle.HIGHEST_PROTOCOL)
        answers.flush()


def start_worker(limits: Limits, notes: worker_limits.Notes | None = None, place: int = 0) -> None:
    """Makes this process a worker: Pillow's own limits follow ours, Ctrl-C is left to the one that started it.

    What C code of a decoder prints goes nowhere: libtiff tells of every damaged byte, in words from the file.
    """
    from hashindex.pictures.decode import allow

    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    os.close(silence)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    allow(limits)
    worker_limits.apply_limits(limits, notes, place)


def has_one_thread() -> bool:
    """Whether this process has a single thread, those of libraries counted; False where nobody says (not Linux)."""
    for _ in range(5):
        try:
            if len(os.listdir("/proc/self/task")) == 1:
                return True
        except OSError:
            return False
        if threading.active_count() > 1:
            return False
        # The system counts a thread for a moment after Python has joined it.
        time.sleep(0.001)
    return False
