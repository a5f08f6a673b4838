"""Compares new contents with all there are and keeps the verdicts; answers for pairs that nobody asked about yet.

A pair is judged once: the verdict is kept by content, so it survives renames and files that go. Two contents that are
copies already by way of a third are not judged here; Verdicts does it where it must be known.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from itertools import islice
from typing import TYPE_CHECKING

from hashindex.finding.groups import UnionFind
from hashindex.model import Limits, Relation, State, Verdict
from hashindex.store.catalogue import Catalogue

# Most commands find every verdict in the catalogue and need neither NumPy nor Pillow: what looks at pictures is
# imported where one is looked at.
if TYPE_CHECKING:
    from hashindex.disk.workers import Pool
    from hashindex.judgement.judging import Judge, Known, Task
    from hashindex.pictures.solo import Solo

TASK_PAIRS = 400
"""Of one task for a worker: a second or two, so that Ctrl-C loses little and the last tasks are shared out."""
FEW = 24
"""So few pairs are judged in this process, and only their files opened by another: a pool takes longer to start."""


def keep_relations(
    catalogue: Catalogue,
    limits: Limits,
    *,
    turns: Collection[int] = (0,),
    workers: int | None = None,
    executor: Executor | None = None,
    pool: "Pool | None" = None,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> int:
    """Finds who may be like the new contents, judges those pairs, and keeps both; returns how many were judged.

    catalogue: a writer. turns: numbers of signature.TURNS; 0, as they are, is always compared before others.
    pool: one that its owner keeps, used where there is much to judge; BrokenExecutor is left to him.
    on_progress: pairs done, and all of this turn. Interrupted, what was judged is kept, and the next call goes on.
    Cost: candidates.pairs, of few new ones among many after a shortlist, then judging.Judge for each pair; of other
    turns 3 ms a new content besides. Nothing where nothing is new.
    """
    if catalogue.verdicts.has_old():
        with catalogue.atomic():
            catalogue.verdicts.forget_old()
    count = 0
    for turn in turns:
        fresh = catalogue.verdicts.fresh(turn)
        if fresh:
            compared = {content: catalogue.verdicts.keys_of(content) for content in fresh}
            found = _candidates(catalogue, compared) if turn == 0 else _turned_candidates(catalogue, fresh, turn)
            with catalogue.atomic():
                for as_turned, pairs in found.items():
                    catalogue.verdicts.put_candidates(pairs, as_turned)
                # A number may have gone to another content meanwhile: that one was compared with nobody.
                same = [id for id, keys in compared.items() if catalogue.verdicts.keys_of(id) == keys]
                catalogue.verdicts.settle(same, turn)
    for turn in turns:
        lots = list(lots_of(_unconnected(catalogue, turn)))
        total = sum(map(len, lots))
        done = 0
        # Made when it is their turn: each holds some MB of signatures.
        tasks = (task_of(catalogue, lot, limits, turn) for lot in lots)
        for task, verdicts in _judged(tasks, total, limits, workers, executor, pool):
            judged = {(one.a, one.b) for one in verdicts}
            with catalogue.atomic():
                catalogue.verdicts.put(verdicts)
                catalogue.verdicts.skip([pair for pair in task.pairs if pair not in judged], turn)
            done += len(task.pairs)
            on_progress(done, total)
        count += total
    return count


Found = dict[int, list[tuple[int, int, int]]]
"""Candidates (a, b, bits), a < b, by the turn of a."""


def _candidates(catalogue: Catalogue, fresh: Mapping[int, bytes]) -> Found:
    """fresh: with their keys."""
    from hashindex.judgement.candidates import pairs_of_all
    from hashindex.judgement.shortlist import pays, shortlist

    views = catalogue.verdicts.views()
    packed = list(shortlist(views, fresh.values()) if pays(catalogue.verdicts.count_looks(), fresh.values()) else views)
    return {0: pairs_of_all(packed, None if len(fresh) == len(packed) else fresh)}


def _turned_candidates(catalogue: Catalogue, fresh: Collection[int], turn: int) -> Found:
    """Fresh contents, turned, near all contents as they are."""
    from hashindex.judgement.candidates import keys_of, pairs, unpacked_keys
    from hashindex.pictures.signature import turned, unpack, views_of

    keys = [(content, view) for content, views in catalogue.verdicts.views() for view in unpacked_keys(views)]
    beyond = max((content for content, _ in keys), default=0) + 1
    for content, signature in catalogue.verdicts.signatures(fresh).items():
        views = views_of(turned(unpack(signature), turn))
        keys += [(content + beyond, key) for key in keys_of(views)]
    found: Found = {turn: [], INVERSE.get(turn, turn): []}
    for a, b, bits in pairs(keys, fresh={content + beyond for content in fresh}):
        if a < beyond <= b and a != b - beyond:
            plain, itself = a, b - beyond
            if itself < plain:
                found[turn].append((itself, plain, bits))
            else:
                found[INVERSE.get(turn, turn)].append((plain, itself, bits))
    return found


INVERSE = {2: 4, 4: 2}
"""Turns that another one undoes; the rest undo themselves."""


def _unconnected(catalogue: Catalogue, turn: int) -> list[tuple[int, int]]:
    """Pairs that wait for a verdict, but for those that are known to be copies by way of others.

    Those of lesser contents (see families) are put aside too, until the best of their family goes.
    """
    todo = catalogue.verdicts.open_pairs(turn)
    if not todo:
        return []
    copies = UnionFind()
    copies.join_all(catalogue.verdicts.alike(Relation.COPY))
    lesser = catalogue.lesser_contents()
    skipped = [(a, b) for a, b in todo if a in lesser or b in lesser or copies.find(a) == copies.find(b)]
    if skipped:
        with catalogue.atomic():
            catalogue.verdicts.skip(skipped, turn)
        gone = set(skipped)
        todo = [pair for pair in todo if pair not in gone]
    return todo


def lots_of(pairs: Sequence[tuple[int, int]]) -> Iterator[list[tuple[int, int]]]:
    """Pairs that hang together in one task, so that each picture is unpacked once; a large lot of them is cut up."""
    sets = UnionFind()
    sets.join_all(pairs)
    lots: dict[int, list[tuple[int, int]]] = {}
    for pair in pairs:
        lots.setdefault(sets.find(pair[0]), []).append(pair)
    together: list[tuple[int, int]] = []
    place = {pair: number for number, pair in enumerate(pairs)}
    for lot in sorted(lots.values(), key=len, reverse=True):
        lot.sort()
        for start in range(0, len(lot), TASK_PAIRS):
            together += lot[start : start + TASK_PAIRS]
            if len(together) >= TASK_PAIRS:
                yield sorted(together, key=place.__getitem__)
                together = []
    if together:
        yield sorted(together, key=place.__getitem__)


def task_of(catalogue: Catalogue, pairs: Sequence[tuple[int, int]], limits: Limits, turn: int) -> "Task":
    """The pairs of one lot, with all that a worker needs to judge them."""
    from hashindex.judgement.judging import Task

    return Task(pairs, known_of(catalogue, {id for pair in pairs for id in pair}), limits, turn)


def known_of(catalogue: Catalogue, contents: Collection[int]) -> "dict[int, Known]":
    """What a judge needs to know of these contents; one without a signature is left out."""
    from hashindex.judgement.judging import Known

    signatures = catalogue.verdicts.signatures(contents)
    held = catalogue.files_of(contents, all=True, family=True)
    found = {}
    for id, signature in signatures.items():
        files = held.get(id, [])
        path = next((file.path for file in files if file.state is State.PRESENT), None)
        found[id] = Known(signature, path, files[0].content.digest if files else b"")
    return found


def _judged(
    tasks: "Iterable[Task]",
    pairs: int,
    limits: Limits,
    workers: int | None,
    given: Executor | None,
    kept: "Pool | None",
) -> "Iterator[tuple[Task, list[Verdict]]]":
    """pairs: how many there are in all tasks. No more tasks are asked for than are needed to keep the workers busy."""
    from hashindex.disk.workers import apart, available_processors, make_pool
    from hashindex.judgement.judging import judge_pairs
    from hashindex.pictures.solo import Solo

    if pairs <= FEW and given is None:
        with Solo(limits) as alone:
            yield from ((task, judge_pairs(task, alone)) for task in tasks)
        return
    if given is None and kept is not None:
        given = kept.executor()
    pool = given or make_pool(limits, workers)
    most = 2 * (getattr(pool, "_max_workers", None) or available_processors())
    coming = iter(tasks)
    under_way: dict[Future[list[Verdict]], Task] = {}
    try:
        while True:
            left = list(under_way.values())
            try:
                for task in islice(coming, most - len(under_way)):
                    left.append(task)
                    under_way[pool.submit(judge_pairs, task)] = task
                if not under_way:
                    return
                for future in wait(under_way, return_when=FIRST_COMPLETED).done:
                    verdicts = future.result()
                    task = under_way.pop(future)
                    left.remove(task)
                    yield task, verdicts
            except BrokenExecutor:
                if given is not None:
                    raise
                # A decoder took its process down: pair by pair, and who does it again is judged without the files.
                each = [task._replace(pairs=[pair]) for task in left for pair in task.pairs]
                under_way.clear()
                pool.shutdown(wait=True)
                yield from zip(each, apart(limits, judge_pairs, each, _by_signatures), strict=True)
                pool = make_pool(limits, workers)
    finally:
        if given is None:
            pool.shutdown(wait=True, cancel_futures=True)


def _by_signatures(task: "Task", why: str) -> list[Verdict]:
    from hashindex.judgement.judging import judge_pairs

    known = {id: one._replace(path=None) for id, one in task.known.items()}
    return judge_pairs(task._replace(known=known))


class Answers:
    """Verdicts on any two contents: as they are kept, or else given now; `new` holds those to keep."""

    def __init__(self, catalogue: Catalogue, alone: "Solo", turns: Collection[int] = (0,)) -> None:
        """alone: the process that opens pictures, which its owner closes."""
        self._catalogue = catalogue
        self._alone = alone
        self._turns = turns
        self._verdicts: dict[tuple[int, int], Verdict] = {}
        self._known: dict[int, Known] = {}
        self._judge: Judge | None = None
        self.new: list[Verdict] = []

    def read(self, contents: Collection[int]) -> None:
        """Reads all that is kept of these contents, in one go."""
        for verdict in self._catalogue.verdicts.among(contents, self._turns):
            self._note(verdict)

    def known(self, a: int, b: int) -> Verdict | None:
        """The verdict as it is kept; read must have been told of both."""
        return self._verdicts.get((a, b) if a < b else (b, a))

    def between(self, a: int, b: int) -> Verdict:
        """The verdict, given now if need be; a content that cannot be judged is different from all."""
        a, b = (a, b) if a < b else (b, a)
        kept = self._verdicts.get((a, b))
        if kept is not None:
            return kept
        missing = {id for id in (a, b) if id not in self._known}
        if missing:
            self._known.update(known_of(self._catalogue, missing))
        if a not in self._known or b not in self._known:
            return Verdict(a, b, 0, Relation.DIFFERENT, 0.0, 0.0, False)
        if self._judge is None:
            from hashindex.judgement.judging import Judge

            self._judge = Judge(self._known, self._alone.limits, self._alone)
        for turn in self._turns:
            verdict = self._judge.verdict(a, b, turn)
            self.new.append(verdict)
            self._note(verdict)
        return self._verdicts[a, b]

    def _note(self, verdict: Verdict) -> None:
        """Of several turns the one in which they are most alike."""
        key = verdict.a, verdict.b
        kept = self._verdicts.get(key)
        if kept is None or (verdict.relation, verdict.copy) > (kept.relation, kept.copy):
            self._verdicts[key] = verdict


def keep_verdicts(catalogue: Catalogue, verdicts: Sequence[Verdict]) -> None:
    """Keeps what Answers had to find out. catalogue: a writer."""
    if verdicts:
        with catalogue.atomic():
            catalogue.verdicts.put(verdicts)
