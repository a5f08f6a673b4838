"""What the catalogue keeps for telling copies from variants: looks of contents, verdicts on pairs, a person's words.

SQL. Looks and verdicts follow their contents: one that is decoded anew, or dropped, takes them with it. A person's
words are kept by digest, so they survive everything, a new catalogue too.
"""

import json
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from hashindex.core.messages import COMPARE_KEYS_VERSION, JUDGE_VERSION, Candidate, CompareKeys, Verdict
from hashindex.core.model import Decision, Relation


class Verdicts:
    """Questions and changes; a change belongs inside the catalogue's atomic().

    A pair with bits is a candidate: what is judged of it makes groups. One without is the answer to a question that
    somebody had; it is kept so that the judge is not asked twice, and makes no groups: else they would depend on what
    was asked before.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.is_in_memory = False
        """Changes stay in this process, see keep_in_memory."""
        self._held: list[Verdict] = []

    def keep_in_memory(self) -> None:
        """From now on changes to candidates and verdicts stay in memory, on top of what the catalogue holds.

        For a reader, inside Catalogue.as_of_now(). Cost: a copy of all pairs.
        """
        # A temporary table hides the table of the same name, for this connection.
        for statement in (
            "CREATE TEMP TABLE likeness (a INTEGER NOT NULL, b INTEGER NOT NULL, turn INTEGER NOT NULL, bits INTEGER, "
            "judge INTEGER, relation INTEGER, copy REAL, similar REAL, by_pixels INTEGER, PRIMARY KEY (a, b, turn)) "
            "WITHOUT ROWID",
            "INSERT INTO temp.likeness SELECT a, b, turn, bits, judge, relation, copy, similar, by_pixels "
            "FROM main.likeness",
            "CREATE INDEX temp.likeness_b ON likeness (b)",
            "CREATE INDEX temp.likeness_alike ON likeness (relation, judge) WHERE relation > 0",
            "CREATE INDEX temp.likeness_open ON likeness (turn) WHERE judge IS NULL",
            "CREATE TEMP TABLE judge (version INTEGER PRIMARY KEY)",
            "INSERT INTO temp.judge SELECT version FROM main.judge",
        ):
            self._connection.execute(statement)
        self.is_in_memory = True

    def check_writable(self) -> None:
        """Inside atomic(): raises SQLite's error where the catalogue cannot be written, which BEGIN does not tell."""
        self._connection.execute("DELETE FROM judge WHERE 0")

    def held(self) -> list[Verdict]:
        """The verdicts that are in memory alone."""
        return self._held

    # Looks

    def put_compare_keys(self, looks: Mapping[int, CompareKeys]) -> None:
        """Replaces the looks of these contents; what was said of them by an older look is forgotten."""
        self.drop(looks)
        self._connection.executemany(
            "INSERT INTO look (content, version, compared, keys) VALUES (?, ?, 0, ?)",
            ((content, COMPARE_KEYS_VERSION, look.keys) for content, look in looks.items()),
        )
        self._connection.executemany(
            "INSERT INTO signature (content, bytes) VALUES (?, ?)",
            ((content, look.signature) for content, look in looks.items()),
        )

    def drop(self, contents: Iterable[int]) -> None:
        """Takes the looks of these contents out, and the verdicts on them."""
        contents = list(contents)
        # Two that were copies by way of one of these alone are to be judged themselves.
        self._reopen_around(contents)
        for content in contents:
            for statement in (
                "DELETE FROM look WHERE content = ?",
                "DELETE FROM signature WHERE content = ?",
                "DELETE FROM likeness WHERE a = ?",
                "DELETE FROM likeness WHERE b = ?",
            ):
                self._connection.execute(statement, (content,))

    def _reopen_around(self, contents: Collection[int]) -> None:
        """Pairs that were put aside among all that are copies by way of these contents wait for a verdict again."""
        self._connection.execute(
            "WITH RECURSIVE around (id) AS (SELECT value FROM json_each(?1) UNION "
            "SELECT iif(a = id, b, a) FROM around JOIN likeness ON (a = id OR b = id) WHERE relation >= ?2) "
            "UPDATE likeness SET judge = NULL "
            "WHERE judge IS NOT NULL AND relation IS NULL AND a IN (SELECT id FROM around)",
            (json.dumps(list(contents)), int(Relation.COPY)),
        )

    def views(self) -> Iterator[tuple[int, bytes]]:
        """(content, keys of its views, see candidates.packed_keys) of every content with a look of today's version."""
        return self._connection.execute(
            "SELECT content, keys FROM look WHERE version = ? ORDER BY content", (COMPARE_KEYS_VERSION,)
        )

    def count_compared(self) -> int:
        return int(self._connection.execute("SELECT count(*) FROM look").fetchone()[0])

    def keys_of(self, content: int) -> bytes:
        """The same of one content; empty where it has none."""
        row = self._connection.execute(
            "SELECT keys FROM look WHERE content = ? AND version = ?", (content, COMPARE_KEYS_VERSION)
        ).fetchone()
        return b"" if row is None else bytes(row[0])

    def fresh(self, turn: int = 0) -> set[int]:
        """Contents that nobody was compared with yet, turned like that."""
        # The same words as the index of turn 0 has.
        bit = "compared & 1" if turn == 0 else f"compared & {1 << turn}"
        rows = self._connection.execute(
            f"SELECT content FROM look WHERE NOT {bit} AND version = ?", (COMPARE_KEYS_VERSION,)
        )
        return {content for (content,) in rows}

    def settle(self, contents: Iterable[int], turn: int = 0) -> None:
        """These contents, turned like that, were compared with all that there are."""
        if self.is_in_memory:
            return
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
        """Pairs (a, b, bits), a < b, that are worth a judgement; a verdict that is there already stays.

        Contents that were forgotten meanwhile are passed over.
        """
        self._connection.executemany(
            "INSERT INTO likeness (a, b, turn, bits) SELECT ?1, ?2, ?3, ?4 "
            "WHERE EXISTS (SELECT 1 FROM look WHERE content = ?1) AND EXISTS (SELECT 1 FROM look WHERE content = ?2) "
            "ON CONFLICT (a, b, turn) DO UPDATE SET bits = excluded.bits",
            ((a, b, turn, bits) for a, b, bits in pairs),
        )

    def candidates_of(self, contents: Collection[int], more_than: int = 0) -> list[tuple[int, int, int]]:
        """Every candidate (a, b, bits) of those of these contents that have more than so many; turn 0 alone."""
        rows = self._connection.execute(
            "WITH asked (id) AS (SELECT value FROM json_each(?1)), "
            "many (id) AS MATERIALIZED (SELECT id FROM asked WHERE "
            "(SELECT count(*) FROM likeness WHERE a = id AND turn = 0 AND bits IS NOT NULL) + "
            "(SELECT count(*) FROM likeness WHERE b = id AND turn = 0 AND bits IS NOT NULL) > ?2) "
            "SELECT a, b, bits FROM many JOIN likeness ON a = id WHERE turn = 0 AND bits IS NOT NULL UNION "
            "SELECT a, b, bits FROM many JOIN likeness ON b = id WHERE turn = 0 AND bits IS NOT NULL",
            (json.dumps(list(contents)), more_than),
        )
        return rows.fetchall()

    def drop_candidates(self, pairs: Sequence[tuple[int, int]]) -> None:
        """These are no candidates any more, turn 0 alone; verdicts on them stay as answers."""
        if pairs:
            self._reopen_around([id for pair in pairs for id in pair])
            self._connection.executemany(
                "UPDATE likeness SET bits = NULL WHERE a = ? AND b = ? AND turn = 0", list(pairs)
            )
            self._connection.execute("DELETE FROM likeness WHERE bits IS NULL AND judge IS NULL")

    def put(self, verdicts: Iterable[Verdict]) -> None:
        """Writes verdicts of today's judge; of contents that are not there any more none."""
        self._note_judge()
        if self.is_in_memory:
            verdicts = list(verdicts)
            self._held += verdicts
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
        """Candidates that other judges judged wait for a verdict again; other answers of theirs go."""
        self._connection.execute("DELETE FROM likeness WHERE bits IS NULL AND judge != ?", (JUDGE_VERSION,))
        self._connection.execute(
            "UPDATE likeness SET judge = NULL, relation = NULL, copy = NULL, similar = NULL, by_pixels = NULL "
            "WHERE judge != ?",
            (JUDGE_VERSION,),
        )
        self._connection.execute("DELETE FROM judge WHERE version != ?", (JUDGE_VERSION,))

    def has_work(self, turns: Collection[int]) -> bool:
        """Whether anything was not compared yet in one of these turns, or waits for a verdict."""
        return self.has_old() or any(self.fresh(turn) or self.open_pairs(turn) for turn in turns)

    def open_pairs(self, turn: int = 0) -> list[Candidate]:
        """Candidates without a verdict."""
        rows = self._connection.execute(
            "SELECT turn, bits, a, b FROM likeness WHERE turn = ? AND judge IS NULL", (turn,)
        )
        return [Candidate(turn, bits, a, b, None) for turn, bits, a, b in rows]

    def alike(self, least: Relation, turns: Collection[int] = (0,)) -> list[Candidate]:
        """Candidates that are at least this much alike (least: a variant or more), in any of these turns."""
        # By the index, or all pairs are read, most of which are different.
        rows = self._connection.execute(
            "SELECT turn, bits, a, b, relation FROM likeness INDEXED BY likeness_alike WHERE relation > 0 "
            "AND relation >= ? AND judge = ? AND bits IS NOT NULL AND turn IN (SELECT value FROM json_each(?))",
            (int(least), JUDGE_VERSION, json.dumps(list(turns))),
        )
        return [Candidate(turn, bits, a, b, Relation(relation)) for turn, bits, a, b, relation in rows]

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

    def candidates_among(self, contents: Collection[int], turns: Collection[int] = (0,)) -> list[Candidate]:
        """Candidates among these contents, judged, put aside or open."""
        rows = self._connection.execute(
            "SELECT turn, bits, a, b, relation FROM likeness WHERE a IN (SELECT value FROM json_each(?1)) "
            "AND +b IN (SELECT value FROM json_each(?1)) AND bits IS NOT NULL "
            "AND +turn IN (SELECT value FROM json_each(?2))",
            (json.dumps(list(contents)), json.dumps(list(turns))),
        )
        return [
            Candidate(turn, bits, a, b, None if relation is None else Relation(relation))
            for turn, bits, a, b, relation in rows
        ]

    def counts(self) -> dict[str, int]:
        """How many pairs were judged, by what came out, and by_pixels: how many of them needed the files."""
        rows = self._connection.execute(
            "SELECT relation, count(*), sum(by_pixels) FROM likeness WHERE relation IS NOT NULL GROUP BY relation"
        ).fetchall()
        found = {Relation(relation).label: count for relation, count, _ in rows}
        return found | {"by_pixels": sum(row[2] for row in rows)}

    # A person's words

    def put_word(self, word: Decision) -> None:
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

    def words(self) -> list[Decision]:
        rows = self._connection.execute("SELECT a, b, same, said_ns FROM word ORDER BY said_ns, a, b")
        return [Decision(a, b, bool(same), said_ns) for a, b, same, said_ns in rows]

    def contents_of_words(self) -> dict[bytes, int]:
        """By digest, the contents of words that the catalogue knows."""
        rows = self._connection.execute(
            "SELECT digest, id FROM content WHERE digest IN (SELECT a FROM word UNION SELECT b FROM word)"
        )
        return dict(rows.fetchall())
