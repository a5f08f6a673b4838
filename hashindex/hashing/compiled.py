"""The inner loop of packed.joined_by_chunks as machine code, by numba (extra `fast`). Imported for many keys only.

numba takes half a second to start, and some seconds more the first time, to compile and fill its cache.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import cache
from typing import Any

import numpy as np
from numba import njit, types
from numba.extending import intrinsic
from numpy.typing import NDArray

PAIRS = 2**18
"""Pairs that a thread collects at a time."""
PARTS = 64
"""Parts into which buckets are divided among threads: many, because some parts take longer than others."""
SHARED_KEYS = 10_000
"""Fewer keys than this run in one thread."""


@intrinsic  # type: ignore[untyped-decorator]
def _bits_set(context: Any, value: Any) -> Any:
    """LLVM's ctpop: one instruction on current processors."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.uint64(types.uint64), generate


def near_in_buckets(
    keys: NDArray[np.uint64],
    starts: NDArray[np.int64],
    masks: NDArray[np.int64],
    earlier: Sequence[tuple[int, int, int]],
    radius: int,
    threads: int,
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.uint16]]]:
    """Rows of keys within radius whose buckets differ by one of masks, each pair once, in blocks, with distances.

    keys: of shape (n, bits / 64), sorted by bucket. starts: the first row of each bucket, and the number of rows.
    earlier: chunks (lowest bit, bits, most) whose pairs were given before; pairs that differ in at most `most` bits of
    one of them are left out.
    """
    kernel = _kernel(keys.shape[1])
    sizes = np.diff(starts)
    filled = np.flatnonzero(sizes)
    capacity = max(PAIRS, int(sizes.max(initial=0)))
    chunks = np.array([(low, (1 << bits) - 1, most) for low, bits, most in earlier], np.uint64).reshape(-1, 3)
    parts = PARTS if len(keys) >= SHARED_KEYS else 1
    cuts = np.linspace(0, len(filled), parts + 1).astype(int)

    def run(part: int) -> list[NDArray[np.int64]]:
        blocks, at = [], np.array([cuts[part], 0, 0])
        while at[0] < cuts[part + 1]:
            found = np.empty((capacity, 3), np.int64)
            count = kernel(keys, starts, filled, at, cuts[part + 1], masks, chunks, np.uint64(radius), found)
            blocks.append(found[:count].copy())
        return blocks

    with ExitStack() as stack:
        shared = map if parts == 1 else stack.enter_context(ThreadPoolExecutor(threads)).map
        for blocks in shared(run, range(parts)):
            for block in blocks:
                yield block[:, 0], block[:, 1], block[:, 2].astype(np.uint16)


@cache
def _kernel(words: int) -> Any:
    """The loop for keys of this many words: a constant, so that the compiler unrolls the loop over words."""

    @njit(nogil=True, cache=True)
    def kernel(keys, starts, filled, at, end, masks, chunks, radius, found):  # type: ignore[no-untyped-def]
        # at: (bucket, mask, row of the bucket) to start from; where it stopped, if found is full.
        count = 0
        first_bucket, first_mask, first_row = at[0], at[1], at[2]
        for number in range(first_bucket, end):
            bucket = filled[number]
            for which in range(first_mask, len(masks)):
                other = bucket ^ masks[which]
                if other < bucket or starts[other] == starts[other + 1]:
                    first_row = 0
                    continue
                stop = starts[other + 1]
                for row in range(max(starts[bucket], first_row), starts[bucket + 1]):
                    begin = row + 1 if other == bucket else starts[other]
                    if count + stop - begin > len(found):
                        at[0], at[1], at[2] = number, which, row
                        return count
                    for candidate in range(begin, stop):
                        distance = np.uint64(0)
                        # Two words at a time: one word of unlike keys is often within the radius, two hardly ever.
                        for word in range(0, words, 2):
                            distance += _bits_set(keys[row, word] ^ keys[candidate, word])
                            if word + 1 < words:
                                distance += _bits_set(keys[row, word + 1] ^ keys[candidate, word + 1])
                            if distance > radius:
                                break
                        if distance > radius:
                            continue
                        given = False
                        for chunk in range(len(chunks)):
                            word, shift = chunks[chunk, 0] >> np.uint64(6), chunks[chunk, 0] & np.uint64(63)
                            differing = (keys[row, word] ^ keys[candidate, word]) >> shift
                            if shift and word + 1 < words:
                                # The mask below removes the bits beyond the chunk.
                                differing |= (keys[row, word + 1] ^ keys[candidate, word + 1]) << (64 - shift)
                            if _bits_set(differing & chunks[chunk, 1]) <= chunks[chunk, 2]:
                                given = True
                                break
                        if not given:
                            found[count, 0], found[count, 1], found[count, 2] = row, candidate, distance
                            count += 1
                first_row = 0
            first_mask = 0
        at[0] = end
        return count

    return kernel
