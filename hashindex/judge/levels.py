"""Groups from judged pairs: each member is close to the keeper, and no decision of the user is violated. Does no I/O.

Union-find joins everything that a chain of pairs connects. The guard in this module splits such chains. It asks for
verdicts by calling functions.
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
    """The thresholds of a level: which relation joins two contents, and when a member stays with its keeper."""

    joins: Relation
    """The weakest relation that joins two contents."""
    least: float
    """A member leaves if the judge does not join it with the keeper and its probability is below this."""
    sure: float
    """A weak member stays anyway if it is at least this likely a copy of another member that is itself this close
    to the keeper."""

    def chance(self, found: Verdict) -> float:
        return found.copy if self.joins >= Relation.COPY else found.similar

    def denies(self, found: Verdict) -> bool:
        """Whether the fine comparison objects to the pair, at a level of copies."""
        return self.joins >= Relation.COPY and found.objection is not None

    def holds(self, found: Verdict) -> bool:
        return found.relation >= self.joins or self.chance(found) >= self.least


RULES = {
    Level.COPIES: LevelThresholds(Relation.COPY, 0.15, 0.95),
    # Variants of one template resemble each other less than copies do: no third member vouches, as sure is above 1.
    Level.SIMILAR: LevelThresholds(Relation.VARIANT, 0.3, 2.0),
}


MOVE_MARGIN: Final = 0.05
"""A member moves to another group only if its probability there is higher by this; less is noise of the judge."""


class Split(NamedTuple):
    """Two contents that were judged alike but are in two groups, because most of the other members differ."""

    a: int
    b: int
    chance: float


class Guarded(NamedTuple):
    """The groups that the guard made, and the pairs that it separated."""

    groups: list[list[int]]
    """The keeper of each group is first."""
    splits: list[Split]


COARSER: Final = 0.64
"""A keeper with fewer pixels than this share of each of two members shows less than they do: four fifths of each side.
A margin of a tenth on all sides alone does not make it so much smaller."""
MOST_KEEPERS: Final = 8
"""A member that this many keepers refused is compared with no further keeper. At the end each member is compared
with at most this many keepers of other groups, the nearest first."""


def guarded(
    members: Sequence[int], alike: Iterable[ContentPair], candidates: Callable[[], Sequence[ContentPair]],
    judge: JudgePair, area: Callable[[int], int], rule: LevelThresholds,
) -> Guarded:  # fmt: skip
    """Splits a connected set of contents if members are not close to their keeper.

    alike: pairs that were judged to belong together. candidates: returns pairs worth a judgement, the nearest first; it
    is called only if a member leaves. The keeper is the member with the most pairs in alike, then with the most pixels
    (area). Members that leave are grouped again, and each member ends in the group of the keeper that suits it best.

    Cost: one verdict for each member if none leaves. If some leave, each member is judged with at most
    2 * MOST_KEEPERS + 1 keepers. Apart from these, only candidates and pairs of alike are judged.
    """
    alike = list(alike)
    if len(members) < 3:
        return Guarded([sorted(members)], [])
    vouched_for = set[int]()
    keeper = _keeper_of(members, alike, area)
    stay, leave = _split_around(keeper, members, members, alike, vouched_for, judge, rule)
    groups = [stay]
    if leave:
        # These pairs, the nearest first, limit the keepers to which a member may belong.
        pairs = list(dict.fromkeys([*map(_ordered, candidates()), *map(_ordered, alike)]))
        refused = Counter(leave)
        todo = _regrouped(leave, pairs, judge, rule)
        while todo:
            ids, within = todo.pop()
            keeper = _keeper_of(ids, [pair for pair in alike if pair[0] in ids and pair[1] in ids], area)
            # Contents more than two links away are not compared with this keeper.
            asked = {id for id in _two_links_from(keeper, within) if refused[id] < MOST_KEEPERS}
            stay, leave = _split_around(keeper, ids, asked, alike, vouched_for, judge, rule)
            groups.append(stay)
            refused.update(asked.intersection(leave))
            todo += _regrouped(leave, within, judge, rule)
        groups = _moved_to_best_group(groups, pairs, vouched_for, judge, rule)
    return Guarded(groups, _splits(groups, alike, judge, rule))


def _split_around(
    keeper: int, ids: Collection[int], asked: Collection[int], alike: Iterable[ContentPair], vouched_for: set[int],
    judge: JudgePair, rule: LevelThresholds,
) -> tuple[list[int], list[int]]:  # fmt: skip
    """The members that stay with this keeper (the keeper first), and those that leave.

    asked: only these are compared with the keeper. vouched_for: members that others vouch for are added.
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
    # A drawing flattened on white does not resemble the same drawing flattened on black, nor does a crop resemble a
    # copy with a wide border. A picture between the two vouches for them, over any number of links that are all sure.
    # But if the fine comparison objects to a member and the keeper itself, no third member can vouch.
    left = set(leave) - denied
    neighbours = _neighbours([pair for pair in alike if pair[0] in left or pair[1] in left])
    reached = list(near)
    while reached:
        one = reached.pop()
        for other in neighbours.get(one, ()):
            if other in left and other not in near and rule.chance(judge(one, other)) >= rule.sure:
                near.add(other)
                reached.append(other)
    vouched = [id for id in leave if id in near]
    vouched_for.update(vouched)
    return stay + vouched, [id for id in leave if id not in near]


def shows_less(keeper: int, a: int, b: int, area: Callable[[int], int]) -> bool:
    """Whether a keeper has too few pixels to say that two contents are alike in what both show."""
    return area(keeper) < COARSER * min(area(a), area(b))


class Finer(NamedTuple):
    """What the members of a group that have more pixels than its keeper say."""

    keeper: int
    """The one of them that has the most pairs."""
    denied: list[ContentPair]
    """Pairs of them that are no copies, each with this keeper."""


def finer(
    group: Sequence[int], alike: Iterable[ContentPair], judge: JudgePair, area: Callable[[int], int],
    rule: LevelThresholds,
) -> Finer | None:  # fmt: skip
    """Compares the members that have more pixels than their keeper, which is first; None if there are fewer than two.

    A small picture of a chat is a copy of two large ones with different words, because the words cannot be read in it.
    So a larger member stays only if it is close to the keeper of the larger members, or a copy of one that is. Cost: at
    most MOST_KEEPERS + 1 verdicts for each.
    """
    ids = [id for id in group if shows_less(group[0], id, id, area)]
    if len(ids) < 2:
        return None
    within = set(ids)
    alike = [pair for pair in alike if within.issuperset(pair)]
    keeper = _keeper_of(ids, alike, area)
    stay, leave = _split_around(keeper, ids, ids, alike, set(), judge, rule)
    others = sorted(stay[1:], key=lambda id: (-rule.chance(judge(keeper, id)), id))
    near = [keeper, *others][:MOST_KEEPERS]
    denied = [id for id in leave if all(judge(one, id).relation < rule.joins for one in near)]
    return Finer(keeper, [_ordered((keeper, id)) for id in denied])


def with_keeper_first(members: Collection[int], alike: Iterable[ContentPair], area: Callable[[int], int]) -> list[int]:
    """The members in order, but first the one with the most pairs in alike, then with the most pixels."""
    within = set(members)
    keeper = _keeper_of(members, [pair for pair in alike if within.issuperset(pair)], area)
    return [keeper, *sorted(within - {keeper})]


def _neighbours(pairs: Iterable[ContentPair]) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for a, b in pairs:
        found.setdefault(a, []).append(b)
        found.setdefault(b, []).append(a)
    return found


def _two_links_from(keeper: int, pairs: Iterable[ContentPair]) -> set[int]:
    """The contents that are one or two pairs away from the keeper."""
    neighbours = _neighbours(pairs)
    first = neighbours.get(keeper, [])
    return {*first, *(id for one in first for id in neighbours[one])} - {keeper}


def _keeper_of(ids: Collection[int], alike: Iterable[ContentPair], area: Callable[[int], int]) -> int:
    degree: Counter[int] = Counter(id for pair in alike for id in pair)
    return max(ids, key=lambda id: (degree[id], area(id), -id))


def _regrouped(
    ids: Sequence[int], pairs: Iterable[ContentPair], judge: JudgePair, rule: LevelThresholds
) -> list[tuple[set[int], list[ContentPair]]]:
    """The sets of these contents that pairs connect, each with its pairs."""
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


def _moved_to_best_group(
    groups: list[list[int]],
    pairs: Iterable[ContentPair],
    vouched_for: Collection[int],
    judge: JudgePair,
    rule: LevelThresholds,
) -> list[list[int]]:
    """Moves each member, except keepers, to the group that suits it best: its own, or one in which it has a pair.

    pairs: the nearest first. vouched_for: members that stay although they do not resemble their keeper.
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
            if id in vouched_for:
                settled[group[0]].append(id)
                continue
            chances = {keeper: rule.chance(judge(keeper, id)) for keeper in (group[0], *nearest.get(id, ()))}
            best = max(chances, key=lambda keeper: (chances[keeper], -keeper))
            moves = chances[best] > max(rule.least, chances[group[0]] + MOVE_MARGIN)
            settled[best if moves else group[0]].append(id)
    return list(settled.values())


def _ordered(pair: ContentPair) -> ContentPair:
    return pair if pair[0] < pair[1] else pair[::-1]


def _splits(
    groups: list[list[int]], alike: Iterable[ContentPair], judge: JudgePair, rule: LevelThresholds
) -> list[Split]:
    """For every two groups that pairs connect the strongest pair between them."""
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
    separated: Collection[ContentPair],
    judge: JudgePair,
    rule: LevelThresholds,
) -> list[list[int]]:
    """Splits a group so that no two contents that the user decided are separate stay together; the surest pairs stay.

    separated: pairs that the user separated. alike: pairs that were judged to belong together.
    """
    within = set(group)
    forbidden = _neighbours(pair for pair in separated if within.issuperset(pair))
    if not forbidden:
        return [list(group)]
    pairs = {(group[0], id) for id in group[1:]} | {pair for pair in alike if within.issuperset(pair)}
    # At equal probability the keeper's pairs come first, because the other members are close to the keeper.
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
    """Groups of variants in which all copies of one picture are in the group that has most of them.

    So one misplaced copy does not join two groups.
    """
    group_of = {id: number for number, group in enumerate(groups) for id in group}
    for number, same in enumerate(copies, len(groups)):
        most = Counter(group_of[id] for id in same if id in group_of).most_common(1)
        group_of |= dict.fromkeys(same, most[0][0] if most else number)
    found: dict[int, list[int]] = {}
    for id, number in group_of.items():
        found.setdefault(number, []).append(id)
    return list(found.values())
