"""Contents that hang together -> groups: union-find over links, pass after pass, and who is the keeper.

Pure: no files, no SQL.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from types import MappingProxyType

from hashindex.core.keep_rules import KeepRules
from hashindex.core.messages import SEARCHED, KeySnapshot
from hashindex.core.model import File, Group, Member
from hashindex.core.options import Engine, Keep, Level
from hashindex.core.reviewing import KeeperDecision
from hashindex.hashing.unionfind import UnionFind
from hashindex.index.keep_order import order

Key = int | bytes
"""A hash as an integer, or, for a picture with too little detail for hashes, the digest of its pixels."""

Links = Callable[[Collection[int], int], Iterable[tuple[int, int]]]
"""(contents, radius) -> pairs that connect those of them, and no others, which hang together at that radius."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """Contents that hang together at one radius."""

    radius: int
    contents: tuple[int, ...]


BKTREE_KEYS = 500
"""Up to this many keys `auto` takes the BK-tree, which then needs less than 0.1 s (docs/design.md)."""


def clusters(contents: Collection[int], radii: Sequence[int], links: Sequence[Links]) -> Iterator[Cluster]:
    """Clusters of two or more of these contents; each pass (a radius of radii) takes what the last left over."""
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


def searched(snapshot: KeySnapshot, engine: Engine = Engine.AUTO) -> Links:
    """Links by a search of the keys. The cost is that of search.BKTreeIndex.pairs or packed.joined."""

    def links(contents: Collection[int], radius: int) -> Iterable[tuple[int, int]]:
        states = snapshot.states
        ids = [id for id in sorted(contents) if id < len(states) and states[id] == SEARCHED]
        if engine is Engine.BKTREE or (engine is Engine.AUTO and len(ids) <= BKTREE_KEYS):
            return _linked_by_tree(snapshot, ids, radius)
        # Imported here: NumPy takes 0.2 s to start, which few keys do not repay.
        from hashindex.hashing.packed import linked

        return linked(snapshot, ids, radius)

    return links


def _linked_by_tree(snapshot: KeySnapshot, contents: Sequence[int], radius: int) -> Iterator[tuple[int, int]]:
    """As packed.linked."""
    # Imported late: groups by verdicts need no search.
    from hashindex.hashing.search import BKTreeIndex

    lowest_with: dict[int, int] = {}
    for id, key in snapshot.keys_of(contents).items():
        lowest = lowest_with.setdefault(key, id)
        if lowest != id:
            yield lowest, id
    for a, b, _ in BKTreeIndex(snapshot.bits, ((id, key) for key, id in lowest_with.items())).pairs(radius):
        yield a, b


def distance(a: Key | None, b: Key | None) -> int | None:
    """Bits between two keys; 0 for equal pixels; None where they cannot be compared."""
    if isinstance(a, int) and isinstance(b, int):
        return (a ^ b).bit_count()
    return 0 if a is not None and a == b else None


def make_group(
    files: Iterable[File],
    key_of: Callable[[int], Key | None],
    keep: Keep | KeepRules,
    *,
    number: int = 1,
    hash: str,
    radius: int,
    level: Level = Level.RADIUS,
    ranks: Mapping[int, int] | None = None,
    chosen: Mapping[bytes, KeeperDecision] = MappingProxyType({}),
) -> Group:
    """The group of these files (one or more): keeper first, distances to it, and the widest distance.

    number: see Group.id. ranks, chosen: see order. O(k^2) in the number of distinct keys.
    """
    ordered = order(files, keep, ranks, chosen)
    ids = [file.content.id for file in ordered]
    keys = list(map(key_of, ids))
    own = keys[0]
    if isinstance(own, int):
        # As distance says it; a call for each of a million members takes longer than the rest of this.
        apart = [(own ^ key).bit_count() if isinstance(key, int) else None for key in keys]
    else:
        apart = [0 if id == ids[0] else distance(own, key) for id, key in zip(ids, keys, strict=True)]
    members = tuple([_MEMBER((file, bits, None, ())) for file, bits in zip(ordered, apart, strict=True)])
    return Group(number, level, hash, radius, _widest(keys, apart), members)


def _widest(keys: Sequence[Key | None], apart: Iterable[int | None]) -> int:
    """The largest distance between two of these keys. apart: the distances from the first of them."""
    if len(keys) < 3:
        return max([bits for bits in apart if bits is not None])
    distinct = {key for key in keys if isinstance(key, int)}
    return max([(a ^ b).bit_count() for a, b in combinations(distinct, 2)], default=0)


# As Member._make, in a third of its time: there are as many as files.
_MEMBER = partial(tuple.__new__, Member)
