"""The catalogue's questions and changes in our words: the only room with queries. Touches no file of the user's."""

import json
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple

from hashindex.core.messages import COMPARE_KEYS_VERSION, Arrival, CompareKeys, Examined, FileStat, Settled
from hashindex.core.model import Content, Decoded, File, Forgotten, Problem, State
from hashindex.core.organizing import Action, Step
from hashindex.disk.diff import RACY_NS, KnownFile, KnownFolder
from hashindex.disk.files import is_within
from hashindex.hashing.recipes import Recipe
from hashindex.store.database import Database
from hashindex.store.families import IS_LESSER, Families
from hashindex.store.hashes import HashTable
from hashindex.store.verdicts import Verdicts

_SEPARATOR = os.sep.encode()


class Root(NamedTuple):
    id: int
    path: bytes
    device: int
    scanned_ns: int | None


class Pipeline(NamedTuple):
    """What makes rows now: the versions of the decoder and of all recipes."""

    decoder: str
    recipes: tuple[Recipe, ...]

    @property
    def recipe_names(self) -> str:
        return " ".join(
            [*(f"{recipe.name}.{recipe.version}" for recipe in self.recipes), f"look.{COMPARE_KEYS_VERSION}"]
        )


class CheckedFile(NamedTuple):
    """What check compares a present file with."""

    path: bytes
    size: int
    mtime_ns: int
    digest: bytes
    content: int
    has_hashes: bool
    """Whether its content could be decoded when it was scanned."""


class Recorded(NamedTuple):
    """What a batch of examined files changed."""

    lost: list[Examined]
    """Those whose content was said to be known but is no longer (another process forgot it): to be examined again."""
    replaced: set[int]
    """Contents that a file no longer has."""
    arrived: list[Arrival]


Rank = tuple[int, bytes]
"""Of a content: large files come before small ones, then the digest decides."""


class Catalogue(Database):
    """An open catalogue: see database.Database for how it is opened, locked and closed."""

    def __init__(
        self, path: Path, *, write: bool = False, wait_s: float = 30.0, on_wait: Callable[[], None] | None = None
    ) -> None:
        super().__init__(path, write=write, wait_s=wait_s, on_wait=on_wait)
        self.keys = HashTable(self.connection)
        self.verdicts = Verdicts(self.connection)
        self._families = Families(self.connection, self.verdicts.reopen)
        # Both are forgotten with every transaction that is undone, and when another process has written.
        self._folder_ids: dict[bytes, int] = {}
        self._destinations: list[tuple[bytes, int]] | None = None
        self._data_version = -1

    @contextmanager
    def atomic(self, *, durable: bool = False) -> Iterator[None]:
        """One transaction, see Database.atomic; none where changes stay in memory, see Verdicts.keep_in_memory."""
        if self.verdicts.is_in_memory:
            yield
            return
        try:
            with super().atomic(durable=durable):
                self._forget_what_others_may_have_changed()
                yield
        except BaseException:
            self._folder_ids.clear()
            self._destinations = None
            raise

    def _forget_what_others_may_have_changed(self) -> None:
        """No row's number outlives another process's commit. 2 us."""
        (version,) = self.connection.execute("PRAGMA data_version").fetchone()
        if version != self._data_version:
            self._data_version = version
            self._folder_ids.clear()
            self._destinations = None

    @contextmanager
    def as_of_now(self) -> Iterator[None]:
        """All that is asked is answered as of one moment, whatever others write meanwhile. Nothing can be written."""
        self.connection.execute("PRAGMA temp_store = MEMORY")
        self.connection.execute("BEGIN")
        try:
            yield
        finally:
            self.verdicts.is_in_memory = False
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")

    # Roots and folders

    def roots(self) -> list[Root]:
        rows = self.connection.execute("SELECT id, path, device, scanned_ns FROM root ORDER BY path")
        return [Root(id, path, _number(device), scanned_ns) for id, path, device, scanned_ns in rows]

    def put_root(self, path: bytes, device: int) -> None:
        """Adds a root, or says on which device a known one is now."""
        self.connection.execute(
            "INSERT INTO root (path, device) VALUES (?, ?) "
            "ON CONFLICT (path) DO UPDATE SET device = excluded.device WHERE device != excluded.device",
            (path, _blob(device)),
        )

    def note_scanned(self, path: bytes, when_ns: int) -> bool:
        """A scan of that root went through to its end. False where there is no such root."""
        return bool(
            self.connection.execute(
                "UPDATE root SET scanned_ns = ?, problem = NULL WHERE path = ?", (when_ns, path)
            ).rowcount
        )

    def note_root_problem(self, path: bytes, problem: str) -> None:
        self.connection.execute("UPDATE root SET problem = ? WHERE path = ?", (storable(problem), path))

    def note_folder_problem(self, path: bytes, problem: str | None) -> None:
        self.connection.execute(
            "UPDATE folder SET problem = ?1 WHERE id = ?2 AND problem IS NOT ?1",
            (storable(problem), self._folder(path)),
        )

    def has_present_below(self, path: bytes) -> bool:
        row = self.connection.execute(
            f"SELECT 1 FROM folder JOIN file ON file.folder = folder.id WHERE {_BELOW} AND NOT missing LIMIT 1",
            _below(path),
        ).fetchone()
        return row is not None

    def folders_below(self, path: bytes) -> list[bytes]:
        """Every folder at or below path that the catalogue knows."""
        return [
            folder for (folder,) in self.connection.execute(f"SELECT path FROM folder WHERE {_BELOW}", _below(path))
        ]

    def count_folders(self) -> int:
        """Folders that hold, or held, a file: those below them that hold none are not counted."""
        return int(self.connection.execute("SELECT count(*) FROM folder").fetchone()[0])

    def troubled_folders(self) -> set[bytes]:
        """Every folder that could not be listed when it was last walked."""
        return {folder for (folder,) in self.connection.execute("SELECT path FROM folder WHERE problem IS NOT NULL")}

    def _known_folder(self, path: bytes) -> int | None:
        """Its number, where it has one: a folder that was forgotten meanwhile is not made again."""
        row = self.connection.execute("SELECT id FROM folder WHERE path = ?", (path,)).fetchone()
        return None if row is None else int(row[0])

    def _folder(self, path: bytes) -> int:
        id = self._folder_ids.get(path)
        if id is None:
            row = self.connection.execute("SELECT id FROM folder WHERE path = ?", (path,)).fetchone()
            if row is None:
                cursor = self.connection.execute(
                    "INSERT INTO folder (path, destination) VALUES (?, ?)", (path, self._destination_over(path))
                )
                id = cursor.lastrowid or 0
            else:
                id = row[0]
            self._folder_ids[path] = id
        return id

    # Destinations of organize

    def destinations(self) -> list[bytes]:
        self._forget_what_others_may_have_changed()
        return [path for path, _ in self._known_destinations()]

    def put_destination(self, path: bytes) -> None:
        """Marks a folder: what lies at or below it answers queries and is in no group."""
        if any(path == known for known, _ in self._known_destinations()):
            return
        cursor = self.connection.execute("INSERT INTO destination (path) VALUES (?)", (path,))
        self.connection.execute(f"UPDATE folder SET destination = ? WHERE {_BELOW}", (cursor.lastrowid, *_below(path)))
        self._destinations = None

    def drop_destination(self, path: bytes) -> None:
        """Takes the mark away again; what was placed there is no longer remembered."""
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

    def note_placed_file(self, step: Step, seen: FileStat, now_ns: int) -> None:
        """A file of known content appeared at step.target; where it was moved, its row goes along."""
        if step.action is Action.MOVE:
            self._rename_file(step.source, step.target)
        self._put_known(step.target, step.digest, seen, now_ns)

    def note_restored_file(self, step: Step, seen: FileStat, now_ns: int) -> None:
        """The reverse of note_placed_file."""
        if step.action is Action.MOVE:
            self._rename_file(step.target, step.source)
            self._put_known(step.source, step.digest, seen, now_ns)
        else:
            self.drop_file(step.target)

    def _put_known(self, path: bytes, digest: bytes, seen: FileStat, now_ns: int) -> None:
        folder, name = os.path.split(path)
        content = self._content_id(digest)
        # Forgotten by another process meanwhile, it is to be read again.
        examined = Examined(path, seen, now_ns, digest, retry=content is None)
        self._put_file(self._folder(folder), name, examined, content, now_ns)

    def _rename_file(self, old: bytes, new: bytes) -> None:
        """Gives a file's row another path; a row that was there (of a file gone by now) goes."""
        self.drop_file(new)
        (old_folder, old_name), (new_folder, new_name) = os.path.split(old), os.path.split(new)
        self.connection.execute(
            "UPDATE file SET folder = ?, name = ?, better = NULL WHERE folder = ? AND name = ?",
            (self._folder(new_folder), new_name, self._known_folder(old_folder), old_name),
        )

    def drop_file(self, path: bytes) -> None:
        """Drops a file's row; its content stays."""
        folder, name = os.path.split(path)
        dropped = self.connection.execute(
            "DELETE FROM file WHERE folder = (SELECT id FROM folder WHERE path = ?) AND name = ? RETURNING content",
            (folder, name),
        ).fetchall()
        self._families.refresh_below(content for (content,) in dropped if content is not None)

    # Scanning

    def known_files(self, folders: Collection[bytes], moved_to: int | None) -> dict[bytes, KnownFolder]:
        """Every file that the catalogue knows in those folders that it knows any in.

        moved_to: see diff.compare. One question for many folders: each is a transaction of its own, which takes longer
        than reading two rows.
        """
        rows = self.connection.execute(
            f"SELECT path, name, size, mtime_ns, content, {_IS_SETTLED}, ctime_ns "
            f"FROM folder CROSS JOIN file ON folder = id WHERE path IN ({_marks(folders)}) ORDER BY path",
            (_device(moved_to), *folders),
        )
        known = {}
        with_others = []
        for folder, files in groupby(rows, itemgetter(0)):
            found = {row[1]: row for row in files}
            if not all(map(itemgetter(5), found.values())):
                with_others.append(folder)
                found = {name: row for name, row in found.items() if row[5]}
            known[folder] = KnownFolder(found, {})
        for folder, name, *facts in self._others(with_others, moved_to):
            known[folder].unstable[name] = KnownFile(*facts)
        return known

    def _others(self, folders: Collection[bytes], moved_to: int | None) -> Iterable[tuple[Any, ...]]:
        """Folder, name and the fields of diff.Known of every file there that is not settled."""
        if not folders:
            return ()
        return self.connection.execute(
            "SELECT path, name, size, mtime_ns, looked_ns, device IS NOT coalesce(?1, device), content, "
            "file.problem, retry, missing, ctime_ns "
            f"FROM folder CROSS JOIN file ON folder = id WHERE NOT {_IS_SETTLED} AND path IN ({_marks(folders)})",
            (_device(moved_to), *folders),
        )

    def known_names(self, folder: bytes, names: Iterable[bytes]) -> KnownFolder:
        """What is known of these names in one folder; none of it counts as settled."""
        known = {}
        for name in names:
            row = self.connection.execute(
                "SELECT size, mtime_ns, looked_ns, 0, content, file.problem, retry, missing, ctime_ns "
                "FROM folder CROSS JOIN file ON folder = id WHERE path = ? AND name = ?",
                (folder, name),
            ).fetchone()
            if row is not None:
                known[name] = KnownFile(*row)
        return KnownFolder({}, known)

    def present_files(self, folder: bytes) -> list[bytes]:
        """Names in that folder that were there when it was last walked."""
        rows = self.connection.execute(
            "SELECT name FROM folder JOIN file ON folder = id WHERE path = ? AND NOT missing", (folder,)
        )
        return [name for (name,) in rows]

    def present_names_of(self, content: int) -> list[tuple[bytes, bytes]]:
        """(folder, name) of every file with that content that was there when it was last looked for."""
        rows = self.connection.execute(
            "SELECT path, name FROM file JOIN folder ON folder.id = folder WHERE content = ? AND NOT missing",
            (content,),
        )
        return rows.fetchall()

    def paths_of(self, content: int) -> Iterator[tuple[bytes, bool, bool]]:
        """(path, whether it is gone, whether it lies in a destination) of every file with that content.

        Lesser files (see families) are left out: what stands for them looks alike.
        """
        rows = self.connection.execute(
            "SELECT path, name, missing, destination IS NOT NULL FROM file JOIN folder ON folder.id = folder "
            f"WHERE content = ? AND NOT {IS_LESSER}",
            (content,),
        )
        return ((os.path.join(folder, name), bool(gone), bool(placed)) for folder, name, gone, placed in rows)

    def is_lesser(self, path: bytes) -> bool:
        """Whether a better form of the same picture is there, see families."""
        folder, name = os.path.split(path)
        row = self.connection.execute(
            f"SELECT 1 FROM file JOIN folder ON folder.id = folder WHERE path = ? AND name = ? AND {IS_LESSER}",
            (folder, name),
        ).fetchone()
        return row is not None

    def lesser_forms(self, path: bytes) -> list[bytes]:
        """Files that are there and that a file is a better form of, the best of them first."""
        return self._families.lesser_forms(path)

    def known_digests(self, sizes: Collection[int], stale: Collection[int]) -> set[bytes]:
        """Digests of the contents with these sizes, but for those that are to be decoded again."""
        marks = ",".join("?" * len(sizes))
        rows = self.connection.execute(f"SELECT id, digest FROM content WHERE size IN ({marks})", tuple(sizes))
        return {digest for id, digest in rows if id not in stale}

    def stale_contents(self, maker: Pipeline) -> set[int]:
        """Contents that are to be decoded again: hashed by other recipes, or failed with another decoder.

        A TIFF is too: another decoder may tell that it is a camera raw, or read its pages.
        """
        rows = self.connection.execute("SELECT id, decoder, recipes FROM maker").fetchall()
        stale: set[int] = set()
        # Makers are few and nearly always one; the contents are only asked when there are others.
        for other in (id for id, decoder, _ in rows if decoder != maker.decoder):
            found = self.connection.execute(
                "SELECT id FROM content WHERE maker = ? AND (problem IS NOT NULL OR format = 'tiff')", (other,)
            )
            stale.update(id for (id,) in found)
        return stale | self._hashed_by_others(maker, "1")

    def outdated(self, maker: Pipeline) -> int:
        """Contents with a present file that are answered by hashes of older recipes."""
        return len(self._hashed_by_others(maker, _IS_PRESENT))

    def _hashed_by_others(self, maker: Pipeline, condition: str) -> set[int]:
        rows = self.connection.execute("SELECT id, recipes FROM maker").fetchall()
        others = [id for id, names in rows if names != maker.recipe_names]
        if not others:
            return set()
        # One that was read only in part has a problem and hashes.
        held = self.keys.held()
        found = (
            self.connection.execute(f"SELECT id FROM content WHERE maker = ? AND {condition}", (other,))
            for other in others
        )
        return {id for rows in found for (id,) in rows if id < len(held) and held[id]}

    def record(
        self,
        batch: Collection[Examined],
        hashes: Mapping[bytes, Mapping[str, bytes]],
        looks: Mapping[bytes, CompareKeys],
        maker: Pipeline,
        run_ns: int,
    ) -> "Recorded":
        """Writes what workers found. hashes: values by digest, then by recipe name; looks by digest."""
        maker_id = self._maker(maker)
        values: dict[int, Mapping[str, bytes]] = {}
        seen: dict[int, CompareKeys] = {}
        plain: set[int] = set()
        lost: list[Examined] = []
        replaced: set[int] = set()
        arrived: list[Arrival] = []
        for examined in batch:
            folder, name = os.path.split(examined.path)
            if examined.vanished:
                continue
            content = None
            if examined.digest is not None and examined.stat is not None:
                content = self._content_id(examined.digest)
                if examined.decoded is not None:
                    content = self._put_content(content, examined, examined.decoded, maker_id)
                    values[content] = hashes.get(examined.digest, {})
                    if examined.digest in looks:
                        seen[content] = looks[examined.digest]
                    if examined.decoded.pixels is not None:
                        plain.add(content)
                elif content is None:
                    lost.append(examined)
                    continue
            before, was_missing = self._put_file(self._folder(folder), name, examined, content, run_ns)
            if before is not None and before != content:
                replaced.add(before)
            if content is not None and (before != content or was_missing):
                arrived.append(Arrival(examined.path, content, before))
        self._families.refresh(examined.path for examined in batch if not examined.vanished)
        self._families.refresh_below(replaced)
        for recipe in maker.recipes:
            self._put_recipe(recipe)
        self.keys.put(values, plain, {recipe.name: recipe.version for recipe in maker.recipes})
        self.verdicts.drop(values.keys() - seen.keys())
        self.verdicts.put_compare_keys(seen)
        return Recorded(lost, replaced, arrived)

    def put_special(self, path: bytes, problem: str, now_ns: int, run_ns: int) -> bool:
        """A row for what has a picture's name but is no regular file. Returns whether it is news."""
        folder, name = os.path.split(path)
        known = self.connection.execute(
            "SELECT 1 FROM file WHERE folder = ? AND name = ? AND problem = ? AND NOT missing",
            (self._folder(folder), name, problem),
        ).fetchone()
        if known is None:
            seen = FileStat(name, 0, 0, 0, 0)
            self._put_file(self._folder(folder), name, Examined(path, seen, now_ns, problem=problem), None, run_ns)
        return known is None

    def read_again(self, path: bytes) -> None:
        """Has the next scan read a file however unchanged it looks; its row stays as it is until then."""
        folder, name = os.path.split(path)
        self.connection.execute(
            "UPDATE file SET retry = 1 WHERE folder = (SELECT id FROM folder WHERE path = ?) AND name = ?",
            (folder, name),
        )

    def mark_back(self, folder: bytes, names: Collection[bytes]) -> None:
        id = self._known_folder(folder)
        self.connection.executemany(
            "UPDATE file SET missing = 0 WHERE folder = ? AND name = ?", ((id, name) for name in names)
        )
        self._families.refresh(os.path.join(folder, name) for name in names)

    def settle_gone(self, gone: Iterable[tuple[bytes, bytes, int]], run_ns: int) -> Settled:
        """Decides about files that are not there any more: (folder, name, when they were last seen).

        A picture that was found in this run under a new path is moved: the new row takes over its history. Another
        is marked missing and keeps its hashes. What was no picture is dropped.
        """
        settled = Settled([], [])
        paths: list[bytes] = []
        contents: set[int] = set()
        for folder, name, last_seen_ns in gone:
            old = (self._known_folder(folder), name)
            row = self.connection.execute(
                "SELECT content, first_seen_ns FROM file WHERE folder = ? AND name = ?", old
            ).fetchone()
            if row is None:
                continue
            content, first_seen_ns = row
            if content is None:
                self.connection.execute("DELETE FROM file WHERE folder = ? AND name = ?", old)
                continue
            paths.append(os.path.join(folder, name))
            contents.add(content)
            # Rows that this run added carry the run's own time as first_seen_ns.
            new = self.connection.execute(
                "SELECT folder, name FROM file WHERE content = ? AND first_seen_ns = ? AND NOT missing LIMIT 1",
                (content, run_ns),
            ).fetchone()
            if new is None:
                changed = self.connection.execute(
                    "UPDATE file SET missing = 1, last_seen_ns = max(last_seen_ns, ?) "
                    "WHERE folder = ? AND name = ? AND NOT missing",
                    (last_seen_ns, *old),
                ).rowcount
                if changed:
                    settled.missing.append(os.path.join(folder, name))
            else:
                settled.moved.append((os.path.join(folder, name), self._path(*new)))
                self.connection.execute("DELETE FROM file WHERE folder = ? AND name = ?", old)
                self.connection.execute(
                    "UPDATE file SET first_seen_ns = ? WHERE folder = ? AND name = ?", (first_seen_ns, *new)
                )
        self._families.refresh(paths)
        self._families.refresh_below(contents)
        return settled

    def _path(self, folder: int, name: bytes) -> bytes:
        row = self.connection.execute("SELECT path FROM folder WHERE id = ?", (folder,)).fetchone()
        return os.path.join(row[0], name)

    def drop_orphans(self, contents: Iterable[int]) -> None:
        """Drops those of these contents that no row of a file has any more."""
        dropped = []
        for id in contents:
            # What is placed somewhere is kept for its hashes, by which a newcomer finds its number.
            used = "SELECT 1 FROM file WHERE content = ? UNION ALL SELECT 1 FROM content "
            used += "JOIN placed ON placed.digest = content.digest WHERE content.id = ? LIMIT 1"
            if self.connection.execute(used, (id, id)).fetchone() is None:
                self.connection.execute("DELETE FROM content WHERE id = ?", (id,))
                dropped.append(id)
        self.keys.drop(dropped)
        self.verdicts.drop(dropped)
        self._families.drop(dropped)

    def _maker(self, maker: Pipeline) -> int:
        key = (maker.decoder, maker.recipe_names)
        self.connection.execute("INSERT INTO maker (decoder, recipes) VALUES (?, ?) ON CONFLICT DO NOTHING", key)
        row = self.connection.execute("SELECT id FROM maker WHERE decoder = ? AND recipes = ?", key).fetchone()
        return int(row[0])

    def _put_recipe(self, recipe: Recipe) -> None:
        self.connection.execute(
            "INSERT INTO recipe (name, bits, version) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
            (recipe.name, recipe.bits, recipe.version),
        )

    def _content_id(self, digest: bytes) -> int | None:
        row = self.connection.execute("SELECT id FROM content WHERE digest = ?", (digest,)).fetchone()
        return None if row is None else int(row[0])

    def _put_content(self, id: int | None, examined: Examined, decoded: Decoded, maker: int) -> int:
        described = (
            decoded.format,
            decoded.width,
            decoded.height,
            decoded.frames,
            decoded.duration_ms,
            decoded.detail,
            decoded.pixels,
            storable(decoded.problem),
            maker,
        )
        if id is not None:
            self.connection.execute(
                "UPDATE content SET format = ?, width = ?, height = ?, frames = ?, duration_ms = ?, detail = ?, "
                "pixels = ?, problem = ?, maker = ? WHERE id = ?",
                (*described, id),
            )
            return id
        assert examined.stat is not None
        cursor = self.connection.execute(
            "INSERT INTO content (format, width, height, frames, duration_ms, detail, pixels, problem, maker, "
            "digest, size) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (*described, examined.digest, examined.stat.size),
        )
        return cursor.lastrowid or 0

    def _put_file(
        self, folder: int, name: bytes, examined: Examined, content: int | None, run_ns: int
    ) -> tuple[int | None, bool]:
        """Returns the content that the row had before, if there was a row, and whether that was a missing file's."""
        before = self.connection.execute(
            "SELECT content, missing FROM file WHERE folder = ? AND name = ?", (folder, name)
        ).fetchone()
        seen = examined.stat or FileStat(name, 0, 0, 0, 0)
        self.connection.execute(
            "INSERT INTO file (folder, name, size, mtime_ns, ctime_ns, device, inode, content, problem, retry, "
            "looked_ns, first_seen_ns, last_seen_ns, missing) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0) "
            "ON CONFLICT (folder, name) DO UPDATE SET size = excluded.size, mtime_ns = excluded.mtime_ns, "
            "ctime_ns = excluded.ctime_ns, device = excluded.device, inode = excluded.inode, "
            "content = excluded.content, "
            "problem = excluded.problem, retry = excluded.retry, looked_ns = excluded.looked_ns, "
            "last_seen_ns = excluded.last_seen_ns, missing = 0",
            (
                folder,
                name,
                seen.size,
                seen.mtime_ns,
                seen.ctime_ns,
                _blob(seen.device),
                _blob(seen.inode),
                content,
                storable(examined.problem),
                examined.retry,
                examined.looked_ns,
                run_ns,
                examined.looked_ns,
            ),
        )
        return (None, False) if before is None else (before[0], bool(before[1]))

    # Asking

    def hashes_of(self, content: int) -> dict[tuple[str, int], int]:
        """Hash values of one content by (name, version)."""
        return {
            (version.name, version.version): int.from_bytes(value, "big")
            for version, value in self.keys.of(content).items()
        }

    def plain_contents(self) -> dict[int, bytes]:
        """Contents with too little detail to be compared by hash -> the digest of their pixels."""
        return dict(self.connection.execute("SELECT id, pixels FROM content WHERE pixels IS NOT NULL").fetchall())

    def content_with(self, digest: bytes) -> int | None:
        return self._content_id(digest)

    def pixels_of(self, content: int) -> bytes | None:
        """The digest of the pixels of a content with too little detail; None for any other."""
        row = self.connection.execute("SELECT pixels FROM content WHERE id = ?", (content,)).fetchone()
        return None if row is None else row[0]

    def contents_with_pixels(self, pixels: bytes) -> list[int]:
        rows = self.connection.execute("SELECT id FROM content WHERE pixels = ?", (pixels,))
        return [id for (id,) in rows]

    def repeated_contents(self) -> list[int]:
        """Contents that two or more rows of files have, whether they are there or gone."""
        rows = self.connection.execute(
            "SELECT content FROM file WHERE content IS NOT NULL GROUP BY content HAVING count(*) > 1"
        )
        return [id for (id,) in rows]

    def lesser_contents(self) -> set[int]:
        """Contents that only lesser files have (see families): nothing that is shown looks like that."""
        shown = f"SELECT 1 FROM file WHERE file.content = lesser.content AND NOT file.missing AND NOT {IS_LESSER}"
        rows = self.connection.execute(
            f"SELECT DISTINCT content FROM file AS lesser WHERE better IS NOT NULL AND NOT EXISTS ({shown})"
        )
        return {id for (id,) in rows}

    def files_of(self, contents: Iterable[int], *, all: bool = False, family: bool = False) -> dict[int, list[File]]:
        """The present files outside destinations that have these contents, by content, then path.

        all: also those that are gone or in destinations. family: also lesser ones (see families). A content without
        any is left out. 4 us a file.
        """
        found: dict[int, list[File]] = {}
        wanted = "content.id IN (SELECT value FROM json_each(?))"
        if not family:
            wanted += f" AND NOT {IS_LESSER}"
        for file in self._files(wanted if all else f"{wanted} AND {_IS_OURS}", (json.dumps(list(contents)),)):
            found.setdefault(file.content.id, []).append(file)
        for files in found.values():
            if len(files) > 1:
                files.sort()
        return found

    def file_at(self, path: bytes) -> File | None:
        """The file that a path names, there or gone; None where no picture was ever met there."""
        folder, name = os.path.split(path)
        row = self.connection.execute(
            "SELECT content FROM folder JOIN file ON folder = folder.id WHERE path = ? AND name = ?", (folder, name)
        ).fetchone()
        found = [] if row is None else self._files("content.id = ? AND path = ? AND name = ?", (row[0], folder, name))
        return next(iter(found), None)

    def digests_of(self, contents: Collection[int]) -> dict[int, bytes]:
        """The digests of these contents; one that is not there any more is left out."""
        rows = self.connection.execute(
            "SELECT id, digest FROM content WHERE id IN (SELECT value FROM json_each(?))",
            (json.dumps(list(contents)),),
        )
        return dict(rows.fetchall())

    def ranks_of(self, contents: Collection[int]) -> dict[int, Rank]:
        """What puts these contents in the same order in every catalogue; one that is gone is left out."""
        rows = self.connection.execute(
            "SELECT id, -size, digest FROM content WHERE id IN (SELECT value FROM json_each(?))",
            (json.dumps(list(contents)),),
        )
        return {id: (size, digest) for id, size, digest in rows}

    def areas_of(self, contents: Collection[int]) -> dict[int, int]:
        """Width times height of these contents, in pixels."""
        rows = self.connection.execute(
            "SELECT id, width * height FROM content WHERE id IN (SELECT value FROM json_each(?))",
            (json.dumps(list(contents)),),
        )
        return dict(rows.fetchall())

    def present_pictures(self) -> Iterator[File]:
        """Every present file outside destinations whose content is a picture, by path; no lesser ones (families)."""
        yield from sorted(self._files(f"{_IS_OURS} AND NOT {IS_LESSER}"))

    def _files(self, condition: str, values: tuple[object, ...] = ()) -> Iterator[File]:
        # CROSS JOIN: content first, whatever the planner thinks; it cannot know how few are wanted.
        rows = self.connection.execute(
            "SELECT path, name, file.size, mtime_ns, missing, last_seen_ns, content.id, digest, content.size, format, "
            "width, height, frames, duration_ms, detail, pixels, content.problem "
            "FROM content CROSS JOIN file ON content = content.id CROSS JOIN folder ON folder = folder.id "
            f"WHERE {condition}",
            values,
        )
        states = (State.PRESENT, State.MISSING)
        for row in rows:
            folder, name, size, mtime_ns, missing, last_seen_ns = row[:6]
            # os.path.join would take longer than all the rest.
            path = folder + name if folder.endswith(_SEPARATOR) else folder + _SEPARATOR + name
            yield _FILE((path, size, mtime_ns, states[missing], last_seen_ns, _CONTENT(row[6:])))

    def was_made_by(self, maker: Pipeline, content: int, digest: bytes) -> bool:
        """Whether that content has that digest, and was decoded and hashed by these versions."""
        row = self.connection.execute(
            "SELECT recipes FROM content JOIN maker ON maker.id = maker "
            "WHERE content.id = ? AND digest = ? AND decoder = ?",
            (content, digest, maker.decoder),
        ).fetchone()
        return row is not None and row[0] == maker.recipe_names

    def has_low_detail(self) -> dict[int, bool]:
        """Of every content, whether its pixels are kept because it has too little detail for hashes."""
        rows = self.connection.execute("SELECT id, pixels IS NOT NULL FROM content")
        return {id: bool(low) for id, low in rows}

    def files_to_check(self) -> Iterator[CheckedFile]:
        """Every present file with a content, as check compares it with the disk."""
        rows = self.connection.execute(
            "SELECT path, name, file.size, mtime_ns, digest, content.id, "
            "content.problem IS NULL OR pixels IS NOT NULL OR detail > 0 "
            "FROM file JOIN content ON content.id = content JOIN folder ON folder.id = folder WHERE NOT missing"
        )
        return (
            CheckedFile(os.path.join(folder, name), size, mtime_ns, digest, content, bool(decoded))
            for folder, name, size, mtime_ns, digest, content, decoded in rows
        )

    def problems(self) -> list[Problem]:
        """Every root, folder and present file that could not be taken in, by path.

        An unfinished download of which there is a whole form (see families) is nobody's problem.
        """
        rows = self.connection.execute(
            "SELECT path, problem FROM root WHERE problem IS NOT NULL "
            "UNION ALL SELECT path, problem FROM folder WHERE problem IS NOT NULL"
        )
        found = [Problem(path, problem) for path, problem in rows]
        # Two questions rather than one with OR: each goes through its own small index.
        for source in (
            "file JOIN folder ON folder.id = folder WHERE file.problem IS NOT NULL",
            # CROSS: the few contents first, not the files.
            "content CROSS JOIN file ON content = content.id JOIN folder ON folder.id = folder "
            f"WHERE content.problem IS NOT NULL AND NOT {IS_LESSER}",
        ):
            column = "content" if source.startswith("content") else "file"
            rows = self.connection.execute(f"SELECT path, name, {column}.problem FROM {source} AND NOT missing")
            found.extend(Problem(os.path.join(folder, name), problem) for folder, name, problem in rows)
        return sorted(found, key=lambda problem: problem.path)

    def content_problem(self, digest: bytes) -> str | None:
        row = self.connection.execute("SELECT problem FROM content WHERE digest = ?", (digest,)).fetchone()
        return None if row is None else row[0]

    def count_present_below(self, path: bytes) -> int:
        row = self.connection.execute(
            f"SELECT count(*) FROM folder JOIN file ON folder = id WHERE {_BELOW} "
            "AND content IS NOT NULL AND NOT missing",
            _below(path),
        ).fetchone()
        return int(row[0])

    def counts(self) -> dict[str, int]:
        """present and missing files with a content, lesser ones of the present, other files, contents, blank ones."""
        # Each of these is answered by an index, or without looking at any row.
        asked = (
            "count(*) FROM file",
            "count(*) FROM file WHERE content IS NOT NULL",
            "coalesce(sum(missing), 0) FROM file WHERE content IS NOT NULL",
            "count(*) FROM file WHERE content IS NULL AND problem IS NOT NULL",
            "count(*) FROM content",
            "count(*) FROM content WHERE pixels IS NOT NULL",
        )
        files, pictures, missing, troubled, contents, blank = (
            self.connection.execute(f"SELECT {what}").fetchone()[0] for what in asked
        )
        (lesser,) = self.connection.execute(
            f"SELECT count(*) FROM file WHERE better IS NOT NULL AND NOT missing AND {IS_LESSER}"
        ).fetchone()
        return {
            "present": pictures - missing,
            "missing": missing,
            "other": files - pictures - troubled,
            "lesser": lesser,
            "contents": contents,
            "blank": blank,
        }

    def formats(self) -> dict[str, int]:
        rows = self.connection.execute(
            "SELECT format, count(*) FROM file JOIN content ON content.id = content WHERE NOT missing "
            "GROUP BY format ORDER BY count(*) DESC, format"
        )
        return dict(rows.fetchall())

    def recipes(self) -> dict[str, int]:
        counts = {}
        for version in self.keys.versions():
            states = self.keys.states(version)
            counts[f"{version.name} v{version.version}"] = len(states) - states.count(0)
        return counts

    # Forgetting

    def forget(self, path: bytes) -> Forgotten:
        """Drops every row at or below path, roots included, and contents that no file has then. Touches no file."""
        folder, name = os.path.split(path)
        where = (
            f"folder IN (SELECT id FROM folder WHERE {_BELOW}) OR (folder, name) IN "
            "(SELECT id, ? FROM folder WHERE path = ?)"
        )
        values = (*_below(path), name, folder)
        contents = self.connection.execute(
            f"SELECT DISTINCT content FROM file WHERE content IS NOT NULL AND ({where})", values
        ).fetchall()
        (pictures,) = self.connection.execute(f"SELECT count(content) FROM file WHERE {where}", values).fetchone()
        files = self.connection.execute(f"DELETE FROM file WHERE {where}", values).rowcount
        self.connection.execute(f"DELETE FROM folder WHERE {_BELOW}", _below(path))
        roots = self.connection.execute(f"DELETE FROM root WHERE {_BELOW}", _below(path)).rowcount
        self._folder_ids.clear()
        self._families.refresh_below(id for (id,) in contents)
        self.drop_orphans(id for (id,) in contents)
        return Forgotten(pictures, files - pictures, roots)


# As File._make, in a third of its time: there are as many as pictures.
_FILE = partial(tuple.__new__, File)
_CONTENT = partial(tuple.__new__, Content)
_BELOW = "(path = ? OR path >= ? AND path < ?)"
_IS_OURS = "NOT file.missing AND destination IS NULL"
# See diff.KnownFolder.stable; its parameter is the device of diff.compare's moved_to.
_IS_SETTLED = (
    "((?1 IS NULL OR device = ?1) AND NOT missing AND NOT retry AND file.problem IS NULL "
    f"AND looked_ns - mtime_ns NOT BETWEEN {-RACY_NS} AND {RACY_NS})"
)
_IS_PRESENT = (
    f"EXISTS (SELECT 1 FROM file JOIN folder ON folder.id = file.folder WHERE file.content = content.id AND {_IS_OURS})"
)


def _marks(values: Collection[object]) -> str:
    return ",".join("?" * len(values))


def _below(path: bytes) -> tuple[bytes, bytes, bytes]:
    """Values for _BELOW: all paths that start with `path/`, found through the index (no LIKE: names hold % and _)."""
    start = path.rstrip(_SEPARATOR) + _SEPARATOR
    return path, start, start[:-1] + bytes([start[-1] + 1])


def storable(sentence: str | None) -> str | None:
    """A sentence as TEXT can hold it: one with a path in it may have stray bytes, which become escapes."""
    return None if sentence is None else sentence.encode("utf-8", "backslashreplace").decode()


def _blob(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


def _device(number: int | None) -> bytes | None:
    return None if number is None else _blob(number)


def _number(blob: bytes) -> int:
    return int.from_bytes(blob, "big")
