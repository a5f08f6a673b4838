"""What a picture that just arrived is to those there: new, or a copy or variant of one. Reads the catalogue."""

from collections.abc import Container, Sequence
from typing import TYPE_CHECKING, NamedTuple

from hashindex.core.messages import Arrival, KeySnapshot, Verdict
from hashindex.core.model import Relation
from hashindex.disk.files import is_within
from hashindex.hashing import recipes
from hashindex.index.grouping import DEFAULT_HASH
from hashindex.index.judge_new import Answers
from hashindex.pictures.isolated_worker import IsolatedWorker
from hashindex.store.catalogue import Catalogue
from hashindex.store.hashes import Version

if TYPE_CHECKING:
    # A daemon at rest should not have NumPy in memory before it needs it.
    from hashindex.hashing.packed import KeySearcher


class ArrivalKind(NamedTuple):
    """What a picture is to another one."""

    kind: str
    """new, copy (also: equal bytes, or equal pixels of one with too little detail) or variant, as the judge says."""
    other: bytes | None = None
    """The one that it is a copy of: if possible one that is there, outside of destinations, then the nearest."""
    other_gone: bool = False
    distance: int | None = None
    """Bits of the default hash; None where equal pixels speak."""
    same_bytes: bool = False


MOST_NEAR = 64
"""So many contents that look the same are enough to find one that has a file."""
NEAR_BITS = 60
MOST_JUDGED = 5
"""Of contents within so many bits of the default hash at most so many, the nearest ones, are looked at: 50 ms. Crops
and borders may be farther away: groups find them, for everything is compared at the next quiet moment."""
NEW = ArrivalKind("new")


class ArrivalJudge:
    """Answers about arrivals, in their order, in a catalogue as it stands when it is asked.

    Keeps the keys in memory (33 bytes a content) as long as they stand; per arrival it costs as packed.near.
    """

    def __init__(self, worker: IsolatedWorker) -> None:
        """alone: the process that opens pictures, kept by its owner from one arrival to the next and closed by it."""
        self._worker = worker
        self.judged: list[Verdict] = []
        self.digests: dict[int, bytes] = {}
        """Verdicts that are not in the catalogue yet, and the digests of their contents; the caller keeps them there
        and clears these."""
        self._version: Version | None = None
        self._keys: KeySnapshot | None = None
        self._image: KeySearcher | None = None

    def relation_of(
        self, catalogue: Catalogue, arrival: Arrival, later: Container[bytes], *, look: bool = True
    ) -> ArrivalKind:
        """The one place that says what an arrival is.

        later: paths that are yet to be asked about. The first of several that are alike is new, the others are copies.
        look: also at pairs that nobody judged yet; what comes out is in `judged`.
        """
        self._refresh(catalogue)
        best: tuple[tuple[bool, bool, bool, int], bytes, int] | None = None
        near = self._near(catalogue, arrival.content)
        variants = self._told_apart(catalogue, arrival.content, near, MOST_JUDGED if look else 0)
        for content in sorted(near, key=lambda id: (near[id] or 0, id != arrival.content, id)):
            for path, missing, placed in catalogue.paths_of(content):
                if path == arrival.path or path in later:
                    continue
                rank = (content in variants, missing, placed, near[content] or 0)
                if best is None or rank < best[0]:
                    best = rank, path, content
                if not missing and not placed:
                    break
            if best is not None and best[0][:3] == (False, False, False):
                break
        if best is None:
            return NEW
        (is_variant, missing, _, _), path, content = best
        kind = "variant" if is_variant else "copy"
        return ArrivalKind(kind, path, missing, near[content], content == arrival.content)

    def _told_apart(self, catalogue: Catalogue, content: int, near: dict[int, int | None], most: int) -> set[int]:
        """Those of near that are variants; those that are different are taken out of it."""
        answers = Answers(catalogue, self._worker)
        answers.read(near)
        variants = set()
        judged = 0
        for other in [id for id, distance in near.items() if id != content and distance is not None]:
            found = answers.known(content, other)
            if found is None and judged < most:
                judged += 1
                found = answers.between(content, other)
            if found is None or found.relation is Relation.DIFFERENT:
                del near[other]
            elif found.relation is Relation.VARIANT:
                variants.add(other)
        if answers.new:
            self.judged += answers.new
            self.digests |= catalogue.digests_of({id for one in answers.new for id in (one.a, one.b)})
        return variants

    def _refresh(self, catalogue: Catalogue) -> None:
        from hashindex.hashing.packed import KeySearcher

        recipe = recipes.recipe_named(DEFAULT_HASH)
        versions = catalogue.keys.versions(DEFAULT_HASH)
        version = next((each for each in versions if each.version == recipe.version), None)
        if version != self._version:
            self._version = version
            self._keys = None if version is None else catalogue.keys.image(version)
            self._image = None if self._keys is None else KeySearcher(self._keys)

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
        for distance, id in self._image.nearest(key, NEAR_BITS, MOST_NEAR):
            found.setdefault(id, distance)
        return found


def is_within_any(path: bytes, folders: Sequence[bytes]) -> bool:
    """Whether path is one of these folders or lies below one."""
    return any(is_within(path, folder) for folder in folders)
