"""Sets an unusable catalogue aside, never overwrites it, and carries over to a new one what no scan can find again.

That is: the user's decisions and tags, the roots, the numbers of placed pictures, the journal, and the words that were
read, because reading takes long. The next scan finds everything else. An unusable catalogue is damaged, or has a schema
from before the first release. No picture is touched.
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
from hashindex.core.language import Message
from hashindex.disk.lock import held
from hashindex.store.catalogue import Catalogue
from hashindex.store.database import reported_fault
from hashindex.store.schema import CatalogueOutdated

_TABLES = {
    "root": "path, device",
    "destination": "id, path",
    "placed": "destination, number, copy, name, digest",
    "batch": "id, command, dest, made_dest, action, state, started_ns, finished_ns",
    "move": "batch, ordinal, action, source, target, number, copy, digest, size, mtime_ns, placed_mtime_ns, state, "
    "reason",
    "made_folder": "batch, path",
    "decision": "a, b, same, decided_ns",
    "keeper": "digest, path, over, decided_ns",
    "reviewed": "level, digest, review, files, decision",
    "tag": "digest, name, given, decided_ns",
    "picture_text": "id, digest, reader, problem, lines",
    "text_line": "picture, position, text, confidence, frame, x, y, width, height",
}
"""What is carried over."""
_BEFORE_RELEASE = {
    "decision": ("word", "a, b, same, said_ns"),
    "batch": ("batch", "id, 'organize', dest, made_dest, action, state, started_ns, finished_ns"),
    "move": (
        "move",
        "batch, ordinal, (SELECT action FROM batch WHERE id = batch), source, target, number, copy, digest, size, "
        "mtime_ns, placed_mtime_ns, state, reason",
    ),
}
"""Tables and columns before the first release, if they differ."""
_DECISION = re.compile(rb"\x05\x4c\x4c([\x08\x09])\x06(.{32})(.{32})(.{8})", re.DOTALL)
"""A row of decision in SQLite's record format: two BLOBs of 32 bytes, 0 or 1, an integer of 8 bytes."""


class Rescued(NamedTuple):
    """What became of an unusable catalogue."""

    path: Path
    aside: Path
    """Its new path."""
    is_old: bool
    """It has a schema from before the first release."""
    roots: int
    decisions: int
    placed: int
    batches: int
    tags: int
    read: int
    """Pictures whose words were read."""

    def sentence(self) -> str:
        aside = (
            Message(
                "The catalogue {path} was written before the first release and is set aside as {name}; hashindex scan "
                "builds a new one from your folders.",
                path=self.path,
                name=self.aside.name,
            )
            if self.is_old
            else Message(
                "The catalogue {path} was damaged and is set aside as {name}; hashindex scan builds a new one from "
                "your folders.",
                path=self.path,
                name=self.aside.name,
            )
        )
        return Message(
            "{aside} Carried over from the old one: scanned folders {roots:,}, decisions of same and separate "
            "{decisions:,}, placed pictures {placed:,}, batches of the history {batches:,}, tags {tags:,}, pictures "
            "whose words were read {read:,}. No picture was touched.",
            aside=aside,
            roots=self.roots,
            decisions=self.decisions,
            placed=self.placed,
            batches=self.batches,
            tags=self.tags,
            read=self.read,
        )


def set_aside(path: Path, wait_s: float) -> Rescued | None:
    """Renames an unusable catalogue to NAME.damaged-TIME or NAME.old-TIME, and makes a new one with what it can rescue.

    Returns None if the catalogue is usable, because another process has done this already. Raises CatalogueLocked
    while a batch of organize runs. The write-ahead log is renamed too, so that nothing is lost.
    """
    with held(path, wait_s):
        unusable = _why_unusable(path, wait_s)
        if unusable is None:
            return None
        is_old = isinstance(unusable, CatalogueOutdated)
        aside = _free_name(path, "old" if is_old else "damaged")
        # The log goes first: a new file must never meet an old log.
        for end in ("-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                os.rename(f"{path}{end}", f"{aside}{end}")
        try:
            os.link(path, aside)
        except OSError:
            # Without hard links there is no catalogue for a moment.
            os.rename(path, aside)
        rows = dict(_read(aside))
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"{aside}-shm")  # only an index of the log
        counts = _make_anew(path, rows, wait_s)
    return Rescued(
        path,
        aside,
        is_old,
        roots=counts["root"],
        decisions=counts["decision"],
        placed=counts["placed"],
        batches=counts["batch"],
        tags=counts["tag"],
        read=counts["picture_text"],
    )


def _make_anew(path: Path, rows: dict[str, list[tuple[object, ...]]], wait_s: float) -> dict[str, int]:
    """Makes a catalogue with these rows, then gives it the name of the old one. Returns the rows of each table."""
    part = path.with_name(f"{path.name}.part")
    for end in ("", "-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"{part}{end}")
    with Catalogue(part, write=True, wait_s=wait_s) as new:
        _put(new, rows)
        counts = {table: new.connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in _TABLES}
    os.replace(part, path)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(f"{path}.suspect")
    return counts


def _why_unusable(path: Path, wait_s: float) -> CatalogueDamaged | None:
    try:
        with Catalogue(path, wait_s=wait_s) as catalogue:
            found = [reported_fault(path), *catalogue.faults(1)]
            return CatalogueDamaged(next(filter(None, found))) if any(found) else None
    except CatalogueDamaged as error:
        return error


def _free_name(path: Path, why: str) -> Path:
    name = f"{path.name}.{why}-{time.strftime('%Y%m%d-%H%M%S')}"
    names = (name, *(f"{name}-{number}" for number in range(2, 1000)))
    return next(free for each in names if not os.path.lexists(free := path.with_name(each)))


def _read(aside: Path) -> Iterator[tuple[str, list[tuple[object, ...]]]]:
    """The rows of each table that can still be read."""
    # SQLite would delete the log of an empty file.
    uri = f"{aside.absolute().as_uri()}?mode=ro" if aside.stat().st_size else "file::memory:"
    connection = sqlite3.connect(uri, uri=True)
    with contextlib.closing(connection):
        for table, columns in _TABLES.items():
            rows = _rows(connection, table, columns)
            if rows is None and table in _BEFORE_RELEASE:
                rows = _rows(connection, *_BEFORE_RELEASE[table])
            if rows is None and table == "decision":
                rows = list(_carved(aside))
            yield table, rows or []


def _rows(connection: sqlite3.Connection, table: str, columns: str) -> list[tuple[object, ...]] | None:
    """The rows from both ends up to a damaged page; None if nothing can be read."""
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
    """Rows of decision, found by their format in a file that SQLite can no longer open."""
    for end in ("", "-wal"):
        with contextlib.suppress(OSError):
            data = Path(f"{aside}{end}").read_bytes()
            for same, a, b, decided in _DECISION.findall(data):
                decided_ns = int.from_bytes(decided, "big")
                # Digests are in order, and the time is in this century.
                if a < b and 946_684_800 * 10**9 < decided_ns < 4_102_444_800 * 10**9:
                    yield a, b, same == b"\x09", decided_ns


def _put(new: Catalogue, rows: dict[str, list[tuple[object, ...]]]) -> None:
    """Row by row, so that a row that makes no sense is left out alone."""
    new.connection.execute("PRAGMA foreign_keys = OFF")
    with new.atomic(durable=True):
        for table, columns in _TABLES.items():
            marks = ", ".join("?" * (columns.count(",") + 1))
            insert = f"INSERT OR IGNORE INTO {table} ({columns}) VALUES ({marks})"
            if table == "decision":
                insert = (
                    f"INSERT INTO decision ({columns}) VALUES ({marks}) ON CONFLICT (a, b) DO UPDATE SET "
                    "same = excluded.same, decided_ns = excluded.decided_ns WHERE excluded.decided_ns > decided_ns"
                )
            for row in rows.get(table, []):
                with contextlib.suppress(sqlite3.IntegrityError, sqlite3.DataError):
                    new.connection.execute(insert, row)
        new.connection.execute("DELETE FROM placed WHERE destination NOT IN (SELECT id FROM destination)")
        for table in ("move", "made_folder"):
            new.connection.execute(f"DELETE FROM {table} WHERE batch NOT IN (SELECT id FROM batch)")
        # A picture that lost lines is read again.
        new.connection.execute(
            "DELETE FROM picture_text WHERE lines != (SELECT count(*) FROM text_line WHERE picture = id)"
        )
        new.connection.execute("DELETE FROM text_line WHERE picture NOT IN (SELECT id FROM picture_text)")
    new.connection.execute("PRAGMA foreign_keys = ON")
