"""The catalogue as an SQLite file: opening, locks, transactions, damage, and errors as sentences for the user."""

import contextlib
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

from hashindex.core.errors import (
    CatalogueDamaged,
    CatalogueForeign,
    CatalogueLocked,
    CatalogueMissing,
    CatalogueUnwritable,
    HashIndexError,
)
from hashindex.core.language import N_, Message, Part
from hashindex.disk import files
from hashindex.store import schema

WAIT_PIECE_S = 0.25
_STRANGE = (ValueError, TypeError, LookupError, AssertionError)
"""What our code raises when a row makes no sense."""
SQLITE_REASONS = (
    N_("attempt to write a readonly database"),
    N_("database disk image is malformed"),
    N_("database or disk is full"),
    N_("disk I/O error"),
    N_("unable to open database file"),
)
"""Messages of SQLite, marked for translation."""


def is_of_one_file(error: Exception) -> bool:
    """Whether an error while files were recorded may be the fault of one of them.

    If not, the next file would fail too: the disk is full, or the catalogue is locked, damaged or foreign.
    """
    if isinstance(error, sqlite3.Error):
        kinds = (sqlite3.IntegrityError, sqlite3.DataError, sqlite3.InterfaceError, sqlite3.ProgrammingError)
        return isinstance(error, kinds)
    return not isinstance(error, (HashIndexError, OSError, ImportError))


def sqlite_version() -> str:
    """The version of the SQLite library that Python uses."""
    return sqlite3.sqlite_version


def reported_fault(path: Path) -> str | None:
    """What Database.mark_corrupt noted about a catalogue with sound pages."""
    try:
        return Path(f"{path}.suspect").read_text(encoding="utf-8") or None
    except (OSError, UnicodeDecodeError):
        return None


class Database:
    """An open catalogue file: a reader (mode=ro), or a writer, which makes the file if there is none.

    A writer changes rows only inside atomic(). As a context manager it turns SQLite's errors into hashindex's.
    """

    def __init__(
        self, path: Path, *, write: bool = False, wait_s: float = 30.0, on_wait: Callable[[], None] | None = None
    ) -> None:
        """wait_s: how long to wait for another process's lock before CatalogueLocked.

        on_wait: called several times a second while a transaction waits for the lock; may raise to give up.
        Raises CatalogueMissing (reader only), CatalogueForeign, CatalogueDamaged, CatalogueLocked,
        CatalogueUnwritable.
        """
        self.path = path
        self._wait_s = wait_s
        self._on_wait = on_wait
        try:
            self.connection = self._open_writer() if write else self._open_reader()
            if write and self._needs_check():
                self._check_pages()
        except (sqlite3.Error, OSError) as error:
            raise self._translated(error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.connection.close()
        except sqlite3.Error:
            if error is None:
                raise
        if isinstance(error, sqlite3.Error):
            raise self._translated(error) from error
        if isinstance(error, _STRANGE) and self.is_damaged():
            raise self._damaged(Message("its rows make no sense")) from error

    def close(self) -> None:
        self.connection.close()

    @contextmanager
    def atomic(self, *, durable: bool = False) -> Iterator[None]:
        """One transaction. IMMEDIATE: a deferred one fails at once if another process wrote after its first read.

        durable: it survives a power cut too, and takes some milliseconds longer.
        """
        self.connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
        self._begin()
        try:
            yield
            self.connection.execute("COMMIT")
        except BaseException:
            # SQLite itself rolls back when the disk is full.
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")
            raise

    def data_version(self) -> int:
        """A number that changes when another connection has committed."""
        return int(self.connection.execute("PRAGMA data_version").fetchone()[0])

    def faults(self, most: int = 5) -> list[str]:
        """What SQLite finds wrong with the file, in its own words. Reads all of it."""
        found = [str(row[0]) for row in self.connection.execute(f"PRAGMA integrity_check({most})")]
        if found == ["ok"]:
            found = []
        rows = self.connection.execute("PRAGMA foreign_key_check").fetchmany(most)
        found += [
            Message("a row of {table} refers to a missing row of {parent}", table=table, parent=parent)
            for table, _, parent, _ in rows
        ]
        if found:
            self._request_check()
        return found

    def copy_to(self, file: Path) -> None:
        """Copies the catalogue as of one moment into an existing empty file. Raises CatalogueUnwritable."""
        target = sqlite3.connect(file, isolation_level=None)
        try:
            # At once: a copy in parts would start again whenever another process writes.
            self.connection.backup(target)
            target.execute("PRAGMA journal_mode = DELETE")
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF not in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
                raise
            raise CatalogueUnwritable(
                Message(
                    "The backup {parent} cannot hold it: {error}; make room, or name another place.",
                    parent=file.parent,
                    error=Part(str(error)),
                )
            ) from error
        finally:
            target.close()

    def _begin(self) -> None:
        until = time.monotonic() + self._wait_s
        while True:
            try:
                self.connection.execute("BEGIN IMMEDIATE")
                return
            except sqlite3.OperationalError as error:
                busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
                if not busy or self._on_wait is None or time.monotonic() >= until:
                    raise
            self._on_wait()

    # Opening

    def _open_writer(self) -> sqlite3.Connection:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if not self.path.exists():
            # Made here so that only its owner can ever read it: it lists all pictures.
            os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
        self._refuse_emptied()
        connection = self._connect("rw")
        try:
            schema.prepare(connection, self.path)
        except BaseException:
            connection.close()
            raise
        return connection

    def _refuse_emptied(self) -> None:
        """Raises CatalogueDamaged for an empty file with a log: SQLite would delete the log, all that is left."""
        log = Path(f"{self.path}-wal")
        if not self.path.stat().st_size and log.exists() and log.stat().st_size:
            raise self._damaged(Message("it has become empty"))

    def _open_reader(self) -> sqlite3.Connection:
        if self.path.exists():
            self._refuse_emptied()
        if not self.path.exists() or not self.path.stat().st_size:
            raise CatalogueMissing(
                Message("There is no catalogue at {path} yet; run: hashindex scan FOLDER", path=self.path)
            )
        try:
            connection = self._connect("ro")
            version = schema.check(connection, self.path)
        except sqlite3.OperationalError as error:
            # WAL needs a file beside the catalogue, which a read-only folder refuses. Without a writer and a log the
            # file itself is complete.
            refused = error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY)
            if not refused or Path(f"{self.path}-wal").exists():
                raise
            connection = self._connect("ro&immutable=1")
            version = schema.check(connection, self.path)
        if version < schema.latest_version():
            connection.close()
            self._open_writer().close()
            return self._connect("ro")
        return connection

    def _connect(self, mode: str) -> sqlite3.Connection:
        uri = f"file:{quote(os.fsencode(os.path.abspath(self.path)))}?mode={mode}"
        # Python cannot run while SQLite waits, so with on_wait SQLite waits in short pieces.
        timeout = self._wait_s if self._on_wait is None else min(self._wait_s, WAIT_PIECE_S)
        connection = sqlite3.connect(uri, uri=True, timeout=timeout, isolation_level=None)
        connection.execute("PRAGMA foreign_keys = ON")
        # In WAL mode NORMAL risks the last commits on power loss, never the file; a lost commit costs one batch.
        connection.execute("PRAGMA synchronous = NORMAL")
        return connection

    # Damage

    def _needs_check(self) -> bool:
        return os.path.exists(f"{self.path}.suspect")

    def _request_check(self) -> None:
        """Leaves a note for the next writer that the file may be damaged: a reader cannot repair it."""
        with contextlib.suppress(OSError):
            os.close(os.open(f"{self.path}.suspect", os.O_CREAT | os.O_WRONLY, 0o600))

    def mark_corrupt(self, how: str) -> None:
        """Leaves a note for the next writer to set the file aside, although its pages are sound. how: what is wrong."""
        with contextlib.suppress(OSError):
            path = f"{self.path}.suspect"
            with open(path, "w", encoding="utf-8", opener=lambda name, flags: os.open(name, flags, 0o600)) as note:
                note.write(how.encode("utf-8", "backslashreplace").decode())

    def _check_pages(self) -> None:
        faults = [reported_fault(self.path) or "", *self.faults(1)]
        for fault in filter(None, faults):
            self.connection.close()
            raise self._damaged(fault)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"{self.path}.suspect")

    def is_damaged(self) -> bool:
        """Whether SQLite finds damage, by a connection of its own. For errors that a sound file cannot explain."""
        try:
            with contextlib.closing(self._connect("ro")) as connection:
                return bool(connection.execute("PRAGMA quick_check(1)").fetchone() != ("ok",))
        except sqlite3.Error as error:
            return getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)

    def _damaged(self, how: object) -> CatalogueDamaged:
        self._request_check()
        return CatalogueDamaged(
            Message(
                "The catalogue {path} is damaged ({how}); run: hashindex scan. It sets the file aside, builds a "
                "new one from your folders and keeps your decisions and what was placed. No picture is touched.",
                path=self.path,
                how=Part(str(how)),
            )
        )

    def _translated(self, error: Exception) -> HashIndexError | Exception:
        if isinstance(error, OSError):
            return CatalogueUnwritable(
                Message(
                    "The catalogue {path} cannot be made there: {reason}; name another place with --catalogue.",
                    path=self.path,
                    reason=files.system_reason(error),
                )
            )
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return CatalogueLocked(
                Message(
                    "Another process has held the catalogue {path} for more than {wait_s:g} s; try again when it is "
                    "done, or wait longer with --wait.",
                    path=self.path,
                    wait_s=self._wait_s,
                )
            )
        if code == sqlite3.SQLITE_NOTADB and schema.was_ours(self.path):
            return self._damaged(error)
        if code == sqlite3.SQLITE_NOTADB:
            return CatalogueForeign(
                Message(
                    "{path} is not a hashindex catalogue; name another file with --catalogue, it is left as it is.",
                    path=self.path,
                )
            )
        if code == sqlite3.SQLITE_CORRUPT:
            return self._damaged(error)
        if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_CANTOPEN):
            return CatalogueUnwritable(
                Message(
                    "The catalogue {path} cannot be opened for this ({error}); change its permissions, or name "
                    "another with --catalogue.",
                    path=self.path,
                    error=Part(str(error)),
                )
            )
        if code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
            return CatalogueUnwritable(
                Message(
                    "The catalogue {path} cannot be written: {error}; make room, then run the same again: what was "
                    "done before is kept.",
                    path=self.path,
                    error=Part(str(error)),
                )
            )
        return error
