"""Where the tasks of a scan run: processes of this machine (local_executor), or other machines (cluster)."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from hashindex.core.messages import Examined, Job, Verdict
from hashindex.core.options import Limits

if TYPE_CHECKING:
    from hashindex.hashing.packed import Block, Chunk, Words
    from hashindex.judge.pair_judge import Task

KnownDigests = Callable[[list[Job]], frozenset[bytes]]
"""Returns the digests that files of the sizes of these jobs may have."""


@runtime_checkable
class ScanExecutor(Protocol):
    """Runs tasks in other processes. Only the process of the scan writes the catalogue.

    A picture that crashes its decoder costs only its own task: its row gets the reason. A future raises BrokenExecutor
    if a process ended that may have been running its task. The caller then submits nothing more, waits for its other
    futures, and passes the tasks that are not done to examine_suspects or judge_suspects.
    """

    def prepare(self, roots: Sequence[bytes]) -> None:
        """Called once before the first task. Raises UsageError if the tasks cannot run, or cannot read these roots."""

    def tasks_at_once(self) -> int:
        """How many tasks run at the same time now, at least 1. It may change during a scan."""

    def examine(self, jobs: list[Job], known: frozenset[bytes], limits: Limits) -> "Future[list[Examined]]":
        """Starts examine.examine."""

    def examine_suspects(
        self, chunks: list[list[Job]], known: KnownDigests, limits: Limits
    ) -> Iterator[tuple[Job, Examined | None]]:
        """Examines the jobs of tasks that ended with BrokenExecutor, so that one bad file costs no other file.

        Yields each job with its result; None if the job must be submitted again.
        """

    def join_by_chunks(
        self, keys: "Words", radius: int, chunks: "Sequence[Chunk]", *, compiled: bool = False
    ) -> "Iterator[Block]":
        """Finds what packed.joined_by_chunks finds, in any order."""

    def judge(self, task: "Task") -> Future[list[Verdict]]:
        """Starts pair_judge.judge_pairs."""

    def judge_suspects(self, tasks: "list[Task]") -> "Iterator[tuple[Task, list[Verdict]]]":
        """Judges the pairs of tasks that ended with BrokenExecutor, one by one, without files where that ends again."""
