"""Explains how two pictures are related: the verdict and all evidence for it, as values. Changes nothing.

PairJudge gives the verdict. The evidence is measured again, at the finest available scale.
"""

import os
import statistics
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from hashindex.core.errors import UnreadablePicture
from hashindex.core.explanation import (
    Blocks,
    Box,
    Chances,
    Explanation,
    Fit,
    Frames,
    Match,
    Panels,
    ScaleEvidence,
    Side,
)
from hashindex.core.language import Message, Part
from hashindex.core.model import File, Relation
from hashindex.disk import files
from hashindex.hashing import recipes
from hashindex.index.decisions import said_of
from hashindex.index.query import TURNED, decoded_alone
from hashindex.judge import classifier, features, prefilter, reasons
from hashindex.judge.candidates import ViewKeys, keys_of, packed_keys, pairs, unpacked_keys
from hashindex.judge.classifier import Evidence, View
from hashindex.judge.features import FEATURES, Alignment, Row
from hashindex.judge.pair_judge import JudgeInput, PairJudge
from hashindex.judge.panels import panels_of
from hashindex.judge.planes import Frame
from hashindex.judge.registration import seen_from
from hashindex.judge.trees import Trees
from hashindex.pictures.examine import digest_of
from hashindex.pictures.isolated_worker import IsolatedWorker
from hashindex.pictures.read_picture import read_picture
from hashindex.pictures.signature import turned, unpack, views_of
from hashindex.store.catalogue import Catalogue

BLOCKS = 48
"""Maximum of blocks per side of the difference map."""

FAMILIES = {
    "position": ("guess", "agreement", "turn", "stretch"),
    "outside": (
        "cover", "cover_other", "out_area", "out_edges", "out_plain", "out_upright", "out_other",
        "bar", "bar_edges", "bar_plain",
    ),
    "structure": (
        "worst", "worst_1", "worst_5", "weighed", "bad", "two_sided", "two_sided_spot", "two_sided_contrast",
        "one_sided_spot", "one_sided_contrast", "bad_width", "bad_height",
    ),
    "light": ("gain", "rest", "rest_worst", "toned", "mean_worst"),
    "colour": ("saturation", "colour_rest", "colour_worst", "hue", "colour_least", "colour_most"),
    "transparency": ("mask_mean", "mask_worst"),
}  # fmt: skip
"""Groups of features, one per kind of difference. The other features describe how much could be compared."""


class Picture(NamedTuple):
    """One of the two pictures with all data that the judge uses."""

    side: Side
    digest: bytes
    pixels: bytes | None
    known: JudgeInput | None
    """None without a signature: the picture is too small or unreadable."""
    keys: Sequence[ViewKeys]


def read(catalogue: Catalogue | None, path: bytes, worker: IsolatedWorker) -> Picture:
    """Reads a picture from its file or, if the file is gone, from the catalogue.

    Raises UnreadablePicture with a sentence if both fail.
    """
    name = os.fsdecode(path)
    if catalogue is not None and not files.is_regular_file(path):
        file = catalogue.file_at(path)
        if file is not None:
            return kept(catalogue, file)
    data = read_picture(path, name, worker.limits)
    decoded = decoded_alone(data, worker)
    values = {} if decoded.prepared is None else recipes.compute([decoded.prepared])[0]
    numbers = {hash: int.from_bytes(value, "big") for hash, value in values.items()}
    digest = digest_of(data)
    known = None if decoded.signature is None else JudgeInput(decoded.signature, path, digest)
    side = Side(
        path, True, len(data), decoded.format, decoded.width, decoded.height, max(1, decoded.frames),
        decoded.duration_ms, decoded.detail, decoded.pixels is not None, decoded.problem, numbers,
    )  # fmt: skip
    return Picture(side, digest, decoded.pixels, known, keys_of(decoded.views))


def kept(catalogue: Catalogue, file: File) -> Picture:
    """A picture from the catalogue. Its pixels are available only while a file holds them."""
    content = file.content
    numbers = {name: value for (name, _), value in catalogue.hashes_of(content.id).items()}
    signature = catalogue.verdicts.signatures([content.id]).get(content.id)
    # Another file may still hold these bytes.
    others = [other.path_bytes for other in catalogue.files_of([content.id], all=True).get(content.id, ())]
    readable_path = next((other for other in others if files.is_regular_file(other)), None)
    known = None if signature is None else JudgeInput(signature, readable_path, content.digest)
    side = Side(
        file.path_bytes, files.is_regular_file(file.path_bytes), content.size, content.format, content.width,
        content.height, max(1, content.frames), content.duration_ms, content.detail, content.pixels is not None,
        content.problem, numbers,
    )  # fmt: skip
    return Picture(side, content.digest, content.pixels, known, unpacked_keys(catalogue.verdicts.keys_of(content.id)))


def explain(
    catalogue: Catalogue | None, a: Picture, b: Picture, turns: Sequence[int], worker: IsolatedWorker
) -> Explanation:
    """Explains the relation of a to b. a is turned in the one of these turns that fits best.

    catalogue: used for the user's decisions only. Raises UnreadablePicture if a picture cannot be decoded and the bytes
    differ. Cost: each picture is decoded twice, and about 20 ms per turn.
    """
    same_bytes = a.digest == b.digest
    found = _Found(Relation.IDENTICAL)
    if not same_bytes:
        for one in (a, b):
            if one.known is None and one.pixels is None:
                problem = one.side.problem or Message("it was never decoded; scan its folder first")
                raise UnreadablePicture(
                    Message(
                        "{path} cannot be compared: {problem}.",
                        path=os.fsdecode(one.side.path_bytes),
                        problem=Part(problem),
                    )
                )
        found = _by_equal_pixels(a, b) if a.pixels is not None or b.pixels is not None else _judged(a, b, turns, worker)
    decision = None if catalogue is None else said_of(catalogue.verdicts.decisions(), a.digest, b.digest)
    judged = found.relation
    decided = judged if decision is None else Relation.COPY if decision else Relation.DIFFERENT
    explanation = Explanation(
        a.side,
        b.side,
        same_bytes,
        {
            name: (value ^ b.side.hashes[name]).bit_count()
            for name, value in a.side.hashes.items()
            if name in b.side.hashes
        },
        judged if decision and judged is Relation.IDENTICAL else decided,
        "",
        judged,
        decision,
        TURNED[found.turn],
        key_bits(a, b, found.turn),
        found.by_pixels,
        found.side,
        found.objection,
        found.stored,
        found.opened,
        found.frames,
        found.matches,
        found.fit,
        found.blocks,
        found.if_alike,
        found.panels,
    )
    return explanation._replace(reason=reasons.reason_of(explanation))


def key_bits(a: Picture, b: Picture, turn: int = 0) -> int | None:
    """Bits between the nearest view keys; None if the pair is no candidate, so that groups do not judge it."""
    keys = a.keys
    if turn and a.known is not None:
        keys = keys_of(views_of(turned(unpack(a.known.signature), turn)))
    alignment = pairs([*((0, key) for key in keys), *((1, key) for key in b.keys)])
    return alignment[0][2] if alignment else None


def _is_ruled_out(a: Picture, b: Picture) -> bool:
    """Whether the two are a candidate of which the keys tell that they are no copies."""
    if key_bits(a, b) is None:
        return False
    sides = [
        prefilter.KeyedPicture(packed_keys(one.keys), one.side.width, one.side.height, one.side.frames)
        for one in (a, b)
    ]
    return bool(prefilter.ruled_out([(0, 1)], dict(enumerate(sides))))


class _Found(NamedTuple):
    """The part of an Explanation that needs the judge."""

    relation: Relation
    turn: int = 0
    by_pixels: bool = False
    side: int = 0
    objection: str | None = None
    stored: ScaleEvidence | None = None
    opened: ScaleEvidence | None = None
    frames: Frames | None = None
    matches: tuple[Match, ...] = ()
    fit: Fit | None = None
    blocks: Blocks | None = None
    if_alike: dict[str, float] = {}  # noqa: RUF012 - never changed
    panels: Panels | None = None


def _by_equal_pixels(a: Picture, b: Picture) -> _Found:
    return _Found(Relation.IDENTICAL if a.pixels == b.pixels else Relation.DIFFERENT)


def _judged(a: Picture, b: Picture, turns: Sequence[int], worker: IsolatedWorker) -> _Found:
    assert a.known is not None and b.known is not None
    judge = PairJudge({0: a.known, 1: b.known}, worker.limits, worker)
    # A turn counts only if the pictures are more alike turned than as they are.
    is_no_copy = _is_ruled_out(a, b)
    verdicts = [judge.verdict(0, 1, turn, ruled_out=is_no_copy and not turn) for turn in turns]
    verdict = max(verdicts, key=lambda one: (one.relation, one.copy, -one.turn))
    if verdict.relation is Relation.DIFFERENT:
        verdict = next((one for one in verdicts if not one.turn), verdict)
    turn = verdict.turn
    view_a, view_b = judge.stored(0, turn), judge.stored(1)
    model = classifier.trained_model()
    evidence = classifier.evidence(view_a, view_b)
    frame_pair = _deciding_frames(evidence, model["stored"])
    stored = _scale_evidence(evidence, frame_pair, model["stored"])
    opened = None
    trees = model["stored"]
    opened_a, opened_b = judge.opened(0, turn), judge.opened(1)
    if opened_a is not None and opened_b is not None:
        view_a, view_b, trees = opened_a, opened_b, model["opened"]
        evidence = classifier.evidence(view_a, view_b)
        frame_pair = _deciding_frames(evidence, trees)
        opened = _scale_evidence(evidence, frame_pair, trees)
    animated = view_a.is_animated and view_b.is_animated
    found = _Found(
        verdict.relation,
        turn,
        verdict.by_pixels,
        verdict.side,
        None if verdict.objection is None else str(verdict.objection),
        stored,
        opened,
        Frames(evidence.matched_most, evidence.matched_least, evidence.disorder) if animated else None,
        _matches(view_a, view_b, evidence, trees) if view_a.is_animated or view_b.is_animated else (),
    )
    numbers = (0, 0) if frame_pair is None else evidence.frames[frame_pair]
    frames = view_a.frames[numbers[0]], view_b.frames[numbers[1]]
    alignment = None if frame_pair is None else features.align(*frames)
    if alignment is None or frame_pair is None:
        return found._replace(panels=panels_of(*frames, None))
    question = "copy" if verdict.relation is not Relation.DIFFERENT else "similar"
    return found._replace(
        fit=_fit(alignment, alignment.a is not frames[0], a.side, b.side, turn),
        blocks=_blocks(alignment),
        if_alike=_if_equal(evidence.rows[frame_pair], frames, trees[question]) if evidence.can_be_copy else {},
        panels=panels_of(*frames, alignment),
    )


def _deciding_frames(evidence: Evidence, trees: dict[str, Trees]) -> int | None:
    """The index of the pair of frames with the median copy probability, which decides."""
    if not evidence.rows:
        return None
    copies = [trees["copy"].probability(row) for row in evidence.rows]
    return copies.index(statistics.median_low(copies))


def _scale_evidence(evidence: Evidence, place: int | None, trees: dict[str, Trees]) -> ScaleEvidence:
    chances = Chances(*classifier.chances(evidence, trees))
    if place is None:
        return ScaleEvidence(chances, {})
    return ScaleEvidence(chances, dict(zip(FEATURES, map(float, evidence.rows[place]), strict=True)))


def _matches(a: View, b: View, evidence: Evidence, trees: dict[str, Trees]) -> tuple[Match, ...]:
    return tuple(
        Match(
            a.begins_ms[one],
            b.begins_ms[other],
            Chances(*(trees[question].probability(row) for question in ("copy", "similar"))),
        )
        for (one, other), row in zip(evidence.frames, evidence.rows, strict=True)
    )


def _fit(alignment: Alignment, is_swapped: bool, a: Side, b: Side, turn: int) -> Fit:
    x0, y0, x1, y1 = alignment.shared.rectangle
    shape_a, shape_b = alignment.ground_a.grey.shape, alignment.ground_b.grey.shape
    boxes = [
        _as_fractions(seen_from(alignment.map, alignment.shared.rectangle, shape_b, shape_a), shape_a),
        _as_fractions((x0, y0, x1, y1), shape_b),
    ]
    borders = [_as_fractions(plane.box, plane.grey.shape) for plane in (alignment.ground_a, alignment.ground_b)]
    if is_swapped:
        boxes.reverse()
        borders.reverse()
    pixels = [
        (right - left) * (bottom - top) * side.width * side.height
        for (left, top, right, bottom), side in zip(boxes, (a, b), strict=True)
    ]
    scale = float(np.sqrt(pixels[0] / max(pixels[1], 1e-9)))
    return Fit(
        alignment.fit.agreement, alignment.fit.turn, float(np.exp(alignment.fit.stretch)), scale, *boxes, *borders
    )


def _as_fractions(box: tuple[float, float, float, float], shape: tuple[int, ...]) -> Box:
    height, width = shape
    left, top, right, bottom = box
    whole = left / width, top / height, right / width, bottom / height
    a, b, c, d = (min(1.0, max(0.0, share)) for share in whole)
    return a, b, c, d


def _blocks(alignment: Alignment) -> Blocks:
    view = features.windows_of(alignment)
    both = features.two_sided(view)
    rows, columns = view.difference.shape
    # One block per window, at most BLOCKS.
    starts = [np.unique(np.linspace(0, count, min(count, BLOCKS) + 1).astype(int))[:-1] for count in (rows, columns)]
    worst, shown = (
        np.maximum.reduceat(np.maximum.reduceat(values, starts[0], axis=0), starts[1], axis=1)
        for values in (view.difference, both.astype(np.uint8))
    )
    return Blocks(
        tuple(tuple(round(value, 3) for value in row) for row in worst.tolist()),
        tuple(tuple(map(bool, row)) for row in shown.tolist()),
    )


def _if_equal(row: Row, frames: tuple[Frame, Frame], trees: Trees) -> dict[str, float]:
    """Family -> the probability if the features of this family were as for two equal pictures."""
    same = features.features(frames[0], frames[0])
    if same is None:
        return {}
    found = {}
    for family, names in FAMILIES.items():
        changed = row.copy()
        for name in names:
            place = FEATURES.index(name)
            changed[place] = same[place]
        found[family] = trees.probability(changed)
    return found
