"""The catalogue's tables, as a list of migrations that only grows; marks the file as ours and refuses others.

No queries here: those are catalogue.py's.
"""

import contextlib
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

from hashindex.core.errors import CatalogueForeign, CatalogueMissing
from hashindex.store.families import Families

APPLICATION_ID = 0x48494458
"""'HIDX' in SQLite's header: file(1) and every other program can tell whose file it is."""

# STRICT: a value of the wrong type is an error, not a surprise later. Paths, digests, hashes, devices and inodes
# are BLOBs: a name that is not UTF-8 cannot be TEXT, and 2**64 - 1 overflows INTEGER. Times are nanoseconds since
# 1970 in UTC. One list of steps a version, run one by one: executescript would commit silently.
Migration = tuple[str | Callable[[sqlite3.Connection], None], ...]


def _pack_hashes(connection: sqlite3.Connection) -> None:
    """From a row a hash to a row for 1,024 contents, see keys.py (whose constants may change; this may not)."""
    for recipe, bits in connection.execute("SELECT id, bits FROM recipe").fetchall():
        width = bits // 8
        segments: dict[int, tuple[bytearray, bytearray]] = {}
        rows = connection.execute(
            "SELECT content, value, pixels IS NULL FROM hash JOIN content ON content.id = content WHERE recipe = ?",
            (recipe,),
        )
        for content, value, searched in rows:
            segment, slot = divmod(content, 1024)
            states, keys = segments.setdefault(segment, (bytearray(1024), bytearray(1024 * width)))
            states[slot] = 1 if searched else 4
            keys[slot * width : (slot + 1) * width] = value
        connection.executemany(
            "INSERT INTO keys (recipe, segment, states, keys) VALUES (?, ?, ?, ?)",
            ((recipe, segment, *packed) for segment, packed in sorted(segments.items())),
        )


def _settle_families(connection: sqlite3.Connection) -> None:
    Families(connection).refresh_everything()


MIGRATIONS: tuple[Migration, ...] = (
    (
        """CREATE TABLE root (
            id INTEGER PRIMARY KEY,
            path BLOB NOT NULL UNIQUE,
            device BLOB NOT NULL,
            scanned_ns INTEGER,
            problem TEXT
        ) STRICT""",
        """CREATE TABLE folder (
            id INTEGER PRIMARY KEY,
            path BLOB NOT NULL UNIQUE,
            problem TEXT
        ) STRICT""",
        # What made a content's row: a changed maker says which contents to decode again.
        """CREATE TABLE maker (
            id INTEGER PRIMARY KEY,
            decoder TEXT NOT NULL,
            recipes TEXT NOT NULL,
            UNIQUE (decoder, recipes)
        ) STRICT""",
        """CREATE TABLE content (
            id INTEGER PRIMARY KEY,
            digest BLOB NOT NULL UNIQUE,
            size INTEGER NOT NULL,
            format TEXT NOT NULL,
            width INTEGER NOT NULL,
            height INTEGER NOT NULL,
            frames INTEGER NOT NULL,
            duration_ms INTEGER NOT NULL,
            detail INTEGER NOT NULL,
            pixels BLOB,
            problem TEXT,
            maker INTEGER NOT NULL REFERENCES maker (id)
        ) STRICT""",
        # A new file is compared with the contents of its size only, so only those digests travel to a worker.
        "CREATE INDEX content_size ON content (size)",
        "CREATE INDEX content_problem ON content (id) WHERE problem IS NOT NULL",
        # Keyed by folder and name without a rowid: a rescan reads one folder's rows from neighbouring pages.
        """CREATE TABLE file (
            folder INTEGER NOT NULL REFERENCES folder (id),
            name BLOB NOT NULL,
            size INTEGER NOT NULL,
            mtime_ns INTEGER NOT NULL,
            device BLOB NOT NULL,
            inode BLOB NOT NULL,
            content INTEGER REFERENCES content (id),
            problem TEXT,
            retry INTEGER NOT NULL,
            looked_ns INTEGER NOT NULL,
            first_seen_ns INTEGER NOT NULL,
            last_seen_ns INTEGER NOT NULL,
            missing INTEGER NOT NULL,
            PRIMARY KEY (folder, name)
        ) STRICT, WITHOUT ROWID""",
        "CREATE INDEX file_content ON file (content) WHERE content IS NOT NULL",
        "CREATE INDEX file_problem ON file (folder) WHERE problem IS NOT NULL",
        """CREATE TABLE recipe (
            id INTEGER PRIMARY KEY,
            name TEXT NOT NULL,
            bits INTEGER NOT NULL,
            version INTEGER NOT NULL,
            UNIQUE (name, version)
        ) STRICT""",
        # Recipe first: a search reads the keys of one recipe and nothing else.
        """CREATE TABLE hash (
            recipe INTEGER NOT NULL REFERENCES recipe (id),
            content INTEGER NOT NULL REFERENCES content (id),
            value BLOB NOT NULL,
            PRIMARY KEY (recipe, content)
        ) STRICT, WITHOUT ROWID""",
    ),
    # Organize: where it puts pictures, what it put there, and the journal.
    (
        "CREATE TABLE destination (id INTEGER PRIMARY KEY, path BLOB NOT NULL UNIQUE) STRICT",
        # The destination that a folder is or lies in: its files answer queries and are in no group.
        "ALTER TABLE folder ADD COLUMN destination INTEGER REFERENCES destination (id)",
        # By digest, not by content: what was placed stays known when its content is forgotten, or was never read.
        """CREATE TABLE placed (
            destination INTEGER NOT NULL REFERENCES destination (id),
            number INTEGER NOT NULL,
            copy INTEGER NOT NULL,
            name BLOB NOT NULL,
            digest BLOB NOT NULL,
            PRIMARY KEY (destination, number, copy)
        ) STRICT, WITHOUT ROWID""",
        "CREATE INDEX placed_digest ON placed (digest)",
        """CREATE TABLE batch (
            id INTEGER PRIMARY KEY,
            dest BLOB NOT NULL,
            made_dest INTEGER NOT NULL,
            action TEXT NOT NULL,
            state TEXT NOT NULL,
            started_ns INTEGER NOT NULL,
            finished_ns INTEGER
        ) STRICT""",
        """CREATE TABLE move (
            batch INTEGER NOT NULL REFERENCES batch (id),
            ordinal INTEGER NOT NULL,
            source BLOB NOT NULL,
            target BLOB NOT NULL,
            number INTEGER NOT NULL,
            copy INTEGER NOT NULL,
            digest BLOB NOT NULL,
            size INTEGER NOT NULL,
            mtime_ns INTEGER NOT NULL,
            placed_mtime_ns INTEGER,
            state TEXT NOT NULL,
            reason TEXT,
            PRIMARY KEY (batch, ordinal)
        ) STRICT, WITHOUT ROWID""",
    ),
    # Hashes packed, and who is near whom. With a rowid: only such rows can be written in place.
    (
        "ALTER TABLE recipe ADD COLUMN generation INTEGER NOT NULL DEFAULT 0",
        """CREATE TABLE keys (
            id INTEGER PRIMARY KEY,
            recipe INTEGER NOT NULL REFERENCES recipe (id),
            segment INTEGER NOT NULL,
            states BLOB NOT NULL,
            keys BLOB NOT NULL,
            UNIQUE (recipe, segment)
        ) STRICT""",
        _pack_hashes,
        "DROP TABLE hash",
        """CREATE TABLE twin (
            recipe INTEGER NOT NULL REFERENCES recipe (id),
            content INTEGER NOT NULL,
            leader INTEGER NOT NULL,
            PRIMARY KEY (recipe, content)
        ) STRICT, WITHOUT ROWID""",
        "CREATE INDEX twin_leader ON twin (recipe, leader)",
        """CREATE TABLE pair (
            recipe INTEGER NOT NULL REFERENCES recipe (id),
            a INTEGER NOT NULL,
            b INTEGER NOT NULL,
            distance INTEGER NOT NULL,
            PRIMARY KEY (recipe, a, b)
        ) STRICT, WITHOUT ROWID""",
        "CREATE INDEX pair_b ON pair (recipe, b)",
        "CREATE INDEX content_pixels ON content (pixels) WHERE pixels IS NOT NULL",
    ),
    # The second stage: what contents are compared by, what came out, and what a person said. Signatures lie apart, so
    # that reading all keys does not read them too.
    (
        """CREATE TABLE look (
            content INTEGER PRIMARY KEY,
            version INTEGER NOT NULL,
            compared INTEGER NOT NULL,
            keys BLOB NOT NULL
        ) STRICT""",
        "CREATE INDEX look_fresh ON look (content) WHERE NOT compared & 1",
        "CREATE TABLE signature (content INTEGER PRIMARY KEY, bytes BLOB NOT NULL) STRICT",
        # compared: a bit for each turn in which it was compared with all others.
        # judge: which one it was; NULL for a pair that is worth a judgement and has none.
        """CREATE TABLE likeness (
            a INTEGER NOT NULL,
            b INTEGER NOT NULL,
            turn INTEGER NOT NULL,
            bits INTEGER,
            judge INTEGER,
            relation INTEGER,
            copy REAL,
            similar REAL,
            by_pixels INTEGER,
            PRIMARY KEY (a, b, turn)
        ) STRICT, WITHOUT ROWID""",
        "CREATE INDEX likeness_b ON likeness (b)",
        "CREATE INDEX likeness_alike ON likeness (relation) WHERE relation > 0",
        "CREATE INDEX likeness_open ON likeness (turn) WHERE judge IS NULL",
        # By digest, not by content: a person's word outlives every row.
        """CREATE TABLE word (
            a BLOB NOT NULL,
            b BLOB NOT NULL,
            same INTEGER NOT NULL,
            said_ns INTEGER NOT NULL,
            PRIMARY KEY (a, b)
        ) STRICT, WITHOUT ROWID""",
    ),
    # One picture in several sizes, see families.py. No reference: drop_orphans would look through every file.
    (
        "ALTER TABLE file ADD COLUMN better INTEGER",
        "CREATE INDEX file_better ON file (better, content) WHERE better IS NOT NULL",
        # Holds all that decides whether a content is shown: a million contents are asked about without their rows.
        "DROP INDEX file_content",
        "CREATE INDEX file_content ON file (content, better, missing) WHERE content IS NOT NULL",
        _settle_families,
        # WeChat's masked pictures were not pictures before: the next scan reads them.
        "DELETE FROM file WHERE content IS NULL AND problem IS NULL AND substr(name, -4) IN (x'2E646174', x'2E444154')",
    ),
    # For a million pictures: questions that every command asks are answered without reading all looks or all verdicts.
    (
        # Every judge of which there may be verdicts.
        "CREATE TABLE judge (version INTEGER PRIMARY KEY) STRICT",
        "INSERT INTO judge (version) SELECT DISTINCT judge FROM likeness WHERE judge IS NOT NULL",
        "DROP INDEX look_fresh",
        "CREATE INDEX look_fresh ON look (version) WHERE NOT compared & 1",
        "CREATE INDEX look_compared ON look (compared, version)",
        "DROP INDEX likeness_alike",
        "CREATE INDEX likeness_alike ON likeness (relation, judge) WHERE relation > 0",
    ),
    # ctime tells bytes that changed under the same size and mtime. NULL, of rows that were written before and on
    # Windows: not known, and not compared.
    # AUTOINCREMENT: the number of a content or folder that is gone is given to no other one. Another process may hold
    # it still, and would write of one picture what it found out about another.
    (
        "ALTER TABLE file ADD COLUMN ctime_ns INTEGER",
        """CREATE TABLE new_content (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            digest BLOB NOT NULL UNIQUE,
            size INTEGER NOT NULL,
            format TEXT NOT NULL,
            width INTEGER NOT NULL,
            height INTEGER NOT NULL,
            frames INTEGER NOT NULL,
            duration_ms INTEGER NOT NULL,
            detail INTEGER NOT NULL,
            pixels BLOB,
            problem TEXT,
            maker INTEGER NOT NULL REFERENCES maker (id)
        ) STRICT""",
        "INSERT INTO new_content SELECT id, digest, size, format, width, height, frames, duration_ms, detail, pixels, "
        "problem, maker FROM content ORDER BY id",
        "DROP TABLE content",
        "ALTER TABLE new_content RENAME TO content",
        "CREATE INDEX content_size ON content (size)",
        "CREATE INDEX content_problem ON content (id) WHERE problem IS NOT NULL",
        "CREATE INDEX content_pixels ON content (pixels) WHERE pixels IS NOT NULL",
        """CREATE TABLE new_folder (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            path BLOB NOT NULL UNIQUE,
            problem TEXT,
            destination INTEGER REFERENCES destination (id)
        ) STRICT""",
        "INSERT INTO new_folder SELECT id, path, problem, destination FROM folder ORDER BY id",
        "DROP TABLE folder",
        "ALTER TABLE new_folder RENAME TO folder",
    ),
    # Which copy of each group is the best, see keeping.py: where a content stands among the others, and why.
    (
        """CREATE TABLE standing (
            content INTEGER PRIMARY KEY,
            version INTEGER NOT NULL,
            among BLOB NOT NULL,
            rank INTEGER NOT NULL,
            faults TEXT NOT NULL,
            doubt TEXT
        ) STRICT""",
    ),
    (
        # side: the longest side in pixels at which two were compared. objection: why two that look like copies when
        # they are small are none, see model.Objection.
        "ALTER TABLE likeness ADD COLUMN side INTEGER",
        "ALTER TABLE likeness ADD COLUMN objection TEXT",
    ),
)


def prepare(connection: sqlite3.Connection, path: Path) -> None:
    """Makes an empty database a catalogue, or brings an older catalogue up to date, in one transaction.

    A backup of an older catalogue is written beside it first, as NAME.v1.bak. Raises CatalogueForeign.
    """
    if _is_empty(connection):
        connection.execute("PRAGMA journal_mode = WAL")
    elif check(connection, path) == len(MIGRATIONS):
        return
    else:
        _back_up(connection, path)
    # Off, or a table could not be made anew while others refer to it; what comes out is looked through below.
    connection.execute("PRAGMA foreign_keys = OFF")
    connection.execute("BEGIN IMMEDIATE")
    try:
        # Asked again under the lock: two first runs may have met here.
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        for steps in MIGRATIONS[version:]:
            for step in steps:
                if isinstance(step, str):
                    connection.execute(step)
                else:
                    step(connection)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
        lost = connection.execute("PRAGMA foreign_key_check").fetchone()
        if lost is not None:
            damage = sqlite3.DatabaseError(f"a row of {lost[0]} refers to a row of {lost[2]} that is not there")
            damage.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
            raise damage
        connection.execute("COMMIT")
    except BaseException:
        # A full disk rolls back by itself.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    finally:
        connection.execute("PRAGMA foreign_keys = ON")


def check(connection: sqlite3.Connection, path: Path) -> int:
    """The version of the catalogue. Raises CatalogueForeign if it is none, or one of a newer hashindex."""
    if connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        if _is_empty(connection):
            # Another process is making it at this moment.
            raise CatalogueMissing(f"There is no catalogue at {path} yet; run: hashindex scan FOLDER")
        raise CatalogueForeign(
            f"{path} is not a hashindex catalogue; name another file with --catalogue, it is left as it is."
        )
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > len(MIGRATIONS):
        raise CatalogueForeign(
            f"The catalogue {path} was written by a newer hashindex (its version is {version}, this program knows "
            f"{len(MIGRATIONS)}); upgrade hashindex, or name another file with --catalogue."
        )
    return version


def was_ours(path: Path) -> bool:
    """Whether a file that SQLite cannot read any more was a catalogue: by what is left of its header or its tables."""
    with path.open("rb") as file:
        start = file.read(2**20)
    header = start.startswith(b"SQLite format 3\0")
    marked = header and start[68:72] == APPLICATION_ID.to_bytes(4, "big")
    cut_off = header and len(start) < 512
    return marked or cut_off or b"CREATE TABLE placed (" in start


def _is_empty(connection: sqlite3.Connection) -> bool:
    return not connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]


def _back_up(connection: sqlite3.Connection, path: Path) -> None:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    copy = path.with_name(f"{path.name}.v{version}.bak")
    unfinished = copy.with_name(f"{copy.name}.part")
    with contextlib.suppress(FileNotFoundError):
        os.unlink(unfinished)
    # The owner's alone, as the catalogue is.
    os.close(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    target = sqlite3.connect(unfinished)
    try:
        connection.backup(target)
    finally:
        target.close()
    os.replace(unfinished, copy)
