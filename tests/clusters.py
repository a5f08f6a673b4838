"""Dask clusters for tests, and what a scan by one is compared by.

Nothing here starts a client in the process of the tests: its threads would change how later tests start processes.
"""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from hashindex import HashIndex, Progress
from hashindex.store.catalogue import Catalogue

TASK_PAIRS = 2
"""Pairs in one task of scans."""
CRASHES = (91, 67)
ENDS_WORKER = (89, 61)
"""Sizes of pictures that end the process that decodes them; the second one ends the Dask worker too."""

WORKER = [sys.executable, "-m", "distributed.cli.dask_worker", "--no-nanny", "--no-dashboard"]

HOSTILE_DECODER = f"""
# Every interpreter of the cluster runs this at its start.
import os, signal
from PIL import ImageFile

load = ImageFile.ImageFile.load

def hostile(self):
    if self.size == {ENDS_WORKER}:
        os.kill(os.getppid(), signal.SIGKILL)
    if self.size in ({CRASHES}, {ENDS_WORKER}):
        os.kill(os.getpid(), signal.SIGKILL)
    return load(self)

ImageFile.ImageFile.load = hostile
"""


class Cluster(NamedTuple):
    """A LocalCluster in a process of its own."""

    address: str
    pid: int
    """The process of the scheduler, which started the workers."""


@contextmanager
def cluster(workers: int, **environment: str) -> Iterator[Cluster]:
    """Workers of one thread each, and a scheduler over TCP. environment: variables of their processes."""
    with subprocess.Popen(
        [sys.executable, __file__, str(workers)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **environment},
        text=True,
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        address = process.stdout.readline().strip()
        assert address, "the cluster did not start"
        try:
            yield Cluster(address, process.pid)
        finally:
            process.stdin.close()


@contextmanager
def another_worker(address: str, **environment: str) -> Iterator[None]:
    """One more worker of a cluster, with other variables."""
    # Without this the folder in which the tests run would come before PYTHONPATH.
    variables = {**os.environ, "PYTHONSAFEPATH": "1", **environment}
    with subprocess.Popen([*WORKER, address], stderr=subprocess.PIPE, env=variables, text=True) as process:
        assert process.stderr is not None
        try:
            assert any("Registered to" in line for line in process.stderr), "the worker did not start"
            # What it writes later must not fill the pipe.
            threading.Thread(target=process.stderr.read, daemon=True).start()
            yield
        finally:
            process.terminate()


def hostile_environment(folder: Path, allowed_failures: int) -> dict[str, str]:
    """Variables of a cluster whose decoder crashes on CRASHES and ENDS_WORKER. folder: a new one, for its code."""
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(HOSTILE_DECODER, encoding="utf-8")
    return {
        "PYTHONPATH": os.pathsep.join([str(folder), os.environ["PYTHONPATH"]]),
        "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": str(allowed_failures),
    }


def run_scan(catalogue: Path, folder: Path, scheduler: str, *more: object) -> subprocess.CompletedProcess[str]:
    """`hashindex scan --dask`, in a process of its own."""
    command = [
        sys.executable,
        "-m",
        "hashindex",
        "scan",
        folder,
        "--dask",
        scheduler,
        "--catalogue",
        catalogue,
        "--json",
    ]
    return subprocess.run([*map(str, command), *map(str, more)], capture_output=True, text=True, check=False)


def outcome(index: HashIndex) -> dict[str, Any]:
    """All that a scan found out, by paths and digests."""
    # First: it keeps verdicts that the guard against chains asks for, as the command scan does for its last line.
    groups = [[(member.file.path, member.relation) for member in group.members] for group in index.groups()]
    with Catalogue(index.path) as catalogue:
        digests = dict(rows(index, "SELECT id, digest FROM content"))
        keys = dict(catalogue.verdicts.views())
        signatures = catalogue.verdicts.signatures(digests)
        contents = {
            digest: (catalogue.hashes_of(id), signatures.get(id), keys.get(id)) for id, digest in digests.items()
        }
        verdicts = sorted(
            (*sorted((digests[one.a], digests[one.b])), one.turn, one.relation, one.copy, one.similar, one.objection)
            for one in catalogue.verdicts.among(digests)
        )
    files = rows(
        index,
        "SELECT folder.path || '/' || name, file.size, mtime_ns, ctime_ns, device, digest, file.problem, "
        "content.problem FROM file JOIN folder ON folder.id = folder LEFT JOIN content ON content.id = content "
        "WHERE NOT missing ORDER BY 1",
    )
    return {"files": files, "contents": contents, "verdicts": verdicts, "groups": groups}


def rows(index: HashIndex, query: str) -> list[tuple[Any, ...]]:
    with sqlite3.connect(index.path) as connection:
        return connection.execute(query).fetchall()


def results(done: subprocess.CompletedProcess[str]) -> Mapping[str, Any]:
    """The last line of a scan with --json."""
    assert done.returncode in (0, 3), done.stderr
    found: Mapping[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


class Act(NamedTuple):
    """What happens to a cluster during one scan."""

    what: str
    """kill (one worker), kill all, pause (one worker, for a second) or scheduler (killed)."""
    stage: str
    """read or judged."""
    at: int
    """How many files are read, or pairs judged, when it happens."""


def scans(address: str, folder: Path, acts: Mapping[Path, Act], scheduler_pid: int) -> dict[str, str]:
    """Scans into a new catalogue for each act, with small tasks. Returns the errors by catalogue."""
    asked = {
        "address": address,
        "folder": str(folder),
        "acts": {str(path): act for path, act in acts.items()},
        "pid": scheduler_pid,
    }
    done = subprocess.run(
        [sys.executable, __file__, "scans", json.dumps(asked)], stdout=subprocess.PIPE, text=True, check=True
    )
    found: dict[str, str] = json.loads(done.stdout)
    return found


def run_scans(asked: dict[str, Any]) -> None:
    """The process that scans starts."""
    from distributed import Client

    from hashindex import ClusterError, DaskExecutor
    from hashindex.index import jobs, judge_new, scan

    # Many small tasks and transactions, so that every moment is amid some.
    jobs.CHUNK_JOBS, judge_new.TASK_PAIRS, scan.BATCH = 2, TASK_PAIRS, 4
    errors = {}
    with Client(asked["address"], set_as_default=False) as client:
        for path, act in asked["acts"].items():
            happening = Happening(Act(*act), worker_pids(client), asked["pid"])
            try:
                HashIndex(path).scan([asked["folder"]], executor=DaskExecutor(client), on_progress=happening.note)
            except ClusterError as error:
                errors[path] = str(error)
            assert happening.has_happened, act
    print(json.dumps(errors))


def worker_pids(client: Any) -> list[int]:
    """Waits until there are two workers: those that have just ended may still be listed."""
    while len(found := list(client.run(os.getpid, on_error="ignore").values())) < 2:
        time.sleep(0.2)
    return found


class Happening:
    """An act that waits for its moment."""

    def __init__(self, act: Act, workers: list[int], scheduler: int) -> None:
        self.has_happened = False
        self._act = act
        self._workers = workers
        self._scheduler = scheduler

    def note(self, progress: Progress) -> None:
        reached = progress.read if self._act.stage == "read" else progress.judged
        if progress.comparing != (self._act.stage == "judged") or reached < self._act.at or self.has_happened:
            return
        self.has_happened = True
        match self._act.what:
            case "kill":
                os.kill(self._workers[self._act.at % 2], signal.SIGKILL)
            case "kill all":
                for pid in self._workers:
                    os.kill(pid, signal.SIGKILL)
            case "pause":
                os.kill(self._workers[0], signal.SIGSTOP)
                threading.Timer(1.0, os.kill, (self._workers[0], signal.SIGCONT)).start()
            case "scheduler":
                os.kill(self._scheduler, signal.SIGKILL)


def joins_alike(address: str) -> int:
    """How many candidates are found, by a cluster and here alike."""
    done = subprocess.run([sys.executable, __file__, "join", address], stdout=subprocess.PIPE, text=True, check=True)
    here, there, alike = json.loads(done.stdout)
    assert alike and here == there
    found: int = here
    return found


def run_join(address: str) -> None:
    """The process that joins_alike starts."""
    import numpy as np

    from hashindex import DaskExecutor
    from hashindex.judge.candidates import pairs_of_all

    rng = np.random.default_rng(1)
    # One view a content: two kinds of ten keys. Every second content is a content before it with some bits flipped.
    keys = rng.integers(0, 2**64, (2000, 20), np.uint64)
    keys[1::2] = keys[::2] ^ (
        rng.integers(0, 2**64, (1000, 20), np.uint64)
        & rng.integers(0, 2**64, (1000, 20), np.uint64)
        & rng.integers(0, 2**64, (1000, 20), np.uint64)
    )
    packed = [(number, row.astype("<u8").tobytes()) for number, row in enumerate(keys)]
    with DaskExecutor(address) as executor:
        calls = []

        def on_the_cluster(*given: Any, **named: Any) -> Any:
            calls.append(1)
            return executor.join_by_chunks(*given, **named)

        here, there = pairs_of_all(packed), pairs_of_all(packed, by_chunks=on_the_cluster)
    assert len(calls) == 2, "too few keys to be joined by chunks"
    print(json.dumps([len(here), len(there), here == there]))


def serve(workers: int) -> None:
    """The process that cluster starts."""
    from distributed import LocalCluster

    with LocalCluster(n_workers=workers, threads_per_worker=1, host="127.0.0.1", dashboard_address=":0") as started:
        print(started.scheduler_address, flush=True)
        threading.Thread(target=keep_workers, args=(started, workers), daemon=True).start()
        sys.stdin.read()


def keep_workers(started: Any, workers: int) -> None:
    """Replaces workers that no nanny starts again: it gives up a worker that is killed while it starts."""
    missing_for = 0
    while True:
        time.sleep(1)
        missing_for = missing_for + 1 if len(started.scheduler.workers) < workers else 0
        if missing_for > 5:
            # A busy machine takes long to start one.
            missing_for = -60
            subprocess.Popen([*WORKER, started.scheduler_address, "--nthreads", "1"], stderr=subprocess.DEVNULL)


if __name__ == "__main__":
    if sys.argv[1] == "scans":
        run_scans(json.loads(sys.argv[2]))
    elif sys.argv[1] == "join":
        run_join(sys.argv[2])
    else:
        serve(int(sys.argv[1]))
