"""Times all pairs of near keys and one query: BK-tree, pybktree alone and packed keys, uniform and real-like.

    python benchmarks/search.py CATALOGUE [--sizes 1000,5000,...] [--tree-up-to N]

Real-like keys are made from the hashes in CATALOGUE (any that `hashindex scan` made): 70 % have each block of 16 bits
from a picture of its own, the rest are copies of those with 0 to 10 bits turned. Plain repetition of a few thousand
real keys would be all pairs and no search. Uniform keys are random. Every engine's number of pairs is checked to be
the same. Medians of --runs; a tree's pairs are left out beyond --tree-up-to keys.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pybktree
from synthetic import Keys, real_hashes, real_like, uniform

from hashindex.packed import PackedIndex, joined
from hashindex.search import BKTreeIndex

SEARCHES = (("phash", 64, 8), ("phash256", 256, 24))


def items_of(keys: Keys) -> list[tuple[int, int]]:
    return [(id, int.from_bytes(key.tobytes(), "big")) for id, key in enumerate(keys)]


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
        hashes = real_hashes(given.catalogue)[name]
        for n in map(int, given.sizes.split(",")):
            trees = n <= given.tree_up_to
            print(
                measure("real-like", np.unique(real_like(hashes, n, dice), axis=0), bits, radius, given.runs, trees),
                flush=True,
            )
            print(
                measure("uniform", np.unique(uniform(bits, n, dice), axis=0), bits, radius, given.runs, trees),
                flush=True,
            )


if __name__ == "__main__":
    main()
