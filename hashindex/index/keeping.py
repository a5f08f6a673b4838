"""Which copies of each group are the best: as stored in the catalogue, or else compared now by a worker process.

keeper.py does the comparison inside worker processes. Files are read through examine.content_bytes only.
"""

import hashlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor, as_completed
from typing import TYPE_CHECKING, Final, NamedTuple

from hashindex.core.language import Message
from hashindex.core.messages import CHOICE_VERSION
from hashindex.core.model import File
from hashindex.core.options import Limits
from hashindex.disk import files
from hashindex.judge.faults import Choice, Fault, Ranked
from hashindex.pictures.isolated_worker import IsolatedWorker, WorkerDied
from hashindex.store.catalogue import Catalogue
from hashindex.store.standings import Standing

if TYPE_CHECKING:
    from hashindex.pictures.quality import Portrait

MOST: Final = 64
"""Maximum of members compared in one group, those with the most pixels. The others are ranked behind them."""

ONE_WORKER_MEMBERS: Final = 24
"""Up to this many members are compared by one process: a pool takes longer to start."""

TASK_MEMBERS: Final = 40
"""Members in one task for a pool, about a second."""


class Copy(NamedTuple):
    """One content of a group, and a file that should hold it."""

    path: bytes
    digest: bytes


class KeepTask(NamedTuple):
    """Groups for a worker."""

    groups: tuple[tuple[Copy, ...], ...]
    limits: Limits


class Chosen(NamedTuple):
    """The choice in one group, and whether all of its members could be read."""

    choice: Choice
    complete: bool


def choose_all(task: KeepTask) -> list[Chosen]:
    """The choice in each group. It decodes pictures, so it must run in a worker process."""
    from hashindex.judge.keeper import choose
    from hashindex.pictures.examine import content_bytes

    found = []
    for group in task.groups:
        portraits: list[Portrait | None] = []
        complete = True
        for copy in group:
            data = content_bytes(copy.path, copy.digest, task.limits)
            complete = complete and data is not None
            portraits.append(None if data is None else _portrait(data, task.limits))
        try:
            found.append(Chosen(choose(portraits), complete))
        except Exception:  # noqa: BLE001
            # A hostile picture may break the arithmetic. The group is still shown, and no member is removed.
            found.append(_not_compared(group))
    return found


def _not_compared(group: Sequence[Copy]) -> Chosen:
    return Chosen(Choice(tuple(Ranked(0, ()) for _ in group), Message("they could not be compared")), False)


def _portrait(data: bytes, limits: Limits) -> "Portrait | None":
    from hashindex.core.errors import UnreadablePicture
    from hashindex.pictures.quality import portrait

    try:
        return portrait(data, limits)
    except UnreadablePicture:
        return None


def _try_decoding(copy: Copy, limits: Limits) -> None:
    from hashindex.pictures.examine import content_bytes

    data = content_bytes(copy.path, copy.digest, limits)
    if data is not None:
        _portrait(data, limits)


class Keepers:
    """The best copies of each group; `new` holds the standings that are not stored yet."""

    def __init__(
        self,
        catalogue: Catalogue,
        worker: IsolatedWorker,
        workers: int | None = None,
        on_chosen: Callable[[int, int], None] = lambda done, total: None,
    ) -> None:
        """worker: compares a few members; a pool of workers compares more.

        on_chosen: takes the number of groups done and of all groups whose choice is not stored.
        """
        self._catalogue = catalogue
        self._worker = worker
        self._workers = workers
        self._on_chosen = on_chosen
        self._choices: dict[tuple[int, ...], Choice] = {}
        self.new: list[Standing] = []

    def compare(self, groups: Sequence[Collection[int]], held: Mapping[int, Sequence[File]]) -> None:
        """Ranks the contents of each group. held: content -> its present files.

        Cost: none for stored groups, else 5 to 30 ms per content, once (docs/judgement.md).
        """
        wanted = [group for group in map(_sorted_ids, groups) if len(group) > 1 and group not in self._choices]
        kept = self._catalogue.standings.of({id for group in wanted for id in group})
        missing: list[tuple[tuple[int, ...], tuple[int, ...], bytes]] = []
        for group in wanted:
            fingerprint = fingerprint_of(group, held)
            rows = [kept.get(id) for id in group]
            if all(row is not None and row.among == fingerprint for row in rows):
                self._choices[group] = _stored_choice([row for row in rows if row is not None])
                continue
            missing.append((group, _largest(group, held), fingerprint))
        tasks = [tuple(_copy_of(held[id]) for id in compared) for _, compared, _ in missing]
        if tasks:
            self._on_chosen(0, len(tasks))
        for done, (number, chosen) in enumerate(_choose_in_workers(tasks, self._worker, self._workers), 1):
            self._on_chosen(done, len(tasks))
            group, compared, fingerprint = missing[number]
            choice = _with_uncompared(group, compared, chosen.choice)
            self._choices[group] = choice
            if chosen.complete:
                self.new += [
                    Standing(
                        id,
                        CHOICE_VERSION,
                        fingerprint,
                        ranked.rank,
                        tuple(fault.name for fault in ranked.faults),
                        choice.doubt,
                    )
                    for id, ranked in zip(group, choice.members, strict=True)
                ]

    def of(self, contents: Collection[int]) -> dict[int, Ranked]:
        """The rank and faults of each content. contents: one of the groups given to compare."""
        group = _sorted_ids(contents)
        choice = self._choices.get(group)
        if choice is None:
            return {id: Ranked(0, ()) for id in group}
        return dict(zip(group, choice.members, strict=True))

    def doubt(self, contents: Collection[int]) -> str | None:
        """Why no content is the best in every respect; None if one is."""
        choice = self._choices.get(_sorted_ids(contents))
        return None if choice is None else choice.doubt


def _sorted_ids(contents: Collection[int]) -> tuple[int, ...]:
    return tuple(sorted(contents))


def fingerprint_of(group: Sequence[int], held: Mapping[int, Sequence[File]]) -> bytes:
    """Identifies these contents by id and digest: ids are reused, and a choice is valid for this set only."""
    together = hashlib.sha256()
    for id in group:
        together.update(id.to_bytes(8, "big") + held[id][0].content.digest)
    return together.digest()


def _stored_choice(rows: Sequence[Standing]) -> Choice:
    known = Fault.__members__
    members = [Ranked(row.rank, tuple(known[name] for name in row.faults if name in known)) for row in rows]
    return Choice(tuple(members), rows[0].doubt)


def _largest(group: tuple[int, ...], held: Mapping[int, Sequence[File]]) -> tuple[int, ...]:
    if len(group) <= MOST:
        return group

    def size(id: int) -> tuple[int, int]:
        content = held[id][0].content
        return -content.width * content.height * content.frames, -content.size

    return tuple(sorted(sorted(group, key=size)[:MOST]))


def _with_uncompared(group: Sequence[int], compared: Sequence[int], choice: Choice) -> Choice:
    """Adds the contents that were not compared, ranked behind the others."""
    if len(group) == len(compared):
        return choice
    found = dict(zip(compared, choice.members, strict=True))
    last = Ranked(1 + max(ranked.rank for ranked in choice.members), (Fault.UNCOMPARED,))
    return choice._replace(members=tuple(found.get(id, last) for id in group))


def _copy_of(held: Sequence[File]) -> Copy:
    """A file that holds the content, if possible one that is as it was scanned."""
    file = next((file for file in held if files.has_size_and_mtime(file.path_bytes, file.size, file.mtime_ns)), held[0])
    return Copy(file.path_bytes, file.content.digest)


def _choose_in_workers(
    groups: Sequence[tuple[Copy, ...]], worker: IsolatedWorker, workers: int | None
) -> Iterator[tuple[int, Chosen]]:
    """Yields each group's number and its choice, in any order."""
    if sum(map(len, groups)) <= ONE_WORKER_MEMBERS:
        for number, group in enumerate(groups):
            yield number, _in_one_process(group, worker)
        return
    from hashindex.pictures.worker_pool import make_pool

    lots: list[list[int]] = [[]]
    for number, group in enumerate(groups):
        if lots[-1] and sum(len(groups[other]) for other in lots[-1]) + len(group) > TASK_MEMBERS:
            lots.append([])
        lots[-1].append(number)
    left = set(range(len(groups)))
    pool = make_pool(worker.limits, workers)
    try:
        tasks = [KeepTask(tuple(groups[number] for number in lot), worker.limits) for lot in lots]
        waiting = {pool.submit(choose_all, task): lot for task, lot in zip(tasks, lots, strict=True)}
        for future in as_completed(waiting):
            for number, chosen in zip(waiting[future], future.result(), strict=True):
                left.discard(number)
                yield number, chosen
    except BrokenExecutor:
        # A decoder killed its process: compare the remaining groups one by one.
        for number in sorted(left):
            yield number, _in_one_process(groups[number], worker)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _in_one_process(group: tuple[Copy, ...], worker: IsolatedWorker) -> Chosen:
    """The choice in one group. A member that kills the process counts as unreadable."""
    limits = worker.limits
    try:
        return worker.run(choose_all, KeepTask((group,), limits))[0]
    except WorkerDied:
        readable = []
        for copy in group:
            try:
                worker.run(_try_decoding, copy, limits)
                readable.append(True)
            except WorkerDied:
                readable.append(False)
    readable_copies = tuple(copy for copy, is_readable in zip(group, readable, strict=True) if is_readable)
    try:
        found = worker.run(choose_all, KeepTask((readable_copies,), limits))[0] if readable_copies else None
    except WorkerDied:
        found = None
    if found is None:
        return _not_compared(group)
    members = iter(found.choice.members)
    last = Ranked(1 + max(ranked.rank for ranked in found.choice.members), (Fault.BROKEN,))
    return Chosen(
        found.choice._replace(members=tuple(next(members) if is_readable else last for is_readable in readable)), False
    )


def keep_standings(catalogue: Catalogue, standings: Sequence[Standing]) -> None:
    """Stores the new standings of Keepers. catalogue: a writer."""
    if standings:
        with catalogue.atomic():
            catalogue.standings.put(standings)
