"""A running daemon: changes in a folder reach the catalogue, whichever events come."""

import errno
import hashlib
import json
import logging
import multiprocessing
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pictures import draw, fill, save, write

from hashindex import (
    Action,
    CatalogueDamaged,
    CatalogueLocked,
    CatalogueUnwritable,
    DedupeSchedule,
    HashIndex,
    OrganizeSchedule,
    Progress,
    ScanOptions,
    Severity,
    UsageError,
    WatchEvent,
    WatchOptions,
)
from hashindex.core.tags import TagRule, tag_rule
from hashindex.core.words import TextLine
from hashindex.index.judge_new import keep_relations
from hashindex.organize.organize import organize
from hashindex.output.text.status import daemon_json, daemon_text
from hashindex.output.text.watch import event_text
from hashindex.pictures.read_text import TextJob, TextResult
from hashindex.pictures.text_engine import TextModels
from hashindex.store.catalogue import Catalogue
from hashindex.store.daemon_state import daemon_lock, daemon_status, lock_path, state_path
from hashindex.watch import comparing, organizing
from hashindex.watch.clock import Clock
from hashindex.watch.daemon import Daemon
from hashindex.watch.settle import SettleQueue
from hashindex.watch.updater import CatalogueUpdater
from hashindex.watch.watching import AWAY, EVENTS, SWEEPING, Inbox, Watcher

PATIENCE_S = 60.0
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="about inotify")


def until(condition: Callable[[], object], what: str = "") -> None:
    """Waits for a condition; fails after a generous time."""
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end, what or "it never happened"
        time.sleep(0.02)


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """The daemon compares after a short rest."""
    monkeypatch.setattr("hashindex.watch.background.REST_S", 0.1)


class Running:
    """A daemon in a thread of the test, with its events."""

    def __init__(self, daemon: Daemon, events: list[WatchEvent], raised: list[BaseException]) -> None:
        self.daemon = daemon
        self.events = events
        self._raised = raised

    def kinds(self, path: Path | None = None) -> list[str]:
        wanted = None if path is None else os.fsencode(path)
        return [event.kind for event in self.events if wanted in (None, event.path_bytes)]

    def event(self, kind: str, path: Path) -> WatchEvent:
        """The event of that kind for that path, as soon as it comes."""
        until(lambda: self._raised or kind in self.kinds(path), f"{kind} {path} never came, but {self.events[-5:]}")
        assert not self._raised, f"the daemon ended: {self._raised}"
        return next(event for event in self.events if event.kind == kind and event.path_bytes == os.fsencode(path))

    def troubles(self) -> list[str | None]:
        return [event.message for event in self.events if event.kind == "trouble"]

    def swept(self, more: int = 1) -> None:
        """Waits for that many more sweeps."""
        before = self.kinds().count("swept")
        until(lambda: self.kinds().count("swept") >= before + more, "it never swept")


@contextmanager
def watching(index: HashIndex, *roots: Path, **given: Any) -> Iterator[Running]:
    """A daemon that has finished its first sweep; quick."""
    parts = {name: given.pop(name) for name in ("clock", "watcher", "inbox", "reread") if name in given}
    usual: dict[str, Any] = {"roots": tuple(map(os.fsencode, roots)), "quiet_s": 0.1}
    options = WatchOptions(**{**usual, **given})
    events: list[WatchEvent] = []
    raised: list[BaseException] = []
    daemon = Daemon(index.path, options, events.append, **parts)

    def run() -> None:
        try:
            daemon.run()
        except BaseException as error:  # noqa: BLE001 - raised again below
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    running = Running(daemon, events, raised)
    try:
        until(lambda: "watching" in running.kinds() or not thread.is_alive(), "it never began")
        yield running
    finally:
        daemon.stop()
        thread.join(PATIENCE_S)
    if raised:
        raise raised[0]


def catalogue(path: Path) -> list[tuple[Any, ...]]:
    """Every present file with its digest, size, mtime and all hashes."""
    with sqlite3.connect(path) as connection:
        rows = connection.execute(
            "SELECT folder.path, name, file.size, mtime_ns, digest, content.id, file.problem, content.problem "
            "FROM file JOIN folder ON folder.id = folder LEFT JOIN content ON content.id = content WHERE NOT missing"
        ).fetchall()
    with Catalogue(path) as reading:
        return sorted(
            (
                os.path.join(row[0], row[1]),
                row[2],
                row[3],
                row[4],
                row[6],
                row[7],
                tuple(reading.hashes_of(row[5]).items()),
            )
            if row[5] is not None
            else (os.path.join(row[0], row[1]), row[2], row[3], None, row[6], None, ())
            for row in rows
        )


def assert_as_a_fresh_scan(index: HashIndex, folder: Path, tmp_path: Path) -> None:
    fresh = HashIndex(tmp_path / "fresh.db")
    fresh.scan([folder])
    assert catalogue(index.path) == catalogue(fresh.path)


def md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes()).hexdigest()


# Changes as a chat client makes them


def test_new_pictures_are_announced_with_what_they_are_copies_of(index: HashIndex, folder: Path) -> None:
    save(draw(1), folder / "cat.png")
    with watching(index, folder) as running:
        save(draw(2), folder / "dog.png")
        assert running.event("new", folder / "dog.png").relation == "new"
        save(draw(1), folder / "cat again.gif")
        event = running.event("new", folder / "cat again.gif")
        assert (event.relation, event.other_bytes) == ("copy", os.fsencode(folder / "cat.png"))
        assert event.distance is not None and event.distance <= 24 and not event.same_bytes
        shutil.copy(folder / "dog.png", folder / "dog 2.png")
        event = running.event("new", folder / "dog 2.png")
        assert (event.relation, event.other_bytes, event.same_bytes) == ("copy", os.fsencode(folder / "dog.png"), True)
    # The first picture was there before: the first sweep announces a number only.
    assert running.kinds(folder / "cat.png") == []


def test_the_first_of_several_that_came_together_is_new(index: HashIndex, folder: Path) -> None:
    with watching(index, folder, quiet_s=0.5) as running:
        for name in "abc":
            save(draw(1), folder / f"{name}.png")
        until(lambda: len([1 for event in running.events if event.relation]) == 3)
    assert sorted(event.relation or "" for event in running.events if event.relation) == ["copy", "copy", "new"]


def test_a_renamed_picture_is_moved_and_not_decoded(index: HashIndex, folder: Path) -> None:
    fill(folder, [1, 2])
    with watching(index, folder) as running:
        (folder / "1.png").rename(folder / "one.png")
        assert running.event("moved", folder / "one.png").old_bytes == os.fsencode(folder / "1.png")
        decoded = running.daemon.updater.decoded
    assert (decoded, running.kinds(folder / "one.png")) == (2, ["moved"])


def test_a_renamed_tree_is_moved_though_its_pictures_have_to_settle(index: HashIndex, folder: Path) -> None:
    fill(folder / "2026-12" / "Ori", [1, 2])
    with watching(index, folder):
        pass
    (folder / "2026-12").rename(folder / "2027-01")
    events: list[WatchEvent] = []
    settle = SettleQueue(quiet_s=0.0)
    pictures = [os.fsencode(folder / "2027-01" / "Ori" / name) for name in ("1.png", "2.png")]
    updater = CatalogueUpdater(
        index.path,
        ScanOptions(),
        settle,
        events.append,
        clock=Clock(),
        on_progress=lambda _: None,
        on_wait=lambda: None,
    )
    # The folders come first, by events of their own for the outer and the inner one; their pictures still settle.
    for path in pictures:
        settle.add(path, 0.0)
    folders = [os.fsencode(folder / month / inner) for month in ("2026-12", "2027-01") for inner in ("", "Ori")]
    updater.update([path.rstrip(b"/") for path in folders], [os.fsencode(folder)])
    updater.update(pictures, [os.fsencode(folder)])
    updater.announce(60.0)
    updater.stop()
    assert [(event.kind, event.path_bytes) for event in events] == [("moved", path) for path in pictures]


class StoppableClock(Clock):
    """A clock that stops while a test writes: however slow the machine, no file is quiet before it is complete."""

    def __init__(self) -> None:
        self._at: tuple[float, int] | None = None

    @contextmanager
    def stopped(self) -> Iterator[None]:
        self._at = (time.monotonic(), time.time_ns())
        try:
            yield
        finally:
            self._at = None

    def monotonic(self) -> float:
        at = self._at
        return time.monotonic() if at is None else at[0]

    def wall_ns(self) -> int:
        at = self._at
        return time.time_ns() if at is None else at[1]


def test_every_way_of_writing_ends_as_a_fresh_scan_would(index: HashIndex, folder: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    paths = fill(outside, range(12))
    fill(folder, [20, 21, 22])
    clock = StoppableClock()
    with watching(index, folder, clock=clock) as running:
        with clock.stopped():
            month = folder / "2026-12" / "Ori"
            month.mkdir(parents=True)
            in_place = month / "in place.png"
            with open(in_place, "wb") as out:
                data = paths[0].read_bytes()
                for start in range(0, len(data), 4096):
                    out.write(data[start : start + 4096])
                    out.flush()
            shutil.copy(paths[1], month / "a.tmp")
            (month / "a.tmp").rename(month / "a.png")
            shutil.copy(paths[2], folder / "across.part")
            (folder / "across.part").rename(month / "across.png")
            zero = folder / "zero.png"
            zero.touch()
            rewritten = folder / "20.png"
            shutil.copy(paths[3], rewritten)
            shutil.copytree(outside, folder / "whole" / "tree")
            (folder / "21.png").unlink()
            os.link(folder / "22.png", folder / "linked.png")
            named = folder / f"{md5(paths[4])}.png"
            shutil.copy(paths[4], named)
        for path in (in_place, month / "a.png", month / "across.png", named):
            running.event("new", path)
        with clock.stopped():
            shutil.copy(paths[5], zero)
        running.event("new", zero)
        running.event("removed", folder / "21.png")
        running.event("changed", rewritten)
        until(lambda: len(running.daemon.settle) == 0)
        until(lambda: len(index.problems()) == 0 and index.status().present == 20)
        shutil.rmtree(folder / "whole")
        until(lambda: index.status().present == 8)
        (folder / "2026-12").rename(folder / "2027-01")
        running.event("moved", folder / "2027-01" / "Ori" / "a.png")
        until(lambda: len(running.daemon.settle) == 0)
        # Twelve pictures came from outside, three were there; nothing else is worth a decode.
        assert running.daemon.updater.decoded <= 15
    assert "problem" not in running.kinds()
    assert_as_a_fresh_scan(index, folder, tmp_path)


def test_a_half_written_picture_is_retried_and_no_problem(
    index: HashIndex, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = save(draw(1), tmp_path / "whole.png").read_bytes()
    with watching(index, folder) as running:
        settle = running.daemon.settle
        retry_later, retried = settle.retry_later, threading.Event()

        def noted(path: bytes, now: float) -> bool:
            retried.set()
            return retry_later(path, now)

        monkeypatch.setattr(settle, "retry_later", noted)
        (folder / "half.png").write_bytes(data[: len(data) // 2])
        until(retried.is_set)
        assert index.problems() == []
        (folder / "half.png").write_bytes(data)
        running.event("new", folder / "half.png")
    assert "problem" not in running.kinds()


def test_a_file_that_stays_broken_becomes_a_problem_once(index: HashIndex, folder: Path) -> None:
    with watching(index, folder) as running:
        running.daemon.settle.give_up_s = 0.3
        write(folder / "page.png", b"<!doctype html>", mtime_ns=time.time_ns())
        event = running.event("problem", folder / "page.png")
        assert event.message == "it has a picture's extension, but its content is an HTML page"
        running.daemon.reload()
        running.swept()
    assert running.kinds(folder / "page.png") == ["problem"]


def test_an_old_broken_picture_is_a_problem_at_once(index: HashIndex, folder: Path) -> None:
    write(folder / "page.png", b"<!doctype html>")
    with watching(index, folder) as running:
        assert running.kinds(folder / "page.png") == ["problem"]


def test_a_burst_is_read_by_workers_that_end_afterwards(
    index: HashIndex, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hashindex.watch.daemon.LET_GO_S", 0.2)
    fill(tmp_path / "outside", range(60))
    before = set(multiprocessing.active_children())
    with watching(index, folder) as running:
        shutil.copytree(tmp_path / "outside", folder / "burst")
        until(lambda: index.status().present == 60)
        # Until then everything is compared, too.
        until(lambda: running.daemon.is_idle)
        until(lambda: set(multiprocessing.active_children()) <= before, "the workers never ended")
    assert_as_a_fresh_scan(index, folder, tmp_path)


def test_hidden_and_excluded_files_are_passed_over_as_in_a_scan(index: HashIndex, folder: Path, tmp_path: Path) -> None:
    from hashindex import ScanOptions, WalkRules

    rules = ScanOptions(WalkRules(exclude=("**/Thumb/*", "Skip/", "/b/[5-7].png", "!6.png")))
    with watching(index, folder, scan=rules) as running:
        fill(folder / "a" / "Thumb", [1])
        fill(folder / "Thumb", [8])
        fill(folder / "b", [5, 6, 7])
        fill(folder / "Skip" / "deep", [2])
        fill(folder / ".hidden", [3])
        fill(folder / "b", [4])
        running.event("new", folder / "b" / "4.png")
        running.event("new", folder / "b" / "6.png")
        until(lambda: len(running.daemon.settle) == 0)
    fresh = HashIndex(tmp_path / "fresh.db")
    fresh.scan([folder], rules)
    assert catalogue(index.path) == catalogue(fresh.path)
    assert index.status().present == 2


@pytest.mark.parametrize("turned", [False, True])
def test_changes_in_a_hidden_root_inside_another_are_indexed(index: HashIndex, folder: Path, turned: bool) -> None:
    inner = folder / ".config" / "QQ"
    fill(inner, [1])
    roots = (inner, folder) if turned else (folder, inner)
    with watching(index, *roots) as running:
        fill(inner / "2026-12", [2])
        fill(folder / ".config", [3])
        running.event("new", inner / "2026-12" / "2.png")
        (inner / "1.png").unlink()
        running.event("removed", inner / "1.png")
        until(lambda: len(running.daemon.settle) == 0)
        assert running.daemon.reporter.state.counts["sweeps"] == 1
    assert index.status().present == 1


def test_the_catalogue_may_lie_in_a_watched_folder(folder: Path) -> None:
    index = HashIndex(folder / "catalogue.db")
    with watching(index, folder) as running:
        fill(folder, [1])
        running.event("new", folder / "1.png")
        until(lambda: len(running.daemon.settle) == 0)
        heard = running.daemon.reporter.state.counts.copy()
        time.sleep(0.5)
        # Its own writing causes no events.
        assert running.daemon.reporter.state.counts == heard
    assert index.status().present == 1


# When events are missing or wrong


def test_changes_before_the_start_are_found_by_the_first_sweep(index: HashIndex, folder: Path) -> None:
    fill(folder, [1, 2])
    index.scan([folder])
    (folder / "1.png").unlink()
    fill(folder, [3])
    with watching(index, folder) as running:
        assert running.kinds(folder / "1.png") == ["removed"]
        assert running.event("new", folder / "3.png").relation == "new"


class LostEvents(Inbox):
    """Drops every event."""

    def put(self, paths: object) -> None:
        pass


def test_a_sweep_finds_changes_without_events(index: HashIndex, folder: Path, tmp_path: Path) -> None:
    with watching(index, folder, inbox=LostEvents(), sweep_s=0.2) as running:
        fill(folder, range(5))
        until(lambda: index.status().present == 5)
        (folder / "0.png").unlink()
        (folder / "1.png").rename(folder / "one.png")
        until(lambda: {"removed", "moved"} <= set(running.kinds()))
    assert_as_a_fresh_scan(index, folder, tmp_path)


@linux_only
def test_an_overflow_of_the_kernel_s_queue_is_swept_after(
    index: HashIndex, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with watching(index, folder, inbox=LostEvents()) as running:
        fill(folder, [1])
        logging.getLogger("watchdog.observers.inotify_c").warning("Inotify queue overflowed; events were lost")
        until(lambda: index.status().present == 1)
        assert running.daemon.reporter.state.counts["overflows"] == 1
    # The sweep has dealt with it, so the user sees no message.
    assert "overflowed" not in caplog.text


def test_a_handler_that_raises_is_swept_after_and_receives_the_next_event(
    index: HashIndex, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inbox = Inbox()
    with watching(index, folder, inbox=inbox) as running:
        with monkeypatch.context() as broken:

            def raising(paths: object) -> None:
                raise RuntimeError("a handler that raises")

            broken.setattr(inbox, "put", raising)
            fill(folder, [1])
            until(lambda: running.daemon.reporter.state.counts["overflows"] >= 1)
        until(lambda: index.status().present == 1)
        fill(folder, [2])
        running.event("new", folder / "2.png")


@linux_only
def test_a_warning_of_watchdog_is_not_shown(index: HashIndex, folder: Path) -> None:
    with watching(index, folder), warnings.catch_warnings(record=True) as warned:
        warnings.warn("Callback with id '7' already exists for watch", RuntimeWarning, stacklevel=1)
    assert warned == []


@linux_only
@pytest.mark.parametrize("thread", ["emitter", "reader", "observer"])
def test_a_thread_of_watchdog_that_dies_is_replaced(
    index: HashIndex, folder: Path, thread: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hashindex.watch.daemon.HEALTH_S", 0.1)
    with watching(index, folder) as running:
        observer: Any = running.daemon.watcher.observer
        victim = {"emitter": next(iter(observer.emitters)), "reader": observer._inotify_fd, "observer": observer}[
            thread
        ]
        victim.stop()
        until(lambda: not victim.is_alive())
        fill(folder, [1])
        running.event("new", folder / "1.png")
        until(lambda: running.daemon.reporter.state.counts["watched_anew"] >= 1)
        fill(folder, [2])
        running.event("new", folder / "2.png")
        assert running.daemon.watcher.roots[os.fsencode(folder)].how == EVENTS


@linux_only
def test_an_observer_that_is_about_to_end_is_replaced_too(
    index: HashIndex, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hashindex.watch.daemon.HEALTH_S", 0.1)
    with watching(index, folder) as running:
        observer: Any = running.daemon.watcher.observer
        observer.unschedule_all()
        until(lambda: running.daemon.reporter.state.counts["watched_anew"] >= 1)
        fill(folder, [1])
        running.event("new", folder / "1.png")


def test_a_root_that_goes_keeps_its_rows_and_is_watched_again_when_it_is_back(
    index: HashIndex, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hashindex.watch.daemon.HEALTH_S", 0.1)
    fill(folder, [1, 2])
    with watching(index, folder) as running:
        folder.rename(tmp_path / "away")
        until(lambda: running.daemon.watcher.roots[os.fsencode(folder)].how == AWAY)
        assert index.status().present == 2
        shutil.copytree(tmp_path / "away", folder)
        until(lambda: running.daemon.watcher.roots[os.fsencode(folder)].how == EVENTS)
        fill(folder, [3])
        running.event("new", folder / "3.png")
        until(lambda: len(running.daemon.settle) == 0)
        assert running.daemon.updater.decoded == 3
    assert_as_a_fresh_scan(index, folder, tmp_path)


def test_a_root_that_was_removed_and_made_again_is_followed(
    index: HashIndex, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hashindex.watch.daemon.HEALTH_S", 0.1)
    fill(folder, [1, 2])
    with watching(index, folder, sweep_s=1.0) as running:
        shutil.rmtree(folder)
        fill(folder, [2, 3])
        running.event("new", folder / "3.png")
        until(lambda: index.status().present == 2)
        fill(folder, [4])
        running.event("new", folder / "4.png")
    assert_as_a_fresh_scan(index, folder, tmp_path)


class JumpingClock(Clock):
    """A wall clock that can be set."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def wall_ns(self) -> int:
        return time.time_ns() + int(self.ahead_s * 1e9)


@pytest.mark.parametrize("seconds", [7200.0, -7200.0])
def test_a_clock_that_jumps_changes_nothing_but_that_it_sweeps(
    index: HashIndex, folder: Path, tmp_path: Path, seconds: float
) -> None:
    clock, inbox = JumpingClock(), Inbox()
    with watching(index, folder, clock=clock, inbox=inbox) as running:
        fill(folder, [1])
        running.event("new", folder / "1.png")
        clock.ahead_s = seconds
        inbox.wake()
        running.swept()
        save(draw(2), folder / "2.png", mtime_ns=time.time_ns())
        running.event("new", folder / "2.png")
    assert_as_a_fresh_scan(index, folder, tmp_path)


@linux_only
def test_folders_beyond_the_limit_of_inotify_are_swept_and_the_limit_is_named(
    index: HashIndex, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from watchdog.observers import inotify_c

    real, made = inotify_c.inotify_add_watch, []

    def limited(fd: int, path: bytes, mask: int) -> Any:
        made.append(path)
        if len(made) > 3:
            import ctypes
            import errno

            ctypes.set_errno(errno.ENOSPC)
            return -1
        return real(fd, path, mask)

    monkeypatch.setattr(inotify_c, "inotify_add_watch", limited)
    for number in range(6):
        fill(folder / str(number), [number])
    with watching(index, folder, sweep_s=0.3) as running:
        watched = running.daemon.watcher.roots[os.fsencode(folder)]
        assert watched.how == SWEEPING
        assert watched.why is not None and "sysctl fs.inotify.max_user_watches" in watched.why
        fill(folder / "5", [15])
        running.event("new", folder / "5" / "15.png")
    assert running.kinds().count("trouble") == 1


@linux_only
def test_without_an_inotify_instance_it_sweeps(index: HashIndex, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from watchdog.observers import inotify_c

    def none_left(cls: object) -> int:
        raise OSError(24, "inotify instance limit reached")

    monkeypatch.setattr(inotify_c.InotifyFD, "_create_inotify_fd", classmethod(none_left))
    with watching(index, folder, sweep_s=0.2) as running:
        fill(folder, [1])
        running.event("new", folder / "1.png")
    assert "max_user_instances" in (running.events[0].message or "") + (running.events[1].message or "")


def test_a_network_mount_is_swept(index: HashIndex, folder: Path) -> None:
    inbox = Inbox()
    watcher = Watcher(inbox, mounts=lambda: [(b"/", "ext4"), (os.fsencode(folder), "nfs4")])
    with watching(index, folder, inbox=inbox, watcher=watcher, sweep_s=0.2) as running:
        assert watcher.roots[os.fsencode(folder)].why == "it lies on nfs4, where events do not come"
        fill(folder, [1])
        running.event("new", folder / "1.png")


# Beside other processes


def test_a_second_daemon_names_the_process_that_has_the_lock(index: HashIndex, folder: Path) -> None:
    sentence = rf"^Process {os.getpid()}, running since .* stop it first"
    with watching(index, folder), pytest.raises(CatalogueLocked, match=sentence):
        Daemon(index.path, WatchOptions((os.fsencode(folder),)), lambda event: None).run()
    # Its state stays, its lock does not.
    with daemon_lock(index.path, 0.0):
        pass


def test_status_shows_the_daemon(index: HashIndex, folder: Path) -> None:
    with watching(index, folder) as running:
        fill(folder, [1])
        running.event("new", folder / "1.png")
        until(lambda: (index.status().daemon or running.events) and index.status().daemon.counts.get("new") == 1)  # type: ignore[union-attr]
        status = index.status().daemon
        assert status is not None
        assert (status.alive, status.pid, status.queue, status.last_error) == (True, os.getpid(), 0, None)
        assert [(root.path_bytes, root.how) for root in status.roots] == [(os.fsencode(folder), EVENTS)]
        assert status.swept_ns is not None
    after = index.status().daemon
    assert after is not None
    assert (after.alive, after.doing) == (False, "stopped")


def test_the_status_of_a_killed_daemon_is_killed(index: HashIndex, folder: Path) -> None:
    fill(folder, [1])
    with watching(index, folder):
        pass
    state = json.loads(state_path(index.path).read_text())
    del state["ended"]
    state_path(index.path).write_text(json.dumps(state))
    killed = daemon_status(index.path)
    assert killed is not None
    assert (killed.alive, killed.doing) == (False, "killed")


def test_the_error_that_ends_a_daemon_is_in_its_status_and_in_that_of_the_next(index: HashIndex, folder: Path) -> None:
    fill(folder, [1])

    class Failing(Inbox):
        def wait(self, seconds: float) -> None:
            raise ZeroDivisionError("an unexpected error")

    with pytest.raises(ZeroDivisionError), watching(index, folder, inbox=Failing()):
        pass
    why = "ZeroDivisionError: an unexpected error"
    fallen = index.status().daemon
    assert fallen is not None
    assert (fallen.alive, fallen.doing, fallen.failed) == (False, "failed", why)
    assert daemon_text(fallen)[0].endswith(why)
    shown = daemon_json(fallen)
    assert shown is not None
    assert (shown["doing"], shown["failed"]) == ("failed", why)
    (finding,) = [finding for finding in index.doctor() if finding.check == "watch"]
    assert finding.severity is Severity.PROBLEM
    assert why in finding.says
    with watching(index, folder):
        after = index.status().daemon
        assert after is not None
        assert (after.alive, after.failed) == (True, None)
        assert why in (after.last_error or "")
    stopped = index.status().daemon
    assert stopped is not None
    assert (stopped.doing, stopped.failed) == ("stopped", None)


def test_a_watch_that_is_refused_leaves_no_trace(index: HashIndex, folder: Path) -> None:
    before = sorted(index.path.parent.iterdir())
    with pytest.raises(UsageError, match="hashindex watch FOLDER"):
        Daemon(index.path, WatchOptions(), lambda event: None).run()
    assert sorted(index.path.parent.iterdir()) == before
    assert [finding for finding in index.doctor() if finding.check == "watch"] == []


@pytest.mark.skipif(os.name == "nt", reason="Windows has no ctime")
def test_two_files_that_swap_names_with_equal_sizes_and_mtimes_are_noticed(index: HashIndex, folder: Path) -> None:
    first, second = save(draw(1), folder / "1.bmp"), save(draw(2), folder / "2.bmp")
    with watching(index, folder) as running:
        first.rename(folder / "x.bmp")
        second.rename(first)
        (folder / "x.bmp").rename(second)
        for path in (first, second):
            running.event("changed", path)
        # A content that no file holds for a moment is dropped, and decoded again with the next file that has it.
        assert running.daemon.updater.decoded in (2, 3)
    assert Severity.PROBLEM not in {finding.severity for finding in index.check(full=True)}


def test_it_waits_for_the_catalogue_while_another_process_writes_and_then_goes_on(
    index: HashIndex, folder: Path
) -> None:
    fill(folder, [1])
    with watching(index, folder) as running:
        other = sqlite3.connect(index.path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        fill(folder, [2])
        until(lambda: running.daemon.reporter.state.doing == "reading")
        time.sleep(0.6)
        assert running.kinds(folder / "2.png") == []
        other.execute("COMMIT")
        other.close()
        running.event("new", folder / "2.png")
        until(lambda: running.daemon.updater.decoded == 2)


def test_it_can_be_stopped_while_it_waits_for_the_catalogue(index: HashIndex, folder: Path) -> None:
    fill(folder, [1])
    with watching(index, folder) as running:
        other = sqlite3.connect(index.path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        fill(folder, [2])
        until(lambda: running.daemon.reporter.state.doing == "reading")
    other.close()


def test_the_other_commands_work_beside_it(index: HashIndex, folder: Path, tmp_path: Path) -> None:
    index = HashIndex(index.path)
    fill(folder, range(4))
    with watching(index, folder) as running:
        fill(folder / "more", range(10, 40))
        index.scan([folder])
        index.groups()
        index.query(folder / "1.png")
        organized = index.organize(tmp_path / "stickers", rest=True)
        assert organized.outcome.refused == ()
        index.undo()
        until(lambda: index.status().present == 34)
        until(lambda: len(running.daemon.settle) == 0)
    assert_as_a_fresh_scan(index, folder, tmp_path)


def test_a_root_that_is_scanned_or_forgotten_beside_it_is_taken_up_in_the_next_sweep(
    index: HashIndex, folder: Path, tmp_path: Path
) -> None:
    fill(folder, [1])
    index.scan([folder])
    other = tmp_path / "other"
    fill(other, [2])
    with watching(index, sweep_s=0.2) as running:
        HashIndex(index.path).scan([other])
        until(lambda: os.fsencode(other) in running.daemon.watcher.roots)
        fill(other, [3])
        running.event("new", other / "3.png")
        HashIndex(index.path).forget(folder)
        until(lambda: os.fsencode(folder) not in running.daemon.watcher.roots)
    assert index.status().present == 2


def test_without_any_folder_the_error_names_the_way_out(index: HashIndex) -> None:
    with pytest.raises(UsageError, match="hashindex watch FOLDER"):
        Daemon(index.path, WatchOptions(), lambda event: None).run()


def test_reload_takes_new_options(index: HashIndex, folder: Path) -> None:
    from hashindex import ScanOptions, WalkRules

    fill(folder / ".hidden", [1])
    new = WatchOptions((os.fsencode(folder),), ScanOptions(WalkRules(hidden=True)), quiet_s=0.1)
    with watching(index, folder, reread=lambda: new) as running:
        assert index.status().present == 0
        running.daemon.reload()
        until(lambda: index.status().present == 1)


def test_settings_that_cannot_be_read_again_change_nothing(index: HashIndex, folder: Path) -> None:
    def broken() -> WatchOptions:
        raise UsageError("The settings file has an unknown key.")

    with watching(index, folder, reread=broken) as running:
        running.daemon.reload()
        until(lambda: "trouble" in running.kinds())
        fill(folder, [1])
        running.event("new", folder / "1.png")


# Organizing and notifying


def test_it_organizes_when_it_is_due_and_a_restart_does_not_begin_anew(
    index: HashIndex, folder: Path, tmp_path: Path
) -> None:
    stickers = tmp_path / "stickers"
    schedule = OrganizeSchedule(str(stickers), 86400.0, rest=True)
    fill(folder, [1, 2])
    with watching(index, folder, organize=schedule) as running:
        until(lambda: "organized" in running.kinds())
    assert sorted(name for name in os.listdir(stickers) if name[0] != ".") == ["00001.png", "00002.png"]
    with watching(index, folder, organize=schedule) as running:
        fill(folder, [3])
        running.event("new", folder / "3.png")
        status = index.status().daemon
        assert status is not None and status.organizes_ns is not None and status.organized_ns is not None
        assert status.organizes_ns - status.organized_ns == 86400 * 10**9
    assert "organized" not in running.kinds()


def test_it_organizes_with_keepers_and_templates(index: HashIndex, folder: Path, tmp_path: Path) -> None:
    save(draw(1), folder / "cat.png")
    save(draw(1), folder / "cat.bmp")
    stickers = tmp_path / "stickers"
    schedule = OrganizeSchedule(str(stickers), 86400.0, keepers=True, name="{stem}", folder="{kind}/{group}")
    with watching(index, folder, organize=schedule) as running:
        until(lambda: "organized" in running.kinds())
    assert len(list((stickers / "still" / "00001").iterdir())) == 1
    with (
        pytest.raises(UsageError, match="unknown field"),
        watching(index, folder, organize=replace(schedule, name="{x}")),
    ):
        pass


def test_it_dedupes_when_it_is_due_before_it_organizes(
    index: HashIndex, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    save(draw(1), folder / "cat.png")
    save(draw(1), folder / "cat.jpg", quality=60)
    stickers = tmp_path / "stickers"
    organize = OrganizeSchedule(str(stickers), 86400.0, rest=True)
    with watching(index, folder, organize=organize, dedupe=DedupeSchedule(86400.0)) as running:
        until(lambda: "organized" in running.kinds())
        assert [kind for kind in running.kinds() if kind in ("deduped", "organized")] == ["deduped", "organized"]
        save(draw(2), folder / "dog.png")
        running.event("new", folder / "dog.png")
    assert sorted(os.listdir(folder)) == ["cat.png", "dog.png"]
    assert sorted(name for name in os.listdir(stickers) if name[0] != ".") == ["00001.png"]
    assert [batch.command for batch in index.history()] == ["dedupe", "organize"]
    assert "removed" not in running.kinds()
    # A restart within the interval removes nothing.
    save(draw(1), folder / "cat again.jpg", quality=50)
    with watching(index, folder, dedupe=DedupeSchedule(86400.0)) as running:
        save(draw(3), folder / "owl.png")
        running.event("new", folder / "owl.png")
    assert "deduped" not in running.kinds() and (folder / "cat again.jpg").exists()


def test_files_organized_into_a_watched_folder_are_not_announced(index: HashIndex, folder: Path) -> None:
    stickers = folder / "stickers"
    fill(folder, [1, 2])
    with watching(index, folder, organize=OrganizeSchedule(str(stickers), 86400.0, rest=True)) as running:
        until(lambda: "organized" in running.kinds())
        fill(folder, [3])
        running.event("new", folder / "3.png")
        until(lambda: len(running.daemon.settle) == 0)
        assert index.organize(stickers, rest=True).outcome.done == 1
        running.daemon.reload()
        running.swept()
        until(lambda: len(running.daemon.settle) == 0)
    assert {event.path_bytes for event in running.events if event.relation} == {os.fsencode(folder / "3.png")}


def test_organizing_that_is_impossible_is_reported_and_the_watch_goes_on(index: HashIndex, folder: Path) -> None:
    fill(folder, [1])
    with watching(index, folder, organize=OrganizeSchedule(str(folder), 86400.0)) as running:
        until(lambda: "trouble" in running.kinds())
        fill(folder, [2])
        running.event("new", folder / "2.png")


def test_a_destination_whose_drive_is_gone_is_reported_and_tried_again(
    index: HashIndex, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hashindex.watch.organizing.AGAIN_S", 0.2)
    stickers = tmp_path / "drive" / "stickers"
    fill(folder, [1])
    index.scan([folder])
    index.organize(stickers, rest=True)
    stickers.parent.rename(tmp_path / "unplugged")
    with watching(index, folder, organize=OrganizeSchedule(str(stickers), 86400.0, rest=True)) as running:
        until(lambda: "trouble" in running.kinds())
        (message,) = running.troubles()
        assert message is not None and "is not there. Connect its drive" in message
        assert not stickers.parent.exists()
        (tmp_path / "unplugged").rename(stickers.parent)
        until(lambda: "organized" in running.kinds())
    assert running.kinds().count("trouble") == 1


@pytest.mark.parametrize(
    "failure",
    [OSError(errno.ENOSPC, "No space left on device"), UsageError("No room.")],
    ids=["from the system", "of ours"],
)
def test_organizing_that_fails_is_tried_again_while_the_watch_goes_on(
    index: HashIndex, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    monkeypatch.setattr("hashindex.watch.organizing.AGAIN_S", 0.2)
    works = organize
    failures = [failure, failure]

    def failing(*given: Any, **named: Any) -> Any:
        if failures:
            raise failures.pop()
        return works(*given, **named)

    monkeypatch.setattr(organizing, "organize", failing)
    fill(folder, [1])
    with watching(index, folder, organize=OrganizeSchedule(str(tmp_path / "out"), 86400.0, rest=True)) as running:
        until(lambda: "organized" in running.kinds())
    assert running.kinds().count("trouble") == 1


def test_organizing_that_stopped_early_is_reported(
    index: HashIndex, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    works = organize

    def full(*given: Any, **named: Any) -> Any:
        organized = works(*given, **named)
        return organized._replace(outcome=organized.outcome._replace(stopped="the disk is full"))

    monkeypatch.setattr(organizing, "organize", full)
    fill(folder, [1])
    with watching(index, folder, organize=OrganizeSchedule(str(tmp_path / "out"), 86400.0, rest=True)) as running:
        until(lambda: "trouble" in running.kinds())
        assert running.troubles() == ["--organize: the disk is full"]


def test_moving_out_of_a_client_s_folder_needs_an_option(index: HashIndex, folder: Path, tmp_path: Path) -> None:
    pictures = folder / "nt_data" / "Pic"
    fill(pictures / "2026-11" / "Ori", [1])
    schedule = OrganizeSchedule(str(tmp_path / "out"), 86400.0, Action.MOVE, rest=True)
    with (
        pytest.raises(UsageError, match=r"is a folder of QQ itself.*--from-client-cache"),
        watching(index, pictures, organize=schedule),
    ):
        pass
    # Below a root that contains such a folder, organize refuses when it meets the file.
    with watching(index, folder, organize=schedule) as running:
        until(lambda: "trouble" in running.kinds())
    assert not (tmp_path / "out").exists()
    with watching(index, pictures, organize=replace(schedule, from_client_cache=True)) as running:
        until(lambda: "organized" in running.kinds())
    assert len(list((tmp_path / "out").glob("*.png"))) == 1


def test_the_sizes_of_one_picture_are_announced_as_one(index: HashIndex, folder: Path, tmp_path: Path) -> None:
    month = folder / "nt_data" / "Pic" / "2026-11"
    for kind in ("Ori", "Thumb"):
        (month / kind).mkdir(parents=True)
    stem = "d41d8cd98f00b204e9800998ecf8427e"
    thumb, original = month / "Thumb" / f"{stem}_720.png", month / "Ori" / f"{stem}.png"
    with watching(index, folder) as running:
        save(draw(1).resize((80, 60)), thumb)
        assert running.event("new", thumb).relation == "new"
        save(draw(1), original)
        event = running.event("better", original)
        assert (event.old_bytes, event.relation, event.other_bytes) == (os.fsencode(thumb), "new", None)
        save(draw(1).resize((60, 45)), month / "Thumb" / f"{stem}_0.png")
        save(draw(2), folder / "last.png")
        running.event("new", folder / "last.png")
        until(lambda: running.daemon.is_idle)
        save(draw(1).resize((200, 150)), folder / "saved.png")
        # The event names the original, not one of its thumbnails.
        event = running.event("new", folder / "saved.png")
        assert event.other_bytes == os.fsencode(original)
    assert [kind for kind in running.kinds() if kind in ("new", "better")] == ["new", "better", "new", "new"]


def test_verdicts_about_a_new_picture_are_saved(index: HashIndex, folder: Path) -> None:
    save(draw(1), folder / "cat.png")
    with watching(index, folder) as running:
        save(draw(1), folder / "cat again.gif")
        running.event("new", folder / "cat again.gif")
    with Catalogue(index.path) as reading:
        assert sum(reading.verdicts.counts().get(label, 0) for label in ("identical", "copy")) == 1


def test_with_very_many_pending_events_no_picture_is_opened_again(
    index: HashIndex, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hashindex.watch.updater.MOST_PENDING", 0)
    monkeypatch.setattr("hashindex.watch.background.REST_S", 600.0)
    save(draw(1), folder / "cat.png")
    with watching(index, folder) as running:
        save(draw(1), folder / "cat again.gif")
        assert running.event("new", folder / "cat again.gif").relation == "new"
        shutil.copy(folder / "cat.png", folder / "cat 2.png")
        assert running.event("new", folder / "cat 2.png").same_bytes


def test_comparing_pauses_for_a_burst_and_continues_after_it(
    index: HashIndex, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hashindex.watch.daemon.LITTLE", 8)
    under_way, give_way = threading.Event(), threading.Event()
    works = keep_relations

    def slow(*given: Any, on_progress: Callable[[Progress], None], **named: Any) -> int:
        under_way.set()
        give_way.wait(PATIENCE_S)
        on_progress(Progress(0, 0, 0, walking=False, comparing=True))
        return works(*given, on_progress=on_progress, **named)

    monkeypatch.setattr(comparing, "keep_relations", slow)
    fill(tmp_path / "outside", range(20))
    fill(folder, [30])
    with watching(index, folder) as running:
        until(under_way.is_set)
        # Files that come meanwhile are read.
        shutil.copytree(tmp_path / "outside", folder / "burst")
        until(lambda: index.status().present == 21)
        monkeypatch.setattr(comparing, "keep_relations", works)
        give_way.set()
        until(lambda: running.daemon.is_idle)
    with Catalogue(index.path) as reading:
        assert not reading.verdicts.has_work((0,), variants=True)


def test_a_comparison_that_fails_is_reported_and_the_watch_goes_on(
    index: HashIndex, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*given: Any, **named: Any) -> int:
        raise ValueError("one and one is three")

    with monkeypatch.context() as broken:
        broken.setattr(comparing, "keep_relations", failing)
        fill(folder, [1])
        with watching(index, folder) as running:
            until(lambda: "trouble" in running.kinds())
            assert running.troubles() == ["Pictures could not be compared: ValueError: one and one is three"]
            fill(folder, [2])
            running.event("new", folder / "2.png")


def with_reader(monkeypatch: pytest.MonkeyPatch, read: Callable[[TextJob], TextResult]) -> None:
    """The daemon reads words by this function instead of a process with a text engine."""

    def run_in(worker: object, work: object, jobs: Sequence[TextJob], on_crash: object) -> Iterator[TextResult]:
        return map(read, jobs)

    monkeypatch.setattr("hashindex.pictures.text_engine.installed_models", lambda: TextModels((), "drawn"))
    monkeypatch.setattr("hashindex.pictures.worker_pool.run_in", run_in)


def texts(index: HashIndex) -> list[str]:
    with Catalogue(index.path) as reading:
        contents = [file.content.id for file in reading.present_pictures()]
        return sorted(line.text for lines in reading.words.of(contents).values() for line in lines)


def test_words_are_read_at_rest_of_old_and_of_new_pictures(
    index: HashIndex, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_reader(monkeypatch, lambda job: TextResult([TextLine(os.path.basename(job.path).decode(), 0.9)]))
    fill(folder, range(3))
    with watching(index, folder, read=True) as running:
        until(lambda: texts(index) == ["0.png", "1.png", "2.png"])
        fill(folder, [3])
        until(lambda: len(texts(index)) == 4)
        until(lambda: running.daemon.is_idle)
    read = [event.numbers for event in running.events if event.kind == "read"]
    assert (sum(one["pictures"] for one in read), sum(one["with_words"] for one in read)) == (4, 4)
    with watching(index, folder) as running:
        fill(folder, [4])
        running.event("new", folder / "4.png")
        until(lambda: running.daemon.is_idle)
    assert len(texts(index)) == 4, "without the option nothing is read"


def test_reading_words_pauses_for_a_burst_and_reads_nothing_twice(
    index: HashIndex, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hashindex.watch.daemon.LITTLE", 4)
    under_way, give_way = threading.Event(), threading.Event()
    read: list[bytes] = []

    def slow(job: TextJob) -> TextResult:
        under_way.set()
        give_way.wait(PATIENCE_S)
        read.append(os.path.basename(job.path))
        return TextResult([TextLine("hello", 0.9)])

    with_reader(monkeypatch, slow)
    fill(tmp_path / "outside", range(10, 20))
    fill(folder, range(3))
    with watching(index, folder, read=True) as running:
        until(under_way.is_set)
        shutil.copytree(tmp_path / "outside", folder / "burst")
        until(lambda: index.status().present == 13)
        give_way.set()
        until(lambda: running.daemon.is_idle)
    assert len(read) == len(set(read)) == 13


def tagged(index: HashIndex) -> dict[str, int]:
    return {one.tag: one.pictures for one in index.tags()}


def test_rules_tag_new_pictures_at_rest_and_after_words_were_read(
    index: HashIndex, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_reader(monkeypatch, lambda job: TextResult([TextLine(f"number {os.path.basename(job.path).decode()}", 0.9)]))
    rules = (tag_rule(f"work=under:{folder / 'work'}"), tag_rule("third=word:number 3"))
    fill(folder / "work", [0])
    fill(folder, [1])
    with watching(index, folder, read=True, tags=rules) as running:
        until(lambda: tagged(index) == {"work": 1})
        fill(folder / "work", [2])
        os.rename(folder / "1.png", folder / "work" / "1.png")
        fill(folder, [3])
        until(lambda: tagged(index) == {"work": 3, "third": 1})
        until(lambda: running.daemon.is_idle)
        index.untag(["work"], [folder / "work" / "2.png"])
        fill(folder / "work", [4])
        until(lambda: index.tags_of([folder / "work" / "4.png"]) == [["work"]])
    assert index.tags_of([folder / "work" / "2.png"]) == [[]], "what the user took away no rule gives again"


def test_new_rules_are_applied_after_a_reload(index: HashIndex, folder: Path) -> None:
    fill(folder, [0])
    rules = (tag_rule(f"all=under:{folder}"),)
    options = WatchOptions([folder], quiet_s=0.1, tags=rules)
    with watching(index, folder, reread=lambda: options) as running:
        until(lambda: running.daemon.is_idle)
        assert tagged(index) == {}
        running.daemon.reload()
        until(lambda: tagged(index) == {"all": 1})


def test_rules_that_fail_are_reported_and_the_watch_goes_on(
    index: HashIndex, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(catalogue: Catalogue, rules: Sequence[TagRule]) -> int:
        raise ValueError("wrong")

    monkeypatch.setattr("hashindex.index.tagging.tag_by_rules", failing)
    fill(folder, [1])
    with watching(index, folder, tags=(tag_rule("a=word:b"),)) as running:
        until(lambda: "trouble" in running.kinds())
        assert running.troubles() == ["The rules for tags could not be applied: ValueError: wrong"]
        fill(folder, [2])
        running.event("new", folder / "2.png")


def test_a_text_engine_that_is_gone_is_reported_and_the_watch_goes_on(
    index: HashIndex, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone() -> TextModels:
        raise UsageError("Reading words needs an extra.")

    monkeypatch.setattr("hashindex.pictures.text_engine.installed_models", gone)
    fill(folder, [1])
    with watching(index, folder, read=True) as running:
        until(lambda: "trouble" in running.kinds())
        assert running.troubles() == ["Reading words needs an extra."]
        fill(folder, [2])
        running.event("new", folder / "2.png")


def test_a_command_runs_for_each_change(index: HashIndex, folder: Path, tmp_path: Path) -> None:
    heard = tmp_path / "heard.jsonl"
    script = tmp_path / "hear me.py"
    script.write_text(f"import sys\nwith open({str(heard)!r}, 'a') as out:\n    out.write(sys.stdin.read())\n")
    command = f'"{sys.executable}" "{script}"'
    fill(folder, [1])
    with watching(index, folder, notify=command):
        hostile = folder / "a; touch $(owned) 'x'.png"
        save(draw(2), hostile)
        until(lambda: heard.exists() and heard.read_text().endswith("\n"))
    (line,) = [json.loads(line) for line in heard.read_text().splitlines()]
    assert (line["event"], line["path"], line["relation"]) == ("new", str(hostile), "new")


def test_a_command_that_fails_is_reported_once_and_counted(index: HashIndex, folder: Path) -> None:
    with watching(index, folder, notify=f'"{sys.executable}" -c "raise SystemExit(7)"') as running:
        fill(folder, [1, 2, 3])
        until(lambda: (notifier := running.daemon.reporter.notifier) is not None and notifier.failed == 3)
        until(lambda: "trouble" in running.kinds())
    assert running.troubles() == [f"--notify: {sys.executable} failed with exit code 7"]


# As a process


def start(index: HashIndex, *words: object) -> "subprocess.Popen[str]":
    environment = {**os.environ, "HASHINDEX_CATALOGUE": str(index.path), "XDG_CONFIG_HOME": str(index.path.parent)}
    return subprocess.Popen(
        [sys.executable, "-m", "hashindex", "watch", *map(str, words)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def first(process: "subprocess.Popen[str]", kind: str) -> dict[str, Any]:
    """The first event of that kind that it prints."""
    assert process.stdout is not None
    for line in process.stdout:
        event: dict[str, Any] = json.loads(line)
        if event["event"] == kind:
            return event
    raise AssertionError(f"it ended without {kind}: {process.communicate()[1]}")


@pytest.mark.skipif(os.name == "nt", reason="signals")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_signal_in_the_first_sweep_commits_and_ends_it(
    index: HashIndex, folder: Path, number: int, code: int, tmp_path: Path
) -> None:
    fill(folder, range(150))
    process = start(index, folder, "--json")
    until(lambda: daemon_status(index.path) is not None and index.path.exists() and _rows(index.path))
    process.send_signal(number)
    assert process.wait(PATIENCE_S) == code
    with sqlite3.connect(index.path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    process.communicate()
    HashIndex(index.path).scan()
    assert_as_a_fresh_scan(index, folder, tmp_path)


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_the_number_of_watched_folders_is_printed(index: HashIndex, folder: Path) -> None:
    process = start(index, folder)
    assert process.stderr is not None
    assert process.stderr.readline() == "Watching 1 folder; Ctrl-C ends it.\n"
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE_S) == 0
    process.communicate()


def _rows(path: Path) -> int:
    try:
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
            return int(connection.execute("SELECT count(*) FROM file").fetchone()[0])
    except sqlite3.Error:
        return 0


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_a_daemon_that_was_killed_is_followed_by_one_that_converges(
    index: HashIndex, folder: Path, tmp_path: Path
) -> None:
    fill(tmp_path / "outside", range(80))
    process = start(index, folder, "--json", "--settle", "100ms")
    first(process, "watching")
    shutil.copytree(tmp_path / "outside", folder / "burst")
    until(lambda: _rows(index.path))
    process.kill()
    process.communicate()
    status = daemon_status(index.path)
    assert status is not None and status.doing == "killed"
    with watching(index, folder) as running:
        until(lambda: index.status().present == 80)
        until(lambda: len(running.daemon.settle) == 0)
    assert_as_a_fresh_scan(index, folder, tmp_path)


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_the_command_prints_json_events_and_refuses_a_second(index: HashIndex, folder: Path) -> None:
    process = start(index, folder, "--json", "--settle", "100ms")
    try:
        first(process, "watching")
        save(draw(1), folder / "cat.png")
        event = first(process, "new")
        assert (event["path"], event["relation"], event["other"]) == (str(folder / "cat.png"), "new", None)
        second = start(index, folder)
        assert second.wait(PATIENCE_S) == 5
        assert f"Process {process.pid}, running since" in second.communicate()[1]
        process.send_signal(signal.SIGHUP)
        first(process, "swept")
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate()
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--settle", "soon"), "takes a time"),
        (("--notify", "'"), "is no command"),
        (("/nowhere/at/all",), "there is no such folder"),
    ],
)
def test_wrong_arguments_are_a_sentence(index: HashIndex, folder: Path, words: tuple[str, ...], sentence: str) -> None:
    process = start(index, *(words if words[0][0] == "/" else (folder, *words)))
    out, err = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, out) == (2, "")
    assert sentence in err
    assert "Traceback" not in err


@pytest.mark.skipif(os.name == "nt", reason="permissions")
def test_a_lock_of_another_user_is_a_sentence(index: HashIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*given: object, **named: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(lock_path(index.path)))

    monkeypatch.setattr("filelock.FileLock.acquire", refused)
    with (
        pytest.raises(CatalogueUnwritable, match="as another user once: remove that file"),
        daemon_lock(index.path, 0.0),
    ):
        pass


def test_a_catalogue_that_is_damaged_beside_it_is_set_aside_and_filled_again(index: HashIndex, folder: Path) -> None:
    save(draw(1), folder / "a.png")
    save(draw(2), folder / "b.png")
    index.scan([folder])
    words = index.separate(folder / "a.png", folder / "b.png").decisions
    with watching(index, folder) as running:
        connection = sqlite3.connect(index.path)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        rows = connection.execute("SELECT rootpage FROM sqlite_schema WHERE tbl_name = 'file' AND rootpage").fetchall()
        connection.close()
        with index.path.open("rb+") as pages:
            for (page,) in rows:
                pages.seek((page - 1) * 4096)
                pages.write(b"\xa5" * 4096)
        save(draw(3), folder / "c.png", mtime_ns=time.time_ns())
        until(lambda: list(index.path.parent.glob("*.damaged-*")), "it was not set aside")

        def is_whole() -> bool:
            # Until the new one has its name, what reads meets the damage.
            with suppress(CatalogueDamaged):
                return index.status().present == 3
            return False

        until(is_whole, "it was not filled again")
    assert any("was damaged and is set aside" in (event.message or "") for event in running.events)
    assert index.decisions() == list(words)


def test_what_the_comparison_finds_out_about_a_new_picture_is_announced(index: HashIndex, folder: Path) -> None:
    # Too far apart for the default hash, so that only the comparison in the background finds them.
    picture = draw(1, (400, 300))
    save(picture, folder / "whole.png")
    save(draw(2), folder / "other.png")
    index.scan([folder])
    with watching(index, folder) as running:
        save(picture.crop((70, 50, 400, 300)), folder / "crop.png")
        assert running.event("new", folder / "crop.png").relation == "new"
        found = running.event("compared", folder / "crop.png")
        assert (found.other_bytes, found.other_gone) == (os.fsencode(folder / "whole.png"), False)
        assert found.relation in ("copy", "variant")
        assert event_text(found) == f"compared {folder / 'crop.png'}: {found.relation} of {folder / 'whole.png'}"
        save(draw(3), folder / "stranger.png")
        running.event("new", folder / "stranger.png")
        until(lambda: running.daemon.is_idle)
        assert running.kinds().count("compared") == 1


def test_of_two_new_variants_the_later_one_is_announced_as_a_variant(index: HashIndex, folder: Path) -> None:
    picture = draw(1, (400, 300))
    save(draw(2), folder / "other.png")
    index.scan([folder])
    with watching(index, folder) as running:
        save(picture, folder / "a.png")
        save(picture.crop((70, 50, 400, 300)), folder / "b.png")
        running.event("new", folder / "a.png")
        running.event("new", folder / "b.png")
        until(lambda: running.daemon.is_idle and "compared" in running.kinds())
        assert running.kinds().count("compared") == 1
