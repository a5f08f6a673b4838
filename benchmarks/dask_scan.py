"""Measures a scan on a Dask cluster against the same scan by local processes, and what bounds it.

    python benchmarks/dask_scan.py FOLDER [--runs 3] [--writes 20000] [--keys 1000000]

Needs the extras `dask` and `bench`. FOLDER is only read. All parts run on this machine, with two workers:

scan      a cold scan of FOLDER into a new catalogue, with `workers=2` and on a LocalCluster of two processes of one
          thread each, in turns, after one scan of each that does not count. Seconds by the clock and of the processors
          (of all processes), the medians of the runs, and the ratio local / Dask of both
overhead  a task of no files, from submission to its result, with six tasks under way
writer    the process of the scan alone: the rows that it writes in a second, of results as workers send them, with the
          keys computed there (Dask) and without (local processes)
join      near keys among real-like ones, as candidates.pairs_of_all seeks them: in this process and on the cluster, by
          NumPy and, if it is installed, by numba
memory    the largest that the client had, and what the workers and their children have at the end
"""

import argparse
import hashlib
import os
import resource
import statistics
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as the command line does

import numpy as np
import psutil
from common import count, folder, pictures_below, print_table

from hashindex import DaskExecutor, HashIndex, Limits, ScanOptions
from hashindex.core.messages import Examined, Job
from hashindex.hashing import packed
from hashindex.index.content_keys import keys_by_digest, with_keys
from hashindex.index.scan import BATCH, current_pipeline
from hashindex.pictures.examine import examine
from hashindex.store.catalogue import Catalogue

SAMPLES = 400
"""Pictures of FOLDER whose results the writer writes over and over, under new names and digests."""
RADIUS = 8


class Spent(NamedTuple):
    """Seconds of the clock, and of the processors."""

    clock: float
    cpu: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=folder, metavar="FOLDER")
    parser.add_argument("--runs", type=count, default=3, metavar="N")
    parser.add_argument("--writes", type=count, default=20_000, metavar="N", help="rows to write [default: 20,000]")
    parser.add_argument("--keys", type=count, default=1_000_000, metavar="N", help="keys to join [default: 1,000,000]")
    arguments = parser.parse_args()
    from distributed import LocalCluster

    cluster = LocalCluster(n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=":0")
    with cluster, DaskExecutor(cluster.scheduler_address) as executor, tempfile.TemporaryDirectory() as place:
        executor.prepare([])
        compare_scans(arguments.folder, executor, Path(place), arguments.runs)
        measure_overhead(executor)
        measure_writer(arguments.folder, Path(place), arguments.writes)
        compare_joins(executor, arguments.keys)
        print_memory()


def compare_scans(pictures: Path, executor: DaskExecutor, place: Path, runs: int) -> None:
    spent: dict[str, list[Spent]] = {"local": [], "Dask": []}
    decoded = 0
    for run in range(runs + 1):
        for who, given in (("local", None), ("Dask", executor)):
            with HashIndex(place / f"{who} {run}.db") as index, spending() as took:
                decoded = index.scan([pictures], ScanOptions(workers=2), executor=given).decoded
            if run:
                spent[who].append(took())
    print(f"scan: {decoded:,} contents, medians of {runs} runs")
    medians = {
        who: Spent(*(statistics.median(column) for column in zip(*each, strict=True))) for who, each in spent.items()
    }
    rows = [[who, f"{one.clock:.1f}", f"{one.cpu:.1f}"] for who, one in medians.items()]
    local, dask = medians["local"], medians["Dask"]
    rows.append(["local / Dask", f"{local.clock / dask.clock:.2f}", f"{local.cpu / dask.cpu:.2f}"])
    print_table(["", "seconds", "processor seconds"], rows)


def measure_overhead(executor: DaskExecutor, tasks: int = 1000) -> None:
    under_way: deque[Future[Any]] = deque()
    with spending() as took:
        for _ in range(tasks):
            if len(under_way) == 6:
                under_way.popleft().result()
            under_way.append(executor.examine([], frozenset(), Limits()))
        for future in under_way:
            future.result()
    spent = took()
    print(
        f"overhead: {1000 * spent.clock / tasks:.1f} ms a task by the clock, {1000 * spent.cpu / tasks:.1f} ms of the "
        f"processors ({1000 * spent.cpu / tasks / 16:.2f} ms a file of a task of 16)"
    )


def measure_writer(pictures: Path, place: Path, writes: int) -> None:
    paths = pictures_below(pictures)[:SAMPLES]
    jobs = [Job(os.fsencode(path), path.stat().st_size, True) for path in paths]
    found = [one for one in examine(jobs, (), Limits()) if one.decoded is not None and one.decoded.prepared]
    rows = []
    for what, results in (("keys by workers (Dask)", with_keys(found)), ("keys by the writer (local)", found)):
        with Catalogue(place / f"{what}.db", write=True) as catalogue:
            began = time.process_time()
            for batch in batches(results, writes):
                with catalogue.atomic():
                    catalogue.record(batch, *keys_by_digest(batch), current_pipeline(), 1)
            seconds = time.process_time() - began
        rows.append([what, f"{writes / seconds:,.0f}", f"{1e6 * seconds / writes:.0f}"])
    print(f"writer: {writes:,} rows, {BATCH} a transaction")
    print_table(["", "rows a processor second", "us a row"], rows)


def batches(results: Sequence[Examined], writes: int) -> Iterator[list[Examined]]:
    """The results over and over, each as another file with other bytes."""
    batch: list[Examined] = []
    for number in range(writes):
        one = results[number % len(results)]
        assert one.stat is not None
        name = b"%08d.jpg" % number
        batch.append(
            one._replace(
                path=b"/pictures/%05d/%s" % (number // 500, name),
                digest=hashlib.sha256(name).digest(),
                stat=one.stat._replace(name=name),
            )
        )
        if len(batch) == BATCH or number == writes - 1:
            yield batch
            batch = []


def compare_joins(executor: DaskExecutor, n: int) -> None:
    keys = real_like_keys(n)
    rows, found = [], []
    for compiled in (False, True) if packed.has_compiled() else (False,):
        chunks, _ = packed.best_chunks(64, RADIUS, len(keys), compiled=compiled)
        joins: dict[str, Callable[..., Iterator[packed.Block]]] = {
            "this process": packed.joined_by_chunks,
            "two workers": executor.join_by_chunks,
        }
        for who, join in joins.items():
            with spending() as took:
                blocks = list(join(keys, RADIUS, chunks, compiled=compiled))
            spent = took()
            found.append(in_order(blocks))
            how = "numba" if compiled else "NumPy"
            rows.append([f"{who}, {how}", f"{spent.clock:.1f}", f"{spent.cpu:.1f}", f"{len(found[-1]):,}"])
    assert all(np.array_equal(one, found[0]) for one in found), "the joins differ"
    print(f"join: {len(keys):,} distinct keys within {RADIUS} bits; all find the same pairs")
    print_table(["", "seconds", "processor seconds", "pairs"], rows)


def real_like_keys(n: int) -> packed.Words:
    """Distinct keys: a third of them has a near one; bits are correlated in blocks, as in hashes of pictures."""
    rng = np.random.default_rng(1)
    blocks = rng.choice(2**16, (4, 5000), replace=False)
    keys = np.stack([blocks[block][rng.integers(5000, size=n)] for block in range(4)], 1).astype(np.uint16)
    copied = n // 3
    keys[-copied:] = keys[rng.integers(n - copied, size=copied)]
    for _ in range(5):
        keys[np.arange(n - copied, n), rng.integers(4, size=copied)] ^= (1 << rng.integers(16, size=copied)).astype(
            np.uint16
        )
    return np.unique(np.ascontiguousarray(keys).view(np.uint64), axis=0)


def in_order(blocks: Sequence[packed.Block]) -> "np.ndarray[Any, Any]":
    """All pairs with their distances, sorted."""
    a, b, distances = (np.concatenate(column) for column in zip(*blocks, strict=True))
    rows = np.stack([np.minimum(a, b), np.maximum(a, b), distances], 1)
    return rows[np.lexsort(rows.T[::-1])]


def print_memory() -> None:
    client = psutil.Process()
    workers = [each for each in client.children(recursive=True) if each.memory_info().rss > 30 * 2**20]
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    each = ", ".join(f"{process.memory_full_info().pss / 2**20:,.0f}" for process in workers)
    print(f"memory in MB: the client at most {own:,.0f}; workers and their children at the end {each}")


@contextmanager
def spending() -> Iterator[Callable[[], Spent]]:
    """Measures the block, with all processes below this one: call what it yields after the block."""
    clock, cpu = time.perf_counter(), cpu_seconds()
    measured: list[Spent] = []
    yield lambda: measured[0]
    measured.append(Spent(time.perf_counter() - clock, cpu_seconds() - cpu))


def cpu_seconds() -> float:
    """Of this process, of those that it waited for, and of all that live below it."""
    total = 0.0
    for process in (psutil.Process(), *psutil.Process().children(recursive=True)):
        try:
            total += sum(process.cpu_times()[:4])
        except psutil.Error:
            continue
    return total


if __name__ == "__main__":
    main()
