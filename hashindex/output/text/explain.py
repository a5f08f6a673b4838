"""What two pictures are to each other, and why: in at most eight lines, or with all evidence."""

from collections.abc import Iterator
from typing import Literal, TypedDict

from hashindex.core.explanation import Blocks, Box, Chances, Explanation, Fit, Frames, ScaleEvidence, Side
from hashindex.core.language import N_, local, plural, sentence
from hashindex.core.messages import Objection
from hashindex.core.model import Relation
from hashindex.hashing.recipes import RECIPES
from hashindex.judge.reasons import DISORDER
from hashindex.output.text.common import (
    JsonRelation,
    PathText,
    PictureJson,
    json_line,
    listed,
    relation_json,
    relation_name,
    relation_text,
    show_bytes,
    show_frames,
    show_message,
    show_path,
)
from hashindex.output.text.find import lines_text
from hashindex.output.text.tags import tag_text
from hashindex.output.text.terminal import PLAIN, Terminal, padded

BITS = {recipe.name: recipe.bits for recipe in RECIPES}


ACROSS, DOWN = 48, 16
"""Most characters of the block map across and down; a character is about twice as high as wide."""


SHADES = ((0.1, "."), (0.25, ":"), (0.5, "+"), (9.0, "#"))
"""The character for a difference up to each of these."""


BOTH = "@"


FEATURES = {
    "agreement": N_("agreement of the two where they overlap, 1 is exact"),
    "cover": N_("share of each that the other shows; the smaller of both"),
    "out_area": N_("share of one that the other does not show"),
    "bar": N_("what lies beyond one side, such as a caption bar"),
    "two_sided": N_("share of windows where both show something different"),
    "two_sided_spot": N_("the densest spot of these"),
    "one_sided_spot": N_("the densest spot where only one shows something"),
    "bad": N_("share of windows that differ"),
    "worst": N_("the window that differs most, 0 to 2"),
    "rest": N_("difference in grey levels after adjusting the brightness"),
    "saturation": N_("saturation of one relative to the other"),
    "colour_rest": N_("difference in colour after that, in levels"),
    "hue": N_("shift of the hue, 0 to 2"),
    "mask_worst": N_("where transparency differs most, 0 to 1"),
}
"""The features shown with an explanation."""


class SideJson(PictureJson):
    """One of the two pictures."""

    present: bool
    """Whether the file is there. If not, only the catalogue describes it."""
    duration_ms: int
    """Time of one pass over all frames; 0 unless it is animated."""
    detail: int
    """0 (blank) to 100."""
    blank: bool
    """Whether it has too little detail: it is a copy only of pictures with equal pixels."""
    problem: str | None
    """Why it was read only in part."""
    hashes: dict[str, str]
    """By name, hexadecimal as ImageHash writes them; empty if it could not be hashed."""
    lines: list[str]
    """The text that was read in it, in reading order."""
    tags: list[str]
    """The tags that you gave it."""


class DistanceJson(TypedDict):
    """How far two hashes are apart."""

    distance: int
    """Bits that differ."""
    bits: int
    """Bits of the hash."""


class EvidenceJson(TypedDict):
    """Evidence from one comparison."""

    copy: float
    """Probability that they are copies."""
    similar: float
    """Probability that they are copies or variants."""
    features: dict[str, float]
    """By name; -v shows what some of them mean. Empty if the pictures could not be aligned."""


class FramesJson(TypedDict):
    """How the frames of two animations match."""

    most: float
    """For each animation, the fraction of its frames that the other one also has; the larger of both."""
    least: float
    """The smaller of both."""
    disorder: float
    """Loss of correlation for each frame when frames are matched in order; 0 if both have the same order."""


class MatchJson(TypedDict):
    """A frame of each picture, and how alike they are."""

    a_ms: int
    """When the frame of the first picture begins."""
    b_ms: int
    """When the frame of the second picture begins."""
    copy: float
    """Probability that the frames are copies."""
    similar: float
    """Probability that the frames are copies or variants."""


class FitJson(TypedDict):
    """How the two are aligned. A box is left, top, right and bottom as fractions of the picture."""

    agreement: float
    """Correlation of the part that both show, -1 to 1."""
    degrees: float
    """Rotation between them."""
    stretch: float
    """Ratio of the aspect ratios, 1 or more."""
    scale: float
    """Pixels of the first for one pixel of the second, along a side."""
    overlap_a: list[float]
    """The part of the first that the second shows too."""
    overlap_b: list[float]
    """The part of the second that the first shows too."""
    border_a: list[float]
    """The first without its border of one colour."""
    border_b: list[float]
    """The second without its border of one colour."""


class BlocksJson(TypedDict):
    """Where they differ, as rows of blocks from the top of the part that both show."""

    difference: list[list[float]]
    """0 for equal, 1 for nothing in common, at most 2."""
    both_show: list[list[bool]]
    """Whether both show something there, but not the same."""


class ExplanationJson(TypedDict):
    """What two pictures are to each other, and why."""

    event: Literal["explanation"]
    relation: JsonRelation
    """By your decision, or else the verdict."""
    reason: str
    """A few sentences."""
    judged: JsonRelation
    """The verdict, whatever you decided."""
    decision: Literal["same", "separate"] | None
    """Yours, if there is one."""
    turn: str | None
    """How the first was turned to match: "mirrored", "turned 90", ...; null if it was not."""
    a: SideJson
    """The first picture."""
    b: SideJson
    """The second picture."""
    same_bytes: bool
    """Whether the two files have the same bytes."""
    distances: dict[str, DistanceJson]
    """By hash; empty if one of the two was not hashed."""
    key_bits: int | None
    """Distance of their nearest keys; null if no two keys are near."""
    by_pixels: bool
    """Whether the files had to be opened."""
    side: int
    """Longest side, in pixels, at which the verdict was made; 0 if no part of one lies on the other."""
    objection: str | None
    """What the fine comparison found to differ: "detail", "shape" or "frames"."""
    signatures: EvidenceJson | None
    """By the stored signatures; null if none were needed."""
    pixels: EvidenceJson | None
    """By the pixels of the files; null if they were not opened."""
    if_alike: dict[str, float]
    """By kind of difference: the probability if this difference did not exist."""
    frames: FramesJson | None
    """Only for two animations."""
    matches: list[MatchJson]
    """The frames of two animations that were compared."""
    fit: FitJson | None
    """Null if they could not be aligned."""
    blocks: BlocksJson | None
    """Only with --blocks."""


def explanation_json(found: Explanation, *, blocks: bool = False) -> str:
    """blocks: with the grids of 48 x 48 numbers that say where the two pictures differ; else "blocks" is null."""
    return json_line(
        ExplanationJson(
            event="explanation",
            relation=relation_json(found.relation),
            reason=found.reason,
            judged=relation_json(found.judged),
            decision=None if found.decision is None else "same" if found.decision else "separate",
            turn=found.turn,
            a=_side_json(found.a),
            b=_side_json(found.b),
            same_bytes=found.same_bytes,
            distances={name: DistanceJson(distance=bits, bits=BITS[name]) for name, bits in found.distances.items()},
            key_bits=found.key_bits,
            by_pixels=found.by_pixels,
            side=found.side,
            objection=found.objection,
            signatures=_evidence_json(found.stored),
            pixels=_evidence_json(found.opened),
            if_alike={name: round(chance, 4) for name, chance in found.if_alike.items()},
            frames=None if found.frames is None else _frames_json(found.frames),
            matches=[
                MatchJson(a_ms=a, b_ms=b, copy=chances.copy, similar=chances.similar) for a, b, chances in found.matches
            ],
            fit=None if found.fit is None else _fit_json(found.fit),
            blocks=_blocks_json(found.blocks) if blocks and found.blocks is not None else None,
        )
    )


def _side_json(side: Side) -> SideJson:
    return {
        "path": side.path,
        "present": side.is_there,
        "bytes": side.size,
        "format": side.format,
        "width": side.width,
        "height": side.height,
        "frames": side.frames,
        "duration_ms": side.duration_ms,
        "detail": side.detail,
        "blank": side.is_blank,
        "problem": side.problem,
        # Hexadecimal: JSON readers cannot hold 256 bits in a number.
        "hashes": {name: f"{value:0{BITS[name] // 4}x}" for name, value in side.hashes.items()},
        "lines": list(side.lines),
        "tags": list(side.tags),
    }


def _evidence_json(evidence: ScaleEvidence | None) -> EvidenceJson | None:
    if evidence is None:
        return None
    features = {name: round(value, 5) for name, value in evidence.features.items()}
    return EvidenceJson(copy=evidence.chances.copy, similar=evidence.chances.similar, features=features)


def _frames_json(frames: Frames) -> FramesJson:
    return FramesJson(most=frames.most, least=frames.least, disorder=frames.disorder)


def _fit_json(fit: Fit) -> FitJson:
    return FitJson(
        agreement=round(fit.agreement, 4),
        degrees=round(fit.degrees, 4),
        stretch=round(fit.stretch, 4),
        scale=round(fit.scale, 4),
        overlap_a=_box_json(fit.overlap_a),
        overlap_b=_box_json(fit.overlap_b),
        border_a=_box_json(fit.border_a),
        border_b=_box_json(fit.border_b),
    )


def _box_json(box: Box) -> list[float]:
    return [round(share, 4) for share in box]


def _blocks_json(blocks: Blocks) -> BlocksJson:
    return BlocksJson(
        difference=[list(row) for row in blocks.difference], both_show=[list(row) for row in blocks.both_show]
    )


def explanation_text(
    found: Explanation,
    *,
    verbose: bool = False,
    blocks: bool = False,
    show: PathText = show_path,
    terminal: Terminal = PLAIN,
) -> str:
    """At most eight lines. verbose: all evidence. blocks: where the two pictures differ, as a map of characters."""
    lines = [*_summary(found, show, terminal), *(_evidence(found) if verbose else _short_evidence(found))]
    if found.blocks is not None and (verbose or blocks):
        lines += ["", *map_text(found.blocks)]
    if verbose:
        lines += _features_text(found)
    elif not blocks:
        lines.append(sentence("More: -v shows all evidence, --blocks where they differ, --picture PNG draws it."))
    return "\n".join(lines)


def _summary(found: Explanation, show: PathText, terminal: Terminal) -> Iterator[str]:
    verdict = relation_text(found.relation, terminal)
    yield sentence("{verdict}: {reason}", verdict=verdict, reason=show_message(found.reason))
    if found.decision is not None and found.judged is not found.relation:
        yield sentence("Without your decision, the judge finds: {verdict}.", verdict=relation_name(found.judged))
    yield _field("A", _side_text(found.a, show))
    yield _field("B", _side_text(found.b, show))
    if found.distances:
        distances = found.distances.items()
        parts = [
            sentence("{hash} {distance} of {bits}", hash=name, distance=each, bits=BITS[name])
            for name, each in distances
        ]
        yield _field(sentence("Hashes"), listed(parts))
    if found.frames is not None:
        most, least, disorder = found.frames
        shares = {"most": f"{most:.0%}", "least": f"{least:.0%}"}
        if disorder > DISORDER:
            frames = sentence(
                "{most} of one match frames of the other, and {least} the other way round, in another order", **shares
            )
        else:
            frames = sentence("{most} of one match frames of the other, and {least} the other way round", **shares)
        yield _field(sentence("Frames"), frames)


def _field(label: str, text: str) -> str:
    return f"{padded(label, 9)}{text}"


def _chances_text(chances: Chances) -> str:
    return sentence("copy {copy}, similar {similar}", copy=f"{chances.copy:.3f}", similar=f"{chances.similar:.3f}")


def _short_evidence(found: Explanation) -> Iterator[str]:
    evidence = found.opened if found.by_pixels else found.stored
    if evidence is not None:
        yield _field(sentence("Chances"), _chances_text(evidence.chances))


def _evidence(found: Explanation) -> Iterator[str]:
    if found.key_bits is not None:
        near = plural(
            found.key_bits,
            "{count} bit apart at the nearest: groups judges this pair",
            "{count} bits apart at the nearest: groups judges this pair",
        )
        yield _field(sentence("Keys"), near)
    elif not found.same_bytes:
        none = sentence("none near: groups judges this pair only if other pictures link the two")
        yield _field(sentence("Keys"), none)
    yield from _chances(found)
    for match in found.matches:
        at = sentence(
            "A at {a} s, B at {b} s: {chances}",
            a=f"{match.a_ms / 1000:.2f}",
            b=f"{match.b_ms / 1000:.2f}",
            chances=_chances_text(match.chances),
        )
        yield _field(sentence("Match"), at)
    if found.fit is not None:
        yield from _fit_text(found.fit)
    if found.if_alike:
        parts = sorted(found.if_alike.items(), key=lambda part: -part[1])
        chances = listed(f"{name} {chance:.2f}" for name, chance in parts)
        if found.judged is not Relation.DIFFERENT:
            yield sentence("Chance of a copy if one property were equal:  {chances}", chances=chances)
        else:
            yield sentence("Chance of similar if one property were equal:  {chances}", chances=chances)


def _side_text(side: Side, show: PathText) -> str:
    facts = [side.format, f"{side.width} x {side.height}", show_bytes(side.size)]
    if side.frames > 1:
        frames = show_frames(side.frames, side.format)
        if side.format != "tiff":
            frames = sentence("{frames} in {time} s", frames=frames, time=f"{side.duration_ms / 1000:.2f}")
        facts.append(frames)
    facts.append(sentence("detail {detail} of 100", detail=side.detail))
    if side.is_blank:
        facts.append(sentence("too little to compare"))
    if side.lines:
        facts.append(sentence('"{words}"', words=lines_text(side.lines)))
    facts += map(tag_text, side.tags)
    if not side.is_there:
        facts.append(sentence("gone"))
    if side.problem is not None:
        facts.append(show_message(side.problem))
    return sentence("{path}  ({facts})", path=show(side.path_bytes), facts=listed(facts))


_OBJECTIONS: dict[str, str] = {
    Objection.DETAIL: N_("compared at {side} pixels: detail, so no copies"),
    Objection.SHAPE: N_("compared at {side} pixels: shape, so no copies"),
    Objection.FRAMES: N_("compared at {side} pixels: frames, so no copies"),
}


def _chances(found: Explanation) -> Iterator[str]:
    decided = sentence("   <- decided")
    if found.stored is not None:
        by = sentence("{chances}  by stored signatures", chances=_chances_text(found.stored.chances))
        yield _field(sentence("Chances"), by + ("" if found.by_pixels else decided))
    if found.opened is not None:
        by = sentence("{chances}  by opened files", chances=_chances_text(found.opened.chances))
        yield _field(sentence("Chances"), by + (decided if found.by_pixels else ""))
    if found.side and found.judged in (Relation.COPY, Relation.VARIANT):
        side = f"{found.side:,}"
        if found.objection is None:
            scale = sentence("compared at {side} pixels", side=side)
        else:
            scale = sentence(_OBJECTIONS[found.objection], side=side)
        yield _field(sentence("Scale"), scale)


def _fit_text(fit: Fit) -> Iterator[str]:
    shown = sentence(
        "agreement {agreement}; {scale} pixels of A per pixel of B; rotated {degrees} degrees; stretched {stretch}",
        agreement=f"{fit.agreement:.3f}",
        scale=f"{fit.scale:.2f}",
        degrees=f"{fit.degrees:.1f}",
        stretch=f"{fit.stretch:.2f}",
    )
    yield _field(sentence("Fit"), shown)
    for name, overlap, border in (("A", fit.overlap_a, fit.border_a), ("B", fit.overlap_b, fit.border_b)):
        if border == (0.0, 0.0, 1.0, 1.0):
            shows = sentence("the other shows of {name}: {box}", name=name, box=_box(overlap))
        else:
            shows = sentence(
                "the other shows of {name}: {box}; without its blank border {inner}",
                name=name,
                box=_box(overlap),
                inner=_box(border),
            )
        yield _field("", shows)


def _box(box: Box) -> str:
    left, top, right, bottom = (f"{share:.0%}" for share in box)
    return sentence("{left} to {right} across, {top} to {bottom} down", left=left, right=right, top=top, bottom=bottom)


def map_text(blocks: Blocks) -> Iterator[str]:
    """The block map in characters, and a legend."""
    yield sentence("Where they differ (what both show):")
    rows, columns = len(blocks.difference), len(blocks.difference[0])
    down, across = min(DOWN, rows), min(ACROSS, columns)
    for row in range(down):
        ys = range(row * rows // down, (row + 1) * rows // down)
        line = ""
        for column in range(across):
            places = [(y, x) for y in ys for x in range(column * columns // across, (column + 1) * columns // across)]
            if any(blocks.both_show[y][x] for y, x in places):
                line += BOTH
            else:
                worst = max(blocks.difference[y][x] for y, x in places)
                line += next(mark for most, mark in SHADES if worst <= most)
        yield f"  {line}"
    yield "  " + sentence(
        ". equal  : + slightly different  # only one shows something  @ both show something different"
    )


def _features_text(found: Explanation) -> Iterator[str]:
    evidence = found.opened or found.stored
    if evidence is None or not evidence.features:
        return
    yield ""
    yield sentence("Features:")
    for name, meaning in FEATURES.items():
        yield f"  {name:<15}{_number(evidence.features[name]):>8}  {local(meaning)}"
    others = [f"{name} {_number(value)}" for name, value in evidence.features.items() if name not in FEATURES]
    for start in range(0, len(others), 6):
        yield "  " + ", ".join(others[start : start + 6])


def _number(value: float) -> str:
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"
