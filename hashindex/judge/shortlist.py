"""Selects the contents that may resemble a few new ones: one pass over all keys in little memory. Does no I/O.

candidates.py then finds the pairs among the selected contents. Sorting and joining the keys of a million pictures takes
a minute and 3 GB, which is too much for the few files that a chat client has just written.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import combinations, islice
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hashindex.hashing.packed import Words
from hashindex.judge.candidates import PART, STEPS_RADIUS, WAVES_RADIUS, words_of

SHORTLIST_MOST: Final = 10_000
"""Up to this many fresh keys of either kind (some hundred pictures) the pass is faster than a join of all keys."""

MANY: Final = 10_000
"""From this number of contents the pass pays for its tables, which cost 64 MB and 0.3 s."""

BATCH: Final = 10_000
"""The number of contents that are read at a time."""

Packed = tuple[int, bytes]
"""The id of a content and its keys, as candidates.packed_keys returns them."""


def shortlist(all: Iterable[Packed], fresh: Collection[bytes]) -> Iterator[Packed]:
    """The contents with a key near a fresh key of the same kind: all that pairs_of_all needs for the fresh contents.

    fresh: the keys of the new contents, which must also be in all. Cost: 0.3 s, and 8 us a content if 40 are new; a
    join of all takes 110 us a content.
    """
    words = words_of(b"".join(fresh))
    kinds = [_Near(words[:, kind].ravel(), radius) for kind, radius in enumerate((WAVES_RADIUS, STEPS_RADIUS))]
    seen = (one for one in all if one[1])
    while batch := list(islice(seen, BATCH)):
        theirs = words_of(b"".join(views for _, views in batch))
        owners = np.repeat(np.arange(len(batch)), [len(views) // theirs[0].nbytes for _, views in batch])
        is_near = kinds[0].any_near(theirs[:, 0]) | kinds[1].any_near(theirs[:, 1])
        for number in np.unique(owners[is_near]).tolist():
            yield batch[number]


def pays(contents: int, fresh: Iterable[bytes]) -> bool:
    """Whether a shortlist of this many contents is faster than comparing all. fresh: as for shortlist."""
    return contents >= MANY and 0 < sum(map(len, fresh)) // 16 <= SHORTLIST_MOST


class _Near:
    """Finds keys within a radius of any key of a set, by multi-index hashing.

    If two keys differ in at most 3 n + 2 bits, then one of their three parts differs in at most n bits. So each key of
    the set is listed under every value within n bits of its parts. A query is compared with the keys listed under its
    own parts.
    """

    def __init__(self, keys: Words, radius: int) -> None:
        self._keys = np.unique(keys)
        self._radius = radius
        self._listed = [_listed(_part(self._keys, *cut), cut[1], radius // len(_CUTS)) for cut in _CUTS]

    def any_near(self, keys: Words) -> NDArray[np.bool_]:
        """For each view whether any of its keys is within the radius. keys: of shape (views, n)."""
        flat = keys.ravel()
        found = np.zeros(len(flat), np.bool_)
        for cut, (starts, numbers) in zip(_CUTS, self._listed, strict=True):
            values = _part(flat, *cut)
            counts = starts[values + 1] - starts[values]
            places = np.flatnonzero(counts)
            ends = np.cumsum(counts[places])
            begin = 0
            while begin < len(places):
                before = ends[begin - 1] if begin else 0
                end = max(begin + 1, int(np.searchsorted(ends, before + PART, "right")))
                some = places[begin:end]
                many = counts[some]
                which = np.repeat(some, many)
                nth = np.arange(len(which)) - np.repeat(np.cumsum(many) - many, many)
                others = self._keys[numbers[np.repeat(starts[values[some]], many) + nth]]
                found[which[np.bitwise_count(flat[which] ^ others) <= self._radius]] = True
                begin = end
        return np.asarray(found.reshape(keys.shape).any(axis=1))


_CUTS: Final = ((0, 21), (21, 21), (42, 22))
"""Lowest bit and number of bits of each part."""


def _part(keys: Words, low: int, bits: int) -> NDArray[np.int64]:
    return ((keys >> np.uint64(low)) & np.uint64((1 << bits) - 1)).astype(np.int64)


def _listed(parts: NDArray[np.int64], bits: int, most: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """The start of the list of each value (and one end), and the numbers of the keys in all lists."""
    values = np.concatenate([parts ^ flip for flip in _flips(bits, most)])
    starts = np.zeros((1 << bits) + 1, np.int32)
    np.cumsum(np.bincount(values, minlength=1 << bits), out=starts[1:])
    return starts, (np.argsort(values, kind="stable") % len(parts)).astype(np.int32)


def _flips(bits: int, most: int) -> Sequence[int]:
    """All numbers of this many bits with at most `most` bits set."""
    return [sum(1 << bit for bit in chosen) for count in range(most + 1) for chosen in combinations(range(bits), count)]
