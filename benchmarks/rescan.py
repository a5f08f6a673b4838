"""Times a rescan of unchanged files as a whole process, beside the bare walk of the same files.

    python benchmarks/rescan.py [--files N] [--folders N] [--others PERCENT] [--runs N]

Makes N small files in a temporary folder, in one folder or evenly in several, PERCENT of them no pictures, and scans
them once with each program. Needs the extra `bench`.

python          an interpreter that does nothing
walk            an interpreter that lists every folder and asks for the size and times of every file (os.scandir, stat)
                and imports nothing else
start           `hashindex scan -q` of an empty folder: the interpreter, what it imports, the command line
hashindex       `hashindex scan -q` of the folder again
image-dedup-ai  Index.add of the folder again

The commands take turns, run by run; seconds are medians, from the start of a process to its end. `x walk` is the median
of the runs' ratios to the walk as it is, interpreters included. `net` is the same without what only starting takes: for
hashindex what `start` takes, for the others what `python` does. Memory is the peak RSS of the run; the system counts no
process as smaller than the one that started it, here 20 MB.
"""

import argparse
import importlib.metadata
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

from common import Ran, count, make_tree, print_table, run

WALK = """
import os, sys
pending, files = [os.fsencode(sys.argv[1])], 0
while pending:
    with os.scandir(pending.pop()) as found:
        for entry in found:
            if entry.is_dir(follow_symlinks=False):
                pending.append(entry.path)
            else:
                entry.stat(follow_symlinks=False)
                files += 1
print(files)
"""
PEER = """
import sys
from image_dedup_ai import Index
with Index(sys.argv[1]) as index:
    print(index.add([sys.argv[2]]))
"""
OWN, THEIRS = "hashindex", "image-dedup-ai"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=count, default=100_000, metavar="N", help="[default: 100000]")
    parser.add_argument("--folders", type=count, default=1_000, metavar="N", help="[default: 1000]")
    parser.add_argument("--others", type=percent, default=0, metavar="PERCENT", help="no pictures [default: 0]")
    parser.add_argument("--runs", type=count, default=7, metavar="N", help="timed runs of each [default: 7]")
    arguments = parser.parse_args()
    try:
        importlib.metadata.version(THEIRS)
    except importlib.metadata.PackageNotFoundError:
        parser.error(f"{THEIRS} is not installed: pip install '.[bench]'")
    with tempfile.TemporaryDirectory(prefix="hashindex-benchmark-") as temporary:
        room = Path(temporary)
        root = room / "pictures"
        make_tree(root, arguments.files, arguments.folders, arguments.others)
        commands = make_commands(root, room)
        runs = measure(commands, arguments.runs)
    pictures = f"{arguments.others} % of them no pictures" if arguments.others else "all pictures"
    print(f"{arguments.files:,} files in {arguments.folders:,} folders, {pictures}, {arguments.runs} timed runs\n")
    print_table(("", "seconds", "x walk", "net", "RSS MB"), [row(name, runs) for name in commands])


def percent(text: str) -> int:
    """An argparse type: a whole number from 0 to 100."""
    if not text.isdecimal() or int(text) > 100:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number from 0 to 100")
    return int(text)


def make_commands(root: Path, room: Path) -> dict[str, list[str]]:
    # Settings of the user must not change what is scanned.
    settings = room / "settings.toml"
    settings.touch()
    python = sys.executable
    empty = room / "empty"
    empty.mkdir()

    def scan(catalogue: str, folder: Path) -> list[str]:
        common = ["--catalogue", str(room / catalogue), "--config", str(settings)]
        return [python, "-m", "hashindex", *common, "scan", "-q", str(folder)]

    return {
        "python": [python, "-I", "-c", "pass"],
        "walk": [python, "-I", "-c", WALK, str(root)],
        "start": scan("empty.db", empty),
        OWN: scan("ours.db", root),
        THEIRS: [python, "-c", PEER, str(room / "theirs.db"), str(root)],
    }


def measure(commands: Mapping[str, Sequence[str]], runs: int) -> dict[str, list[Ran]]:
    """Everything once, which for the two indexes is the scan of what is new, then the timed runs in turns."""
    for command in commands.values():
        run(command)
    taken: dict[str, list[Ran]] = {name: [] for name in commands}
    for _ in range(runs):
        for name, command in commands.items():
            taken[name].append(run(command))
    return taken


def row(name: str, runs: Mapping[str, Sequence[Ran]]) -> list[str]:
    seconds = {key: [each.seconds for each in of_key] for key, of_key in runs.items()}
    start = seconds["start" if name == OWN else "python"]
    walks = list(zip(seconds["walk"], seconds["python"], strict=True))
    whole = median(own / walk for own, (walk, _) in zip(seconds[name], walks, strict=True))
    net = median((own - s) / (walk - p) for own, s, (walk, p) in zip(seconds[name], start, walks, strict=True))
    is_walk = name not in ("python", "start")
    return [
        name,
        f"{median(seconds[name]):.3f}",
        f"{whole:.2f}" if is_walk else "",
        f"{net:.2f}" if is_walk else "",
        f"{max(each.memory.largest for each in runs[name]) / 1e6:.0f}",
    ]


if __name__ == "__main__":
    main()
