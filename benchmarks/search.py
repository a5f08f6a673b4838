"""Times all pairs of near keys, and one query, against pybktree and faiss, on uniform and real-like keys.

    python benchmarks/search.py CATALOGUE [--sizes N,...] [--runs N] [--sampled N]

Needs the extra `bench`. CATALOGUE: any that `hashindex scan` made; real-like keys are made from its hashes (see
synthetic.py). Equal keys are left out, because every other engine would give each of their pairs on its own.

pairs of all keys (64 bits within 8, 256 bits within 31)
    compiled     packed.joined with numba (extra `fast`), started and compiled before
    numpy        packed.joined without it, as installed by default
    bktree       search.BKTreeIndex, up to --tree-up-to keys
    pybktree     pybktree alone: a tree of all keys, one query for each key
    faiss flat   IndexBinaryFlat, range_search of --sampled of the keys, times keys / sampled
    faiss hash   IndexBinaryMultiHash with chunks of 16 bits and enough flips to be exact, sampled too
one query (64 bits within 8, 256 bits within 24), milliseconds: packed.near, BKTreeIndex.within, IndexBinaryFlat

Every row is a process of its own. The engines of one size take turns, and the table shows medians of --runs. MB is the
growth of the process beyond the keys. All exact counts of pairs must be equal.
"""

import argparse
import importlib.metadata
import json
import math
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np
from common import print_table
from synthetic import Keys, real_hashes, real_like, uniform

from hashindex.hashing import packed

PAIRS = (("phash", 64, 8), ("phash256", 256, 31))
QUERIES = (("phash", 64, 8), ("phash256", 256, 24))
ENGINES = ("compiled", "numpy", "bktree", "pybktree", "faiss flat", "faiss hash")
NEVER = 10**12


class Case(NamedTuple):
    """One measurement, in a process of its own."""

    what: str
    kind: str
    hash: str
    bits: int
    radius: int
    keys: int
    sampled: int


class Measured(NamedTuple):
    seconds: float
    found: int
    megabytes: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("catalogue", type=Path, metavar="CATALOGUE")
    parser.add_argument("--sizes", default="1000,10000,100000,1000000", help="numbers of keys [default: %(default)s]")
    parser.add_argument("--runs", type=int, default=3, metavar="N", help="[default: 3]")
    parser.add_argument("--sampled", type=int, default=1000, metavar="N", help="[default: 1000]")
    parser.add_argument("--tree-up-to", type=int, default=10_000, metavar="N", help="[default: 10000]")
    parser.add_argument("--engines", default=",".join(ENGINES), help="for pairs, the first one exact [default: all]")
    parser.add_argument("--markdown", action="store_true", help="print the tables as Markdown")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(measure(given.catalogue, Case(*json.loads(given.one)))))
        return
    sizes = [int(size) for size in given.sizes.split(",")]
    print(f"faiss-cpu {importlib.metadata.version('faiss-cpu')}, numba {importlib.metadata.version('numba')}\n")
    rows: list[list[str]] = []
    for hash, bits, radius in PAIRS:
        for size in sizes:
            for kind in ("uniform", "real-like"):
                trees = ("bktree", "pybktree") if size > given.tree_up_to else ()
                engines = [what for what in given.engines.split(",") if what not in trees]
                cases = [Case(what, kind, hash, bits, radius, size, min(size, given.sampled)) for what in engines]
                rows += table_of(run_all(given, cases))
    print_table(("pairs", "keys", "found", "s", "MB", "times the first"), rows, markdown=given.markdown)
    print()
    rows = []
    for hash, bits, radius in QUERIES:
        for size in sizes:
            engines = ["packed", "faiss one"] + (["tree"] if size <= 20 * given.tree_up_to else [])
            cases = [Case(what, "real-like", hash, bits, radius, size, 0) for what in engines]
            for case, (seconds, _, _) in run_all(given, cases):
                rows.append([f"{case.what} {bits}/{radius}", f"{size:,}", f"{1000 * seconds:.2f}"])
    print_table(("one query", "keys", "ms"), rows, markdown=given.markdown)


def run_all(given: argparse.Namespace, cases: list[Case]) -> list[tuple[Case, Measured]]:
    results: dict[Case, list[Measured]] = {case: [] for case in cases}
    for _ in range(given.runs):
        for case, measured in results.items():
            command = [sys.executable, __file__, str(given.catalogue), "--one", json.dumps(case)]
            run = subprocess.run(command, check=True, capture_output=True, text=True)
            measured.append(Measured(*json.loads(run.stdout)))
    return [
        (case, Measured(median(one.seconds for one in runs), runs[0].found, max(one.megabytes for one in runs)))
        for case, runs in results.items()
    ]


def table_of(measured: list[tuple[Case, Measured]]) -> Iterator[list[str]]:
    exact = {result.found for case, result in measured if not case.what.startswith("faiss")}
    assert len(exact) == 1, f"the engines disagree: {measured}"
    first = measured[0][1].seconds
    for case, (seconds, found, megabytes) in measured:
        name = f"{case.what} {case.bits}/{case.radius} {case.kind}"
        sampled = case.what.startswith("faiss") and case.sampled < case.keys
        shown = "" if sampled else f"{found:,}"
        yield [name, f"{case.keys:,}", shown, f"{seconds:.3f}", f"{megabytes:.0f}", f"{seconds / first:,.1f}"]


# In the process of a case


def measure(catalogue: Path, case: Case) -> Measured:
    rng = np.random.default_rng(case.keys)
    if case.kind == "uniform":
        keys = uniform(case.bits, case.keys, rng)
    else:
        keys = real_like(real_hashes(catalogue)[case.hash], case.keys, rng)
    keys = rng.permutation(np.unique(keys, axis=0))
    work = WORK[case.what](keys, case)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    found = work()
    seconds = time.perf_counter() - start
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * (1 if sys.platform == "darwin" else 1024)
    if case.what.startswith("faiss") and case.sampled:
        seconds *= len(keys) / case.sampled
    return Measured(seconds, found, grown / 1e6)


Work = Callable[[], int]


def compiled(keys: Keys, case: Case) -> Work:
    packed.COMPILED_KEYS = 0
    chunks = packed.best_chunks(case.bits, case.radius, 1000, compiled=True).chunks
    list(packed.joined_by_chunks(keys[:1000], case.radius, chunks, compiled=True))
    return lambda: sum(len(block.a) for block in packed.joined(keys, case.radius))


def numpy(keys: Keys, case: Case) -> Work:
    packed.COMPILED_KEYS = NEVER
    return lambda: sum(len(block.a) for block in packed.joined(keys, case.radius))


def items(keys: Keys) -> list[tuple[int, int]]:
    return [(id, int.from_bytes(key.tobytes(), "big")) for id, key in enumerate(keys)]


def bktree(keys: Keys, case: Case) -> Work:
    from hashindex.hashing.search import BKTreeIndex

    index = BKTreeIndex(case.bits, items(keys))
    return lambda: sum(1 for _ in index.pairs(case.radius))


def pybktree_alone(keys: Keys, case: Case) -> Work:
    import pybktree

    numbers = [key for _, key in items(keys)]

    def work() -> int:
        tree = pybktree.BKTree(lambda a, b: (a ^ b).bit_count(), numbers)
        return sum(len(tree.find(key, case.radius)) - 1 for key in numbers) // 2

    return work


def faiss_index(index: Any, keys: Keys, radius: int, sampled: int) -> Work:
    data = keys.view(np.uint8).reshape(len(keys), -1)
    index.add(data)
    # The first query starts its threads.
    index.range_search(data[:1], 1)

    def work() -> int:
        # faiss means "less than the radius".
        limits, _, _ = index.range_search(data[:sampled], radius + 1)
        return int(limits[-1] - sampled) // 2

    return work


def faiss_flat(keys: Keys, case: Case) -> Work:
    import faiss

    return faiss_index(faiss.IndexBinaryFlat(case.bits), keys, case.radius, case.sampled or 1)


def faiss_hash(keys: Keys, case: Case) -> Work:
    import faiss

    tables = case.bits // 16
    index = faiss.IndexBinaryMultiHash(case.bits, tables, 16)
    index.nflip = math.ceil((case.radius + 1) / tables) - 1
    return faiss_index(index, keys, case.radius, case.sampled)


def one_packed(keys: Keys, case: Case) -> Work:
    planes = np.ascontiguousarray(keys.T)
    packed.near(planes, keys[0], case.radius)
    return lambda: len(packed.near(planes, keys[len(keys) // 2], case.radius)[0])


def one_tree(keys: Keys, case: Case) -> Work:
    from hashindex.hashing.search import BKTreeIndex

    listed = items(keys)
    index = BKTreeIndex(case.bits, listed)
    return lambda: len(index.within(listed[len(keys) // 2][1], case.radius))


WORK: dict[str, Callable[[Keys, Case], Work]] = {
    "compiled": compiled,
    "numpy": numpy,
    "bktree": bktree,
    "pybktree": pybktree_alone,
    "faiss flat": faiss_flat,
    "faiss hash": faiss_hash,
    "packed": one_packed,
    "tree": one_tree,
    "faiss one": faiss_flat,
}


if __name__ == "__main__":
    main()
