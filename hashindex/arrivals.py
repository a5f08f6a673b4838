"""What a picture that just arrived is to those that are there: new, or a copy of one of them. Reads the catalogue."""

from collections.abc import Sequence
from typing import NamedTuple

from hashindex import hashes
from hashindex.catalogue import Catalogue
from hashindex.files import is_within
from hashindex.grouping import DEFAULT_HASH, GROUP_RADIUS
from hashindex.model import Arrival, File, KeyImage, State


class Relation(NamedTuple):
    """What a picture is to another one."""

    kind: str
    """new, or copy: equal bytes, equal pixels (of one with too little detail), or within the radius of the groups."""
    other: File | None = None
    """The one that it is a copy of: if possible one that is there, then the nearest."""
    distance: int | None = None
    """Bits of the default hash; None where equal pixels speak."""
    same_bytes: bool = False


NEW = Relation("new")


class Relations:
    """Answers about some arrivals, in their order, in a catalogue as it stands now.

    The first of several that are alike is new and the others are copies of it. Cost: reads 33 bytes a content once,
    and per arrival as packed.near.
    """

    def __init__(self, catalogue: Catalogue, arrivals: Sequence[Arrival]) -> None:
        # Here: a daemon at rest should not have NumPy in memory before it needs it.
        from hashindex.packed import Image

        self._catalogue = catalogue
        self._destinations = catalogue.destinations()
        self._later = {arrival.path for arrival in arrivals}
        self._keys: KeyImage | None = None
        recipe = hashes.recipe_named(DEFAULT_HASH)
        for version in catalogue.keys.versions(DEFAULT_HASH):
            if version.version == recipe.version:
                self._keys = catalogue.keys.image(version)
        self._image = None if self._keys is None else Image(self._keys)

    def relation_of(self, arrival: Arrival) -> Relation:
        """The one place that says what an arrival is; ask for each once, in order."""
        self._later.discard(arrival.path)
        near = self._near(arrival.content)
        candidates = [
            (
                file.state is State.MISSING,
                near[content] or 0,
                is_within_any(file.path, self._destinations),
                file.path,
                file,
            )
            for content, held in self._catalogue.files_of(near, all=True).items()
            for file in held
            if file.path != arrival.path and file.path not in self._later
        ]
        if not candidates:
            return NEW
        other = min(candidates)[-1]
        return Relation("copy", other, near[other.content.id], other.content.id == arrival.content)

    def _near(self, content: int) -> dict[int, int | None]:
        """Contents that look the same, itself among them, with their distance."""
        found: dict[int, int | None] = {content: 0}
        plain = self._catalogue.pixels_of(content)
        if plain is not None:
            return found | {id: None for id in self._catalogue.contents_with_pixels(plain) if id != content}
        key = self._keys.key(content) if self._keys is not None else None
        if key is None or self._image is None or self._keys is None:
            return found
        for id in self._image.near(key, GROUP_RADIUS[DEFAULT_HASH]):
            other = self._keys.key(id)
            if other is not None:
                found[id] = (key ^ other).bit_count()
        return found


def is_within_any(path: bytes, folders: Sequence[bytes]) -> bool:
    """Whether path is one of these folders or lies below one."""
    return any(is_within(path, folder) for folder in folders)
