"""Hears what happens below folders, by watchdog: collects paths and notes trouble. It decides nothing, reads no file.

What watchdog 7.1 does not say is looked for here: an emitter or a reader thread that died, a root that is gone, back
or another folder of the same name, a queue of the kernel that overflowed, folders that got no watch.
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

from hashindex.core.watch_events import WatchedRoot
from hashindex.disk.files import is_within
from hashindex.disk.mounts import is_remote, mounted, type_of_mount

if TYPE_CHECKING:
    from watchdog.events import FileSystemEvent
    from watchdog.observers.api import BaseObserver, ObservedWatch

EVENTS, SWEEPING, AWAY = "events", "sweeping", "away"


class Inbox:
    """Paths that something happened to, from the threads of watchdog to the one that reads them.

    Holds each path once, so it is bounded by the files there are and not by how often they change.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._paths: dict[bytes, None] = {}
        # Only its put may be called from a signal handler: any lock could be held by the code that was interrupted.
        self._wake: queue.SimpleQueue[None] = queue.SimpleQueue()
        self.heard = 0
        """Events so far."""

    def put(self, paths: Iterable[bytes]) -> None:
        with self._lock:
            was_empty = not self._paths
            for path in paths:
                self._paths[path] = None
                self.heard += 1
        if was_empty:
            self.wake()

    def take(self) -> list[bytes]:
        """Everything, in the order of its first event."""
        with self._lock:
            paths, self._paths = self._paths, {}
        return list(paths)

    def wake(self) -> None:
        """Ends a wait; may be called from a signal handler."""
        self._wake.put(None)

    def wait(self, seconds: float) -> None:
        """Until something is put, wake is called, or the time is over."""
        try:
            self._wake.get(timeout=max(0.0, seconds))
            while True:
                self._wake.get_nowait()
        except queue.Empty:
            pass


class Watcher:
    """Watches below roots as well as each can be watched; `roots` says how."""

    def __init__(self, inbox: Inbox, mounts: Callable[[], list[tuple[bytes, str]]] | None = None) -> None:
        self._inbox = inbox
        self._mounts = mounts or mounted
        self._observer: BaseObserver | None = None
        self._watches: dict[bytes, ObservedWatch] = {}
        self._identities: dict[bytes, tuple[int, int] | None] = {}
        self._overflowed = threading.Event()
        self._failed = threading.Event()
        self._log = _Overflows(self._overflowed, inbox)
        self.roots: dict[bytes, WatchedRoot] = {}

    def start(self, roots: Collection[bytes]) -> None:
        """Watches these and no others. Takes some 20 us for each folder below them."""
        self._stop_observer()
        self._log.attach()
        self._overflowed.clear()
        self._failed.clear()
        self.roots = {}
        problem = self._make_observer()
        for root in roots:
            self._watch(root, problem)

    def stop(self) -> None:
        """Ends the threads; does not wait for them."""
        self._stop_observer()
        self._log.detach()

    def overflowed(self) -> bool:
        """Whether events were lost since this was asked last."""
        lost = self._overflowed.is_set() or self._failed.is_set()
        self._overflowed.clear()
        self._failed.clear()
        return lost

    def check(self) -> list[bytes]:
        """Looks after the threads and the roots, and watches anew what is not. Returns the roots to be swept for it."""
        if self._observer is not None and not self._is_sound(self._observer):
            self.start(list(self.roots))
            return list(self.roots)
        concerned = []
        for root, before in list(self.roots.items()):
            identity = _identity(root)
            emitter = self._emitter(root)
            dead = before.how == EVENTS and (emitter is None or not emitter.is_alive())
            if identity == self._identities[root] and not dead:
                continue
            self._unwatch(root)
            self._watch(root, None if self._observer is not None else before.why)
            if self.roots[root].how != AWAY or before.how != AWAY:
                concerned.append(root)
        return concerned

    def limited(self, folders: Iterable[bytes]) -> bool:
        """Whether some of these folders, all below roots with events, have no watch (Linux; elsewhere never).

        watchdog passes over those that the kernel refuses. When some are refused, the roots become sweeping ones;
        what is watched stays so. Reads a line for each watch: not for every second.
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
        """Returns why there is none."""
        from watchdog.observers import Observer

        # A folder that is made while it is looked at is noted twice, which is harmless and nobody's business.
        warnings.filterwarnings("ignore", message="Callback with id", category=RuntimeWarning)
        try:
            observer = Observer()
            observer.start()
        except OSError as error:
            return _refused(error)
        self._observer = observer
        return None

    def _stop_observer(self) -> None:
        observer, self._observer = self._observer, None
        self._watches.clear()
        if observer is not None:
            # In a thread of its own: it may be that it waits for one that hangs.
            threading.Thread(target=observer.stop, daemon=True).start()

    def _watch(self, root: bytes, problem: str | None) -> None:
        self._identities[root] = _identity(root)
        if self._identities[root] is None:
            self.roots[root] = WatchedRoot(root, AWAY, "it cannot be reached now; it is watched again when it is back")
            return
        kind = type_of_mount(root, self._mounts())
        if is_remote(kind):
            why = f"it lies on {kind}, where events do not come"
            self.roots[root] = WatchedRoot(root, SWEEPING, why)
            return
        if self._observer is None:
            self.roots[root] = WatchedRoot(root, SWEEPING, problem or "events are not to be had")
            return
        try:
            self._watches[root] = self._observer.schedule(
                _handler(self._inbox, self._failed), os.fsdecode(root), recursive=True, event_filter=_kinds()
            )
        except OSError as error:
            self.roots[root] = WatchedRoot(root, SWEEPING, _refused(error))
        else:
            self.roots[root] = WatchedRoot(root, EVENTS, None)

    def _unwatch(self, root: bytes) -> None:
        watch = self._watches.pop(root, None)
        if watch is not None and self._observer is not None:
            # Of an observer that is about to end it is gone already; the next check makes another.
            with contextlib.suppress(KeyError):
                self._observer.unschedule(watch)

    def _emitter(self, root: bytes) -> Any:
        watch = self._watches.get(root)
        emitters = self._observer.emitters if self._observer is not None else ()
        return next((emitter for emitter in list(emitters) if emitter.watch == watch), None)

    def _is_sound(self, observer: "BaseObserver") -> bool:
        # The thread that reads from inotify belongs to no emitter: when it dies, they wait for ever.
        reader = getattr(observer, "_inotify_fd", None)
        return observer.is_alive() and (not isinstance(reader, threading.Thread) or reader.is_alive())


def _handler(inbox: Inbox, failed: threading.Event) -> Any:
    from watchdog.events import DirModifiedEvent, FileSystemEventHandler

    class Handler(FileSystemEventHandler):
        """Puts paths into the inbox. Never raises: that would end watchdog's thread without a word."""

        def dispatch(self, event: "FileSystemEvent") -> None:
            try:
                if not isinstance(event, DirModifiedEvent):
                    inbox.put(os.fsencode(path) for path in (event.src_path, event.dest_path) if path)
            except Exception:  # noqa: BLE001 - see above
                failed.set()
                inbox.wake()

    return Handler()


def _kinds() -> list[type["FileSystemEvent"]]:
    # Not opened and closed: our own reading would fill the kernel's queue.
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
    """watchdog tells of lost events in its log only; nothing of it reaches a handler, and nobody else need read it."""

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


# What the system says


def _identity(folder: bytes) -> tuple[int, int] | None:
    try:
        info = os.stat(folder)
    except OSError:
        return None
    return (info.st_dev, info.st_ino) if stat.S_ISDIR(info.st_mode) else None


def _count_watches() -> int | None:
    """Watches of this process, as the kernel counts them; None where it does not say."""
    try:
        count = 0
        for name in os.listdir("/proc/self/fd"):
            try:
                if os.readlink(f"/proc/self/fd/{name}").startswith("anon_inode:inotify"):
                    count += Path(f"/proc/self/fdinfo/{name}").read_bytes().count(b"inotify wd:")
            except FileNotFoundError:
                continue  # the one that listed them
        return count
    except OSError:
        return None


def _limit(name: str) -> str:
    try:
        return f"{int(Path(f'/proc/sys/fs/inotify/{name}').read_text()):,}"
    except (OSError, ValueError):
        return "unknown"


def _refused(error: OSError) -> str:
    if error.errno == errno.ENOSPC:
        return (
            f"the system has no watch left for it (fs.inotify.max_user_watches is {_limit('max_user_watches')}); "
            "raise it: sudo sysctl fs.inotify.max_user_watches=1048576"
        )
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return (
            "the system lets no more programs watch folders (fs.inotify.max_user_instances is "
            f"{_limit('max_user_instances')}); raise it: sudo sysctl fs.inotify.max_user_instances=1024"
        )
    return f"it cannot be watched: {(error.strerror or str(error)).lower()}"


def _too_few(watched: int, there: int) -> str:
    return (
        f"the system watches {watched:,} of {there:,} folders only (fs.inotify.max_user_watches is "
        f"{_limit('max_user_watches')}); raise it: sudo sysctl fs.inotify.max_user_watches=1048576"
    )
