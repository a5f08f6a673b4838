"""Keeps file.superseded_by true: which renditions of a picture a better one replaces, by the rules of clients/families.

A family is not a group of duplicates: the client made all its renditions from one picture, and only the best is shown.
"""

import json
import os
import sqlite3
from collections.abc import Callable, Iterable
from typing import NamedTuple

from hashindex.clients.families import QQ_KINDS, Place, form_of, place_of

IS_SUPERSEDED = (
    "(file.superseded_by IS NOT NULL AND EXISTS (SELECT 1 FROM file AS best WHERE best.content = file.superseded_by "
    "AND best.superseded_by IS NULL AND best.missing <= file.missing))"
)
"""SQL: whether a better rendition of a row of file is there (or, if the row is missing, was there). That one is never
superseded itself, so a picture is never hidden altogether."""


class _Rendition(NamedTuple):
    """A row of file in a family. Rows sort from the best to the worst."""

    missing: int
    troubled: int
    """Its picture does not decode whole: an aborted download supersedes no whole picture."""
    rank: tuple[int, int]
    folder: int
    name: bytes
    content: int
    superseded_by: int | None


class Families:
    """Queries and changes; call a change inside Catalogue.atomic()."""

    def __init__(self, connection: sqlite3.Connection, on_shown: Callable[[int], object]) -> None:
        """on_shown: called with each content that has a file which is no longer superseded."""
        self._connection = connection
        self._on_shown = on_shown

    def refresh(self, paths: Iterable[bytes]) -> None:
        """Finds the best rendition anew in the families of these files. 1 us for a file in no family, else 100 us."""
        done: set[tuple[bytes, bytes]] = set()
        places: dict[bytes, list[tuple[int, Place]]] = {}
        for path in paths:
            folder, name = os.path.split(path)
            place = place_of(folder)
            form = place and form_of(place, name)
            if place is not None and form and (place.base, form.stem) not in done:
                done.add((place.base, form.stem))
                if place.base not in places:
                    places[place.base] = self._places(place.base)
                self._settle(places[place.base], form.stem)

    def refresh_superseded_by(self, contents: Iterable[int]) -> None:
        """Refreshes the families that these contents supersede, for instance after a content lost a file."""
        self.refresh([path for content in contents for path in self._paths_superseded_by(content)])

    def drop(self, contents: Iterable[int]) -> None:
        """Refreshes the families of deleted contents, which supersede nothing any more."""
        paths = []
        for content in contents:
            paths += self._paths_superseded_by(content)
            shown = self._connection.execute(
                "UPDATE file SET superseded_by = NULL WHERE superseded_by = ? RETURNING content", (content,)
            ).fetchall()
            for (rendition,) in shown:
                if rendition is not None:
                    self._on_shown(rendition)
        self.refresh(paths)

    def superseded_files(self, path: bytes) -> list[bytes]:
        """The present files that this one supersedes, best rendition first."""
        folder, name = os.path.split(path)
        place = place_of(folder)
        form = place and form_of(place, name)
        if place is None or not form:
            return []
        places = self._places(place.base)
        rows = sorted(row for row in self._renditions(places, form.stem) if not row.missing)
        own = next((row for row in rows if (row.name, row.rank) == (name, form.rank)), None)
        if own is None or own.superseded_by is not None:
            return []
        paths: dict[int, bytes] = dict(
            self._connection.execute(
                "SELECT id, path FROM folder WHERE id IN (SELECT value FROM json_each(?))",
                (json.dumps([row.folder for row in rows]),),
            ).fetchall()
        )
        return [os.path.join(paths[row.folder], row.name) for row in rows if row.superseded_by == own.content]

    def _paths_superseded_by(self, content: int) -> list[bytes]:
        rows = self._connection.execute(
            "SELECT path, name FROM file JOIN folder ON folder.id = folder WHERE superseded_by = ?", (content,)
        )
        return [os.path.join(folder, name) for folder, name in rows]

    def _settle(self, places: Iterable[tuple[int, Place]], stem: bytes) -> None:
        rows = sorted(self._renditions(places, stem))
        if not rows:
            return
        best = rows[0]
        # The best that is left may be superseded by a picture that was moved away, or copied before it was deleted.
        originals = [row.content for row in rows if row.missing and row.rank < best.rank]
        if best.superseded_by is not None:
            originals.append(best.superseded_by)
        original = next((content for content in originals if content != best.content and self._is_shown(content)), None)
        for row in rows:
            if row is best:
                superseded_by = original
            elif (row.troubled, row.rank) > (best.troubled, best.rank):
                superseded_by = best.content if original is None else original
            else:
                superseded_by = None
            if superseded_by != row.superseded_by:
                self._connection.execute(
                    "UPDATE file SET superseded_by = ? WHERE folder = ? AND name = ?",
                    (superseded_by, row.folder, row.name),
                )
                if superseded_by is None:
                    self._on_shown(row.content)

    def _places(self, base: bytes) -> list[tuple[int, Place]]:
        paths = (base, *(os.path.join(base, kind) for kind in QQ_KINDS))
        rows = self._connection.execute(
            f"SELECT id, path FROM folder WHERE path IN ({','.join('?' * len(paths))})", paths
        )
        found = [(folder, place_of(path)) for folder, path in rows]
        return [(folder, place) for folder, place in found if place is not None and place.base == base]

    def _renditions(self, places: Iterable[tuple[int, Place]], stem: bytes) -> Iterable[_Rendition]:
        for folder, place in places:
            # Two ranges of the key, one a case: a case-insensitive comparison would read the whole folder.
            for start in {stem, stem.upper()}:
                rows = self._connection.execute(
                    "SELECT missing, content.problem IS NOT NULL, name, content, superseded_by FROM file "
                    "JOIN content ON content.id = content WHERE folder = ? AND name >= ? AND name < ?",
                    (folder, start, start[:-1] + bytes([start[-1] + 1])),
                )
                for missing, troubled, name, content, superseded_by in rows.fetchall():
                    form = form_of(place, name)
                    if form is not None:
                        yield _Rendition(missing, troubled, form.rank, folder, name, content, superseded_by)

    def _is_shown(self, content: int) -> bool:
        row = self._connection.execute(
            "SELECT 1 FROM file WHERE content = ? AND superseded_by IS NULL AND NOT missing LIMIT 1", (content,)
        ).fetchone()
        return row is not None
