"""HashIndex.watch: the daemon in a thread of its own, and its events as an iterator."""

import queue
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from hashindex.core.watch_events import WatchEvent
from hashindex.watch.daemon import Daemon, WatchOptions

ASK_S = 0.5
"""Time between two calls of stop. Ctrl-C interrupts no longer wait on Windows."""


def events_of(catalogue: Path, options: WatchOptions, stop: Callable[[], bool]) -> Iterator[WatchEvent]:
    """See HashIndex.watch."""
    events: queue.SimpleQueue[WatchEvent | None] = queue.SimpleQueue()
    raised: list[BaseException] = []
    daemon = Daemon(catalogue, options, events.put)

    def run() -> None:
        try:
            daemon.run()
        except BaseException as error:  # noqa: BLE001 - raised again below
            raised.append(error)
        finally:
            events.put(None)

    thread = threading.Thread(target=run, name="watch")
    thread.start()
    try:
        yield from _until_none(events, lambda: daemon.stop() if stop() else None)
    finally:
        daemon.stop()
        thread.join()
    if raised:
        raise raised[0]


def _until_none(events: "queue.SimpleQueue[WatchEvent | None]", ask: Callable[[], None]) -> Iterator[WatchEvent]:
    """The events before None. ask: called between them, at least every ASK_S."""
    while True:
        ask()
        try:
            event = events.get(timeout=ASK_S)
        except queue.Empty:
            continue
        if event is None:
            return
        yield event
