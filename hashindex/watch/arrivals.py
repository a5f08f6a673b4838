"""Classifies a picture that just arrived: new, or a copy or variant of a known one. Reads the catalogue."""

from collections.abc import Container
from typing import TYPE_CHECKING, NamedTuple

from hashindex.core.messages import Arrival, KeySnapshot, Verdict
from hashindex.core.model import Relation
from hashindex.core.options import DEFAULT_HASH
from hashindex.hashing import recipes
from hashindex.index.judge_new import Answers
from hashindex.pictures.isolated_worker import IsolatedWorker
from hashindex.store.catalogue import Catalogue
from hashindex.store.hashes import Version

if TYPE_CHECKING:
    # A daemon at rest should not have NumPy in memory before it needs it.
    from hashindex.hashing.packed import KeySearcher


class ArrivalKind(NamedTuple):
    """How a picture is related to the known ones."""

    kind: str
    """new, copy or variant. Equal bytes, and equal pixels with too little detail for hashes, are copies; else the judge
    decides."""
    other: bytes | None = None
    """The picture that it is a copy or variant of: preferably a present one, outside destinations, then the nearest."""
    other_gone: bool = False
    distance: int | None = None
    """Bits of the default hash; None if equal pixels decided."""
    same_bytes: bool = False


MOST_NEAR = 64
"""Nearest contents that are considered: enough to find one that has a file."""
NEAR_BITS = 60
MOST_JUDGED = 5
"""At most this many unjudged contents within NEAR_BITS of the default hash, the nearest ones, are judged: 50 ms. Crops
and borders may be farther away: the comparison in the background finds them."""
NEW = ArrivalKind("new")


class ArrivalJudge:
    """Classifies arrivals, in their order, by the current content of the catalogue.

    Keeps the keys in memory (33 bytes a content) until they change. An arrival costs as much as KeySearcher.nearest.
    """

    def __init__(self, worker: IsolatedWorker) -> None:
        """worker: the process that opens pictures; its owner keeps it between arrivals and closes it."""
        self._worker = worker
        self.judged: list[Verdict] = []
        self.digests: dict[int, bytes] = {}
        """Verdicts that are not in the catalogue yet, and the digests of their contents. The caller saves and clears
        both."""
        self._version: Version | None = None
        self._keys: KeySnapshot | None = None
        self._searcher: KeySearcher | None = None

    def classify(
        self, catalogue: Catalogue, arrival: Arrival, later: Container[bytes], *, may_judge: bool = True
    ) -> ArrivalKind:
        """How an arrival is related to the known pictures.

        later: paths that will be classified after it and do not count yet, so that the first of several copies is new.
        may_judge: judges unjudged pairs; the new verdicts are in `judged`.
        """
        self._refresh(catalogue)
        best: tuple[tuple[bool, bool, bool, int], bytes, int] | None = None
        near = self._near(catalogue, arrival.content)
        variants = self._drop_different(catalogue, arrival.content, near, MOST_JUDGED if may_judge else 0)
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

    def _drop_different(self, catalogue: Catalogue, content: int, near: dict[int, int | None], most: int) -> set[int]:
        """Removes the contents that are different, or unjudged, from near, and returns those that are variants."""
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
            self._keys = None if version is None else catalogue.keys.snapshot(version)
            self._searcher = None if self._keys is None else KeySearcher(self._keys)

    def _near(self, catalogue: Catalogue, content: int) -> dict[int, int | None]:
        """Contents that may show the same picture, the content itself among them, with their distances in bits."""
        found: dict[int, int | None] = {content: 0}
        pixels = catalogue.pixels_of(content)
        if pixels is not None:
            return found | {id: None for id in catalogue.contents_with_pixels(pixels) if id != content}
        key = self._keys.key(content) if self._keys is not None else None
        if key is None or self._searcher is None:
            return found
        # At equal distances the oldest come first; they are announced already.
        for distance, id in self._searcher.nearest(key, NEAR_BITS, MOST_NEAR):
            found.setdefault(id, distance)
        return found
