"""Receives file events below folders from watchdog, and detects when events are lost. Reads no file.

watchdog 7.1 does not report these, so this module checks for them: an emitter or reader thread that died, a root that
is gone, back or replaced by another folder, an overflow of the kernel's queue, folders without a watch.
"""

import contextlib
import errno
import logging
import os
import queue
import stat
import threading
import warnings
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hashindex.core.language import Message
from hashindex.core.watch_events import WatchedRoot
from hashindex.disk.files import is_within, system_reason
from hashindex.disk.mounts import is_remote, mounted, type_of_mount

if TYPE_CHECKING:
    from watchdog.events import FileSystemEvent
    from watchdog.observers.api import BaseObserver, ObservedWatch

EVENTS, SWEEPING, AWAY = "events", "sweeping", "away"


class Inbox:
    """Changed paths, passed from the threads of watchdog to the thread of the daemon.

    Holds each path once, so its size is bounded by the number of files, however often they change.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._paths: dict[bytes, None] = {}
        # Of all queues only SimpleQueue may be used in a signal handler: the interrupted code could hold any lock.
        self._wake: queue.SimpleQueue[None] = queue.SimpleQueue()
        self.received = 0
        """Events since the start."""

    def put(self, paths: Iterable[bytes]) -> None:
        with self._lock:
            was_empty = not self._paths
            for path in paths:
                self._paths[path] = None
                self.received += 1
        if was_empty:
            self.wake()

    def take(self) -> list[bytes]:
        """Removes and returns all paths, in the order of their first events."""
        with self._lock:
            paths, self._paths = self._paths, {}
        return list(paths)

    def wake(self) -> None:
        """Ends a wait. May be called from a signal handler."""
        self._wake.put(None)

    def wait(self, seconds: float) -> None:
        """Returns after a put, a wake, or that many seconds."""
        try:
            self._wake.get(timeout=max(0.0, seconds))
            while True:
                self._wake.get_nowait()
        except queue.Empty:
            pass


class Watcher:
    """Watches roots, each as well as it can be watched; `roots` says how."""

    def __init__(self, inbox: Inbox, mounts: Callable[[], list[tuple[bytes, str]]] | None = None) -> None:
        self._inbox = inbox
        self._mounts = mounts or mounted
        self.observer: BaseObserver | None = None
        """watchdog's; None if the system refused it."""
        self._watches: dict[bytes, ObservedWatch] = {}
        self._identities: dict[bytes, tuple[int, int] | None] = {}
        self._overflowed = threading.Event()
        self._failed = threading.Event()
        self._log = _Overflows(self._overflowed, inbox)
        self.roots: dict[bytes, WatchedRoot] = {}

    def start(self, roots: Collection[bytes]) -> None:
        """Watches these roots and no others. Takes about 20 us for each folder below them."""
        self._stop_observer()
        self._log.attach()
        self._overflowed.clear()
        self._failed.clear()
        self.roots = {}
        problem = self._make_observer()
        for root in roots:
            self._watch(root, problem)

    def stop(self) -> None:
        """Ends the threads, without waiting for them."""
        self._stop_observer()
        self._log.detach()

    def overflowed(self) -> bool:
        """Whether events were lost since the last call."""
        lost = self._overflowed.is_set() or self._failed.is_set()
        self._overflowed.clear()
        self._failed.clear()
        return lost

    def check(self) -> list[bytes]:
        """Checks the threads and the roots, and watches anew where needed. Returns the roots to sweep."""
        if self.observer is not None and not self._is_sound(self.observer):
            self.start(list(self.roots))
            return list(self.roots)
        changed = []
        for root, before in list(self.roots.items()):
            identity = _identity(root)
            emitter = self._emitter(root)
            dead = before.how == EVENTS and (emitter is None or not emitter.is_alive())
            if identity == self._identities[root] and not dead:
                continue
            self._unwatch(root)
            self._watch(root, None if self.observer is not None else before.why)
            if self.roots[root].how != AWAY or before.how != AWAY:
                changed.append(root)
        return changed

    def limited(self, folders: Iterable[bytes]) -> bool:
        """Whether some of these folders below roots with events have no watch. Only on Linux; elsewhere False.

        watchdog ignores watches that the kernel refuses. If some are refused, the roots change to SWEEPING; the other
        watches stay. Reads one line of /proc for each watch: do not call it every second.
        """
        watched = _count_watches()
        own = [root for root, each in self.roots.items() if each.how == EVENTS]
        if watched is None or not own:
            return False
        there = sum(1 for folder in folders if any(is_within(folder, root) for root in own) and os.path.isdir(folder))
        if there <= watched:
            return False
        for root in own:
            self.roots[root] = WatchedRoot(root, SWEEPING, _too_few(watched, there))
        return True

    # Observers

    def _make_observer(self) -> str | None:
        """Returns the reason if there is no observer."""
        from watchdog.observers import Observer

        # A folder that is made while watchdog adds its watch is registered twice, which is harmless.
        warnings.filterwarnings("ignore", message="Callback with id", category=RuntimeWarning)
        try:
            observer = Observer()
            observer.start()
        except OSError as error:
            return _refused(error)
        self.observer = observer
        return None

    def _stop_observer(self) -> None:
        observer, self.observer = self.observer, None
        self._watches.clear()
        if observer is not None:
            # In a thread, because stop may wait for a thread that hangs.
            threading.Thread(target=observer.stop, daemon=True).start()

    def _watch(self, root: bytes, problem: str | None) -> None:
        self._identities[root] = _identity(root)
        if self._identities[root] is None:
            self.roots[root] = WatchedRoot(
                root, AWAY, Message("it cannot be reached now; it is watched again when it is back")
            )
            return
        kind = type_of_mount(root, self._mounts())
        if is_remote(kind):
            why = Message("it lies on {kind}, where events do not come", kind=kind)
            self.roots[root] = WatchedRoot(root, SWEEPING, why)
            return
        if self.observer is None:
            self.roots[root] = WatchedRoot(root, SWEEPING, problem or Message("the system provides no events"))
            return
        try:
            self._watches[root] = self.observer.schedule(
                _handler(self._inbox, self._failed), os.fsdecode(root), recursive=True, event_filter=_kinds()
            )
        except OSError as error:
            self.roots[root] = WatchedRoot(root, SWEEPING, _refused(error))
        else:
            self.roots[root] = WatchedRoot(root, EVENTS, None)

    def _unwatch(self, root: bytes) -> None:
        watch = self._watches.pop(root, None)
        if watch is not None and self.observer is not None:
            # An observer that is ending has dropped the watch already; the next check makes a new observer.
            with contextlib.suppress(KeyError):
                self.observer.unschedule(watch)

    def _emitter(self, root: bytes) -> Any:
        watch = self._watches.get(root)
        emitters = self.observer.emitters if self.observer is not None else ()
        return next((emitter for emitter in list(emitters) if emitter.watch == watch), None)

    def _is_sound(self, observer: "BaseObserver") -> bool:
        # The thread that reads inotify belongs to no emitter. Without it the emitters wait for ever.
        reader = getattr(observer, "_inotify_fd", None)
        return observer.is_alive() and (not isinstance(reader, threading.Thread) or reader.is_alive())


def _handler(inbox: Inbox, failed: threading.Event) -> Any:
    from watchdog.events import DirModifiedEvent, FileSystemEventHandler

    class Handler(FileSystemEventHandler):
        """Puts paths into the inbox. Never raises: an exception would silently end watchdog's thread."""

        def dispatch(self, event: "FileSystemEvent") -> None:
            try:
                if not isinstance(event, DirModifiedEvent):
                    inbox.put(os.fsencode(path) for path in (event.src_path, event.dest_path) if path)
            except Exception:  # noqa: BLE001 - see above
                failed.set()
                inbox.wake()

    return Handler()


def _kinds() -> list[type["FileSystemEvent"]]:
    # Without the events of opening and closing: our own reading would fill the kernel's queue.
    from watchdog import events

    return [
        events.FileCreatedEvent,
        events.FileModifiedEvent,
        events.FileAttribEvent,
        events.FileMovedEvent,
        events.FileDeletedEvent,
        events.DirCreatedEvent,
        events.DirMovedEvent,
        events.DirDeletedEvent,
    ]


class _Overflows(logging.Handler):
    """Detects lost events by watchdog's log messages, which is the only place that reports them. Hides the messages."""

    def __init__(self, lost: threading.Event, inbox: Inbox) -> None:
        super().__init__(logging.WARNING)
        self._lost = lost
        self._inbox = inbox
        self._loggers = [
            logging.getLogger(f"watchdog.observers.{name}")
            for name in ("inotify_c", "inotify", "read_directory_changes")
        ]

    def attach(self) -> None:
        for logger in self._loggers:
            logger.addHandler(self)
            logger.propagate = False

    def detach(self) -> None:
        for logger in self._loggers:
            logger.removeHandler(self)
            logger.propagate = True

    def emit(self, record: logging.LogRecord) -> None:
        self._lost.set()
        self._inbox.wake()


# Queries of the system


def _identity(folder: bytes) -> tuple[int, int] | None:
    try:
        info = os.stat(folder)
    except OSError:
        return None
    return (info.st_dev, info.st_ino) if stat.S_ISDIR(info.st_mode) else None


def _count_watches() -> int | None:
    """The number of watches of this process by /proc; None on other systems."""
    try:
        count = 0
        for name in os.listdir("/proc/self/fd"):
            try:
                if os.readlink(f"/proc/self/fd/{name}").startswith("anon_inode:inotify"):
                    count += Path(f"/proc/self/fdinfo/{name}").read_bytes().count(b"inotify wd:")
            except FileNotFoundError:
                continue  # the descriptor of listdir itself
        return count
    except OSError:
        return None


def _limit(name: str) -> str:
    try:
        return f"{int(Path(f'/proc/sys/fs/inotify/{name}').read_text()):,}"
    except (OSError, ValueError):
        return Message("unknown")


def _refused(error: OSError) -> str:
    if error.errno == errno.ENOSPC:
        return Message(
            "the system has no watch left for it (fs.inotify.max_user_watches is {limit}); raise it: sudo "
            "sysctl fs.inotify.max_user_watches=1048576",
            limit=_limit("max_user_watches"),
        )
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return Message(
            "the system lets no more programs watch folders (fs.inotify.max_user_instances is {limit}); "
            "raise it: sudo sysctl fs.inotify.max_user_instances=1024",
            limit=_limit("max_user_instances"),
        )
    return Message("it cannot be watched: {reason}", reason=system_reason(error))


def _too_few(watched: int, there: int) -> str:
    return Message(
        "the system watches {watched:,} of {there:,} folders only (fs.inotify.max_user_watches is "
        "{limit}); raise it: sudo sysctl fs.inotify.max_user_watches=1048576",
        watched=watched,
        there=there,
        limit=_limit("max_user_watches"),
    )
