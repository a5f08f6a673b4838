"""Times all pairs of near keys and one query: BK-tree, pybktree alone and packed keys, uniform and real-like.

    python benchmarks/search.py CATALOGUE [--sizes 1000,5000,...] [--tree-up-to N]

Real-like keys are made from the hashes in CATALOGUE (any that `hashindex scan` made): 70 % have each block of 16 bits
from a picture of its own, the rest are copies of those with 0 to 10 bits turned. Plain repetition of a few thousand
real keys would be all pairs and no search. Uniform keys are random. Every engine's number of pairs is checked to be
the same. Medians of --runs; a tree's pairs are left out beyond --tree-up-to keys.
"""

import argparse
import sqlite3
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pybktree
from numpy.typing import NDArray

from hashindex.packed import PackedIndex, joined
from hashindex.search import BKTreeIndex

Keys = NDArray[np.uint64]
SEARCHES = (("phash", 64, 8), ("phash256", 256, 24))


def real_hashes(catalogue: Path, name: str) -> NDArray[np.uint16]:
    connection = sqlite3.connect(f"{catalogue.resolve().as_uri()}?mode=ro", uri=True)
    rows = connection.execute(
        "SELECT DISTINCT value FROM hash JOIN recipe ON recipe.id = recipe JOIN content ON content.id = content "
        "WHERE recipe.name = ? AND pixels IS NULL",
        (name,),
    ).fetchall()
    connection.close()
    return np.frombuffer(b"".join(value for (value,) in rows), ">u2").astype(np.uint16).reshape(len(rows), -1)


def real_like(hashes: NDArray[np.uint16], n: int, dice: np.random.Generator) -> Keys:
    own = max(1, n * 7 // 10)
    blocks = hashes.shape[1]
    keys = np.stack([hashes[dice.integers(len(hashes), size=own), block] for block in range(blocks)], axis=1)
    copies = keys[dice.integers(own, size=n - own)]
    turned = dice.integers(0, 11, size=n - own)
    for number in range(10):
        rows = np.flatnonzero(turned > number)
        copies[rows, dice.integers(blocks, size=len(rows))] ^= (1 << dice.integers(16, size=len(rows))).astype(
            np.uint16
        )
    words = np.ascontiguousarray(np.concatenate([keys, copies]).astype(">u2")).view(">u8").astype(np.uint64)
    return np.unique(words.reshape(n, -1), axis=0)


def uniform(bits: int, n: int, dice: np.random.Generator) -> Keys:
    return np.unique(dice.integers(0, 2**64, (n, bits // 64), np.uint64), axis=0)


def items_of(keys: Keys) -> list[tuple[int, int]]:
    return [(id, int.from_bytes(key.astype(">u8").tobytes(), "big")) for id, key in enumerate(keys)]


def timed(work: Callable[[], int], runs: int) -> tuple[float, int]:
    """Median seconds, and what the work gave."""
    seconds, given = [], 0
    for _ in range(runs):
        start = time.perf_counter()
        given = work()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds), given


def plain_pairs(items: Sequence[tuple[int, int]], radius: int) -> int:
    """What pybktree alone does: a tree of all keys, asked for each."""
    tree = pybktree.BKTree(lambda a, b: (a ^ b).bit_count(), (key for _, key in items))
    return sum(len(tree.find(key, radius)) - 1 for _, key in items) // 2


def measure(kind: str, keys: Keys, bits: int, radius: int, runs: int, trees: bool) -> str:
    items = items_of(keys)
    joining, pairs = timed(lambda: sum(len(a) for a, _, _ in joined(keys, radius)), runs)
    packed, _ = timed(lambda: sum(1 for _ in PackedIndex(bits, items).pairs(radius)), runs)
    asking = "-"
    cells = ["-", "-"]
    index = PackedIndex(bits, items)
    index.within(0, 0)
    query, _ = timed(lambda: len(index.within(items[len(items) // 2][1], radius)), 20)
    if trees:
        for place, work in enumerate(
            (lambda: sum(1 for _ in BKTreeIndex(bits, items).pairs(radius)), lambda: plain_pairs(items, radius))
        ):
            seconds, found = timed(work, 1)
            assert found == pairs
            cells[place] = f"{seconds:.3f}"
        tree = BKTreeIndex(bits, items)
        asking = f"{timed(lambda: len(tree.within(items[len(items) // 2][1], radius)), 5)[0] * 1000:.2f}"
    numbers = (f"{len(keys):,}", f"{pairs:,}", *cells, f"{packed:.3f}", f"{joining:.3f}", asking, f"{query * 1000:.2f}")
    return f"{kind:9} {bits:4} {radius:3} " + " ".join(f"{number:>11}" for number in numbers)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("catalogue", type=Path)
    parser.add_argument("--sizes", default="200,500,1000,5000,20000,100000")
    parser.add_argument("--tree-up-to", type=int, default=5000)
    parser.add_argument("--runs", type=int, default=3)
    given = parser.parse_args()
    heads = ("keys", "pairs", "bktree s", "pybktree s", "packed s", "join s", "bktree ms", "packed ms")
    print("keys      bits   r " + " ".join(f"{head:>11}" for head in heads))
    dice = np.random.default_rng(1)
    for name, bits, radius in SEARCHES:
        hashes = real_hashes(given.catalogue, name)
        for n in map(int, given.sizes.split(",")):
            trees = n <= given.tree_up_to
            print(measure("real-like", real_like(hashes, n, dice), bits, radius, given.runs, trees), flush=True)
            print(measure("uniform", uniform(bits, n, dice), bits, radius, given.runs, trees), flush=True)


if __name__ == "__main__":
    main()
