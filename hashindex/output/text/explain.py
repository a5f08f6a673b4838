"""What two pictures are to each other, and why: in at most eight lines, or with all evidence."""

import os
from collections.abc import Iterator

from hashindex.core.explanation import Blocks, Box, Explanation, Fit, ScaleEvidence, Side
from hashindex.core.model import Relation
from hashindex.hashing.recipes import RECIPES
from hashindex.judge.reasons import DISORDER
from hashindex.output.text.common import json_line, relation_text, sentence, show_bytes, show_path
from hashindex.output.text.terminal import PLAIN, Terminal

BITS = {recipe.name: recipe.bits for recipe in RECIPES}


ACROSS, DOWN = 48, 16
"""Most characters of the block map across and down; a character is about twice as high as wide."""


SHADES = ((0.1, "."), (0.25, ":"), (0.5, "+"), (9.0, "#"))
"""The character for a difference up to each of these."""


BOTH = "@"


FEATURES = {
    "agreement": "agreement of the two where they overlap, 1 is exact",
    "cover": "share of each that the other shows; the smaller of both",
    "out_area": "share of one that the other does not show",
    "bar": "what lies beyond one side, such as a caption bar",
    "two_sided": "share of windows where both show something different",
    "two_sided_spot": "the densest spot of these",
    "one_sided_spot": "the densest spot where only one shows something",
    "bad": "share of windows that differ",
    "worst": "the window that differs most, 0 to 2",
    "rest": "difference in grey levels after adjusting the brightness",
    "saturation": "saturation of one relative to the other",
    "colour_rest": "difference in colour after that, in levels",
    "hue": "shift of the hue, 0 to 2",
    "mask_worst": "where transparency differs most, 0 to 1",
}
"""The features shown with an explanation."""


def explanation_json(found: Explanation, *, blocks: bool = False) -> str:
    """blocks: with the grids of 48 x 48 numbers that say where the two pictures differ; else "blocks" is null."""
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
            "signatures": _scale_json(found.stored),
            "pixels": _scale_json(found.opened),
            "if_alike": {name: round(chance, 4) for name, chance in found.if_alike.items()},
            "frames": None if found.frames is None else found.frames._asdict(),
            "matches": [{"a_ms": a, "b_ms": b, **chances._asdict()} for a, b, chances in found.matches],
            "fit": None
            if found.fit is None
            else {name: _rounded(value) for name, value in found.fit._asdict().items()},
            "blocks": found.blocks._asdict() if blocks and found.blocks is not None else None,
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
        # Hexadecimal, as ImageHash writes them: JSON readers cannot hold 256 bits in a number.
        "hashes": {name: f"{value:0{BITS[name] // 4}x}" for name, value in side.hashes.items()},
    }


def _scale_json(evidence: ScaleEvidence | None) -> dict[str, object] | None:
    if evidence is None:
        return None
    features = {name: round(value, 5) for name, value in evidence.features.items()}
    return {"copy": evidence.chances.copy, "similar": evidence.chances.similar, "features": features}


def _rounded(value: float | Box) -> object:
    return [round(part, 4) for part in value] if isinstance(value, tuple) else round(value, 4)


MORE = "More: -v shows all evidence, --blocks where they differ, --picture PNG draws it."


def explanation_text(
    found: Explanation, *, verbose: bool = False, blocks: bool = False, terminal: Terminal = PLAIN
) -> str:
    """At most eight lines. verbose: all evidence. blocks: where the two pictures differ, as a map of characters."""
    lines = [*_summary(found, terminal), *(_evidence(found) if verbose else _short_evidence(found))]
    if found.blocks is not None and (verbose or blocks):
        lines += ["", *map_text(found.blocks)]
    if verbose:
        lines += _features_text(found)
    elif not blocks:
        lines.append(MORE)
    return "\n".join(lines)


def _summary(found: Explanation, terminal: Terminal) -> Iterator[str]:
    verdict = relation_text(found.relation, terminal)
    yield sentence("{verdict}: {reason}", verdict=verdict, reason=found.reason)
    if found.word is not None and found.judged is not found.relation:
        yield sentence("Without your decision, the judge finds: {verdict}.", verdict=found.judged.label)
    yield _side_text("A", found.a)
    yield _side_text("B", found.b)
    if found.distances:
        yield "Hashes   " + ", ".join(f"{name} {bits} of {BITS[name]}" for name, bits in found.distances.items())
    if found.frames is not None:
        most, least, disorder = found.frames
        shares = {"most": f"{most:.0%}", "least": f"{least:.0%}"}
        if disorder > DISORDER:
            yield "Frames   " + sentence(
                "{most} of one match frames of the other, and {least} the other way round, in another order", **shares
            )
        else:
            yield "Frames   " + sentence(
                "{most} of one match frames of the other, and {least} the other way round", **shares
            )


def _short_evidence(found: Explanation) -> Iterator[str]:
    evidence = found.opened if found.by_pixels else found.stored
    if evidence is not None:
        yield f"Chances  copy {evidence.chances.copy:.3f}, similar {evidence.chances.similar:.3f}"


def _evidence(found: Explanation) -> Iterator[str]:
    if found.key_bits is not None:
        yield f"Keys     {found.key_bits} bits apart at the nearest: groups judges this pair"
    elif not found.same_bytes:
        yield "Keys     none near: groups judges this pair only if other pictures link the two"
    yield from _chances(found)
    for match in found.matches:
        yield (
            f"Match    A at {match.a_ms / 1000:.2f} s, B at {match.b_ms / 1000:.2f} s: "
            f"copy {match.chances.copy:.3f}, similar {match.chances.similar:.3f}"
        )
    if found.fit is not None:
        yield from _fit_text(found.fit)
    if found.if_alike:
        parts = sorted(found.if_alike.items(), key=lambda part: -part[1])
        relation = "a copy" if found.judged is not Relation.DIFFERENT else "similar"
        yield f"Chance of {relation} if one property were equal:  " + ", ".join(
            f"{name} {chance:.2f}" for name, chance in parts
        )


def _side_text(name: str, side: Side) -> str:
    facts = [side.format, f"{side.width} x {side.height}", show_bytes(side.size)]
    if side.frames > 1:
        what = "pages" if side.format == "tiff" else f"frames in {side.duration_ms / 1000:.2f} s"
        facts.append(f"{side.frames} {what}")
    facts.append(f"detail {side.detail} of 100" + (", too little to compare" if side.is_blank else ""))
    if not side.is_there:
        facts.append("gone")
    if side.problem is not None:
        facts.append(side.problem)
    return f"{name}  {show_path(side.path)}  ({', '.join(facts)})"


def _chances(found: Explanation) -> Iterator[str]:
    for name, evidence in (("stored signatures", found.stored), ("opened files", found.opened)):
        if evidence is not None:
            decided = "   <- decided" if (name == "opened files") == found.by_pixels else ""
            copy, similar = evidence.chances
            yield f"Chances  copy {copy:.3f}, similar {similar:.3f}  by {name}{decided}"
    if found.side and found.judged in (Relation.COPY, Relation.VARIANT):
        what = "" if found.objection is None else f": {found.objection}, so no copies"
        yield f"Scale    compared at {found.side:,} pixels{what}"


def _fit_text(fit: Fit) -> Iterator[str]:
    yield (
        f"Fit      agreement {fit.agreement:.3f}; {fit.scale:.2f} pixels of A per pixel of B; "
        f"rotated {fit.degrees:.1f} degrees; stretched {fit.stretch:.2f}"
    )
    for name, overlap, border in (("A", fit.overlap_a, fit.border_a), ("B", fit.overlap_b, fit.border_b)):
        blank = "" if border == (0.0, 0.0, 1.0, 1.0) else f"; without its blank border {_box(border)}"
        yield f"         the other shows of {name}: {_box(overlap)}{blank}"


def _box(box: Box) -> str:
    left, top, right, bottom = (f"{share:.0%}" for share in box)
    return f"{left} to {right} across, {top} to {bottom} down"


def map_text(blocks: Blocks) -> Iterator[str]:
    """The block map in characters, and a legend."""
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
    yield "  . equal  : + slightly different  # only one shows something  @ both show something different"


def _features_text(found: Explanation) -> Iterator[str]:
    evidence = found.opened or found.stored
    if evidence is None or not evidence.features:
        return
    yield ""
    yield "Features:"
    for name, meaning in FEATURES.items():
        yield f"  {name:<15}{_number(evidence.features[name]):>8}  {meaning}"
    others = [f"{name} {_number(value)}" for name, value in evidence.features.items() if name not in FEATURES]
    for start in range(0, len(others), 6):
        yield "  " + ", ".join(others[start : start + 6])


def _number(value: float) -> str:
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"
