"""The packed engine's own parts; its contract is in test_search.py."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hashindex import packed
from hashindex.packed import Chunk, Words, best_chunks, joined, joined_by_chunks, joined_by_comparing

Found = dict[tuple[int, int], int]


def random_keys(seed: int, n: int, bits: int) -> Words:
    """Distinct keys, a third of them a few bits away from another."""
    dice = np.random.default_rng(seed)
    keys = dice.integers(0, 2**64, (n, bits // 64), np.uint64)
    for row in range(n // 3):
        keys[row] = keys[dice.integers(n)]
        for bit in dice.integers(0, bits, dice.integers(0, 12)):
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
@settings(max_examples=150, deadline=None)
def test_any_way_to_cut_keys_finds_exactly_the_near_pairs(seed: int, n: int, bits: int, radius: int, more: int) -> None:
    keys = random_keys(seed, n, bits)
    expected = by_definition(keys, radius)
    assert found(joined_by_comparing(keys, radius)) == expected
    chunks = packed._cut(bits, radius, -(-bits // packed.MOST_CHUNK_BITS) + more % 20)
    # Many wrong bits a chunk are exact too, but take for ever: that is what comparing is for.
    if max(chunk.most for chunk in chunks) <= 2:
        assert found(joined_by_chunks(keys, radius, chunks)) == expected


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
    assert best_chunks(bits, 8, 100) is None
    assert best_chunks(bits, bits // 2, 10**6) is None
    chunks = best_chunks(bits, 8, 10**6)
    assert chunks is not None
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
