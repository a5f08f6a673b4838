"""Exact Hamming-radius search over packed keys with NumPy: a scan for one key, multi-index hashing for all pairs.

Pure, like search.py, and held to the same contract. For many keys: below a few hundred the BK-tree is as fast.
"""

import math
from collections.abc import Iterable, Iterator
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hashindex.search import Neighbour, Pair, check_key, check_radius

Words = NDArray[np.uint64]
"""Keys of shape (n, bits / 64), the highest bits in the first word."""
Rows = NDArray[np.int64]

BUDGET = 2**20
"""Candidates that are compared at a time: with them the working set is about 60 MB beyond the keys and their order."""
MOST_CHUNK_BITS = 20
"""Of a chunk: a table of 2**bits bucket starts is made for each, 8 MB at 20."""

# What each way costs, in nanoseconds (two shared processors, NumPy 2.4; only their ratios matter): a bucket looked up,
# a candidate compared, a mask begun, a key sorted, a bucket start made; and a word of a pair compared in blocks.
_LOOKUP, _CANDIDATE, _MASK, _SORT, _BUCKET, _WORD = 12.0, 30.0, 50_000.0, 150.0, 3.0, 1.5


class PackedIndex:
    """HammingIndex over contiguous words. bits is a multiple of 64.

    Adds and discards are cheap and collected; the first question after them merges them in, O(n).
    within: O(n) words, about 1.5 ms at 1,000,000 keys of 64 bits. pairs: see joined.
    """

    def __init__(self, bits: int, items: Iterable[tuple[int, int]] = ()) -> None:
        if bits % 64:
            raise ValueError(f"{bits} bits do not fill words of 64")
        self.bits = bits
        self._ids: Rows = np.empty(0, np.int64)
        self._keys: Words = np.empty((0, bits // 64), np.uint64)
        self._added: dict[int, int] = {}
        self._dropped: set[int] = set()
        for id, key in items:
            self.add(id, key)

    def add(self, id: int, key: int) -> None:
        """Put id in with that key. ValueError if id is in already or key does not fit in bits."""
        if id in self._added or (id not in self._dropped and self._is_merged(id)):
            raise ValueError(f"id {id} is in the index already")
        check_key(key, self.bits)
        self._added[id] = key

    def discard(self, id: int) -> None:
        """Take id out; nothing happens if it is not in."""
        self._added.pop(id, None)
        if self._is_merged(id):
            self._dropped.add(id)

    def within(self, key: int, radius: int) -> list[Neighbour]:
        """As in HammingIndex."""
        check_key(key, self.bits)
        check_radius(radius, self.bits)
        self._merge()
        distances = _distances(self._keys, _packed([key], self.bits))
        near = np.flatnonzero(distances <= radius)
        found = np.lexsort((self._ids[near], distances[near]))
        pairs = zip(distances[near][found].tolist(), self._ids[near][found].tolist(), strict=True)
        return [Neighbour(distance, id) for distance, id in pairs]

    def pairs(self, radius: int) -> Iterator[Pair]:
        """As in HammingIndex; equal keys are collapsed first, and pairs stream block by block."""
        check_radius(radius, self.bits)
        self._merge()
        keys, first, sizes, order = _collapsed(self._keys)
        ids = self._ids[order]
        for start, size in zip(first.tolist(), sizes.tolist(), strict=True):
            yield from (Pair(a, b, 0) for a, b in combinations(sorted(ids[start : start + size].tolist()), 2))
        for left, right, distances in joined(keys, radius):
            for i, j, distance in zip(left.tolist(), right.tolist(), distances.tolist(), strict=True):
                for a in ids[first[i] : first[i] + sizes[i]].tolist():
                    for b in ids[first[j] : first[j] + sizes[j]].tolist():
                        yield Pair(min(a, b), max(a, b), distance)

    def _is_merged(self, id: int) -> bool:
        place = int(np.searchsorted(self._ids, id))
        return place < len(self._ids) and int(self._ids[place]) == id

    def _merge(self) -> None:
        if not self._added and not self._dropped:
            return
        kept = ~np.isin(self._ids, np.fromiter(self._dropped, np.int64, len(self._dropped)))
        ids = np.concatenate([self._ids[kept], np.fromiter(self._added, np.int64, len(self._added))])
        keys = np.concatenate([self._keys[kept], _packed(self._added.values(), self.bits)])
        order = np.argsort(ids)
        self._ids, self._keys = ids[order], keys[order]
        self._added.clear()
        self._dropped.clear()


Block = tuple[Rows, Rows, NDArray[np.int64]]
"""Rows a and b of pairs, and their distances."""


class Chunk(NamedTuple):
    """Some neighbouring bits of a key; near keys differ in at most `most` of them in one chunk at least."""

    low: int
    bits: int
    most: int


def joined(keys: Words, radius: int) -> Iterator[Block]:
    """Every two rows of distinct keys at distance <= radius, each pair once, in blocks. Exact.

    By multi-index hashing where that is estimated cheaper than comparing all with all.
    """
    chunks = best_chunks(64 * keys.shape[1], radius, len(keys))
    if chunks is None:
        yield from joined_by_comparing(keys, radius)
    else:
        yield from joined_by_chunks(keys, radius, chunks)


def joined_by_comparing(keys: Words, radius: int) -> Iterator[Block]:
    """All rows with all later ones. O(n^2) words."""
    n = len(keys)
    rows = max(1, BUDGET // max(n, 1))
    for start in range(0, n, rows):
        block = keys[start : start + rows]
        distances = _distances(block[:, None, :], keys[None, start:, :])
        left, right = np.nonzero(distances <= radius)
        later = right > left
        left, right = left[later], right[later]
        yield left + start, right + start, distances[left, right].astype(np.int64)


def joined_by_chunks(keys: Words, radius: int, chunks: list[Chunk]) -> Iterator[Block]:
    """Multi-index hashing: two near keys agree up to `most` bits in some chunk, so they lie in near buckets of it.

    Sources: Norouzi, Punjani, Fleet, "Fast exact search in Hamming space with multi-index hashing" (2014); thresholds
    by the general pigeonhole principle of Qin et al., "GPH" (2018): with sum(most + 1) = radius + 1, keys that differ
    in more than `most` bits in every chunk differ in more than radius. A pair is given by the first chunk that has it.
    """
    for number, chunk in enumerate(chunks):
        if chunk.most < 0:
            continue
        values = _chunk_of(keys, chunk)
        order = np.argsort(values, kind="stable")
        values, sorted_keys = values[order], keys[order]
        starts = np.zeros((1 << chunk.bits) + 1, np.int64)
        np.cumsum(np.bincount(values, minlength=1 << chunk.bits), out=starts[1:])
        for mask in _masks(chunk.bits, chunk.most):
            for left, right in _candidates(values, starts, mask):
                a, b = sorted_keys[left], sorted_keys[right]
                distances = _distances(a, b)
                near = distances <= radius
                differing = (a ^ b)[near]
                for earlier in chunks[:number]:
                    if earlier.most >= 0:
                        given = np.bitwise_count(_chunk_of(differing, earlier).astype(np.uint64)) <= earlier.most
                        near[np.flatnonzero(near)[given]] = False
                        differing = differing[~given]
                if near.any():
                    yield order[left[near]], order[right[near]], distances[near].astype(np.int64)


def best_chunks(bits: int, radius: int, n: int) -> list[Chunk] | None:
    """The cheapest way to cut keys of so many bits; None where comparing all n with all is estimated cheaper."""
    best, best_cost = None, n * n / 2 * (bits / 64) * _WORD
    for count in range(max(1, math.ceil(bits / MOST_CHUNK_BITS)), bits // 8 + 1):
        chunks = _cut(bits, radius, count)
        masks = [sum(math.comb(chunk.bits, wrong) for wrong in range(chunk.most + 1)) for chunk in chunks]
        # Each mask is met from both its buckets but used from one: half the keys look up, half the pairs are met.
        lookups = sum(masks) * n / 2
        candidates = sum(met * n * n / 2**chunk.bits / 2 for met, chunk in zip(masks, chunks, strict=True))
        tables = sum(n * _SORT + (1 << chunk.bits) * _BUCKET for chunk in chunks if chunk.most >= 0)
        cost = lookups * _LOOKUP + candidates * _CANDIDATE + sum(masks) * _MASK + tables
        if cost < best_cost:
            best, best_cost = chunks, cost
    return best


def _cut(bits: int, radius: int, count: int) -> list[Chunk]:
    each, left = divmod(radius + 1, count)
    chunks, low = [], 0
    for number in range(count):
        size = bits // count + (number < bits % count)
        chunks.append(Chunk(low, size, each + (number < left) - 1))
        low += size
    return chunks


def _masks(bits: int, most: int) -> Iterator[int]:
    """Every pattern of at most so many wrong bits."""
    for wrong in range(most + 1):
        for places in combinations(range(bits), wrong):
            yield sum(1 << place for place in places)


def _candidates(values: Rows, starts: Rows, mask: int) -> Iterator[tuple[Rows, Rows]]:
    """Rows (of the sorted keys) whose chunks differ exactly by mask, at most about BUDGET pairs at a time."""
    if mask:
        # Of two buckets that differ by mask, the one without its highest bit looks for the other.
        left = np.flatnonzero(values & (1 << (mask.bit_length() - 1)) == 0)
        begin, end = starts[values[left] ^ mask], starts[(values[left] ^ mask) + 1]
    else:
        left = np.arange(len(values))
        begin, end = left + 1, starts[values + 1]
    counts = end - begin
    found = np.flatnonzero(counts > 0)
    left, begin, counts = left[found], begin[found], counts[found]
    ends = np.cumsum(counts)
    at = 0
    while at < len(left):
        done = int(ends[at - 1]) if at else 0
        upto = max(at + 1, int(np.searchsorted(ends, done + BUDGET, side="right")))
        sizes = counts[at:upto]
        within = np.arange(int(sizes.sum())) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        yield np.repeat(left[at:upto], sizes), np.repeat(begin[at:upto], sizes) + within
        at = upto


def _collapsed(keys: Words) -> tuple[Words, Rows, Rows, Rows]:
    """Distinct keys, and for each where its rows start in `order` and how many there are."""
    order = np.lexsort(keys.T[::-1])
    ordered = keys[order]
    new = np.ones(len(keys), bool)
    new[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    first = np.flatnonzero(new)
    return ordered[first], first, np.diff(np.append(first, len(keys))), order


def _distances(a: Words, b: Words) -> NDArray[np.uint16]:
    """Bits between keys; the last axis is that of words, the others are broadcast."""
    distances: NDArray[np.uint16] = np.bitwise_count(a[..., 0] ^ b[..., 0]).astype(np.uint16)
    for word in range(1, a.shape[-1]):
        distances += np.bitwise_count(a[..., word] ^ b[..., word])
    return distances


def _chunk_of(keys: Words, chunk: Chunk) -> Rows:
    """The bits of a chunk of every key, as numbers. low counts from the first word's lowest bit on."""
    word, shift = divmod(chunk.low, 64)
    value = keys[:, word] >> np.uint64(shift)
    if shift + chunk.bits > 64:
        value = value | (keys[:, word + 1] << np.uint64(64 - shift))
    return (value & np.uint64((1 << chunk.bits) - 1)).astype(np.int64)


def _packed(keys: Iterable[int], bits: int) -> Words:
    data = b"".join(key.to_bytes(bits // 8, "big") for key in keys)
    return np.frombuffer(data, ">u8").astype(np.uint64).reshape(-1, bits // 64)
