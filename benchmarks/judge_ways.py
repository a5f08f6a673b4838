"""Compares the two ways of the judge, compiled and by NumPy: verdicts and CPU time.

    python benchmarks/judge_ways.py FOLDER [--rounds N] [--catalogue FILE] [--before FOLDER]

Scans the pictures into an empty catalogue (or uses --catalogue, made by a scan), and judges all of its pairs again in
processes of their own, both ways in turns. Prints the CPU time of a pair, and how many verdicts differ between the ways
and from the catalogue: in their relation, in any field, and by how much in their chances. --before: another copy of
this repository, which judges the same pairs in turns as well.
"""

import argparse
import os
import pickle
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from common import count, folder, print_table, run

from hashindex.core.messages import Verdict
from hashindex.core.options import Limits
from hashindex.index.judge_new import lots_of, task_of
from hashindex.judge.pair_judge import Task, judge_pairs
from hashindex.store.catalogue import Catalogue

ROOT = Path(__file__).resolve().parent.parent
Verdicts = dict[tuple[int, int], Verdict]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=folder, metavar="FOLDER", help="the pictures; they are only read")
    parser.add_argument("--rounds", type=count, default=3)
    parser.add_argument("--catalogue", type=Path, metavar="FILE", help="a catalogue of the pictures, if there is one")
    parser.add_argument("--before", type=folder, metavar="FOLDER", help="another copy of this repository")
    parser.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.inside:
        judge_again(arguments.inside)
        return
    from hashindex.judge.compiled import SWITCH  # not in every older copy

    ways = {"compiled": (ROOT, "0"), "NumPy": (ROOT, "1")}
    if arguments.before:
        ways["before"] = (arguments.before, "0")
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        path = arguments.catalogue or place / "catalogue.db"
        if not arguments.catalogue:
            scan = [sys.executable, "-m", "hashindex", "--catalogue", str(path), "scan", "--hidden"]
            run([*scan, str(arguments.folder)], accepted=(0, 3))
        stored = export(path, place / "tasks")
        if not stored:
            sys.exit("No two of these pictures are candidates.")
        spent: dict[str, list[float]] = {name: [] for name in ways}
        found: dict[str, Verdicts] = {"catalogue": stored}
        for _ in range(arguments.rounds):
            for name, (root, switch) in ways.items():
                again = [sys.executable, __file__, str(arguments.folder), "--inside", str(place / "tasks")]
                environment = {**os.environ, "PYTHONPATH": str(root), SWITCH: switch}
                subprocess.run(again, env=environment, check=True)
                seconds, found[name] = pickle.loads((place / "tasks.verdicts").read_bytes())
                spent[name].append(1000 * seconds / len(found[name]))
    pairs = len(found["compiled"])
    print(f"{pairs:,} pairs\n")
    print_table(("way", "CPU ms a pair"), [(name, f"{statistics.median(each):.3f}") for name, each in spent.items()])
    print()
    rows = [("compiled", other) for other in found if other != "compiled"] + [("NumPy", "catalogue")]
    print_table(
        ("of two ways", "", "other relation", "other chances or fields", "largest difference of chances"),
        [(one, other, *differences(found[one], found[other])) for one, other in rows],
    )


def export(path: Path, to: Path) -> Verdicts:
    """Writes the tasks for all judged pairs of a catalogue and returns their verdicts."""
    with Catalogue(path) as catalogue:
        contents = [content for content, _ in catalogue.verdicts.views()]
        verdicts = {(one.a, one.b): one for one in catalogue.verdicts.among(contents)}
        tasks = [task_of(catalogue, lot, Limits(), 0) for lot in lots_of(list(verdicts))]
    to.write_bytes(pickle.dumps(tasks))
    return verdicts


def judge_all(tasks: list[Task]) -> Verdicts:
    return {(one.a, one.b): one for task in tasks for one in judge_pairs(task)}


def judge_again(tasks: Path) -> None:
    some: list[Task] = pickle.loads(tasks.read_bytes())
    began = time.process_time()
    verdicts = judge_all(some)
    tasks.with_suffix(".verdicts").write_bytes(pickle.dumps((time.process_time() - began, verdicts)))


def differences(one: Verdicts, other: Verdicts) -> tuple[str, str, str]:
    both = one.keys() & other.keys()
    relations = sum(one[pair].relation != other[pair].relation for pair in both)
    fields = sum(one[pair] != other[pair] for pair in both)
    chances = max(
        (max(abs(one[pair].copy - other[pair].copy), abs(one[pair].similar - other[pair].similar)) for pair in both),
        default=0.0,
    )
    return f"{relations} of {len(both):,}", f"{fields:,}", f"{chances:.6f}"


if __name__ == "__main__":
    main()
