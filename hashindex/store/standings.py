"""What the catalogue keeps of choosing the best of a group: where each content stands among which others.

SQL. A choice holds among the contents it was made among only; whoever reads it compares `among`.
"""

import json
import sqlite3
from collections.abc import Collection, Iterable
from typing import NamedTuple

from hashindex.core.messages import CHOICE_VERSION


class Standing(NamedTuple):
    """Where one content stands in its group."""

    content: int
    version: int
    """Of the rule that found it out: model.CHOICE_VERSION."""
    among: bytes
    """Digest of all contents of the group."""
    rank: int
    """0 for the best."""
    faults: tuple[str, ...]
    """Names of faults.Fault."""
    doubt: str | None
    """Of the whole group: why none of its members is best in everything."""


class Standings:
    """Questions and changes; a change belongs inside the catalogue's atomic()."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def of(self, contents: Collection[int]) -> dict[int, Standing]:
        """What is known of these contents; of another version nothing."""
        rows = self._connection.execute(
            "SELECT content, version, among, rank, faults, doubt FROM standing "
            "WHERE content IN (SELECT value FROM json_each(?)) AND version = ?",
            (json.dumps(list(contents)), CHOICE_VERSION),
        )
        return {
            content: Standing(content, version, among, rank, tuple(faults.split()), doubt)
            for content, version, among, rank, faults, doubt in rows
        }

    def put(self, standings: Iterable[Standing]) -> None:
        """Writes them, in place of older ones."""
        self._connection.executemany(
            "INSERT OR REPLACE INTO standing (content, version, among, rank, faults, doubt) VALUES (?, ?, ?, ?, ?, ?)",
            ((one.content, one.version, one.among, one.rank, " ".join(one.faults), one.doubt) for one in standings),
        )

    def drop(self, contents: Iterable[int]) -> None:
        """Drops what is known of these contents."""
        self._connection.executemany("DELETE FROM standing WHERE content = ?", ((id,) for id in contents))
