"""A damaged catalogue is set aside, never overwritten; what no disk can tell again is carried over to a new one.

That is what a person said (same, separate), the folders that were scanned, the numbers of destinations and the journal.
Everything else comes back with the next scan. Reads the damaged file only; touches no picture.
"""

import contextlib
import os
import re
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from hashindex.core.errors import CatalogueDamaged
from hashindex.disk.lock import held
from hashindex.store.catalogue import Catalogue
from hashindex.store.database import condemned

_TABLES = {
    "root": "path, device",
    "destination": "id, path",
    "placed": "destination, number, copy, name, digest",
    "batch": "id, dest, made_dest, action, state, started_ns, finished_ns",
    "move": "batch, ordinal, source, target, number, copy, digest, size, mtime_ns, placed_mtime_ns, state, reason",
    "word": "a, b, same, said_ns",
}
"""What is carried over, with columns that every version since has had."""
_WORD = re.compile(rb"\x05\x4c\x4c([\x08\x09])\x06(.{32})(.{32})(.{8})", re.DOTALL)
"""A row of word as SQLite's record format writes it: two BLOBs of 32 bytes, 0 or 1, an integer of 8 bytes."""


class Rescued(NamedTuple):
    """What became of a damaged catalogue."""

    path: Path
    aside: Path
    """Where it lies now."""
    roots: int
    words: int
    placed: int
    batches: int

    def sentence(self) -> str:
        """For a person."""
        return (
            f"The catalogue {self.path} was damaged and is set aside as {self.aside.name}; a new one is built from "
            f"disk by hashindex scan, and from the old one were rescued: folders scanned {self.roots:,}, words of same "
            f"and separate {self.words:,}, pictures placed {self.placed:,}, batches of the history {self.batches:,}. "
            "No picture was touched."
        )


def set_aside(path: Path, wait_s: float) -> Rescued | None:
    """Renames a damaged catalogue to NAME.damaged-TIME and makes a new one with what could be rescued.

    None where it is sound after all: another process was quicker. Raises CatalogueLocked while a batch of organize
    lives. The other's write-ahead log goes along, so that nothing of the evidence is lost.
    """
    with held(path, wait_s):
        if _is_sound(path, wait_s):
            return None
        aside = _free_name(path)
        # The log goes first: a new file must never meet an old log.
        for end in ("-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                os.rename(f"{path}{end}", f"{aside}{end}")
        try:
            os.link(path, aside)
        except OSError:
            # No hard links here: for a moment there is no catalogue.
            os.rename(path, aside)
        rows = dict(_read(aside))
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"{aside}-shm")  # says nothing that the log does not
        counts = _make_anew(path, rows, wait_s)
    return Rescued(path, aside, counts["root"], counts["word"], counts["placed"], counts["batch"])


def _make_anew(path: Path, rows: dict[str, list[tuple[object, ...]]], wait_s: float) -> dict[str, int]:
    """A catalogue with these rows takes the damaged one's name when it is whole. Returns what is in it."""
    part = path.with_name(f"{path.name}.part")
    for end in ("", "-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"{part}{end}")
    with Catalogue(part, write=True, wait_s=wait_s) as fresh:
        _put(fresh, rows)
        counts = {table: fresh.connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in _TABLES}
    os.replace(part, path)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(f"{path}.suspect")
    return counts


def _is_sound(path: Path, wait_s: float) -> bool:
    try:
        with Catalogue(path, wait_s=wait_s) as catalogue:
            return condemned(path) is None and not catalogue.faults(1)
    except CatalogueDamaged:
        return False


def _free_name(path: Path) -> Path:
    name = f"{path.name}.damaged-{time.strftime('%Y%m%d-%H%M%S')}"
    names = (name, *(f"{name}-{number}" for number in range(2, 1000)))
    return next(free for each in names if not os.path.lexists(free := path.with_name(each)))


def _read(aside: Path) -> Iterator[tuple[str, list[tuple[object, ...]]]]:
    """The rows of each table that can still be read."""
    # Of an empty file SQLite would delete the log.
    uri = f"{aside.absolute().as_uri()}?mode=ro" if aside.stat().st_size else "file::memory:"
    connection = sqlite3.connect(uri, uri=True)
    with contextlib.closing(connection):
        for table, columns in _TABLES.items():
            rows = _rows(connection, table, columns)
            if table == "word" and rows is None:
                rows = list(_carved(aside))
            yield table, rows or []


def _rows(connection: sqlite3.Connection, table: str, columns: str) -> list[tuple[object, ...]] | None:
    """From both ends up to the page that is damaged; None where nothing at all can be asked."""
    found: dict[tuple[object, ...], None] = {}
    failed = 0
    for order in ("ASC", "DESC"):
        first = columns.split(", ", maxsplit=1)[0]
        rows: Iterator[tuple[object, ...]] = iter(())
        try:
            rows = connection.execute(f"SELECT {columns} FROM {table} ORDER BY {first} {order}")
            for row in rows:
                found[row] = None
            break
        except (sqlite3.Error, UnicodeDecodeError):
            failed += 1
    return None if failed == 2 and not found else list(found)


def _carved(aside: Path) -> Iterator[tuple[object, ...]]:
    """Rows of word found by their form in a file that SQLite cannot open any more."""
    for end in ("", "-wal"):
        with contextlib.suppress(OSError):
            data = Path(f"{aside}{end}").read_bytes()
            for same, a, b, said in _WORD.findall(data):
                said_ns = int.from_bytes(said, "big")
                # Ours are in order, and of this century.
                if a < b and 946_684_800 * 10**9 < said_ns < 4_102_444_800 * 10**9:
                    yield a, b, same == b"\x09", said_ns


def _put(fresh: Catalogue, rows: dict[str, list[tuple[object, ...]]]) -> None:
    """Row by row: one that is nonsense by now costs itself alone."""
    fresh.connection.execute("PRAGMA foreign_keys = OFF")
    with fresh.atomic(durable=True):
        for table, columns in _TABLES.items():
            marks = ", ".join("?" * (columns.count(",") + 1))
            insert = f"INSERT OR IGNORE INTO {table} ({columns}) VALUES ({marks})"
            if table == "word":
                insert = (
                    f"INSERT INTO word ({columns}) VALUES ({marks}) ON CONFLICT (a, b) DO UPDATE SET "
                    "same = excluded.same, said_ns = excluded.said_ns WHERE excluded.said_ns > said_ns"
                )
            for row in rows.get(table, []):
                with contextlib.suppress(sqlite3.IntegrityError, sqlite3.DataError):
                    fresh.connection.execute(insert, row)
        fresh.connection.execute("DELETE FROM placed WHERE destination NOT IN (SELECT id FROM destination)")
        fresh.connection.execute("DELETE FROM move WHERE batch NOT IN (SELECT id FROM batch)")
    fresh.connection.execute("PRAGMA foreign_keys = ON")
