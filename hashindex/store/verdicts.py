"""What the catalogue keeps for telling copies from variants: looks of contents, verdicts on pairs, a person's words.

SQL. Looks and verdicts follow their contents: one that is decoded anew, or dropped, takes them with it. A person's
words are kept by digest, so they survive everything, a new catalogue too.
"""

import json
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping

from hashindex.model import JUDGE_VERSION, LOOK_VERSION, Look, Relation, Verdict, Word


class Verdicts:
    """Questions and changes; a change belongs inside the catalogue's atomic()."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    # Looks

    def put_looks(self, looks: Mapping[int, Look]) -> None:
        """Replaces the looks of these contents; what was said of them by an older look is forgotten."""
        self.drop(looks)
        self._connection.executemany(
            "INSERT INTO look (content, version, compared, keys) VALUES (?, ?, 0, ?)",
            ((content, LOOK_VERSION, look.keys) for content, look in looks.items()),
        )
        self._connection.executemany(
            "INSERT INTO signature (content, bytes) VALUES (?, ?)",
            ((content, look.signature) for content, look in looks.items()),
        )

    def drop(self, contents: Iterable[int]) -> None:
        """Takes the looks of these contents out, and the verdicts on them."""
        for content in contents:
            # Two that were copies by way of this one alone are to be judged themselves.
            self._connection.execute(
                "UPDATE likeness SET judge = NULL WHERE judge IS NOT NULL AND relation IS NULL AND a IN "
                "(SELECT a FROM likeness WHERE b = ?1 UNION SELECT b FROM likeness WHERE a = ?1)",
                (content,),
            )
            for statement in (
                "DELETE FROM look WHERE content = ?",
                "DELETE FROM signature WHERE content = ?",
                "DELETE FROM likeness WHERE a = ?",
                "DELETE FROM likeness WHERE b = ?",
            ):
                self._connection.execute(statement, (content,))

    def views(self) -> Iterator[tuple[int, bytes]]:
        """(content, keys of its views, see candidates.packed_keys) of every content with a look of today's version."""
        return self._connection.execute(
            "SELECT content, keys FROM look WHERE version = ? ORDER BY content", (LOOK_VERSION,)
        )

    def count_looks(self) -> int:
        return int(self._connection.execute("SELECT count(*) FROM look").fetchone()[0])

    def keys_of(self, content: int) -> bytes:
        """The same of one content; empty where it has none."""
        row = self._connection.execute(
            "SELECT keys FROM look WHERE content = ? AND version = ?", (content, LOOK_VERSION)
        ).fetchone()
        return b"" if row is None else bytes(row[0])

    def fresh(self, turn: int = 0) -> set[int]:
        """Contents that nobody was compared with yet, turned like that."""
        # The same words as the index of turn 0 has.
        bit = "compared & 1" if turn == 0 else f"compared & {1 << turn}"
        rows = self._connection.execute(f"SELECT content FROM look WHERE NOT {bit} AND version = ?", (LOOK_VERSION,))
        return {content for (content,) in rows}

    def settle(self, contents: Iterable[int], turn: int = 0) -> None:
        """These contents, turned like that, were compared with all that there are."""
        self._connection.executemany(
            "UPDATE look SET compared = compared | ? WHERE content = ?", ((1 << turn, id) for id in contents)
        )

    def signatures(self, contents: Collection[int]) -> dict[int, bytes]:
        rows = self._connection.execute(
            "SELECT content, bytes FROM signature WHERE content IN (SELECT value FROM json_each(?))",
            (json.dumps(list(contents)),),
        )
        return dict(rows.fetchall())

    def signature_bytes(self) -> tuple[int, int]:
        """How many signatures there are, and their bytes."""
        count, size = self._connection.execute("SELECT count(*), sum(length(bytes)) FROM signature").fetchone()
        return count, size or 0

    # Verdicts

    def put_candidates(self, pairs: Iterable[tuple[int, int, int]], turn: int = 0) -> None:
        """Pairs (a, b, bits), a < b, that are worth a judgement; those known already stay as they are.

        Contents that were forgotten meanwhile are passed over.
        """
        self._connection.executemany(
            "INSERT INTO likeness (a, b, turn, bits) SELECT ?1, ?2, ?3, ?4 "
            "WHERE EXISTS (SELECT 1 FROM look WHERE content = ?1) AND EXISTS (SELECT 1 FROM look WHERE content = ?2) "
            "ON CONFLICT DO NOTHING",
            ((a, b, turn, bits) for a, b, bits in pairs),
        )

    def put(self, verdicts: Iterable[Verdict]) -> None:
        """Writes verdicts of today's judge; of contents that are not there any more none."""
        self._note_judge()
        self._connection.executemany(
            "INSERT INTO likeness (a, b, turn, bits, judge, relation, copy, similar, by_pixels) "
            "SELECT ?1, ?2, ?3, NULL, ?4, ?5, ?6, ?7, ?8 "
            "WHERE EXISTS (SELECT 1 FROM look WHERE content = ?1) AND EXISTS (SELECT 1 FROM look WHERE content = ?2) "
            "ON CONFLICT (a, b, turn) DO UPDATE SET judge = excluded.judge, relation = excluded.relation, "
            "copy = excluded.copy, similar = excluded.similar, by_pixels = excluded.by_pixels",
            (
                (one.a, one.b, one.turn, JUDGE_VERSION, int(one.relation), one.copy, one.similar, one.by_pixels)
                for one in verdicts
            ),
        )

    def skip(self, pairs: Iterable[tuple[int, int]], turn: int = 0) -> None:
        """These need no verdict now: they are copies by way of others."""
        self._note_judge()
        self._connection.executemany(
            "UPDATE likeness SET judge = ? WHERE a = ? AND b = ? AND turn = ? AND judge IS NULL",
            ((JUDGE_VERSION, a, b, turn) for a, b in pairs),
        )

    def reopen(self, content: int) -> None:
        """Pairs of this content that were put aside without a verdict wait for one again."""
        for side in ("a", "b"):
            self._connection.execute(
                f"UPDATE likeness SET judge = NULL WHERE {side} = ? AND judge IS NOT NULL AND relation IS NULL",
                (content,),
            )

    def tally(self) -> tuple[int, int, int]:
        """How many pairs are copies, how many variants, and how many wait for a verdict."""
        rows = self._connection.execute("SELECT relation, count(*) FROM likeness WHERE relation > 0 GROUP BY relation")
        counts: dict[int, int] = dict(rows.fetchall())
        variants = counts.pop(int(Relation.VARIANT), 0)
        (waiting,) = self._connection.execute("SELECT count(*) FROM likeness WHERE judge IS NULL").fetchone()
        return sum(counts.values()), variants, waiting

    def _note_judge(self) -> None:
        """In the transaction that writes its verdicts, so that no judge has any without being noted."""
        self._connection.execute("INSERT INTO judge (version) VALUES (?) ON CONFLICT DO NOTHING", (JUDGE_VERSION,))

    def has_old(self) -> bool:
        """Whether there may be verdicts of another judge than today's. Reads a row or two."""
        row = self._connection.execute("SELECT 1 FROM judge WHERE version != ? LIMIT 1", (JUDGE_VERSION,)).fetchone()
        return row is not None

    def forget_old(self) -> None:
        """Verdicts of other judges become candidates again."""
        self._connection.execute(
            "UPDATE likeness SET judge = NULL, relation = NULL, copy = NULL, similar = NULL, by_pixels = NULL "
            "WHERE judge != ?",
            (JUDGE_VERSION,),
        )
        self._connection.execute("DELETE FROM judge WHERE version != ?", (JUDGE_VERSION,))

    def has_work(self, turns: Collection[int]) -> bool:
        """Whether anything was not compared yet in one of these turns, or waits for a verdict."""
        return self.has_old() or any(self.fresh(turn) or self.open_pairs(turn) for turn in turns)

    def open_pairs(self, turn: int = 0) -> list[tuple[int, int]]:
        """Candidates without a verdict, those of the nearest keys first."""
        return self._connection.execute(
            "SELECT a, b FROM likeness WHERE turn = ? AND judge IS NULL ORDER BY bits, a, b", (turn,)
        ).fetchall()

    def alike(self, least: Relation, turns: Collection[int] = (0,)) -> list[tuple[int, int]]:
        """Pairs that are at least this much alike (least: a variant or more), in any of these turns, in order."""
        # By the index, or all pairs are read, most of which are different.
        return self._connection.execute(
            "SELECT DISTINCT a, b FROM likeness INDEXED BY likeness_alike WHERE relation > 0 AND relation >= ? "
            "AND judge = ? AND turn IN (SELECT value FROM json_each(?)) ORDER BY a, b",
            (int(least), JUDGE_VERSION, json.dumps(list(turns))),
        ).fetchall()

    def among(self, contents: Collection[int], turns: Collection[int] = (0,)) -> list[Verdict]:
        """Every verdict on two of these contents. Cost: 1 us for each pair that either of them is in."""
        ids = json.dumps(list(contents))
        # The + keeps SQLite from looking for each of them with each: 10,000 contents would be 100,000,000 questions.
        rows = self._connection.execute(
            "SELECT a, b, turn, relation, copy, similar, by_pixels FROM likeness "
            "WHERE a IN (SELECT value FROM json_each(?1)) AND +b IN (SELECT value FROM json_each(?1)) AND judge = ?2 "
            "AND relation IS NOT NULL AND +turn IN (SELECT value FROM json_each(?3))",
            (ids, JUDGE_VERSION, json.dumps(list(turns))),
        )
        return [
            Verdict(a, b, turn, Relation(relation), copy, similar, bool(by_pixels))
            for a, b, turn, relation, copy, similar, by_pixels in rows
        ]

    def candidates_among(self, contents: Collection[int], turns: Collection[int] = (0,)) -> list[tuple[int, int]]:
        """Candidates among these contents, judged or not, those of the nearest keys first."""
        return self._connection.execute(
            "SELECT DISTINCT a, b FROM likeness WHERE a IN (SELECT value FROM json_each(?1)) "
            "AND +b IN (SELECT value FROM json_each(?1)) AND +turn IN (SELECT value FROM json_each(?2)) "
            "ORDER BY bits, a, b",
            (json.dumps(list(contents)), json.dumps(list(turns))),
        ).fetchall()

    def counts(self) -> dict[str, int]:
        """How many pairs were judged, by what came out, and by_pixels: how many of them needed the files."""
        rows = self._connection.execute(
            "SELECT relation, count(*), sum(by_pixels) FROM likeness WHERE relation IS NOT NULL GROUP BY relation"
        ).fetchall()
        found = {Relation(relation).label: count for relation, count, _ in rows}
        return found | {"by_pixels": sum(row[2] for row in rows)}

    # A person's words

    def put_word(self, word: Word) -> None:
        self._connection.execute(
            "INSERT INTO word (a, b, same, said_ns) VALUES (?, ?, ?, ?) ON CONFLICT (a, b) DO UPDATE SET "
            "same = excluded.same, said_ns = excluded.said_ns",
            (word.a, word.b, word.same, word.said_ns),
        )

    def drop_word(self, a: bytes, b: bytes, same: bool) -> bool:
        """Takes a word back; whether it was there."""
        return bool(
            self._connection.execute("DELETE FROM word WHERE a = ? AND b = ? AND same = ?", (a, b, same)).rowcount
        )

    def words(self) -> list[Word]:
        rows = self._connection.execute("SELECT a, b, same, said_ns FROM word ORDER BY said_ns, a, b")
        return [Word(a, b, bool(same), said_ns) for a, b, same, said_ns in rows]

    def contents_of_words(self) -> dict[bytes, int]:
        """By digest, the contents of words that the catalogue knows."""
        rows = self._connection.execute(
            "SELECT digest, id FROM content WHERE digest IN (SELECT a FROM word UNION SELECT b FROM word)"
        )
        return dict(rows.fetchall())
