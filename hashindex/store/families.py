"""Which files are one picture in several sizes, as chat clients keep them, and which of those stands for the others.

A family is not a duplicate: it is told by folder and name alone (QQ writes the original's MD5 into the name of every
size of it), and reaches no further than one month's folder. The rules are pure; Families keeps what they come to in
the catalogue: file.better, the content that a lesser file is a smaller or unfinished form of. Touches no file.
"""

import json
import os
import re
import sqlite3
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import NamedTuple

# QQ NT: {Pic,Emoji/emoji-recv}/2024-05/{Ori,OriTemp,Thumb,ThumbTemp}/MD5[_SIZE].gif, and personal_emoji without months.
_QQ_KINDS = {b"Ori": 0, b"OriTemp": 1, b"Thumb": 2, b"ThumbTemp": 3}
_QQ_NAME = re.compile(rb"([0-9a-fA-F]{32})(?:_(\d{1,9}))?\.?\w*")
# WeChat 4: msg/attach/MD5 of the chat/2024-05/Img/NAME.dat, NAME_t.dat (thumbnail), NAME_h.dat (high definition).
_WECHAT_KINDS = {b"_h": 0, b"": 1, b"_t": 2}
_WECHAT_NAME = re.compile(rb"([0-9a-fA-F]{32})(_[ht]|)\.dat", re.IGNORECASE)
_MONTH = re.compile(rb"\d{4}-\d{2}")
_STEM = 32
_UNNUMBERED = 10**9


class Place(NamedTuple):
    """A folder that holds files of families. base: the path that all folders of one family have in common."""

    base: bytes
    kind: int
    """Rank of the folder in QQ's layout, 0 the best; -1 in WeChat's, where the name tells."""


class Form(NamedTuple):
    """One file of a family. rank: the lower, the better a form of the picture it is."""

    stem: bytes
    """What all names of the family begin with, in lower case."""
    rank: tuple[int, int]


@lru_cache(maxsize=4096)
def place_of(folder: bytes) -> Place | None:
    """Whether a folder's path is one in which a client keeps a picture in several sizes; None if not. Cached."""
    above, last = os.path.split(folder)
    upper = os.path.basename(above)
    if last in _QQ_KINDS and (upper == b"personal_emoji" or _MONTH.fullmatch(upper)):
        return Place(above, _QQ_KINDS[last])
    return Place(folder, -1) if last == b"Img" and _MONTH.fullmatch(upper) else None


def form_of(place: Place, name: bytes) -> Form | None:
    """What a file there is by its name: Ori before OriTemp before Thumb, in each no number before _720 before _0."""
    if place.kind < 0:
        match = _WECHAT_NAME.fullmatch(name)
        return match and Form(match[1].lower(), (_WECHAT_KINDS[match[2].lower()], 0))
    match = _QQ_NAME.fullmatch(name)
    if match is None:
        return None
    size = _UNNUMBERED if match[2] is None else int(match[2])
    return Form(match[1].lower(), (place.kind, -size))


class _FamilyRow(NamedTuple):
    """A file of a family as the catalogue knows it. Rows sort from the best to the least."""

    missing: int
    troubled: int
    """Its picture does not decode whole: a download that broke off stands for nothing that is whole."""
    rank: tuple[int, int]
    folder: int
    name: bytes
    content: int
    better: int | None


class Families:
    """Keeps file.better true; every change belongs inside the catalogue's atomic()."""

    def __init__(
        self, connection: sqlite3.Connection, on_shown: Callable[[int], object] = lambda content: None
    ) -> None:
        """on_shown hears of contents of which a file is lesser no more."""
        self._connection = connection
        self._on_shown = on_shown

    def refresh(self, paths: Iterable[bytes]) -> None:
        """Says anew who is best in the families of these files. Others cost 1 us a path, a family about 100."""
        met: set[tuple[bytes, bytes]] = set()
        places: dict[bytes, list[tuple[int, Place]]] = {}
        for path in paths:
            folder, name = os.path.split(path)
            place = place_of(folder)
            form = place and form_of(place, name)
            if place is not None and form and (place.base, form.stem) not in met:
                met.add((place.base, form.stem))
                if place.base not in places:
                    places[place.base] = self._places(place.base)
                self._settle(places[place.base], form.stem)

    def refresh_everything(self) -> None:
        """The same for every file there is: after a migration. 100 us a family, 34 a file."""
        folders = self._connection.execute("SELECT id, path FROM folder").fetchall()
        self.refresh(path for folder in folders if place_of(folder[1]) for path in self._paths_in(*folder))

    def _paths_in(self, folder: int, path: bytes) -> list[bytes]:
        names = self._connection.execute("SELECT name FROM file WHERE folder = ?", (folder,)).fetchall()
        return [os.path.join(path, name) for (name,) in names]

    def refresh_below(self, contents: Iterable[int]) -> None:
        """The same for families that one of these contents stands for, as after it lost a file."""
        self.refresh([path for content in contents for path in self._lesser_than(content)])

    def drop(self, contents: Iterable[int]) -> None:
        """These contents are no more: nothing is less than they are. A number may be given to another content."""
        paths = []
        for content in contents:
            paths += self._lesser_than(content)
            freed = self._connection.execute(
                "UPDATE file SET better = NULL WHERE better = ? RETURNING content", (content,)
            ).fetchall()
            for (lesser,) in freed:
                if lesser is not None:
                    self._on_shown(lesser)
        self.refresh(paths)

    def lesser_forms(self, path: bytes) -> list[bytes]:
        """Files of the same family that are there and that this one stands for, the best of them first."""
        folder, name = os.path.split(path)
        place = place_of(folder)
        form = place and form_of(place, name)
        if place is None or not form:
            return []
        places = self._places(place.base)
        rows = sorted(row for row in self._rows(places, form.stem) if not row.missing)
        own = next((row for row in rows if (row.name, row.rank) == (name, form.rank)), None)
        if own is None or own.better is not None:
            return []
        paths: dict[int, bytes] = dict(
            self._connection.execute(
                "SELECT id, path FROM folder WHERE id IN (SELECT value FROM json_each(?))",
                (json.dumps([row.folder for row in rows]),),
            ).fetchall()
        )
        return [os.path.join(paths[row.folder], row.name) for row in rows if row.better == own.content]

    def _lesser_than(self, content: int) -> list[bytes]:
        rows = self._connection.execute(
            "SELECT path, name FROM file JOIN folder ON folder.id = folder WHERE better = ?", (content,)
        )
        return [os.path.join(folder, name) for folder, name in rows]

    def _settle(self, places: Iterable[tuple[int, Place]], stem: bytes) -> None:
        rows = sorted(self._rows(places, stem))
        if not rows:
            return
        best = rows[0]
        # The best that is left may itself be less than a picture that was moved away, or copied before it went.
        originals = [row.content for row in rows if row.missing and row.rank < best.rank]
        if best.better is not None:
            originals.append(best.better)
        above = next((content for content in originals if content != best.content and self._is_there(content)), None)
        stands = best.content if above is None else above
        for row in rows:
            if row is best:
                better = above
            else:
                better = stands if (row.troubled, row.rank) > (best.troubled, best.rank) else None
            if better != row.better:
                self._connection.execute(
                    "UPDATE file SET better = ? WHERE folder = ? AND name = ?", (better, row.folder, row.name)
                )
                if better is None:
                    self._on_shown(row.content)

    def _places(self, base: bytes) -> list[tuple[int, Place]]:
        paths = (base, *(os.path.join(base, kind) for kind in _QQ_KINDS))
        rows = self._connection.execute(
            f"SELECT id, path FROM folder WHERE path IN ({','.join('?' * len(paths))})", paths
        )
        found = [(folder, place_of(path)) for folder, path in rows]
        return [(folder, place) for folder, place in found if place is not None and place.base == base]

    def _rows(self, places: Iterable[tuple[int, Place]], stem: bytes) -> Iterable[_FamilyRow]:
        for folder, place in places:
            # Case-folded: two ranges of the key, where a comparison in SQL would read the whole folder.
            for start in {stem, stem.upper()}:
                rows = self._connection.execute(
                    "SELECT missing, content.problem IS NOT NULL, name, content, better FROM file "
                    "JOIN content ON content.id = content WHERE folder = ? AND name >= ? AND name < ?",
                    (folder, start, start[:-1] + bytes([start[-1] + 1])),
                )
                for missing, troubled, name, content, better in rows.fetchall():
                    form = form_of(place, name)
                    if form is not None:
                        yield _FamilyRow(missing, troubled, form.rank, folder, name, content, better)

    def _is_there(self, content: int) -> bool:
        row = self._connection.execute(
            "SELECT 1 FROM file WHERE content = ? AND better IS NULL AND NOT missing LIMIT 1", (content,)
        ).fetchone()
        return row is not None


IS_LESSER = (
    "(file.better IS NOT NULL AND EXISTS (SELECT 1 FROM file AS best WHERE best.content = file.better "
    "AND best.better IS NULL AND best.missing <= file.missing))"
)
"""SQL: whether a row of file is less than a file that is there (or, where the row is missing, was there). What stands
for it is never lesser itself, so a picture is never hidden altogether."""
