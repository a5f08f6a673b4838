"""Of all contents those that a few new ones may be like: one pass over their keys, in little memory. Pure.

candidates.py finds the pairs among these. To sort and to join the keys of a million pictures takes a minute and 3 GB,
which is too much for the few that a chat client has just written.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import combinations, islice
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hashindex.hashing.packed import Words
from hashindex.judge.candidates import PART, STEPS_RADIUS, WAVES_RADIUS, words_of

SHORTLIST_MOST: Final = 10_000
"""Of so many keys of either kind, those of some hundred pictures, the pass is faster than a join of all."""

MANY: Final = 10_000
"""Contents from which on it pays to list the few keys under all values: 64 MB and 0.3 s."""

BATCH: Final = 10_000
"""Contents at a time."""

Packed = tuple[int, bytes]
"""A content's id and its keys, as candidates.packed_keys gives them."""


def shortlist(all: Iterable[Packed], fresh: Collection[bytes]) -> Iterator[Packed]:
    """Those of which a key of either kind is near one of the fresh keys; all that pairs_of_all needs to know for these.

    fresh: keys of the new contents, which are among all. Cost: 0.3 s, and 8 us a content where 40 are new; a join of
    all takes 110.
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
    """Whether a shortlist of so many contents is made faster than all are compared. fresh: as for shortlist."""
    return contents >= MANY and 0 < sum(map(len, fresh)) // 16 <= SHORTLIST_MOST


class _Near:
    """Finds keys within a radius of any of some keys, by multi-index hashing.

    Two keys at most 3 n + 2 bits apart have at most n different bits in one of three parts. So the few keys are listed
    under every value that a part may have then, and another key is compared with those listed under its own parts.
    """

    def __init__(self, keys: Words, radius: int) -> None:
        self._keys = np.unique(keys)
        self._radius = radius
        self._listed = [_listed(_part(self._keys, *cut), cut[1], radius // len(_CUTS)) for cut in _CUTS]

    def any_near(self, keys: Words) -> NDArray[np.bool_]:
        """keys: of shape (views, n). Whether any of the n is within the radius, for each view."""
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
    """Where the list of each value starts (one more at the end), and the numbers of the keys in all lists."""
    values = np.concatenate([parts ^ flip for flip in _flips(bits, most)])
    starts = np.zeros((1 << bits) + 1, np.int32)
    np.cumsum(np.bincount(values, minlength=1 << bits), out=starts[1:])
    return starts, (np.argsort(values, kind="stable") % len(parts)).astype(np.int32)


def _flips(bits: int, most: int) -> Sequence[int]:
    """Numbers of so many bits of which at most `most` are set."""
    return [sum(1 << bit for bit in chosen) for count in range(most + 1) for chosen in combinations(range(bits), count)]
