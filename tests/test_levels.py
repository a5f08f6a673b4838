"""Chains, the guard and the user's decisions, with invented verdicts."""

import random
from collections import Counter
from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashindex.core.messages import Verdict
from hashindex.core.model import Relation
from hashindex.core.options import Level
from hashindex.judge.levels import (
    MOST_KEEPERS,
    RULES,
    JudgePair,
    finer,
    guarded,
    parted,
    with_copies,
    with_keeper_first,
)

COPIES = RULES[Level.COPIES]


def judge_of(chances: dict[tuple[int, int], float]) -> JudgePair:
    """Verdicts by the probability of a copy; all other pairs are different."""

    def judge(a: int, b: int) -> Verdict:
        low, high = sorted((a, b))
        chance = chances.get((low, high), 0.0)
        relation = Relation.COPY if chance >= 0.7 else Relation.DIFFERENT
        return Verdict(low, high, 0, relation, chance, chance, False)

    return judge


def alike(chances: dict[tuple[int, int], float]) -> list[tuple[int, int]]:
    return [pair for pair, chance in chances.items() if chance >= 0.7]


def split(
    members: Iterable[int], chances: dict[tuple[int, int], float]
) -> tuple[list[list[int]], list[tuple[int, int]]]:
    """The groups that the guard makes, and the links that it cut."""
    pairs = sorted(chances)
    found = guarded(list(members), alike(chances), lambda: pairs, judge_of(chances), lambda id: 1, COPIES)
    return sorted(map(sorted, found.groups)), sorted(link[:2] for link in found.splits)


def test_two_contents_that_are_alike_make_a_group() -> None:
    assert split([1, 2], {(1, 2): 0.8}) == ([[1, 2]], [])


def test_members_close_to_the_keeper_stay_though_they_are_not_close_to_each_other() -> None:
    assert split([1, 2, 3], {(1, 2): 0.9, (1, 3): 0.9}) == ([[1, 2, 3]], [])
    assert split([1, 2, 3], {(1, 2): 0.9, (1, 3): 0.9, (2, 3): 0.5}) == ([[1, 2, 3]], [])


def test_a_chain_is_cut_and_its_weakest_link_is_returned() -> None:
    star = {(1, 2): 0.9, (1, 3): 0.9, (1, 4): 0.9}
    other = {(5, 6): 0.9, (5, 7): 0.9}
    assert split(range(1, 8), star | other | {(4, 5): 0.75}) == ([[1, 2, 3, 4], [5, 6, 7]], [(4, 5)])


def test_a_member_unlike_the_keeper_stays_if_a_sure_member_vouches_for_it() -> None:
    chances = {(1, 2): 0.97, (1, 3): 0.9, (1, 4): 0.9, (2, 5): 0.98}
    assert split(range(1, 6), chances) == ([[1, 2, 3, 4, 5]], [])


def test_a_member_that_others_vouch_for_does_not_follow_one_that_leaves() -> None:
    chances = {(1, 2): 0.97, (1, 3): 0.9, (1, 4): 0.9, (2, 5): 0.98, (5, 6): 0.8}
    assert split(range(1, 7), chances) == ([[1, 2, 3, 4, 5], [6]], [(5, 6)])


def test_a_member_that_leaves_joins_the_keeper_that_suits_it_best() -> None:
    chances = {(1, 2): 0.9, (1, 3): 0.9, (1, 4): 0.9, (5, 6): 0.9, (5, 7): 0.9, (4, 5): 0.99}
    assert split(range(1, 8), chances) == ([[1, 2, 3], [4, 5, 6, 7]], [(1, 4)])


def test_a_member_does_not_change_groups_for_a_slightly_higher_probability() -> None:
    star, other = {(1, 2): 0.9, (1, 3): 0.9, (1, 4): 0.75}, {(5, 6): 0.9, (5, 7): 0.9}
    assert split(range(1, 8), star | other | {(4, 5): 0.79}) == ([[1, 2, 3, 4], [5, 6, 7]], [(4, 5)])
    assert split(range(1, 8), star | other | {(4, 5): 0.81}) == ([[1, 2, 3], [4, 5, 6, 7]], [(1, 4)])


def denied(group: list[int], chances: dict[tuple[int, int], float], areas: dict[int, int]) -> list[tuple[int, int]]:
    found = finer(group, alike(chances), judge_of(chances), areas.__getitem__, COPIES)
    return found.denied if found else []


def test_a_small_keeper_does_not_hold_larger_pictures_together() -> None:
    # 1 is small: what differs between 2 and 3 cannot be seen in it. 4 is a copy of 2.
    chances = {(1, 2): 0.99, (1, 3): 0.99, (1, 4): 0.99, (2, 4): 0.99}
    areas = {1: 20, 2: 100, 3: 100, 4: 100}
    assert denied([1, 2, 3, 4], chances, areas) == [(2, 3)]
    assert denied([2, 1, 3, 4], chances, areas) == []
    # A copy of a larger picture may hold another one, if it is no less than the two.
    assert denied([1, 2, 3, 4], {**chances, (3, 4): 0.8}, areas) == []
    # A little smaller is not too small.
    assert denied([1, 2, 3, 4], chances, {**areas, 1: 90}) == []


def test_the_keeper_of_a_part_has_the_most_pairs_in_it_and_then_the_most_pixels() -> None:
    pairs = [(1, 2), (2, 3), (4, 2), (4, 5)]
    assert with_keeper_first([1, 2, 3], pairs, {1: 9, 2: 1, 3: 9}.__getitem__) == [2, 1, 3]
    assert with_keeper_first([4, 5], pairs, {4: 1, 5: 9}.__getitem__) == [5, 4]


def counted(
    members: int, chances: dict[tuple[int, int], float], candidates: Iterable[tuple[int, int]]
) -> tuple[list[list[int]], Counter[int]]:
    """The groups that the guard makes, and the number of others with which each member was compared."""
    judge, asked = judge_of(chances), set[tuple[int, int]]()

    def counting(a: int, b: int) -> Verdict:
        asked.add((min(a, b), max(a, b)))
        return judge(a, b)

    pairs = sorted(candidates)
    found = guarded(range(members), alike(chances), lambda: pairs, counting, lambda id: 1, COPIES)
    return sorted(map(sorted, found.groups)), Counter(id for pair in asked for id in pair)


def test_the_guard_needs_a_bounded_number_of_verdicts_for_many_connected_groups() -> None:
    # 200 pictures of ten copies each, joined into one by a wrong verdict between each and the next.
    groups = [list(range(start, start + 10)) for start in range(0, 2000, 10)]
    chances = {(group[0], id): 0.9 for group in groups for id in group[1:]}
    candidates = {(a, b) for group in groups for a in group for b in group if a < b}
    rng = random.Random(1)
    for one, other in pairwise(groups):
        pair = rng.choice(one[1:]), rng.choice(other[1:])
        chances[pair] = 0.75
        candidates.add(pair)
    found, asked = counted(2000, chances, candidates)
    assert found == groups
    # Each verdict counts for both members. 2.2 a member; every keeper with every member would be 190.
    assert sum(asked.values()) / 2 < 5 * 2000


def test_a_chain_of_a_thousand_needs_a_bounded_number_of_verdicts() -> None:
    chances = {(id, id + 1): 0.9 for id in range(999)}
    found, asked = counted(1000, chances, chances)
    assert sum(map(len, found)) == 1000
    assert max(map(len, found)) <= 3
    first = max(asked, key=lambda id: asked[id])
    assert asked[first] == 999
    assert max(count for id, count in asked.items() if id != first) <= 2 * MOST_KEEPERS + 1 + 2


@pytest.mark.parametrize("seed", range(20))
def test_no_member_is_compared_with_more_keepers_than_the_guard_promises(seed: int) -> None:
    rng = random.Random(seed)
    chances = {(a, b): rng.random() for a in range(60) for b in range(a + 1, 60) if rng.random() < 0.2}
    judge, beyond = judge_of(chances), set[tuple[int, int]]()

    def counting(a: int, b: int) -> Verdict:
        beyond.update({(min(a, b), max(a, b))} - chances.keys())
        return judge(a, b)

    groups = guarded(range(60), alike(chances), lambda: list(chances), counting, lambda id: 1, COPIES).groups
    assert sorted(id for group in groups for id in group) == list(range(60))
    members = {id for group in groups for id in group[1:]}
    asked = Counter(id for pair in beyond for id in pair if id in members)
    assert max(asked.values()) <= 2 * MOST_KEEPERS + 1


def test_separate_contents_are_parted_and_the_others_join_the_surer_one() -> None:
    chances = {(1, 2): 0.99, (1, 3): 0.8, (2, 3): 0.9, (1, 4): 0.9}
    assert parted([1, 2, 3, 4], alike(chances), [(1, 3)], judge_of(chances), COPIES) == [[1, 2, 4], [3]]
    assert parted([1, 2, 3, 4], alike(chances), [], judge_of(chances), COPIES) == [[1, 2, 3, 4]]


def test_a_large_group_is_parted_without_a_search_for_each_member() -> None:
    # Where every member was looked for among the groups found so far, this took minutes.
    chances = {(0, id): 0.9 for id in range(1, 20_000)}
    apart = [(id, id + 1) for id in range(10_000, 12_000)]
    parts = parted(range(20_000), alike(chances), apart, judge_of(chances), COPIES)
    assert sorted(id for part in parts for id in part) == list(range(20_000))
    assert len(parts) == 1001


pairs = st.tuples(st.integers(0, 7), st.integers(0, 7)).filter(lambda pair: pair[0] < pair[1])


@given(st.dictionaries(pairs, st.floats(0.0, 1.0)), st.sets(pairs, max_size=4))
def test_every_content_is_in_one_group_and_every_decision_holds(
    chances: dict[tuple[int, int], float], apart: set[tuple[int, int]]
) -> None:
    chances = {pair: chance for pair, chance in chances.items() if pair not in apart}
    judge = judge_of(chances)
    groups = guarded(range(8), alike(chances), lambda: sorted(chances), judge, lambda id: id, COPIES).groups
    final = [part for group in groups for part in parted(group, alike(chances), apart, judge, COPIES)]
    assert sorted(id for group in final for id in group) == list(range(8))
    assert not any(set(pair) <= set(group) for pair in apart for group in final)


def test_copies_join_the_group_that_has_most_of_them_and_connect_no_groups() -> None:
    groups = [[1, 2, 3], [4, 5, 6]]
    found = with_copies(groups, [[2, 3, 6], [7, 8]])
    assert sorted(sorted(group) for group in found) == [[1, 2, 3, 6], [4, 5], [7, 8]]
