"""Interrupts a scan at many moments, resumes it, and checks that groups are those of an uninterrupted scan.

    python benchmarks/interrupted.py FOLDER [--moments 20] [--workers N] [--only PREFIX]

Scans FOLDER, which is only read, into catalogues of its own. The moments are spread over all stages: listing files,
reading, finding candidates, comparing pairs. Groups after an interruption are compared with those of an uninterrupted
scan of copies of the files that had been read; groups after the scan was resumed, with those of an uninterrupted scan
of all files. Two groups are equal if keepers, members and their order, relations, distances and weak links are equal.
Prints a line for each moment, and how many groups differ in all; exits with 1 if any differs.
"""

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

from common import count, folder

from hashindex import Group, HashIndex, Progress, ScanOptions, WalkRules
from hashindex.store.catalogue import Catalogue

LEVELS = ("copies", "similar")
SHARES = {"listing": 0.15, "reading": 0.3, "candidates": 0.05, "comparing": 0.5}
"""Of the moments, by stage."""

Told = Counter[tuple[object, ...]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=folder, metavar="FOLDER", help="the pictures; they are only read")
    parser.add_argument("--moments", type=count, default=20)
    parser.add_argument("--workers", type=count)
    parser.add_argument("--only", default="", metavar="PREFIX", help="only files whose path below FOLDER begins so")
    arguments = parser.parse_args()
    options = ScanOptions(WalkRules(hidden=True), workers=arguments.workers)
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        source = place / "pictures"
        names = [name for name in files_below(arguments.folder) if name.startswith(arguments.only)]
        copied(arguments.folder, names, source)
        differences = run(source, place, options, arguments.moments)
    print(f"differences to the uninterrupted run: {differences}")
    sys.exit(1 if differences else 0)


def run(source: Path, place: Path, options: ScanOptions, moments: int) -> int:
    started = time.monotonic()
    whole, pairs = scanned_whole(source, place / "whole.db", options)
    seconds = time.monotonic() - started
    groups = " and ".join(f"{sum(found.values()):,}" for found in whole)
    print(f"{len(files_below(source)):,} files, {pairs:,} pairs judged, {groups} groups, {seconds:.0f} s")
    differences = 0
    for number, (stage, share) in enumerate(spread(moments), 1):
        index = HashIndex(place / f"{number}.db")
        is_due = due(stage, share)

        def interrupt(progress: Progress, is_due: Callable[[Progress], bool] = is_due) -> None:
            if is_due(progress):
                raise KeyboardInterrupt

        try:
            index.scan([source], options, on_progress=interrupt)
            how = "was over before"
        except KeyboardInterrupt:
            how = "interrupted"
        read = files_in(index, source)
        of_part = asked(index, source)
        expected = (
            whole if len(read) == len(files_in_whole(place)) else part_scanned_whole(source, read, place, options)
        )
        index.scan([source], options)
        after = asked(index, source)
        found = unlike(of_part, expected), unlike(after, whole)
        differences += sum(found)
        print(
            f"{number:2}  {stage:10} {share:4.0%}  {how}, {len(read):5,} files read: "
            f"{found[0]} groups differ; after the scan went on {found[1]}, {judged(index):,} pairs judged",
            flush=True,
        )
    return differences


def spread(moments: int) -> list[tuple[str, float]]:
    """Stages, each with shares of it that are done, from nothing to all."""
    found = []
    for stage, part in SHARES.items():
        many = max(1, round(part * moments))
        found += [(stage, number / max(1, many - 1)) for number in range(many)]
    return found


def due(stage: str, share: float) -> Callable[[Progress], bool]:
    """Whether that moment has come."""
    calls = 0

    def listing(progress: Progress) -> bool:
        nonlocal calls
        calls += 1
        return calls > share * 6

    tells: dict[str, Callable[[Progress], bool]] = {
        "listing": listing,
        "reading": lambda now: not now.walking and not now.comparing and now.read >= share * now.total,
        "candidates": lambda now: now.comparing,
        "comparing": lambda now: now.to_judge > 0 and now.judged >= share * now.to_judge,
    }
    return tells[stage]


def scanned_whole(source: Path, path: Path, options: ScanOptions) -> tuple[list[Told], int]:
    index = HashIndex(path)
    index.scan([source], options)
    found = asked(index, source)
    return found, judged(index)


def part_scanned_whole(source: Path, names: Iterable[str], place: Path, options: ScanOptions) -> list[Told]:
    """Groups of these files alone."""
    with tempfile.TemporaryDirectory(dir=place) as temporary:
        copied(source, names, Path(temporary, "part"))
        return scanned_whole(Path(temporary, "part"), Path(temporary, "part.db"), options)[0]


def asked(index: HashIndex, source: Path) -> list[Told]:
    return [Counter(told(group, source) for group in index.groups(level=level)) for level in LEVELS]


def told(group: Group, source: Path) -> tuple[object, ...]:
    """All that a group says but for the number of its first content."""
    root = os.fsencode(source)
    members = tuple((os.path.relpath(one.file.path_bytes, root), one.relation, one.distance) for one in group.members)
    links = tuple(
        (os.path.relpath(one.path_bytes, root), os.path.relpath(one.other_bytes, root), one.chance)
        for one in group.weak_links
    )
    return group.widest, members, links


def unlike(one: list[Told], other: list[Told]) -> int:
    return sum(((a - b) + (b - a)).total() for a, b in zip(one, other, strict=True))


def judged(index: HashIndex) -> int:
    with Catalogue(index.path) as catalogue:
        return sum(found for name, found in catalogue.verdicts.counts().items() if name != "by_pixels")


def files_in(index: HashIndex, source: Path) -> list[str]:
    """Pictures that were read, relative to the folder."""
    root = os.fsencode(source)
    with Catalogue(index.path) as catalogue:
        return [os.fsdecode(os.path.relpath(file.path_bytes, root)) for file in catalogue.present_pictures()]


def files_in_whole(place: Path) -> list[str]:
    return files_in(HashIndex(place / "whole.db"), place)


def files_below(top: Path) -> list[str]:
    return sorted(path.relative_to(top).as_posix() for path in top.rglob("*") if path.is_file())


def copied(source: Path, names: Iterable[str], target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    for name in names:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source / name, target / name)


if __name__ == "__main__":
    main()
