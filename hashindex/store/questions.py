"""What other parts of hashindex ask the catalogue about files and contents. Changes nothing."""

import json
import os
from collections.abc import Collection, Iterable, Iterator
from functools import partial
from typing import Any, NamedTuple

from hashindex.core.model import Content, File, Problem, State
from hashindex.store.columns import IS_BELOW, IS_OURS, SEPARATOR, below
from hashindex.store.contents import Pipeline
from hashindex.store.families import IS_SUPERSEDED
from hashindex.store.folders import FolderStore

Rank = tuple[int, bytes]
"""Of a content: larger files come first, then the digest decides."""


class CheckedFile(NamedTuple):
    """What `hashindex check` compares a present file with."""

    path: bytes
    size: int
    mtime_ns: int
    digest: bytes
    content: int
    has_hashes: bool
    """Whether its content could be decoded when it was scanned."""


class Questions(FolderStore):
    """The part of Catalogue that only reads."""

    # Contents

    def hashes_of(self, content: int) -> dict[tuple[str, int], int]:
        """The hashes of a content by (name, version)."""
        return {
            (version.name, version.version): int.from_bytes(value, "big")
            for version, value in self.keys.of(content).items()
        }

    def low_detail_contents(self, among: Collection[int] | None = None) -> dict[int, bytes]:
        """Contents with too little detail for hashes -> the digest of their pixels. among: only these contents."""
        within, values = _within("id", among)
        rows = self.connection.execute(f"SELECT id, pixels FROM content WHERE pixels IS NOT NULL{within}", values)
        return dict(rows.fetchall())

    def with_equal_pixels(self, contents: Collection[int]) -> set[int]:
        """Contents with too little detail for hashes whose pixels are those of one of these."""
        rows = self.connection.execute(
            "SELECT id FROM content WHERE pixels IN (SELECT pixels FROM content WHERE pixels IS NOT NULL "
            "AND id IN (SELECT value FROM json_each(?)))",
            (json.dumps(list(contents)),),
        )
        return {id for (id,) in rows}

    def has_low_detail(self) -> dict[int, bool]:
        """Every content -> whether it has too little detail for hashes."""
        rows = self.connection.execute("SELECT id, pixels IS NOT NULL FROM content")
        return {id: bool(low) for id, low in rows}

    def pixels_of(self, content: int) -> bytes | None:
        """The digest of the pixels of a content with too little detail; None for another content."""
        row = self.connection.execute("SELECT pixels FROM content WHERE id = ?", (content,)).fetchone()
        return None if row is None else row[0]

    def contents_with_pixels(self, pixels: bytes) -> list[int]:
        rows = self.connection.execute("SELECT id FROM content WHERE pixels = ?", (pixels,))
        return [id for (id,) in rows]

    def repeated_contents(self, among: Collection[int] | None = None) -> list[int]:
        """Contents of two or more rows of file, present or missing. among: only these contents."""
        within, values = _within("content", among)
        rows = self.connection.execute(
            f"SELECT content FROM file WHERE content IS NOT NULL{within} GROUP BY content HAVING count(*) > 1", values
        )
        return [id for (id,) in rows]

    def superseded_contents(self, among: Collection[int] | None = None) -> set[int]:
        """Contents whose files are all superseded, see families.py: none of them is shown. among: only these."""
        within, values = _within("rendition.content", among)
        shown = (
            f"SELECT 1 FROM file WHERE file.content = rendition.content AND NOT file.missing AND NOT {IS_SUPERSEDED}"
        )
        rows = self.connection.execute(
            "SELECT DISTINCT content FROM file AS rendition "
            f"WHERE superseded_by IS NOT NULL{within} AND NOT EXISTS ({shown})",
            values,
        )
        return {id for (id,) in rows}

    def digests_of(self, contents: Collection[int]) -> dict[int, bytes]:
        """The digests of these contents; deleted contents are left out."""
        rows = self.connection.execute(
            "SELECT id, digest FROM content WHERE id IN (SELECT value FROM json_each(?))",
            (json.dumps(list(contents)),),
        )
        return dict(rows.fetchall())

    def digests_below(self, folder: bytes) -> list[bytes]:
        """The digests of the contents of present files at or below a folder."""
        rows = self.connection.execute(
            "SELECT DISTINCT digest FROM folder JOIN file ON file.folder = folder.id "
            f"JOIN content ON content.id = content WHERE {IS_BELOW} AND NOT missing",
            below(folder),
        )
        return [digest for (digest,) in rows]

    def ranks_of(self, contents: Collection[int]) -> dict[int, Rank]:
        """An order of these contents that is the same in every catalogue; deleted contents are left out."""
        rows = self.connection.execute(
            "SELECT id, -size, digest FROM content WHERE id IN (SELECT value FROM json_each(?))",
            (json.dumps(list(contents)),),
        )
        return {id: (size, digest) for id, size, digest in rows}

    def animations_among(self, contents: Collection[int]) -> set[int]:
        """Those of these contents that have several frames, or pages."""
        rows = self.connection.execute(
            "SELECT id FROM content WHERE frames > 1 AND id IN (SELECT value FROM json_each(?))",
            (json.dumps(list(contents)),),
        )
        return {id for (id,) in rows}

    def areas_of(self, contents: Collection[int]) -> dict[int, int]:
        """Width times height of these contents, in pixels."""
        rows = self.connection.execute(
            "SELECT id, width * height FROM content WHERE id IN (SELECT value FROM json_each(?))",
            (json.dumps(list(contents)),),
        )
        return dict(rows.fetchall())

    def shapes_of(self, contents: Collection[int]) -> dict[int, tuple[int, int, int]]:
        """Width, height and number of frames of these contents."""
        rows = self.connection.execute(
            "SELECT id, width, height, frames FROM content WHERE id IN (SELECT value FROM json_each(?))",
            (json.dumps(list(contents)),),
        )
        return {id: (width, height, frames) for id, width, height, frames in rows}

    def content_problem(self, digest: bytes) -> str | None:
        row = self.connection.execute("SELECT problem FROM content WHERE digest = ?", (digest,)).fetchone()
        return None if row is None else row[0]

    def was_decoded_by(self, pipeline: Pipeline, content: int, digest: bytes) -> bool:
        """Whether the content has this digest and was decoded and hashed by these versions."""
        row = self.connection.execute(
            "SELECT recipes FROM content JOIN pipeline ON pipeline.id = pipeline "
            "WHERE content.id = ? AND digest = ? AND decoder = ?",
            (content, digest, pipeline.decoder),
        ).fetchone()
        return row is not None and row[0] == pipeline.recipe_names

    # Files

    def files_of(self, contents: Iterable[int], *, all: bool = False, family: bool = False) -> dict[int, list[File]]:
        """The present files outside destinations of these contents, by content, then by path.

        all: files that are missing or in destinations too. family: superseded files too, see families.py. A content
        without files is left out. 4 us a file.
        """
        found: dict[int, list[File]] = {}
        wanted = "content.id IN (SELECT value FROM json_each(?))"
        if not family:
            wanted += f" AND NOT {IS_SUPERSEDED}"
        for file in self._files(wanted if all else f"{wanted} AND {IS_OURS}", (json.dumps(list(contents)),)):
            found.setdefault(file.content.id, []).append(file)
        for files in found.values():
            if len(files) > 1:
                files.sort()
        return found

    def seen_since(self, first_seen_ns: int) -> set[bytes]:
        """Paths of the present pictures that were first seen at this time or later."""
        rows = self.connection.execute(
            "SELECT path, name FROM file JOIN folder ON folder.id = folder "
            "WHERE first_seen_ns >= ? AND content IS NOT NULL AND NOT missing",
            (first_seen_ns,),
        )
        return {os.path.join(folder, name) for folder, name in rows}

    def file_at(self, path: bytes) -> File | None:
        """The file with this path, present or missing; None if no scan found a picture there."""
        folder, name = os.path.split(path)
        row = self.connection.execute(
            "SELECT content FROM folder JOIN file ON folder = folder.id WHERE path = ? AND name = ?", (folder, name)
        ).fetchone()
        found = [] if row is None else self._files("content.id = ? AND path = ? AND name = ?", (row[0], folder, name))
        return next(iter(found), None)

    def present_pictures(self) -> Iterator[File]:
        """Every present picture outside destinations that is not superseded (see families.py), by path."""
        yield from sorted(self._files(f"{IS_OURS} AND NOT {IS_SUPERSEDED}"))

    def unread_pictures(self, reader: str, below_folder: bytes | None = None) -> list[File]:
        """One present file, the first by path, of each content that a reader has not read, by path; see WordStore.put.

        below_folder: only files in or below this folder. Superseded files and pictures that cannot be decoded are left
        out; files in destinations are not.
        """
        where = (
            f"NOT missing AND NOT {IS_SUPERSEDED} AND (content.problem IS NULL OR pixels IS NOT NULL OR detail > 0) "
            "AND NOT EXISTS (SELECT 1 FROM picture_text WHERE digest = content.digest AND reader = ?)"
        )
        values: tuple[object, ...] = (reader,)
        if below_folder is not None:
            where, values = f"{where} AND {IS_BELOW}", (reader, *below(below_folder))
        first: dict[int, File] = {}
        for file in sorted(self._files(where, values)):
            first.setdefault(file.content.id, file)
        return list(first.values())

    def files_below(self, path: bytes | None, *, missing: bool) -> Iterator[File]:
        """Every picture at or below a folder (None: in the catalogue), folder by folder, by path and name.

        missing: also pictures that are gone.
        """
        where, values = ("TRUE", ()) if path is None else (IS_BELOW, below(path))
        folders = self.connection.execute(f"SELECT id FROM folder WHERE {where} ORDER BY path", values).fetchall()
        for folder in folders:
            rows = self.connection.execute(
                f"SELECT {_FILE_COLUMNS} FROM file JOIN folder ON folder.id = folder "
                "JOIN content ON content.id = content "
                f"WHERE folder = ? {'' if missing else 'AND NOT missing'} ORDER BY name",
                folder,
            )
            yield from _as_files(rows)

    def paths_of(self, content: int) -> Iterator[tuple[bytes, bool, bool]]:
        """(path, whether it is missing, whether it lies in a destination) of every file of a content.

        Superseded files are left out, see families.py: the rendition that supersedes them looks the same.
        """
        rows = self.connection.execute(
            "SELECT path, name, missing, destination IS NOT NULL FROM file JOIN folder ON folder.id = folder "
            f"WHERE content = ? AND NOT {IS_SUPERSEDED}",
            (content,),
        )
        return ((os.path.join(folder, name), bool(missing), bool(placed)) for folder, name, missing, placed in rows)

    def is_superseded(self, path: bytes) -> bool:
        """Whether a better rendition of the same picture is there, see families.py."""
        folder, name = os.path.split(path)
        row = self.connection.execute(
            f"SELECT 1 FROM file JOIN folder ON folder.id = folder WHERE path = ? AND name = ? AND {IS_SUPERSEDED}",
            (folder, name),
        ).fetchone()
        return row is not None

    def superseded_files(self, path: bytes) -> list[bytes]:
        """The present files that a file supersedes, best rendition first."""
        return self._families.superseded_files(path)

    def files_to_check(self) -> Iterator[CheckedFile]:
        """Every present file with a content."""
        rows = self.connection.execute(
            "SELECT path, name, file.size, mtime_ns, digest, content.id, "
            "content.problem IS NULL OR pixels IS NOT NULL OR detail > 0 "
            "FROM file JOIN content ON content.id = content JOIN folder ON folder.id = folder WHERE NOT missing"
        )
        return (
            CheckedFile(os.path.join(folder, name), size, mtime_ns, digest, content, bool(decoded))
            for folder, name, size, mtime_ns, digest, content, decoded in rows
        )

    def _files(self, condition: str, values: tuple[object, ...] = ()) -> Iterator[File]:
        # CROSS JOIN makes SQLite begin with content: its planner does not know how few contents are wanted.
        rows = self.connection.execute(
            f"SELECT {_FILE_COLUMNS} FROM content CROSS JOIN file ON content = content.id "
            f"CROSS JOIN folder ON folder = folder.id WHERE {condition}",
            values,
        )
        yield from _as_files(rows)

    # Problems and counts

    def problems(self) -> list[Problem]:
        """Every root, folder and present file that could not be read or decoded, by path.

        An unfinished download is left out if a whole rendition of the picture is there, see families.py.
        """
        rows = self.connection.execute(
            "SELECT path, problem FROM root WHERE problem IS NOT NULL "
            "UNION ALL SELECT path, problem FROM folder WHERE problem IS NOT NULL"
        )
        found = [Problem(path, problem) for path, problem in rows]
        # Two queries, each with its own small index; one with OR would use neither.
        for source in (
            "file JOIN folder ON folder.id = folder WHERE file.problem IS NOT NULL",
            # CROSS JOIN makes SQLite begin with the few contents.
            "content CROSS JOIN file ON content = content.id JOIN folder ON folder.id = folder "
            f"WHERE content.problem IS NOT NULL AND NOT {IS_SUPERSEDED}",
        ):
            column = "content" if source.startswith("content") else "file"
            rows = self.connection.execute(f"SELECT path, name, {column}.problem FROM {source} AND NOT missing")
            found.extend(Problem(os.path.join(folder, name), problem) for folder, name, problem in rows)
        return sorted(found, key=lambda problem: problem.path_bytes)

    def count_present_below(self, path: bytes) -> int:
        """Counts the present pictures at or below path."""
        row = self.connection.execute(
            f"SELECT count(*) FROM folder JOIN file ON folder = id WHERE {IS_BELOW} "
            "AND content IS NOT NULL AND NOT missing",
            below(path),
        ).fetchone()
        return int(row[0])

    def counts(self) -> dict[str, int]:
        """Counts of pictures that are present, missing or (of the present) superseded, of other files, of contents, and
        of contents with low detail.
        """
        # An index answers each of these, or SQLite reads no row at all.
        asked = (
            "count(*) FROM file",
            "count(*) FROM file WHERE content IS NOT NULL",
            "coalesce(sum(missing), 0) FROM file WHERE content IS NOT NULL",
            "count(*) FROM file WHERE content IS NULL AND problem IS NOT NULL",
            "count(*) FROM content",
            "count(*) FROM content WHERE pixels IS NOT NULL",
        )
        files, pictures, missing, troubled, contents, low_detail = (
            self.connection.execute(f"SELECT {what}").fetchone()[0] for what in asked
        )
        (superseded,) = self.connection.execute(
            f"SELECT count(*) FROM file WHERE superseded_by IS NOT NULL AND NOT missing AND {IS_SUPERSEDED}"
        ).fetchone()
        return {
            "present": pictures - missing,
            "missing": missing,
            "other": files - pictures - troubled,
            "superseded": superseded,
            "contents": contents,
            "low_detail": low_detail,
        }

    def formats(self) -> dict[str, int]:
        """Counts of present pictures by format, most frequent first."""
        rows = self.connection.execute(
            "SELECT format, count(*) FROM file JOIN content ON content.id = content WHERE NOT missing "
            "GROUP BY format ORDER BY count(*) DESC, format"
        )
        return dict(rows.fetchall())

    def recipes(self) -> dict[str, int]:
        """Counts of contents by recipe ("phash v2")."""
        counts = {}
        for version in self.keys.versions():
            states = self.keys.states(version)
            counts[f"{version.name} v{version.version}"] = len(states) - states.count(0)
        return counts


def _within(column: str, among: Collection[int] | None) -> tuple[str, tuple[str, ...]]:
    """A condition, and its values, that a column has one of these ids; no condition for None."""
    if among is None:
        return "", ()
    return f" AND {column} IN (SELECT value FROM json_each(?))", (json.dumps(list(among)),)


# As File._make, in a third of its time.
_FILE = partial(tuple.__new__, File)
_CONTENT = partial(tuple.__new__, Content)


_FILE_COLUMNS = (
    "path, name, file.size, mtime_ns, missing, last_seen_ns, content.id, digest, content.size, format, "
    "width, height, frames, duration_ms, detail, pixels, content.problem"
)


def _as_files(rows: Iterable[tuple[Any, ...]]) -> Iterator[File]:
    """Rows of _FILE_COLUMNS as files."""
    states = (State.PRESENT, State.MISSING)
    for row in rows:
        folder, name, size, mtime_ns, missing, last_seen_ns = row[:6]
        # os.path.join would take longer than all other work on a row.
        path = folder + name if folder.endswith(SEPARATOR) else folder + SEPARATOR + name
        yield _FILE((path, size, mtime_ns, states[missing], last_seen_ns, _CONTENT(row[6:])))
