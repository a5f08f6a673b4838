"""Examines files in an IsolatedWorker. A file that crashes its decoder gets a row with the reason."""

import time
from collections.abc import Collection, Sequence

from hashindex.core.messages import Examined, Job
from hashindex.core.options import Limits
from hashindex.disk import files
from hashindex.pictures.examine import examine, examine_undecoded
from hashindex.pictures.isolated_worker import IsolatedWorker, WorkerDied, reason_of_death


def examine_each(worker: IsolatedWorker, jobs: Sequence[Job], known: Collection[bytes]) -> list[Examined]:
    """As examine, with one call of the worker for each file."""
    read_digests = set(known)
    results: list[Examined] = []
    for job in jobs:
        try:
            results += worker.run(examine, [job], frozenset(read_digests), worker.limits)
        except WorkerDied as died:
            results.append(_undecoded(worker, job, reason_of_death(died.too_long, worker.limits)))
        digest = results[-1].digest
        if digest is not None:
            read_digests.add(digest)
    return results


def examine_together(worker: IsolatedWorker, jobs: Sequence[Job], known: Collection[bytes]) -> list[Examined]:
    """As examine_each, with one call of the worker for all files if none of them crashes it."""
    try:
        return worker.run(examine, jobs, known, worker.limits)
    except WorkerDied:
        return examine_each(worker, jobs, known)


def examine_without_decoding(job: Job, why: str, limits: Limits) -> Examined:
    """The row of a file whose decode ended its process: the digest, from another process, and why as the problem."""
    with IsolatedWorker(limits) as worker:
        return _undecoded(worker, job, why)


def _undecoded(worker: IsolatedWorker, job: Job, why: str) -> Examined:
    try:
        return worker.run(examine_undecoded, job, why, worker.limits)
    except WorkerDied:
        # Reading the bytes failed too.
        return Examined(job.path, files.stat_at(job.path), time.time_ns(), problem=why)
