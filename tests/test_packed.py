"""The packed engine's own parts; its contract is in test_search.py."""

import importlib.util

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hashindex.core.messages import KeySnapshot, KeyState
from hashindex.hashing import packed
from hashindex.hashing.packed import (
    Chunk,
    Words,
    best_chunks,
    collapsed,
    comparing_cost,
    joined,
    joined_by_chunks,
    joined_by_comparing,
    joined_with,
    near,
    shards,
)

Found = dict[tuple[int, int], int]

HAS_NUMBA = importlib.util.find_spec("numba") is not None
needs_numba = pytest.mark.skipif(not HAS_NUMBA, reason="needs the extra `fast`")


def random_keys(seed: int, n: int, bits: int) -> Words:
    """Distinct keys, a third of them a few bits away from another."""
    rng = np.random.default_rng(seed)
    keys = rng.integers(0, 2**64, (n, bits // 64), np.uint64)
    for row in range(n // 3):
        keys[row] = keys[rng.integers(n)]
        for bit in rng.integers(0, bits, rng.integers(0, 12)):
            keys[row, bit // 64] ^= np.uint64(1) << np.uint64(bit % 64)
    return np.unique(keys, axis=0)


def found(blocks: object) -> Found:
    """Pairs by (lower, higher) row; a pair that comes twice fails."""
    pairs: Found = {}
    for left, right, distances in blocks:  # type: ignore[attr-defined]
        for a, b, distance in zip(left.tolist(), right.tolist(), distances.tolist(), strict=True):
            assert (min(a, b), max(a, b)) not in pairs
            pairs[min(a, b), max(a, b)] = distance
    return pairs


def by_definition(keys: Words, radius: int) -> Found:
    numbers = [int.from_bytes(key.astype(">u8").tobytes(), "big") for key in keys]
    return {
        (a, b): distance
        for a in range(len(numbers))
        for b in range(a + 1, len(numbers))
        if (distance := (numbers[a] ^ numbers[b]).bit_count()) <= radius
    }


@given(st.integers(0, 10**6), st.integers(0, 90), st.sampled_from([64, 256]), st.integers(0, 40), st.integers(0, 30))
@settings(max_examples=40, deadline=None)
def test_any_way_to_cut_keys_finds_exactly_the_near_pairs(seed: int, n: int, bits: int, radius: int, more: int) -> None:
    keys = random_keys(seed, n, bits)
    expected = by_definition(keys, radius)
    assert found(joined_by_comparing(keys, radius)) == expected
    chunks = packed._cut(bits, radius, -(-bits // packed.MOST_CHUNK_BITS) + more % 20)
    # Many wrong bits a chunk are exact too, but take for ever: that is what comparing is for.
    if max(chunk.most for chunk in chunks) <= 2:
        assert found(joined_by_chunks(keys, radius, chunks)) == expected
        if HAS_NUMBA:
            assert found(joined_by_chunks(keys, radius, chunks, compiled=True)) == expected
        parts = shards(chunks, 1 + more)
        # found refuses a pair that comes twice.
        assert (
            found(block for part in parts for block in joined_by_chunks(keys, radius, chunks, shard=part)) == expected
        )


@given(st.integers(0, 10**6), st.integers(2, 90), st.sampled_from([64, 256]), st.integers(0, 40), st.data())
@settings(max_examples=40, deadline=None)
def test_fresh_rows_are_met_once_with_every_near_one(
    seed: int, n: int, bits: int, radius: int, data: st.DataObject
) -> None:
    keys = random_keys(seed, n, bits)
    fresh = np.array(data.draw(st.lists(st.booleans(), min_size=len(keys), max_size=len(keys))), bool)
    expected = {pair: bits for pair, bits in by_definition(keys, radius).items() if fresh[list(pair)].any()}
    assert found(joined(keys, radius, fresh)) == expected
    assert found(joined_with(keys, radius, fresh)) == expected


@pytest.mark.parametrize("bits", [64, 256])
def test_fresh_rows_of_many_are_found_by_chunks_too(bits: int) -> None:
    keys = random_keys(5, 6000, bits)
    fresh = np.random.default_rng(6).random(len(keys)) < 0.7
    expected = {
        (a, b): distance for (a, b), distance in found(joined_by_comparing(keys, 8)).items() if fresh[a] or fresh[b]
    }
    assert len(expected) > 300
    assert found(joined(keys, 8, fresh)) == expected


@given(st.integers(0, 10**6), st.integers(0, 64) | st.integers(0, 256), st.integers(1, 50))
@settings(max_examples=50, deadline=None)
def test_near_gives_rows_in_order_whatever_the_block(seed: int, radius: int, block: int) -> None:
    keys = random_keys(seed, 80, 256)
    asked = keys[len(keys) // 2] ^ np.uint64(0b10110)
    distances = np.bitwise_count(keys ^ asked).sum(axis=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(packed, "BLOCK", block)
        rows, found_distances = near(np.ascontiguousarray(keys.T), asked, radius)
    assert rows.tolist() == np.flatnonzero(distances <= radius).tolist()
    assert found_distances.tolist() == distances[distances <= radius].tolist()


@needs_numba
@pytest.mark.parametrize("bits", [64, 256])
@pytest.mark.parametrize("shared", [0, 10**9])
def test_compiled_code_finds_the_same_with_any_capacity_and_any_threads(
    monkeypatch: pytest.MonkeyPatch, bits: int, shared: int
) -> None:
    from hashindex.hashing import compiled

    keys = random_keys(7, 3000, bits)
    # Many keys in few buckets: no block has room for all pairs of one.
    keys[:400] &= np.uint64(0xFFF)
    keys = np.unique(keys, axis=0)
    chunks = packed._cut(bits, 8, bits // 16)
    expected = found(joined_by_comparing(keys, 8))
    monkeypatch.setattr(compiled, "PAIRS", 1)
    monkeypatch.setattr(compiled, "SHARED_KEYS", shared)
    assert found(joined_by_chunks(keys, 8, chunks, compiled=True)) == expected


@needs_numba
def test_very_many_keys_are_joined_by_compiled_code(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = random_keys(8, 3000, 64)
    expected = found(joined(keys, 4))
    monkeypatch.setattr(packed, "COMPILED_KEYS", 1000)
    monkeypatch.setattr(packed, "_near_in_buckets", None)
    assert found(joined(keys, 4)) == expected


@given(st.lists(st.tuples(*[st.integers(0, 2)] * 4), max_size=40))
def test_equal_keys_collapse_and_stay_in_order(rows: list[tuple[int, ...]]) -> None:
    keys = np.array(rows, np.uint64).reshape(-1, 4)
    distinct, first, sizes, order = collapsed(keys)
    assert sorted(map(tuple, distinct.tolist())) == sorted(set(rows))
    for key, start, size in zip(distinct.tolist(), first.tolist(), sizes.tolist(), strict=True):
        assert order[start : start + size].tolist() == [row for row, other in enumerate(rows) if list(other) == key]


@pytest.mark.parametrize("size", [8, 16, 20])
def test_the_last_value_of_a_chunk_has_neighbours_too(size: int) -> None:
    ones = (1 << 64) - 1
    keys = np.array([[ones], [ones ^ 1], [ones ^ (1 << 63)], [ones ^ (1 << 31)], [0]], np.uint64)
    chunks = packed._cut(64, 3, -(-64 // size))
    expected = by_definition(keys, 3)
    assert len(expected) == 6
    assert found(joined_by_chunks(keys, 3, chunks)) == expected
    if HAS_NUMBA:
        assert found(joined_by_chunks(keys, 3, chunks, compiled=True)) == expected


def test_a_small_budget_gives_the_same_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = random_keys(1, 300, 64)
    chunks = packed._cut(64, 8, 4)
    expected = by_definition(keys, 8)
    assert len(expected) > 20
    monkeypatch.setattr(packed, "BUDGET", 7)
    assert found(joined_by_comparing(keys, 8)) == expected
    assert found(joined_by_chunks(keys, 8, chunks)) == expected


@pytest.mark.parametrize("bits", [64, 256])
def test_many_keys_are_joined_by_chunks_and_few_by_comparing(bits: int) -> None:
    assert best_chunks(bits, bits // 2, 10**6).cost > comparing_cost(bits, 10**6)
    for compiled in (False, True):
        assert best_chunks(bits, 8, 100, compiled=compiled).cost > comparing_cost(bits, 100)
        chunks, cost = best_chunks(bits, 8, 10**6, compiled=compiled)
        assert cost < comparing_cost(bits, 10**6)
        assert sum(chunk.bits for chunk in chunks) == bits
        assert sum(chunk.most + 1 for chunk in chunks) == 9


def test_the_measured_cut_of_64_bits_within_8() -> None:
    assert packed._cut(64, 8, 4) == [Chunk(0, 16, 2), Chunk(16, 16, 1), Chunk(32, 16, 1), Chunk(48, 16, 1)]


@pytest.mark.parametrize(("bits", "radius"), [(64, 8), (256, 24)])
def test_large_joins_agree_with_comparing(bits: int, radius: int) -> None:
    keys = random_keys(3, 6000, bits)
    chunks = packed._cut(bits, radius, 4 if bits == 64 else 16)
    expected = found(joined_by_comparing(keys, radius))
    assert len(expected) > 500
    assert found(joined_by_chunks(keys, radius, chunks)) == expected
    assert found(joined(keys, radius)) == expected


def test_nearest_gives_the_nearest_first_and_no_more_than_asked_for() -> None:
    keys = [0b1111, 0b0000, 0b0001, 0b0011, 0b0000]
    searcher = packed.KeySearcher(
        KeySnapshot(
            64,
            bytearray([KeyState.SEARCHED] * 4 + [KeyState.ABSENT]),
            bytearray(b"".join(k.to_bytes(8, "big") for k in keys)),
        )
    )
    assert searcher.nearest(0b0001, 2, 10) == [(0, 2), (1, 1), (1, 3)]
    assert searcher.nearest(0b0001, 3, 2) == [(0, 2), (1, 1)]
