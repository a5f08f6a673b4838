"""Finds what a limit of candidates a picture loses and saves.

    python benchmarks/candidate_limits.py FOLDER LABELS [--limits 64 32 16 8]

LABELS as for accuracy.py. For each limit (candidates.MOST; SPREAD is three eighths of it) scans FOLDER, judging what
a scan judges, then what the guard needs for copies, then what similar needs. A pair is judged once and its verdict used
for every limit. A row for each limit and step: candidate pairs, how many verdicts were needed and the processor time
to find them, groups, groups of the first limit that are not among them, and the shares of accuracy.py. Takes as long as
judging all pairs in one process: minutes.
"""

import argparse
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

from accuracy import numbered, own, read_labels, scores_for
from common import count, folder, print_table

from hashindex import HashIndex, ScanOptions, WalkRules
from hashindex.core.messages import Verdict
from hashindex.core.options import Limits
from hashindex.index.judge_new import keep_relations
from hashindex.index.local_executor import GivenExecutor
from hashindex.judge import candidates
from hashindex.judge.pair_judge import PairJudge
from hashindex.store.catalogue import Catalogue

Pair = tuple[bytes, bytes, int, bool]


class InThisProcess(Executor):
    """Runs each task when it is submitted, so that every verdict passes the cache."""

    _max_workers = 1

    def submit(self, function: Callable[..., Any], /, *given: Any, **named: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(function(*given, **named))
        return future


class Cache:
    """Verdicts by pair of digests, and how many of them were needed since the last reset."""

    def __init__(self) -> None:
        self._verdicts: dict[Pair, tuple[Verdict, float]] = {}
        self._judge = PairJudge.verdict
        self.used: Counter[Pair] = Counter()

    def verdict(self, judge: PairJudge, a: int, b: int, turn: int, ruled_out: bool) -> Verdict:
        one, other = sorted((judge._known[a].digest, judge._known[b].digest))
        pair = one, other, turn, ruled_out
        if pair not in self._verdicts:
            began = time.process_time()
            found = self._judge(judge, a, b, turn, ruled_out=ruled_out)
            self._verdicts[pair] = found, time.process_time() - began
        self.used[pair] += 1
        return self._verdicts[pair][0]._replace(a=a, b=b)

    def taken(self) -> tuple[int, float]:
        """The verdicts that were needed since the last call, and their processor time."""
        found = len(self.used), sum(self._verdicts[pair][1] for pair in self.used)
        self.used.clear()
        return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=folder, metavar="FOLDER", help="the pictures; they are only read")
    parser.add_argument("labels", type=Path, metavar="LABELS")
    parser.add_argument("--limits", type=count, nargs="+", default=[64, 32, 16, 8])
    arguments = parser.parse_args()
    scores = scores_for(read_labels(arguments.labels))
    if scores is None:
        parser.error(f"{arguments.labels} has no known columns")
    cache = Cache()

    def verdict(judge: PairJudge, a: int, b: int, turn: int = 0, *, ruled_out: bool = False) -> Verdict:
        return cache.verdict(judge, a, b, turn, ruled_out)

    PairJudge.verdict = verdict  # type: ignore[assignment,method-assign]
    rows: list[list[str]] = []
    first: dict[str, set[frozenset[str]]] = {}
    with tempfile.TemporaryDirectory() as temporary:
        for limit in arguments.limits:
            candidates.MOST = limit  # type: ignore[misc]
            candidates.SPREAD = max(1, 3 * limit // 8)  # type: ignore[misc]
            index = HashIndex(Path(temporary, f"{limit}.db"))
            index.scan([arguments.folder], ScanOptions(rules=WalkRules(hidden=True)), executor=InThisProcess())
            judged, seconds = cache.taken()
            empty = [""] * (2 + len(scores.headers))
            rows.append([f"{limit}", "scan", f"{candidate_pairs(index):,}", f"{judged:,}", f"{seconds:.1f}", *empty])
            for level in ("copies", "similar"):
                with Catalogue(index.path, write=True) as catalogue:
                    # groups would judge these in worker processes, past the cache.
                    keep_relations(
                        catalogue, Limits(), variants=level == "similar", executor=GivenExecutor(InThisProcess())
                    )
                groups = own(index, level=level, keep="largest")
                judged, seconds = cache.taken()
                kept = {frozenset(group) for group in groups}
                unlike = len(first.setdefault(level, kept) - kept)
                cells = scores.cells(numbered(groups, arguments.folder), level == "similar")
                rows.append(
                    [f"{limit}", level, "", f"{judged:,}", f"{seconds:.1f}", f"{len(kept)}", f"{unlike}", *cells]
                )
    print_table(("limit", "level", "pairs", "judged", "CPU s", "groups", "unlike", *scores.headers), rows)


def candidate_pairs(index: HashIndex) -> int:
    with Catalogue(index.path) as catalogue:
        return len(catalogue.verdicts.candidates())


if __name__ == "__main__":
    main()
