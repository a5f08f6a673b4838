"""Tells what a daemon does: events to the person and to the command of --notify, its state to other processes.

What happened is daemon.py's to say; how the state is written, state.py's.
"""

import os
import queue
import socket
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from hashindex.core.model import FILE_EVENTS, WatchedRoot, WatchEvent
from hashindex.output.text.watch import event_json
from hashindex.store.daemon_state import failure_of, numbers_in, read_state, write_state
from hashindex.watch.clock import Clock
from hashindex.watch.notify import Notifier

SAVE_S = 1.0
"""The state is written so often at most, where nothing hurries."""


class EventReporter:
    """Of one daemon, and of the thread that runs it."""

    def __init__(
        self, catalogue: Path, clock: Clock, person: Callable[[WatchEvent], None], wake: Callable[[], None]
    ) -> None:
        """person: hears each event. wake: called in another thread when it has a trouble to tell."""
        self.counts: Counter[str] = Counter()
        self.state: dict[str, Any] = {}
        """What else other processes read, by its name in the file; said: is not written."""
        self.doing = "starting"
        self.trouble: str | None = None
        """The last one."""
        self.changed = True
        """Whether there is something to save."""
        self.saved = clock.monotonic() - SAVE_S
        self._catalogue = catalogue
        self._clock = clock
        self._person = person
        self._wake = wake
        self._notifier: Notifier | None = None
        self._troubles: queue.SimpleQueue[str] = queue.SimpleQueue()

    def begin(self, notify: str | None) -> None:
        """Takes over what an earlier daemon left. notify: a command that hears of each file."""
        before = read_state(self._catalogue) or {}
        self.state = {
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "started_ns": self._clock.wall_ns(),
            "organized": numbers_in(before.get("organized")),
        }
        failed = failure_of(before)
        if failed is not None:
            # A service starts it again at once: what ended the last one must not be lost by that.
            self.trouble = f"The watch before this one was ended by an error: {failed}"
        if notify:
            self._notifier = Notifier(notify, self._note_trouble_of_another_thread)

    def stop(self, seconds: float) -> None:
        """Waits for the command of --notify for so long at most."""
        if self._notifier is not None:
            self._notifier.stop(seconds)

    def tell(self, event: WatchEvent) -> None:
        self.counts[event.kind] += 1
        if event.relation == "copy":
            self.counts["copies"] += 1
        self.changed = True
        if self._notifier is not None and event.kind in FILE_EVENTS:
            self._notifier.send(event_json(event))
        self._person(event)

    def report_trouble(self, sentence: str) -> None:
        """Tells it, unless it was the last one that was told."""
        if sentence != self.trouble:
            self.trouble = sentence
            self.tell(WatchEvent("trouble", self._clock.wall_ns(), message=sentence))

    def note_troubles_of_other_threads(self) -> None:
        while not self._troubles.empty():
            self.report_trouble(self._troubles.get())

    def _note_trouble_of_another_thread(self, sentence: str) -> None:
        self._troubles.put(sentence)
        self._wake()

    def set_doing(self, doing: str) -> None:
        if doing != self.doing:
            self.doing = doing
            self.changed = True

    def is_due(self) -> bool:
        """Whether the state is worth writing now."""
        return self.changed and self._clock.monotonic() - self.saved >= SAVE_S

    def save(self, roots: Iterable[WatchedRoot], queued: int, heard: int, decoded: int) -> None:
        """Writes the state. queued: files that wait; heard: events so far; decoded: contents so far."""
        self.saved, self.changed = self._clock.monotonic(), False
        state = {key: value for key, value in self.state.items() if key != "said"}
        state |= {
            "written_ns": self._clock.wall_ns(),
            "doing": self.doing,
            "roots": [{"path": os.fsdecode(each.path), "how": each.how, "why": each.why} for each in roots],
            "queue": queued,
            "counts": {
                **self.counts,
                "heard": heard,
                "decoded": decoded,
                "notify_failures": 0 if self._notifier is None else self._notifier.failed,
            },
            "last_error": self.trouble,
        }
        write_state(self._catalogue, state)
