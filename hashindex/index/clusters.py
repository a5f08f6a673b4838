"""Contents that hang together -> groups: union-find over links, pass after pass, and who is the keeper.

Pure: no files, no SQL. Who is near whom comes from a search of keys (searched) or is known already (known).
"""

import enum
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations

from hashindex.core.messages import SEARCHED, KeySnapshot
from hashindex.core.model import File, Group, Member
from hashindex.core.options import Keep, Level
from hashindex.hashing.search import BKTreeIndex, HammingIndex
from hashindex.hashing.unionfind import UnionFind

Key = int | bytes
"""A hash as an integer, or, for a picture with too little detail for hashes, the digest of its pixels."""

Links = Callable[[Collection[int], int], Iterable[tuple[int, int]]]
"""(contents, radius) -> pairs that connect those of them, and no others, which hang together at that radius."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """Contents that hang together at one radius."""

    radius: int
    contents: tuple[int, ...]


class Engine(enum.StrEnum):
    """What finds the neighbours; all find the same."""

    AUTO = "auto"
    BKTREE = "bktree"
    PACKED = "packed"


BKTREE_KEYS = 500
"""Up to so many distinct keys `auto` takes the BK-tree, which then needs less than 0.1 s (docs/design.md)."""


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


def searched(image: KeySnapshot, engine: Engine = Engine.AUTO) -> Links:
    """Links by a search of the keys. The cost is that of the engine's pairs: search.BKTreeIndex, packed.joined."""

    def links(contents: Collection[int], radius: int) -> Iterator[tuple[int, int]]:
        first_with: dict[bytes, int] = {}
        width = image.bits // 8
        # Equal keys are linked here, so the search meets each key once: 8,000 equal hashes are one.
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
    # Imported where many keys pay for NumPy's start.
    from hashindex.hashing.packed import PackedIndex

    return PackedIndex(bits, items)


def known(twins: Mapping[int, int], pairs: Iterable[tuple[int, int, int]]) -> Links:
    """Links from what is known already: content -> the leader with the same key, and (a, b, distance) of leaders.

    They reach as far as the pairs do. A leader need not be among the contents that are asked about.
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
    """Bits between two keys; 0 for equal pixels; None where they cannot be compared."""
    if isinstance(a, int) and isinstance(b, int):
        return (a ^ b).bit_count()
    return 0 if a is not None and a == b else None


def make_group(
    files: Iterable[File],
    key_of: Callable[[int], Key | None],
    keep: Keep,
    *,
    hash: str,
    radius: int,
    level: Level = Level.RADIUS,
) -> Group:
    """The group of these files (one or more): keeper first, distances to it, and the widest distance.

    O(k^2) in the number of distinct keys.
    """
    ordered = order(files, keep)
    ids = [file.content.id for file in ordered]
    keys = list(map(key_of, ids))
    own = keys[0]
    if isinstance(own, int):
        # As distance says it; a call for each of a million members takes longer than the rest of this.
        apart = [(own ^ key).bit_count() if isinstance(key, int) else None for key in keys]
    else:
        apart = [0 if id == ids[0] else distance(own, key) for id, key in zip(ids, keys, strict=True)]
    members = tuple([_MEMBER((file, bits, None)) for file, bits in zip(ordered, apart, strict=True)])
    return Group(min(ids), level, hash, radius, _widest(keys, apart), members)


def _widest(keys: Sequence[Key | None], apart: Iterable[int | None]) -> int:
    """The largest distance between two of these keys. apart: the distances from the first of them."""
    if len(keys) < 3:
        return max([bits for bits in apart if bits is not None])
    distinct = {key for key in keys if isinstance(key, int)}
    return max([(a ^ b).bit_count() for a, b in combinations(distinct, 2)], default=0)


# As Member._make, in a third of its time: there are as many as files.
_MEMBER = partial(tuple.__new__, Member)


def order(files: Iterable[File], keep: Keep) -> list[File]:
    """Files by the keep rule, then the other rules, then path: the same list whatever order they came in.

    A picture with a problem (a download that broke off) goes after whole ones: it must not become the keeper.
    """
    return sorted(files, key=_RANKS[keep])


def _by_size(file: File) -> tuple[object, ...]:
    content = file.content
    return (content.problem is not None, -file.size, -content.width * content.height, file.mtime_ns, file.path)


def _by_pixels(file: File) -> tuple[object, ...]:
    content = file.content
    return (content.problem is not None, -content.width * content.height, -file.size, file.mtime_ns, file.path)


def _by_age(file: File) -> tuple[object, ...]:
    content = file.content
    return (content.problem is not None, file.mtime_ns, -file.size, -content.width * content.height, file.path)


def _by_youth(file: File) -> tuple[object, ...]:
    content = file.content
    return (content.problem is not None, -file.mtime_ns, -file.size, -content.width * content.height, file.path)


_RANKS = {Keep.LARGEST: _by_size, Keep.PIXELS: _by_pixels, Keep.OLDEST: _by_age, Keep.NEWEST: _by_youth}
