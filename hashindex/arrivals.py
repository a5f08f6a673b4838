"""What a picture that just arrived is to those that are there: new, or a copy of one of them. Reads the catalogue."""

from collections.abc import Container, Sequence
from typing import TYPE_CHECKING, NamedTuple

from hashindex import hashes
from hashindex.catalogue import Catalogue
from hashindex.files import is_within
from hashindex.grouping import DEFAULT_HASH, GROUP_RADIUS
from hashindex.keys import Version
from hashindex.model import Arrival, KeyImage

if TYPE_CHECKING:
    # A daemon at rest should not have NumPy in memory before it needs it.
    from hashindex.packed import Image


class Relation(NamedTuple):
    """What a picture is to another one."""

    kind: str
    """new, or copy: equal bytes, equal pixels (of one with too little detail), or within the radius of the groups."""
    other: bytes | None = None
    """The one that it is a copy of: if possible one that is there, outside of destinations, then the nearest."""
    other_gone: bool = False
    distance: int | None = None
    """Bits of the default hash; None where equal pixels speak."""
    same_bytes: bool = False


MOST_NEAR = 64
"""So many contents that look the same are enough to find one that has a file."""
NEW = Relation("new")


class Relations:
    """Answers about arrivals, in their order, in a catalogue as it stands when it is asked.

    Keeps the keys in memory (33 bytes a content) as long as they stand; per arrival it costs as packed.near.
    """

    def __init__(self) -> None:
        self._version: Version | None = None
        self._keys: KeyImage | None = None
        self._image: Image | None = None

    def relation_of(self, catalogue: Catalogue, arrival: Arrival, later: Container[bytes]) -> Relation:
        """The one place that says what an arrival is.

        later: paths that are yet to be asked about. The first of several that are alike is new, the others are copies.
        """
        self._refresh(catalogue)
        best: tuple[tuple[bool, bool, int], bytes, int] | None = None
        near = self._near(catalogue, arrival.content)
        for content in sorted(near, key=lambda id: (near[id] or 0, id != arrival.content, id)):
            for path, missing, placed in catalogue.paths_of(content):
                if path == arrival.path or path in later:
                    continue
                rank = (missing, placed, near[content] or 0)
                if best is None or rank < best[0]:
                    best = rank, path, content
                if not missing and not placed:
                    break
            if best is not None and best[0][:2] == (False, False):
                break
        if best is None:
            return NEW
        (missing, _, _), path, content = best
        return Relation("copy", path, missing, near[content], content == arrival.content)

    def _refresh(self, catalogue: Catalogue) -> None:
        from hashindex.packed import Image

        recipe = hashes.recipe_named(DEFAULT_HASH)
        versions = catalogue.keys.versions(DEFAULT_HASH)
        version = next((each for each in versions if each.version == recipe.version), None)
        if version != self._version:
            self._version = version
            self._keys = None if version is None else catalogue.keys.image(version)
            self._image = None if self._keys is None else Image(self._keys)

    def _near(self, catalogue: Catalogue, content: int) -> dict[int, int | None]:
        """Contents that look the same, itself among them, with their distance."""
        found: dict[int, int | None] = {content: 0}
        plain = catalogue.pixels_of(content)
        if plain is not None:
            return found | {id: None for id in catalogue.contents_with_pixels(plain) if id != content}
        key = self._keys.key(content) if self._keys is not None else None
        if key is None or self._image is None or self._keys is None:
            return found
        # Of very many alike the oldest come first, and they are told already.
        for distance, id in self._image.nearest(key, GROUP_RADIUS[DEFAULT_HASH], MOST_NEAR):
            found.setdefault(id, distance)
        return found


def is_within_any(path: bytes, folders: Sequence[bytes]) -> bool:
    """Whether path is one of these folders or lies below one."""
    return any(is_within(path, folder) for folder in folders)
