"""Scans hostile pictures: files damaged at every byte, bombs, and an archive of broken files of your own.

    python benchmarks/hostile.py [--files N] [--broken ARCHIVE] [--only damage,bombs,broken]

Damage      small files of every format that can be made here, cut off after every byte, then with bits flipped,
            until there are N files; all through real scans, 2,000 files at a time. Then every file once more alone: the
            longest time that one took, by the clock and of the processor, and the most memory that a worker had.
Bombs       one by one through the command line, each with a sound picture beside it: what was said of it, time by the
            clock and of the processors, and the most memory of any process. "a sound picture" is the program itself.
No picture  scripts, documents and archives under picture names, and pictures that are something else as well.
Broken      an archive with a table EXPECT.tsv beside the files: file, what, and error, partial, damaged, ok, or what
            Pillow alone raised.

Exit code 1 if a scan crashed, a file has no row, a sound picture was lost or a broken file was not as expected.
"""

import argparse
import json
import os
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from common import count, print_table
from hostile_pictures import bombs, cut, flipped, no_pictures, polyglots, saved, small_picture, whole_files

from hashindex import HashIndex, Limits, ScanOptions
from hashindex.commands.command import HAD_PROBLEMS
from hashindex.core.errors import HashIndexError
from hashindex.core.messages import Examined, Job
from hashindex.index.scan import scan
from hashindex.pictures.examine import examine
from hashindex.pictures.isolated_worker import IsolatedWorker, WorkerDied
from hashindex.store.catalogue import Catalogue

BATCH = 2_000
PARTS = ("damage", "bombs", "no pictures", "broken")


def main() -> int:
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=count, default=20_000, metavar="N", help="damaged files [default: 20000]")
    parser.add_argument("--broken", type=Path, metavar="ARCHIVE", help="a tar archive with an EXPECT.tsv in it")
    parser.add_argument("--only", default=",".join(PARTS), metavar="PART,...", help=f"of {', '.join(PARTS)}")
    arguments = parser.parse_args()
    parts = arguments.only.split(",")
    bad = 0
    if "damage" in parts:
        bad += damage(arguments.files)
    if "bombs" in parts:
        bad += explode()
    if "no pictures" in parts:
        bad += pretend()
    if "broken" in parts and arguments.broken is not None:
        bad += compare(arguments.broken)
    return 1 if bad else 0


# Damage


class Alone(NamedTuple):
    """What one file took in a process of its own."""

    seconds: float
    processor: float
    ended: bool


def damage(files: int) -> int:
    whole = whole_files()
    made = damaged(whole, files)
    tried: Counter[str] = Counter()
    crashes = without_row = ended = 0
    longest, busiest = (0.0, ""), (0.0, "")
    with tempfile.TemporaryDirectory(prefix="hostile-") as place, IsolatedWorker(Limits()) as alone:
        number = 0
        while batch := [each for _, each in zip(range(BATCH), made, strict=False)]:
            folder = Path(place, f"batch{number}")
            folder.mkdir()
            for name, data in batch:
                (folder / name).write_bytes(data)
                tried[name.split(".", 1)[1]] += 1
            index = HashIndex(Path(place, f"{number}.db"))
            try:
                # Without the judgement of pairs that follows it: all of them are one picture.
                with Catalogue(index.path, write=True) as catalogue:
                    scan(catalogue, [os.fsencode(folder.resolve())], ScanOptions())
            except Exception as error:  # noqa: BLE001 - whatever it is, it is what is looked for
                print(f"the scan of batch {number} raised {error!r}", file=sys.stderr)
                crashes += 1
            rows = known_names(index.path)
            without_row += sum(name not in rows for name, _ in batch)
            ended += count_ended(index)
            for name, _ in batch:
                took = look_alone(alone, folder / name)
                longest, busiest = max(longest, (took.seconds, name)), max(busiest, (took.processor, name))
            number += 1
            print(f"\r{sum(tried.values()):,} files", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    print_table(
        ["format", "bytes whole", "files tried"], [[name, len(data), tried[name]] for name, data in whole.items()]
    )
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"\nfiles tried                      {sum(tried.values()):,} of {len(whole)} kinds")
    print(f"crashes of the scan              {crashes}")
    print(f"files without a row              {without_row}")
    print(f"processes that a file ended      {ended}")
    print(f"longest time for one file        {longest[0]:.3f} s by the clock ({longest[1]})")
    print(f"                                 {busiest[0]:.3f} s of the processor ({busiest[1]})")
    print(f"peak memory of a worker          {peak:.0f} MB\n")
    return crashes + without_row


def damaged(whole: dict[str, bytes], files: int) -> Iterator[tuple[str, bytes]]:
    """(name, bytes): cut off everywhere first, then with bits turned over until there are enough."""
    done = 0
    for kind, data in whole.items():
        for end, part in enumerate(cut(data)):
            yield f"cut{end}.{kind}", part
            done += 1
    each = max(0, -(-(files - done) // len(whole)))
    for seed, (kind, data) in enumerate(whole.items()):
        for number, part in enumerate(flipped(data, each, seed)):
            yield f"flip{number}.{kind}", part


def known_names(catalogue: Path) -> set[str]:
    connection = sqlite3.connect(catalogue)
    try:
        return {os.fsdecode(name) for (name,) in connection.execute("SELECT name FROM file")}
    finally:
        connection.close()


def count_ended(index: HashIndex) -> int:
    return sum("it was left out" in problem.reason for problem in index.problems())


def look_alone(alone: IsolatedWorker, path: Path) -> Alone:
    begun = time.perf_counter()
    try:
        processor = alone.run(timed_examine, os.fsencode(path))
    except WorkerDied:
        return Alone(time.perf_counter() - begun, time.perf_counter() - begun, True)
    return Alone(time.perf_counter() - begun, processor, False)


def timed_examine(path: bytes) -> float:
    """Of the processor, to read and decode one file."""
    begun = time.process_time()
    job = Job(path, os.path.getsize(path), True)
    found: list[Examined] = examine([job], frozenset(), Limits())
    assert len(found) == 1
    return time.process_time() - begun


# Bombs


class Scanned(NamedTuple):
    """What a scan of one bomb and a sound picture by the command line came to."""

    said: str
    sound: bool
    """The sound picture has its row, and the command ended as it should."""
    size: int
    seconds: float
    processor: float
    megabytes: float


def scanned(name: str, make: Callable[[], bytes]) -> Scanned:
    with tempfile.TemporaryDirectory(prefix="hostile-") as place:
        folder = Path(place, "pictures")
        folder.mkdir()
        (folder / "sound.png").write_bytes(saved(small_picture((160, 120)), "PNG"))
        bomb = folder / ("bomb." + name.rsplit(".", 1)[1])
        # Made by another process: the system counts what this one ever had for the commands that it starts.
        made_by = os.fork()
        if not made_by:
            bomb.write_bytes(make())
            os._exit(0)
        os.waitpid(made_by, 0)
        catalogue = Path(place, "c.db")
        command = [sys.executable, "-m", "hashindex", "scan", "--json", "--catalogue", str(catalogue), str(folder)]
        begun = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        assert process.stdout is not None
        printed = process.stdout.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - begun
        events = [json.loads(line) for line in printed.splitlines()]
        said = [event["reason"] for event in events if event.get("event") == "problem"]
        sound = False
        if catalogue.exists() and process.returncode in (0, HAD_PROBLEMS):
            connection = sqlite3.connect(catalogue)
            question = "SELECT count(*) FROM file JOIN content ON content.id = content WHERE content.problem IS NULL"
            sound = connection.execute(question).fetchone()[0] >= 1 and len(known_names(catalogue)) == 2
            connection.close()
        return Scanned(
            said[0] if said else "read",
            sound,
            bomb.stat().st_size,
            seconds,
            used.ru_utime + used.ru_stime,
            used.ru_maxrss / 1024,
        )


def explode() -> int:
    rows, lost = [], 0
    tried: dict[str, Callable[[], bytes]] = {"a sound picture.png": lambda: saved(small_picture((161, 121)), "PNG")}
    tried |= bombs()
    for name, make in tried.items():
        found = scanned(name, make)
        lost += not found.sound
        rows.append(
            [
                name.rsplit(".", 1)[0],
                f"{found.size / 1e6:.2f}",
                f"{found.seconds:.1f}",
                f"{found.processor:.1f}",
                f"{found.megabytes:.0f}",
                ("" if found.sound else "THE SCAN FAILED: ") + found.said,
            ]
        )
        print(f"\r{len(rows)} of {len(tried)}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    print_table(["bomb", "MB", "s", "s of processors", "MB of memory", "what was said"], rows)
    print(f"\nbombs                            {len(rows) - 1}")
    print(f"scans that failed                {lost}\n")
    return lost


# No pictures


def pretend() -> int:
    with tempfile.TemporaryDirectory(prefix="hostile-") as place:
        folder = Path(place, "pictures")
        folder.mkdir()
        both = {**no_pictures(), **{f"as-well-{name}": data for name, data in polyglots().items()}}
        for name, data in both.items():
            (folder / name).write_bytes(data)
        index = HashIndex(Path(place, "c.db"))
        index.scan([folder])
        said = {os.fsdecode(os.path.basename(problem.path_bytes)): problem.reason for problem in index.problems()}
    print_table(["file", "what was said"], [[name, said.get(name, "read")] for name in both])
    wrong = [name for name in both if (name in said) == name.startswith("as-well-")]
    print(f"\nno pictures and more than that   {len(both)}")
    print(f"not as they should be            {len(wrong)} {' '.join(wrong)}\n")
    return len(wrong)


# Broken


def compare(archive: Path) -> int:
    with tempfile.TemporaryDirectory(prefix="hostile-") as place:
        subprocess.run(["tar", "xf", str(archive.resolve())], cwd=place, check=True)
        table = next(Path(place).rglob("EXPECT.tsv"))
        root = table.parent
        index = HashIndex(Path(place, "c.db"))
        begun = time.perf_counter()
        try:
            index.scan([root], ScanOptions())
        except HashIndexError as error:
            print(f"the scan of the broken files raised {error}")
            return 1
        seconds = time.perf_counter() - begun
        read, problems = states(index, root)
        lines = os.fsdecode(table.read_bytes()).split("\n")[1:-1]
    outcomes: Counter[tuple[str, str]] = Counter()
    wrong = []
    for line in lines:
        file, what, expected = line.split("\t")[:3]
        name = file.replace("\\t", "\t").replace("\\n", "\n")
        outcome = outcome_of(name, read, problems)
        outcomes["what Pillow alone raised" if ":" in expected else expected, outcome] += 1
        if not fits(expected, outcome):
            wrong.append([file, what, expected, outcome])
    print_table(["expected", "found", "files"], [[*pair, number] for pair, number in sorted(outcomes.items())])
    print(f"\nbroken files                     {len(lines)}, {seconds:.1f} s in one scan")
    print(f"not as expected                  {len(wrong)}")
    if wrong:
        print_table(["file", "what", "expected", "found"], wrong)
    return len(wrong)


def states(index: HashIndex, root: Path) -> tuple[dict[str, bool], dict[str, str]]:
    """Whether each file of the catalogue was hashed, and what was said of it, by its path below root."""
    connection = sqlite3.connect(index.path)
    rows = connection.execute(
        "SELECT folder.path, file.name, content.detail OR content.pixels IS NOT NULL "
        "FROM file JOIN folder ON folder.id = folder LEFT JOIN content ON content.id = content"
    ).fetchall()
    connection.close()
    start = len(os.fsencode(root)) + 1
    read = {os.fsdecode(os.path.join(folder, name)[start:]): bool(hashed) for folder, name, hashed in rows}
    problems = {os.fsdecode(problem.path_bytes[start:]): problem.reason for problem in index.problems()}
    return read, problems


def outcome_of(name: str, read: dict[str, bool], problems: dict[str, str]) -> str:
    if name in problems:
        return "partial" if read.get(name) else "error"
    return "ok" if name in read else "no row"


ANYTHING = ("policy", "must not", "same file", "error if not root", "refuse or ok")


def fits(expected: str, outcome: str) -> bool:
    """expected: ok, error, partial, refuse, damaged, what Pillow alone raised, or that the scan must not hang."""
    if expected.startswith(ANYTHING):
        return True
    if expected.startswith(("ok", "damaged")):
        return outcome == "ok" or (outcome == "partial" and expected.startswith("damaged"))
    if expected.startswith("partial"):
        return outcome == "partial"
    return outcome in ("error", "partial")


if __name__ == "__main__":
    sys.exit(main())
