"""The words of pictures in the catalogue: lines that a reader recognised, and tags of the user.

Rows go by digest, not by content: a catalogue that is built anew takes them over (rescue.py). Tags outlive the row of
the content too, like decisions. Touches no file on disk.
"""

import json
import math
import sqlite3
from collections.abc import Collection, Iterable, Sequence

from hashindex.core.tags import TagCount, Tagging
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
        """Those of these contents that a reader has read without a problem."""
        rows = self._connection.execute(
            "SELECT content.id FROM content JOIN picture_text ON picture_text.digest = content.digest "
            "WHERE content.id IN (SELECT value FROM json_each(?)) AND reader = ? AND picture_text.problem IS NULL",
            (json.dumps(list(contents)), reader),
        )
        return {content for (content,) in rows}

    def counts(self) -> WordCounts:
        """Counts of present contents, and of the contents that any reader has read. 0.03 s at 100,000 pictures."""
        row = self._connection.execute(
            "SELECT (SELECT count(DISTINCT content) FROM file WHERE content IS NOT NULL AND NOT missing), "
            "(SELECT count(*) FROM picture_text)"
        ).fetchone()
        return WordCounts(*row)

    def drop(self, digests: Iterable[bytes]) -> None:
        """Deletes the recognised lines of these contents. Their tags stay, like decisions."""
        self._connection.executemany("DELETE FROM picture_text WHERE digest = ?", ((digest,) for digest in digests))

    def has_any(self, digest: bytes) -> bool:
        """Whether a content has a tag or a recognised line."""
        row = self._connection.execute(
            "SELECT EXISTS (SELECT 1 FROM tag WHERE digest = ?1 AND given) "
            "OR EXISTS (SELECT 1 FROM picture_text WHERE digest = ?1 AND lines)",
            (digest,),
        ).fetchone()
        return bool(row[0])

    def inherit(self, keeper: bytes, copy: bytes) -> None:
        """Gives a content the tags of its copy, and the copy's lines if it has none itself."""
        self._connection.execute(
            "INSERT INTO tag (digest, name, given, decided_ns) SELECT ?, name, given, decided_ns FROM tag "
            "WHERE digest = ? AND given ON CONFLICT DO NOTHING",
            (keeper, copy),
        )
        row = self._connection.execute(
            "SELECT id, reader FROM picture_text WHERE digest = ? AND lines AND NOT EXISTS "
            "(SELECT 1 FROM picture_text WHERE digest = ? AND lines)",
            (copy, keeper),
        ).fetchone()
        if row is not None:
            picture, reader = row
            self.put(keeper, reader, self._lines(picture))

    def _lines(self, picture: int) -> list[TextLine]:
        rows = self._connection.execute(
            "SELECT text, confidence, x, y, width, height, frame FROM text_line WHERE picture = ? ORDER BY position",
            (picture,),
        )
        return [TextLine(*row) for row in rows]

    # Tags

    def tag(self, digests: Collection[bytes], tags: Collection[str], decided_ns: int) -> int:
        """Gives every one of these contents all tags. Returns how many tags were new to a content."""
        before = self.tags_of(digests)
        self.put_taggings(Tagging(digest, tag, True, decided_ns) for digest in digests for tag in tags)
        return sum(tag not in before.get(digest, ()) for digest in set(digests) for tag in set(tags))

    def tag_by_rule(self, digests: Iterable[bytes], tag: str) -> int:
        """As tag, but a decision of the user on the tag stays, whichever it is."""
        return self._connection.executemany(
            "INSERT INTO tag (digest, name, given, decided_ns) VALUES (?, ?, 1, 0) ON CONFLICT DO NOTHING",
            ((digest, tag) for digest in digests),
        ).rowcount

    def untag(self, digests: Iterable[bytes], tags: Collection[str], decided_ns: int) -> int:
        """Takes these tags from these contents. Returns how many tags were taken from a content."""
        return self._connection.executemany(
            "UPDATE tag SET given = 0, decided_ns = ? WHERE digest = ? AND name = ? AND given",
            ((decided_ns, digest, tag) for digest in digests for tag in tags),
        ).rowcount

    def put_taggings(self, taggings: Iterable[Tagging]) -> None:
        """Adds decisions on tags; the later of two on one tag of a content stays."""
        self._connection.executemany(
            "INSERT INTO tag (digest, name, given, decided_ns) VALUES (?, ?, ?, ?) ON CONFLICT (digest, name) "
            "DO UPDATE SET given = excluded.given, decided_ns = excluded.decided_ns "
            "WHERE excluded.decided_ns >= decided_ns",
            ((one.digest, one.tag, one.is_given, one.decided_ns) for one in taggings),
        )

    def taggings(self) -> list[Tagging]:
        """All decisions on tags, by tag."""
        rows = self._connection.execute("SELECT digest, name, given, decided_ns FROM tag ORDER BY name, digest")
        return [Tagging(digest, name, bool(given), decided_ns) for digest, name, given, decided_ns in rows]

    def tags_of(self, digests: Collection[bytes]) -> dict[bytes, list[str]]:
        """The tags of these contents by digest, in the order of their names. Contents without tags are left out."""
        found: dict[bytes, list[str]] = {}
        for digest in digests:
            rows = self._connection.execute("SELECT name FROM tag WHERE digest = ? AND given ORDER BY name", (digest,))
            tags = [name for (name,) in rows]
            if tags:
                found[digest] = tags
        return found

    def tag_counts(self) -> list[TagCount]:
        """Every tag with the number of present contents that have it, by name."""
        rows = self._connection.execute(
            f"SELECT name, count(*) FILTER (WHERE {_IS_PRESENT}) FROM tag LEFT JOIN content USING (digest) "
            "WHERE given GROUP BY name ORDER BY name"
        )
        return [TagCount(*row) for row in rows]


_IS_PRESENT = "EXISTS (SELECT 1 FROM file WHERE file.content = content.id AND NOT missing)"


def _fraction(number: float) -> float:
    return 0.0 if math.isnan(number) else min(1.0, max(0.0, number))
