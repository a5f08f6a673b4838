"""The rows of the judge: compare keys and signatures of contents, judged pairs, and the user's decisions.

Compare keys and verdicts are deleted with their content, and when it is decoded anew. Decisions are kept by digest, so
they outlive the content, and even the catalogue.
"""

import json
import sqlite3
from collections.abc import Collection, Container, Iterable, Iterator, Mapping, Sequence

from hashindex.core.messages import COMPARE_KEYS_VERSION, JUDGE_VERSION, Candidate, CompareKeys, Objection, Verdict
from hashindex.core.model import Decision, Relation

_BOTH_ARE_THERE = (
    "EXISTS (SELECT 1 FROM compare_keys WHERE content = ?1) AND EXISTS (SELECT 1 FROM compare_keys WHERE content = ?2)"
)


class Verdicts:
    """Queries and changes; call a change inside Catalogue.atomic().

    A pair with bits is a candidate, and its verdict makes groups. A pair without bits was judged to answer a question.
    It is kept so that it is not judged twice, but makes no groups, which would else depend on earlier questions.
    A candidate that is ruled out as copies is judged only when variants are wanted, or to answer a question.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.is_in_memory = False
        """Whether changes stay in this process, see keep_in_memory."""
        self._unsaved: list[Verdict] = []

    def keep_in_memory(self) -> None:
        """Keeps all later changes of candidates and verdicts in memory.

        For a reader, inside Catalogue.as_of_now(). Cost: a copy of all pairs.
        """
        # For this connection, a temporary table hides the table of the same name.
        for statement in (
            "CREATE TEMP TABLE judged_pair (a INTEGER NOT NULL, b INTEGER NOT NULL, turn INTEGER NOT NULL, "
            "bits INTEGER, ruled_out INTEGER NOT NULL DEFAULT 0, judge INTEGER, relation INTEGER, copy REAL, "
            "similar REAL, by_pixels INTEGER, side INTEGER, objection TEXT, PRIMARY KEY (a, b, turn)) WITHOUT ROWID",
            "INSERT INTO temp.judged_pair "
            "SELECT a, b, turn, bits, ruled_out, judge, relation, copy, similar, by_pixels, side, objection "
            "FROM main.judged_pair",
            "CREATE INDEX temp.judged_pair_b ON judged_pair (b)",
            "CREATE INDEX temp.judged_pair_alike ON judged_pair (relation, judge) WHERE relation > 0",
            "CREATE INDEX temp.judged_pair_open ON judged_pair (turn, ruled_out) WHERE judge IS NULL",
            "CREATE TEMP TABLE judge (version INTEGER PRIMARY KEY)",
            "INSERT INTO temp.judge SELECT version FROM main.judge",
        ):
            self._connection.execute(statement)
        self.is_in_memory = True

    def check_writable(self) -> None:
        """Raises SQLite's error if the catalogue cannot be written; BEGIN alone does not. Call it inside atomic()."""
        self._connection.execute("DELETE FROM judge WHERE 0")

    def unsaved(self) -> list[Verdict]:
        """The verdicts that are only in memory."""
        return self._unsaved

    # Compare keys

    def put_compare_keys(self, keys_of: Mapping[int, CompareKeys]) -> None:
        """Replaces the compare keys of these contents, and deletes the verdicts on them."""
        self.drop(keys_of)
        self._connection.executemany(
            "INSERT INTO compare_keys (content, version, compared, keys) VALUES (?, ?, 0, ?)",
            ((content, COMPARE_KEYS_VERSION, one.keys) for content, one in keys_of.items()),
        )
        self._connection.executemany(
            "INSERT INTO signature (content, bytes) VALUES (?, ?)",
            ((content, one.signature) for content, one in keys_of.items()),
        )

    def drop(self, contents: Iterable[int]) -> None:
        """Deletes the compare keys of these contents and the verdicts on them."""
        contents = list(contents)
        # A pair that counted as copies by way of one of these contents only must be judged itself.
        self._reopen_around(contents)
        for content in contents:
            for statement in (
                "DELETE FROM compare_keys WHERE content = ?",
                "DELETE FROM signature WHERE content = ?",
                "DELETE FROM judged_pair WHERE a = ?",
                "DELETE FROM judged_pair WHERE b = ?",
            ):
                self._connection.execute(statement, (content,))

    def _reopen_around(self, contents: Collection[int]) -> None:
        """Makes skipped pairs open again among all contents that are copies, directly or indirectly, of these."""
        self._connection.execute(
            "WITH RECURSIVE around (id) AS (SELECT value FROM json_each(?1) UNION "
            "SELECT iif(a = id, b, a) FROM around JOIN judged_pair ON (a = id OR b = id) WHERE relation >= ?2) "
            "UPDATE judged_pair SET judge = NULL "
            "WHERE judge IS NOT NULL AND relation IS NULL AND a IN (SELECT id FROM around)",
            (json.dumps(list(contents)), int(Relation.COPY)),
        )

    def views(self) -> Iterator[tuple[int, bytes]]:
        """(content, keys of its views as candidates.packed_keys makes them) of every content with current keys."""
        return self._connection.execute(
            "SELECT content, keys FROM compare_keys WHERE version = ? ORDER BY content", (COMPARE_KEYS_VERSION,)
        )

    def count_compared(self) -> int:
        """Counts the contents with compare keys."""
        return int(self._connection.execute("SELECT count(*) FROM compare_keys").fetchone()[0])

    def keys_of(self, content: int) -> bytes:
        """The keys of the views of one content; empty if it has no current ones."""
        row = self._connection.execute(
            "SELECT keys FROM compare_keys WHERE content = ? AND version = ?", (content, COMPARE_KEYS_VERSION)
        ).fetchone()
        return b"" if row is None else bytes(row[0])

    def fresh(self, turn: int = 0) -> set[int]:
        """Contents that were not yet compared with all others in this turn."""
        # For turn 0 the condition of the index.
        bit = "compared & 1" if turn == 0 else f"compared & {1 << turn}"
        rows = self._connection.execute(
            f"SELECT content FROM compare_keys WHERE NOT {bit} AND version = ?", (COMPARE_KEYS_VERSION,)
        )
        return {content for (content,) in rows}

    def settle(self, contents: Iterable[int], turn: int = 0) -> None:
        """Notes that these contents were compared with all others in this turn."""
        if self.is_in_memory:
            return
        self._connection.executemany(
            "UPDATE compare_keys SET compared = compared | ? WHERE content = ?", ((1 << turn, id) for id in contents)
        )

    def signatures(self, contents: Collection[int]) -> dict[int, bytes]:
        rows = self._connection.execute(
            "SELECT content, bytes FROM signature WHERE content IN (SELECT value FROM json_each(?))",
            (json.dumps(list(contents)),),
        )
        return dict(rows.fetchall())

    def signature_bytes(self) -> tuple[int, int]:
        """The number of signatures, and their bytes."""
        count, size = self._connection.execute("SELECT count(*), sum(length(bytes)) FROM signature").fetchone()
        return count, size or 0

    # Verdicts

    def put_candidates(
        self, pairs: Iterable[tuple[int, int, int]], turn: int = 0, ruled_out: Container[tuple[int, int]] = ()
    ) -> None:
        """Adds candidates (a, b, bits), a < b. Pairs with a deleted content are left out.

        ruled_out: pairs (a, b) that cannot be copies. Existing verdicts stay, unless a pair is ruled out only now.
        """
        self._connection.executemany(
            "INSERT INTO judged_pair (a, b, turn, bits, ruled_out) SELECT ?1, ?2, ?3, ?4, ?5 "
            f"WHERE {_BOTH_ARE_THERE} "
            "ON CONFLICT (a, b, turn) DO UPDATE SET bits = excluded.bits, ruled_out = excluded.ruled_out, "
            # A pair that is ruled out is judged otherwise than one that is no candidate.
            "judge = iif(ruled_out = excluded.ruled_out, judge, NULL), "
            "relation = iif(ruled_out = excluded.ruled_out, relation, NULL)",
            ((a, b, turn, bits, (a, b) in ruled_out) for a, b, bits in pairs),
        )

    def is_ruled_out(self, a: int, b: int) -> bool:
        """Whether the two, a < b, are a candidate of turn 0 that is ruled out as copies."""
        row = self._connection.execute(
            "SELECT ruled_out FROM judged_pair WHERE a = ? AND b = ? AND turn = 0", (a, b)
        ).fetchone()
        return row is not None and bool(row[0])

    def candidates(self) -> list[tuple[int, int, int]]:
        """All candidates (a, b, bits) of turn 0."""
        return self._connection.execute(
            "SELECT a, b, bits FROM judged_pair WHERE turn = 0 AND bits IS NOT NULL"
        ).fetchall()

    def candidates_of(self, contents: Collection[int], more_than: int = 0) -> list[tuple[int, int, int]]:
        """The candidates (a, b, bits) of turn 0 of each of these contents that has more of them than more_than."""
        rows = self._connection.execute(
            "WITH asked (id) AS (SELECT value FROM json_each(?1)), "
            "many (id) AS MATERIALIZED (SELECT id FROM asked WHERE "
            "(SELECT count(*) FROM judged_pair WHERE a = id AND turn = 0 AND bits IS NOT NULL) + "
            "(SELECT count(*) FROM judged_pair WHERE b = id AND turn = 0 AND bits IS NOT NULL) > ?2) "
            "SELECT a, b, bits FROM many JOIN judged_pair ON a = id WHERE turn = 0 AND bits IS NOT NULL UNION "
            "SELECT a, b, bits FROM many JOIN judged_pair ON b = id WHERE turn = 0 AND bits IS NOT NULL",
            (json.dumps(list(contents)), more_than),
        )
        return rows.fetchall()

    def drop_candidates(self, pairs: Sequence[tuple[int, int]]) -> None:
        """Removes pairs of turn 0 from the candidates; verdicts on them stay as answers to questions."""
        if pairs:
            self._reopen_around([id for pair in pairs for id in pair])
            self._connection.executemany(
                "UPDATE judged_pair SET bits = NULL WHERE a = ? AND b = ? AND turn = 0", list(pairs)
            )
            self._connection.execute("DELETE FROM judged_pair WHERE bits IS NULL AND (judge IS NULL OR ruled_out)")

    def put(self, verdicts: Iterable[Verdict]) -> None:
        """Writes verdicts of the current judge. Pairs with a deleted content are left out."""
        self._note_judge()
        if self.is_in_memory:
            verdicts = list(verdicts)
            self._unsaved += verdicts
        self._connection.executemany(
            "INSERT INTO judged_pair (a, b, turn, bits, judge, relation, copy, similar, by_pixels, side, objection) "
            "SELECT ?1, ?2, ?3, NULL, ?4, ?5, ?6, ?7, ?8, ?9, ?10 "
            f"WHERE {_BOTH_ARE_THERE} "
            "ON CONFLICT (a, b, turn) DO UPDATE SET judge = excluded.judge, relation = excluded.relation, "
            "copy = excluded.copy, similar = excluded.similar, by_pixels = excluded.by_pixels, side = excluded.side, "
            "objection = excluded.objection",
            (
                (
                    *(one.a, one.b, one.turn, JUDGE_VERSION, int(one.relation), one.copy, one.similar),
                    *(one.by_pixels, one.side, one.objection),
                )
                for one in verdicts
            ),
        )

    def skip(self, pairs: Iterable[tuple[int, int]], turn: int = 0) -> None:
        """Marks pairs as needing no verdict now, because they are copies by way of others."""
        self._note_judge()
        self._connection.executemany(
            "UPDATE judged_pair SET judge = ? WHERE a = ? AND b = ? AND turn = ? AND judge IS NULL",
            ((JUDGE_VERSION, a, b, turn) for a, b in pairs),
        )

    def reopen(self, content: int) -> None:
        """Makes the skipped pairs of a content open again."""
        for side in ("a", "b"):
            self._connection.execute(
                f"UPDATE judged_pair SET judge = NULL WHERE {side} = ? AND judge IS NOT NULL AND relation IS NULL",
                (content,),
            )

    def tally(self) -> tuple[int, int, int, int]:
        """Counts the pairs that are copies, and that are variants; and those without a verdict that may be copies, and
        that may only be variants."""
        rows = self._connection.execute(
            "SELECT relation, count(*) FROM judged_pair WHERE relation > 0 GROUP BY relation"
        )
        counts: dict[int, int] = dict(rows.fetchall())
        variants = counts.pop(int(Relation.VARIANT), 0)
        rows = self._connection.execute(
            "SELECT ruled_out, count(*) FROM judged_pair WHERE judge IS NULL GROUP BY ruled_out"
        )
        waiting: dict[int, int] = dict(rows.fetchall())
        return sum(counts.values()), variants, waiting.get(0, 0), waiting.get(1, 0)

    def _note_judge(self) -> None:
        """Notes the judge in the transaction that writes its verdicts, so that none is missing."""
        self._connection.execute("INSERT INTO judge (version) VALUES (?) ON CONFLICT DO NOTHING", (JUDGE_VERSION,))

    def has_old(self) -> bool:
        """Whether there may be verdicts of another judge than the current one. Reads a row or two."""
        row = self._connection.execute("SELECT 1 FROM judge WHERE version != ? LIMIT 1", (JUDGE_VERSION,)).fetchone()
        return row is not None

    def forget_old(self) -> None:
        """Makes candidates with a verdict of another judge open again, and deletes its other verdicts."""
        self._connection.execute("DELETE FROM judged_pair WHERE bits IS NULL AND judge != ?", (JUDGE_VERSION,))
        self._connection.execute(
            "UPDATE judged_pair SET judge = NULL, relation = NULL, copy = NULL, similar = NULL, by_pixels = NULL, "
            "side = NULL, objection = NULL WHERE judge != ?",
            (JUDGE_VERSION,),
        )
        self._connection.execute("DELETE FROM judge WHERE version != ?", (JUDGE_VERSION,))

    def has_work(self, turns: Collection[int], *, variants: bool) -> bool:
        """Whether in one of these turns a content was not compared yet, or a candidate has no verdict.

        variants: whether candidates that are ruled out as copies count too.
        """
        ruled_out = (False, True) if variants else (False,)
        return self.has_old() or any(
            self.fresh(turn) or any(self._has_open(turn, one) for one in ruled_out) for turn in turns
        )

    def _has_open(self, turn: int, ruled_out: bool) -> bool:
        row = self._connection.execute(
            "SELECT 1 FROM judged_pair WHERE turn = ? AND ruled_out = ? AND judge IS NULL LIMIT 1", (turn, ruled_out)
        ).fetchone()
        return row is not None

    def open_pairs(self, turn: int = 0, *, ruled_out: bool = False) -> list[Candidate]:
        """Candidates without a verdict: those that may be copies, or those that are ruled out as copies."""
        rows = self._connection.execute(
            "SELECT turn, bits, a, b FROM judged_pair WHERE turn = ? AND ruled_out = ? AND judge IS NULL",
            (turn, ruled_out),
        )
        return [Candidate(turn, bits, a, b, None) for turn, bits, a, b in rows]

    def alike(
        self, least: Relation, turns: Collection[int] = (0,), among: Collection[int] | None = None
    ) -> list[Candidate]:
        """Candidates with this or a closer relation, at least a variant, in any of these turns.

        among: only candidates of two of these contents.
        """
        values: tuple[object, ...] = (int(least), JUDGE_VERSION, json.dumps(list(turns)))
        # Without the index all pairs would be read, most of which are different.
        source, within = "judged_pair INDEXED BY judged_pair_alike", ""
        if among is not None:
            source, values = "judged_pair", (*values, json.dumps(list(among)))
            within = " AND a IN (SELECT value FROM json_each(?4)) AND +b IN (SELECT value FROM json_each(?4))"
        rows = self._connection.execute(
            f"SELECT turn, bits, a, b, relation FROM {source} WHERE relation > 0 AND relation >= ?1 AND judge = ?2 "
            f"AND bits IS NOT NULL AND turn IN (SELECT value FROM json_each(?3)){within}",
            values,
        )
        return [Candidate(turn, bits, a, b, Relation(relation)) for turn, bits, a, b, relation in rows]

    def linked_with(self, contents: Collection[int], least: Relation, turns: Collection[int]) -> set[int]:
        """These contents, and all that are connected with them by pairs of alike, directly or by way of others."""
        rows = self._connection.execute(
            "WITH RECURSIVE around (id) AS (SELECT value FROM json_each(?1) UNION "
            "SELECT iif(a = id, b, a) FROM around JOIN judged_pair ON (a = id OR b = id) WHERE +relation >= ?2 "
            "AND judge = ?3 AND bits IS NOT NULL AND +turn IN (SELECT value FROM json_each(?4))) SELECT id FROM around",
            (json.dumps(list(contents)), int(least), JUDGE_VERSION, json.dumps(list(turns))),
        )
        return {id for (id,) in rows}

    def nearest_alike(self, content: int) -> list[tuple[Relation, int]]:
        """The copies and variants of a content among its candidates, not turned: the relation and the other content.

        Copies come first, then those with the nearest keys.
        """
        rows = self._connection.execute(
            "SELECT relation, bits, b AS other FROM judged_pair WHERE a = ?1 AND turn = 0 AND judge = ?2 "
            "AND relation > 0 AND bits IS NOT NULL UNION ALL "
            "SELECT relation, bits, a FROM judged_pair WHERE b = ?1 AND turn = 0 AND judge = ?2 "
            "AND relation > 0 AND bits IS NOT NULL ORDER BY relation DESC, bits, other",
            (content, JUDGE_VERSION),
        )
        return [(Relation(relation), other) for relation, _, other in rows]

    def among(self, contents: Collection[int], turns: Collection[int] = (0,)) -> list[Verdict]:
        """Every verdict on two of these contents. Cost: 1 us for each pair with one of them."""
        ids = json.dumps(list(contents))
        # The + stops SQLite from searching for every pair of contents: 10,000 contents have 100,000,000.
        rows = self._connection.execute(
            "SELECT a, b, turn, relation, copy, similar, by_pixels, side, objection FROM judged_pair "
            "WHERE a IN (SELECT value FROM json_each(?1)) AND +b IN (SELECT value FROM json_each(?1)) AND judge = ?2 "
            "AND relation IS NOT NULL AND +turn IN (SELECT value FROM json_each(?3))",
            (ids, JUDGE_VERSION, json.dumps(list(turns))),
        )
        return [
            Verdict(a, b, turn, Relation(relation), copy, similar, bool(by_pixels), side or 0, _objection(objection))
            for a, b, turn, relation, copy, similar, by_pixels, side, objection in rows
        ]

    def candidates_among(
        self, contents: Collection[int], turns: Collection[int] = (0,), *, variants: bool = True
    ) -> list[Candidate]:
        """Candidates among these contents: judged, skipped or open.

        variants: whether those count that are ruled out as copies.
        """
        rows = self._connection.execute(
            "SELECT turn, bits, a, b, relation FROM judged_pair WHERE a IN (SELECT value FROM json_each(?1)) "
            "AND +b IN (SELECT value FROM json_each(?1)) AND bits IS NOT NULL AND ruled_out <= ?3 "
            "AND +turn IN (SELECT value FROM json_each(?2))",
            (json.dumps(list(contents)), json.dumps(list(turns)), variants),
        )
        return [
            Candidate(turn, bits, a, b, None if relation is None else Relation(relation))
            for turn, bits, a, b, relation in rows
        ]

    def counts(self) -> dict[str, int]:
        """Counts of judged pairs by relation, and of those that were judged by the pixels of the files (by_pixels)."""
        rows = self._connection.execute(
            "SELECT relation, count(*), sum(by_pixels) FROM judged_pair WHERE relation IS NOT NULL GROUP BY relation"
        ).fetchall()
        found = {Relation(relation).label: count for relation, count, _ in rows}
        return found | {"by_pixels": sum(row[2] for row in rows)}

    # Decisions of the user

    def put_decision(self, decision: Decision) -> None:
        self._connection.execute(
            "INSERT INTO decision (a, b, same, decided_ns) VALUES (?, ?, ?, ?) ON CONFLICT (a, b) DO UPDATE SET "
            "same = excluded.same, decided_ns = excluded.decided_ns",
            (decision.a, decision.b, decision.same, decision.said_ns),
        )

    def drop_decision(self, a: bytes, b: bytes, same: bool) -> bool:
        """Deletes a decision. Returns whether there was one."""
        return bool(
            self._connection.execute("DELETE FROM decision WHERE a = ? AND b = ? AND same = ?", (a, b, same)).rowcount
        )

    def decisions(self) -> list[Decision]:
        """All decisions, oldest first."""
        rows = self._connection.execute("SELECT a, b, same, decided_ns FROM decision ORDER BY decided_ns, a, b")
        return [Decision(a, b, bool(same), decided_ns) for a, b, same, decided_ns in rows]

    def contents_of_decisions(self) -> dict[bytes, int]:
        """The contents that decisions are about, by digest; those not in the catalogue are left out."""
        rows = self._connection.execute(
            "SELECT digest, id FROM content WHERE digest IN (SELECT a FROM decision UNION SELECT b FROM decision)"
        )
        return dict(rows.fetchall())


def _objection(name: str | None) -> Objection | None:
    return None if name is None else Objection(name)
