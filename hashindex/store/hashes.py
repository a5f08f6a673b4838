"""The hashes of all contents: one row holds the keys of 1,024 contents for one recipe, and is written in place.

There is no other copy, and keys change in the transaction that changes the content, so the two always agree. A search
reads 8 or 32 bytes a content at once instead of a million rows. Needs no NumPy.
"""

import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import NamedTuple

from hashindex.core.messages import KeySnapshot, KeyState

SEGMENT = 1024
"""Contents in a row: those with ids from segment * SEGMENT on, one slot each."""


class Version(NamedTuple):
    """One version of a hash."""

    id: int
    name: str
    version: int
    bits: int
    generation: int
    """Increases with every change of the keys."""


class HashTable:
    """Queries and changes; call a change inside Catalogue.atomic()."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def versions(self, name: str | None = None) -> list[Version]:
        """Every version of a hash (of all hashes) that contents were hashed with, oldest first."""
        rows = self._connection.execute(
            "SELECT id, name, version, bits, generation FROM recipe WHERE ifnull(name = ?, 1) ORDER BY id", (name,)
        )
        return [Version(*row) for row in rows]

    def segments(self, version: Version) -> Iterator[tuple[int, bytes, bytes]]:
        """(lowest content id, states, keys) of each row of a version, highest id first; see model.KeySnapshot."""
        rows = self._connection.execute(
            "SELECT segment, states, keys FROM hash_segment WHERE recipe = ? ORDER BY segment DESC", (version.id,)
        )
        return ((segment * SEGMENT, states, keys) for segment, states, keys in rows)

    def snapshot(self, version: Version) -> KeySnapshot:
        """All keys of a version. Reads 9 or 33 bytes a content."""
        width = version.bits // 8
        snapshot = KeySnapshot(version.bits, bytearray(), bytearray())
        for start, states, keys in self.segments(version):
            if not snapshot.states:
                snapshot.states.extend(bytes(start + SEGMENT))
                snapshot.keys.extend(bytes((start + SEGMENT) * width))
            snapshot.states[start : start + SEGMENT] = states
            snapshot.keys[start * width : (start + SEGMENT) * width] = keys
        return snapshot

    def searched_keys(self, version: Version, contents: Iterable[int]) -> dict[int, int]:
        """As KeySnapshot.keys_of, but reads only the rows of these contents."""
        width = version.bits // 8
        found = {}
        for segment, ids in _by_segment(contents):
            row = self._connection.execute(
                "SELECT states, keys FROM hash_segment WHERE recipe = ? AND segment = ?", (version.id, segment)
            ).fetchone()
            for slot in (id % SEGMENT for id in ids) if row is not None else ():
                if row[0][slot] == KeyState.SEARCHED:
                    key = row[1][slot * width : (slot + 1) * width]
                    found[segment * SEGMENT + slot] = int.from_bytes(key, "big")
        return found

    def states(self, version: Version) -> bytearray:
        """The states of a version's keys by content id, a byte each."""
        found = bytearray()
        for segment, states in self._connection.execute(
            "SELECT segment, states FROM hash_segment WHERE recipe = ? ORDER BY segment", (version.id,)
        ):
            found.extend(bytes(segment * SEGMENT - len(found)))
            found.extend(states)
        return found

    def of(self, content: int) -> dict[Version, bytes]:
        """The keys of one content, searched or not."""
        segment, slot = divmod(content, SEGMENT)
        found = {}
        for version in self.versions():
            width = version.bits // 8
            row = self._connection.execute(
                "SELECT substr(states, ?, 1), substr(keys, ?, ?) FROM hash_segment WHERE recipe = ? AND segment = ?",
                (slot + 1, slot * width + 1, width, version.id, segment),
            ).fetchone()
            if row is not None and row[0][0] != KeyState.ABSENT:
                found[version] = row[1]
        return found

    def has_key(self) -> bytes:
        """By content id, a byte that is not 0 if the content has a key of any recipe."""
        # Combined as whole numbers: byte by byte, a million contents would take 0.1 s for every recipe.
        states = [self.states(version) for version in self.versions()]
        together = 0
        for each in states:
            together |= int.from_bytes(each, "little")
        return together.to_bytes(max(map(len, states), default=0), "little")

    # Changing

    def put(
        self, values: Mapping[int, Mapping[str, bytes]], low_detail: Collection[int], versions: Mapping[str, int]
    ) -> None:
        """Replaces all keys of these contents, of every version.

        values: new keys by content, then by name of the hash. low_detail: contents with too little detail for hashes.
        versions: the version of each hash in values. About 1 us a key.
        """
        for segment, contents in _by_segment(values):
            for version in self.versions():
                current = versions.get(version.name) == version.version
                given = {id: values[id].get(version.name) if current else None for id in contents}
                self._write(version, segment, given, low_detail)

    def drop(self, contents: Iterable[int]) -> None:
        """Deletes the keys of these contents."""
        self.put({id: {} for id in contents}, (), {})

    def _write(
        self, version: Version, segment: int, given: Mapping[int, bytes | None], low_detail: Collection[int]
    ) -> None:
        row = self._row(version, segment, make=any(value is not None for value in given.values()))
        if row is None:
            return
        width, low = version.bits // 8, min(given)
        slots = max(given) - low + 1
        with self._connection.blobopen("hash_segment", "states", row) as blob:
            before = _read(blob, low % SEGMENT, slots)
            states = bytearray(before)
            for id, value in given.items():
                if value is None:
                    states[id - low] = KeyState.ABSENT
                else:
                    states[id - low] = KeyState.LOW_DETAIL if id in low_detail else KeyState.SEARCHED
            if not any(states) and states == before:
                return
            _write(blob, low % SEGMENT, states)
        with self._connection.blobopen("hash_segment", "keys", row) as blob:
            keys = bytearray(_read(blob, low % SEGMENT * width, slots * width))
            for id, value in given.items():
                keys[(id - low) * width : (id - low + 1) * width] = value or bytes(width)
            _write(blob, low % SEGMENT * width, keys)
        if not any(states) and not any(self._states_at(row)):
            # An id is never given twice, so the row will not be needed again.
            self._connection.execute("DELETE FROM hash_segment WHERE id = ?", (row,))
        self._connection.execute("UPDATE recipe SET generation = generation + 1 WHERE id = ?", (version.id,))

    def _states_at(self, row: int) -> bytes:
        with self._connection.blobopen("hash_segment", "states", row, readonly=True) as blob:
            return blob.read()

    def _row(self, version: Version, segment: int, *, make: bool) -> int | None:
        row = self._connection.execute(
            "SELECT id FROM hash_segment WHERE recipe = ? AND segment = ?", (version.id, segment)
        ).fetchone()
        if row is not None:
            return int(row[0])
        if not make:
            return None
        return self._connection.execute(
            "INSERT INTO hash_segment (recipe, segment, states, keys) VALUES (?, ?, zeroblob(?), zeroblob(?))",
            (version.id, segment, SEGMENT, SEGMENT * version.bits // 8),
        ).lastrowid


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
