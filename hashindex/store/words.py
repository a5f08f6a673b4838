"""The words of pictures in the catalogue: lines that a reader recognised, and tags of the user.

Rows go by digest, not by content: a catalogue that is built anew takes them over (rescue.py). Tags outlive the row of
the content too, like decisions. Touches no file on disk.
"""

import json
import math
import sqlite3
import time
from collections.abc import Collection, Iterable, Sequence

from hashindex.core.words import TextLine, WordCounts
from hashindex.store.columns import storable


class WordStore:
    """Queries and changes; call a change inside Catalogue.atomic()."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    # Recognised lines

    def put(self, digest: bytes, reader: str, lines: Sequence[TextLine], problem: str | None = None) -> None:
        """Notes that a reader has read a content, in place of what an earlier reader recognised.

        reader: name and version of the reader, in any form; unread_pictures compares it for equality. lines: in reading
        order; none if the picture has no text. problem: why the picture could not be read. Numbers of a line that are
        out of range become the nearest number within.
        """
        # Deleting the row deletes its lines.
        self._connection.execute("DELETE FROM picture_text WHERE digest = ?", (digest,))
        picture = self._connection.execute(
            "INSERT INTO picture_text (digest, reader, problem, lines) VALUES (?, ?, ?, ?)",
            (digest, reader, storable(problem), len(lines)),
        ).lastrowid
        self._connection.executemany(
            "INSERT INTO text_line (picture, position, text, confidence, frame, x, y, width, height) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                (
                    picture,
                    position,
                    storable(line.text),
                    _fraction(line.confidence),
                    max(0, line.frame),
                    *map(_fraction, (line.x, line.y, line.width, line.height)),
                )
                for position, line in enumerate(lines)
            ),
        )

    def of(self, contents: Collection[int]) -> dict[int, list[TextLine]]:
        """The recognised lines of these contents, in reading order. Contents without lines are left out."""
        rows = self._connection.execute(
            "SELECT content.id, text, confidence, x, y, line.width, line.height, frame FROM content "
            "CROSS JOIN picture_text ON picture_text.digest = content.digest "
            "CROSS JOIN text_line AS line ON picture = picture_text.id "
            "WHERE content.id IN (SELECT value FROM json_each(?)) ORDER BY content.id, position",
            (json.dumps(list(contents)),),
        )
        found: dict[int, list[TextLine]] = {}
        for content, *line in rows:
            found.setdefault(content, []).append(TextLine(*line))
        return found

    def read_by(self, contents: Collection[int], reader: str) -> set[int]:
        """Those of these contents that a reader has read, with or without a problem."""
        rows = self._connection.execute(
            "SELECT content.id FROM content JOIN picture_text ON picture_text.digest = content.digest "
            "WHERE content.id IN (SELECT value FROM json_each(?)) AND reader = ?",
            (json.dumps(list(contents)), reader),
        )
        return {content for (content,) in rows}

    def counts(self) -> WordCounts:
        """Counts of present contents: all, those that any reader has read, those with text, and those with a tag."""
        row = self._connection.execute(
            "SELECT count(*), count(reader), count(*) FILTER (WHERE lines), "
            "count(*) FILTER (WHERE EXISTS (SELECT 1 FROM tag WHERE tag.digest = content.digest)) "
            "FROM content LEFT JOIN picture_text ON picture_text.digest = content.digest "
            "WHERE EXISTS (SELECT 1 FROM file WHERE file.content = content.id AND NOT missing)"
        ).fetchone()
        return WordCounts(*row)

    # Tags

    def tag(self, digests: Iterable[bytes], tags: Collection[str]) -> int:
        """Gives every one of these contents all tags. Returns how many tags were new to a content."""
        now_ns = time.time_ns()
        return self._connection.executemany(
            "INSERT INTO tag (digest, name, tagged_ns) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
            ((digest, tag, now_ns) for digest in digests for tag in tags),
        ).rowcount

    def untag(self, digests: Iterable[bytes], tags: Collection[str]) -> int:
        """Takes these tags from these contents. Returns how many tags were taken from a content."""
        return self._connection.executemany(
            "DELETE FROM tag WHERE digest = ? AND name = ?", ((digest, tag) for digest in digests for tag in tags)
        ).rowcount

    def tags_of(self, digests: Collection[bytes]) -> dict[bytes, list[str]]:
        """The tags of these contents by digest, in the order of their names. Contents without tags are left out."""
        found: dict[bytes, list[str]] = {}
        for digest in digests:
            rows = self._connection.execute("SELECT name FROM tag WHERE digest = ? ORDER BY name", (digest,))
            tags = [name for (name,) in rows]
            if tags:
                found[digest] = tags
        return found

    def drop(self, digests: Iterable[bytes]) -> None:
        """Deletes the recognised lines of these contents. Their tags stay, like decisions."""
        self._connection.executemany("DELETE FROM picture_text WHERE digest = ?", ((digest,) for digest in digests))


def _fraction(number: float) -> float:
    return 0.0 if math.isnan(number) else min(1.0, max(0.0, number))
