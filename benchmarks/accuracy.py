"""Scores the groups of hashindex and of other programs against labelled pictures, and prints a table.

    python benchmarks/accuracy.py FOLDER LABELS [--radii] [--half 0|1] [--markdown]

The rows are hashindex by its levels and by two radii, and the peers in peers.py; with --radii every hash at several
radii instead. With --half only one half of the labels counts: a judge that train_judge.py trained on the other half
(--half, --out hashindex/judge/judge.json) has not seen it. Peers that cannot run here are listed below the table.

LABELS is a file of tab-separated columns, with paths relative to FOLDER. Its header determines its kind:

path_a, path_b, label (and note)
    Pairs of real pictures. The table has, for each label, the share of pairs that are in one group. Pairs labelled
    "same" with a note "animated/static" are counted separately as "still", and pairs labelled "different" with a note
    "variant" as "recoloured".
file, original_id, edit, expect
    Edited pictures and their originals (edit "orig"). The table has

    must, should, may  share of the pictures with this `expect` that are in the group of their original
    turned             this share for mirrored and quarter-turned pictures (edits "mirror", "rot90", ...; also in `may`)
    still              this share for stills taken from animations (edits "anim_static...")
    captioned          this share for pictures with an added caption (edits "caption_bar", "anim_caption")
    precision          share of correct pairs in groups: of one original, and not two captions of one template (which
                       are correct at the level similar)
    strangers          pairs in groups that come from two originals
    captions           pairs in groups that are one template (`expect` "template") with two captions
    groups, mixed      the number of groups, and of groups with more than one original
    seconds            the time of the whole method with files in the disk cache; approximate on a shared machine
"""

import argparse
import csv
import os
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from math import comb
from pathlib import Path
from typing import Any, NamedTuple

from common import folder, half_of, print_table
from peers import PASSES, Absent, Groups, peers

from hashindex import HashIndex, ScanOptions, WalkRules

HASHES = {"phash": 64, "dhash": 64, "ahash": 64, "whash": 64, "phash256": 256, "dhash256": 256}
RADII = {64: (0, 2, 4, 6, 8), 256: (8, 16, 24, 32, 44)}
OWN_RADII = (("phash256", 24), ("phash", 4))
LEVELS = ("copies", "similar")

PAIR_COLUMNS = {"path_a", "path_b", "label"}
EDIT_COLUMNS = {"file", "original_id", "edit", "expect"}

LABELS = ("same", "still", "same_template_other_caption", "recoloured", "different")
FOUND = ("must", "should", "may", "turned", "still", "captioned")
CAPTION_EDITS = ("caption_bar", "anim_caption")
TURNED_EDITS = ("mirror", "rot90", "rot180", "rot270")

Row = Mapping[str, str]
GroupOf = Mapping[str, int]
"""The number of each file's group, by the path relative to the folder; without files that have no group."""


class Scores(NamedTuple):
    """The headers of a table, and a function from a grouping (and whether captions may be joined) to the cells."""

    headers: tuple[str, ...]
    cells: Callable[[GroupOf, bool], list[str]]


class Method(NamedTuple):
    name: str
    rule: str
    groups: Callable[[], Groups]
    joins_captions: bool = False
    """Whether the method joins two captions of one template on purpose."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=folder, metavar="FOLDER", help="the pictures; they are only read")
    parser.add_argument(
        "labels", type=Path, metavar="LABELS", help="the labels of the pictures: tab-separated, see above"
    )
    parser.add_argument("--radii", action="store_true", help="score every hash at several radii, without peers")
    parser.add_argument("--half", type=int, choices=(0, 1), help="count this half of the labels only")
    parser.add_argument("--markdown", action="store_true", help="print the table as Markdown")
    arguments = parser.parse_args()
    try:
        rows = read_labels(arguments.labels)
    except (OSError, UnicodeDecodeError) as error:
        parser.error(f"the labels cannot be read: {error}")
    if arguments.half is not None:
        rows = [
            row for row in rows if half_of(row.get("original_id") or os.path.dirname(row["path_a"])) == arguments.half
        ]
    scores = scores_for(rows)
    if scores is None:
        parser.error(f"{arguments.labels} has neither the columns {sorted(PAIR_COLUMNS)} nor {sorted(EDIT_COLUMNS)}")
    missing = [path for path in labelled_paths(rows) if not (arguments.folder / path).exists()]
    if missing:
        parser.error(f"{len(missing)} labelled files are not in {arguments.folder}, such as {missing[0]}")
    table: list[list[str]] = []
    absent: list[str] = []
    with tempfile.TemporaryDirectory() as temporary:
        index = HashIndex(Path(temporary, "catalogue.db"))
        began = time.perf_counter()
        # Labels may name files in hidden folders. Without hidden=True they would count as not found.
        index.scan([arguments.folder], ScanOptions(rules=WalkRules(hidden=True)))
        scanned_s = time.perf_counter() - began
        methods = by_radius(index) if arguments.radii else [*by_level(index), *others(arguments.folder)]
        for method in methods:
            began = time.perf_counter()
            try:
                groups = method.groups()
            except Absent as reason:
                absent.append(f"{method.name}, {method.rule}: {reason}.")
                continue
            seconds = time.perf_counter() - began + (scanned_s if method.name == "hashindex" else 0)
            cells = scores.cells(numbered(groups, arguments.folder), method.joins_captions)
            table.append([method.name, method.rule, *cells, f"{seconds:.1f}"])
    print_table(("method", "by", *scores.headers, "seconds"), table, markdown=arguments.markdown)
    for line in absent:
        print(f"Left out: {line}")


def read_labels(path: Path) -> list[Row]:
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))


def labelled_paths(rows: Iterable[Row]) -> Iterator[str]:
    return (row[column] for row in rows for column in ("path_a", "path_b", "file") if column in row)


def scores_for(rows: list[Row]) -> Scores | None:
    columns = set(rows[0]) if rows else set()
    if columns >= PAIR_COLUMNS:
        return pair_scores(rows)
    return edit_scores(rows) if columns >= EDIT_COLUMNS else None


# Methods


def by_level(index: HashIndex) -> Iterator[Method]:
    for level in LEVELS:
        yield Method("hashindex", level, partial(own, index, level=level), level == "similar")
    for name, radius in OWN_RADII:
        yield Method("hashindex", f"{name}, {radius}", partial(own, index, hash=name, radius=radius))
    turned = partial(own, index, level="copies", mirrored=True, rotated=True)
    yield Method("hashindex", "copies, mirrored and rotated", turned)


def by_radius(index: HashIndex) -> Iterator[Method]:
    """Every hash at every radius, then the passes."""
    for name, bits in HASHES.items():
        for radius in RADII[bits]:
            yield Method("hashindex", f"{name}, {radius}", partial(own, index, hash=name, radius=radius))
    for name in ("dhash", "phash"):
        rule = f"{name}, passes {', '.join(map(str, PASSES))}"
        yield Method("hashindex", rule, partial(own, index, hash=name, passes=PASSES))


def others(root: Path) -> Iterator[Method]:
    for peer in peers():
        yield Method(peer.name, peer.rule, partial(peer.groups, root))


def own(index: HashIndex, **how: Any) -> Groups:
    return [[os.fsdecode(member.file.path_bytes) for member in group.members] for group in index.groups(**how)]


def numbered(groups: Groups, root: Path) -> GroupOf:
    return {os.path.relpath(path, root): number for number, group in enumerate(groups) for path in group}


def share(part: int, whole: int, digits: int = 3) -> str:
    return f"{part / whole:.{digits}f}" if whole else "-"


# Pairs of real pictures


def pair_scores(rows: list[Row]) -> Scores:
    pairs: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for row in rows:
        pairs[label_of(row)].append((os.path.normpath(row["path_a"]), os.path.normpath(row["path_b"])))
    labels = [label for label in LABELS if label in pairs] + sorted(pairs.keys() - set(LABELS))

    def cells(group_of: GroupOf, joins_captions: bool) -> list[str]:
        return [
            *(share(sum(in_one_group(group_of, a, b) for a, b in pairs[label]), len(pairs[label])) for label in labels),
            str(len(set(group_of.values()))),
        ]

    return Scores((*(f"{label.replace('_', ' ')} ({len(pairs[label])})" for label in labels), "groups"), cells)


def label_of(row: Row) -> str:
    label, note = row["label"], row.get("note") or ""
    if label == "same" and "animated/static" in note:
        return "still"
    return "recoloured" if label == "different" and "variant" in note else label


def in_one_group(group_of: GroupOf, a: str, b: str) -> bool:
    return a in group_of and group_of[a] == group_of.get(b)


# Edited pictures


def edit_scores(rows: list[Row]) -> Scores:
    original = {row["original_id"]: os.path.normpath(row["file"]) for row in rows if row["edit"] == "orig"}
    wanted: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for row in rows:
        if row["original_id"] in original:
            pair = os.path.normpath(row["file"]), original[row["original_id"]]
            wanted[kind_of(row)].append(pair)
            if row["edit"] in TURNED_EDITS:
                wanted["turned"].append(pair)
    of_template = Counter(row["original_id"] for row in rows if row["expect"] == "template")
    caption_pairs = sum(comb(templates, 2) for templates in of_template.values())

    def cells(group_of: GroupOf, joins_captions: bool) -> list[str]:
        found = [
            share(sum(in_one_group(group_of, *pair) for pair in wanted[kind]), len(wanted[kind])) for kind in FOUND
        ]
        members: dict[int, Counter[str]] = defaultdict(Counter)
        templates: dict[int, Counter[str]] = defaultdict(Counter)
        for row in rows:
            number = group_of.get(os.path.normpath(row["file"]))
            if number is not None:
                members[number][row["original_id"]] += 1
                templates[number][row["original_id"]] += row["expect"] == "template"
        total = sum(comb(originals.total(), 2) for originals in members.values())
        of_one = pairs_of_one(members)
        captions = pairs_of_one(templates)
        mixed = sum(len(originals) > 1 for originals in members.values())
        return [
            *found,
            share(of_one - (0 if joins_captions else captions), total, 5),
            str(total - of_one),
            f"{captions} of {caption_pairs}",
            str(len(members)),
            str(mixed),
        ]

    return Scores((*FOUND, "precision", "strangers", "captions", "groups", "mixed"), cells)


def kind_of(row: Row) -> str:
    if row["edit"].startswith("anim_static"):
        return "still"
    return "captioned" if row["edit"] in CAPTION_EDITS else row["expect"]


def pairs_of_one(groups: Mapping[int, Counter[str]]) -> int:
    """The number of pairs in groups that come from one original."""
    return sum(comb(pictures, 2) for originals in groups.values() for pictures in originals.values())


if __name__ == "__main__":
    main()
