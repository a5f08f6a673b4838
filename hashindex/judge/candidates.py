"""Which pairs of pictures are worth a look: a few 64-bit keys a picture, such that copies share a near one.

Pure: prepared pictures in, keys and pairs of ids out. A key proposes, relation.py disposes: missing a copy here cannot
be made up for later, while a stranger too many costs a judgement.
"""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cache
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hashindex.hashing.packed import Rows, Words, joined

SIDE: Final = 64
VERSION: Final = 2
"""Of the keys: keys of two versions are never compared."""

WAVES_RADIUS: Final = 8
STEPS_RADIUS: Final = 6
"""Bits within which two keys make a pair to look at."""

PROBES: Final = (
    # Inner parts of the trimmed picture, as (left, top, right, bottom): what is left of it where the other is a crop.
    (0.05, 0.05, 0.95, 0.95),
    (0.1, 0.1, 0.9, 0.9),
    (0.1, 0.0, 1.0, 1.0),
    (0.0, 0.1, 1.0, 1.0),
    (0.0, 0.0, 0.9, 1.0),
    (0.0, 0.0, 1.0, 0.9),
    (0.0, 0.153, 1.0, 1.0),
    (0.0, 0.0, 1.0, 0.847),
)


OWN: Final = 2
"""The first keys of a view: of the whole picture, and of what is left without a plain border; others are probes."""

STEP: Final = 1.0
"""Grey levels that count as a step up in the second kind of key: less is the noise of plain areas."""


class ViewKeys(NamedTuple):
    """Of one view of a picture, each of shape (OWN + probes,)."""

    waves: Words
    """Which of the lowest frequencies lie above their median, as in pHash."""
    steps: Words
    """Where it gets lighter to the right, as in dHash."""


def keys_of(prepared: Sequence[bytes]) -> list[ViewKeys]:
    """The keys of each view, of 64 x 64 grey levels (model.Decoded.prepared). ValueError if one has another length."""
    if any(len(view) != SIDE * SIDE for view in prepared):
        raise ValueError(f"A view has {SIDE * SIDE} bytes.")
    found: list[ViewKeys | None] = [None] * len(prepared)
    for start in range(0, len(prepared), _BATCH):
        batch = prepared[start : start + _BATCH]
        pictures = np.frombuffer(b"".join(batch), np.uint8).reshape(-1, SIDE, SIDE)
        by_box: dict[tuple[int, int, int, int], list[int]] = {}
        for number, picture in enumerate(pictures):
            by_box.setdefault(trimmed(picture), []).append(number)
        for box, numbers in by_box.items():
            for number, keys in zip(numbers, _keys(pictures[numbers].astype(np.float32), box), strict=True):
                found[start + number] = keys
    return [keys for keys in found if keys is not None]


_BATCH: Final = 64


def _keys(pictures: NDArray[np.floating[Any]], box: tuple[int, int, int, int]) -> list[ViewKeys]:
    """Of pictures of shape (n, SIDE, SIDE) that have the same border."""
    left, top, right, bottom = box
    rows, columns = _basis_of(top, bottom), _basis_of(left, right)
    waves = _blocks((rows[:, :8].reshape(-1, SIDE) @ pictures) @ columns[:, :8].reshape(-1, SIDE).T, 8)
    middle = np.partition(waves, (31, 32), axis=2)[:, :, 31:33].mean(axis=2, keepdims=True)
    cells = _blocks((rows[:, 8:16].reshape(-1, SIDE) @ pictures) @ columns[:, 16:].reshape(-1, SIDE).T, 9)
    steps = np.diff(cells.reshape(*cells.shape[:2], 8, 9), axis=3).reshape(*cells.shape[:2], 64)
    return [ViewKeys(*both) for both in zip(_packed(waves > middle), _packed(steps > STEP), strict=True)]


def _packed(bits: NDArray[np.bool_]) -> Words:
    """Of shape (n, keys) from (n, keys, 64)."""
    return np.packbits(bits, axis=2).view(">u8").astype(np.uint64)[:, :, 0]


def _blocks(table: NDArray[np.floating[Any]], width: int) -> NDArray[np.floating[Any]]:
    """The products of the parts of _COMBOS, of shape (n, parts, 8 * width)."""
    split = table.reshape(len(table), -1, 8, table.shape[2] // width, width).swapaxes(2, 3)
    return split[:, _COMBOS[:, 0], _COMBOS[:, 1]].reshape(len(table), len(_COMBOS), -1)


def _spans() -> tuple[list[tuple[float, float]], NDArray[np.intp]]:
    spans = [(-1.0, -1.0), (0.0, 1.0)]
    combos = [(0, 0), (1, 1)]
    for left, top, right, bottom in PROBES:
        for span in ((top, bottom), (left, right)):
            if span not in spans:
                spans.append(span)
        combos.append((spans.index((top, bottom)), spans.index((left, right))))
    return spans, np.array(combos)


_SPANS, _COMBOS = _spans()


@cache
def _basis_of(start: int, stop: int) -> NDArray[np.floating[Any]]:
    """Of shape (spans, 8 + 8 + 9, SIDE): cosines, eighths and ninths over each part of [start, stop), and the whole."""
    size = stop - start
    ends = [(0.0, float(SIDE)) if low < 0 else (start + low * size, start + high * size) for low, high in _SPANS]
    return np.stack([_basis(*end) for end in ends])


def _basis(start: float, stop: float) -> NDArray[np.floating[Any]]:
    """Integrals over each pixel of the eight lowest cosines over [start, stop), and means of its eighths and ninths."""
    edges = (np.clip(np.arange(SIDE + 1), start, stop) - start) / (stop - start)
    waves = np.arange(1, 8)[:, None] * math.pi
    parts = [np.diff(edges)[None], np.diff(np.sin(waves * edges), axis=1) / waves * math.sqrt(2)]
    for count in (8, 9):
        parts.append(count * np.diff(np.clip(edges * count - np.arange(count)[:, None], 0, 1), axis=1) / count)
    rows = np.vstack(parts)
    rows[8:16] *= 8
    rows[16:] *= 9
    return rows.astype(np.float32)


def trimmed(grey: NDArray[np.uint8]) -> tuple[int, int, int, int]:
    """Box (left, top, right, bottom) of a picture without plain borders, each side of a grey of its own.

    At most 9 of 20 parts of a side go; a picture that is nearly all border is left whole.
    """
    height, width = grey.shape
    left, top, right, bottom = 0, 0, width, height
    for _ in range(2):
        before = left, top, right, bottom
        first, last = _plain_ends(grey[top:bottom, left:right], axis=1)
        top, bottom = (
            max(top, min(top + first, int(height * 0.45))),
            min(bottom, max(bottom - last, int(height * 0.55))),
        )
        first, last = _plain_ends(grey[top:bottom, left:right], axis=0)
        left, right = max(left, min(left + first, int(width * 0.45))), min(right, max(right - last, int(width * 0.55)))
        if (left, top, right, bottom) == before:
            break
    if right - left < width / 8 or bottom - top < height / 8:
        return 0, 0, width, height
    if bottom - top > 0.6 * height and right - left > 0.6 * width:
        # A clock or buttons may stand on the bars of a screenshot.
        bars = _between_bars(grey)
        if bars is not None:
            return left, bars[0], right, bars[1]
        bars = _between_bars(grey.T)
        if bars is not None:
            return bars[0], top, bars[1], bottom
    return left, top, right, bottom


def _between_bars(grey: NDArray[np.uint8]) -> tuple[int, int] | None:
    """First row and end of a picture that fills the width between two bars of one grey on which little is written.

    A clock or a few buttons are little; a caption is not, and stays.
    """
    height = len(grey)
    first, last = (int(np.median(line)) for line in (grey[0], grey[-1]))
    if abs(first - last) > 12:
        return None
    share = (abs(grey.astype(np.int16) - first) > 20).mean(axis=1)
    filled = np.flatnonzero(share > 0.5)
    if not len(filled):
        return None
    top, bottom = int(filled[0]), int(filled[-1]) + 1
    bars = np.concatenate([share[:top], share[bottom:]])
    if min(top, height - bottom) < 0.1 * height or bottom - top < 0.2 * height:
        return None
    is_little = bars.mean() < 0.03 and bars.max() < 0.3
    return (top, bottom) if is_little and share[top:bottom].mean() > 0.75 else None


def _plain_ends(grey: NDArray[np.uint8], axis: int) -> tuple[int, int]:
    """How many lines at either end are of the grey of the outermost one: within 20 levels, on average within 4."""
    first, last = (grey[0], grey[-1]) if axis else (grey[:, 0], grey[:, -1])
    is_plain = [int(line.max()) - int(line.min()) <= 40 for line in (first, last)]
    if not any(is_plain):
        return 0, 0
    most = np.maximum.reduce(grey, axis=axis).astype(np.int16)
    least = np.minimum.reduce(grey, axis=axis).astype(np.int16)
    mean = np.add.reduce(grey, axis=axis, dtype=np.int32) / grey.shape[axis]
    ends = [0, 0]
    for end, lines in enumerate((slice(None), slice(None, None, -1))):
        if is_plain[end]:
            level = mean[lines][0]
            off = (most > level + 20) | (least < level - 20) | (abs(mean - level) > 4)
            ends[end] = int(off[lines].argmax()) if off.any() else len(off)
    return ends[0], ends[1]


NearPair = tuple[int, int, int]
"""Two ids, the lower one first, and the bits between their nearest keys."""


def packed_keys(views: Sequence[ViewKeys]) -> bytes:
    """As the catalogue keeps them: of each view its waves, then its steps, little end first."""
    return b"".join(np.concatenate(view).astype("<u8").tobytes() for view in views)


def unpacked_keys(packed: bytes) -> list[ViewKeys]:
    """What packed_keys was given."""
    return [ViewKeys(*view) for view in words_of(packed)]


def words_of(packed: bytes) -> Words:
    """The same as one array, of shape (views, kinds, keys)."""
    return np.frombuffer(packed, "<u8").astype(np.uint64, copy=False).reshape(-1, 2, len(_COMBOS))


MOST: Final = 64
"""Candidates that a content has for its own sake, the nearest ones; others have it as one of theirs."""

COMMON: Final = 512
"""Of a key that more pictures have, so many meet by it: what all share tells nobody apart."""

PART: Final = 4_000_000
"""Meetings of two keys that are held at once, beside the candidates themselves."""


def pairs(keys: Sequence[tuple[int, ViewKeys]], more: int = 0, fresh: Collection[int] | None = None) -> list[NearPair]:
    """Ids a < b and the least distance of a key of one, own or probe, to an own key of the other; nearest first.

    An id may have several views. more: bits added to both radii. fresh: only pairs with one of these ids. Bounded:
    a pair is there when it is one of the MOST nearest of either id.
    Cost: packed.joined of the distinct keys of either kind, and about 1 us a meeting of two keys.
    """
    if not keys:
        return []
    return _pairs(
        np.array([id for id, _ in keys], np.int64), np.stack([np.stack(view) for _, view in keys]), more, fresh
    )


def _pairs(views_of: Rows, words: Words, more: int, fresh: Collection[int] | None) -> list[NearPair]:
    """views_of: the id of each view. words: its keys, of shape (views, kinds, keys)."""
    parts = words.shape[2]
    ids = np.repeat(views_of, parts)
    own = np.tile(np.arange(parts) < OWN, len(words))
    wanted = None if fresh is None else np.repeat(np.isin(views_of, np.fromiter(fresh, np.int64, len(fresh))), parts)
    nearest = _Nearest()
    for kind, radius in enumerate((WAVES_RADIUS, STEPS_RADIUS)):
        _meet_all(words[:, kind].ravel(), ids, own, wanted, radius + more, nearest)
    low, high, distance = nearest.pairs()
    order = np.lexsort((high, low, distance))
    return list(zip(low[order].tolist(), high[order].tolist(), distance[order].tolist(), strict=True))


class _Nearest:
    """Pairs that come in parts; of each id the MOST nearest stay."""

    def __init__(self) -> None:
        self._parts: list[tuple[Rows, Rows, Rows]] = [(np.empty(0, np.int64),) * 3]
        self._new = 0

    def add(self, low: Rows, high: Rows, bits: Rows) -> None:
        self._parts.append((low, high, bits))
        self._new += len(low)
        if self._new > max(PART, len(self._parts[0][0])):
            self.pairs()

    def pairs(self) -> tuple[Rows, Rows, Rows]:
        """Each pair once, with its least distance."""
        low, high, bits = (np.concatenate(column) for column in zip(*self._parts, strict=True))
        order = np.lexsort((bits, high, low))
        low, high, bits = low[order], high[order], bits[order]
        first = np.flatnonzero(np.diff(low, prepend=-1) | np.diff(high, prepend=-1))
        low, high, bits = low[first], high[first], bits[first]
        ends, number = np.concatenate([low, high]), np.tile(np.arange(len(low)), 2)
        order = np.lexsort((np.tile(bits, 2), ends))
        sorted_ends = ends[order]
        rank = np.arange(len(ends)) - np.searchsorted(sorted_ends, sorted_ends)
        kept = np.unique(number[order][rank < MOST])
        self._parts, self._new = [(low[kept], high[kept], bits[kept])], 0
        return self._parts[0]


SPREAD: Final = 24
"""Of so many contents of equal keys all pairs are candidates; of more, these many of the first and of the last."""


def pairs_of_all(packed: Sequence[tuple[int, bytes]], fresh: Collection[int] | None = None) -> list[NearPair]:
    """Candidates among contents by their packed keys, as pairs gives them, with a bound where many have equal keys.

    packed: by id, rising. fresh: as for pairs. What was found before and what is found now hold together all that
    would be found at once, and some that would not: see surplus. One sticker that a client saved a thousand times with
    other bytes would be half a million pairs: of a set of equal keys each has the SPREAD first ones and the SPREAD
    before it, of two sets that are near each other the SPREAD first ones of both.
    """
    sets: dict[bytes, list[int]] = {}
    for id, views in packed:
        if views:
            sets.setdefault(views, []).append(id)
    if not sets:
        return []
    # By the keys themselves: the order of two sets, which decides between equally near ones, must not change when
    # another content joins one of them.
    sets = dict(sorted(sets.items()))
    members = list(sets.values())
    new = None if fresh is None else set(fresh)
    # All at once: a million contents have millions of views, each of which would be two arrays of its own.
    words = words_of(b"".join(sets))
    views_of = np.repeat(np.arange(len(sets)), [len(views) // words[0].nbytes for views in sets])
    fresh_sets = None if new is None else [number for number, ids in enumerate(members) if not new.isdisjoint(ids)]
    found = [(a, b, 0) for ids in members for number, b in enumerate(ids) for a in _partners(ids, number)]
    for one, other, bits in _pairs(views_of, words, 0, fresh_sets):
        ends = ((a, b) for a in members[one][:SPREAD] for b in members[other][:SPREAD])
        found += [(min(a, b), max(a, b), bits) for a, b in ends]
    if new is not None:
        found = [pair for pair in found if pair[0] in new or pair[1] in new]
    return sorted(found, key=lambda pair: (pair[2], pair[0], pair[1]))


def _partners(ids: Sequence[int], number: int) -> Sequence[int]:
    return ids[:number] if number <= 2 * SPREAD else [*ids[:SPREAD], *ids[number - SPREAD : number]]


class CandidateBounds(NamedTuple):
    """Which candidates of one content pairs_of_all would leave out, as far as this content decides."""

    refused: frozenset[int] = frozenset()
    """Not candidates, whatever the other content says: equal keys and too many between, or too many with these keys."""
    far: frozenset[int] = frozenset()
    """Not among the MOST nearest of this content: candidates only if they are among the nearest of the other."""

    def __bool__(self) -> bool:
        return bool(self.refused or self.far)


def bounds_of(id: int, others: Mapping[int, int], keys: Mapping[int, bytes]) -> CandidateBounds:
    """The bounds of a content whose candidates were found in several turns.

    What comes later may be nearer to a content than what was found before, which is then too much: the candidates of
    all contents at once are those that surplus does not name. Ids are in the order in which pairs_of_all had them.
    others: its candidates, with the bits between. keys: packed keys of all of them, and its own.
    """
    own = keys[id]
    before = sorted(other for other in others if other < id and keys[other] == own)
    refused = before[SPREAD:-SPREAD] if len(before) > 2 * SPREAD else []
    if len(before) >= SPREAD:
        refused += [other for other in others if keys[other] != own]
        return CandidateBounds(frozenset(refused))
    near: dict[bytes, int] = {}
    for other, bits in others.items():
        if keys[other] != own:
            near[keys[other]] = bits
    # The order of _Nearest: of equally near ones those with higher keys first.
    ranked = sorted(near, key=lambda theirs: (near[theirs], theirs < own, theirs))
    beyond = set(ranked[MOST:])
    return CandidateBounds(frozenset(refused), frozenset(other for other in others if keys[other] in beyond))


def surplus(pairs: Iterable[tuple[int, int]], bounds: Mapping[int, CandidateBounds]) -> list[tuple[int, int]]:
    """Those of these pairs that would not be candidates if all contents were met at once. bounds: none refuse none."""
    none = CandidateBounds()
    found = []
    for a, b in pairs:
        one, other = bounds.get(a, none), bounds.get(b, none)
        if b in one.refused or a in other.refused or (b in one.far and a in other.far):
            found.append((a, b))
    return found


def _meet_all(
    flat: Words, ids: Rows, own: NDArray[np.bool_], wanted: NDArray[np.bool_] | None, radius: int, nearest: _Nearest
) -> None:
    """Hands all pairs by one kind of key to nearest."""
    order = np.lexsort((~own, flat))  # of equal keys the own ones first
    by_key = flat[order]
    starts = np.flatnonzero(np.concatenate([[True], by_key[1:] != by_key[:-1]]))
    distinct, bounds = by_key[starts], np.append(starts, len(flat))
    del by_key
    sizes = np.minimum(np.diff(bounds), COMMON)
    holders = np.minimum(np.add.reduceat(own[order], starts, dtype=np.int64), COMMON)
    wanted_keys = fresh = None
    if wanted is not None:
        wanted_keys = np.logical_or.reduceat(wanted[order], starts)
        fresh = np.unique(ids[wanted])

    def meet(i: Rows, j: Rows, distances: Rows) -> None:
        """All holders of keys i with all that have keys j as their own, in parts."""
        total = np.cumsum(sizes[i] * holders[j])
        start = 0
        while start < len(i):
            before = total[start - 1] if start else 0
            stop = max(start + 1, int(np.searchsorted(total, before + PART, "right")))
            expand(i[start:stop], j[start:stop], distances[start:stop])
            start = stop

    def expand(i: Rows, j: Rows, distances: Rows) -> None:
        counts = sizes[i] * holders[j]
        which = np.repeat(np.arange(len(i)), counts)
        place = np.arange(len(which)) - np.repeat(np.cumsum(counts) - counts, counts)
        asked = ids[order[bounds[i][which] + place // holders[j][which]]]
        owners = ids[order[bounds[j][which] + place % holders[j][which]]]
        low, high = np.minimum(asked, owners), np.maximum(asked, owners)
        keep = low != high
        if fresh is not None:
            keep &= np.isin(low, fresh) | np.isin(high, fresh)
        nearest.add(low[keep], high[keep], distances[which][keep])

    alike = np.flatnonzero((sizes > 1) & (holders > 0) & (True if wanted_keys is None else wanted_keys))
    meet(alike, alike, np.zeros(len(alike), np.int64))
    for block in joined(distinct[:, None], radius, wanted_keys):
        distances = block.distances.astype(np.int64)
        meet(block.a, block.b, distances)
        meet(block.b, block.a, distances)


def near(stored: Sequence[tuple[int, ViewKeys]], asked: Sequence[ViewKeys]) -> dict[int, int]:
    """Ids of which a view makes a pair with one of these views, and the bits between; about 20 ms for 100,000 views."""
    ids = np.array([id for id, _ in stored], np.int64)
    least = np.full(len(ids), 64, np.uint8)
    for kind, radius in enumerate((WAVES_RADIUS, STEPS_RADIUS)):
        theirs = np.stack([view[kind] for _, view in stored])
        for view in asked:
            for number, key in enumerate(view[kind]):
                some = theirs if number < OWN else theirs[:, :OWN]
                bits = np.bitwise_count(some ^ key).min(axis=1)
                np.minimum(least, bits, out=least, where=bits <= radius)
    found: dict[int, int] = {}
    for place in np.flatnonzero(least < 64).tolist():
        id = int(ids[place])
        found[id] = min(found.get(id, 64), int(least[place]))
    return found
