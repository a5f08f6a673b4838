"""Dedupes a copy of folders in every way, checks that nothing is lost, and takes it back.

    python benchmarks/dedupe.py [FOLDER ...] [--other PATH] [--doubtful] [--sheet SHEET.jpg]

The folders are copied first and never touched; without any, the pictures of hashindex demo are made. Each way is one
row: trash, a folder, a folder on another file system (--other PATH, such as /dev/shm), and hard and symbolic links.
After each run, every removed file must be at its new place with its bytes and every kept file at its own; then undo
must restore every name, all bytes and mtimes.

If a folder has a table edits.tsv (columns file, original_id, edit; the edit "orig" is the original), it is counted for
how many originals the picture itself, or a picture with at least as many pixels for which it was removed, is still
there.

--sheet: draws up to 60 random removals of files with other bytes, the kept picture beside each, for inspection by a
person.
"""

import argparse
import csv
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from common import folder, print_table
from PIL import Image, ImageDraw

from hashindex.commands.demo.samples import make_samples
from hashindex.core.options import Limits
from hashindex.pictures.frames import small_frames

SHOWN = 60
ACROSS = 6
SIDE = 110
GAP = 16

Tree = dict[str, tuple[str, int]]


def tree(place: Path) -> Tree:
    """Every file below: SHA-256, or the target of a link, and mtime."""
    found: Tree = {}
    for parent, _, names in os.walk(place):
        for name in names:
            path = Path(parent, name)
            what = f"-> {os.readlink(path)}" if path.is_symlink() else digest(path)
            found[os.fsdecode(path.relative_to(place))] = what, path.lstat().st_mtime_ns
    return found


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


class Program:
    """hashindex with a catalogue and a trash of its own."""

    def __init__(self, place: Path) -> None:
        self._environment = {
            **os.environ,
            "HASHINDEX_CATALOGUE": str(place / "catalogue.db"),
            "XDG_DATA_HOME": str(place / "data"),
        }

    def run(self, *words: str) -> tuple[list[dict[str, Any]], float, int]:
        """The JSON lines, the seconds and the exit code of one command."""
        began = time.perf_counter()
        command = [sys.executable, "-m", "hashindex", *words, "--json", "-q"]
        done = subprocess.run(command, env=self._environment, stdout=subprocess.PIPE, text=True, check=False)
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        return lines, time.perf_counter() - began, done.returncode


def lost(steps: Sequence[dict[str, Any]], before: dict[str, str]) -> int:
    """Removed files that are not at their new places, and kept files that are not at their own, with their bytes."""
    missing = 0
    for step in steps:
        target = step["target"]
        missing += not os.path.isfile(target) or digest(Path(target)) != before[step["source"]]
        missing += not os.path.isfile(step["kept"]) or digest(Path(step["kept"])) != before[step["kept"]]
    return missing


def originals(place: Path, steps: Sequence[dict[str, Any]]) -> tuple[int, int] | None:
    """How many originals are still there at full size, and all; None without a table. See the top of this file."""
    tables = list(place.rglob("edits.tsv"))
    if not tables:
        return None
    kept_for = {step["source"]: step["kept"] for step in steps}
    there = total = 0
    for table in tables:
        with table.open(encoding="utf-8") as lines:
            for row in csv.DictReader(lines, delimiter="\t"):
                if row["edit"] != "orig":
                    continue
                total += 1
                path = str(table.parent / row["file"])
                kept = kept_for.get(path, path)
                if os.path.isfile(kept) and area(kept) >= area(path if kept == path else removed_to(steps, path)):
                    there += 1
    return there, total


def removed_to(steps: Sequence[dict[str, Any]], source: str) -> str:
    return next(str(step["target"]) for step in steps if step["source"] == source)


def area(path: str) -> int:
    with Image.open(path) as image:
        return image.width * image.height


def sheet(steps: Sequence[dict[str, Any]]) -> Image.Image:
    """Random removals of files with other bytes, in numbered pairs: kept, removed."""
    judged = [step for step in steps if step["why"] != "it has the same bytes"]
    chosen = random.Random(3).sample(judged, min(SHOWN, len(judged)))
    drawn = Image.new("RGB", (ACROSS * (2 * SIDE + GAP), -(-len(chosen) // ACROSS) * (SIDE + GAP)), "#dddddd")
    pen = ImageDraw.Draw(drawn)
    for number, step in enumerate(chosen):
        x, y = number % ACROSS * (2 * SIDE + GAP), number // ACROSS * (SIDE + GAP)
        pen.text((x, y), f"{number + 1} {step['why'][:32]}", "black")
        for place, path in enumerate((step["kept"], step["source"])):
            frames = small_frames(Path(path).read_bytes(), Limits(), SIDE, 9)
            picture = frames[len(frames) // 2][0].convert("RGBA")
            picture = picture.resize((SIDE, SIDE))
            drawn.paste(picture, (x + place * (SIDE + 1), y + GAP - 2), picture)
    return drawn


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", type=folder, metavar="FOLDER")
    parser.add_argument("--other", type=folder, metavar="PATH", help="a folder on another file system")
    parser.add_argument("--doubtful", action="store_true")
    parser.add_argument("--sheet", type=Path, metavar="SHEET.jpg")
    given = parser.parse_args()
    failed = 0
    with tempfile.TemporaryDirectory() as work:
        place = Path(work).resolve()
        pictures = place / "pictures"
        for one in given.folders:
            shutil.copytree(one, pictures / one.name, symlinks=True)
        if not given.folders:
            make_samples(pictures)
        program = Program(place)
        program.run("scan", str(pictures))
        plan, _, _ = program.run("dedupe")  # compares what it needs, once
        if given.sheet is not None:
            sheet([line for line in plan if "action" in line]).save(given.sheet, quality=80)
        before = tree(pictures)
        digests = {str(pictures / name): what for name, (what, _) in before.items()}
        ways: dict[str, list[str]] = {
            "trash": [],
            "folder": ["--to", str(place / "copies")],
            "hard links": ["--link", "hard"],
            "symbolic links": ["--link", "symbolic"],
        }
        other = None
        if given.other is not None:
            other = Path(tempfile.mkdtemp(dir=given.other))
            ways["folder, other file system"] = ["--to", str(other / "copies")]
            ways["the same and hard links"] = ["--to", str(other / "copies"), "--link", "hard"]
        more = ["--doubtful"] if given.doubtful else []
        rows = []
        for way, words in ways.items():
            planned, _, _ = program.run("dedupe", *words, *more)
            lines, seconds, code = program.run("dedupe", "--apply", *words, *more)
            steps = [line for line in lines if "action" in line]
            summary = lines[-1]
            plan = [line for line in planned if "action" in line]
            found = originals(pictures, steps)
            gone = lost(steps, digests)
            _, back_s, undo_code = program.run("undo")
            is_back = tree(pictures) == before
            rows.append(
                (
                    way,
                    f"{summary['removed']:,} of {len(plan):,}",
                    f"{summary['bytes'] / 2**20:.1f} MB",
                    f"{summary['left']:,}",
                    str(summary["refused"]),
                    str(gone),
                    "-" if found is None else f"{found[0]} of {found[1]}",
                    "equal" if is_back else "DIFFERENT",
                    f"{seconds:.1f} s, {back_s:.1f} s",
                )
            )
            failed += gone + (not is_back) + (code not in (0, 3)) + (undo_code != 0)
        if other is not None:
            shutil.rmtree(other)
        heads = ("way", "removed", "freed", "left", "refused", "lost", "originals there", "after undo", "apply, undo")
        print_table(heads, rows)
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
