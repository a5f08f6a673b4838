"""Two pictures -> copy, variant or different, and how surely. Pure: what it looks at is handed in.

features.py makes numbers of two frames; trees that were trained on labelled pairs (benchmarks/train_judge.py) make two
probabilities of them.
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
    """From `yes` on a chance is a yes, up to `no` it is a no; between them it is left open."""

    no: float
    yes: float


STORED_COPY = Bounds(0.1, 0.93)
"""What small frames may decide. Whether two are similar they always may: the files say the same in 99 of 100 cases."""
COPY_YES: Final = 0.7
SIMILAR_YES: Final = 0.7
"""What a look at the pixels decides."""

NOTHING = Chances(0.0, 0.0)


@dataclass(eq=False)
class View:
    """What is seen of one picture at one scale."""

    frames: list[Frame]
    begins_ms: tuple[int, ...]
    """When each of the frames begins."""
    finer: float
    """How many times (log2) smaller the frames are than the picture."""

    @property
    def is_animated(self) -> bool:
        return len(self.frames) > 1

    @property
    def side(self) -> int:
        """Longest side of the frames, in pixels."""
        height, width = self.frames[0].plane_on_white.grey.shape
        return max(int(height), int(width))

    @classmethod
    def of_signature(cls, known: Signature) -> "View":
        frames = [Frame.of(image, known.mask) for image in known.shown]
        finer = float(np.log2(max(1.0, max(known.width, known.height) / max(known.shown[0].size))))
        return cls(*_boxed(frames, known.times_ms), finer=finer)

    @classmethod
    def of_frames(cls, shown: Sequence[tuple[Image.Image, int]], longest: int, most: int) -> "View":
        """Of frames as frames.small_frames gives them; at most `most` of an animation.

        longest: the longer side of the picture itself, in pixels.
        """
        kept = distinct(shown, most) if len(shown) > 1 else list(shown)
        finer = float(np.log2(max(1.0, longest / max(kept[0][0].size))))
        return cls(*_boxed([Frame.of(image) for image, _ in kept], [ms for _, ms in kept]), finer=finer)


def _boxed(frames: list[Frame], times_ms: Sequence[int]) -> tuple[list[Frame], tuple[int, ...]]:
    """Frames of an animation have one border: what is plain in all of them. Blank frames are left out.

    The second is when each frame that is left begins.
    """
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
    """Features of the pairs of frames that were looked at; none where nothing fits."""
    frames: tuple[tuple[int, int], ...] = ()
    """Numbers of those frames, of the first picture and of the second."""
    matched_most: float = 1.0
    matched_least: float = 1.0
    """Of two animations: share of the frames of either that have one like them in the other, the larger one first."""
    can_be_copy: bool = True
    """False for a still and an animation, and for animations of which too few frames are alike, or in another order."""
    disorder: float = 0.0
    """Of two animations: correlation a frame that it costs to bring them into one order."""


def evidence(a: View, b: View, trees: dict[str, Trees] | None = None) -> Evidence:
    """Cost: 2 to 3 ms a pair of frames at 96 pixels; of two animations at most LOOKED_AT pairs.

    trees: where given, frames are looked at only until these would not change their mind.
    """
    if a.is_animated and b.is_animated:
        return _of_animations(a, b, trees)
    if a.is_animated or b.is_animated:
        if b.is_animated:
            return _of_still(a, b)
        found = _of_still(b, a)
        return found._replace(frames=tuple((one, other) for other, one in found.frames))
    return _looked_at([(0, 0)], a, b)


def _looked_at(pairs: Sequence[tuple[int, int]], a: View, b: View, trees: dict[str, Trees] | None = None) -> Evidence:
    """Of these pairs of frames, by their numbers, those that lie on each other."""
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
    """Whether two rows say the same so clearly that a third could not outvote them."""
    copies = [trees["copy"].probability(row) for row in (one, other)]
    if not (min(copies) >= STORED_COPY.yes or max(copies) <= STORED_COPY.no):
        return False
    alike = [max(copy, trees["similar"].probability(row)) for copy, row in zip(copies, (one, other), strict=True)]
    return min(alike) >= SIMILAR_YES or max(alike) < SIMILAR_YES


def chances(found: Evidence, trees: dict[str, Trees]) -> Chances:
    """What the trees of that scale say."""
    if not found.rows:
        return NOTHING
    copies = [trees["copy"].probability(row) for row in found.rows] if found.can_be_copy else [0.0]
    copy = statistics.median(copies)
    similar = statistics.median(trees["similar"].probability(row) for row in found.rows)
    return Chances(copy, max(copy, similar))


SAME_FRAME: Final = 0.86
MATCHED_MOST: Final = 0.75
MATCHED_LEAST: Final = 0.5
"""Shares of the frames of either animation that have one like them in the other, for copies."""
LOOKED_AT: Final = 3
DISORDER_MOST: Final = 0.03
"""Of copies. Dropped frames and losses of compression cost 0.01 and less, one played backwards 0.1 and more; but what
hardly moves or swings to and fro looks the same backwards."""


def _of_animations(a: View, b: View, trees: dict[str, Trees] | None) -> Evidence:
    """Copies where the frames of one are nearly all in the other, half of the other's in it, and a few bear it out."""
    if len(a.frames) > len(b.frames):
        found = _of_animations(b, a, trees)
        return found._replace(frames=tuple((one, other) for other, one in found.frames))
    table = matched(a.frames, b.frames)
    shares = [float((table.max(axis=axis) > SAME_FRAME).mean()) for axis in (0, 1)]
    if max(shares) < 0.5:
        return Evidence((), (), max(shares), min(shares))
    like = np.flatnonzero(table.max(axis=1) > 0.75)
    if not len(like):
        return Evidence((), (), max(shares), min(shares), False)
    disorder = _disorder(table[like])
    can_be_copy = max(shares) >= MATCHED_MOST and min(shares) >= MATCHED_LEAST and disorder <= DISORDER_MOST
    wanted = min(LOOKED_AT if can_be_copy else 1, len(like))
    places = np.unique(np.linspace(0, len(like) - 1, wanted + 2)[1:-1].round().astype(int))
    looked_at = _looked_at([(n, int(table[n].argmax())) for n in like[places].tolist()], a, b, trees)
    return looked_at._replace(
        matched_most=max(shares), matched_least=min(shares), can_be_copy=can_be_copy, disorder=disorder
    )


def _disorder(table: Grey) -> float:
    """What it costs a frame, in correlation, if frames (rows) may only go forward through the others (columns).

    Those may begin anywhere, as loops do.
    """
    rows, columns = table.shape
    begun = (np.arange(columns)[:, None] + np.arange(columns)) % columns
    best = np.maximum.accumulate(table[0][begun], axis=1)
    for row in table[1:]:
        best = np.maximum.accumulate(best + row[begun], axis=1)
    return float(table.max(axis=1).mean() - best.max() / rows)


def _of_still(still: View, animation: View) -> Evidence:
    """A still is at most a variant of an animation, when it is like one of its frames."""
    thumbs = still.frames[0].plane_on_white.thumbs
    likeness = []
    for frame in animation.frames:
        table = frame.plane_on_white.thumbs @ thumbs.T
        table[2:, 2:] = -1
        likeness.append(float(table.max()))
    number = int(np.argmax(likeness))
    if likeness[number] < 0.75:
        return Evidence((), can_be_copy=False)
    return _looked_at([(0, number)], still, animation)._replace(can_be_copy=False)


class Judgement(NamedTuple):
    """Copy, variant or different; how surely; and whether the pixels had to be looked at."""

    relation: Relation
    chances: Chances
    by_pixels: bool


def judge(stored: Evidence, opened: Callable[[], Evidence | None], model: Model) -> Judgement:
    """From signatures where they suffice, else from the pixels, if they can still be had."""
    first = chances(stored, model["stored"])
    if not STORED_COPY.no < first.copy < STORED_COPY.yes:
        return Judgement(_relation(first, STORED_COPY.yes, SIMILAR_YES), first, False)
    found = opened()
    if found is None:
        # Nothing better is to be had: what is likelier is said.
        return Judgement(_relation(first, COPY_YES, SIMILAR_YES), first, False)
    second = chances(found, model["opened"])
    return Judgement(_relation(second, COPY_YES, SIMILAR_YES), second, True)


def _relation(found: Chances, copy_yes: float, similar_yes: float) -> Relation:
    if found.copy >= copy_yes:
        return Relation.COPY
    return Relation.VARIANT if found.similar >= similar_yes else Relation.DIFFERENT


@cache
def trained_model() -> Model:
    """The trees that come with the package."""
    return model_of(json.loads(resources.files(__package__).joinpath("judge.json").read_text()))


def model_of(data: dict[str, Any]) -> Model:
    """From what train_judge.py writes. ValueError if it was trained on other features."""
    if data["version"] != JUDGE_VERSION or tuple(data["features"]) != FEATURES:
        raise ValueError("These trees were trained on other features; run benchmarks/train_judge.py.")
    return {
        scale: {question: Trees.of(trees) for question, trees in data[scale].items()} for scale in ("stored", "opened")
    }
