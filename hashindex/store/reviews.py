"""The rows of a review: which picture of a group the user keeps, and which groups were reviewed. By digest."""

import sqlite3
from collections.abc import Iterable, Iterator
from typing import Any

from hashindex.core.options import Level
from hashindex.core.reviewing import KeeperDecision, ReviewedContent, ReviewKind

_DIGEST = 32


class Reviews:
    """Queries and changes; call a change inside Catalogue.atomic()."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def keepers(self, digests: Iterable[bytes] | None = None) -> dict[bytes, KeeperDecision]:
        """The pictures that the user keeps, by digest. digests: only these pictures."""
        found = {}
        for digest, path, over, decided_ns in self._rows("digest, path, over, decided_ns FROM keeper", (), digests):
            found[digest] = KeeperDecision(digest, path, frozenset(_split(over)), decided_ns)
        return found

    def put_keepers(self, decisions: Iterable[KeeperDecision]) -> None:
        """Writes decisions, in place of earlier ones on the same pictures."""
        self._connection.executemany(
            "INSERT OR REPLACE INTO keeper (digest, path, over, decided_ns) VALUES (?, ?, ?, ?)",
            ((one.digest, one.path_bytes, b"".join(sorted(one.over)), one.decided_ns) for one in decisions),
        )

    def drop_keepers(self, digests: Iterable[bytes]) -> None:
        self._connection.executemany("DELETE FROM keeper WHERE digest = ?", ((digest,) for digest in digests))

    def reviewed(self, level: Level, digests: Iterable[bytes] | None = None) -> dict[bytes, ReviewedContent]:
        """What was reviewed at a level, by digest. digests: only these contents."""
        asked = "digest, review, files, decision FROM reviewed WHERE level = ?"
        rows = self._rows(asked, (level,), digests)
        return {
            digest: ReviewedContent(level, digest, review, files, ReviewKind(decision))
            for digest, review, files, decision in rows
        }

    def put_reviewed(self, contents: Iterable[ReviewedContent]) -> None:
        """Writes contents of reviewed groups, in place of earlier reviews of them."""
        self._connection.executemany(
            "INSERT OR REPLACE INTO reviewed (level, digest, review, files, decision) VALUES (?, ?, ?, ?, ?)", contents
        )

    def drop_reviewed(self, level: Level, digests: Iterable[bytes]) -> None:
        self._connection.executemany(
            "DELETE FROM reviewed WHERE level = ? AND digest = ?", ((level, digest) for digest in digests)
        )

    def _rows(self, asked: str, values: tuple[object, ...], digests: Iterable[bytes] | None) -> Iterator[Any]:
        if digests is None:
            yield from self._connection.execute(f"SELECT {asked}", values)
            return
        # One by one: a list in JSON holds no bytes, and unhex needs SQLite 3.41.
        one = f"SELECT {asked} {'AND' if 'WHERE' in asked else 'WHERE'} digest = ?"
        for digest in digests:
            yield from self._connection.execute(one, (*values, digest))

    def next_review(self) -> int:
        """A number that no review has."""
        return int(self._connection.execute("SELECT ifnull(max(review), 0) + 1 FROM reviewed").fetchone()[0])


def _split(digests: bytes) -> Iterable[bytes]:
    return (digests[start : start + _DIGEST] for start in range(0, len(digests), _DIGEST))
