"""Processes that may be taken down by a picture: what ends them, and what is said of the picture."""

import multiprocessing
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from pictures import draw, fill, save

import hashindex.index.reading
import hashindex.pictures.decode
from hashindex import HashIndex, Limits, ScanOptions, UnreadablePicture
from hashindex.pictures import isolated_worker, worker_limits
from hashindex.pictures.isolated_worker import IsolatedWorker, WorkerDied
from hashindex.pictures.worker_pool import WorkerPool

BRIEF = Limits(seconds=0.5)
posix_only = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork: the test changes the program")
linux_only = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="memory has a ceiling on Linux alone")


def for_ever() -> None:
    """One call into C that never comes back to Python."""
    sum(range(10**15))


def crash() -> None:
    """As the system does where memory is short; a decoder's own signals would have the test runner print a lot."""
    os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))


def too_long(limits: Limits) -> None:
    with worker_limits.deadline(limits.seconds):
        for_ever()


def in_time(limits: Limits) -> str:
    with worker_limits.deadline(limits.seconds):
        pass
    time.sleep(1.5 * limits.seconds)
    return "done"


def hoard(count: int) -> int:
    return len(bytearray(count))


@pytest.fixture(params=["forked", "started"])
def worker(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    if request.param == "started":
        monkeypatch.setattr(isolated_worker, "has_one_thread", lambda: False)
    with IsolatedWorker(BRIEF) as process:
        yield process


def test_a_process_alone_does_one_thing_after_the_other(worker: IsolatedWorker) -> None:
    first = worker.run(os.getpid)
    assert first != os.getpid()
    assert (worker.run(len, b"abc"), worker.run(os.getpid)) == (3, first)


def test_what_is_raised_there_is_raised_here_and_the_process_stays(worker: IsolatedWorker) -> None:
    first = worker.run(os.getpid)
    with pytest.raises(UnreadablePicture, match="not a supported picture"):
        worker.run(hashindex.pictures.frames.small_frames, b"text", Limits(), 64)
    assert worker.run(os.getpid) == first


def test_c_code_that_never_returns_is_ended_by_the_clock(worker: IsolatedWorker) -> None:
    with pytest.raises(WorkerDied) as ended:
        worker.run(too_long, BRIEF)
    assert ended.value.too_long
    assert worker.run(len, b"next") == 4


def test_the_clock_stops_when_the_work_is_done(worker: IsolatedWorker) -> None:
    assert worker.run(in_time, BRIEF) == "done"


def test_a_crash_ends_the_process_and_the_next_question_has_another(worker: IsolatedWorker) -> None:
    first = worker.run(os.getpid)
    with pytest.raises(WorkerDied) as ended:
        worker.run(crash)
    assert not ended.value.too_long
    assert worker.run(os.getpid) != first


@linux_only
def test_memory_beyond_the_limit_is_an_error_and_no_killing(worker: IsolatedWorker) -> None:
    with IsolatedWorker(Limits(memory=200 * 2**20)) as small:
        assert small.run(hoard, 100 * 2**20) == 100 * 2**20
        with pytest.raises(MemoryError):
            small.run(hoard, 300 * 2**20)


def test_a_process_that_is_not_ours_is_neither_timed_nor_limited() -> None:
    before = signal.getsignal(signal.SIGALRM) if hasattr(signal, "SIGALRM") else None
    with worker_limits.deadline(0.05):
        time.sleep(0.2)
    assert before == (signal.getsignal(signal.SIGALRM) if hasattr(signal, "SIGALRM") else None)


def test_nothing_that_a_decoder_prints_reaches_the_terminal(
    worker: IsolatedWorker, capfd: pytest.CaptureFixture[str]
) -> None:
    assert worker.run(os.write, 1, b"\x1b]0;title\x07") == 10
    assert worker.run(os.write, 2, b"JPEGLib: \x1b[2J") == 13
    worker.close()
    assert capfd.readouterr() == ("", "")


def test_threads_take_turns_at_one_process(worker: IsolatedWorker) -> None:
    found: list[int] = []
    threads = [threading.Thread(target=lambda n=n: found.append(worker.run(len, bytes(n)))) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == list(range(20))


def test_a_pool_that_is_stopped_ends_its_own_processes_and_no_other_child() -> None:
    # A program that uses this package has children of its own.
    context = multiprocessing.get_context("spawn")
    go_on = context.Event()
    other = context.Process(target=go_on.wait)
    other.start()
    pool = WorkerPool(BRIEF, 1)
    try:
        pid = pool.executor().submit(os.getpid).result()
        own = next(child for child in multiprocessing.active_children() if child.pid == pid)
        pool.stop()
        own.join()
        assert (own.exitcode != 0, other.is_alive()) == (True, True)
    finally:
        go_on.set()
        other.join()
    assert other.exitcode == 0


# In a scan


def bad_decoder(monkeypatch: pytest.MonkeyPatch, bad: dict[tuple[int, int], Any]) -> None:
    """Pictures of these sizes have this happen to whoever decodes them; forked workers have it too."""
    usual = hashindex.pictures.decode._decode

    def decode(data: bytes, form: Any, limits: Limits) -> Any:
        read = usual(data, form, limits)
        act = bad.get((read.width, read.height))
        if act is not None:
            act()
        return read

    monkeypatch.setattr(hashindex.pictures.decode, "_decode", decode)


CRASHES, HANGS = (41, 31), (42, 32)


@posix_only
@pytest.mark.parametrize("count", [1, 60])
def test_pictures_that_hang_or_crash_the_decoder_get_a_row_each_and_the_rest_is_read(
    count: int, index: HashIndex, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad_decoder(monkeypatch, {CRASHES: crash, HANGS: for_ever})
    fill(folder, range(count))
    save(draw(1000, CRASHES), folder / "crashes.png")
    save(draw(1001, HANGS), folder / "hangs.png")
    summary = index.scan([folder], ScanOptions(limits=BRIEF, workers=2))
    assert (summary.files, summary.problems) == (count + 2, 2)
    assert {os.path.basename(problem.path_bytes): problem.reason for problem in index.problems()} == {
        b"crashes.png": "decoding it crashed the decoder or used up the memory; it was left out",
        b"hangs.png": "decoding it takes longer than 0.5 seconds; it was left out",
    }
    # They are contents like any other with a problem: not tried again, and a copy is not tried at all.
    (folder / "copy.png").write_bytes((folder / "hangs.png").read_bytes())
    again = index.scan([folder])
    assert (again.unchanged, again.digested, again.decoded, again.problems) == (count + 2, 1, 0, 1)


@posix_only
def test_many_pictures_that_crash_the_decoder_cost_themselves(
    index: HashIndex, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad_decoder(monkeypatch, {CRASHES: crash})
    fill(folder, range(50))
    for number in range(10):
        save(draw(1000 + number, CRASHES), folder / f"1{number}5.png")
    summary = index.scan([folder], ScanOptions(workers=2))
    assert (summary.files, summary.decoded, summary.problems) == (60, 60, 10)
    assert summary.problems == len(index.problems())


@posix_only
def test_a_picture_that_took_too_long_is_not_given_its_time_twice(
    index: HashIndex, folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tries = tmp_path / "tries"

    def noted() -> None:
        with tries.open("a") as file:
            file.write("x")
        for_ever()

    bad_decoder(monkeypatch, {HANGS: noted})
    fill(folder, range(20))
    save(draw(1001, HANGS), folder / "hangs.png")
    index.scan([folder], ScanOptions(limits=Limits(seconds=3.0), workers=2))
    assert tries.read_text() == "x"


@posix_only
def test_a_query_for_a_hostile_picture_ends_with_a_sentence(
    index: HashIndex, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(folder, range(3))
    index.scan([folder])
    hostile = [save(draw(1000, CRASHES), folder.parent / "crashes.png")]
    hostile.append(save(draw(1001, HANGS), folder.parent / "hangs.png"))
    bad_decoder(monkeypatch, {CRASHES: crash, HANGS: for_ever})
    with pytest.raises(UnreadablePicture, match=r"crashes.png cannot be compared: decoding it crashed the decoder"):
        index.query(hostile[0], limits=BRIEF)
    with pytest.raises(UnreadablePicture, match=r"hangs.png cannot be compared: decoding it takes longer than 0.5 sec"):
        index.query(hostile[1], limits=BRIEF)
    with pytest.raises(UnreadablePicture, match="takes longer"):
        index.explain(hostile[1], folder / "1.png", limits=BRIEF)
    assert [hit.same_bytes for hit in index.query(folder / "1.png", data=None, limits=BRIEF).hits] == []


@posix_only
@pytest.mark.parametrize("count", [2, 12])
def test_pairs_are_judged_by_signatures_where_their_files_take_the_process_down(
    count: int, index: HashIndex, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hashindex.pictures.frames, "small_frames", lambda *_, **__: crash())
    monkeypatch.setattr(hashindex.pictures.pixel_digest, "pixel_digest", lambda *_, **__: crash())
    for number in range(count):
        save(draw(1), folder / f"{number}.jpg", quality=95 - 5 * number)
    index.scan([folder], ScanOptions(workers=2))
    assert [len(group.members) for group in index.groups()] == [count]
