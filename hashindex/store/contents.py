"""The rows of files and contents as a scan reads and writes them. Touches no file on disk."""

import os
from collections.abc import Collection, Iterable, Mapping
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

from hashindex.core.messages import COMPARE_KEYS_VERSION, Arrival, CompareKeys, Examined, FileStat, Settled
from hashindex.core.model import Decoded
from hashindex.disk.diff import RACY_NS, KnownFile, KnownFolder
from hashindex.hashing.recipes import Recipe
from hashindex.store.columns import IS_OURS, blob, marks, storable
from hashindex.store.folders import FolderStore


class Pipeline(NamedTuple):
    """The versions that make the row of a content: of the decoder, of all recipes and of compare keys."""

    decoder: str
    recipes: tuple[Recipe, ...]

    @property
    def recipe_names(self) -> str:
        return _names_of(self.recipes)


def _names_of(recipes: Iterable[Recipe]) -> str:
    names = [f"{recipe.name}.{recipe.version}" for recipe in recipes]
    return " ".join([*names, f"compare_keys.{COMPARE_KEYS_VERSION}"])


class Recorded(NamedTuple):
    """What a batch of examined files changed."""

    lost: list[Examined]
    """Files of a known content that another process forgot meanwhile: they must be examined again."""
    replaced: set[int]
    """Contents that a file no longer has."""
    arrived: list[Arrival]


class ContentStore(FolderStore):
    """The part of Catalogue that a scan uses."""

    # What is known

    def known_files(self, folders: Collection[bytes], moved_to: int | None) -> dict[bytes, KnownFolder]:
        """All known files of these folders; folders without known files are left out.

        moved_to: see diff.compare. One query for many folders: a query is a transaction of its own, which takes longer
        than reading two rows.
        """
        rows = self.connection.execute(
            f"SELECT path, name, size, mtime_ns, content, {_IS_SETTLED}, ctime_ns "
            f"FROM folder CROSS JOIN file ON folder = id WHERE path IN ({marks(folders)}) ORDER BY path",
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
        """Folder, name and the fields of KnownFile of every file in these folders that is not settled."""
        if not folders:
            return ()
        return self.connection.execute(
            "SELECT path, name, size, mtime_ns, looked_ns, device IS NOT coalesce(?1, device), content, "
            "file.problem, retry, missing, ctime_ns "
            f"FROM folder CROSS JOIN file ON folder = id WHERE NOT {_IS_SETTLED} AND path IN ({marks(folders)})",
            (_device(moved_to), *folders),
        )

    def known_names(self, folder: bytes, names: Iterable[bytes]) -> KnownFolder:
        """What is known of these names in a folder, none of it as settled."""
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
        """Names of the present files of a folder."""
        rows = self.connection.execute(
            "SELECT name FROM folder JOIN file ON folder = id WHERE path = ? AND NOT missing", (folder,)
        )
        return [name for (name,) in rows]

    def present_names_of(self, content: int) -> list[tuple[bytes, bytes]]:
        """(folder, name) of every present file of a content."""
        rows = self.connection.execute(
            "SELECT path, name FROM file JOIN folder ON folder.id = folder WHERE content = ? AND NOT missing",
            (content,),
        )
        return rows.fetchall()

    def content_with(self, digest: bytes) -> int | None:
        """The id of the content with this digest."""
        row = self.connection.execute("SELECT id FROM content WHERE digest = ?", (digest,)).fetchone()
        return None if row is None else int(row[0])

    def known_digests(self, sizes: Collection[int], stale: Collection[int]) -> set[bytes]:
        """Digests of the contents with these sizes. stale: contents to leave out."""
        rows = self.connection.execute(f"SELECT id, digest FROM content WHERE size IN ({marks(sizes)})", tuple(sizes))
        return {digest for id, digest in rows if id not in stale}

    def stale_contents(self, pipeline: Pipeline) -> set[int]:
        """Contents to decode again: those hashed by other recipes, and those that another decoder failed to decode.

        A TIFF of another decoder is stale too: this one may recognise a camera raw, or read more pages.
        """
        rows = self.connection.execute("SELECT id, decoder FROM pipeline").fetchall()
        stale: set[int] = set()
        # There is nearly always one pipeline only, and then the contents are not read.
        for other in (id for id, decoder in rows if decoder != pipeline.decoder):
            found = self.connection.execute(
                "SELECT id FROM content WHERE pipeline = ? AND (problem IS NOT NULL OR format = 'tiff')", (other,)
            )
            stale.update(id for (id,) in found)
        return stale | self._hashed_by_others(pipeline.recipe_names, "1")

    def outdated(self, recipes: Iterable[Recipe]) -> int:
        """Counts the contents with a present file and hashes of other recipes than these."""
        return len(self._hashed_by_others(_names_of(recipes), _IS_PRESENT))

    def _hashed_by_others(self, recipe_names: str, condition: str) -> set[int]:
        rows = self.connection.execute("SELECT id, recipes FROM pipeline").fetchall()
        others = [id for id, names in rows if names != recipe_names]
        if not others:
            return set()
        # Asked of the keys, because a content that was decoded in part has a problem and hashes.
        has_key = self.keys.has_key()
        found = (
            self.connection.execute(f"SELECT id FROM content WHERE pipeline = ? AND {condition}", (other,))
            for other in others
        )
        return {id for rows in found for (id,) in rows if id < len(has_key) and has_key[id]}

    # Changes

    def record(
        self,
        batch: Collection[Examined],
        hashes: Mapping[bytes, Mapping[str, bytes]],
        compare_keys: Mapping[bytes, CompareKeys],
        pipeline: Pipeline,
        run_ns: int,
    ) -> Recorded:
        """Writes what workers found.

        hashes: values by digest, then by name of the recipe. compare_keys: by digest.
        """
        pipeline_id = self._pipeline(pipeline)
        values: dict[int, Mapping[str, bytes]] = {}
        keys_of: dict[int, CompareKeys] = {}
        low_detail: set[int] = set()
        lost: list[Examined] = []
        replaced: set[int] = set()
        arrived: list[Arrival] = []
        for examined in batch:
            folder, name = os.path.split(examined.path)
            if examined.vanished:
                continue
            content = None
            if examined.digest is not None and examined.stat is not None:
                content = self.content_with(examined.digest)
                if examined.decoded is not None:
                    content = self._put_content(content, examined, examined.decoded, pipeline_id)
                    values[content] = hashes.get(examined.digest, {})
                    if examined.digest in compare_keys:
                        keys_of[content] = compare_keys[examined.digest]
                    if examined.decoded.pixels is not None:
                        low_detail.add(content)
                elif content is None:
                    lost.append(examined)
                    continue
            before, was_missing = self._put_file(self._folder(folder), name, examined, content, run_ns)
            if before is not None and before != content:
                replaced.add(before)
            if content is not None and (before != content or was_missing):
                arrived.append(Arrival(examined.path, content, before))
        self._families.refresh(examined.path for examined in batch if not examined.vanished)
        self._families.refresh_superseded_by(replaced)
        for recipe in pipeline.recipes:
            self._put_recipe(recipe)
        self.keys.put(values, low_detail, {recipe.name: recipe.version for recipe in pipeline.recipes})
        self.verdicts.drop(values.keys() - keys_of.keys())
        self.verdicts.put_compare_keys(keys_of)
        return Recorded(lost, replaced, arrived)

    def put_special(self, path: bytes, problem: str, now_ns: int, run_ns: int) -> bool:
        """Writes a row for a special file with the name of a picture. Returns whether the problem is a new one."""
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
        """Makes the next scan read a file even if it is unchanged. Its row stays until then."""
        folder, name = os.path.split(path)
        self.connection.execute(
            "UPDATE file SET retry = 1 WHERE folder = (SELECT id FROM folder WHERE path = ?) AND name = ?",
            (folder, name),
        )

    def mark_back(self, folder: bytes, names: Collection[bytes]) -> None:
        """Marks missing files as present again."""
        id = self._known_folder(folder)
        self.connection.executemany(
            "UPDATE file SET missing = 0 WHERE folder = ? AND name = ?", ((id, name) for name in names)
        )
        self._families.refresh(os.path.join(folder, name) for name in names)

    def settle_gone(self, gone: Iterable[tuple[bytes, bytes, int]], run_ns: int) -> Settled:
        """Decides what became of files that are gone, given as (folder, name, time when last seen).

        If this run found the picture under a new path, it was moved, and the new row takes over its history. Another
        picture is marked missing and keeps its hashes. The row of anything else is deleted.
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
            # first_seen_ns of the rows that this run added is run_ns.
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
        self._families.refresh_superseded_by(contents)
        return settled

    def drop_file(self, path: bytes) -> None:
        """Deletes the row of a file; its content stays."""
        folder, name = os.path.split(path)
        dropped = self.connection.execute(
            "DELETE FROM file WHERE folder = (SELECT id FROM folder WHERE path = ?) AND name = ? RETURNING content",
            (folder, name),
        ).fetchall()
        self._families.refresh_superseded_by(content for (content,) in dropped if content is not None)

    def drop_orphans(self, contents: Iterable[int]) -> None:
        """Deletes those of these contents that no row of file refers to."""
        dropped = []
        digests = []
        for id in contents:
            # A placed content is kept for its hashes, by which a new copy finds its number.
            used = "SELECT 1 FROM file WHERE content = ? UNION ALL SELECT 1 FROM content "
            used += "JOIN placed ON placed.digest = content.digest WHERE content.id = ? LIMIT 1"
            if self.connection.execute(used, (id, id)).fetchone() is None:
                gone = self.connection.execute("DELETE FROM content WHERE id = ? RETURNING digest", (id,)).fetchall()
                digests += [digest for (digest,) in gone]
                dropped.append(id)
        self.keys.drop(dropped)
        self.verdicts.drop(dropped)
        self.standings.drop(dropped)
        self.words.drop(digests)
        self._families.drop(dropped)

    # Rows

    def _path(self, folder: int, name: bytes) -> bytes:
        row = self.connection.execute("SELECT path FROM folder WHERE id = ?", (folder,)).fetchone()
        return os.path.join(row[0], name)

    def _pipeline(self, pipeline: Pipeline) -> int:
        key = (pipeline.decoder, pipeline.recipe_names)
        self.connection.execute("INSERT INTO pipeline (decoder, recipes) VALUES (?, ?) ON CONFLICT DO NOTHING", key)
        row = self.connection.execute("SELECT id FROM pipeline WHERE decoder = ? AND recipes = ?", key).fetchone()
        return int(row[0])

    def _put_recipe(self, recipe: Recipe) -> None:
        self.connection.execute(
            "INSERT INTO recipe (name, bits, version) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
            (recipe.name, recipe.bits, recipe.version),
        )

    def _put_content(self, id: int | None, examined: Examined, decoded: Decoded, pipeline: int) -> int:
        described = (
            decoded.format,
            decoded.width,
            decoded.height,
            decoded.frames,
            decoded.duration_ms,
            decoded.detail,
            decoded.pixels,
            storable(decoded.problem),
            pipeline,
        )
        if id is not None:
            self.connection.execute(
                "UPDATE content SET format = ?, width = ?, height = ?, frames = ?, duration_ms = ?, detail = ?, "
                "pixels = ?, problem = ?, pipeline = ? WHERE id = ?",
                (*described, id),
            )
            return id
        assert examined.stat is not None
        cursor = self.connection.execute(
            "INSERT INTO content (format, width, height, frames, duration_ms, detail, pixels, problem, pipeline, "
            "digest, size) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (*described, examined.digest, examined.stat.size),
        )
        return cursor.lastrowid or 0

    def _put_file(
        self, folder: int, name: bytes, examined: Examined, content: int | None, run_ns: int
    ) -> tuple[int | None, bool]:
        """Writes a row. Returns the content that the row had before, and whether it was marked missing."""
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
                blob(seen.device),
                blob(seen.inode),
                content,
                storable(examined.problem),
                examined.retry,
                examined.looked_ns,
                run_ns,
                examined.looked_ns,
            ),
        )
        return (None, False) if before is None else (before[0], bool(before[1]))


# See diff.KnownFolder.settled. The parameter is the device of diff.compare's moved_to.
_IS_SETTLED = (
    "((?1 IS NULL OR device = ?1) AND NOT missing AND NOT retry AND file.problem IS NULL "
    f"AND looked_ns - mtime_ns NOT BETWEEN {-RACY_NS} AND {RACY_NS})"
)
_IS_PRESENT = (
    f"EXISTS (SELECT 1 FROM file JOIN folder ON folder.id = file.folder WHERE file.content = content.id AND {IS_OURS})"
)


def _device(number: int | None) -> bytes | None:
    return None if number is None else blob(number)
