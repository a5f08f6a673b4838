"""Neighbours by hash: searched once for each new content and stored in the catalogue. Removals keep them valid.

They are stored for the default hash of groups up to KEPT_RADIUS; other hashes and wider radii are searched each time.
If keys are new since the last scan (it was interrupted, or another one is running), a query searches their neighbours
without storing them, because a query changes nothing.
"""

from collections.abc import Callable
from typing import NamedTuple

from hashindex.core.model import KeySnapshot, KeyState
from hashindex.index.clusters import Engine, Links, known, searched
from hashindex.store.catalogue import Catalogue
from hashindex.store.hashes import Version

KEPT_RADIUS = {"phash256": 24}
"""Radius in bits up to which neighbours are stored, by hash."""
TRIES = 3
"""Attempts if another process changes keys meanwhile. After that, the next scan stores the rest."""


class Found(NamedTuple):
    """New neighbours in a key snapshot."""

    twins: list[tuple[int, int]]
    """(content, leader): both have the same key."""
    pairs: list[tuple[int, int, int]]
    """(a, b, distance), a < b; both are leaders, and at least one is new."""


def keep_neighbours(catalogue: Catalogue, on_start: Callable[[], None] = lambda: None) -> int:
    """Finds the neighbours of all new keys among all keys and stores them. Returns the number of new keys.

    catalogue: a writer. on_start: called before a search. Cost: for a few new keys 3 ms each at 1,000,000 keys
    (packed.near), for many see packed.joined. If no key is new, one byte per content is read.
    """
    count = 0
    for name, radius in KEPT_RADIUS.items():
        for number in range(len(catalogue.keys.versions(name))):
            for _ in range(TRIES):
                version = catalogue.keys.versions(name)[number]
                fresh = catalogue.keys.states(version).count(KeyState.FRESH)
                if not fresh:
                    break
                on_start()
                image = catalogue.keys.image(version)
                found = find_neighbours(image, radius)
                with catalogue.atomic():
                    if catalogue.keys.put_neighbours(version, image, found.twins, found.pairs):
                        count += fresh
                        break
    return count


def links_of(catalogue: Catalogue, version: Version, image: KeySnapshot, radius: int, engine: Engine) -> Links:
    """Links by this hash up to this radius: from stored neighbours, or else by a search with this engine."""
    if radius > KEPT_RADIUS.get(version.name, -1) or KeyState.LEADER not in image.states:
        return searched(image, engine)
    twins, pairs = catalogue.keys.twins(version), catalogue.keys.pairs(version)
    if KeyState.FRESH in image.states:
        new = find_neighbours(image, KEPT_RADIUS[version.name])
        twins, pairs = twins + new.twins, pairs + new.pairs
    return known(dict(twins), pairs)


def find_neighbours(image: KeySnapshot, radius: int) -> Found:
    """Neighbours of the fresh keys of a snapshot among themselves and among its leaders."""
    # Imported here: most scans find nothing new and should not wait for NumPy.
    import numpy as np

    from hashindex.hashing.packed import collapsed, joined, words_of

    states = np.frombuffer(image.states, np.uint8)
    # Leaders first: the first of equal keys stays or becomes the leader.
    ids = np.concatenate([np.flatnonzero(states == KeyState.LEADER), np.flatnonzero(states == KeyState.FRESH)])
    keys, first, sizes, order = collapsed(words_of(image)[ids])
    ids = ids[order]
    leaders = ids[first]
    rest = np.delete(np.arange(len(ids)), first)
    twins = zip(ids[rest].tolist(), np.repeat(leaders, sizes - 1).tolist(), strict=True)
    pairs: list[tuple[int, int, int]] = []
    for left, right, distances in joined(keys, radius, states[leaders] == KeyState.FRESH):
        a, b = leaders[left], leaders[right]
        low, high = np.minimum(a, b), np.maximum(a, b)
        pairs.extend(zip(low.tolist(), high.tolist(), distances.tolist(), strict=True))
    return Found(list(twins), pairs)
