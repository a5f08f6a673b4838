"""Explains a judgement in a few plain sentences. Does no I/O."""

from collections.abc import Sequence

from hashindex.core.explanation import Blocks, Box, Explanation, Fit, Side
from hashindex.core.model import Relation

ALIKE_FRAMES = (0.75, 0.5)
"""As classifier.MATCHED_MOST and MATCHED_LEAST."""
DISORDER = 0.03
"""As classifier.DISORDER_MOST."""

CHANGED = 0.5
"""A block with a larger difference counts as changed."""


OBJECTIONS = {
    "detail": (
        "As small pictures they are the same. But at {side} pixels both show something in one place, and not the same: "
        "other letters, digits, or another part of the drawing."
    ),
    "shape": (
        "As small pictures they are the same. But there is little to compare on plain ground, and at {side} pixels too "
        "much of that differs."
    ),
    "frames": (
        "Most of their frames are the same. But some frames of one differ from the frames of the other at that moment, "
        "for example by added words."
    ),
}


def reason_of(found: Explanation) -> str:
    """A few sentences; "the first" and "the second" are the two pictures in the order given."""
    sentences = [_judged(found)]
    if found.turn is not None:
        sentences.insert(0, f"The first is {found.turn}.")
    if found.word is not None:
        decision = "the same picture" if found.word else "separate"
        sentences.insert(0, f"You decided that they are {decision}; your decision overrides the judge.")
    gone = [which for which, side in (("first", found.a), ("second", found.b)) if not side.is_there]
    if gone and found.stored is not None and found.opened is None:
        sentences.append(
            f"The {' and the '.join(gone)} is gone: they were judged by their signatures in the catalogue."
        )
    if found.judged in (Relation.COPY, Relation.VARIANT) and found.key_bits is None:
        sentences.append("No key of one is near a key of the other, so groups joins them only through other pictures.")
    return " ".join(sentence for sentence in sentences if sentence)


def _judged(found: Explanation) -> str:
    if found.same_bytes:
        return "Both files hold the same bytes."
    if found.judged is Relation.IDENTICAL:
        return "Their bytes differ, but every pixel of every frame is the same."
    if found.a.is_blank or found.b.is_blank:
        return _low_detail(found.a, found.b)
    evidence = found.opened or found.stored
    if evidence is None or not evidence.features:
        return _nothing_fits(found)
    if found.objection is not None and found.judged is Relation.VARIANT:
        return OBJECTIONS[found.objection].format(side=f"{found.side:,}")
    if found.judged is Relation.COPY:
        return _copy(found)
    kinds = _by_kind(found)
    if kinds:
        return kinds
    end = "They still share a template." if found.judged is Relation.VARIANT else "That is too much for one template."
    return f"They fit each other (agreement {_two(found.fit)}), but {what_differs(found)}. {end}"


def _two(fit: Fit | None) -> str:
    return "-" if fit is None else f"{fit.agreement:.2f}"


def _low_detail(a: Side, b: Side) -> str:
    both = a.is_blank and b.is_blank
    which = "Both have" if both else f"The {'first' if a.is_blank else 'second'} has"
    return (
        f"{which} too little detail, or too few pixels, to be compared visually: only equal pixels would make them the "
        "same, and their pixels differ."
    )


def _nothing_fits(found: Explanation) -> str:
    if _has_pages(found.a) or _has_pages(found.b):
        return "Too few pages of one match a page of the other."
    if found.frames is not None:
        return f"At most {found.frames.most:.0%} of the frames of one match a frame of the other: too few to compare."
    if (found.a.frames > 1) != (found.b.frames > 1):
        return "One is a still, the other is an animation, and none of its frames matches the still."
    return "One does not fit the other: neither whole, nor without borders, nor with up to a fifth cut off."


def _by_kind(found: Explanation) -> str:
    """Why variants are not copies by their kind, whatever they show; empty if another reason decides."""
    if found.judged is not Relation.VARIANT:
        return ""
    if _has_pages(found.a) or _has_pages(found.b):
        return _pages(found.a, found.b)
    if (found.a.frames > 1) != (found.b.frames > 1):
        return "One is a still and matches a frame of the other, an animation: a still is at most a variant of that."
    if found.frames is not None:
        most, least, disorder = found.frames
        if most < ALIKE_FRAMES[0] or least < ALIKE_FRAMES[1]:
            return (
                f"{most:.0%} of the frames of one match a frame of the other, and {least:.0%} the other way round: "
                f"copies need at least {ALIKE_FRAMES[0]:.0%} and {ALIKE_FRAMES[1]:.0%}."
            )
        if disorder > DISORDER:
            return "Their frames match, but in another order: reversed or shuffled."
    return ""


def _has_pages(side: Side) -> bool:
    return side.format == "tiff" and side.frames > 1


def _pages(a: Side, b: Side) -> str:
    what = "not every pixel of every page is the same"
    if a.frames != b.frames:
        what = f"one has {min(a.frames, b.frames)} and the other {max(a.frames, b.frames)}"
    return f"They have matching pages, but {what}: files with several pages are copies only if all pages are copies."


def _copy(found: Explanation) -> str:
    changes = list(_changes(found))
    if not changes:
        return "They show the same; there is no visible difference."
    return f"They show the same: {'; '.join(changes)}."


def _changes(found: Explanation) -> "Sequence[str]":
    a, b, fit = found.a, found.b, found.fit
    evidence = found.opened or found.stored
    assert evidence is not None
    features = evidence.features
    changes = []
    if a.format != b.format:
        changes.append(f"the second is {b.format}, the first {a.format}")
    if fit is not None:
        if abs(fit.scale - 1) > 0.02:
            times = fit.scale if fit.scale > 1 else 1 / fit.scale
            changes.append(f"the {'first' if fit.scale > 1 else 'second'} is {times:.1f} times as large")
        if fit.degrees > 0.7:
            changes.append(f"one is turned by {fit.degrees:.1f} degrees")
        if fit.stretch > 1.03:
            changes.append(f"one is stretched by {fit.stretch - 1:.0%}")
        changes += _cut_off(fit)
    if a.frames != b.frames and min(a.frames, b.frames) > 1:
        changes.append(f"{a.frames} frames and {b.frames}")
    if features["saturation"] < 0.6:
        changes.append("one has less colour")
    elif features["colour_rest"] > 8:
        changes.append("the colours are a little different")
    if features["toned"] > 8:
        changes.append("one is lighter, darker or of other contrast")
    if features["one_sided_spot"] > 0.3:
        changes.append("something faint is drawn over one")
    return changes


def _cut_off(fit: Fit) -> list[str]:
    found = []
    for which, whole, overlap in (("first", fit.border_a, fit.overlap_a), ("second", fit.border_b, fit.overlap_b)):
        lost = 1 - _area(_within(overlap, whole)) / max(_area(whole), 1e-9)
        if lost > 0.03:
            found.append(f"{lost:.0%} of the {which} is not in the other")
    if abs(_area(fit.border_a) - _area(fit.border_b)) > 0.03:
        more = "first" if _area(fit.border_a) < _area(fit.border_b) else "second"
        found.append(f"the {more} has more of a plain border")
    return found


def _area(box: Box) -> float:
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])


def _within(box: Box, whole: Box) -> Box:
    return max(box[0], whole[0]), max(box[1], whole[1]), min(box[2], whole[2]), min(box[3], whole[3])


def what_differs(found: Explanation) -> str:
    """The strongest difference: without it the judge would be most certain that the two are copies."""
    evidence = found.opened or found.stored
    assert evidence is not None
    if not found.if_alike:
        return "too much differs"
    family = max(found.if_alike, key=lambda name: found.if_alike[name])
    features = evidence.features
    if family == "structure":
        return _structure(features, found.blocks)
    if family == "outside":
        return _outside(features, found.fit)
    if family == "colour":
        if features["hue"] > 0.3:
            return "the same places have other colours"
        return "one has colour where the other has less"
    if family == "light":
        return "light and dark are not the same, even after one is fitted to the other"
    if family == "transparency":
        return "their outlines differ where they are transparent"
    return "they have to be moved, turned or stretched far to fit"


def _structure(features: dict[str, float], blocks: Blocks | None) -> str:
    where = "" if blocks is None else _where(blocks)
    if features["two_sided"] > 0.004:
        share = f"{features['two_sided']:.1%}" if features["two_sided"] < 0.02 else f"{features['two_sided']:.0%}"
        return (
            f"both show something, and not the same, in {share} of the windows{where}: other words or another drawing"
        )
    if features["bad"] > 0:
        return f"one shows something that the other does not in {features['bad']:.1%} of the windows{where}"
    return f"lines and edges differ{where}"


def _where(blocks: Blocks) -> str:
    """The place around which the changed blocks lie, as in ", at the bottom right"."""
    rows, columns = len(blocks.difference), len(blocks.difference[0])
    strong = [
        (y, x)
        for y, (line, both) in enumerate(zip(blocks.difference, blocks.both_show, strict=True))
        for x, (value, marked) in enumerate(zip(line, both, strict=True))
        if marked or value > CHANGED
    ]
    if not strong:
        return ""
    down, down_extent = _middle([(y + 0.5) / rows for y, _ in strong])
    across, across_extent = _middle([(x + 0.5) / columns for _, x in strong])
    if down_extent > 0.6 and across_extent > 0.6:
        return ", all over the picture"
    upright = "" if down_extent > 0.6 else "top" if down < 0.36 else "bottom" if down > 0.64 else "middle"
    level = "" if across_extent > 0.6 else "left" if across < 0.36 else "right" if across > 0.64 else ""
    if upright == "middle":
        return ", in the middle" + (f" on the {level}" if level else "")
    words = f"{upright} {level}".strip()
    return f", at the {words}" if words else ", across the middle"


def _middle(places: list[float]) -> tuple[float, float]:
    """The median, and the extent of the middle 90 %."""
    places.sort()
    count = len(places)
    low, high = places[int(0.05 * (count - 1))], places[int(0.95 * (count - 1))]
    return places[count // 2], high - low


def _outside(features: dict[str, float], fit: Fit | None) -> str:
    which, side = "one", ""
    if fit is not None:
        gaps = []
        for name, whole, overlap in (("first", fit.border_a, fit.overlap_a), ("second", fit.border_b, fit.overlap_b)):
            left, top, right, bottom = _within(overlap, whole)
            for direction, gap in (
                ("on the left", left - whole[0]),
                ("at the top", top - whole[1]),
                ("on the right", whole[2] - right),
                ("at the bottom", whole[3] - bottom),
            ):
                gaps.append((gap, name, direction))
        gap, name, direction = max(gaps)
        if gap > 0.02:
            which, side = f"the {name}", f", most of it {direction}"
    what = "something with edges, as words on a bar" if features["bar_edges"] > 0.02 else "something"
    return f"{which} shows {what} that lies outside the other ({features['out_area']:.0%} of it{side})"
