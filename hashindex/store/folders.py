"""The catalogue's roots, folders and the marks of destinations, and the transactions of the whole catalogue."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from hashindex.disk.files import is_within
from hashindex.store.columns import IS_BELOW, below, blob, storable
from hashindex.store.database import Database
from hashindex.store.families import Families
from hashindex.store.hashes import HashTable
from hashindex.store.reviews import Reviews
from hashindex.store.standings import Standings
from hashindex.store.verdicts import Verdicts
from hashindex.store.word_index import WordIndex
from hashindex.store.words import WordStore


class Root(NamedTuple):
    id: int
    path: bytes
    device: int
    scanned_ns: int | None


class FolderStore(Database):
    """The base of Catalogue: what all its parts share, and the rows of roots, folders and destinations."""

    def __init__(
        self, path: Path, *, write: bool = False, wait_s: float = 30.0, on_wait: Callable[[], None] | None = None
    ) -> None:
        super().__init__(path, write=write, wait_s=wait_s, on_wait=on_wait)
        self.keys = HashTable(self.connection)
        self.verdicts = Verdicts(self.connection)
        self.standings = Standings(self.connection)
        self.reviews = Reviews(self.connection)
        self.words = WordStore(self.connection)
        self.word_index = WordIndex(self.connection)
        self._families = Families(self.connection, self.verdicts.reopen)
        # Caches. Both are emptied when a transaction is undone and when another process has written.
        self._folder_ids: dict[bytes, int] = {}
        self._destinations: list[tuple[bytes, int]] | None = None
        self._data_version = -1

    # Transactions

    @contextmanager
    def atomic(self, *, durable: bool = False) -> Iterator[None]:
        """One transaction, see Database.atomic; none if changes stay in memory, see Verdicts.keep_in_memory."""
        if self.verdicts.is_in_memory:
            yield
            return
        try:
            with super().atomic(durable=durable):
                self._empty_stale_caches()
                yield
        except BaseException:
            self._empty_caches()
            raise

    @contextmanager
    def as_of_now(self) -> Iterator[None]:
        """All answers inside are as of one moment, whatever other processes write. Nothing can be written."""
        self.connection.execute("PRAGMA temp_store = MEMORY")
        self.connection.execute("BEGIN")
        try:
            yield
        finally:
            self.verdicts.is_in_memory = False
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")

    def _empty_stale_caches(self) -> None:
        """Empties the caches if another process has committed since they were filled. 2 us."""
        version = self.data_version()
        if version != self._data_version:
            self._data_version = version
            self._empty_caches()

    def _empty_caches(self) -> None:
        self._folder_ids.clear()
        self._destinations = None

    # Roots

    def roots(self) -> list[Root]:
        rows = self.connection.execute("SELECT id, path, device, scanned_ns FROM root ORDER BY path")
        return [Root(id, path, int.from_bytes(device, "big"), scanned_ns) for id, path, device, scanned_ns in rows]

    def put_root(self, path: bytes, device: int) -> None:
        """Adds a root, or updates the device of a known one."""
        self.connection.execute(
            "INSERT INTO root (path, device) VALUES (?, ?) "
            "ON CONFLICT (path) DO UPDATE SET device = excluded.device WHERE device != excluded.device",
            (path, blob(device)),
        )

    def note_scanned(self, path: bytes, when_ns: int) -> bool:
        """Notes that a scan of a root was completed. Returns False if there is no such root."""
        return bool(
            self.connection.execute(
                "UPDATE root SET scanned_ns = ?, problem = NULL WHERE path = ?", (when_ns, path)
            ).rowcount
        )

    def note_root_problem(self, path: bytes, problem: str) -> None:
        self.connection.execute("UPDATE root SET problem = ? WHERE path = ?", (storable(problem), path))

    # Folders

    def note_folder_problem(self, path: bytes, problem: str | None) -> None:
        self.connection.execute(
            "UPDATE folder SET problem = ?1 WHERE id = ?2 AND problem IS NOT ?1",
            (storable(problem), self._folder(path)),
        )

    def has_present_below(self, path: bytes) -> bool:
        row = self.connection.execute(
            f"SELECT 1 FROM folder JOIN file ON file.folder = folder.id WHERE {IS_BELOW} AND NOT missing LIMIT 1",
            below(path),
        ).fetchone()
        return row is not None

    def folders_below(self, path: bytes) -> list[bytes]:
        """Every known folder at or below path."""
        rows = self.connection.execute(f"SELECT path FROM folder WHERE {IS_BELOW}", below(path))
        return [folder for (folder,) in rows]

    def count_folders(self) -> int:
        """Counts the folders that directly hold, or held, a file."""
        return int(self.connection.execute("SELECT count(*) FROM folder").fetchone()[0])

    def troubled_folders(self) -> set[bytes]:
        """Every folder that could not be listed when it was last walked."""
        return {folder for (folder,) in self.connection.execute("SELECT path FROM folder WHERE problem IS NOT NULL")}

    def _known_folder(self, path: bytes) -> int | None:
        """The id of a folder; None, and no new row, if another process forgot the folder meanwhile."""
        row = self.connection.execute("SELECT id FROM folder WHERE path = ?", (path,)).fetchone()
        return None if row is None else int(row[0])

    def _folder(self, path: bytes) -> int:
        """The id of a folder, whose row is made if there is none."""
        id = self._folder_ids.get(path)
        if id is None:
            id = self._known_folder(path)
            if id is None:
                cursor = self.connection.execute(
                    "INSERT INTO folder (path, destination) VALUES (?, ?)", (path, self._destination_over(path))
                )
                id = cursor.lastrowid or 0
            self._folder_ids[path] = id
        return id

    # Marks of destinations

    def destinations(self) -> list[bytes]:
        self._empty_stale_caches()
        return [path for path, _ in self._known_destinations()]

    def put_destination(self, path: bytes) -> None:
        """Marks a folder as a destination: files at or below it answer queries and are in no group."""
        if any(path == known for known, _ in self._known_destinations()):
            return
        cursor = self.connection.execute("INSERT INTO destination (path) VALUES (?)", (path,))
        self.connection.execute(f"UPDATE folder SET destination = ? WHERE {IS_BELOW}", (cursor.lastrowid, *below(path)))
        self._destinations = None

    def drop_destination(self, path: bytes) -> None:
        """Removes the mark, and the record of what was placed there."""
        id = "(SELECT id FROM destination WHERE path = ?)"
        self.connection.execute(f"UPDATE folder SET destination = NULL WHERE destination = {id}", (path,))
        self.connection.execute(f"DELETE FROM placed WHERE destination = {id}", (path,))
        self.connection.execute("DELETE FROM destination WHERE path = ?", (path,))
        self._destinations = None

    def _known_destinations(self) -> list[tuple[bytes, int]]:
        if self._destinations is None:
            self._destinations = self.connection.execute("SELECT path, id FROM destination ORDER BY path").fetchall()
        return self._destinations

    def _destination_over(self, path: bytes) -> int | None:
        return next((id for place, id in self._known_destinations() if is_within(path, place)), None)
