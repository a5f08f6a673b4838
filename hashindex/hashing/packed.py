"""Exact search within a Hamming radius over packed keys with NumPy: a scan for one key, multi-index hashing for pairs.

Pure. For many keys; below a few hundred the BK-tree is as fast. For very many, and if numba is installed, compiled.py
replaces the inner loop of joined_by_chunks.
"""

import importlib.util
import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations, islice
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from hashindex.core.messages import SEARCHED, KeySnapshot

Words = NDArray[np.uint64]
"""Keys of shape (n, bits / 64): their bytes, big end first, 8 a word as this machine reads them."""
Rows = NDArray[np.int64]
Mask = NDArray[np.bool_]
Distances = NDArray[np.uint16]
Values = NDArray[np.uint16] | NDArray[np.uint32]

BUDGET = 2**20
"""Candidates compared at a time: the working set is about 60 MB beside the keys and their order."""
MOST_CHUNK_BITS = 22
"""The longest chunk: each needs a table of 2**bits bucket starts, 32 MB at 22."""
BLOCK = 2**15
"""Keys that one key is compared with at a time: intermediate results stay in the processor's cache."""
_SEGMENTS = 32
THREADS = 2
COMPILED_KEYS = 100_000
"""From this many keys on compiled code is faster, although it takes half a second to start."""

# Costs in nanoseconds (two shared processors, NumPy 2.4; only their ratios matter): to look up a bucket, compare a
# candidate, begin a mask, sort a key, make a bucket start; and to compare one word of a pair in blocks. Candidates
# count double, because real keys are less evenly distributed than random ones.
_NUMPY = (12.0, 30.0, 50_000.0, 100.0, 3.0)
_COMPILED = (4.0, 2.0, 0.0, 100.0, 1.5)
_WORD = 1.5


class Block(NamedTuple):
    """Some pairs of rows and their distances."""

    a: Rows
    b: Rows
    distances: Distances

    def only(self, wanted: Mask) -> "Block":
        return Block(self.a[wanted], self.b[wanted], self.distances[wanted])


class Chunk(NamedTuple):
    """Some adjacent bits of a key. Two near keys differ in at most `most` bits of at least one chunk."""

    low: int
    bits: int
    most: int


def near(planes: Words, key: Words, radius: int) -> tuple[Rows, Distances]:
    """Rows of keys at distance <= radius from one key, ascending, and their distances.

    planes: the words of the keys, of shape (bits / 64, n). 2 ms at 1,000,000 keys of 64 bits, 2 to 7 ms at 256: if the
    first words of a key are too far, the others are not compared.
    """
    rows, distances = [np.empty(0, np.int64)], [np.empty(0, np.uint16)]
    for start in range(0, planes.shape[1], BLOCK):
        block = planes[:, start : start + BLOCK]
        found: Rows | None = None
        sums = np.bitwise_count(block[0] ^ key[0]).astype(np.uint16)
        for plane, word in zip(block[1:], key[1:], strict=True):
            if found is None:
                close = np.flatnonzero(sums <= radius)
                # To pick a word costs about four times as much as to take it with all others.
                if 4 * len(close) < len(sums):
                    found, sums = close, sums[close]
            sums += np.bitwise_count((plane if found is None else plane[found]) ^ word)
        close = np.flatnonzero(sums <= radius)
        rows.append(start + (close if found is None else found[close]))
        distances.append(sums[close])
    return np.concatenate(rows), np.concatenate(distances)


class Shard(NamedTuple):
    """A part of the work of joined_by_chunks. All parts together find what one call without a shard finds."""

    chunk: int
    """Number of the chunk among those that are used."""
    part: int
    parts: int
    """Every parts-th mask of the chunk, from number part on."""


class ByChunks(Protocol):
    """joined_by_chunks, or another function that does the same on other machines."""

    def __call__(
        self, keys: Words, radius: int, chunks: Sequence[Chunk], *, compiled: bool = False
    ) -> Iterator[Block]: ...


def joined_by_chunks(
    keys: Words, radius: int, chunks: Sequence[Chunk], *, compiled: bool = False, shard: Shard | None = None
) -> Iterator[Block]:
    """Multi-index hashing: two near keys differ in at most `most` bits of some chunk, so its buckets for them are near.

    Sources: Norouzi, Punjani, Fleet, "Fast exact search in Hamming space with multi-index hashing" (2014); thresholds
    by the general pigeonhole principle of Qin et al., "GPH" (2018): with sum(most + 1) = radius + 1, keys that differ
    in more than `most` bits of every chunk differ in more than radius bits. The first chunk with a pair yields it.
    """
    used = used_chunks(chunks)
    for number, chunk in enumerate(used):
        if shard is not None and number != shard.chunk:
            continue
        values = _chunk_of(keys, chunk)
        order = np.argsort(values, kind="stable")
        values, sorted_keys = values[order], keys[order]
        starts = np.zeros((1 << chunk.bits) + 1, np.int64)
        np.cumsum(np.bincount(values, minlength=1 << chunk.bits), out=starts[1:])
        masks = list(_masks(chunk.bits, chunk.most))
        if shard is not None:
            masks = masks[shard.part :: shard.parts]
        if compiled:
            from hashindex.hashing.compiled import near_in_buckets

            blocks = near_in_buckets(sorted_keys, starts, np.array(masks), used[:number], radius, THREADS)
        else:
            blocks = _near_in_buckets(sorted_keys, values, starts, masks, used[:number], radius)
        for left, right, distances in blocks:
            yield Block(order[left], order[right], distances)


def used_chunks(chunks: Sequence[Chunk]) -> list[Chunk]:
    """The chunks that can be the first with a pair."""
    return [chunk for chunk in chunks if chunk.most >= 0]


def shards(chunks: Sequence[Chunk], least: int) -> list[Shard]:
    """At least this many shards of about equal cost; fewer only if the chunks have fewer masks."""
    used = used_chunks(chunks)
    counts = [sum(math.comb(chunk.bits, wrong) for wrong in range(chunk.most + 1)) for chunk in used]
    found = []
    for number, count in enumerate(counts):
        parts = min(count, math.ceil(least * count / sum(counts)))
        found += [Shard(number, part, parts) for part in range(parts)]
    return found


def has_compiled() -> bool:
    """Whether numba is installed."""
    return importlib.util.find_spec("numba") is not None


def joined(
    keys: Words, radius: int, fresh: Mask | None = None, by_chunks: ByChunks = joined_by_chunks
) -> Iterator[Block]:
    """Every two rows of distinct keys at distance <= radius, each pair once, in blocks. Exact.

    fresh: only pairs with at least one of these rows. Uses multi-index hashing if its estimated cost is lower than that
    of comparing all (fresh) rows with all. by_chunks: does the multi-index hashing. Working set: the keys three times,
    16 bytes a key and 60 MB (NumPy) or 150 MB (compiled).
    """
    bits, n = 64 * keys.shape[1], len(keys)
    compiles = n >= COMPILED_KEYS and has_compiled()
    comparing = comparing_cost(bits, n)
    if fresh is not None:
        comparing *= 2 * np.count_nonzero(fresh) / max(n, 1)
    chunks, cost = best_chunks(bits, radius, n, compiled=compiles)
    if comparing < cost:
        yield from joined_by_comparing(keys, radius) if fresh is None else joined_with(keys, radius, fresh)
        return
    for block in by_chunks(_spread(keys), radius, chunks, compiled=compiles):
        yield block if fresh is None else block.only(fresh[block.a] | fresh[block.b])


def _spread(keys: Words) -> Words:
    """The keys with their bits reordered, so that a chunk has bits from all parts of the key.

    Adjacent bits of a perceptual hash are correlated: chunks of them have few values, and so full buckets.
    """
    bits = 64 * keys.shape[1]
    order = np.arange(bits).reshape(-1, bits // 16).T.ravel()
    spread = np.empty(keys.shape, np.uint64)
    for start in range(0, len(keys), BLOCK):
        one_by_one = np.unpackbits(keys[start : start + BLOCK].view(np.uint8), axis=1)
        packed_again = np.packbits(one_by_one[:, order], axis=1)
        spread[start : start + BLOCK] = np.ascontiguousarray(packed_again).view(np.uint64)
    return spread


def joined_with(keys: Words, radius: int, fresh: Mask) -> Iterator[Block]:
    """Compares each fresh row with all others. near gives the cost of one."""
    planes = np.ascontiguousarray(keys.T)
    for row in np.flatnonzero(fresh).tolist():
        rows, distances = near(planes, keys[row], radius)
        # The lower one of two fresh rows yields the pair.
        wanted = ~fresh[rows] | (rows > row)
        yield Block(np.full(len(rows), row), rows, distances).only(wanted)


def joined_by_comparing(keys: Words, radius: int) -> Iterator[Block]:
    """Compares all rows with all later ones. O(n^2) words."""
    n = len(keys)
    rows = max(1, BUDGET // max(n, 1))
    for start in range(0, n, rows):
        block = keys[start : start + rows]
        distances = _distances(block[:, None, :], keys[None, start:, :])
        left, right = np.nonzero(distances <= radius)
        later = right > left
        left, right = left[later], right[later]
        yield Block(left + start, right + start, distances[left, right])


def _near_in_buckets(
    keys: Words, values: Values, starts: Rows, masks: Iterable[int], earlier: Sequence[Chunk], radius: int
) -> Iterator[tuple[Rows, Rows, Distances]]:
    """As compiled.near_in_buckets. values: the bucket of each row."""
    for mask in masks:
        for left, right in _candidates(values, starts, mask):
            a, b = keys[left], keys[right]
            distances = _distances(a, b)
            close = distances <= radius
            differing = (a ^ b)[close]
            for chunk in earlier:
                given = np.bitwise_count(_chunk_of(differing, chunk)) <= chunk.most
                close[np.flatnonzero(close)[given]] = False
                differing = differing[~given]
            if close.any():
                yield left[close], right[close], distances[close]


class Cut(NamedTuple):
    """A way to cut keys into chunks, and its estimated cost in nanoseconds."""

    chunks: list[Chunk]
    cost: float


def comparing_cost(bits: int, n: int) -> float:
    """The estimated cost of joined_by_comparing in nanoseconds."""
    return n * n / 2 * (bits / 64) * _WORD


def best_chunks(bits: int, radius: int, n: int, *, compiled: bool = False) -> Cut:
    """The cheapest way to cut n keys. compiled: by the costs of compiled.py."""
    lookup, candidate, mask, sort, bucket = _COMPILED if compiled else _NUMPY
    cuts = []
    for count in range(max(1, math.ceil(bits / MOST_CHUNK_BITS)), bits // 8 + 1):
        chunks = _cut(bits, radius, count)
        masks = [sum(math.comb(chunk.bits, wrong) for wrong in range(chunk.most + 1)) for chunk in chunks]
        # Two buckets share a mask and only one of them uses it: half of the keys look up, half of the pairs are met.
        lookups = sum(
            met * (min(n, 1 << chunk.bits) if compiled else n) / 2 for met, chunk in zip(masks, chunks, strict=True)
        )
        candidates = sum(met * n * n / 2**chunk.bits / 2 for met, chunk in zip(masks, chunks, strict=True))
        tables = sum(
            # Values of up to 16 bits are radix-sorted.
            n * sort * (1 if chunk.bits <= 16 else 4) + (1 << chunk.bits) * bucket
            for chunk in chunks
            if chunk.most >= 0
        )
        cuts.append(Cut(chunks, lookups * lookup + candidates * candidate + sum(masks) * mask + tables))
    return min(cuts, key=lambda cut: cut.cost)


def _cut(bits: int, radius: int, count: int) -> list[Chunk]:
    each, left = divmod(radius + 1, count)
    chunks, low = [], 0
    for number in range(count):
        size = bits // count + (number < bits % count)
        chunks.append(Chunk(low, size, each + (number < left) - 1))
        low += size
    return chunks


def _masks(bits: int, most: int) -> Iterator[int]:
    """Every mask with at most this many bits set."""
    for wrong in range(most + 1):
        for places in combinations(range(bits), wrong):
            yield sum(1 << place for place in places)


def _candidates(values: Values, starts: Rows, mask: int) -> Iterator[tuple[Rows, Rows]]:
    """Rows (of the sorted keys) whose chunks differ exactly by mask, at most about BUDGET pairs at a time."""
    # Not starts[value + 1]: value + 1 overflows for the last value of a chunk of 16 bits.
    ends = starts[1:]
    if mask:
        # Of two buckets that differ by mask, the one without the highest bit looks up the other.
        left = np.flatnonzero(values & (1 << (mask.bit_length() - 1)) == 0)
        others = values[left] ^ mask
        begin, end = starts[others], ends[others]
    else:
        left = np.arange(len(values))
        begin, end = left + 1, ends[values]
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


def collapsed(keys: Words) -> tuple[Words, Rows, Rows, Rows]:
    """Distinct keys, the start and number of the rows of each in `order`, and `order`. Equal rows stay in order."""
    order = np.argsort(np.ascontiguousarray(keys[:, 0]), kind="stable")
    if keys.shape[1] > 1 and len(keys) > 1:
        # Few keys share their first word, and sorting by all words takes five times as long.
        first_word = keys[order, 0]
        same = first_word[1:] == first_word[:-1]
        tied = np.flatnonzero(np.append(same, False) | np.append(False, same))
        order[tied] = order[tied][np.lexsort(keys[order[tied]].T[::-1])]
    ordered = keys[order]
    new = np.ones(len(keys), bool)
    new[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    first = np.flatnonzero(new)
    return ordered[first], first, np.diff(np.append(first, len(keys))), order


def _distances(a: Words, b: Words) -> Distances:
    """Hamming distances of keys. The last axis is that of words; the others are broadcast."""
    distances: Distances = np.bitwise_count(a[..., 0] ^ b[..., 0]).astype(np.uint16)
    for word in range(1, a.shape[-1]):
        distances += np.bitwise_count(a[..., word] ^ b[..., word])
    return distances


def _chunk_of(keys: Words, chunk: Chunk) -> Values:
    """The bits of a chunk of every key, as numbers. chunk.low counts from the lowest bit of the first word."""
    word, shift = divmod(chunk.low, 64)
    value = keys[:, word] >> np.uint64(shift)
    if shift + chunk.bits > 64:
        value = value | (keys[:, word + 1] << np.uint64(64 - shift))
    # 16-bit numbers are sorted in a fifth of the time.
    value &= np.uint64((1 << chunk.bits) - 1)
    return value.astype(np.uint16) if chunk.bits <= 16 else value.astype(np.uint32)


def packed(keys: Iterable[int], bits: int) -> Words:
    """Integer keys as words."""
    data = b"".join(key.to_bytes(bits // 8, "big") for key in keys)
    return np.frombuffer(data, np.uint64).reshape(-1, bits // 64)


def words_of(snapshot: KeySnapshot) -> Words:
    """The keys of a snapshot by content id, absent ones too. A view: nothing is copied."""
    return np.frombuffer(snapshot.keys, np.uint64).reshape(-1, snapshot.bits // 64)


def linked(snapshot: KeySnapshot, contents: Sequence[int], radius: int) -> Iterator[tuple[int, int]]:
    """Pairs of these contents that connect all whose keys are within radius; contents: ascending, with searched keys.

    Equal keys are connected through the lowest content that has them, so that 8,000 of them are one in the search.
    """
    ids = np.array(contents, np.int64)
    keys, first, sizes, order = collapsed(words_of(snapshot)[ids])
    ids = ids[order]
    lowest = ids[first]
    others = np.delete(np.arange(len(ids)), first)
    yield from zip(np.repeat(lowest, sizes - 1).tolist(), ids[others].tolist(), strict=True)
    for block in joined(keys, radius):
        yield from zip(lowest[block.a].tolist(), lowest[block.b].tolist(), strict=True)


class KeySearcher:
    """The keys of a version of a hash, kept in memory for many queries."""

    def __init__(self, snapshot: KeySnapshot) -> None:
        self._snapshot = snapshot
        self._planes = np.ascontiguousarray(words_of(snapshot).T)

    def near(self, key: int, radius: int) -> list[int]:
        """Contents with a searched key at distance <= radius, ascending. near gives the cost."""
        rows, _ = near(self._planes, packed([key], self._snapshot.bits)[0], radius)
        return [id for id in rows.tolist() if self._snapshot.states[id] == SEARCHED]

    def nearest(self, key: int, radius: int, most: int) -> list[tuple[int, int]]:
        """(distance, content) of at most `most` contents within radius, nearest first, ties by content."""
        rows, distances = near(self._planes, packed([key], self._snapshot.bits)[0], radius)
        order = np.argsort(distances, kind="stable")
        found = zip(distances[order].tolist(), rows[order].tolist(), strict=True)
        return list(islice(((far, id) for far, id in found if self._snapshot.states[id] == SEARCHED), most))


def near_in_segments(segments: Iterable[tuple[int, bytes, bytes]], bits: int, key: int, radius: int) -> list[int]:
    """As KeySearcher.near, for one query, over rows as HashTable.segments gives them."""
    asked = packed([key], bits)[0]
    found: list[int] = []
    segments = iter(segments)
    while some := list(islice(segments, _SEGMENTS)):
        words = np.frombuffer(b"".join(keys for _, _, keys in some), np.uint64).reshape(-1, bits // 64)
        rows, _ = near(words.T, asked, radius)
        size = len(some[0][1])
        for row in rows.tolist():
            start, states, _ = some[row // size]
            if states[row % size] == SEARCHED:
                found.append(start + row % size)
    return sorted(found)
