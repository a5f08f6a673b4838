"""Which copies of each group are the best: as the catalogue keeps it, or else found out now by a worker process.

Opens files through files.py only. keeper.py compares; worker processes run it.
"""

import hashlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor, as_completed
from typing import TYPE_CHECKING, Final, NamedTuple

from hashindex.core.messages import CHOICE_VERSION
from hashindex.core.model import File
from hashindex.core.options import Limits
from hashindex.disk import files
from hashindex.judge.faults import Choice, Fault, Ranked
from hashindex.store.catalogue import Catalogue
from hashindex.store.standings import Standing

if TYPE_CHECKING:
    from hashindex.pictures.quality import Portrait

MOST: Final = 64
"""Of a larger group only so many are compared, those of the most pixels first: the rest stands behind them."""

ONE_WORKER_MEMBERS: Final = 24
"""Up to so many members are compared by one process: a pool takes longer to start."""

TASK_MEMBERS: Final = 40
"""Of one task for a pool, a second or so."""


class Copy(NamedTuple):
    """One content of a group, and a file that should hold it."""

    path: bytes
    digest: bytes


class KeepTask(NamedTuple):
    """Groups for a worker."""

    groups: tuple[tuple[Copy, ...], ...]
    limits: Limits


class Chosen(NamedTuple):
    """The choice among the members of one group, and whether all of them could be read."""

    choice: Choice
    complete: bool


def choose_all(task: KeepTask) -> list[Chosen]:
    """The choice of each group. Decodes: for a worker process."""
    from hashindex.judge.keeper import choose

    found = []
    for group in task.groups:
        portraits: list[Portrait | None] = []
        complete = True
        for copy in group:
            data = _bytes(copy, task.limits)
            complete = complete and data is not None
            portraits.append(None if data is None else _portrait(data, task.limits))
        try:
            found.append(Chosen(choose(portraits), complete))
        except Exception:  # noqa: BLE001
            # What a stranger drew may break the arithmetic; the group is shown, and nothing is removed from it.
            found.append(_not_compared(group))
    return found


def _not_compared(group: Sequence[Copy]) -> Chosen:
    return Chosen(Choice(tuple(Ranked(0, ()) for _ in group), "they could not be compared"), False)


def _portrait(data: bytes, limits: Limits) -> "Portrait | None":
    from hashindex.core.errors import UnreadablePicture
    from hashindex.pictures.quality import portrait

    try:
        return portrait(data, limits)
    except UnreadablePicture:
        return None


def _bytes(copy: Copy, limits: Limits) -> bytes | None:
    """What the file of a content still holds, if it does."""
    from hashindex.pictures.examine import digest_of
    from hashindex.pictures.formats import unmasked

    try:
        with files.opened(copy.path) as source:
            if source.stat.size > limits.bytes:
                return None
            data = unmasked(source.read_rest())
    except OSError:
        return None
    return data if digest_of(data) == copy.digest else None


def _can_be_read(copy: Copy, limits: Limits) -> None:
    data = _bytes(copy, limits)
    if data is not None:
        _portrait(data, limits)


class Keepers:
    """Choices by group; `new` holds the standings that are worth keeping."""

    def __init__(
        self,
        catalogue: Catalogue,
        limits: Limits,
        workers: int | None = None,
        on_compared: Callable[[], None] = lambda: None,
    ) -> None:
        """on_compared: called after each group that had to be compared."""
        self._catalogue = catalogue
        self._limits = limits
        self._workers = workers
        self._on_compared = on_compared
        self._choices: dict[tuple[int, ...], Choice] = {}
        self.new: list[Standing] = []

    def compare(self, groups: Sequence[Collection[int]], held: Mapping[int, Sequence[File]]) -> None:
        """Finds the choice in each of these groups of contents. held: the present files of every content.

        Cost: nothing for what the catalogue keeps, else 5 to 30 ms a content once (docs/judgement.md).
        """
        asked = [group for group in map(_named, groups) if len(group) > 1 and group not in self._choices]
        kept = self._catalogue.standings.of({id for group in asked for id in group})
        missing: list[tuple[tuple[int, ...], tuple[int, ...], bytes]] = []
        for group in asked:
            among = _among(group, held)
            rows = [kept.get(id) for id in group]
            if all(row is not None and row.among == among for row in rows):
                self._choices[group] = _choice_of([row for row in rows if row is not None])
                continue
            missing.append((group, _largest(group, held), among))
        tasks = [tuple(_copy_of(held[id]) for id in compared) for _, compared, _ in missing]
        for number, chosen in _run(tasks, self._limits, self._workers):
            self._on_compared()
            group, compared, among = missing[number]
            choice = _all_of(group, compared, chosen.choice)
            self._choices[group] = choice
            if chosen.complete:
                self.new += [
                    Standing(
                        id,
                        CHOICE_VERSION,
                        among,
                        ranked.rank,
                        tuple(fault.name for fault in ranked.faults),
                        choice.doubt,
                    )
                    for id, ranked in zip(group, choice.members, strict=True)
                ]

    def of(self, contents: Collection[int]) -> dict[int, Ranked]:
        """Where each of these contents, one of the groups that were compared, stands."""
        group = _named(contents)
        choice = self._choices.get(group)
        if choice is None:
            return {id: Ranked(0, ()) for id in group}
        return dict(zip(group, choice.members, strict=True))

    def doubt(self, contents: Collection[int]) -> str | None:
        """Why none of them is best in everything; None where one is."""
        choice = self._choices.get(_named(contents))
        return None if choice is None else choice.doubt


def _named(contents: Collection[int]) -> tuple[int, ...]:
    return tuple(sorted(contents))


def _among(group: Sequence[int], held: Mapping[int, Sequence[File]]) -> bytes:
    """Stands for these contents and what they hold: numbers are given again, and a choice holds among these only."""
    together = hashlib.sha256()
    for id in group:
        together.update(id.to_bytes(8, "big") + held[id][0].content.digest)
    return together.digest()


def _choice_of(rows: Sequence[Standing]) -> Choice:
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


def _all_of(group: Sequence[int], compared: Sequence[int], choice: Choice) -> Choice:
    """The choice with those that were not compared, behind the others."""
    if len(group) == len(compared):
        return choice
    found = dict(zip(compared, choice.members, strict=True))
    last = Ranked(1 + max(ranked.rank for ranked in choice.members), (Fault.REDUCED,))
    return choice._replace(members=tuple(found.get(id, last) for id in group))


def _copy_of(held: Sequence[File]) -> Copy:
    return Copy(held[0].path, held[0].content.digest)


def _run(groups: Sequence[tuple[Copy, ...]], limits: Limits, workers: int | None) -> Iterator[tuple[int, Chosen]]:
    """The choice of each group, by its number, in any order."""
    from hashindex.pictures.worker_pool import make_pool

    if sum(map(len, groups)) <= ONE_WORKER_MEMBERS:
        for number, group in enumerate(groups):
            yield number, _in_one_process(group, limits)
        return
    lots: list[list[int]] = [[]]
    for number, group in enumerate(groups):
        if lots[-1] and sum(len(groups[other]) for other in lots[-1]) + len(group) > TASK_MEMBERS:
            lots.append([])
        lots[-1].append(number)
    left = set(range(len(groups)))
    pool = make_pool(limits, workers)
    try:
        tasks = [KeepTask(tuple(groups[number] for number in lot), limits) for lot in lots]
        waiting = {pool.submit(choose_all, task): lot for task, lot in zip(tasks, lots, strict=True)}
        for future in as_completed(waiting):
            for number, chosen in zip(waiting[future], future.result(), strict=True):
                left.discard(number)
                yield number, chosen
    except BrokenExecutor:
        # A decoder took its process down: what is left is done group by group.
        for number in sorted(left):
            yield number, _in_one_process(groups[number], limits)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _in_one_process(group: tuple[Copy, ...], limits: Limits) -> Chosen:
    """The choice of one group; a member that takes the process down counts as unreadable."""
    from hashindex.pictures.isolated_worker import IsolatedWorker, WorkerDied

    with IsolatedWorker(limits) as worker:
        try:
            return worker.run(choose_all, KeepTask((group,), limits))[0]
        except WorkerDied:
            sound = []
            for copy in group:
                try:
                    worker.run(_can_be_read, copy, limits)
                    sound.append(True)
                except WorkerDied:
                    sound.append(False)
        left = tuple(copy for copy, is_sound in zip(group, sound, strict=True) if is_sound)
        try:
            found = worker.run(choose_all, KeepTask((left,), limits))[0] if left else None
        except WorkerDied:
            found = None
    if found is None:
        return _not_compared(group)
    members = iter(found.choice.members)
    last = Ranked(1 + max(ranked.rank for ranked in found.choice.members), (Fault.BROKEN,))
    return Chosen(
        found.choice._replace(members=tuple(next(members) if is_sound else last for is_sound in sound)), False
    )


def keep_standings(catalogue: Catalogue, standings: Sequence[Standing]) -> None:
    """Keeps what Keepers had to find out. catalogue: a writer."""
    if standings:
        with catalogue.atomic():
            catalogue.standings.put(standings)
