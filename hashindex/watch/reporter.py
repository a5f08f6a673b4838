"""Reports what a daemon does: events to its caller and to the command of --notify, its state to other processes.

daemon.py decides what is reported; store/daemon_state.py writes the state.
"""

import os
import queue
import socket
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from hashindex.core.language import Message, Part
from hashindex.core.watch_events import FILE_EVENTS, WatchedRoot, WatchEvent
from hashindex.output.text.watch import event_json
from hashindex.store.daemon_state import DaemonState, read_state, write_state
from hashindex.watch.clock import Clock
from hashindex.watch.notify import Notifier

SAVE_S = 1.0
"""Shortest time between two writes of the state."""


class EventReporter:
    """The reports of one daemon. Belongs to the daemon's thread."""

    def __init__(
        self, catalogue: Path, clock: Clock, on_event: Callable[[WatchEvent], None], wake: Callable[[], None]
    ) -> None:
        """wake: called in another thread when that thread has queued a trouble."""
        self.state = DaemonState(os.getpid(), socket.gethostname(), clock.wall_ns())
        self.changed = True
        """Whether the state has changed since it was written."""
        self.saved = clock.monotonic() - SAVE_S
        """When the state was last written, by the monotonic clock."""
        self.notifier: Notifier | None = None
        self._catalogue = catalogue
        self._clock = clock
        self._on_event = on_event
        self._wake = wake
        self._troubles: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._reasons: dict[bytes, str | None] = {}
        """Root to the last reported reason why it has no events."""

    def begin(self, notify: str | None) -> None:
        """Continues from the state of the daemon before. notify: a command to run for each file event."""
        before = read_state(self._catalogue)
        self.state.started_ns = self._clock.wall_ns()
        if before is not None:
            self.state.organized = before.organized
            if before.failed is not None:
                # A service restarts the daemon at once, which must not hide the error that ended the last one.
                self.state.last_error = Message(
                    "The watch before this one was ended by an error: {error}", error=Part(before.failed)
                )
        if notify:
            self.notifier = Notifier(notify, self._queue_trouble)

    def stop(self, seconds: float) -> None:
        """Waits at most that long for the command of --notify."""
        if self.notifier is not None:
            self.notifier.stop(seconds)

    def emit(self, event: WatchEvent) -> None:
        """Counts an event and passes it on."""
        self.state.counts[event.kind] += 1
        if event.relation == "copy":
            self.state.counts["copies"] += 1
        self.changed = True
        if self.notifier is not None and event.kind in FILE_EVENTS:
            self.notifier.send(event_json(event))
        self._on_event(event)

    def emit_trouble(self, sentence: str) -> None:
        """Reports a trouble, unless it was the last one that was reported."""
        if sentence != self.state.last_error:
            self.state.last_error = sentence
            self.emit(WatchEvent("trouble", self._clock.wall_ns(), message=sentence))

    def emit_queued_troubles(self) -> None:
        """Reports the troubles that other threads have queued."""
        while not self._troubles.empty():
            self.emit_trouble(self._troubles.get())

    def _queue_trouble(self, sentence: str) -> None:
        self._troubles.put(sentence)
        self._wake()

    def emit_roots(self, roots: Iterable[WatchedRoot], sweep_s: float) -> None:
        """Reports each root without events, once for each reason. sweep_s: time between two sweeps of it."""
        for root in roots:
            if root.why is not None and self._reasons.get(root.path_bytes) != root.why:
                what = Message(
                    "{path} is looked through every {sweep_s:g} s or more: {why}",
                    path=os.fsdecode(root.path_bytes),
                    sweep_s=sweep_s,
                    why=root.why,
                )
                self.emit(WatchEvent("trouble", self._clock.wall_ns(), root.path_bytes, message=what))
            self._reasons[root.path_bytes] = root.why
        self.changed = True

    def set_doing(self, doing: str) -> None:
        """Sets the state's `doing`; see DaemonStatus."""
        if doing != self.state.doing:
            self.state.doing = doing
            self.changed = True

    def is_due(self) -> bool:
        """Whether the state should be written now."""
        return self.changed and self._clock.monotonic() - self.saved >= SAVE_S

    def save(self, roots: Iterable[WatchedRoot], queued: int, heard: int, decoded: int) -> None:
        """Writes the state. queued: paths that wait. heard, decoded: events and decoded contents since the start."""
        self.saved, self.changed = self._clock.monotonic(), False
        counts = self.state.counts.copy()
        counts["heard"], counts["decoded"] = heard, decoded
        counts["notify_failures"] = 0 if self.notifier is None else self.notifier.failed
        self.state.written_ns, self.state.roots, self.state.queue = self._clock.wall_ns(), tuple(roots), queued
        write_state(self._catalogue, replace(self.state, counts=counts))
