"""The hashes of all contents, packed: one row for each recipe and 1,024 contents, written in place. SQL, no NumPy.

They are kept nowhere else and change in the transaction that changes the content, so nothing can fall out of step.
A search reads 8 or 32 bytes a content in one go instead of a million rows.
"""

import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import NamedTuple

from hashindex.core.messages import KeySnapshot, KeyState

SEGMENT = 1024
"""Contents a row: those with ids from segment * SEGMENT on, one slot each."""


class Version(NamedTuple):
    """One version of a hash, as the catalogue knows it."""

    id: int
    name: str
    version: int
    bits: int
    generation: int
    """Grows with every change of its keys."""


class HashTable:
    """Questions and changes; a change belongs inside the catalogue's atomic()."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def versions(self, name: str | None = None) -> list[Version]:
        """Every version of that hash (of every hash) that contents were hashed with, oldest first."""
        rows = self._connection.execute(
            "SELECT id, name, version, bits, generation FROM recipe WHERE ifnull(name = ?, 1) ORDER BY id", (name,)
        )
        return [Version(*row) for row in rows]

    def segments(self, version: Version) -> Iterator[tuple[int, bytes, bytes]]:
        """(lowest content id, states, keys) of each row of a version, highest first; see model.KeyImage."""
        rows = self._connection.execute(
            "SELECT segment, states, keys FROM keys WHERE recipe = ? ORDER BY segment DESC", (version.id,)
        )
        return ((segment * SEGMENT, states, keys) for segment, states, keys in rows)

    def image(self, version: Version) -> KeySnapshot:
        """All keys of a version. Reads 9 or 33 bytes a content."""
        width = version.bits // 8
        image = KeySnapshot(version.bits, bytearray(), bytearray())
        for start, states, keys in self.segments(version):
            if not image.states:
                image.states.extend(bytes(start + SEGMENT))
                image.keys.extend(bytes((start + SEGMENT) * width))
            image.states[start : start + SEGMENT] = states
            image.keys[start * width : (start + SEGMENT) * width] = keys
        return image

    def states(self, version: Version) -> bytearray:
        """The states of a version's keys by content id, a byte each."""
        found = bytearray()
        for segment, states in self._connection.execute(
            "SELECT segment, states FROM keys WHERE recipe = ? ORDER BY segment", (version.id,)
        ):
            found.extend(bytes(segment * SEGMENT - len(found)))
            found.extend(states)
        return found

    def of(self, content: int) -> dict[Version, bytes]:
        """The keys of one content, in whatever state."""
        segment, slot = divmod(content, SEGMENT)
        found = {}
        for version in self.versions():
            width = version.bits // 8
            row = self._connection.execute(
                "SELECT substr(states, ?, 1), substr(keys, ?, ?) FROM keys WHERE recipe = ? AND segment = ?",
                (slot + 1, slot * width + 1, width, version.id, segment),
            ).fetchone()
            if row is not None and row[0][0] != KeyState.ABSENT:
                found[version] = row[1]
        return found

    def held(self) -> bytes:
        """By content id, whether it has a key of any recipe: a byte each, 0 where it has none."""
        # As one number each, because a million bytes one by one take a tenth of a second for every recipe.
        states = [self.states(version) for version in self.versions()]
        together = 0
        for each in states:
            together |= int.from_bytes(each, "little")
        return together.to_bytes(max(map(len, states), default=0), "little")

    # Changing

    def put(
        self, values: Mapping[int, Mapping[str, bytes]], plain: Collection[int], versions: Mapping[str, int]
    ) -> None:
        """Replaces all keys of these contents, of whatever version, by values (by content, then by name of the hash).

        plain: those with too little detail. versions: the version of each hash that the values have. About 1 us a key.
        """
        for segment, contents in _by_segment(values):
            for version in self.versions():
                current = versions.get(version.name) == version.version
                given = {id: values[id].get(version.name) if current else None for id in contents}
                self._write(version, segment, given, plain)

    def drop(self, contents: Iterable[int]) -> None:
        """Takes the keys of these contents out."""
        self.put({id: {} for id in contents}, (), {})

    def _write(self, version: Version, segment: int, given: Mapping[int, bytes | None], plain: Collection[int]) -> None:
        row = self._row(version, segment, make=any(value is not None for value in given.values()))
        if row is None:
            return
        width, low = version.bits // 8, min(given)
        slots = max(given) - low + 1
        with self._connection.blobopen("keys", "states", row) as blob:
            before = _read(blob, low % SEGMENT, slots)
            states = bytearray(before)
            for id, value in given.items():
                states[id - low] = (
                    KeyState.ABSENT if value is None else KeyState.LOW_DETAIL if id in plain else KeyState.FRESH
                )
            if not any(states) and states == before:
                return
            _write(blob, low % SEGMENT, states)
        with self._connection.blobopen("keys", "keys", row) as blob:
            keys = bytearray(_read(blob, low % SEGMENT * width, slots * width))
            for id, value in given.items():
                keys[(id - low) * width : (id - low + 1) * width] = value or bytes(width)
            _write(blob, low % SEGMENT * width, keys)
        if not any(states) and not any(self._states_at(row)):
            # Numbers of contents are given once, so nothing comes here again.
            self._connection.execute("DELETE FROM keys WHERE id = ?", (row,))
        self._connection.execute("UPDATE recipe SET generation = generation + 1 WHERE id = ?", (version.id,))
        joined = [id for id in given if before[id - low] in (KeyState.LEADER, KeyState.TWIN)]
        self._part(version, joined)

    def _states_at(self, row: int) -> bytes:
        with self._connection.blobopen("keys", "states", row, readonly=True) as blob:
            return blob.read()

    def _row(self, version: Version, segment: int, *, make: bool) -> int | None:
        row = self._connection.execute(
            "SELECT id FROM keys WHERE recipe = ? AND segment = ?", (version.id, segment)
        ).fetchone()
        if row is not None:
            return int(row[0])
        if not make:
            return None
        return self._connection.execute(
            "INSERT INTO keys (recipe, segment, states, keys) VALUES (?, ?, zeroblob(?), zeroblob(?))",
            (version.id, segment, SEGMENT, SEGMENT * version.bits // 8),
        ).lastrowid

    # Neighbours: see neighbours.py for what they are; these tables follow every change above.

    def twins(self, version: Version) -> list[tuple[int, int]]:
        """(content, leader) of every twin."""
        return self._connection.execute("SELECT content, leader FROM twin WHERE recipe = ?", (version.id,)).fetchall()

    def pairs(self, version: Version) -> list[tuple[int, int, int]]:
        """(a, b, distance) of all leaders that are near each other, a < b."""
        return self._connection.execute("SELECT a, b, distance FROM pair WHERE recipe = ?", (version.id,)).fetchall()

    def put_neighbours(
        self,
        version: Version,
        image: KeySnapshot,
        twins: Iterable[tuple[int, int]],
        pairs: Iterable[tuple[int, int, int]],
    ) -> bool:
        """Adds what was found out about the fresh keys of that image, none of which is fresh from then on.

        twins: (content, leader). pairs: (a, b, distance) of leaders. False, and nothing changed, if any key of the
        version has changed since the image was taken.
        """
        if version not in self.versions(version.name):
            return False
        id = version.id
        states = image.states.replace(bytes([KeyState.FRESH]), bytes([KeyState.LEADER]))
        rows = []
        for content, leader in twins:
            states[content] = KeyState.TWIN
            rows.append((id, content, leader))
        self._connection.executemany("INSERT INTO twin (recipe, content, leader) VALUES (?, ?, ?)", rows)
        self._connection.executemany(
            "INSERT INTO pair (recipe, a, b, distance) VALUES (?, ?, ?, ?)", ((id, *pair) for pair in pairs)
        )
        segments = self._connection.execute("SELECT id, segment FROM keys WHERE recipe = ?", (id,)).fetchall()
        for row, segment in segments:
            part = slice(segment * SEGMENT, (segment + 1) * SEGMENT)
            if states[part] != image.states[part]:
                with self._connection.blobopen("keys", "states", row) as blob:
                    _write(blob, 0, states[part])
        self._connection.execute("UPDATE recipe SET generation = generation + 1 WHERE id = ?", (id,))
        return True

    def _part(self, version: Version, contents: Iterable[int]) -> None:
        """Takes contents out of the neighbours. Twins of a leader that goes are searched for anew."""
        orphaned: list[int] = []
        for content in contents:
            key = (version.id, content)
            self._connection.execute("DELETE FROM pair WHERE recipe = ? AND a = ?", key)
            self._connection.execute("DELETE FROM pair WHERE recipe = ? AND b = ?", key)
            self._connection.execute("DELETE FROM twin WHERE recipe = ? AND content = ?", key)
            rows = self._connection.execute(
                "DELETE FROM twin WHERE recipe = ? AND leader = ? RETURNING content", key
            ).fetchall()
            orphaned.extend(id for (id,) in rows)
        for segment, ids in _by_segment(orphaned):
            row = self._row(version, segment, make=False)
            if row is None:
                continue  # all that it held was dropped before
            with self._connection.blobopen("keys", "states", row) as blob:
                states = bytearray(_read(blob, 0, SEGMENT))
                for id in ids:
                    # One that was dropped with its leader has no key any more.
                    if states[id % SEGMENT] == KeyState.TWIN:
                        states[id % SEGMENT] = KeyState.FRESH
                _write(blob, 0, states)


def _by_segment(contents: Iterable[int]) -> Iterator[tuple[int, list[int]]]:
    found: dict[int, list[int]] = {}
    for id in contents:
        found.setdefault(id // SEGMENT, []).append(id)
    yield from found.items()


def _read(blob: sqlite3.Blob, start: int, size: int) -> bytes:
    blob.seek(start)
    return blob.read(size)


def _write(blob: sqlite3.Blob, start: int, data: bytearray) -> None:
    blob.seek(start)
    blob.write(data)
