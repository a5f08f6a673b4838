"""What explain and calibrate find, as values. Imports nothing of ours but the nouns."""

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from PIL import Image

Box = tuple[float, float, float, float]
"""Left, top, right, bottom as shares of a picture's width and height, 0 to 1."""


class Side(NamedTuple):
    """One of two pictures that are compared."""

    path: bytes
    is_there: bool
    """False: the file is gone, and known from the catalogue alone."""
    size: int
    format: str
    width: int
    height: int
    frames: int
    duration_ms: int
    detail: int
    """0 (blank) to 100."""
    is_blank: bool
    """Too little to see: only equal pixels are taken for the same."""
    problem: str | None
    hashes: dict[str, int]
    """By name; empty where it could not be hashed."""


class Chances(NamedTuple):
    """How surely two pictures are copies, and copies or variants; 0 to 1."""

    copy: float
    similar: float


class ScaleEvidence(NamedTuple):
    """What one look at both pictures gave: at their signatures, or at the pixels of the files."""

    chances: Chances
    features: dict[str, float]
    """As features.FEATURES; empty where nothing fits."""


class Match(NamedTuple):
    """A frame of each picture that were compared, and what they are to each other."""

    a_ms: int
    """When the frame begins."""
    b_ms: int
    chances: Chances


class Fit(NamedTuple):
    """How the two pictures lie on each other."""

    agreement: float
    """Correlation of what both show, -1 to 1."""
    degrees: float
    """How far one is turned, 0 to about 8."""
    stretch: float
    """Ratio of the two aspect ratios, 1 or more."""
    scale: float
    """Pixels of the first on one of the second, along a side."""
    overlap_a: Box
    """What of the first the second shows too."""
    overlap_b: Box
    border_a: Box
    """The first without its plain border."""
    border_b: Box


class Blocks(NamedTuple):
    """Where two pictures differ: what both show, in rows of blocks from the top."""

    difference: tuple[tuple[float, ...], ...]
    """Of structure, the worst in a block: 0 the same, 1 nothing in common, at most 2."""
    both_show: tuple[tuple[bool, ...], ...]
    """Whether both show something there, and not the same: other words, another face."""


class Panels(NamedTuple):
    """The pictures as they were compared, small, for drawing."""

    a: "Image.Image"
    b: "Image.Image"
    laid: "Image.Image | None"
    """What both show, laid over each other: grey where they agree, red dark in the first alone, cyan the other."""
    differing: "Image.Image | None"
    """The same part of the second, pale, with what differs in red, and where only one shows anything in orange."""


class Frames(NamedTuple):
    """How the frames of two animations go together."""

    most: float
    least: float
    """Shares of the frames of either that have one like them in the other, the larger one first."""
    disorder: float
    """Correlation a frame that it costs to bring them into one order; 0 where they come in the same."""


class Explanation(NamedTuple):
    """What two pictures are to each other, and why."""

    a: Side
    b: Side
    same_bytes: bool
    distances: dict[str, int]
    """Bits by hash; empty where one of them was not hashed."""
    relation: str
    """What hashindex goes by: "identical", "copy", "variant" or "different"."""
    reason: str
    """In a few sentences."""
    judged: str
    """The same without a person's word."""
    word: bool | None
    """What a person said: True they are the same, False they are separate; None nothing."""
    turn: str | None
    """How the first was turned to be like the second; None where it was not."""
    key_bits: int | None
    """Between their nearest keys; None where no key of one is near one of the other, so that groups compares them
    only by way of others."""
    by_pixels: bool
    """The files had to be opened; else the signatures were enough, or all there was."""
    side: int
    """Longest side, in pixels, at which the verdict was made; 0 where nothing of one lies on the other."""
    objection: str | None
    """What the fine comparison of two that look like copies found: "detail", "shape" or "frames"; None nothing."""
    stored: ScaleEvidence | None
    """By signatures; None where there is none, or nothing had to be looked at."""
    opened: ScaleEvidence | None
    frames: Frames | None
    """Of two animations."""
    matches: tuple[Match, ...]
    fit: Fit | None
    blocks: Blocks | None
    if_alike: dict[str, float]
    """By what differs: the chance, of a copy or for two that differ of a variant, if that were the same in both."""
    panels: Panels | None


class Score(NamedTuple):
    """How one rule does on labelled pairs."""

    rule: str
    """Name of a hash, or of a level."""
    radius: int | None
    """Bits; None for a level."""
    right: int
    """Pairs that it takes together and that belong together."""
    wrong: int
    """Pairs that it takes together and that do not."""
    wanted: int
    """All pairs that belong together."""

    @property
    def precision(self) -> float | None:
        """None where it takes nothing together."""
        return self.right / (self.right + self.wrong) if self.right + self.wrong else None

    @property
    def recall(self) -> float:
        return self.right / self.wanted if self.wanted else 0.0

    @property
    def f1(self) -> float:
        return 2 * self.right / (self.right + self.wrong + self.wanted) if self.wanted else 0.0


class CalibrationTarget(NamedTuple):
    """One way to ask which pairs belong together."""

    name: str
    """copies: those labelled same. similar: variants too."""
    wanted: int
    unwanted: int
    level: Score
    hashes: tuple[tuple[Score, ...], ...]
    """Of each hash a score for every radius at which it changes, from 0 on."""

    @property
    def best(self) -> tuple[Score, ...]:
        """Of each hash the radius of the largest F1; of equal ones the smallest."""
        return tuple(max(scores, key=lambda score: score.f1) for scores in self.hashes)


class Skipped(NamedTuple):
    """A labelled pair that could not be used, and why."""

    path: bytes
    reason: str


class Calibration(NamedTuple):
    """What labelled pairs say of hashes, radii and levels."""

    labels: dict[str, int]
    """Pairs by label: same, variant, different."""
    words: int
    """How many of them are a person's own words in the catalogue."""
    questions: tuple[CalibrationTarget, ...]
    skipped: tuple[Skipped, ...]
