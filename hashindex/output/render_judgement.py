"""What explain and calibrate found -> what a person reads and what a script reads. Returns text; prints nothing."""

import os
from collections.abc import Iterator

from hashindex.core.explanation import (
    Blocks,
    Box,
    Calibration,
    CalibrationTarget,
    Explanation,
    Fit,
    ScaleEvidence,
    Score,
    Side,
)
from hashindex.core.model import Relation
from hashindex.hashing.recipes import RECIPES
from hashindex.judge.reasons import DISORDER
from hashindex.output.render import json_line, show_bytes, show_path

BITS = {recipe.name: recipe.bits for recipe in RECIPES}

ACROSS, DOWN = 48, 16
"""At most so many characters of the map; one is about twice as high as wide."""

SHADES = ((0.1, "."), (0.25, ":"), (0.5, "+"), (9.0, "#"))
"""A character for differences up to these."""
BOTH = "@"

PLAINLY = {
    "agreement": "how well one lies on the other, 1 is exactly",
    "cover": "share of either that the other shows, the smaller one",
    "out_area": "share of one that the other does not show",
    "bar": "what lies beyond one side, as a bar with words does",
    "two_sided": "share of windows where both show something, and not the same",
    "two_sided_spot": "the same where it is densest",
    "one_sided_spot": "where only one shows something, at its densest",
    "bad": "share of windows that differ",
    "worst": "the window that differs most, 0 to 2",
    "rest": "grey levels that differ after fitting the light",
    "saturation": "colour of one as a part of the other's",
    "colour_rest": "colour that differs after that, in levels",
    "hue": "how far colours are turned, 0 to 2",
    "mask_worst": "where transparency differs most, 0 to 1",
}
"""The features that mean something to a person."""


# Explain


def explanation_json(found: Explanation) -> str:
    return json_line(
        {
            "relation": found.relation.label,
            "reason": found.reason,
            "judged": found.judged.label,
            "word": None if found.word is None else "same" if found.word else "separate",
            "turn": found.turn,
            "a": _side(found.a),
            "b": _side(found.b),
            "same_bytes": found.same_bytes,
            "distances": {name: {"distance": bits, "bits": BITS.get(name)} for name, bits in found.distances.items()},
            "key_bits": found.key_bits,
            "by_pixels": found.by_pixels,
            "side": found.side,
            "objection": found.objection,
            "signatures": _look(found.stored),
            "pixels": _look(found.opened),
            "if_alike": {name: round(chance, 4) for name, chance in found.if_alike.items()},
            "frames": None if found.frames is None else found.frames._asdict(),
            "matches": [{"a_ms": a, "b_ms": b, **chances._asdict()} for a, b, chances in found.matches],
            "fit": None if found.fit is None else {name: _plain(value) for name, value in found.fit._asdict().items()},
            "blocks": None if found.blocks is None else found.blocks._asdict(),
        }
    )


def _side(side: Side) -> dict[str, object]:
    return {
        "path": os.fsdecode(side.path),
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
        # Hexadecimal, as ImageHash writes them: 256 bits are no number to JSON's readers.
        "hashes": {name: f"{value:0{BITS[name] // 4}x}" for name, value in side.hashes.items()},
    }


def _look(look: ScaleEvidence | None) -> dict[str, object] | None:
    if look is None:
        return None
    features = {name: round(value, 5) for name, value in look.features.items()}
    return {"copy": look.chances.copy, "similar": look.chances.similar, "features": features}


def _plain(value: float | Box) -> object:
    return [round(part, 4) for part in value] if isinstance(value, tuple) else round(value, 4)


def explanation_text(found: Explanation) -> str:
    return "\n".join(_paragraphs(found))


def _paragraphs(found: Explanation) -> Iterator[str]:
    yield f"{found.relation.label}: {found.reason}"
    if found.word is not None and found.judged is not found.relation:
        yield f"The judge takes them for: {found.judged.label}."
    yield ""
    yield _side_text("A", found.a)
    yield _side_text("B", found.b)
    yield ""
    if found.distances:
        yield "Hashes   " + ", ".join(f"{name} {bits} of {BITS[name]}" for name, bits in found.distances.items())
    if found.key_bits is not None:
        yield f"Keys     {found.key_bits} bits apart at their nearest: groups has this pair judged"
    elif not found.same_bytes:
        yield "Keys     none near: groups has this pair judged only where others link the two"
    yield from _chances(found)
    if found.frames is not None:
        most, least, disorder = found.frames
        yield f"Frames   {most:.0%} of one are like one of the other's, and {least:.0%} the other way"
        if disorder > DISORDER:
            yield "         and they come in another order"
    for match in found.matches:
        yield (
            f"         A at {match.a_ms / 1000:.2f} s, B at {match.b_ms / 1000:.2f} s: "
            f"copy {match.chances.copy:.3f}, similar {match.chances.similar:.3f}"
        )
    if found.fit is not None:
        yield from _fit_text(found.fit)
    if found.if_alike:
        parts = sorted(found.if_alike.items(), key=lambda part: -part[1])
        asked = "a copy" if found.judged is not Relation.DIFFERENT else "similar"
        yield f"Chance of {asked} if one thing were alike:  " + ", ".join(
            f"{name} {chance:.2f}" for name, chance in parts
        )
    if found.blocks is not None:
        yield ""
        yield from map_text(found.blocks)
    look = found.opened or found.stored
    if look is not None and look.features:
        yield ""
        yield from _features_text(look)


def _side_text(name: str, side: Side) -> str:
    facts = [side.format, f"{side.width} x {side.height}", show_bytes(side.size)]
    if side.frames > 1:
        what = "pages" if side.format == "tiff" else f"frames in {side.duration_ms / 1000:.2f} s"
        facts.append(f"{side.frames} {what}")
    facts.append(f"detail {side.detail} of 100" + (", too little to be compared by looks" if side.is_blank else ""))
    if not side.is_there:
        facts.append("gone")
    if side.problem is not None:
        facts.append(side.problem)
    return f"{name}  {show_path(side.path)}  ({', '.join(facts)})"


def _chances(found: Explanation) -> Iterator[str]:
    for name, look in (("stored signatures", found.stored), ("opened files", found.opened)):
        if look is not None:
            decided = "   <- decided" if (name == "opened files") == found.by_pixels else ""
            copy, similar = look.chances
            yield f"Chances  copy {copy:.3f}, similar {similar:.3f}  by {name}{decided}"
    if found.side and found.judged in (Relation.COPY, Relation.VARIANT):
        what = "" if found.objection is None else f": {found.objection}, so no copies"
        yield f"Scale    compared at {found.side:,} pixels{what}"


def _fit_text(fit: Fit) -> Iterator[str]:
    yield (
        f"Fit      agreement {fit.agreement:.3f}; {fit.scale:.2f} pixels of A on one of B; turned {fit.degrees:.1f} "
        f"degrees; stretched {fit.stretch:.2f}"
    )
    for name, overlap, border in (("A", fit.overlap_a, fit.border_a), ("B", fit.overlap_b, fit.border_b)):
        plain = "" if border == (0.0, 0.0, 1.0, 1.0) else f"; without its plain border {_box(border)}"
        yield f"         of {name} the other shows {_box(overlap)}{plain}"


def _box(box: Box) -> str:
    left, top, right, bottom = (f"{share:.0%}" for share in box)
    return f"{left} to {right} across, {top} to {bottom} down"


def map_text(blocks: Blocks) -> Iterator[str]:
    """The block map in characters, and what they mean."""
    yield "Where they differ (what both show):"
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
    yield "  . the same  : + a little  # one shows something there  @ both do, and not the same"


def _features_text(look: ScaleEvidence) -> Iterator[str]:
    yield "Features:"
    for name, meaning in PLAINLY.items():
        yield f"  {name:<15}{_number(look.features[name]):>8}  {meaning}"
    others = [f"{name} {_number(value)}" for name, value in look.features.items() if name not in PLAINLY]
    for start in range(0, len(others), 6):
        yield "  " + ", ".join(others[start : start + 6])


def _number(value: float) -> str:
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"


# Calibrate

FEW_LABELS = 50
"""Of fewer pairs than this that belong together, or that do not, the table says little."""


def calibration_json(found: Calibration) -> str:
    return json_line(
        {
            "labels": found.labels,
            "words": found.words,
            "few": is_few(found),
            "questions": [
                {
                    "question": question.name,
                    "wanted": question.wanted,
                    "unwanted": question.unwanted,
                    "level": _score(question.level),
                    "best": [_score(score) for score in question.best],
                    "radii": [_score(score) for scores in question.hashes for score in scores],
                }
                for question in found.questions
            ],
            "skipped": [{"path": os.fsdecode(one.path), "reason": one.reason} for one in found.skipped],
        }
    )


def _score(score: Score) -> dict[str, object]:
    return {
        "rule": score.rule,
        "radius": score.radius,
        "precision": None if score.precision is None else round(score.precision, 5),
        "recall": round(score.recall, 5),
        "f1": round(score.f1, 5),
        "right": score.right,
        "wrong": score.wrong,
    }


def is_few(found: Calibration) -> bool:
    """Whether the labels are too few to go by."""
    return any(min(question.wanted, question.unwanted) < FEW_LABELS for question in found.questions)


def calibration_text(found: Calibration) -> str:
    return "\n".join(_calibration(found))


def _calibration(found: Calibration) -> Iterator[str]:
    total = sum(found.labels.values())
    labels = ", ".join(f"{number:,} {label}" for label, number in found.labels.items())
    own = f", {found.words:,} of them your own words" if found.words else ""
    yield f"{total:,} labelled pairs{own}: {labels}."
    if is_few(found):
        yield f"That is few: below {FEW_LABELS} pairs of a kind one more or less changes the order. A hint, no proof."
    for question in found.questions:
        yield ""
        yield from _question(question)


def _question(question: CalibrationTarget) -> Iterator[str]:
    what = "only copies belong together" if question.name == "copies" else "copies and variants belong together"
    yield f"{question.name}: {what} ({question.wanted:,} pairs do, {question.unwanted:,} do not)"
    if not question.wanted or not question.unwanted:
        yield "  Nothing to compare: pairs of both kinds are needed."
        return
    yield f"  {'':<22}{'precision':>10}{'recall':>8}{'F1':>7}{'right':>8}{'wrong':>8}"
    yield _line(f"level {question.level.rule}", question.level)
    for best, scores in zip(question.best, question.hashes, strict=True):
        yield _line(f"{best.rule} within {best.radius}", best, "best of this hash")
        for score in _some(scores, best):
            yield _line(f"  within {score.radius}", score)
    by_f1 = max(question.best, key=lambda score: score.f1)
    better = "better" if question.level.f1 > by_f1.f1 else "no better"
    yield (
        f"  The level {question.level.rule} has F1 {question.level.f1:.3f}, {better} than the best radius, "
        f"{by_f1.rule} within {by_f1.radius} bits, with {by_f1.f1:.3f}."
    )


SHOWN = {64: (0, 2, 4, 6, 8, 10, 12), 256: (0, 8, 16, 24, 32, 44, 60)}
"""Radii that the table has besides the best; --json has all at which anything changes."""


def _some(scores: tuple[Score, ...], best: Score) -> Iterator[Score]:
    for radius in SHOWN[BITS[best.rule]]:
        score = [score for score in scores if (score.radius or 0) <= radius][-1]
        if radius != best.radius:
            yield score._replace(radius=radius)


def _line(name: str, score: Score, note: str = "") -> str:
    precision = "-" if score.precision is None else f"{score.precision:.3f}"
    line = f"  {name:<22}{precision:>10}{score.recall:>8.3f}{score.f1:>7.3f}{score.right:>8,}{score.wrong:>8,}"
    return f"{line}  {note}" if note else line
