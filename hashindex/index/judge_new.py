"""Compares new contents with all there are and keeps the verdicts; answers for pairs that nobody asked about yet.

A pair is judged once: the verdict is kept by content, so it survives renames and files that go. Two contents that are
copies already by way of pairs that come before theirs are not judged here; Answers does it where it must be known. What
comes before what is told by the pictures (in_order), never by the ids that contents happen to have.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from itertools import islice
from typing import TYPE_CHECKING

from hashindex.core.messages import Candidate, Objection, Verdict
from hashindex.core.model import Progress, Relation, State
from hashindex.core.options import Limits
from hashindex.hashing.unionfind import UnionFind
from hashindex.store.catalogue import Catalogue
from hashindex.store.questions import Rank

# Most commands find every verdict in the catalogue and need neither NumPy nor Pillow: what looks at pictures is
# imported where one is looked at.
if TYPE_CHECKING:
    from hashindex.judge.pair_judge import JudgeInput, PairJudge, Task
    from hashindex.pictures.isolated_worker import IsolatedWorker
    from hashindex.pictures.worker_pool import WorkerPool

TASK_PAIRS = 400
"""Of one task for a worker: a second or two, so that Ctrl-C loses little and the last tasks are shared out."""
ONE_WORKER_PAIRS = 24
"""So few pairs are judged in this process, and only their files opened by another: a pool takes longer to start."""


def keep_relations(
    catalogue: Catalogue,
    limits: Limits,
    *,
    turns: Collection[int] = (0,),
    workers: int | None = None,
    executor: Executor | None = None,
    pool: "WorkerPool | None" = None,
    on_progress: Callable[[Progress], None] = lambda progress: None,
) -> int:
    """Finds who may be like the new contents, judges those pairs, and keeps both; returns how many were judged.

    catalogue: a writer. turns: numbers of signature.TURNS; 0, as they are, is always compared before others.
    pool: one that its owner keeps, used where there is much to judge; BrokenExecutor is left to him.
    on_progress: comparing while candidates are sought, then pairs judged, and all of this turn. Interrupted, what was
    judged is kept, and the next call goes on: the same pairs make groups then.
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
            on_progress(Progress(0, 0, 0, walking=False, comparing=True, turned=bool(turn)))
            compared = {content: catalogue.verdicts.keys_of(content) for content in fresh}
            found = _candidates(catalogue, compared) if turn == 0 else _turned_candidates(catalogue, fresh, turn)
            with catalogue.atomic():
                for as_turned, pairs in found.items():
                    catalogue.verdicts.put_candidates(pairs, as_turned)
                if turn == 0 and len(fresh) < catalogue.verdicts.count_compared():
                    _drop_surplus(catalogue, {id for a, b, _ in found[0] for id in (a, b)})
                # A number may have gone to another content meanwhile: that one was compared with nobody.
                same = [id for id, keys in compared.items() if catalogue.verdicts.keys_of(id) == keys]
                catalogue.verdicts.settle(same, turn)
    for turn in turns:
        lots = list(lots_of(_unconnected(catalogue, turn)))
        total = sum(map(len, lots))
        done = 0
        if total:
            on_progress(_comparing(0, total, turn))
        # Made when it is their turn: each holds some MB of signatures.
        tasks = (task_of(catalogue, lot, limits, turn) for lot in lots)
        for task, verdicts in _judged(tasks, total, limits, workers, executor, pool):
            judged = {(one.a, one.b) for one in verdicts}
            with catalogue.atomic():
                catalogue.verdicts.put(verdicts)
                catalogue.verdicts.skip([pair for pair in task.pairs if pair not in judged], turn)
            done += len(task.pairs)
            on_progress(_comparing(done, total, turn))
        count += total
    return count


def _comparing(done: int, total: int, turn: int) -> Progress:
    return Progress(0, 0, 0, walking=False, comparing=True, judged=done, to_judge=total, turned=bool(turn))


CandidatesByTurn = dict[int, list[tuple[int, int, int]]]
"""Candidates (a, b, bits), a < b, by the turn of a."""


def _candidates(catalogue: Catalogue, fresh: Mapping[int, bytes]) -> CandidatesByTurn:
    """fresh: with their keys."""
    from hashindex.judge.candidates import pairs_of_all
    from hashindex.judge.shortlist import pays, shortlist

    views = catalogue.verdicts.views()
    packed = list(
        shortlist(views, fresh.values()) if pays(catalogue.verdicts.count_compared(), fresh.values()) else views
    )
    # Which of many are taken must not depend on who came first.
    ranks = catalogue.ranks_of([id for id, _ in packed])
    packed.sort(key=lambda one: ranks.get(one[0], _LAST))
    ids = [id for id, _ in packed]
    numbers = None if len(fresh) == len(packed) else [number for number, id in enumerate(ids) if id in fresh]
    found = pairs_of_all(list(enumerate(keys for _, keys in packed)), numbers)
    return {0: [(*sorted((ids[a], ids[b])), bits) for a, b, bits in found]}  # type: ignore[misc]


def _drop_surplus(catalogue: Catalogue, touched: Collection[int]) -> None:
    """Leaves the candidates that there would be if all contents were compared at once. touched: have new ones."""
    from hashindex.judge.candidates import SPREAD, CandidateBounds, bounds_of, surplus

    pairs = {(a, b): bits for a, b, bits in catalogue.verdicts.candidates_of(touched, more_than=SPREAD)}
    if not pairs:
        return
    ends = {id for pair in pairs for id in pair}
    # Whether a pair is too much is up to both.
    pairs |= {(a, b): bits for a, b, bits in catalogue.verdicts.candidates_of(ends, more_than=SPREAD)}
    every = {id for pair in pairs for id in pair}
    ranks = catalogue.ranks_of(every)
    ids = sorted(every, key=lambda id: ranks.get(id, _LAST))
    number = {id: place for place, id in enumerate(ids)}
    keys = {number[id]: catalogue.verdicts.keys_of(id) for id in every}
    others: dict[int, dict[int, int]] = {}
    for (a, b), bits in pairs.items():
        others.setdefault(number[a], {})[number[b]] = bits
        others.setdefault(number[b], {})[number[a]] = bits
    bounds: dict[int, CandidateBounds] = {}
    for id in ends:
        one = bounds_of(number[id], others[number[id]], keys)
        if one:
            bounds[number[id]] = one
    placed = {(min(number[a], number[b]), max(number[a], number[b])): (a, b) for a, b in pairs}
    catalogue.verdicts.drop_candidates([placed[pair] for pair in surplus(placed, bounds)])


def _turned_candidates(catalogue: Catalogue, fresh: Collection[int], turn: int) -> CandidatesByTurn:
    """Fresh contents, turned, near all contents as they are."""
    from hashindex.judge.candidates import keys_of, pairs, unpacked_keys
    from hashindex.pictures.signature import INVERSE, turned, unpack, views_of

    keys = [(content, view) for content, views in catalogue.verdicts.views() for view in unpacked_keys(views)]
    beyond = max((content for content, _ in keys), default=0) + 1
    for content, signature in catalogue.verdicts.signatures(fresh).items():
        views = views_of(turned(unpack(signature), turn))
        keys += [(content + beyond, key) for key in keys_of(views)]
    found: CandidatesByTurn = {turn: [], INVERSE.get(turn, turn): []}
    for a, b, bits in pairs(keys, fresh={content + beyond for content in fresh}):
        if a < beyond <= b and a != b - beyond:
            plain, itself = a, b - beyond
            if itself < plain:
                found[turn].append((itself, plain, bits))
            else:
                found[INVERSE.get(turn, turn)].append((plain, itself, bits))
    return found


_INVERSE = {2: 4, 4: 2}
"""signature.INVERSE, without Pillow."""


_LAST: Rank = (0, b"")
"""Of a content that went meanwhile."""


def in_order(candidates: Iterable[Candidate], ranks: Mapping[int, Rank]) -> list[Candidate]:
    """The nearest first; of equally near ones those of larger files: the same order in every catalogue.

    So of many that are alike most links lead to the largest one, which is rarely a cropped or a spoilt copy.
    """

    def key(one: Candidate) -> tuple[object, ...]:
        a, b = ranks.get(one.a, _LAST), ranks.get(one.b, _LAST)
        return (one.turn, one.bits, a, b) if a <= b else (_INVERSE.get(one.turn, one.turn), one.bits, b, a)

    return sorted(candidates, key=key)


def _unconnected(catalogue: Catalogue, turn: int) -> list[tuple[int, int]]:
    """Pairs that wait for a verdict, in order, but for those of contents that are copies by way of pairs before them.

    Those of superseded contents (see families) are put aside too, until the best of their family goes.
    """
    todo = catalogue.verdicts.open_pairs(turn)
    if not todo:
        return []
    met = [*todo, *catalogue.verdicts.alike(Relation.COPY, {0, turn})]
    ranks = catalogue.ranks_of({id for one in met for id in (one.a, one.b)})
    superseded = catalogue.superseded_contents()
    copies = UnionFind()
    waiting, skipped = [], []
    # Only what comes before a pair may set it aside: what comes later was judged because of where a scan stopped.
    for one in in_order(met, ranks):
        if one.relation is not None:
            copies.join_all([(one.a, one.b)])
        elif one.a in superseded or one.b in superseded or copies.find(one.a) == copies.find(one.b):
            skipped.append((one.a, one.b))
        else:
            waiting.append((one.a, one.b))
    if skipped:
        with catalogue.atomic():
            catalogue.verdicts.skip(skipped, turn)
    return waiting


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
    from hashindex.judge.pair_judge import Task

    return Task(pairs, known_of(catalogue, {id for pair in pairs for id in pair}), limits, turn)


def known_of(catalogue: Catalogue, contents: Collection[int]) -> "dict[int, JudgeInput]":
    """What a judge needs to know of these contents; one without a signature is left out."""
    from hashindex.judge.pair_judge import JudgeInput

    signatures = catalogue.verdicts.signatures(contents)
    held = catalogue.files_of(contents, all=True, family=True)
    digests = catalogue.digests_of(contents)
    found = {}
    for id, signature in signatures.items():
        path = next((file.path for file in held.get(id, ()) if file.state is State.PRESENT), None)
        found[id] = JudgeInput(signature, path, digests.get(id, b""))
    return found


def _judged(
    tasks: "Iterable[Task]",
    pairs: int,
    limits: Limits,
    workers: int | None,
    given: Executor | None,
    kept: "WorkerPool | None",
) -> "Iterator[tuple[Task, list[Verdict]]]":
    """pairs: how many there are in all tasks. No more tasks are asked for than are needed to keep the workers busy."""
    from hashindex.judge.pair_judge import judge_pairs
    from hashindex.pictures.isolated_worker import IsolatedWorker
    from hashindex.pictures.worker_pool import available_processors, make_pool, run_isolated

    if pairs <= ONE_WORKER_PAIRS and given is None:
        with IsolatedWorker(limits) as worker:
            yield from ((task, judge_pairs(task, worker)) for task in tasks)
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
                yield from zip(each, run_isolated(limits, judge_pairs, each, _by_signatures), strict=True)
                pool = make_pool(limits, workers)
    finally:
        if given is None:
            pool.shutdown(wait=True, cancel_futures=True)


def _by_signatures(task: "Task", why: str) -> list[Verdict]:
    from hashindex.judge.pair_judge import judge_pairs

    known = {id: one._replace(path=None) for id, one in task.known.items()}
    return judge_pairs(task._replace(known=known))


class Answers:
    """Verdicts on any two contents: as they are kept, or else given now; `new` holds those to keep."""

    def __init__(
        self,
        catalogue: Catalogue,
        worker: "IsolatedWorker",
        turns: Collection[int] = (0,),
        on_judged: Callable[[int], None] = lambda count: None,
    ) -> None:
        """alone: the process that opens pictures, which its owner closes.

        on_judged: how many verdicts were given so far, whenever one is.
        """
        self._catalogue = catalogue
        self._worker = worker
        self._turns = turns
        self._on_judged = on_judged
        self._verdicts: dict[tuple[int, int], dict[int, Verdict]] = {}
        self._candidates: dict[tuple[int, int], set[int]] = {}
        """The turns in which two are candidates, where others than 0 are asked for."""
        self._known: dict[int, JudgeInput] = {}
        self._judge: PairJudge | None = None
        self._denied: dict[int, dict[int, Objection]] = {}
        self.new: list[Verdict] = []

    def read(self, contents: Collection[int]) -> None:
        """Reads all that is kept of these contents, in one go."""
        for verdict in self._catalogue.verdicts.among(contents, self._turns):
            self._note(verdict)
        if tuple(self._turns) != (0,):
            for one in self._catalogue.verdicts.candidates_among(contents, self._turns):
                self._candidates.setdefault((one.a, one.b), set()).add(one.turn)

    def known(self, a: int, b: int) -> Verdict | None:
        """The verdict as it is kept; read must have been told of both."""
        kept = self._verdicts.get((a, b) if a < b else (b, a))
        return None if kept is None else _most_alike(kept.values())

    def between(self, a: int, b: int) -> Verdict:
        """The verdict, given now if need be; a content that cannot be judged is different from all.

        Of two that are candidates in some of the turns those count, else all: what else happens to be kept does not.
        """
        a, b = (a, b) if a < b else (b, a)
        turns = self._candidates.get((a, b)) or self._turns
        return _most_alike(self.in_turn(a, b, turn) for turn in turns)

    def in_turn(self, a: int, b: int, turn: int) -> Verdict:
        """The same of one turn; a < b."""
        kept = self._verdicts.get((a, b), {}).get(turn)
        if kept is not None:
            return kept
        if not self._can_judge(a, b):
            return Verdict(a, b, turn, Relation.DIFFERENT, 0.0, 0.0, False)
        assert self._judge is not None
        verdict = self._judge.verdict(a, b, turn)
        self.new.append(verdict)
        self._note(verdict)
        self._on_judged(len(self.new))
        return verdict

    def _can_judge(self, a: int, b: int) -> bool:
        missing = {id for id in (a, b) if id not in self._known}
        if missing:
            self._known.update(known_of(self._catalogue, missing))
        if a not in self._known or b not in self._known:
            return False
        if self._judge is None:
            from hashindex.judge.pair_judge import PairJudge

            self._judge = PairJudge(self._known, self._worker.limits, self._worker)
        return True

    def denied(self, content: int) -> Mapping[int, Objection]:
        """Contents that the fine comparison found to be no copies of this one, as far as is known, and why."""
        return self._denied.get(content, {})

    def _note(self, verdict: Verdict) -> None:
        found = self._verdicts.setdefault((verdict.a, verdict.b), {})
        found[verdict.turn] = verdict
        objection = _most_alike(found.values()).objection
        for one, other in ((verdict.a, verdict.b), (verdict.b, verdict.a)):
            if objection is not None:
                self._denied.setdefault(one, {})[other] = objection
            else:
                self._denied.get(one, {}).pop(other, None)


def _most_alike(verdicts: Iterable[Verdict]) -> Verdict:
    """Of several turns the one in which two are most alike."""
    return max(verdicts, key=lambda one: (one.relation, one.copy, -one.turn))


def keep_verdicts(catalogue: Catalogue, verdicts: Sequence[Verdict], digests: Mapping[int, bytes]) -> None:
    """Keeps what Answers had to find out. catalogue: a writer.

    digests: of the contents when they were judged; a number that has gone to another content since is left out.
    """
    if verdicts:
        with catalogue.atomic():
            now = catalogue.digests_of({id for one in verdicts for id in (one.a, one.b)})
            same = {id for id, digest in now.items() if digests.get(id) == digest}
            catalogue.verdicts.put(one for one in verdicts if one.a in same and one.b in same)
