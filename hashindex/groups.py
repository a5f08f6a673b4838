"""Contents with keys -> groups: union-find over the pairs within a radius, pass after pass, and who is the keeper.

Pure: no files, no SQL. What is near is search.py's business; what is shown, render.py's.
"""

import enum
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from hashindex.model import File, Group, Keep, Member
from hashindex.packed import PackedIndex
from hashindex.search import BKTreeIndex, HammingIndex

Key = int | bytes
"""A hash as an integer, or, for a picture with too little detail for hashes, the digest of its pixels."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """Contents that hang together at one radius."""

    radius: int
    contents: tuple[int, ...]


class UnionFind:
    """Disjoint sets of ids. The lowest id of a set names it, so results do not depend on the order of joins."""

    def __init__(self) -> None:
        self._parent: dict[int, int] = {}

    def find(self, id: int) -> int:
        parent = self._parent
        parent.setdefault(id, id)
        while parent[id] != id:
            parent[id] = parent[parent[id]]
            id = parent[id]
        return id

    def join(self, a: int, b: int) -> None:
        low, high = sorted((self.find(a), self.find(b)))
        self._parent[high] = low

    def sets(self) -> list[tuple[int, ...]]:
        """Every set, ids ascending, sets by their lowest id."""
        members: dict[int, list[int]] = {}
        for id in sorted(self._parent):
            members.setdefault(self.find(id), []).append(id)
        return [tuple(ids) for ids in members.values()]


class Engine(enum.StrEnum):
    """What finds the neighbours; all find the same."""

    AUTO = "auto"
    BKTREE = "bktree"
    PACKED = "packed"


BKTREE_KEYS = 500
"""Up to so many distinct keys `auto` takes the BK-tree, which then needs less than 0.1 s (docs/design.md)."""


def clusters(
    keys: Mapping[int, Key], bits: int, radii: Sequence[int], engine: Engine = Engine.AUTO
) -> Iterator[Cluster]:
    """Clusters of two or more contents; each pass (a radius of radii) takes only what the passes before left over.

    keys: content id -> key of `bits` bits, or the digest of its pixels. Digests match only when equal, in the
    first pass. The cost of a pass is that of the engine's pairs, see search.BKTreeIndex and packed.PackedIndex.
    """
    left = dict(keys)
    for radius in radii:
        for contents in _connected(left, bits, radius, engine):
            yield Cluster(radius, contents)
            for id in contents:
                del left[id]


def _connected(keys: Mapping[int, Key], bits: int, radius: int, engine: Engine) -> list[tuple[int, ...]]:
    sets = UnionFind()
    first_with: dict[Key, int] = {}
    # Equal keys are joined here, so the search meets each key once: 8,000 equal hashes are one.
    for id, key in sorted(keys.items()):
        sets.join(first_with.setdefault(key, id), id)
    distinct = [(id, key) for key, id in first_with.items() if isinstance(key, int)]
    if engine is Engine.AUTO:
        engine = Engine.BKTREE if len(distinct) <= BKTREE_KEYS else Engine.PACKED
    index: HammingIndex = BKTreeIndex(bits, distinct) if engine is Engine.BKTREE else PackedIndex(bits, distinct)
    for a, b, _ in index.pairs(radius):
        sets.join(a, b)
    return [contents for contents in sets.sets() if len(contents) > 1]


def distance(a: Key | None, b: Key | None) -> int | None:
    """Bits between two keys; 0 for equal pixels; None where they cannot be compared."""
    if isinstance(a, int) and isinstance(b, int):
        return (a ^ b).bit_count()
    return 0 if a is not None and a == b else None


def make_group(files: Iterable[File], keys: Mapping[int, Key], keep: Keep, *, hash: str, radius: int) -> Group:
    """The group of these files (one or more): keeper first, distances to it, and the widest distance.

    O(k^2) in the number of distinct keys.
    """
    ordered = order(files, keep)
    keeper_key = keys.get(ordered[0].content.id)
    distinct = {key for file in ordered if isinstance(key := keys.get(file.content.id), int)}
    return Group(
        id=min(file.content.id for file in ordered),
        level="radius",
        hash=hash,
        radius=radius,
        widest=max(((a ^ b).bit_count() for a, b in combinations(distinct, 2)), default=0),
        members=tuple(
            Member(
                file,
                0 if file.content.id == ordered[0].content.id else distance(keeper_key, keys.get(file.content.id)),
            )
            for file in ordered
        ),
    )


def order(files: Iterable[File], keep: Keep) -> list[File]:
    """Files by the keep rule, then the other rules, then path: the same list whatever order they came in.

    A picture with a problem (a download that broke off) goes after whole ones: it must not become the keeper.
    """

    def rank(file: File) -> tuple[object, ...]:
        rules = {
            Keep.LARGEST: -file.size,
            Keep.PIXELS: -file.content.width * file.content.height,
            Keep.OLDEST: file.mtime_ns,
            Keep.NEWEST: -file.mtime_ns,
        }
        ties = (rules[Keep.LARGEST], rules[Keep.PIXELS], rules[Keep.OLDEST])
        return (file.content.problem is not None, rules[keep], *ties, file.path)

    return sorted(files, key=rank)
