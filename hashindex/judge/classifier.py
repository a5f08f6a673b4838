"""Classifies two pictures as copy, variant or different, with probabilities. Does no I/O.

features.py computes numbers from two frames. Trees that were trained on labelled pairs (benchmarks/train_judge.py)
compute two probabilities from these numbers.
"""

import json
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Final, NamedTuple

import numpy as np
from PIL import Image

from hashindex.core.explanation import Chances
from hashindex.core.messages import JUDGE_VERSION
from hashindex.core.model import Relation
from hashindex.judge import planes
from hashindex.judge.features import FEATURES, Row, align, features_of, matched
from hashindex.judge.planes import Frame, Grey, Map
from hashindex.judge.registration import invert
from hashindex.judge.trees import Trees
from hashindex.pictures.signature import Signature, distinct

Model = dict[str, dict[str, Trees]]
"""Trees by scale ("stored", "opened"), then by question ("copy", "similar")."""


class Bounds(NamedTuple):
    """A probability of at least `yes` is a yes, and of at most `no` a no; between the two it stays open."""

    no: float
    yes: float


STORED_COPY = Bounds(0.1, 0.93)
"""What signatures may decide about copies. They always decide about similarity: files agree in 99 of 100 cases."""
COPY_YES: Final = 0.7
SIMILAR_YES: Final = 0.7
"""From these probabilities the opened files decide for a copy, or for similar pictures."""

NOTHING = Chances(0.0, 0.0)

BYTES_A_PIXEL: Final = 20
BYTES_A_FRAME: Final = 60_000
"""What a frame of a view takes: grey and colour, often a second background, and what registration needs."""


@dataclass(eq=False)
class View:
    """The frames of one picture at one scale."""

    frames: list[Frame]
    begins_ms: tuple[int, ...]
    """The start time of each frame."""
    finer: float
    """Log2 of the factor by which the frames are smaller than the picture."""

    @property
    def is_animated(self) -> bool:
        return len(self.frames) > 1

    @property
    def side(self) -> int:
        """Longest side of the frames, in pixels."""
        height, width = self.frames[0].plane_on_white.grey.shape
        return max(int(height), int(width))

    @property
    def nbytes(self) -> int:
        """About how much memory it takes, with what is computed from its frames later."""
        return sum(BYTES_A_PIXEL * frame.plane_on_white.grey.size + BYTES_A_FRAME for frame in self.frames)

    @classmethod
    def of_signature(cls, known: Signature) -> "View":
        frames = [Frame.of(image, known.mask) for image in known.shown]
        finer = float(np.log2(max(1.0, max(known.width, known.height) / max(known.shown[0].size))))
        return cls(*_with_common_border(frames, known.times_ms), finer=finer)

    @classmethod
    def of_frames(cls, shown: Sequence[tuple[Image.Image, int]], longest: int, most: int) -> "View":
        """From frames as decode.shown returns them, at most `most` of an animation.

        longest: the longer side of the picture itself, in pixels.
        """
        kept = distinct(shown, most) if len(shown) > 1 else list(shown)
        finer = float(np.log2(max(1.0, longest / max(kept[0][0].size))))
        return cls(*_with_common_border([Frame.of(image) for image, _ in kept], [ms for _, ms in kept]), finer=finer)


def _with_common_border(frames: list[Frame], times_ms: Sequence[int]) -> tuple[list[Frame], tuple[int, ...]]:
    """Gives the frames of an animation one common border, and drops blank frames; returns the start times too."""
    begins = [sum(times_ms[:number]) for number in range(len(frames))]
    if len(frames) < 2:
        return frames, tuple(begins)
    left = [number for number, frame in enumerate(frames) if frame.plane_on_white.detail > 4] or [0]
    frames, begins = [frames[number] for number in left], [begins[number] for number in left]
    planes.share_border([frame.plane_on_white for frame in frames])
    for frame in frames:
        frame.alpha = None
    return frames, tuple(begins)


class Evidence(NamedTuple):
    """What two pictures have in common at one scale."""

    rows: tuple[Row, ...]
    """The features of the pairs of frames that were compared; empty if nothing fits."""
    frames: tuple[tuple[int, int], ...] = ()
    """The numbers of those frames in the first and in the second picture."""
    matched_most: float = 1.0
    matched_least: float = 1.0
    """For two animations: the share of frames of either that resemble a frame of the other, the larger share first."""
    can_be_copy: bool = True
    """False for a still and an animation, and for animations with too few matching frames or another frame order."""
    disorder: float = 0.0
    """For two animations: the correlation a frame that is lost when the frames are brought into one order."""


def evidence(a: View, b: View, trees: dict[str, Trees] | None = None) -> Evidence:
    """Compares two pictures, for animations at most COMPARED_FRAMES pairs of frames.

    trees: if given, the comparison ends as soon as no further frame can change their result.
    Cost: 2 to 3 ms a pair of frames at 96 pixels.
    """
    if a.is_animated and b.is_animated:
        return _of_animations(a, b, trees)
    if a.is_animated or b.is_animated:
        if b.is_animated:
            return _of_still(a, b)
        found = _of_still(b, a)
        return found._replace(frames=tuple((one, other) for other, one in found.frames))
    return _compare_frames([(0, 0)], a, b)


def _compare_frames(
    pairs: Sequence[tuple[int, int]], a: View, b: View, trees: dict[str, Trees] | None = None
) -> Evidence:
    """The evidence of those pairs of frames that can be aligned. pairs: frame numbers."""
    finer = min(a.finer, b.finer)
    rows: list[Row] = []
    fitting: list[tuple[int, int]] = []
    known: Map | None = None
    for one, other in pairs:
        alignment = align(a.frames[one], b.frames[other], known)
        if alignment is not None:
            rows.append(features_of(alignment, finer))
            fitting.append((one, other))
            known = alignment.map if alignment.a is a.frames[one] else invert(alignment.map)
        if trees is not None and len(rows) == 2 < len(pairs) and _agree(rows[0], rows[1], trees):
            break
    return Evidence(tuple(rows), tuple(fitting))


def _agree(one: Row, other: Row, trees: dict[str, Trees]) -> bool:
    """Whether two rows lead so clearly to the same result that a third row could not change it."""
    copies = [trees["copy"].probability(row) for row in (one, other)]
    if not (min(copies) >= STORED_COPY.yes or max(copies) <= STORED_COPY.no):
        return False
    alike = [max(copy, trees["similar"].probability(row)) for copy, row in zip(copies, (one, other), strict=True)]
    return min(alike) >= SIMILAR_YES or max(alike) < SIMILAR_YES


def chances(found: Evidence, trees: dict[str, Trees]) -> Chances:
    """The probabilities that the trees of this scale give."""
    if not found.rows:
        return NOTHING
    copies = [trees["copy"].probability(row) for row in found.rows] if found.can_be_copy else [0.0]
    copy = statistics.median(copies)
    similar = statistics.median(trees["similar"].probability(row) for row in found.rows)
    return Chances(copy, max(copy, similar))


SAME_FRAME: Final = 0.86
"""From this correlation two frames match."""
MATCHED_MOST: Final = 0.75
MATCHED_LEAST: Final = 0.5
"""In copies at least these shares of the frames of either animation match a frame of the other, the larger first."""
COMPARED_FRAMES: Final = 3
DISORDER_MOST: Final = 0.03
"""The largest disorder of copies. Dropped frames and compression cost 0.01 or less, reversed playback 0.1 or more. An
animation that hardly moves, or swings to and fro, looks the same when reversed."""


def _of_animations(a: View, b: View, trees: dict[str, Trees] | None) -> Evidence:
    """Copies need nearly all frames of one in the other, half of the other's frames in it, and matching features."""
    if len(a.frames) > len(b.frames):
        found = _of_animations(b, a, trees)
        return found._replace(frames=tuple((one, other) for other, one in found.frames))
    table = matched(a.frames, b.frames)
    shares = [float((table.max(axis=axis) > SAME_FRAME).mean()) for axis in (0, 1)]
    if max(shares) < 0.5:
        return Evidence((), (), max(shares), min(shares))
    matching = np.flatnonzero(table.max(axis=1) > 0.75)
    if not len(matching):
        return Evidence((), (), max(shares), min(shares), False)
    disorder = _disorder(table[matching])
    can_be_copy = max(shares) >= MATCHED_MOST and min(shares) >= MATCHED_LEAST and disorder <= DISORDER_MOST
    wanted = min(COMPARED_FRAMES if can_be_copy else 1, len(matching))
    places = np.unique(np.linspace(0, len(matching) - 1, wanted + 2)[1:-1].round().astype(int))
    found = _compare_frames([(n, int(table[n].argmax())) for n in matching[places].tolist()], a, b, trees)
    return found._replace(
        matched_most=max(shares), matched_least=min(shares), can_be_copy=can_be_copy, disorder=disorder
    )


def _disorder(table: Grey) -> float:
    """The correlation a frame that is lost if frames (rows) must match the others (columns) in order.

    The order may begin anywhere, because animations are loops.
    """
    rows, columns = table.shape
    begun = (np.arange(columns)[:, None] + np.arange(columns)) % columns
    best = np.maximum.accumulate(table[0][begun], axis=1)
    for row in table[1:]:
        best = np.maximum.accumulate(best + row[begun], axis=1)
    return float(table.max(axis=1).mean() - best.max() / rows)


def _of_still(still: View, animation: View) -> Evidence:
    """A still that resembles a frame of an animation is at most a variant of the animation."""
    thumbs = still.frames[0].plane_on_white.thumbs
    likeness = []
    for frame in animation.frames:
        table = frame.plane_on_white.thumbs @ thumbs.T
        table[2:, 2:] = -1
        likeness.append(float(table.max()))
    number = int(np.argmax(likeness))
    if likeness[number] < 0.75:
        return Evidence((), can_be_copy=False)
    return _compare_frames([(0, number)], still, animation)._replace(can_be_copy=False)


class Judgement(NamedTuple):
    """The relation, the probabilities, and whether opened files decided."""

    relation: Relation
    chances: Chances
    by_pixels: bool


def judge(stored: Evidence, opened: Callable[[], Evidence | None], model: Model) -> Judgement:
    """Decides from the signatures if they suffice, else from the opened files if these still exist."""
    first = chances(stored, model["stored"])
    if not STORED_COPY.no < first.copy < STORED_COPY.yes:
        return Judgement(_relation(first, STORED_COPY.yes, SIMILAR_YES), first, False)
    found = opened()
    if found is None:
        # The files are not available: the likelier answer from the signatures.
        return Judgement(_relation(first, COPY_YES, SIMILAR_YES), first, False)
    second = chances(found, model["opened"])
    return Judgement(_relation(second, COPY_YES, SIMILAR_YES), second, True)


def judge_variant(stored: Evidence, model: Model) -> Judgement:
    """Decides from the signatures between variant and different, for a pair that cannot be copies."""
    copy, similar = chances(stored, model["stored"])
    found = Chances(min(copy, STORED_COPY.no), similar)
    return Judgement(_relation(found, COPY_YES, SIMILAR_YES), found, False)


def _relation(found: Chances, copy_yes: float, similar_yes: float) -> Relation:
    if found.copy >= copy_yes:
        return Relation.COPY
    return Relation.VARIANT if found.similar >= similar_yes else Relation.DIFFERENT


@cache
def trained_model() -> Model:
    """The trees that the package contains."""
    return model_of(json.loads(resources.files(__package__).joinpath("judge.json").read_text()))


def model_of(data: dict[str, Any]) -> Model:
    """Reads what train_judge.py writes. ValueError if it was trained on other features."""
    if data["version"] != JUDGE_VERSION or tuple(data["features"]) != FEATURES:
        raise ValueError("These trees were trained on other features; run benchmarks/train_judge.py.")
    return {
        scale: {question: Trees.of(trees) for question, trees in data[scale].items()} for scale in ("stored", "opened")
    }
