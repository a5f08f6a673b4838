"""Pairs that were judged alike -> groups where each member is close to the keeper and no word of a person is broken.

Pure: verdicts come in as functions. Union-find joins whatever chains of pairs connect; the guard here undoes chains.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Final, NamedTuple

from hashindex.core.messages import Verdict
from hashindex.core.model import Relation
from hashindex.core.options import Level
from hashindex.hashing.unionfind import UnionFind

JudgePair = Callable[[int, int], Verdict]
ContentPair = tuple[int, int]


class LevelThresholds(NamedTuple):
    """What joins two contents at a level, and what keeps a member with its keeper."""

    joins: Relation
    """At least this much alike."""
    least: float
    """A member whose chance with the keeper is below this leaves."""
    sure: float
    """Unless its chance with one that is that near to the keeper is at least this."""

    def chance(self, found: Verdict) -> float:
        return found.copy if self.joins >= Relation.COPY else found.similar

    def denies(self, found: Verdict) -> bool:
        """Whether the two were seen to be no copies, where copies are asked for."""
        return self.joins >= Relation.COPY and found.objection is not None

    def holds(self, found: Verdict) -> bool:
        return found.relation >= self.joins or self.chance(found) >= self.least


RULES = {
    Level.COPIES: LevelThresholds(Relation.COPY, 0.15, 0.95),
    # Variants of one template are less like each other than copies are: no third one vouches.
    Level.SIMILAR: LevelThresholds(Relation.VARIANT, 0.3, 2.0),
}


CLEARLY: Final = 0.05
"""A member goes to another group only for a chance that is so much better: less is the noise of the judge."""


class Split(NamedTuple):
    """Two contents that were judged alike and are in two groups all the same, because most of the others differ."""

    a: int
    b: int
    chance: float


class Guarded(NamedTuple):
    groups: list[list[int]]
    """The keeper of each first."""
    splits: list[Split]


MOST_KEEPERS: Final = 8
"""A member that is not close to this many keepers is compared with no further one. At the end it is compared with at
most this many keepers of other groups, the nearest first."""


def guarded(
    members: Sequence[int], alike: Iterable[ContentPair], candidates: Callable[[], Sequence[ContentPair]],
    judge: JudgePair, area: Callable[[int], int], rule: LevelThresholds,
) -> Guarded:  # fmt: skip
    """Splits contents that hang together by pairs where members are not close to their keeper.

    alike: pairs that were judged to belong together. candidates: gives pairs worth a judgement, the nearest first, and
    is asked only where a member leaves. The keeper is the member in most of those pairs, then with most pixels (area).
    Members that leave are grouped again, and each goes to the keeper that suits it best.

    Cost: one verdict for each member where none leaves. Where some leave, each member is judged with at most
    2 * MOST_KEEPERS + 1 keepers. Besides these, only candidates and pairs of alike are judged.
    """
    alike = list(alike)
    if len(members) < 3:
        return Guarded([sorted(members)], [])
    held = set[int]()
    keeper = _keeper(members, alike, area)
    stay, leave = _around(keeper, members, members, alike, held, judge, rule)
    groups = [stay]
    if leave:
        # The nearest first: by these pairs it is told which keepers a member may belong to.
        pairs = list(dict.fromkeys([*map(_ordered, candidates()), *map(_ordered, alike)]))
        refused = Counter(leave)
        todo = _joined_again(leave, pairs, judge, rule)
        while todo:
            ids, within = todo.pop()
            keeper = _keeper(ids, [pair for pair in alike if pair[0] in ids and pair[1] in ids], area)
            # Farther away by these pairs than the guard lets one member vouch for another: not asked about.
            asked = {id for id in _two_links_from(keeper, within) if refused[id] < MOST_KEEPERS}
            stay, leave = _around(keeper, ids, asked, alike, held, judge, rule)
            groups.append(stay)
            refused.update(asked.intersection(leave))
            todo += _joined_again(leave, within, judge, rule)
        groups = _where_they_fit_best(groups, pairs, held, judge, rule)
    return Guarded(groups, _splits(groups, alike, judge, rule))


def _around(
    keeper: int, ids: Collection[int], asked: Collection[int], alike: Iterable[ContentPair], held: set[int],
    judge: JudgePair, rule: LevelThresholds,
) -> tuple[list[int], list[int]]:  # fmt: skip
    """Who stays with this keeper (itself first) and who leaves; only those of asked are compared with it.

    held: members that stay because others vouch for them are added to it.
    """
    near, stay, leave = {keeper}, [keeper], list[int]()
    denied = set[int]()
    for id in ids:
        if id == keeper:
            continue
        found = judge(keeper, id) if id in asked else None
        if found is not None and rule.denies(found):
            denied.add(id)
        (leave if found is None or not rule.holds(found) else stay).append(id)
        if found is not None and rule.chance(found) >= rule.sure:
            near.add(id)
    # Flattened on white and on black a drawing is not like itself, nor a crop like a copy with a wide border: the
    # picture between them vouches, and one more beyond it, as long as each link is sure.
    # But what the fine comparison saw differ from the keeper itself, no third one outvotes.
    left = set(leave) - denied
    beside = _beside([pair for pair in alike if pair[0] in left or pair[1] in left])
    reached = list(near)
    while reached:
        one = reached.pop()
        for other in beside.get(one, ()):
            if other in left and other not in near and rule.chance(judge(one, other)) >= rule.sure:
                near.add(other)
                reached.append(other)
    vouched = [id for id in leave if id in near]
    held.update(vouched)
    return stay + vouched, [id for id in leave if id not in near]


def _beside(pairs: Iterable[ContentPair]) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for a, b in pairs:
        found.setdefault(a, []).append(b)
        found.setdefault(b, []).append(a)
    return found


def _two_links_from(keeper: int, pairs: Iterable[ContentPair]) -> set[int]:
    """All that is one pair away from the keeper, or two."""
    beside = _beside(pairs)
    first = beside.get(keeper, [])
    return {*first, *(id for one in first for id in beside[one])} - {keeper}


def _keeper(ids: Collection[int], alike: Iterable[ContentPair], area: Callable[[int], int]) -> int:
    degree: Counter[int] = Counter(id for pair in alike for id in pair)
    return max(ids, key=lambda id: (degree[id], area(id), -id))


def _joined_again(
    ids: Sequence[int], pairs: Iterable[ContentPair], judge: JudgePair, rule: LevelThresholds
) -> list[tuple[set[int], list[ContentPair]]]:
    """These contents as sets that hang together by pairs, each with the pairs among it."""
    again, within = UnionFind(), set(ids)
    for id in ids:
        again.find(id)
    among = [pair for pair in pairs if pair[0] in within and pair[1] in within]
    for a, b in among:
        if again.find(a) != again.find(b) and judge(a, b).relation >= rule.joins:
            again.join_all([(a, b)])
    sets: dict[int, tuple[set[int], list[ContentPair]]] = {again.find(id): (set(), []) for id in ids}
    for id in ids:
        sets[again.find(id)][0].add(id)
    for a, b in among:
        if again.find(a) == again.find(b):
            sets[again.find(a)][1].append((a, b))
    return list(sets.values())


def _where_they_fit_best(
    groups: list[list[int]],
    pairs: Iterable[ContentPair],
    held: Collection[int],
    judge: JudgePair,
    rule: LevelThresholds,
) -> list[list[int]]:
    """Each member that is no keeper in the group that suits it best: its own, or one in which it has a pair.

    pairs: the nearest first. held: members that stay where they are, because others vouch for them: their keeper is
    not like them, and another may be.
    """
    keeper_of = {id: group[0] for group in groups for id in group}
    nearest: dict[int, dict[int, None]] = {}
    for pair in pairs:
        for id, other in (pair, pair[::-1]):
            keepers = nearest.setdefault(id, {})
            if keeper_of[other] != keeper_of[id] and len(keepers) < MOST_KEEPERS:
                keepers[keeper_of[other]] = None
    settled = {group[0]: [group[0]] for group in groups}
    for group in groups:
        for id in group[1:]:
            if id in held:
                settled[group[0]].append(id)
                continue
            chances = {keeper: rule.chance(judge(keeper, id)) for keeper in (group[0], *nearest.get(id, ()))}
            best = max(chances, key=lambda keeper: (chances[keeper], -keeper))
            moves = chances[best] > max(rule.least, chances[group[0]] + CLEARLY)
            settled[best if moves else group[0]].append(id)
    return list(settled.values())


def _ordered(pair: ContentPair) -> ContentPair:
    return pair if pair[0] < pair[1] else pair[::-1]


def _splits(
    groups: list[list[int]], alike: Iterable[ContentPair], judge: JudgePair, rule: LevelThresholds
) -> list[Split]:
    """Of every two groups that hung together the strongest pair between them: the link that was too weak."""
    group_of = {id: number for number, group in enumerate(groups) for id in group}
    strongest: dict[ContentPair, Split] = {}
    for a, b in alike:
        one, other = sorted((group_of[a], group_of[b]))
        if one != other:
            split = Split(a, b, rule.chance(judge(a, b)))
            if (one, other) not in strongest or strongest[one, other].chance < split.chance:
                strongest[one, other] = split
    return list(strongest.values())


def parted(
    group: Sequence[int],
    alike: Iterable[ContentPair],
    apart: Collection[ContentPair],
    judge: JudgePair,
    rule: LevelThresholds,
) -> list[list[int]]:
    """A group cut so that no two that a person said are separate stay together; the surest pairs stay.

    apart: such pairs. alike: pairs that were judged to belong together.
    """
    within = set(group)
    forbidden = _beside(pair for pair in apart if within.issuperset(pair))
    if not forbidden:
        return [list(group)]
    pairs = {(group[0], id) for id in group[1:]} | {pair for pair in alike if within.issuperset(pair)}
    # The keeper's first: the others are close to it.
    order = sorted(pairs, key=lambda pair: (-rule.chance(judge(*pair)), group[0] not in pair, pair))
    sets = {id: {id} for id in group}
    for a, b in order:
        one, other = sets[a], sets[b]
        if one is other or not rule.holds(judge(a, b)):
            continue
        if len(one) < len(other):
            one, other = other, one
        if any(not one.isdisjoint(forbidden[id]) for id in other if id in forbidden):
            continue
        one |= other
        sets |= dict.fromkeys(other, one)
    return [sorted(members) for members in {id(members): members for members in sets.values()}.values()]


def with_copies(groups: Sequence[Sequence[int]], copies: Sequence[Sequence[int]]) -> list[list[int]]:
    """Groups of variants, with the copies of one picture all in the group where most of them are.

    One copy that was led astray so does not join two groups.
    """
    place = {id: number for number, group in enumerate(groups) for id in group}
    for number, same in enumerate(copies, len(groups)):
        most = Counter(place[id] for id in same if id in place).most_common(1)
        place |= dict.fromkeys(same, most[0][0] if most else number)
    found: dict[int, list[int]] = {}
    for id, number in place.items():
        found.setdefault(number, []).append(id)
    return list(found.values())
