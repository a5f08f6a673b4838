"""Links between contents -> groups: union-find, pass after pass, and the choice of the keeper.

Pure: no files, no SQL. Links come from a search of keys (searched) or from stored neighbours (known).
"""

import enum
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations

from hashindex.core.keep_rules import KeepRules
from hashindex.core.model import SEARCHED, File, Group, Keep, KeySnapshot, Level, Member
from hashindex.hashing.search import BKTreeIndex, HammingIndex
from hashindex.hashing.unionfind import UnionFind
from hashindex.index.keep_order import order

Key = int | bytes
"""A hash as an integer; for a low-detail picture the digest of its pixels."""

Links = Callable[[Collection[int], int], Iterable[tuple[int, int]]]
"""(contents, radius) -> pairs of these contents that connect all neighbours within the radius."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """Contents that are connected at one radius."""

    radius: int
    contents: tuple[int, ...]


class Engine(enum.StrEnum):
    """The search for neighbours. All engines find the same neighbours."""

    AUTO = "auto"
    BKTREE = "bktree"
    PACKED = "packed"


BKTREE_KEYS = 500
"""Up to this many distinct keys, `auto` uses the BK-tree, which needs less than 0.1 s for them (docs/design.md)."""


def clusters(contents: Collection[int], radii: Sequence[int], links: Sequence[Links]) -> Iterator[Cluster]:
    """Clusters of two or more of these contents. Each radius is one pass over the contents that are still single."""
    left = set(contents)
    for radius in radii:
        sets = UnionFind()
        for connect in links:
            sets.join_all(connect(left, radius))
        for found in sets.sets():
            yield Cluster(radius, found)
            left.difference_update(found)


def alike(digests: Mapping[int, bytes]) -> Links:
    """Links between contents of equal digests, at any radius."""

    def links(contents: Collection[int], radius: int) -> Iterator[tuple[int, int]]:
        first_with: dict[bytes, int] = {}
        for id, digest in digests.items():
            if id in contents and first_with.setdefault(digest, id) != id:
                yield first_with[digest], id

    return links


def searched(image: KeySnapshot, engine: Engine = Engine.AUTO) -> Links:
    """Links by a search of the keys. Cost: see search.BKTreeIndex and packed.joined."""

    def links(contents: Collection[int], radius: int) -> Iterator[tuple[int, int]]:
        first_with: dict[bytes, int] = {}
        width = image.bits // 8
        # Equal keys are linked here, so the search sees each key once, even if 8,000 hashes are equal.
        for id in sorted(contents):
            if id < len(image.states) and image.states[id] in SEARCHED:
                first = first_with.setdefault(bytes(image.keys[id * width : (id + 1) * width]), id)
                if first != id:
                    yield first, id
        for a, b, _ in _index(first_with, image.bits, engine).pairs(radius):
            yield a, b

    return links


def _index(ids: Mapping[bytes, int], bits: int, engine: Engine) -> HammingIndex:
    items = ((id, int.from_bytes(key, "big")) for key, id in ids.items())
    if engine is Engine.BKTREE or (engine is Engine.AUTO and len(ids) <= BKTREE_KEYS):
        return BKTreeIndex(bits, items)
    # Imported here: only many keys are worth loading NumPy.
    from hashindex.hashing.packed import PackedIndex

    return PackedIndex(bits, items)


def known(twins: Mapping[int, int], pairs: Iterable[tuple[int, int, int]]) -> Links:
    """Links from stored neighbours. twins: content -> the leader with the same key. pairs: (a, b, distance) of leaders.

    The links cover the radius for which the pairs were stored. A leader need not be among the given contents.
    """

    def links(contents: Collection[int], radius: int) -> Iterator[tuple[int, int]]:
        stands_for: dict[int, int] = {}
        for content, leader in twins.items():
            if content in contents:
                first = stands_for.setdefault(leader, leader if leader in contents else content)
                if first != content:
                    yield first, content
        for a, b, distance in pairs:
            if distance <= radius:
                left = stands_for.get(a, a if a in contents else None)
                right = stands_for.get(b, b if b in contents else None)
                if left is not None and right is not None:
                    yield left, right

    return links


def distance(a: Key | None, b: Key | None) -> int | None:
    """Bits between two keys; 0 for equal pixels; None if the keys cannot be compared."""
    if isinstance(a, int) and isinstance(b, int):
        return (a ^ b).bit_count()
    return 0 if a is not None and a == b else None


def make_group(
    files: Iterable[File],
    key_of: Callable[[int], Key | None],
    keep: Keep | KeepRules,
    *,
    hash: str,
    radius: int,
    level: str = Level.RADIUS,
    ranks: Mapping[int, int] | None = None,
) -> Group:
    """The group of these files (one or more): keeper first, distances to the keeper, and the largest distance.

    ranks: content -> rank, for Keep.BEST. O(k^2) in the number of distinct keys.
    """
    ordered = order(files, keep, ranks)
    ids = [file.content.id for file in ordered]
    keys = list(map(key_of, ids))
    keeper_key = keys[0]
    if isinstance(keeper_key, int):
        # Same as distance; a million calls would take longer than the rest of this function.
        distances = [(keeper_key ^ key).bit_count() if isinstance(key, int) else None for key in keys]
    else:
        distances = [0 if id == ids[0] else distance(keeper_key, key) for id, key in zip(ids, keys, strict=True)]
    members = tuple([_MEMBER((file, bits, None, ())) for file, bits in zip(ordered, distances, strict=True)])
    return Group(min(ids), level, hash, radius, _largest_distance(keys, distances), members)


def _largest_distance(keys: Sequence[Key | None], distances: Iterable[int | None]) -> int:
    """The largest distance between two of these keys. distances: from the first key."""
    if len(keys) < 3:
        return max([bits for bits in distances if bits is not None])
    distinct = {key for key in keys if isinstance(key, int)}
    return max([(a ^ b).bit_count() for a, b in combinations(distinct, 2)], default=0)


# Like Member._make in a third of the time: there is one member per file.
_MEMBER = partial(tuple.__new__, Member)
