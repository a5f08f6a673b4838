"""Pairs that were judged alike -> groups where each member is close to the keeper and no word of a person is broken.

Pure: verdicts come in as functions. Union-find joins whatever chains of pairs connect; the guard here undoes chains.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Final, NamedTuple

from hashindex.finding.groups import UnionFind
from hashindex.model import Level, Relation, Verdict

Judge = Callable[[int, int], Verdict]
Pair = tuple[int, int]


class Rule(NamedTuple):
    """What joins two contents at a level, and what keeps a member with its keeper."""

    joins: Relation
    """At least this much alike."""
    least: float
    """A member whose chance with the keeper is below this leaves."""
    sure: float
    """Unless its chance with one that is that near to the keeper is at least this."""

    def chance(self, found: Verdict) -> float:
        return found.copy if self.joins >= Relation.COPY else found.similar

    def holds(self, found: Verdict) -> bool:
        return found.relation >= self.joins or self.chance(found) >= self.least


RULES = {
    Level.COPIES: Rule(Relation.COPY, 0.15, 0.95),
    # Variants of one template are less like each other than copies are: no third one vouches.
    Level.SIMILAR: Rule(Relation.VARIANT, 0.3, 2.0),
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


def guarded(
    members: Sequence[int], alike: Iterable[Pair], candidates: Callable[[], Sequence[Pair]], judge: Judge,
    area: Callable[[int], int], rule: Rule,
) -> Guarded:  # fmt: skip
    """Splits contents that hang together by pairs where members are not close to their keeper.

    alike: pairs that were judged to belong together. candidates: gives pairs worth a judgement, the nearest first, and
    is asked only where somebody leaves. The keeper is who has most of those pairs, then most pixels (area). Who leaves
    is grouped again, and goes to the keeper that suits best. Cost: about one judgement a member.
    """
    alike = list(alike)
    if len(members) < 3:
        return Guarded([sorted(members)], [])
    groups: list[list[int]] = []
    held = set[int]()
    todo = [list(members)]
    sure = [pair for pair in alike if rule.chance(judge(*pair)) >= rule.sure]
    while todo:
        ids = todo.pop()
        keeper = _keeper(ids, alike, area)
        near, stay, leave = {keeper}, [keeper], list[int]()
        for id in ids:
            if id != keeper:
                found = judge(keeper, id)
                (stay if rule.holds(found) else leave).append(id)
                if rule.chance(found) >= rule.sure:
                    near.add(id)
        # Flattened on white and on black a drawing is not like itself, nor a crop like a copy with a wide border: the
        # picture between them vouches, and one more beyond it, as long as each link is sure.
        while vouched := {b if a in near else a for a, b in sure if (a in near) != (b in near)}.intersection(leave):
            near |= vouched
            held |= vouched
            stay += [id for id in leave if id in vouched]
            leave = [id for id in leave if id not in vouched]
        groups.append(stay)
        if leave:
            todo += _joined_again(leave, candidates(), judge, rule)
    groups = _where_they_fit_best(groups, held, judge, rule)
    return Guarded(groups, _splits(groups, alike, judge, rule))


def _keeper(ids: Collection[int], alike: Iterable[Pair], area: Callable[[int], int]) -> int:
    within = set(ids)
    degree: Counter[int] = Counter()
    for a, b in alike:
        if a in within and b in within:
            degree[a] += 1
            degree[b] += 1
    return max(within, key=lambda id: (degree[id], area(id), -id))


def _joined_again(ids: Sequence[int], candidates: Sequence[Pair], judge: Judge, rule: Rule) -> list[list[int]]:
    again, within = UnionFind(), set(ids)
    for id in ids:
        again.find(id)
    for a, b in candidates:
        if a in within and b in within and again.find(a) != again.find(b) and judge(a, b).relation >= rule.joins:
            again.join_all([(a, b)])
    return [list(found) for found in again.sets()]


def _where_they_fit_best(groups: list[list[int]], held: Collection[int], judge: Judge, rule: Rule) -> list[list[int]]:
    """held: stay where they are, because others vouch for them: their keeper is not like them, and another may be."""
    if len(groups) < 2:
        return groups
    keepers = [group[0] for group in groups]
    settled = {keeper: [keeper] for keeper in keepers}
    for group in groups:
        for id in group[1:]:
            if id in held:
                settled[group[0]].append(id)
                continue
            best = max(keepers, key=lambda keeper: (rule.chance(judge(keeper, id)), -keeper))
            moves = rule.chance(judge(best, id)) > max(rule.least, rule.chance(judge(group[0], id)) + CLEARLY)
            settled[best if moves else group[0]].append(id)
    return list(settled.values())


def _splits(groups: list[list[int]], alike: Iterable[Pair], judge: Judge, rule: Rule) -> list[Split]:
    """Of every two groups that hung together the strongest pair between them: the link that was too weak."""
    group_of = {id: number for number, group in enumerate(groups) for id in group}
    strongest: dict[Pair, Split] = {}
    for a, b in alike:
        one, other = sorted((group_of[a], group_of[b]))
        if one != other:
            split = Split(a, b, rule.chance(judge(a, b)))
            if (one, other) not in strongest or strongest[one, other].chance < split.chance:
                strongest[one, other] = split
    return list(strongest.values())


def parted(
    group: Sequence[int], alike: Iterable[Pair], apart: Collection[Pair], judge: Judge, rule: Rule
) -> list[list[int]]:
    """A group cut so that no two that a person said are separate stay together; the surest pairs stay.

    apart: such pairs. alike: pairs that were judged to belong together.
    """
    within = set(group)
    forbidden = {frozenset(pair) for pair in apart if within.issuperset(pair)}
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
        if any(frozenset((x, y)) in forbidden for x in one for y in other):
            continue
        one |= other
        for id in other:
            sets[id] = one
    found: list[list[int]] = []
    for members in sets.values():
        ordered = sorted(members)
        if ordered not in found:
            found.append(ordered)
    return found


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
