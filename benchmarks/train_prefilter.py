"""Trains the prefilter (hashindex/judge/prefilter.py) on verdicts, and prints what it loses.

    python benchmarks/train_prefilter.py FOLDER [FOLDER ...] [--out hashindex/judge/prefilter.json]

Needs scikit-learn. Scans each folder into a catalogue of its own and judges all of its candidate pairs, also those that
a scan leaves out because their pictures are connected already. A pair may be a copy if the judge says so, gives it a
chance from 0.1 on, or compared it at the finest scale.

The table is of trees that were trained on the other half: folders are divided into two halves, and pairs between them
are left out. By bound, it shows for each FOLDER the share of pairs that are ruled out and of the time to judge them,
and how many copies are lost, how many pairs with a chance of 0.15 and more, and how many objections of the fine
comparison. With --out the trees of all pairs are written.
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from common import folder, half_of, print_table
from numpy.typing import NDArray
from train_judge import as_data

from hashindex import HashIndex, ScanOptions, WalkRules
from hashindex.core.messages import Verdict
from hashindex.core.model import Relation
from hashindex.core.options import Limits
from hashindex.index.judge_new import lots_of, task_of
from hashindex.judge.classifier import STORED_COPY
from hashindex.judge.pair_judge import STAYS_LEAST, PairJudge, Task
from hashindex.judge.prefilter import FEATURES, KeyedPicture, rows_of, trees_of
from hashindex.store.catalogue import Catalogue

BOUNDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05)
TREES, LEAVES = 60, 8


class Judged(NamedTuple):
    verdict: Verdict
    seconds: float


class Examples(NamedTuple):
    """Of the candidate pairs of one folder; arrays of one value or row a pair."""

    rows: NDArray[np.float32]
    may_be_copies: NDArray[np.bool_]
    are_copies: NDArray[np.bool_]
    hold: NDArray[np.bool_]
    """Chance of a copy of STAYS_LEAST and more."""
    are_denied: NDArray[np.bool_]
    seconds: NDArray[np.float64]
    half: NDArray[np.int64]
    """-1 if the two pictures are of different halves."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=folder, nargs="+", metavar="FOLDER", help="pictures; they are only read")
    parser.add_argument("--out", type=Path, help="where to write the trees")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        found = []
        for number, place in enumerate(arguments.folders):
            index = HashIndex(Path(temporary, f"{number}.db"))
            index.scan([place], ScanOptions(rules=WalkRules(hidden=True)))
            with Catalogue(index.path) as catalogue:
                found.append(examples(catalogue, list(judged(catalogue))))
    print_table(
        ("folder", "bound", "ruled out", "of the time", "copies lost", "chances lost", "objections lost"),
        list(held_out(arguments.folders, found)),
    )
    if arguments.out is not None:
        whole = trained(
            np.concatenate([one.rows for one in found]), np.concatenate([one.may_be_copies for one in found])
        )
        arguments.out.write_text(json.dumps(whole, separators=(",", ":")) + "\n")


def judged(catalogue: Catalogue) -> Iterator[Judged]:
    """All candidates, judged as if nothing were ruled out."""
    pairs = [(a, b) for a, b, _ in catalogue.verdicts.candidates()]
    tasks = (task_of(catalogue, lot, Limits(), 0) for lot in lots_of(pairs))
    with ProcessPoolExecutor() as pool:
        for part in pool.map(judge_all, tasks):
            yield from part


def judge_all(task: Task) -> list[Judged]:
    judge = PairJudge(task.known, task.limits)
    found = []
    for a, b in task.pairs:
        began = time.process_time()
        verdict = judge.verdict(a, b)
        found.append(Judged(verdict, time.process_time() - began))
    return found


def examples(catalogue: Catalogue, found: Iterable[Judged]) -> Examples:
    found = list(found)
    pairs = [(one.verdict.a, one.verdict.b) for one in found]
    ids = {id for pair in pairs for id in pair}
    shapes = catalogue.shapes_of(ids)
    pictures = {id: KeyedPicture(catalogue.verdicts.keys_of(id), *shapes[id]) for id in ids}
    files = catalogue.files_of(ids, all=True, family=True)
    half = {id: half_of(os.path.dirname(os.fsdecode(files[id][0].path_bytes))) for id in ids}
    copies = np.array([one.verdict.relation >= Relation.COPY for one in found])
    chances = np.array([one.verdict.copy for one in found])
    denied = np.array([one.verdict.objection is not None for one in found])
    return Examples(
        rows_of(pairs, pictures),
        copies | denied | (chances >= STORED_COPY.no),
        copies,
        chances >= STAYS_LEAST,
        denied,
        np.array([one.seconds for one in found]),
        np.array([half[a] if half[a] == half[b] else -1 for a, b in pairs]),
    )


def held_out(folders: Iterable[Path], found: list[Examples]) -> Iterator[list[str]]:
    chances = [np.ones(len(one.rows)) for one in found]
    for half in (0, 1):
        data = trained(
            np.concatenate([one.rows[one.half == half] for one in found]),
            np.concatenate([one.may_be_copies[one.half == half] for one in found]),
        )
        for score, one in zip(chances, found, strict=True):
            score[one.half == 1 - half] = trees_of(data).probabilities(one.rows[one.half == 1 - half])
    for place, score, one in zip(folders, chances, found, strict=True):
        for bound in BOUNDS:
            out, tested = score < bound, one.half >= 0
            yield [
                place.name,
                f"{bound}",
                f"{out.sum() / tested.sum():.3f} of {tested.sum():,}",
                f"{one.seconds[out].sum() / one.seconds[tested].sum():.3f}",
                *(
                    f"{(kind & out).sum()} of {(kind & tested).sum():,}"
                    for kind in (one.are_copies, one.hold, one.are_denied)
                ),
            ]


def trained(rows: NDArray[np.float32], may_be_copies: NDArray[np.bool_]) -> dict[str, Any]:
    from sklearn.ensemble import HistGradientBoostingClassifier

    trees = HistGradientBoostingClassifier(
        max_iter=TREES, max_leaf_nodes=LEAVES, learning_rate=0.15, l2_regularization=1.0, class_weight="balanced",
        early_stopping=False, random_state=1,
    )  # fmt: skip
    trees.fit(rows, may_be_copies)
    return {"features": FEATURES, **as_data(trees)}


if __name__ == "__main__":
    main()
