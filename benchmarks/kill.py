"""Kills organize, undo, scan and watch at random moments with SIGKILL, and counts what was lost.

    python benchmarks/kill.py [FOLDER] [--kills N] [--what WHAT ...] [--mode move|copy] [--template TEMPLATE]
                              [--dest-fs PATH] [--seed N]

FOLDER is copied first and never touched; without one, 150 pictures are drawn. N kills in all are shared out over WHAT:

organize  started as a process and killed after a number of placed files: N moments spread evenly over the files and
          moved at random, plus a random time of up to two files' length. Then recover, and everything is judged:
          move: every picture is once in the sources or the destination, bytes and all; copy: the sources are untouched,
          and the destination has whole pictures only. No unfinished copy is left; history and manifest say neither more
          nor less than the disk. Organizing again places the rest, and undo puts the folder back: names, bytes, mtimes.
undo      the same, killed after a number of files were taken back.
scan      before each, files are added, changed, renamed and removed; killed at a random time within the length of an
          undisturbed one. Then the catalogue is checked, and another scan has to bring it in step with the disk.
watch     killed while files come, change and go. Judged as scan.

After each kill SQLite's integrity and references are checked ("catalogues damaged"). Moments are counted in files where
files tell, not from the start of the process: that would miss on a busy machine.

--dest-fs PATH: the destination is made below PATH, on another file system (/dev/shm, a USB stick), so that move and
copy go through a copy. It is removed at the end.
--template TEMPLATE: organize into folders, as hashindex organize --folder TEMPLATE.
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
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path

from common import count, folder, print_table
from PIL import Image

from hashindex import Action, HashIndex, HashIndexError, ScanOptions
from hashindex.store.catalogue import Catalogue

MANIFEST = ".hashindex.jsonl"
WHAT = ("organize", "undo", "scan", "watch")
DRAWN = 150
Tree = dict[str, tuple[str, int]]
ONE_WORKER = ScanOptions(workers=1)


@dataclass(slots=True)
class Tally:
    """What the kills did, in runs unless said."""

    kills: int = 0
    unbegun: int = 0
    cut: int = 0
    finished: int = 0
    pictures_lost: int = 0
    pictures_twice: int = 0
    torn: int = 0
    """Files in the destination, or unfinished copies, that are no whole picture."""
    journals_wrong: int = 0
    catalogues_damaged: int = 0
    not_finished: int = 0
    """Running again did not finish the work, or undo did not put everything back."""
    failed: int = 0
    """recover, scan or undo ended with an error."""


class Place:
    """The copy of the folder, its catalogue and the destination."""

    def __init__(self, source: Path | None, scratch: Path, dest: Path, mode: str, template: str) -> None:
        self.pictures, self.dest, self.mode, self.template = scratch / "pictures", dest, mode, template
        self.scratch = scratch
        if source is None:
            draw(self.pictures)
        else:
            shutil.copytree(source, self.pictures, symlinks=True)
        self.catalogue = scratch / "catalogue.db"
        self.index = HashIndex(self.catalogue, wait_s=5)
        self.environment = {
            **os.environ,
            "HASHINDEX_CATALOGUE": str(self.catalogue),
            "XDG_CONFIG_HOME": str(scratch / "config"),
            "PYTHONUNBUFFERED": "1",  # a line for every file placed, when it is placed
        }

    def start(self, *words: str | Path) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-m", "hashindex", *map(str, words)],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def organizing(self) -> "subprocess.Popen[str]":
        options = ("--mode", self.mode, "--folder", self.template, "--rest", "--json")
        return self.start("organize", self.dest, "--apply", *options)

    def organize(self) -> None:
        self.index.organize(self.dest, action=Action(self.mode), rest=True, folder=self.template)

    def undo_all(self) -> None:
        with suppress(HashIndexError):
            while self.index.undo().done:
                pass

    def sources(self) -> Tree:
        return tree(self.pictures)

    def placed(self) -> Tree:
        return {name: what for name, what in tree(self.dest).items() if name != MANIFEST}

    def count_placed(self) -> int:
        return sum(not name.startswith(".") for _, _, names in os.walk(self.dest) for name in names)

    def manifest(self) -> dict[str, str]:
        path = self.dest / MANIFEST
        entries = [json.loads(line) for line in path.read_text().splitlines()[1:]] if path.exists() else []
        return {entry["name"]: entry["sha256"] for entry in entries}

    def is_damaged(self) -> bool:
        if not self.catalogue.exists():
            return False
        try:
            with Catalogue(self.catalogue) as catalogue:
                return bool(catalogue.faults())
        except HashIndexError as error:
            print(error, file=sys.stderr)
            return self.catalogue.stat().st_size != 0


def draw(place: Path) -> None:
    """Pictures that are all strangers to each other, but for every tenth, which has a twin."""
    place.mkdir(parents=True)
    for number in range(DRAWN):
        rng = random.Random(number - (number % 10 == 9))
        small = Image.frombytes("RGB", (8, 8), rng.randbytes(192))
        small.resize((120, 90), Image.Resampling.BICUBIC).save(
            place / f"{number:04}.{'bmp' if number % 10 == 9 else 'png'}"
        )


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


def kill(process: "subprocess.Popen[str]") -> None:
    process.send_signal(signal.SIGKILL)
    process.communicate()


def until(process: "subprocess.Popen[str]", reached: Callable[[], bool]) -> None:
    while process.poll() is None and not reached():
        time.sleep(0.0005)


# organize and undo


def organize_once(place: Place, share: float, rng: random.Random, before: Tree, tally: Tally) -> None:
    everything = len(before)
    process = place.organizing()
    after = int(share * everything)
    until(process, lambda: place.count_placed() >= after)
    time.sleep(0.004 * rng.random())
    kill(process)
    placed = place.count_placed()
    note(tally, placed == 0, placed >= everything)
    judge_moves(place, before, tally)
    place.organize()
    if {what[0] for what in place.placed().values()} != {what[0] for what in before.values()}:
        tally.not_finished += 1
    put_back(place, before, tally)


def undo_once(place: Place, share: float, rng: random.Random, before: Tree, tally: Tally) -> None:
    place.organize()
    everything = place.count_placed()
    process = place.start("undo")
    left = everything - int(share * everything)
    until(process, lambda: place.count_placed() <= left)
    time.sleep(0.004 * rng.random())
    kill(process)
    placed = place.count_placed()
    note(tally, placed == everything, placed == 0)
    judge_moves(place, before, tally)
    put_back(place, before, tally)


def note(tally: Tally, is_unbegun: bool, is_finished: bool) -> None:
    tally.kills += 1
    if is_unbegun:
        tally.unbegun += 1
    elif is_finished:
        tally.finished += 1
    else:
        tally.cut += 1


def judge_moves(place: Place, before: Tree, tally: Tally) -> None:
    """After recover: compares disk, history and manifest."""
    tally.catalogues_damaged += place.is_damaged()
    place.index.recover()
    sources, placed = place.sources(), place.placed()
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
    batches = place.index.history()
    said = sum(batch.done for batch in batches)
    is_wrong = said != len(placed) or place.manifest() != {name: what[0] for name, what in placed.items()}
    if is_wrong or any(batch.is_open for batch in batches):
        tally.journals_wrong += 1


def put_back(place: Place, before: Tree, tally: Tally) -> None:
    place.undo_all()
    if place.sources() != before or place.dest.exists():
        tally.not_finished += 1


# scan and watch


def churn(place: Place, rng: random.Random, acts: int) -> None:
    """Somebody adds, changes, renames and removes files."""
    for _ in range(acts):
        names = sorted(os.listdir(place.pictures))
        path = place.pictures / rng.choice(names)
        act = rng.randrange(4)
        if act == 0 or len(names) < DRAWN // 2:
            small = Image.frombytes("RGB", (8, 8), rng.randbytes(192))
            new = place.pictures / f"new {rng.randrange(10**9)}.png"
            small.resize((120, 90), Image.Resampling.BICUBIC).save(new)
        elif act == 1:
            path.rename(place.pictures / f"renamed {rng.randrange(10**9)}{path.suffix}")
        elif act == 2:
            path.unlink()
        else:
            path.write_bytes(path.read_bytes() + rng.randbytes(3))


def scan_once(place: Place, length_s: float, rng: random.Random, tally: Tally) -> None:
    if rng.random() < 0.3:
        for path in place.scratch.glob("catalogue.db*"):
            path.unlink()
    churn(place, rng, 40)
    disk = place.sources()
    process = place.start("scan", place.pictures, "--quiet", "--workers", "1")
    time.sleep(rng.random() * length_s)
    is_done = process.poll() is not None
    kill(process)
    known = in_step(place, disk)
    note(tally, known == 0, is_done)
    judge_catalogue(place, disk, tally)


def watch_once(place: Place, rng: random.Random, tally: Tally) -> None:
    process = place.start("watch", place.pictures, "--json", "--settle", "0.1s", "--workers", "1")
    assert process.stdout is not None
    for line in process.stdout:
        if '"watching"' in line:
            break
    until_s = time.monotonic() + 1.2 * rng.random()
    while time.monotonic() < until_s:
        churn(place, rng, 3)
        time.sleep(0.05 * rng.random())
    is_over = process.poll() is not None
    kill(process)
    note(tally, False, is_over)
    judge_catalogue(place, place.sources(), tally)


def in_step(place: Place, disk: Tree) -> int:
    """How many files of the disk the catalogue knows with their bytes."""
    if not place.catalogue.exists():
        return 0
    try:
        with Catalogue(place.catalogue) as catalogue:
            rows = catalogue.connection.execute(
                "SELECT path, name, digest FROM file JOIN folder ON folder.id = folder "
                "JOIN content ON content.id = content WHERE NOT missing"
            )
            known = {
                os.path.relpath(os.fsdecode(os.path.join(path, name)), place.pictures): digest.hex()
                for path, name, digest in rows
            }
    except HashIndexError:
        return 0
    return sum(known.get(name) == what[0] for name, what in disk.items())


def judge_catalogue(place: Place, disk: Tree, tally: Tally) -> None:
    """After another scan: the catalogue says what the disk says, hashes, neighbours and all."""
    tally.catalogues_damaged += place.is_damaged()
    place.index.scan([place.pictures], ONE_WORKER)
    if in_step(place, disk) != len(disk):
        tally.not_finished += 1
    tally.catalogues_damaged += any(finding.severity == "problem" for finding in place.index.check())
    if place.sources() != disk:
        tally.pictures_lost += 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=folder, metavar="FOLDER", nargs="?")
    parser.add_argument("--kills", type=count, default=60, metavar="N")
    parser.add_argument("--what", choices=WHAT, nargs="+", default=list(WHAT), metavar="WHAT")
    parser.add_argument("--mode", choices=["move", "copy"], default="move")
    parser.add_argument("--template", default="", metavar="TEMPLATE", help="organize into folders")
    parser.add_argument("--dest-fs", type=folder, metavar="PATH", help="make the destination below PATH")
    parser.add_argument("--seed", type=int, default=0, metavar="N")
    given = parser.parse_args()
    rng = random.Random(given.seed)
    tallies = {what: Tally() for what in given.what}
    with (
        tempfile.TemporaryDirectory(prefix="hashindex-kill-") as scratch,
        tempfile.TemporaryDirectory(prefix="hashindex-kill-", dir=given.dest_fs) as beside,
    ):
        place = Place(given.folder, Path(scratch), Path(beside) / "stickers", given.mode, given.template)
        place.index.scan([place.pictures], ONE_WORKER)
        before = place.sources()
        place.organize()
        place.undo_all()
        if place.sources() != before or place.placed():
            raise SystemExit("an undisturbed run is not undone")
        start = time.monotonic()
        process = place.start("scan", place.pictures, "--quiet", "--workers", "1")
        process.communicate()
        length_s = time.monotonic() - start + len(before) * 0.005
        for number in range(given.kills):
            what = given.what[number % len(given.what)]
            tally, share = tallies[what], (number + rng.random()) / given.kills
            try:
                if what == "organize":
                    organize_once(place, share, rng, before, tally)
                elif what == "undo":
                    undo_once(place, share, rng, before, tally)
                elif what == "scan":
                    scan_once(place, length_s, rng, tally)
                else:
                    watch_once(place, rng, tally)
            except HashIndexError as error:
                tally.failed += 1
                print(error, file=sys.stderr)
            if what in ("scan", "watch"):
                before = place.sources()
        devices = {os.stat(path).st_dev for path in (scratch, beside)}
    where = "another file system" if len(devices) > 1 else "the same file system"
    how = f"{given.mode} of {len(before)} files to {where}" + (f", into {given.template}" if given.template else "")
    print(f"{given.kills} kills; organize and undo: {how}; seed {given.seed}")
    rows = [
        (field.name.replace("_", " "), *(getattr(tally, field.name) for tally in tallies.values()))
        for field in fields(Tally)
    ]
    print_table(("", *tallies), rows)
    if any(number for _, *numbers in rows[4:] for number in numbers):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
