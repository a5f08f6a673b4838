"""The journal of organize and dedupe: batches, their steps, and what is placed. undo and recover read it."""

import os
from collections.abc import Collection, Iterable, Sequence

from hashindex.core.messages import Move, MoveState, Placed
from hashindex.core.organizing import NOT_REACHED, Action, Batch, BatchCommand, BatchState, Step
from hashindex.store.catalogue import Catalogue
from hashindex.store.columns import storable


class Journal:
    """Queries and changes; call a change inside Catalogue.atomic()."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._connection = catalogue.connection

    # Batches

    def begin(
        self, command: BatchCommand, dest: bytes, action: Action, steps: Iterable[Step], *, made_dest: bool, now_ns: int
    ) -> int:
        """Writes these steps as a batch that is being applied. Returns its number."""
        cursor = self._connection.execute(
            "INSERT INTO batch (command, dest, made_dest, action, state, started_ns) VALUES (?, ?, ?, ?, ?, ?)",
            (command, dest, made_dest, action, BatchState.APPLYING, now_ns),
        )
        batch = cursor.lastrowid or 0
        self._connection.executemany(
            "INSERT INTO move (batch, ordinal, action, source, target, number, copy, digest, size, mtime_ns, state) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                (
                    batch,
                    ordinal,
                    step.action,
                    step.source_bytes,
                    step.target_bytes,
                    step.number,
                    step.copy,
                    step.digest,
                    step.size,
                    step.mtime_ns,
                    MoveState.PLANNED,
                )
                for ordinal, step in enumerate(steps)
            ),
        )
        return batch

    def set_batch(self, batch: int, state: BatchState, finished_ns: int | None = None) -> None:
        self._connection.execute(
            "UPDATE batch SET state = ?, finished_ns = ifnull(?, finished_ns) WHERE id = ?", (state, finished_ns, batch)
        )

    def batches(self) -> list[Batch]:
        """All batches, oldest first."""
        rows = self._connection.execute(
            "SELECT id, command, dest, batch.action, batch.state, started_ns, finished_ns, "
            "count(iif(move.state = 'done', 1, NULL)), "
            "count(iif(move.state = 'skipped', 1, NULL)), count(iif(move.state = 'undone', 1, NULL)), "
            "count(iif(move.state = 'kept', 1, NULL)), count(iif(move.state = 'skipped' AND move.reason = ?, 1, NULL)) "
            "FROM batch LEFT JOIN move ON move.batch = batch.id GROUP BY id ORDER BY id",
            (NOT_REACHED,),
        )
        return [
            Batch(id, BatchCommand(command), dest, Action(action), BatchState(state), *rest)
            for id, command, dest, action, state, *rest in rows
        ]

    def put_made_folders(self, batch: int, folders: Iterable[bytes]) -> None:
        """Notes the folders below its destination that the batch makes."""
        self._connection.executemany(
            "INSERT INTO made_folder (batch, path) VALUES (?, ?)", ((batch, folder) for folder in folders)
        )

    def made_folders(self, dest: bytes) -> list[bytes]:
        """The folders that batches have made below a destination, each before the folders that contain it."""
        rows = self._connection.execute(
            "SELECT DISTINCT path FROM made_folder JOIN batch ON id = batch WHERE dest = ? ORDER BY path DESC", (dest,)
        )
        return [path for (path,) in rows]

    def made_dest(self, batch: int) -> bool:
        """Whether the batch made the folder of its destination."""
        return bool(self._connection.execute("SELECT made_dest FROM batch WHERE id = ?", (batch,)).fetchone()[0])

    # Steps

    def moves(self, batch: int, states: Collection[MoveState]) -> list[Move]:
        """The steps of a batch in one of these states, in the order of the plan."""
        marks = ",".join("?" * len(states))
        rows = self._connection.execute(
            "SELECT action, source, target, number, copy, digest, size, mtime_ns, ordinal, state, "
            "placed_mtime_ns, reason FROM move "
            f"WHERE batch = ? AND state IN ({marks}) ORDER BY ordinal",
            (batch, *states),
        )
        return [
            Move(batch, ordinal, Step(Action(action), *facts), MoveState(state), placed_mtime_ns, reason)
            for action, *facts, ordinal, state, placed_mtime_ns, reason in rows
        ]

    def set_move(
        self, move: Move, state: MoveState, *, reason: str | None = None, placed_mtime_ns: int | None = None
    ) -> None:
        self._connection.execute(
            "UPDATE move SET state = ?, reason = ?, placed_mtime_ns = ifnull(?, placed_mtime_ns) "
            "WHERE batch = ? AND ordinal = ?",
            (state, storable(reason), placed_mtime_ns, move.batch, move.ordinal),
        )

    def has_files_in(self, dest: bytes) -> bool:
        """Whether any step of a batch into this folder is done and not undone."""
        row = self._connection.execute(
            "SELECT 1 FROM batch JOIN move ON batch = id WHERE dest = ? AND move.state IN ('done', 'kept') LIMIT 1",
            (dest,),
        ).fetchone()
        return row is not None

    # What is placed

    def placed(self, dest: bytes) -> list[Placed]:
        """Everything that is placed in a destination and not undone, by number."""
        rows = self._connection.execute(
            "SELECT number, copy, name, digest FROM placed JOIN destination ON id = destination WHERE path = ? "
            "ORDER BY number, copy",
            (dest,),
        )
        return [Placed(*row) for row in rows]

    def put_placed(self, dest: bytes, entries: Iterable[Placed]) -> None:
        """Adds entries; an existing entry with the same number and copy stays."""
        self._connection.executemany(
            "INSERT INTO placed (destination, number, copy, name, digest) "
            "VALUES ((SELECT id FROM destination WHERE path = ?), ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            ((dest, *entry) for entry in entries),
        )

    def drop_placed(self, dest: bytes, step: Step) -> None:
        self._connection.execute(
            "DELETE FROM placed WHERE destination = (SELECT id FROM destination WHERE path = ?) "
            "AND number = ? AND copy = ?",
            (dest, step.number, step.copy),
        )


def placed_by(dest: bytes, step: Step) -> Placed:
    """The entry that a numbered step adds in a destination."""
    name = os.path.relpath(step.target_bytes, dest).replace(os.sep.encode(), b"/")
    return Placed(step.number, step.copy, name, step.digest)


def merged(*lists: Sequence[Placed]) -> list[Placed]:
    """Combines records of one destination; for each number and copy the first record with an entry decides."""
    entries: dict[tuple[int, int], Placed] = {}
    for entry in (entry for entries in lists for entry in entries):
        entries.setdefault((entry.number, entry.copy), entry)
    return [entries[key] for key in sorted(entries)]
