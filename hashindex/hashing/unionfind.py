"""Union-find: disjoint sets of ids. Pure."""

from collections.abc import Iterable


class UnionFind:
    """Disjoint sets of ids. The lowest id names its set, so results do not depend on the order of joins."""

    def __init__(self) -> None:
        self._parent: dict[int, int] = {}

    def find(self, id: int) -> int:
        parent = self._parent
        above = parent.setdefault(id, id)
        while above != id:
            # Path halving keeps the paths short.
            parent[id] = id = parent[above]
            above = parent[id]
        return id

    def join_all(self, pairs: Iterable[tuple[int, int]]) -> None:
        """Joins the sets of each pair. One call for many pairs, because there may be millions."""
        parent, find = self._parent, self.find
        for a, b in pairs:
            # Most ids are new or name their own set.
            if parent.setdefault(a, a) != a:
                a = find(a)
            if parent.setdefault(b, b) != b:
                b = find(b)
            if a < b:
                parent[b] = a
            else:
                parent[a] = b

    def sets(self) -> list[tuple[int, ...]]:
        """Every set, ids ascending, sets by their lowest id."""
        parent, find = self._parent, self.find
        members: dict[int, list[int]] = {}
        for id in sorted(parent):
            above = parent[id]
            if above == id:
                members[id] = [id]
            else:
                members[above if parent[above] == above else find(above)].append(id)
        return [tuple(ids) for ids in members.values()]
