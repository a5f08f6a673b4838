"""Compares new contents with all contents and stores the verdicts; judges further pairs on demand (Answers).

A pair is judged once. The verdict is stored by content, so it survives renames and deleted files. A pair is skipped
here if earlier pairs already connect its contents as copies; Answers judges it when the verdict is needed. The order
of pairs (in_order) depends on the pictures, never on the ids of their contents.
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

# Most commands find every verdict in the catalogue and need neither NumPy nor Pillow. Modules that read pictures are
# therefore imported where they are used.
if TYPE_CHECKING:
    from hashindex.judge.pair_judge import JudgeInput, PairJudge, Task
    from hashindex.pictures.isolated_worker import IsolatedWorker
    from hashindex.pictures.worker_pool import WorkerPool

TASK_PAIRS = 400
"""Pairs in one task: one or two seconds, so that Ctrl-C loses little and the last tasks are spread evenly."""
HELD_SIGNATURES = 2_000
"""Answers holds about this many signatures in memory, of up to 4 KB each."""
ONE_WORKER_PAIRS = 24
"""Up to this many pairs are judged in this process, with one worker that opens files: a pool starts more slowly."""


def keep_relations(
    catalogue: Catalogue,
    limits: Limits,
    *,
    turns: Collection[int] = (0,),
    variants: bool = False,
    workers: int | None = None,
    executor: Executor | None = None,
    pool: "WorkerPool | None" = None,
    on_progress: Callable[[Progress], None] = lambda progress: None,
) -> int:
    """Finds candidate pairs for new contents, judges them, and stores both. Returns how many pairs were judged.

    catalogue: a writer. turns: numbers of signature.TURNS; 0 (not turned) is always compared first. variants: whether
    to judge the pairs too that the prefilter has ruled out as copies; groups of copies do not need them. pool: used if
    there are many pairs; its owner handles BrokenExecutor. on_progress: `comparing` while candidates are sought, then
    the judged pairs and all pairs of this turn. After an interruption the verdicts so far are kept, and the next call
    continues: the groups are the same.
    Cost: candidates.pairs (after a shortlist if few contents are new), then PairJudge for each pair; for each other
    turn 3 ms per new content. No cost if no content is new.
    """
    if catalogue.verdicts.has_old():
        with catalogue.atomic():
            catalogue.verdicts.forget_old()
            # The prefilter may be another one too.
            _put_candidates(catalogue, catalogue.verdicts.candidates(), 0)
    count = 0
    for turn in turns:
        fresh = catalogue.verdicts.fresh(turn)
        if fresh:
            on_progress(Progress(0, 0, 0, walking=False, comparing=True, turned=bool(turn)))
            compared = {content: catalogue.verdicts.keys_of(content) for content in fresh}
            found = _candidates(catalogue, compared) if turn == 0 else _turned_candidates(catalogue, fresh, turn)
            with catalogue.atomic():
                for as_turned, pairs in found.items():
                    _put_candidates(catalogue, pairs, as_turned)
                if turn == 0 and len(fresh) < catalogue.verdicts.count_compared():
                    _drop_surplus(catalogue, {id for a, b, _ in found[0] for id in (a, b)})
                # An id may belong to another content meanwhile, which was not compared yet.
                same = [id for id, keys in compared.items() if catalogue.verdicts.keys_of(id) == keys]
                catalogue.verdicts.settle(same, turn)
    for turn, ruled_out in [(turn, one) for turn in turns for one in ((False, True) if variants else (False,))]:
        lots = list(lots_of(_unconnected(catalogue, turn, ruled_out)))
        total = sum(map(len, lots))
        done = 0
        if total:
            on_progress(_comparing(0, total, turn))
        # Built one at a time: each holds some MB of signatures.
        tasks = (task_of(catalogue, lot, limits, turn, ruled_out) for lot in lots)
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


def _put_candidates(catalogue: Catalogue, pairs: Sequence[tuple[int, int, int]], turn: int) -> None:
    """Adds candidates, and notes which of them the prefilter rules out as copies. It does not know turned pictures."""
    excluded: set[tuple[int, int]] = set()
    if pairs and turn == 0:
        from hashindex.judge.prefilter import KeyedPicture, ruled_out

        ids = {id for a, b, _ in pairs for id in (a, b)}
        shapes = catalogue.shapes_of(ids)
        pictures = {id: KeyedPicture(catalogue.verdicts.keys_of(id), *shapes[id]) for id in ids if id in shapes}
        known = [(a, b) for a, b, _ in pairs if all(id in pictures and pictures[id].keys for id in (a, b))]
        excluded = set(ruled_out(known, pictures))
    catalogue.verdicts.put_candidates(pairs, turn, excluded)


CandidatesByTurn = dict[int, list[tuple[int, int, int]]]
"""Turn of a -> candidates (a, b, bits), a < b."""


def _candidates(catalogue: Catalogue, fresh: Mapping[int, bytes]) -> CandidatesByTurn:
    """fresh: new contents with their keys."""
    from hashindex.judge.candidates import pairs_of_all
    from hashindex.judge.shortlist import pays, shortlist

    views = catalogue.verdicts.views()
    packed = list(
        shortlist(views, fresh.values()) if pays(catalogue.verdicts.count_compared(), fresh.values()) else views
    )
    # If there are too many partners, the choice must not depend on the order of arrival.
    ranks = catalogue.ranks_of([id for id, _ in packed])
    packed.sort(key=lambda one: ranks.get(one[0], _LAST))
    ids = [id for id, _ in packed]
    numbers = None if len(fresh) == len(packed) else [number for number, id in enumerate(ids) if id in fresh]
    found = pairs_of_all(list(enumerate(keys for _, keys in packed)), numbers)
    return {0: [(*sorted((ids[a], ids[b])), bits) for a, b, bits in found]}  # type: ignore[misc]


def _drop_surplus(catalogue: Catalogue, touched: Collection[int]) -> None:
    """Drops candidates that would not exist if all contents were compared at once. touched: contents with new ones."""
    from hashindex.judge.candidates import SPREAD, CandidateBounds, bounds_of, surplus

    pairs = {(a, b): bits for a, b, bits in catalogue.verdicts.candidates_of(touched, more_than=SPREAD)}
    if not pairs:
        return
    ends = {id for pair in pairs for id in pair}
    # Whether a pair is surplus depends on both of its contents.
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
    """Pairs of a fresh content, turned, and any content as it is."""
    from hashindex.judge.candidates import keys_of, pairs, unpacked_keys
    from hashindex.pictures.signature import INVERSE, turned, unpack, views_of

    keys = [(content, view) for content, views in catalogue.verdicts.views() for view in unpacked_keys(views)]
    turned_offset = max((content for content, _ in keys), default=0) + 1
    for content, signature in catalogue.verdicts.signatures(fresh).items():
        views = views_of(turned(unpack(signature), turn))
        keys += [(content + turned_offset, key) for key in keys_of(views)]
    found: CandidatesByTurn = {turn: [], INVERSE.get(turn, turn): []}
    for a, b, bits in pairs(keys, fresh={content + turned_offset for content in fresh}):
        if a < turned_offset <= b and a != b - turned_offset:
            as_is, rotated = a, b - turned_offset
            if rotated < as_is:
                found[turn].append((rotated, as_is, bits))
            else:
                found[INVERSE.get(turn, turn)].append((as_is, rotated, bits))
    return found


_INVERSE = {2: 4, 4: 2}
"""signature.INVERSE, without importing Pillow."""


_LAST: Rank = (0, b"")
"""The rank of a content that was removed meanwhile."""


def in_order(candidates: Iterable[Candidate], ranks: Mapping[int, Rank]) -> list[Candidate]:
    """Sorts by distance, then by larger files: the same order in every catalogue.

    Among many similar pictures, most links then lead to the largest one, which is rarely cropped or damaged.
    """

    def key(one: Candidate) -> tuple[object, ...]:
        a, b = ranks.get(one.a, _LAST), ranks.get(one.b, _LAST)
        return (one.turn, one.bits, a, b) if a <= b else (_INVERSE.get(one.turn, one.turn), one.bits, b, a)

    return sorted(candidates, key=key)


def _unconnected(catalogue: Catalogue, turn: int, ruled_out: bool) -> list[tuple[int, int]]:
    """Pairs that wait for a verdict, in order, without pairs that earlier pairs already connect as copies.

    ruled_out: those that are ruled out as copies, instead of the others.
    Pairs with a superseded rendition (see families) are skipped too, until the best rendition is gone.
    """
    todo = catalogue.verdicts.open_pairs(turn, ruled_out=ruled_out)
    if not todo:
        return []
    candidates = [*todo, *catalogue.verdicts.alike(Relation.COPY, {0, turn})]
    ranks = catalogue.ranks_of({id for one in candidates for id in (one.a, one.b)})
    superseded = catalogue.superseded_contents()
    copies = UnionFind()
    waiting, skipped = [], []
    # Only earlier pairs may skip a pair: which later pairs have verdicts depends on where a scan stopped.
    for one in in_order(candidates, ranks):
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
    """Puts connected pairs into one task, so that each picture is unpacked once; large lots are split.

    Connected pairs follow each other in their order in pairs: further pairs of the same pictures come soon.
    """
    sets = UnionFind()
    sets.join_all(pairs)
    lots: dict[int, list[tuple[int, int]]] = {}
    for pair in pairs:
        lots.setdefault(sets.find(pair[0]), []).append(pair)
    lot_so_far: list[tuple[int, int]] = []
    place = {pair: number for number, pair in enumerate(pairs)}
    for lot in sorted(lots.values(), key=len, reverse=True):
        lot.sort()
        for start in range(0, len(lot), TASK_PAIRS):
            lot_so_far += sorted(lot[start : start + TASK_PAIRS], key=place.__getitem__)
            if len(lot_so_far) >= TASK_PAIRS:
                yield lot_so_far
                lot_so_far = []
    if lot_so_far:
        yield lot_so_far


def task_of(
    catalogue: Catalogue, pairs: Sequence[tuple[int, int]], limits: Limits, turn: int, ruled_out: bool = False
) -> "Task":
    """The pairs of one lot with all data that a worker needs to judge them."""
    from hashindex.judge.pair_judge import Task

    return Task(pairs, known_of(catalogue, {id for pair in pairs for id in pair}), limits, turn, ruled_out)


def known_of(catalogue: Catalogue, contents: Collection[int]) -> "dict[int, JudgeInput]":
    """The input of the judge for these contents. Contents without a signature are left out."""
    from hashindex.judge.pair_judge import JudgeInput

    signatures = catalogue.verdicts.signatures(contents)
    held = catalogue.files_of(contents, all=True, family=True)
    digests = catalogue.digests_of(contents)
    found = {}
    for id, signature in signatures.items():
        path = next((file.path_bytes for file in held.get(id, ()) if file.state is State.PRESENT), None)
        found[id] = JudgeInput(signature, path, digests.get(id, b""))
    return found


def _judged(
    tasks: "Iterable[Task]",
    pairs: int,
    limits: Limits,
    workers: int | None,
    executor: Executor | None,
    shared_pool: "WorkerPool | None",
) -> "Iterator[tuple[Task, list[Verdict]]]":
    """Yields each task with its verdicts. pairs: the total of all tasks. Tasks are fetched as workers need them."""
    from hashindex.judge.pair_judge import judge_pairs
    from hashindex.pictures.isolated_worker import IsolatedWorker
    from hashindex.pictures.worker_pool import available_processors, make_pool, run_isolated

    if pairs <= ONE_WORKER_PAIRS and executor is None:
        with IsolatedWorker(limits) as worker:
            yield from ((task, judge_pairs(task, worker)) for task in tasks)
        return
    if executor is None and shared_pool is not None:
        executor = shared_pool.executor()
    pool = executor or make_pool(limits, workers)
    most_under_way = 2 * (getattr(pool, "_max_workers", None) or available_processors())
    remaining_tasks = iter(tasks)
    under_way: dict[Future[list[Verdict]], Task] = {}
    try:
        while True:
            unfinished = list(under_way.values())
            try:
                for task in islice(remaining_tasks, most_under_way - len(under_way)):
                    unfinished.append(task)
                    under_way[pool.submit(judge_pairs, task)] = task
                if not under_way:
                    return
                for future in wait(under_way, return_when=FIRST_COMPLETED).done:
                    verdicts = future.result()
                    task = under_way.pop(future)
                    unfinished.remove(task)
                    yield task, verdicts
            except BrokenExecutor:
                if executor is not None:
                    raise
                # A decoder killed its process: judge pair by pair, and without files where that happens again.
                each = [task._replace(pairs=[pair]) for task in unfinished for pair in task.pairs]
                under_way.clear()
                pool.shutdown(wait=True)
                yield from zip(each, run_isolated(limits, judge_pairs, each, _by_signatures), strict=True)
                pool = make_pool(limits, workers)
    finally:
        if executor is None:
            pool.shutdown(wait=True, cancel_futures=True)


def _by_signatures(task: "Task", why: str) -> list[Verdict]:
    from hashindex.judge.pair_judge import judge_pairs

    known = {id: one._replace(path=None) for id, one in task.known.items()}
    return judge_pairs(task._replace(known=known))


class Answers:
    """Verdicts on any two contents, stored or judged now; `new` holds the verdicts that are not stored yet."""

    def __init__(
        self,
        catalogue: Catalogue,
        worker: "IsolatedWorker",
        turns: Collection[int] = (0,),
        on_judged: Callable[[int], None] = lambda count: None,
    ) -> None:
        """worker: the process that opens pictures; its owner closes it.

        on_judged: called after each new verdict with the number of new verdicts so far.
        """
        self._catalogue = catalogue
        self._worker = worker
        self._turns = turns
        self._on_judged = on_judged
        self._verdicts: dict[tuple[int, int], dict[int, Verdict]] = {}
        self._candidates: dict[tuple[int, int], set[int]] = {}
        """The turns in which a pair is a candidate, if turns other than 0 are compared."""
        self._known: dict[int, JudgeInput] = {}
        self._judge: PairJudge | None = None
        self._denied: dict[int, dict[int, Objection]] = {}
        self.new: list[Verdict] = []

    def read(self, contents: Collection[int]) -> None:
        """Loads the stored verdicts among these contents with one query."""
        for verdict in self._catalogue.verdicts.among(contents, self._turns):
            self._note(verdict)
        if tuple(self._turns) != (0,):
            for one in self._catalogue.verdicts.candidates_among(contents, self._turns):
                self._candidates.setdefault((one.a, one.b), set()).add(one.turn)

    def known(self, a: int, b: int) -> Verdict | None:
        """The stored verdict; call read with both contents first."""
        kept = self._verdicts.get((a, b) if a < b else (b, a))
        return None if kept is None else _most_alike(kept.values())

    def between(self, a: int, b: int) -> Verdict:
        """The verdict, judged now if it is not stored. A content that cannot be judged is different from all others.

        If the pair is a candidate in some of the turns, only those count, else all; other stored turns are ignored.
        """
        a, b = (a, b) if a < b else (b, a)
        turns = self._candidates.get((a, b)) or self._turns
        return _most_alike(self.in_turn(a, b, turn) for turn in turns)

    def in_turn(self, a: int, b: int, turn: int) -> Verdict:
        """The verdict in one turn, judged now if it is not stored; a < b."""
        kept = self._verdicts.get((a, b), {}).get(turn)
        if kept is not None:
            return kept
        if not self._can_judge(a, b):
            return Verdict(a, b, turn, Relation.DIFFERENT, 0.0, 0.0, False)
        assert self._judge is not None
        ruled_out = not turn and self._catalogue.verdicts.is_ruled_out(a, b)
        verdict = self._judge.verdict(a, b, turn, ruled_out=ruled_out)
        self.new.append(verdict)
        self._note(verdict)
        self._on_judged(len(self.new))
        return verdict

    def _can_judge(self, a: int, b: int) -> bool:
        missing = {id for id in (a, b) if id not in self._known}
        if missing:
            if len(self._known) >= HELD_SIGNATURES:
                # Pictures come set by set: those of earlier sets are hardly needed again.
                self._known, self._judge, missing = {}, None, {a, b}
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
    """The verdict of the turn in which the two pictures are most alike."""
    return max(verdicts, key=lambda one: (one.relation, one.copy, -one.turn))


def keep_verdicts(catalogue: Catalogue, verdicts: Sequence[Verdict], digests: Mapping[int, bytes]) -> None:
    """Stores the new verdicts of Answers. catalogue: a writer.

    digests: of the contents when they were judged. Verdicts are left out if an id belongs to another content now.
    """
    if verdicts:
        with catalogue.atomic():
            now = catalogue.digests_of({id for one in verdicts for id in (one.a, one.b)})
            same = {id for id, digest in now.items() if digests.get(id) == digest}
            catalogue.verdicts.put(one for one in verdicts if one.a in same and one.b in same)
