"""The contract of every index: LinearIndex is the slow definition, and each other must agree with it."""

import importlib.util
import tracemalloc
from collections.abc import Callable, Iterator
from itertools import combinations, islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hashindex.hashing import packed
from hashindex.hashing.packed import Block, Words, collapsed, joined, joined_by_chunks, near
from hashindex.hashing.search import BKTreeIndex, HammingIndex, KeyPair, LinearIndex, Neighbour, check_key, check_radius

Engine = Callable[..., HammingIndex]


class PackedIndex(LinearIndex):
    """The functions of hashing/packed as an index."""

    def _planes(self) -> tuple[Words, list[int]]:
        ids = sorted(self._key_of)
        return packed.packed([self._key_of[id] for id in ids], self.bits).T, ids

    def within(self, key: int, radius: int) -> list[Neighbour]:
        check_key(key, self.bits)
        check_radius(radius, self.bits)
        planes, ids = self._planes()
        rows, distances = near(planes, packed.packed([key], self.bits)[0], radius)
        return sorted(Neighbour(*one) for one in zip(distances.tolist(), [ids[row] for row in rows], strict=True))

    def pairs(self, radius: int) -> Iterator[KeyPair]:
        check_radius(radius, self.bits)
        planes, ids = self._planes()
        keys, first, sizes, order = collapsed(planes.T)
        sets = [sorted(ids[row] for row in order[at : at + size]) for at, size in zip(first, sizes, strict=True)]
        for alike in sets:
            yield from (KeyPair(a, b, 0) for a, b in combinations(alike, 2))
        for block in self._joined(keys, radius):
            for i, j, distance in zip(*(column.tolist() for column in block), strict=True):
                yield from (KeyPair(min(a, b), max(a, b), distance) for a in sets[i] for b in sets[j])

    def _joined(self, keys: Words, radius: int) -> Iterator[Block]:
        return joined(keys, radius)


class CompiledIndex(PackedIndex):
    """The packed engine as it joins very many keys, for as few as there are here."""

    def _joined(self, keys: Words, radius: int) -> Iterator[Block]:
        return joined_by_chunks(keys, radius, packed._cut(self.bits, radius, self.bits // 8), compiled=True)


HAS_NUMBA = importlib.util.find_spec("numba") is not None
INDEXES: list[Engine] = [LinearIndex, BKTreeIndex, PackedIndex, *[CompiledIndex] * HAS_NUMBA]
"""Every engine; a new one joins all tests of this file by one entry here."""

every_index = pytest.mark.parametrize("engine", INDEXES)

Step = tuple[int, int | None]
"""An id and the key to add it with; None discards it."""


def keys(bits: int) -> st.SearchStrategy[int]:
    return st.integers(0, (1 << bits) - 1)


def clustered_keys(bits: int, centres: list[int]) -> st.SearchStrategy[int]:
    """Keys that are one of the centres with 0 to 4 bits turned: equal ones and near ones are common."""
    return st.builds(
        lambda centre, turned: centre ^ sum(1 << bit for bit in turned),
        st.sampled_from(centres),
        st.sets(st.integers(0, bits - 1), max_size=4),
    )


@st.composite
def histories(draw: st.DrawFn) -> tuple[int, list[Step], int, int]:
    """Bits, a history of adds and discards of few ids, a key to ask for and a radius."""
    bits = draw(st.sampled_from([64, 256]))
    centres = draw(st.lists(keys(bits), min_size=1, max_size=3))
    some_key = draw(st.sampled_from([keys(bits), clustered_keys(bits, centres)]))
    steps = draw(st.lists(st.tuples(st.integers(1, 12), st.none() | some_key), max_size=40))
    asked = draw(some_key | keys(bits))
    radius = draw(st.integers(0, 12) | st.integers(0, bits) | st.just(bits))
    return bits, steps, asked, radius


def replay(index: HammingIndex, steps: list[Step]) -> dict[int, int]:
    """Plays the steps on the index; an id that is in is discarded before it is added again. What is in at the end."""
    held: dict[int, int] = {}
    for id, key in steps:
        if key is None or id in held:
            index.discard(id)
            held.pop(id, None)
        if key is not None:
            index.add(id, key)
            held[id] = key
    return held


def bits_apart(a: int, b: int) -> int:
    """Counted from the binary digits, as no index does it."""
    return f"{a ^ b:b}".count("1")


@every_index
@settings(max_examples=40, deadline=None)
@given(history=histories())
def test_an_engine_gives_what_the_definition_gives(engine: Engine, history: tuple[int, list[Step], int, int]) -> None:
    bits, steps, asked, radius = history
    index = engine(bits)
    held = replay(index, steps)
    near = [Neighbour(bits_apart(asked, key), id) for id, key in held.items() if bits_apart(asked, key) <= radius]
    assert index.within(asked, radius) == sorted(near)
    apart = [KeyPair(a, b, bits_apart(held[a], held[b])) for a, b in combinations(sorted(held), 2)]
    assert sorted(index.pairs(radius)) == [pair for pair in apart if pair.distance <= radius]


@every_index
@settings(max_examples=20, deadline=None)
@given(history=histories())
def test_asking_changes_nothing(engine: Engine, history: tuple[int, list[Step], int, int]) -> None:
    bits, steps, asked, radius = history
    index = engine(bits)
    replay(index, steps)
    first = (index.within(asked, radius), sorted(index.pairs(radius)))
    assert (index.within(asked, radius), sorted(index.pairs(radius))) == first


@every_index
def test_an_empty_index_answers_with_nothing(engine: Engine) -> None:
    index = engine(64)
    assert (index.bits, index.within(0, 64), list(index.pairs(64))) == (64, [], [])


@every_index
def test_items_can_be_given_at_the_start(engine: Engine) -> None:
    index = engine(64, [(3, 0b111), (1, 0b001), (2, 0b001)])
    assert index.within(0, 2) == [(1, 1), (1, 2)]


@every_index
def test_within_is_nearest_first_and_ties_go_by_id(engine: Engine) -> None:
    index = engine(64, [(9, 0b1), (2, 0b11), (5, 0b10), (7, 0), (4, 0)])
    assert index.within(0, 64) == [(0, 4), (0, 7), (1, 5), (1, 9), (2, 2)]


@every_index
def test_equal_keys_are_pairs_at_distance_nought(engine: Engine) -> None:
    index = engine(64, [(3, 5), (1, 5), (2, 5)])
    assert sorted(index.pairs(0)) == [(1, 2, 0), (1, 3, 0), (2, 3, 0)]


@every_index
def test_the_radius_is_inclusive(engine: Engine) -> None:
    index = engine(64, [(1, 0), (2, 0b111)])
    assert [(index.within(0, radius), list(index.pairs(radius))) for radius in (2, 3)] == [
        ([(0, 1)], []),
        ([(0, 1), (3, 2)], [(1, 2, 3)]),
    ]


@every_index
@pytest.mark.parametrize("bits", [64, 256])
def test_the_ends_of_the_key_range_are_all_bits_apart(engine: Engine, bits: int) -> None:
    index = engine(bits, [(1, 0), (2, (1 << bits) - 1)])
    assert (index.within(0, bits), list(index.pairs(bits)), list(index.pairs(bits - 1))) == (
        [(0, 1), (bits, 2)],
        [(1, 2, bits)],
        [],
    )


@every_index
def test_an_id_cannot_be_added_twice_and_keeps_its_key(engine: Engine) -> None:
    index = engine(64, [(1, 0)])
    with pytest.raises(ValueError, match="id 1 is in the index already"):
        index.add(1, 63)
    assert (index.within(0, 64), list(index.pairs(64))) == ([(0, 1)], [])


@every_index
@pytest.mark.parametrize(("bits", "key"), [(64, -1), (64, 1 << 64), (256, 1 << 256), (256, -(1 << 255))])
def test_a_key_that_does_not_fit_is_refused_and_leaves_nothing(engine: Engine, bits: int, key: int) -> None:
    index = engine(bits)
    with pytest.raises(ValueError, match=f"does not fit in {bits} bits"):
        index.add(1, key)
    index.add(1, 0)
    assert index.within(0, bits) == [(0, 1)]


@every_index
@pytest.mark.parametrize("radius", [-1, 65])
def test_a_radius_out_of_range_is_refused(engine: Engine, radius: int) -> None:
    index = engine(64, [(1, 0)])
    with pytest.raises(ValueError, match=f"radius {radius} is not between 0 and 64"):
        index.within(0, radius)
    with pytest.raises(ValueError, match=f"radius {radius} is not between 0 and 64"):
        list(index.pairs(radius))


@every_index
def test_discarding_an_unknown_id_does_nothing(engine: Engine) -> None:
    index = engine(64, [(1, 0)])
    index.discard(2)
    assert index.within(0, 64) == [(0, 1)]


@every_index
def test_a_discarded_id_is_found_no_more_though_its_twin_is(engine: Engine) -> None:
    index = engine(64, [(1, 7), (2, 7), (3, 6)])
    index.discard(1)
    assert (index.within(7, 1), list(index.pairs(1))) == ([(0, 2), (1, 3)], [(2, 3, 1)])


@every_index
def test_the_neighbours_of_a_discarded_id_are_still_found(engine: Engine) -> None:
    index = engine(64, [(id, (1 << id) - 1) for id in range(20)])
    for id in (0, 1, 5):
        index.discard(id)
    assert index.within(0, 6) == [(2, 2), (3, 3), (4, 4), (6, 6)]


@every_index
def test_a_discarded_id_can_come_back_with_another_key(engine: Engine) -> None:
    index = engine(64, [(1, 0), (2, 0b1111)])
    index.discard(1)
    index.add(1, 0b0111)
    assert (index.within(0, 3), list(index.pairs(1))) == ([(3, 1)], [(1, 2, 1)])


@every_index
def test_a_discarded_id_can_come_back_with_its_own_key(engine: Engine) -> None:
    index = engine(64, [(1, 5)])
    index.discard(1)
    index.add(1, 5)
    assert (index.within(5, 0), list(index.pairs(0))) == ([(0, 1)], [])


@every_index
def test_pairs_is_an_iterator(engine: Engine) -> None:
    pairs = engine(64, [(1, 0), (2, 0)]).pairs(0)
    assert (isinstance(pairs, Iterator), next(pairs)) == (True, KeyPair(1, 2, 0))


@every_index
def test_the_pairs_of_very_many_equal_keys_stream(engine: Engine) -> None:
    if engine is LinearIndex:
        pytest.skip("the slow definition is slow")
    index = engine(64, [(id, 7 if id else 6) for id in range(100_001)])
    tracemalloc.start()
    some = list(islice(index.pairs(1), 1000))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # All of them would be five thousand million.
    assert (len(set(some)), {pair.distance for pair in some}) == (1000, {0})
    assert peak < 50e6
