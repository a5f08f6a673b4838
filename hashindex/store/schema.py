"""The tables of the catalogue: how they are made, migrated and recognised. Runs no queries on their rows."""

import contextlib
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

from hashindex.core.errors import CatalogueDamaged, CatalogueForeign, CatalogueMissing
from hashindex.core.language import Message

APPLICATION_ID = 0x48494458
"""'HIDX' in SQLite's header: file(1) and other programs can tell whose file it is."""
FIRST_VERSION = 103
"""user_version of a catalogue with TABLES and no migration. Lower ones were schemas before the first release."""

Migration = tuple[str | Callable[[sqlite3.Connection], None], ...]
"""Statements and functions that bring a catalogue from one version to the next."""

# STRICT: a value of the wrong type is an error at once. Paths, digests, hashes, devices and inodes are BLOBs: a name
# that is not UTF-8 cannot be TEXT, and 2**64 - 1 overflows INTEGER. Times are nanoseconds since 1970 in UTC.
TABLES = (
    # Files
    """CREATE TABLE root (
        id INTEGER PRIMARY KEY,
        path BLOB NOT NULL UNIQUE,
        device BLOB NOT NULL,
        scanned_ns INTEGER,
        problem TEXT
    ) STRICT""",
    "CREATE TABLE destination (id INTEGER PRIMARY KEY, path BLOB NOT NULL UNIQUE) STRICT",
    # destination: the destination that the folder is or lies in. Its files answer queries and are in no group.
    # AUTOINCREMENT, here and in content: an id is never given twice. Another process may still hold the id of a deleted
    # row, and would write its results to the new row.
    """CREATE TABLE folder (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        path BLOB NOT NULL UNIQUE,
        problem TEXT,
        destination INTEGER REFERENCES destination (id)
    ) STRICT""",
    # The versions that made a content's row: they tell which contents to decode again.
    """CREATE TABLE pipeline (
        id INTEGER PRIMARY KEY,
        decoder TEXT NOT NULL,
        recipes TEXT NOT NULL,
        UNIQUE (decoder, recipes)
    ) STRICT""",
    """CREATE TABLE content (
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
        pipeline INTEGER NOT NULL REFERENCES pipeline (id)
    ) STRICT""",
    # A new file is compared with the contents of its size only, so only those digests travel to a worker.
    "CREATE INDEX content_size ON content (size)",
    "CREATE INDEX content_problem ON content (id) WHERE problem IS NOT NULL",
    "CREATE INDEX content_pixels ON content (pixels) WHERE pixels IS NOT NULL",
    # The key is folder and name, without a rowid: a rescan reads the rows of one folder from neighbouring pages.
    # ctime_ns: NULL on Windows. superseded_by: the content that replaces this rendition, see families.py. It is no
    # reference, because drop_orphans would then search all files.
    """CREATE TABLE file (
        folder INTEGER NOT NULL REFERENCES folder (id),
        name BLOB NOT NULL,
        size INTEGER NOT NULL,
        mtime_ns INTEGER NOT NULL,
        ctime_ns INTEGER,
        device BLOB NOT NULL,
        inode BLOB NOT NULL,
        content INTEGER REFERENCES content (id),
        problem TEXT,
        retry INTEGER NOT NULL,
        looked_ns INTEGER NOT NULL,
        first_seen_ns INTEGER NOT NULL,
        last_seen_ns INTEGER NOT NULL,
        missing INTEGER NOT NULL,
        superseded_by INTEGER,
        PRIMARY KEY (folder, name)
    ) STRICT, WITHOUT ROWID""",
    # Holds all that decides whether a content is shown, so that a question about a million contents reads no rows.
    "CREATE INDEX file_content ON file (content, superseded_by, missing) WHERE content IS NOT NULL",
    "CREATE INDEX file_problem ON file (folder) WHERE problem IS NOT NULL",
    "CREATE INDEX file_superseded ON file (superseded_by, content) WHERE superseded_by IS NOT NULL",
    # Hashes
    """CREATE TABLE recipe (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL,
        bits INTEGER NOT NULL,
        version INTEGER NOT NULL,
        generation INTEGER NOT NULL DEFAULT 0,
        UNIQUE (name, version)
    ) STRICT""",
    # The keys of 1,024 contents, see hashes.py. With a rowid: blob I/O needs one.
    """CREATE TABLE hash_segment (
        id INTEGER PRIMARY KEY,
        recipe INTEGER NOT NULL REFERENCES recipe (id),
        segment INTEGER NOT NULL,
        states BLOB NOT NULL,
        keys BLOB NOT NULL,
        UNIQUE (recipe, segment)
    ) STRICT""",
    # The judge
    # compared: one bit for each turn in which the content was compared with all others.
    """CREATE TABLE compare_keys (
        content INTEGER PRIMARY KEY,
        version INTEGER NOT NULL,
        compared INTEGER NOT NULL,
        keys BLOB NOT NULL
    ) STRICT""",
    "CREATE INDEX compare_keys_fresh ON compare_keys (version) WHERE NOT compared & 1",
    "CREATE INDEX compare_keys_compared ON compare_keys (compared, version)",
    # A table of its own, so that reading all keys does not read the signatures too.
    "CREATE TABLE signature (content INTEGER PRIMARY KEY, bytes BLOB NOT NULL) STRICT",
    # judge: the version of the judge; NULL for a candidate without a verdict. ruled_out: 1 for a candidate that the
    # prefilter has ruled out as copies; it is judged when variants are wanted.
    # side: the longest side in pixels at which two were compared. objection: see core Objection.
    """CREATE TABLE judged_pair (
        a INTEGER NOT NULL,
        b INTEGER NOT NULL,
        turn INTEGER NOT NULL,
        bits INTEGER,
        ruled_out INTEGER NOT NULL DEFAULT 0,
        judge INTEGER,
        relation INTEGER,
        copy REAL,
        similar REAL,
        by_pixels INTEGER,
        side INTEGER,
        objection TEXT,
        PRIMARY KEY (a, b, turn)
    ) STRICT, WITHOUT ROWID""",
    "CREATE INDEX judged_pair_b ON judged_pair (b)",
    "CREATE INDEX judged_pair_alike ON judged_pair (relation, judge) WHERE relation > 0",
    "CREATE INDEX judged_pair_open ON judged_pair (turn, ruled_out) WHERE judge IS NULL",
    # The best copy of each group, see index/keeping.py: the rank of a content among the others, and why.
    """CREATE TABLE standing (
        content INTEGER PRIMARY KEY,
        version INTEGER NOT NULL,
        among BLOB NOT NULL,
        rank INTEGER NOT NULL,
        faults TEXT NOT NULL,
        doubt TEXT
    ) STRICT""",
    # Every version of the judge that verdicts may be from.
    "CREATE TABLE judge (version INTEGER PRIMARY KEY) STRICT",
    # By digest, not by content: a user's decision outlives every row.
    """CREATE TABLE decision (
        a BLOB NOT NULL,
        b BLOB NOT NULL,
        same INTEGER NOT NULL,
        decided_ns INTEGER NOT NULL,
        PRIMARY KEY (a, b)
    ) STRICT, WITHOUT ROWID""",
    # Organize
    # By digest, not by content: a placed picture stays known after its content is forgotten.
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
        command TEXT NOT NULL,
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
        action TEXT NOT NULL,
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
    # Folders below a destination that organize made: undo removes them when they are empty, and no others.
    """CREATE TABLE made_folder (
        batch INTEGER NOT NULL REFERENCES batch (id),
        path BLOB NOT NULL,
        PRIMARY KEY (batch, path)
    ) STRICT, WITHOUT ROWID""",
)

_WORDS: Migration = (
    # What a reader (OCR) recognised in a content. By digest: a catalogue that is built anew takes it over. reader: its
    # name and version. lines: the count of rows of text_line, by which a loss is noticed.
    """CREATE TABLE picture_text (
        id INTEGER PRIMARY KEY,
        digest BLOB NOT NULL UNIQUE,
        reader TEXT NOT NULL,
        problem TEXT,
        lines INTEGER NOT NULL
    ) STRICT""",
    # position: reading order. x, y, width, height: the box as fractions of the picture. See core TextLine.
    """CREATE TABLE text_line (
        picture INTEGER NOT NULL REFERENCES picture_text (id) ON DELETE CASCADE,
        position INTEGER NOT NULL,
        text TEXT NOT NULL,
        confidence REAL NOT NULL,
        frame INTEGER NOT NULL,
        x REAL NOT NULL,
        y REAL NOT NULL,
        width REAL NOT NULL,
        height REAL NOT NULL,
        PRIMARY KEY (picture, position)
    ) STRICT, WITHOUT ROWID""",
    # given: 0 if the user took the tag away; the row stays, so that no rule gives it again. decided_ns: 0 if a rule
    # gave it.
    """CREATE TABLE tag (
        digest BLOB NOT NULL,
        name TEXT NOT NULL,
        given INTEGER NOT NULL,
        decided_ns INTEGER NOT NULL,
        PRIMARY KEY (digest, name)
    ) STRICT, WITHOUT ROWID""",
    "CREATE INDEX tag_name ON tag (name)",
    # What `hashindex find` searches, folded, see word_index.py; and the contents for which it must be made anew. The
    # triggers add these, so that no change of a file, a tag or a line can be overlooked.
    """CREATE TABLE search_text (
        content INTEGER PRIMARY KEY,
        words TEXT NOT NULL,
        uncertain TEXT NOT NULL,
        tags TEXT NOT NULL,
        names TEXT NOT NULL
    ) STRICT""",
    "CREATE TABLE unindexed_content (content INTEGER PRIMARY KEY) STRICT",
    *(
        # Not OR IGNORE: the statement that fires a trigger decides what its conflicts do.
        f"CREATE TRIGGER unindexed_{name} AFTER {event} BEGIN INSERT INTO unindexed_content "
        f"SELECT id FROM ({contents}) WHERE id IS NOT NULL AND id NOT IN unindexed_content; END"
        for name, event, contents in (
            ("new_file", "INSERT ON file", "SELECT new.content AS id"),
            ("old_file", "DELETE ON file", "SELECT old.content AS id"),
            (
                "changed_file",
                "UPDATE OF name, content ON file WHEN new.name != old.name OR new.content IS NOT old.content",
                "SELECT old.content AS id UNION SELECT new.content",
            ),
            ("old_content", "DELETE ON content", "SELECT old.id AS id"),
            ("new_tag", "INSERT ON tag", "SELECT id FROM content WHERE digest = new.digest"),
            ("changed_tag", "UPDATE ON tag", "SELECT id FROM content WHERE digest = new.digest"),
            ("old_tag", "DELETE ON tag", "SELECT id FROM content WHERE digest = old.digest"),
            ("new_text", "INSERT ON picture_text", "SELECT id FROM content WHERE digest = new.digest"),
            ("old_text", "DELETE ON picture_text", "SELECT id FROM content WHERE digest = old.digest"),
        )
    ),
    "INSERT INTO unindexed_content SELECT id FROM content",
)
"""Words of pictures, see words.py and word_index.py."""

MIGRATIONS: tuple[Migration, ...] = (
    (
        # By digest, as decision. over: the digests of the pictures that it was chosen over, one after the other.
        """CREATE TABLE keeper (
            digest BLOB PRIMARY KEY,
            path BLOB NOT NULL,
            over BLOB NOT NULL,
            decided_ns INTEGER NOT NULL
        ) STRICT""",
        # The contents of one reviewed group share its review. files: how many present files the content had then.
        """CREATE TABLE reviewed (
            level TEXT NOT NULL,
            digest BLOB NOT NULL,
            review INTEGER NOT NULL,
            files INTEGER NOT NULL,
            decision TEXT NOT NULL,
            PRIMARY KEY (level, digest)
        ) STRICT, WITHOUT ROWID""",
    ),
    _WORDS,
)
"""Changes of TABLES since the first release. A release appends to it and never edits it."""


class CatalogueOutdated(CatalogueDamaged):
    """The catalogue has a schema from before the first release. It is set aside and built anew like a damaged one."""


def latest_version() -> int:
    """user_version of a new catalogue."""
    return FIRST_VERSION + len(MIGRATIONS)


def prepare(connection: sqlite3.Connection, path: Path) -> None:
    """Makes the tables in an empty database, or migrates an older catalogue, in one transaction.

    An older catalogue is first copied to NAME.vVERSION.bak. Raises CatalogueForeign, CatalogueOutdated.
    """
    if _is_empty(connection):
        connection.execute("PRAGMA journal_mode = WAL")
    elif check(connection, path) == latest_version():
        return
    else:
        _back_up(connection, path)
    # Off, or a migration could not replace a table that others refer to; foreign_key_check below checks the result.
    connection.execute("PRAGMA foreign_keys = OFF")
    connection.execute("BEGIN IMMEDIATE")
    try:
        # Read again under the lock: another process may have prepared the file meanwhile.
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        missing = MIGRATIONS[version - FIRST_VERSION :] if version else (TABLES, *MIGRATIONS)
        # One by one: executescript would commit.
        for step in (step for steps in missing for step in steps):
            if isinstance(step, str):
                connection.execute(step)
            else:
                step(connection)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {latest_version()}")
        lost = connection.execute("PRAGMA foreign_key_check").fetchone()
        if lost is not None:
            damage = sqlite3.DatabaseError(
                Message("a row of {table} refers to a missing row of {parent}", table=lost[0], parent=lost[2])
            )
            damage.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
            raise damage
        connection.execute("COMMIT")
    except BaseException:
        # SQLite itself rolls back when the disk is full.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    finally:
        connection.execute("PRAGMA foreign_keys = ON")


def check(connection: sqlite3.Connection, path: Path) -> int:
    """Returns the version of the catalogue.

    Raises CatalogueForeign if the file is no catalogue or one of a newer hashindex, CatalogueOutdated, and
    CatalogueMissing if the database is empty.
    """
    if connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        if _is_empty(connection):
            # Another process is making it at this moment.
            raise CatalogueMissing(
                Message("There is no catalogue at {path} yet; run: hashindex scan FOLDER", path=path)
            )
        raise CatalogueForeign(
            Message(
                "{path} is not a hashindex catalogue; name another file with --catalogue, it is left as it is.",
                path=path,
            )
        )
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > latest_version():
        raise CatalogueForeign(
            Message(
                "The catalogue {path} was written by a newer hashindex (its version is {version}, this program "
                "knows {latest}); upgrade hashindex, or name another file with --catalogue.",
                path=path,
                version=version,
                latest=latest_version(),
            )
        )
    if version < FIRST_VERSION:
        raise CatalogueOutdated(
            Message(
                "The catalogue {path} was written by a hashindex from before the first release; run: hashindex "
                "scan. It sets the file aside, builds a new one from your folders and keeps your decisions and "
                "what was placed. No picture is touched.",
                path=path,
            )
        )
    return version


def was_ours(path: Path) -> bool:
    """Whether a file that SQLite can no longer read was a catalogue, judged by the rest of its header or tables."""
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
    # Only its owner may read it, as the catalogue itself.
    os.close(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    target = sqlite3.connect(unfinished)
    try:
        connection.backup(target)
    finally:
        target.close()
    os.replace(unfinished, copy)
