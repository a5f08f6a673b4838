"""Labelled pairs -> the precision and recall of each hash at each radius, and of each level. Changes nothing.

Each pair is tested alone. A hash joins a pair within its radius; a level joins a pair if it is a candidate and the
judge accepts it. Groups may also join two pictures by way of a third one.
"""

import csv
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

from hashindex.core.errors import UnreadablePicture, UsageError
from hashindex.core.explanation import Calibration, CalibrationTarget, Score, Skipped
from hashindex.core.language import Message
from hashindex.core.model import Relation
from hashindex.core.options import Limits
from hashindex.disk import files
from hashindex.hashing.recipes import RECIPES
from hashindex.index.decisions import decisions_of
from hashindex.index.explain import Picture, kept, key_bits, read
from hashindex.judge.pair_judge import PairJudge
from hashindex.pictures.isolated_worker import IsolatedWorker
from hashindex.store.catalogue import Catalogue

SAME, VARIANT, DIFFERENT = LABELS = ("same", "variant", "different")

WORDS = {
    "same": SAME, "copy": SAME, "copies": SAME, "identical": SAME,
    "variant": VARIANT, "template": VARIANT, "similar": VARIANT, "same_template_other_caption": VARIANT,
    "different": DIFFERENT, "separate": DIFFERENT,
}  # fmt: skip
"""Label names in a file."""

PAIR_COLUMNS = {"path_a", "path_b", "label"}
EDIT_COLUMNS = {"file", "original_id", "edit", "expect"}
COPIES = ("must", "should")
"""Values of `expect` for a copy of the original. "template" marks a variant of the other templates of that original."""


class Labelled(NamedTuple):
    """Two paths and the label that a person gave them."""

    a: bytes
    b: bytes
    label: str


def calibrate(
    catalogue: Catalogue | None,
    labels: bytes | None,
    folder: bytes | None,
    limits: Limits,
    on_progress: Callable[[int, int], None],
) -> Calibration:
    """Scores by the decisions in a catalogue and the pairs in a file; see service.HashIndex.calibrate."""
    with IsolatedWorker(limits) as worker:
        return _calibrate(catalogue, labels, folder, worker, on_progress)


def _calibrate(
    catalogue: Catalogue | None,
    labels: bytes | None,
    folder: bytes | None,
    worker: IsolatedWorker,
    on_progress: Callable[[int, int], None],
) -> Calibration:
    words = [] if catalogue is None else _decided_pairs(catalogue)
    listed = [] if labels is None else read_labels(labels, folder)
    if not words and not listed:
        raise UsageError(
            Message(
                "There are no labelled pairs: run hashindex same A B and hashindex separate A B for some pictures, or "
                "name a file of pairs."
            )
        )
    total = len(words) + len(listed)
    judged: list[_JudgedLabel] = []
    skipped: list[Skipped] = []
    for a, b, label in words:
        judged.append(_judge(a, b, label, worker))
        on_progress(len(judged), total)
    pictures: dict[bytes, Picture] = {}
    for number, (path_a, path_b, label) in enumerate(listed):
        try:
            for path in (path_a, path_b):
                if path not in pictures:
                    pictures[path] = read(catalogue, path, worker)
            judged.append(_judge(pictures[path_a], pictures[path_b], label, worker))
        except UnreadablePicture as error:
            skipped.append(Skipped(path_a, Message("left out: {error}", error=str(error))))
        on_progress(len(words) + number + 1, total)
    counts = Counter(pair.label for pair in judged)
    return Calibration(
        {label: counts[label] for label in LABELS},
        len(words),
        (
            _target(Message("copies"), judged, {SAME}, Relation.COPY),
            _target(Message("similar"), judged, {SAME, VARIANT}, Relation.VARIANT),
        ),
        tuple(skipped),
    )


def _decided_pairs(catalogue: Catalogue) -> list[tuple[Picture, Picture, str]]:
    decisions = decisions_of(catalogue)
    words = [(a, b, True) for a, b in decisions.same_among(decisions.contents)]
    words += [(a, b, False) for a, b in sorted(decisions.separate)]
    held = catalogue.files_of({id for a, b, _ in words for id in (a, b)}, all=True)
    return [
        (kept(catalogue, held[a][0]), kept(catalogue, held[b][0]), SAME if same else DIFFERENT)
        for a, b, same in words
        if a in held and b in held
    ]


# The file of labels


def read_labels(path: bytes, folder: bytes | None = None) -> list[Labelled]:
    """Reads pairs from a tab-separated file with a header line. Paths are relative to folder, or else to the file.

    Columns path_a, path_b, label: same or copy, variant or template, different. In an optional column note,
    "animated/static" turns a same pair into a variant, and "variant" does so for a different pair. Or columns file,
    original_id, edit, expect: each edit that must or should match its original (edit "orig") is a same pair, every two
    templates of one original are variants, and every two originals are different. UsageError if the file cannot be
    read or understood.
    """
    name = os.fsdecode(path)
    place = folder or os.path.dirname(path)
    try:
        with open(path, encoding="utf-8", errors="surrogateescape", newline="") as lines:
            rows = list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))
    except OSError as error:
        raise UsageError(Message("{path}: {reason}.", path=name, reason=files.reason_of(error))) from error
    except csv.Error as error:
        raise UsageError(
            Message("{name} is not a table of tab-separated columns: {error}.", name=name, error=str(error))
        ) from error
    columns = set(rows[0]) if rows else set()
    if columns >= PAIR_COLUMNS:
        return [_labelled(row, number, name, place) for number, row in enumerate(rows, 2)]
    if columns >= EDIT_COLUMNS:
        for number, row in enumerate(rows, 2):
            if None in (row[column] for column in EDIT_COLUMNS):
                raise UsageError(
                    Message(
                        "{name}, line {number}: there must be {columns}.",
                        name=name,
                        number=number,
                        columns=", ".join(sorted(EDIT_COLUMNS)),
                    )
                )
        return list(_of_edits(rows, place))
    raise UsageError(
        Message(
            "{name} has no pairs: its first line must be path_a, path_b, label (or file, original_id, edit, "
            "expect) with tabs between.",
            name=name,
        )
    )


def _labelled(row: Mapping[str, str | None], number: int, name: str, place: bytes) -> Labelled:
    label = WORDS.get((row["label"] or "").strip().lower())
    a, b, note = row["path_a"], row["path_b"], row.get("note") or ""
    if label is None or not a or not b:
        raise UsageError(
            Message(
                "{name}, line {number}: there must be two paths and one of {labels}.",
                name=name,
                number=number,
                labels=", ".join(LABELS),
            )
        )
    if (label == SAME and "animated/static" in note) or (label == DIFFERENT and "variant" in note):
        label = VARIANT
    return Labelled(os.path.join(place, os.fsencode(a)), os.path.join(place, os.fsencode(b)), label)


def _of_edits(rows: Sequence[Mapping[str, str]], place: bytes) -> Iterator[Labelled]:
    original = {
        row["original_id"]: os.path.join(place, os.fsencode(row["file"])) for row in rows if row["edit"] == "orig"
    }
    templates: dict[str, list[bytes]] = {}
    for row in rows:
        path = os.path.join(place, os.fsencode(row["file"]))
        if row["expect"] in COPIES and row["original_id"] in original:
            yield Labelled(original[row["original_id"]], path, SAME)
        if row["expect"] == "template":
            templates.setdefault(row["original_id"], []).append(path)
    for paths in templates.values():
        yield from (Labelled(a, b, VARIANT) for a, b in combinations(paths, 2))
    yield from (Labelled(a, b, DIFFERENT) for a, b in combinations(original.values(), 2))


# Scores


class _JudgedLabel(NamedTuple):
    """A labelled pair with its distances and its relation."""

    label: str
    distances: dict[str, int]
    """Bits by hash; a hash that cannot compare the two is left out."""
    relation: Relation


def _judge(a: Picture, b: Picture, label: str, worker: IsolatedWorker) -> _JudgedLabel:
    if a.digest == b.digest or (a.pixels is not None and a.pixels == b.pixels):
        return _JudgedLabel(label, {recipe.name: 0 for recipe in RECIPES}, Relation.IDENTICAL)
    if a.pixels is not None or b.pixels is not None:
        return _JudgedLabel(label, {}, Relation.DIFFERENT)
    other = b.side.hashes
    distances = {name: (value ^ other[name]).bit_count() for name, value in a.side.hashes.items() if name in other}
    if a.known is None or b.known is None or key_bits(a, b) is None:
        return _JudgedLabel(label, distances, Relation.DIFFERENT)
    # One judge per pair: a judge caches up to a megabyte per picture, and there may be thousands.
    return _JudgedLabel(
        label, distances, PairJudge({0: a.known, 1: b.known}, worker.limits, worker).verdict(0, 1).relation
    )


def _target(name: str, judged: Sequence[_JudgedLabel], together: set[str], least: Relation) -> CalibrationTarget:
    total_together = sum(pair.label in together for pair in judged)
    taken = [pair.label in together for pair in judged if pair.relation >= least]
    level = Score(name, None, sum(taken), len(taken) - sum(taken), total_together)
    hashes = tuple(_scores(recipe.name, judged, together, total_together) for recipe in RECIPES)
    return CalibrationTarget(name, total_together, len(judged) - total_together, level, hashes)


def _scores(hash: str, judged: Sequence[_JudgedLabel], together: set[str], total_together: int) -> tuple[Score, ...]:
    right: Counter[int] = Counter()
    wrong: Counter[int] = Counter()
    for pair in judged:
        if hash in pair.distances:
            (right if pair.label in together else wrong)[pair.distances[hash]] += 1
    scores, found, false = [], 0, 0
    for radius in sorted({0, *right, *wrong}):
        found, false = found + right[radius], false + wrong[radius]
        scores.append(Score(hash, radius, found, false, total_together))
    return tuple(scores)
