"""Keys and catalogues of any size for the benchmarks, made from the hashes of a real catalogue. Measures nothing.

Real-like keys: each block of 16 bits is taken from a real hash of its own, so that the skew of real hashes (which bits
go together, which values are common) is kept within blocks; then a share of them is made copies of others with 0 to 10
bits turned, and 5 % are 4 flat keys. Plain repetition of a few thousand real keys would be all pairs and no search.

Real-like looks are made in the same way, with the same blocks for all keys of a picture, so that its views stay akin;
signatures are real ones as they are. Relations are drawn, see related.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hashindex.core.model import CompareKeys, Decoded, Examined, FileStat, Relation, Verdict
from hashindex.hashing import recipes
from hashindex.index.scan import current_pipeline
from hashindex.store.catalogue import Catalogue

Blocks = NDArray[np.uint16]
"""Keys of shape (n, bits / 16)."""
Keys = NDArray[np.uint64]
"""Keys of shape (n, bits / 64)."""

FLAT_SHARE = 0.05
SECOND = 10**9
VIEW_KEYS = 20
"""Keys of 64 bits in a view of a look, see candidates.packed_keys."""
TEMPLATE = 5
"""Contents that are variants of each other, each of every other."""
VARIANTS = 0.1
"""Contents that are one of such a set."""


def real_hashes(catalogue: Path) -> dict[str, Blocks]:
    """The distinct hashes of pictures with detail in a catalogue, by name."""
    found = {}
    with Catalogue(catalogue) as opened:
        for version in opened.keys.versions():
            image = opened.keys.image(version)
            values = {key for id in range(len(image.states)) if (key := image.key(id)) is not None}
            data = b"".join(key.to_bytes(version.bits // 8, "big") for key in sorted(values))
            found[version.name] = np.frombuffer(data, np.uint16).reshape(len(values), -1)
    return found


def real_like(hashes: Blocks, n: int, rng: np.random.Generator, copies: float = 0.3) -> Keys:
    """n keys, see above; equal ones are among them."""
    blocks = hashes.shape[1]
    keys = np.stack([hashes[rng.integers(len(hashes), size=n), block] for block in range(blocks)], axis=1)
    own = n - int(copies * n)
    keys[own:] = keys[rng.integers(own, size=n - own)]
    turned = rng.integers(0, 11, size=n - own)
    for number in range(10):
        rows = own + np.flatnonzero(turned > number)
        bits = (1 << rng.integers(16, size=len(rows))).astype(np.uint16)
        keys[rows, rng.integers(blocks, size=len(rows))] ^= bits
    flat = rng.permutation(n)[: int(FLAT_SHARE * n)]
    keys[flat] = keys[rng.integers(4, size=len(flat))]
    return np.ascontiguousarray(keys).view(np.uint64)


def uniform(bits: int, n: int, rng: np.random.Generator) -> Keys:
    """n random keys."""
    return rng.integers(0, 2**64, (n, bits // 64), np.uint64)


def real_looks(catalogue: Path) -> list[CompareKeys]:
    """The looks of a catalogue that today's hashindex scanned, but for those of pictures with too little to see."""
    with Catalogue(catalogue) as opened:
        keys = dict(opened.verdicts.views())
        signatures = opened.verdicts.signatures(keys)
    return [CompareKeys(signatures[content], key) for content, key in sorted(keys.items()) if key]


class Relations(NamedTuple):
    """Pairs of numbers a < b, of shape (k, 2) each."""

    copies: NDArray[np.int64]
    variants: NDArray[np.int64]
    different: NDArray[np.int64]

    @property
    def sources(self) -> dict[int, int]:
        """copy -> what it is a copy of."""
        return dict(self.copies[:, ::-1].tolist())


def related(n: int, rng: np.random.Generator, copies: float, pairs: int = 2) -> Relations:
    """Who is what to whom among n contents: pairs a content, of which most are different, as among real candidates.

    The last ones are copies, each of one that is none; VARIANTS of the others come in sets of TEMPLATE.
    """
    own = n - int(copies * n)
    sets = rng.permutation(own // TEMPLATE)
    starts, others = np.split(sets[:, None] * TEMPLATE, [int(VARIANTS * n) // TEMPLATE])
    a, b = np.triu_indices(TEMPLATE, 1)
    variants = np.stack([(starts + a).ravel(), (starts + b).ravel()], axis=1)
    # Copies of variants would leave pairs that a scan would have judged.
    sources = others[rng.integers(len(others), size=n - own), 0]
    copied = np.stack([sources, np.arange(own, n)], axis=1)
    known = {tuple(pair) for pair in np.concatenate([copied, variants]).tolist()}
    drawn = np.sort(rng.integers(n, size=(max(0, pairs * n - len(known)), 2)), axis=1)
    strangers = [pair for pair in map(tuple, np.unique(drawn, axis=0).tolist()) if pair[0] != pair[1]]
    different = np.array([pair for pair in strangers if pair not in known], np.int64).reshape(-1, 2)
    return Relations(copied, variants, different)


def looks_like(
    real: Sequence[CompareKeys], n: int, rng: np.random.Generator, sources: Mapping[int, int]
) -> Iterator[CompareKeys]:
    """n looks. sources: copy -> an earlier one that it has 0 to 3 bits of each key other than."""
    views = [np.frombuffer(look.keys, np.uint16).reshape(-1, VIEW_KEYS, 4) for look in real]
    made: dict[int, NDArray[np.uint16]] = {}
    copied = set(sources.values())
    for number in range(n):
        source = sources.get(number)
        drawn = rng.integers(len(real), size=4)
        if source is None:
            count = len(views[drawn[0]])
            keys = np.stack([views[one][np.arange(count) % len(views[one]), :, i] for i, one in enumerate(drawn)], 2)
            if number in copied:
                made[number] = keys
        else:
            keys = made[source].copy()
            for _ in range(int(rng.integers(4))):
                turned = (1 << rng.integers(16, size=keys.shape[:2])).astype(np.uint16)
                keys[:, :, rng.integers(4)] ^= turned
        yield CompareKeys(real[drawn[0]].signature, keys.tobytes())


def judge(path: Path, first: int, relations: Relations) -> None:
    """Writes the verdicts on contents of make_catalogue, and that all of them were compared. About 10 us a pair."""
    chances = {Relation.COPY: (0.97, 0.99), Relation.VARIANT: (0.02, 0.93), Relation.DIFFERENT: (0.01, 0.08)}
    kinds = (
        (Relation.COPY, relations.copies),
        (Relation.VARIANT, relations.variants),
        (Relation.DIFFERENT, relations.different),
    )
    with Catalogue(path, write=True) as catalogue:
        numbers = {number for _, pairs in kinds for number in pairs.ravel().tolist()}
        id_of = {number: catalogue.content_with(_digest(first + number)) or 0 for number in numbers}
        with catalogue.atomic():
            for relation, pairs in kinds:
                rows = sorted(tuple(sorted((id_of[a], id_of[b]))) for a, b in pairs.tolist())
                catalogue.verdicts.put_candidates((a, b, (a + b) % 9) for a, b in rows)
                catalogue.verdicts.put(Verdict(a, b, 0, relation, *chances[relation], False) for a, b in rows)
            catalogue.verdicts.settle(catalogue.verdicts.fresh())


def make_catalogue(
    path: Path,
    n: int,
    hashes_of: Mapping[str, Blocks],
    copies: float,
    first: int = 0,
    looks: Sequence[CompareKeys] = (),
) -> None:
    """Adds n contents with one file each, 500 a folder, and real-like keys of all recipes. About 30 us each.

    No picture is behind them: what a catalogue answers does not depend on it. first: where their numbering begins.
    looks: real ones; with them each content gets a look, and two verdicts a content are drawn. About 500 us each then.
    """
    rng = np.random.default_rng(first)
    keys = {name: real_like(hashes_of[name], n, rng, copies).view(np.uint8).reshape(n, -1) for name in hashes_of}
    relations = related(n, rng, copies) if looks else None
    like = looks_like(looks, n, rng, relations.sources) if relations else None
    names = [recipe.name for recipe in recipes.RECIPES]
    maker = current_pipeline()
    with Catalogue(path, write=True) as catalogue:
        for start in range(0, n, 5000):
            rows = range(start, min(n, start + 5000))
            batch = list(_examined(first + row for row in rows))
            values = {
                found.digest: {name: keys[name][row].tobytes() for name in names}
                for found, row in zip(batch, rows, strict=True)
                if found.digest is not None
            }
            seen = {found.digest: next(like) for found in batch if found.digest is not None} if like else {}
            with catalogue.atomic():
                catalogue.record(batch, values, seen, maker, SECOND)
    if relations:
        judge(path, first, relations)


def _examined(numbers: Iterator[int]) -> Iterator[Examined]:
    for number in numbers:
        name = b"%08x%08x.jpg" % (number * 2654435761 % 2**32, number)
        seen = FileStat(name, 20_000 + number % 5000, SECOND, 1, number)
        decoded = Decoded("jpeg", 300, 200, 1, 0, detail=60)
        yield Examined(b"/pictures/%05d/%s" % (number // 500, name), seen, 9 * SECOND, _digest(number), decoded)


def _digest(number: int) -> bytes:
    return number.to_bytes(8, "big") * 4
