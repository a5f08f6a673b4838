"""Keys and catalogues of any size for the benchmarks, made from the hashes of a real catalogue. Measures nothing.

Real-like keys: each block of 16 bits is taken from a real hash of its own, so that the skew of real hashes (which bits
go together, which values are common) is kept within blocks; then a share of them is made copies of others with 0 to 10
bits turned, and 5 % are 4 flat keys. Plain repetition of a few thousand real keys would be all pairs and no search.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hashindex import hashes
from hashindex.catalogue import Catalogue
from hashindex.model import Decoded, Examined, Seen
from hashindex.scan import current_maker

Blocks = NDArray[np.uint16]
"""Keys of shape (n, bits / 16)."""
Keys = NDArray[np.uint64]
"""Keys of shape (n, bits / 64)."""

FLAT_SHARE = 0.05
SECOND = 10**9


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


def real_like(hashes: Blocks, n: int, dice: np.random.Generator, copies: float = 0.3) -> Keys:
    """n keys, see above; equal ones are among them."""
    blocks = hashes.shape[1]
    keys = np.stack([hashes[dice.integers(len(hashes), size=n), block] for block in range(blocks)], axis=1)
    own = n - int(copies * n)
    keys[own:] = keys[dice.integers(own, size=n - own)]
    turned = dice.integers(0, 11, size=n - own)
    for number in range(10):
        rows = own + np.flatnonzero(turned > number)
        bits = (1 << dice.integers(16, size=len(rows))).astype(np.uint16)
        keys[rows, dice.integers(blocks, size=len(rows))] ^= bits
    flat = dice.permutation(n)[: int(FLAT_SHARE * n)]
    keys[flat] = keys[dice.integers(4, size=len(flat))]
    return np.ascontiguousarray(keys).view(np.uint64)


def uniform(bits: int, n: int, dice: np.random.Generator) -> Keys:
    """n random keys."""
    return dice.integers(0, 2**64, (n, bits // 64), np.uint64)


def make_catalogue(path: Path, n: int, hashes_of: Mapping[str, Blocks], copies: float, first: int = 0) -> None:
    """Adds n contents with one file each, 500 a folder, and real-like keys of all recipes. About 30 us each.

    No picture is behind them: what a catalogue answers does not depend on it. first: where their numbering begins.
    """
    dice = np.random.default_rng(first)
    keys = {name: real_like(hashes_of[name], n, dice, copies).view(np.uint8).reshape(n, -1) for name in hashes_of}
    names = [recipe.name for recipe in hashes.RECIPES]
    maker = current_maker()
    with Catalogue(path, write=True) as catalogue:
        for start in range(0, n, 5000):
            rows = range(start, min(n, start + 5000))
            batch = list(_examined(first + row for row in rows))
            values = {
                found.digest: {name: keys[name][row].tobytes() for name in names}
                for found, row in zip(batch, rows, strict=True)
                if found.digest is not None
            }
            with catalogue.atomic():
                catalogue.record(batch, values, {}, maker, SECOND)


def _examined(numbers: Iterator[int]) -> Iterator[Examined]:
    for number in numbers:
        name = b"%08x%08x.jpg" % (number * 2654435761 % 2**32, number)
        seen = Seen(name, 20_000 + number % 5000, SECOND, 1, number)
        decoded = Decoded("jpeg", 300, 200, 1, 0, detail=60)
        digest = number.to_bytes(8, "big") * 4
        yield Examined(b"/pictures/%05d/%s" % (number // 500, name), seen, 9 * SECOND, digest, decoded)
