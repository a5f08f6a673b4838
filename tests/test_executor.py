"""What a scan asks of the executor that runs its tasks, with one that breaks on request."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from pictures import draw, fill, save

import hashindex.index.jobs
from hashindex import ClusterError, HashIndex, UsageError
from hashindex.cluster.path_map import PathMap
from hashindex.core.messages import Examined, Job
from hashindex.core.options import Limits
from hashindex.index.content_keys import keys_by_digest, with_keys
from hashindex.index.executor import KnownDigests, ScanExecutor
from hashindex.index.local_executor import GivenExecutor
from hashindex.pictures.examine import examine

posix_only = pytest.mark.skipif(os.name != "posix", reason="the paths are those of POSIX")


class Faulty(GivenExecutor):
    """Runs tasks in a thread. fault: called with the number of each task before it is examined."""

    def __init__(self, threads: Executor, fault: Callable[[int], None], at_once: int = 2) -> None:
        super().__init__(threads)
        self.fault = fault
        self.at_once = at_once
        self.most_under_way = 0
        self.suspects: list[Job] = []
        self._futures: list[Future[Any]] = []

    def tasks_at_once(self) -> int:
        return self.at_once

    def examine(self, jobs: list[Job], known: frozenset[bytes], limits: Limits) -> Future[list[Examined]]:
        number = len(self._futures)

        def run() -> list[Examined]:
            self.fault(number)
            return examine(jobs, known, limits)

        self._futures.append(self._executor.submit(run))
        under_way = sum(not future.done() for future in self._futures)
        self.most_under_way = max(self.most_under_way, under_way)
        return self._futures[-1]

    def examine_suspects(  # type: ignore[override]
        self, chunks: list[list[Job]], known: KnownDigests, limits: Limits
    ) -> Iterator[tuple[Job, Examined | None]]:
        """Examines the first suspect, and has the others submitted again."""
        assert all(future.done() for future in self._futures), "tasks run beside the suspects"
        for number, job in enumerate(job for chunk in chunks for job in chunk):
            self.suspects.append(job)
            yield job, None if number else examine([job], known([job]), limits)[0]


@pytest.fixture
def threads() -> Iterator[Executor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


@pytest.fixture(autouse=True)
def _small_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashindex.index.jobs, "CHUNK_JOBS", 2)


def test_a_bounded_number_of_tasks_is_under_way(index: HashIndex, folder: Path, threads: Executor) -> None:
    fill(folder, range(60))
    executor = Faulty(threads, lambda number: None, at_once=3)
    assert index.scan([folder], executor=executor).decoded == 60
    assert executor.most_under_way <= 9


def test_tasks_that_break_cost_no_file(index: HashIndex, folder: Path, threads: Executor) -> None:
    fill(folder, range(40))

    def fault(number: int) -> None:
        if number in (0, 7, 19):
            raise BrokenExecutor

    executor = Faulty(threads, fault)
    assert index.scan([folder], executor=executor).decoded == 40
    assert len(executor.suspects) == 6


def test_what_is_done_when_a_cluster_is_gone_is_kept(index: HashIndex, folder: Path, threads: Executor) -> None:
    fill(folder, range(40))

    def fault(number: int) -> None:
        if number == 8:
            raise ClusterError("gone")

    with pytest.raises(ClusterError, match="gone"):
        index.scan([folder], executor=Faulty(threads, fault))
    summary = index.scan([folder])
    assert summary.unchanged >= 8
    assert summary.unchanged + summary.decoded == 40


def test_an_executor_that_cannot_work_ends_the_scan_before_a_file_is_read(
    index: HashIndex, folder: Path, threads: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(folder, range(3))
    asked: list[list[bytes]] = []

    def refuse(self: Faulty, roots: list[bytes]) -> None:
        asked.append(roots)
        raise UsageError("no worker")

    monkeypatch.setattr(Faulty, "prepare", refuse)
    executor = Faulty(threads, lambda number: None)
    assert isinstance(executor, ScanExecutor)
    with pytest.raises(UsageError, match="no worker"):
        index.scan([folder], executor=executor)
    assert (asked, executor.most_under_way) == ([[str(folder).encode()]], 0)


def test_keys_are_the_same_wherever_they_are_computed(folder: Path) -> None:
    paths = [*fill(folder, range(4)), save(draw(9), folder / "moving.gif", save_all=True, append_images=[draw(8)])]
    (folder / "text.png").write_text("no picture")
    jobs = [Job(str(path).encode(), path.stat().st_size, True) for path in [*paths, folder / "text.png"]]
    found = examine(jobs, (), Limits())
    from_a_worker = with_keys(found)
    assert with_keys(from_a_worker) == from_a_worker
    assert keys_by_digest(from_a_worker) == keys_by_digest(found)
    assert [len(each) for each in keys_by_digest(found)] == [5, 5]
    assert all(one.decoded is None or (one.decoded.prepared, one.decoded.views) == (None, ()) for one in from_a_worker)


@posix_only
@pytest.mark.parametrize(
    ("path", "there"),
    [
        ("/data", "/mnt/data"),
        ("/data/a/b.png", "/mnt/data/a/b.png"),
        ("/data/inner/b.png", "/inner/b.png"),
        ("/database/b.png", "/database/b.png"),
        ("/else/b.png", "/else/b.png"),
    ],
)
def test_the_innermost_folder_of_a_map_counts(path: str, there: str) -> None:
    maps = PathMap({"/data": "/mnt/data", "/data/inner": "/inner"})
    assert maps.remote(path.encode()) == there.encode()


@posix_only
def test_a_map_may_begin_at_the_top() -> None:
    assert PathMap({"/": "/host"}).remote(b"/data/a.png") == b"/host/data/a.png"
    assert PathMap({"/data": "/"}).remote(b"/data/a.png") == b"/a.png"


def test_a_map_to_a_relative_path_is_refused() -> None:
    with pytest.raises(UsageError, match="there/data is no absolute path"):
        PathMap({"/data": "there/data"})
