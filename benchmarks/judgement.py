"""Measures the cost of judgements: a cold scan and groups, the judged pairs, and the signatures.

    python benchmarks/judgement.py FOLDER [--rounds N] [--before PROGRAM]

Needs the extra `bench`. Runs whole commands on empty catalogues in turns, and prints medians: the wall-clock time, the
CPU time of all processes, which other work on the machine disturbs less, and the peak of the sum of their memory (PSS).
A scan whose judge uses NumPy (HASHINDEX_NO_COMPILED=1) is one of the commands. --before: an older hashindex program for
comparison, such as one without judgements (0459a8f). At the end the pairs are judged once more in this process, to
measure the CPU time of a pair.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from common import count, folder, print_table, run

from hashindex.core.model import Relation
from hashindex.core.options import Limits
from hashindex.index.judge_new import lots_of, task_of
from hashindex.judge.compiled import SWITCH
from hashindex.judge.pair_judge import judge_pairs
from hashindex.store.catalogue import Catalogue

OWN = [sys.executable, "-m", "hashindex"]


class Cost(NamedTuple):
    seconds: float
    cpu_s: float
    megabytes: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=folder, metavar="FOLDER", help="the pictures; they are only read")
    parser.add_argument("--rounds", type=count, default=3)
    parser.add_argument("--before", metavar="PROGRAM", help="an older hashindex program, for comparison")
    arguments = parser.parse_args()
    found: dict[str, list[Cost]] = {"scan": [], "scan, NumPy": [], "groups": [], "groups again": []}
    if arguments.before:
        found |= {"scan, before": [], "groups, before": []}
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        for number in range(arguments.rounds):
            if arguments.before:
                before = place / f"before{number}.db"
                found["scan, before"].append(cost([arguments.before], before, "scan", arguments.folder))
                found["groups, before"].append(cost([arguments.before], before, "groups"))
            path = place / f"{number}.db"
            found["scan"].append(cost(OWN, path, "scan", arguments.folder))
            os.environ[SWITCH] = "1"
            found["scan, NumPy"].append(cost(OWN, place / f"numpy{number}.db", "scan", arguments.folder))
            del os.environ[SWITCH]
            found["groups"].append(cost(OWN, path, "groups"))
            found["groups again"].append(cost(OWN, path, "groups"))
        print_table(
            ("command", "seconds", "CPU s", "PSS MB"),
            [
                (name, *(f"{statistics.median(column):.1f}" for column in zip(*costs, strict=True)))
                for name, costs in found.items()
            ],
        )
        describe(path)


def cost(program: list[str], catalogue: Path, command: str, *rest: Path) -> Cost:
    walk = ["--hidden"] if command == "scan" else []
    whole = [*program, "--catalogue", str(catalogue), command, *walk, *map(str, rest)]
    ran = run(whole, sample=True, accepted=(0, 3))
    return Cost(ran.seconds, ran.cpu_s, ran.memory.pss / 1e6)


def describe(path: Path) -> None:
    with Catalogue(path) as catalogue:
        number, size = catalogue.verdicts.signature_bytes()
        largest = max(map(len, catalogue.verdicts.signatures([id for id, _ in catalogue.verdicts.views()]).values()))
        contents = [content for content, _ in catalogue.verdicts.views()]
        verdicts = [one for one in catalogue.verdicts.among(contents) if one.turn == 0]
        pairs = [(one.a, one.b) for one in verdicts]
        tasks = [task_of(catalogue, lot, Limits(), 0) for lot in lots_of(pairs)]
    print(f"\nSignatures: {number:,}, mean {size / number:,.0f} bytes, largest {largest:,}.")
    by_relation = Counter(Relation(one.relation).label for one in verdicts)
    print(f"Pairs judged: {len(verdicts):,} ({', '.join(f'{name} {n:,}' for name, n in by_relation.most_common())}).")
    by_signatures = sum(not one.by_pixels for one in verdicts) / len(verdicts)
    print(f"Decided by signatures alone: {by_signatures:.3f}.")
    began = time.process_time()
    again = sum(len(judge_pairs(task)) for task in tasks)
    spent_s = time.process_time() - began
    print(f"Judged again in one process: {again:,}, {1000 * spent_s / again:.2f} ms of CPU a pair.")


if __name__ == "__main__":
    main()
