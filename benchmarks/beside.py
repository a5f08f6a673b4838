"""Runs a scan together with other commands that write: two processes, one catalogue, many rounds.

    python benchmarks/beside.py [--rounds N] [--seed N]

In each round some pictures of two folders change. Then one process scans the folders, while another one does one of
these at a random moment:

forget      forgets one of the folders and then the other, three times
undo        takes back an organize --mode move that was made before the round
same        decides that two pictures are the same, withdraws that, decides that two others are separate
backup      copies the catalogue, and checks that the copy is sound
watch       follows the folders from before the scan until after it

Scans commit every file here, so that there are many moments at which the other process may write in between.
Counted for each: rounds, sentences (an error on purpose, as "Another process has held the catalogue") and tracebacks
(any other error, of either process). At the end both folders are scanned once more, alone. Exit code 0 if there was
no traceback, SQLite finds nothing wrong with the catalogue, and it holds what a new catalogue of the same folders does.
"""

import argparse
import contextlib
import multiprocessing
import os
import random
import sys
import tempfile
import threading
import time
import traceback
from collections import Counter
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from common import count
from PIL import Image, ImageDraw

BESIDE = ("forget", "undo", "same", "backup", "watch")
PICTURES = 12
"""In each of two folders."""
CHANGED = 8
"""Of them, in each round."""
COMMIT_FILES = 1
PATIENCE_S = 120.0
"""A round that takes longer counts as a traceback."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=count, default=200, metavar="N", help="[default: 200]")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of what changes and when [default: 1]")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hashindex-beside-") as temporary:
        place = Path(os.path.realpath(temporary))
        ran = run(place, arguments.rounds, arguments.seed)
        wrong = compare(place)
    print(f"{'':10} {'rounds':>7} {'sentences':>10} {'tracebacks':>11}")
    for name in BESIDE:
        print(f"{name:10} {ran[name, 'rounds']:>7} {ran[name, 'sentences']:>10} {ran[name, 'tracebacks']:>11}")
    tracebacks = sum(number for (_, kind), number in ran.items() if kind == "tracebacks")
    print(f"\ntracebacks {tracebacks}; integrity_check {wrong[0]}; {wrong[1]}")
    return 0 if not tracebacks and wrong == ("ok", "equal to a fresh scan") else 1


def run(place: Path, rounds: int, seed: int) -> Counter[tuple[str, str]]:
    rng = random.Random(seed)
    folders = [place / "one", place / "other"]
    for number in range(2 * PICTURES):
        draw(rng, folders[number % 2] / f"{number}.png")
    ran: Counter[tuple[str, str]] = Counter()
    scanner, other = Process(place), Process(place)
    took_s = 0.0
    try:
        for number in range(rounds):
            name = BESIDE[number % len(BESIDE)]
            if name == "undo":
                scanner.do("scan")
                other.do("organize")
            change(rng, folders)
            # At a moment of the scan, if it takes as long as the last one.
            other.begin(name, rng.uniform(0.0, took_s), rng.random())
            if name == "watch":
                other.answer()  # it watches
            began = time.monotonic()
            scanner.begin("scan")
            answers = [scanner.answer()]
            took_s = time.monotonic() - began
            if name == "watch":
                other.begin("stop")
            answers.append(other.answer())
            ran[name, "rounds"] += 1
            for kind, text in answers:
                if kind != "done":
                    ran[name, kind] += 1
                if kind == "tracebacks":
                    print(f"round {number}, {name}:\n{text}", file=sys.stderr)
    finally:
        scanner.end()
        other.end()
    return ran


def draw(rng: random.Random, path: Path) -> None:
    picture = Image.new("RGB", (96, 72), tuple(rng.randrange(256) for _ in range(3)))
    pen = ImageDraw.Draw(picture)
    for _ in range(9):
        x, y = rng.randrange(96), rng.randrange(72)
        pen.rectangle((x, y, x + rng.randrange(8, 48), y + rng.randrange(8, 40)), fill=rng.randrange(2**24))
    path.parent.mkdir(exist_ok=True)
    picture.save(path)


def change(rng: random.Random, folders: Sequence[Path]) -> None:
    """New bytes, a new name in the other folder, gone, a copy of another."""
    for _ in range(CHANGED):
        folder = rng.choice(folders)
        path = folder / f"{rng.randrange(2 * PICTURES)}.png"
        there = sorted(folder.iterdir()) if folder.is_dir() else []
        what = rng.choice(("draw", "draw", "rename", "remove", "copy"))
        if what == "draw" or len(there) < PICTURES // 2:
            draw(rng, path)
        elif what == "rename":
            os.replace(rng.choice(there), rng.choice(folders) / f"{rng.randrange(2 * PICTURES)}.png")
        elif what == "remove":
            rng.choice(there).unlink()
        else:
            path.write_bytes(rng.choice(there).read_bytes())


def compare(place: Path) -> tuple[str, str]:
    """What SQLite says of the catalogue, and whether it holds what a new one does, after both folders were scanned."""
    from hashindex import HashIndex
    from hashindex.store.catalogue import Catalogue

    folders = [place / "one", place / "other"]
    used, fresh = place / "c.db", place / "fresh.db"
    for path in (used, fresh):
        HashIndex(path).scan(folders)
    with Catalogue(used) as catalogue:
        faults = catalogue.faults()
    held = [holds(path, folders) for path in (used, fresh)]
    differences = sorted(set(held[0]) ^ set(held[1]))
    told = "equal to a fresh scan" if not differences else f"{len(differences)} differences: {differences[:3]}"
    return "; ".join(faults) or "ok", told


def holds(path: Path, folders: Sequence[Path]) -> list[tuple[Any, ...]]:
    """Every present file below the folders with its size, times, digest, problem and hashes."""
    from hashindex.store.catalogue import Catalogue

    with Catalogue(path) as catalogue:
        rows = catalogue.connection.execute(
            "SELECT folder.path, name, file.size, mtime_ns, digest, file.problem, content.id "
            "FROM file JOIN folder ON folder.id = folder LEFT JOIN content ON content.id = content WHERE NOT missing"
        ).fetchall()
        below = {os.fsencode(folder) for folder in folders}
        return [
            (*row[:6], () if row[6] is None else tuple(sorted(catalogue.hashes_of(row[6]).items())))
            for row in rows
            if row[0] in below
        ]


class Process:
    """One that does what it is told, and says how it went: done, sentences or tracebacks, and the text of it."""

    def __init__(self, place: Path) -> None:
        context = multiprocessing.get_context("spawn")
        self._told, theirs = context.Pipe()
        self._process = context.Process(target=obey, args=(place, theirs))
        self._process.start()

    def begin(self, name: str, delay_s: float = 0.0, chance: float = 0.0) -> None:
        self._told.send((name, delay_s, chance))

    def answer(self) -> tuple[str, str]:
        try:
            if self._told.poll(PATIENCE_S):
                kind, text = self._told.recv()
                return kind, text
        except (EOFError, OSError):
            return "tracebacks", "the process died"
        return "tracebacks", "it did not come back"

    def do(self, name: str) -> None:
        self.begin(name)
        kind, text = self.answer()
        if kind == "tracebacks":
            raise RuntimeError(text)

    def end(self) -> None:
        self.begin("end")
        self._process.join(PATIENCE_S)
        if self._process.is_alive():
            self._process.kill()


def obey(place: Path, orders: Connection) -> None:
    """In a process of its own."""
    import hashindex.index.jobs
    import hashindex.index.scan
    from hashindex.core.errors import HashIndexError

    hashindex.index.scan.BATCH = hashindex.index.jobs.CHUNK_JOBS = COMMIT_FILES
    while True:
        name, delay_s, chance = orders.recv()
        if name == "end":
            return
        time.sleep(delay_s)
        try:
            act(name, place, orders, delay_s, chance)
            orders.send(("done", ""))
        except HashIndexError as error:
            orders.send(("sentences", str(error)))
        except BaseException:  # noqa: BLE001 - it is what is counted
            orders.send(("tracebacks", traceback.format_exc()))


def act(name: str, place: Path, orders: Connection, delay_s: float, chance: float) -> None:
    from hashindex import HashIndex, UsageError
    from hashindex.core.organizing import Action
    from hashindex.store.catalogue import Catalogue

    index = HashIndex(place / "c.db")
    folders = [place / "one", place / "other"]
    if name == "scan":
        index.scan(folders)
    elif name == "organize":
        index.organize(place / "stickers", action=Action.MOVE, rest=True)
    elif name == "undo":
        index.undo()
    elif name == "forget":
        for number in range(6):
            # There is nothing to forget of a folder that the scan has not come to again.
            with contextlib.suppress(UsageError):
                index.forget(folders[number % 2])
            time.sleep(chance * delay_s / 6)
    elif name == "backup":
        copy = place / "copy.db"
        copy.unlink(missing_ok=True)
        index.backup(copy)
        with Catalogue(copy) as catalogue:
            faults = catalogue.faults()
            assert not faults, faults
    elif name == "same":
        there = [path for folder in folders for path in sorted(folder.iterdir())]
        index.same(*there[:2])
        index.withdraw(*there[:2], same=True)
        index.separate(*there[-2:])
    elif name == "watch":
        watch(place / "c.db", folders, orders)


def watch(catalogue: Path, folders: Sequence[Path], orders: Connection) -> None:
    """Says when it has begun; until it is told to stop."""
    from hashindex import WatchEvent, WatchOptions
    from hashindex.watch.daemon import Daemon

    began = threading.Event()

    def on_event(event: WatchEvent) -> None:
        if event.kind == "watching":
            began.set()

    options = WatchOptions(tuple(map(os.fsencode, folders)), quiet_s=0.05)
    daemon = Daemon(catalogue, options, on_event)
    raised: list[BaseException] = []

    def run_it() -> None:
        try:
            daemon.run()
        except BaseException as error:  # noqa: BLE001 - raised again below
            raised.append(error)
            began.set()

    thread = threading.Thread(target=run_it)
    thread.start()
    began.wait(PATIENCE_S)
    orders.send(("done", ""))
    orders.recv()
    daemon.stop()
    thread.join(PATIENCE_S)
    if raised:
        raise raised[0]


if __name__ == "__main__":
    sys.exit(main())
