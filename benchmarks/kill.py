"""Kills `hashindex organize --apply` at random moments, recovers, and counts what was lost.

    python benchmarks/kill.py FOLDER [--kills N] [--mode move|copy] [--dest-fs PATH] [--seed N]

FOLDER is copied first and never touched. The copy is scanned and organized undisturbed, for how long a file takes. Then
N times: the same command is started as a process and killed with SIGKILL while it places, N moments spread evenly over
the files, each moved at random within its share, and then by a random time of up to two files' length; the rest is
what a person would do: `hashindex recover`, and `hashindex undo`. (Moments are counted in files placed, not from the
start of the process: that would miss on a busy machine.)

After each recover: move: every picture is once in the sources or the destination, bytes and all; copy: the sources are
untouched, and the destination has whole pictures only. No unfinished copy is left; the history says neither more nor
less than the disk, and so does the manifest. After each undo the folder is as it was: names, bytes, mtimes.

--dest-fs PATH: the destination is made below PATH, on another file system (/dev/shm, an USB stick), so that move and
copy go through a copy. It is removed at the end.
"""

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from common import count, folder, print_table

MANIFEST = ".hashindex.jsonl"
Tree = dict[str, tuple[str, int]]


@dataclass(slots=True)
class Tally:
    """What the kills did, in runs unless said."""

    unbegun: int = 0
    cut: int = 0
    finished: int = 0
    pictures_lost: int = 0
    pictures_twice: int = 0
    torn: int = 0
    """Files in the destination, or unfinished copies, that are no whole picture."""
    journals_wrong: int = 0
    not_undone: int = 0
    unrecovered: int = 0
    """recover or undo ended with an error."""


class Place:
    """The copy of the folder, its catalogue and the destination."""

    def __init__(self, source: Path, scratch: Path, dest: Path, mode: str) -> None:
        self.pictures, self.dest, self.mode = scratch / "pictures", dest, mode
        shutil.copytree(source, self.pictures, symlinks=True)
        self.environment = {
            **os.environ,
            "HASHINDEX_CATALOGUE": str(scratch / "catalogue.db"),
            "XDG_CONFIG_HOME": str(scratch / "config"),
            "PYTHONUNBUFFERED": "1",  # a line for every file placed, when it is placed
        }

    def start(self, *words: str | Path) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-m", "hashindex", *map(str, words)],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *words: str | Path) -> str:
        """What it printed. Exits where it failed; 3 is done, with problems in some files."""
        process = self.start(*words)
        out, err = process.communicate()
        if process.returncode not in (0, 3):
            raise RuntimeError(f"{' '.join(map(str, words))} ended with {process.returncode}: {err}")
        return out

    def organizing(self) -> "subprocess.Popen[str]":
        return self.start("organize", self.dest, "--apply", "--mode", self.mode, "--rest", "--json")

    def sources(self) -> Tree:
        return tree(self.pictures)

    def placed(self) -> Tree:
        return {name: what for name, what in tree(self.dest).items() if name != MANIFEST}

    def manifest(self) -> dict[str, str]:
        path = self.dest / MANIFEST
        entries = [json.loads(line) for line in path.read_text().splitlines()[1:]] if path.exists() else []
        return {entry["name"]: entry["sha256"] for entry in entries}

    def history(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.run("history", "--json").splitlines()]


def tree(root: Path) -> Tree:
    """SHA-256 and mtime of every file below root."""
    found: Tree = {}
    for parent, _, names in os.walk(root):
        for name in names:
            path = Path(parent, name)
            if not path.is_symlink():
                found[os.path.relpath(path, root)] = (
                    hashlib.sha256(path.read_bytes()).hexdigest(),
                    path.stat().st_mtime_ns,
                )
    return found


def measure(place: Place) -> tuple[float, int]:
    """How long an undisturbed run takes for a file, in seconds, and how many it places."""
    process = place.organizing()
    times = [time.perf_counter() for _ in placing(process)]
    process.communicate()
    if process.returncode not in (0, 3):
        raise RuntimeError(f"organize ended with {process.returncode}")
    return (times[-1] - times[0]) / len(times), len(place.placed())


def placing(process: "subprocess.Popen[str]") -> Iterator[str]:
    """The lines that it prints for each file when it is placed."""
    assert process.stdout is not None
    return (line for line in process.stdout if '"action"' in line)


def kill_once(place: Place, after: int, then_s: float, everything: int, before: Tree, tally: Tally) -> None:
    """One killed run, judged after recover and after undo."""
    process = place.organizing()
    for _ in islice(placing(process), after):
        pass
    time.sleep(then_s)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    try:
        place.run("recover")
        judge(place, everything, before, tally)
        for batch in place.history():
            if batch["placed"]:
                place.run("undo", str(batch["batch"]))
    except RuntimeError as error:
        tally.unrecovered += 1
        print(error, file=sys.stderr)
    if place.sources() != before or place.placed():
        tally.not_undone += 1


def judge(place: Place, everything: int, before: Tree, tally: Tally) -> None:
    """Compares disk, history and manifest."""
    sources, placed = place.sources(), place.placed()
    if not placed:
        tally.unbegun += 1
    elif len(placed) < everything:
        tally.cut += 1
    else:
        tally.finished += 1
    wanted = Counter(before.values())
    tally.torn += sum(what not in wanted for what in placed.values())
    if place.mode == "move":
        there = Counter([*sources.values(), *placed.values()])
        tally.pictures_lost += (wanted - there).total()
        tally.pictures_twice += (there - wanted).total()
    else:
        tally.pictures_lost += len(before.items() - sources.items())
        tally.pictures_twice += len(placed) - len({what[0] for what in placed.values()})
        tally.torn += len(sources.keys() - before.keys())
    batches = place.history()
    open_batches = [batch for batch in batches if batch["state"] not in ("applied", "undone")]
    said = sum(int(str(batch["placed"])) for batch in batches)
    if open_batches or said != len(placed) or place.manifest() != {name: what[0] for name, what in placed.items()}:
        tally.journals_wrong += 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=folder, metavar="FOLDER")
    parser.add_argument("--kills", type=count, default=60, metavar="N")
    parser.add_argument("--mode", choices=["move", "copy"], default="move")
    parser.add_argument("--dest-fs", type=folder, metavar="PATH", help="make the destination below PATH")
    parser.add_argument("--seed", type=int, default=0, metavar="N")
    given = parser.parse_args()
    dice = random.Random(given.seed)
    with (
        tempfile.TemporaryDirectory(prefix="hashindex-kill-") as scratch,
        tempfile.TemporaryDirectory(prefix="hashindex-kill-", dir=given.dest_fs) as beside,
    ):
        place = Place(given.folder, Path(scratch), Path(beside) / "stickers", given.mode)
        place.run("scan", place.pictures, "--quiet")
        before = place.sources()
        file_s, everything = measure(place)
        place.run("undo")
        if place.sources() != before or place.placed():
            raise SystemExit("an undisturbed run is not undone")
        tally = Tally()
        for kill in range(given.kills):
            after = int((kill + dice.random()) * everything / given.kills)
            kill_once(place, after, 2 * file_s * dice.random(), everything, before, tally)
        devices = {os.stat(path).st_dev for path in (scratch, beside)}
    where = "another file system" if len(devices) > 1 else "the same file system"
    print(f"{given.mode} of {everything} files to {where}: {file_s * 1000:.1f} ms a file, {given.kills} kills")
    rows = [
        ("killed before anything was placed", tally.unbegun),
        ("cut in the middle", tally.cut),
        ("had placed everything", tally.finished),
        ("pictures lost", tally.pictures_lost),
        ("pictures twice", tally.pictures_twice),
        ("torn files", tally.torn),
        ("journals or manifests wrong", tally.journals_wrong),
        ("not as before after undo", tally.not_undone),
        ("recover or undo failed", tally.unrecovered),
    ]
    print_table(("of the kills", "count"), rows)
    if any(number for _, number in rows[3:]):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
