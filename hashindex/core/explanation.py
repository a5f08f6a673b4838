"""The values that explain and calibrate return."""

import os
from typing import TYPE_CHECKING, NamedTuple

from hashindex.core.model import Relation
from hashindex.core.paths import with_readable_paths

if TYPE_CHECKING:
    from PIL import Image

Box = tuple[float, float, float, float]
"""Left, top, right and bottom as fractions of the picture's width and height, 0 to 1."""


@with_readable_paths
class Side(NamedTuple):
    """One of the two compared pictures."""

    path_bytes: bytes
    """Empty if it was given as an Image or an array."""
    is_there: bool
    """False if the file is gone and only the catalogue describes it."""
    size: int
    format: str
    width: int
    height: int
    frames: int
    duration_ms: int
    detail: int
    """0 (blank) to 100."""
    is_blank: bool
    """It has too little detail: it is a copy only of pictures with equal pixels."""
    problem: str | None
    hashes: dict[str, int]
    """By name; empty if it could not be hashed."""
    lines: tuple[str, ...] = ()
    """The text that was read in it, see HashIndex.find."""
    tags: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        return os.fsdecode(self.path_bytes)


class Chances(NamedTuple):
    """Probability that two pictures are copies, and that they are copies or variants; 0 to 1."""

    copy: float
    similar: float


class ScaleEvidence(NamedTuple):
    """Evidence from one comparison of both pictures, by their signatures or by the pixels of their files."""

    chances: Chances
    features: dict[str, float]
    """Names as in features.FEATURES; empty if the pictures could not be aligned."""


class Match(NamedTuple):
    """One frame of each picture, and how alike the two frames are."""

    a_ms: int
    """When the frame of the first picture begins."""
    b_ms: int
    chances: Chances


class Fit(NamedTuple):
    """How the two pictures are aligned."""

    agreement: float
    """Correlation of the part that both show, -1 to 1."""
    degrees: float
    """Rotation between them, 0 to about 8."""
    stretch: float
    """Ratio of the two aspect ratios, 1 or more."""
    scale: float
    """Pixels of the first for one pixel of the second, along a side."""
    overlap_a: Box
    """The part of the first that the second shows too."""
    overlap_b: Box
    border_a: Box
    """The first without its border of one colour."""
    border_b: Box


class Blocks(NamedTuple):
    """Where two pictures differ, as rows of blocks from the top of the part that both show."""

    difference: tuple[tuple[float, ...], ...]
    """Largest difference of structure in a block: 0 for equal, 1 for nothing in common, at most 2."""
    both_show: tuple[tuple[bool, ...], ...]
    """Whether both show something there, but not the same: other words, another face."""


class Panels(NamedTuple):
    """The pictures as they were compared, scaled down, for drawing."""

    a: "Image.Image"
    b: "Image.Image"
    laid: "Image.Image | None"
    """Overlay of the part that both show: grey where they agree, red where only the first is dark, cyan where only the
    second is."""
    differing: "Image.Image | None"
    """The same part of the second, pale: differences in red, and in orange where only one of them shows anything."""


class Frames(NamedTuple):
    """How the frames of two animations match."""

    most: float
    least: float
    """For each animation, the fraction of its frames that the other one also has; the larger first."""
    disorder: float
    """Loss of correlation per frame when frames are matched in order; 0 if both have the same order."""


class Explanation(NamedTuple):
    """What two pictures are to each other, and the evidence."""

    a: Side
    b: Side
    same_bytes: bool
    distances: dict[str, int]
    """Bits by hash; empty if one of them was not hashed."""
    relation: Relation
    """The relation that groups use: the user's decision, or else the verdict."""
    reason: str
    """A few sentences."""
    judged: Relation
    """The verdict, whatever the user decided."""
    decision: bool | None
    """The user's decision: True for same, False for separate, None for no decision."""
    turn: str | None
    """How the first was turned to match the second; None if it was not."""
    key_bits: int | None
    """Distance of their nearest keys. None if no two keys are near: then groups connects the pictures only through
    others."""
    by_pixels: bool
    """Whether the files had to be opened. If not, the signatures sufficed or nothing else was available."""
    side: int
    """Longest side, in pixels, at which the verdict was made; 0 if no part of one lies on the other."""
    objection: str | None
    """What the fine comparison found to differ: "detail", "shape" or "frames"; None for nothing."""
    stored: ScaleEvidence | None
    """By signatures; None if there are none, or none were needed."""
    opened: ScaleEvidence | None
    """By the pixels of the files; None if they were not opened."""
    frames: Frames | None
    """Only for two animations."""
    matches: tuple[Match, ...]
    fit: Fit | None
    blocks: Blocks | None
    if_alike: dict[str, float]
    """By kind of difference: the probability if this difference did not exist, of a copy, or of a variant if the two
    pictures are different."""
    panels: Panels | None


class Score(NamedTuple):
    """How well one rule does on labelled pairs."""

    rule: str
    """Name of a hash or of a level."""
    radius: int | None
    """Bits; None for a level."""
    right: int
    """Pairs that it joins and that belong together."""
    wrong: int
    """Pairs that it joins and that do not belong together."""
    wanted: int
    """All pairs that belong together."""

    @property
    def precision(self) -> float | None:
        """None if it joins no pair."""
        return self.right / (self.right + self.wrong) if self.right + self.wrong else None

    @property
    def recall(self) -> float:
        return self.right / self.wanted if self.wanted else 0.0

    @property
    def f1(self) -> float:
        return 2 * self.right / (self.right + self.wrong + self.wanted) if self.wanted else 0.0


class CalibrationTarget(NamedTuple):
    """A definition of which pairs belong together, and how well each rule meets it."""

    name: str
    """copies: pairs labelled same. similar: variants too."""
    wanted: int
    unwanted: int
    level: Score
    hashes: tuple[tuple[Score, ...], ...]
    """For each hash, a score at every radius at which the score changes, from 0."""

    @property
    def best(self) -> tuple[Score, ...]:
        """For each hash, the score with the largest F1; among equals, the one with the smallest radius."""
        return tuple(max(scores, key=lambda score: score.f1) for scores in self.hashes)


@with_readable_paths
class Skipped(NamedTuple):
    """A labelled pair that could not be used, and the reason."""

    path_bytes: bytes
    reason: str

    @property
    def path(self) -> str:
        return os.fsdecode(self.path_bytes)


class Calibration(NamedTuple):
    """How well hashes, radii and levels do on labelled pairs."""

    labels: dict[str, int]
    """Pairs by label: same, variant, different."""
    decisions: int
    """How many of them are the user's decisions in the catalogue."""
    targets: tuple[CalibrationTarget, ...]
    skipped: tuple[Skipped, ...]
