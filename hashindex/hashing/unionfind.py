"""Union-find: disjoint sets of ids. Pure."""

from collections.abc import Iterable


class UnionFind:
    """Disjoint sets of ids. The lowest id of a set names it, so results do not depend on the order of joins."""

    def __init__(self) -> None:
        self._parent: dict[int, int] = {}

    def find(self, id: int) -> int:
        parent = self._parent
        above = parent.setdefault(id, id)
        while above != id:
            # Each is hung on the one above the one above it: paths stay short.
            parent[id] = id = parent[above]
            above = parent[id]
        return id

    def join_all(self, pairs: Iterable[tuple[int, int]]) -> None:
        """Joins the two of every pair; one call for many, because there may be millions."""
        parent, find = self._parent, self.find
        for a, b in pairs:
            # Most ids come for the first time, or stand for themselves.
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
