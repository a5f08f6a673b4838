"""Why two pictures are what the judge says they are, in a few plain sentences. Pure."""

from collections.abc import Sequence

from hashindex.core.explanation import Blocks, Box, Explanation, Fit, Side
from hashindex.core.model import Relation

ALIKE_FRAMES = (0.75, 0.5)
"""As relation.MATCHED_MOST and MATCHED_LEAST."""
DISORDER = 0.03
"""As relation.DISORDER_MOST."""

MUCH = 0.5
"""A block that differs by so much is another one."""


OBJECTIONS = {
    "detail": (
        "Seen small they are the same. But at {side} pixels both show something in one place, and not the same: other "
        "letters, digits, or another part of the drawing."
    ),
    "shape": (
        "Seen small they are the same. But there is little to compare on plain ground, and at {side} pixels too much "
        "of it differs."
    ),
    "frames": (
        "Most of their frames are the same. But some frames of one show something else than the frames of the other in "
        "their place, as words that were put on."
    ),
}


def reason_of(found: Explanation) -> str:
    """A few sentences; "the first" and "the second" are the two pictures in the order given."""
    sentences = [_judged(found)]
    if found.turn is not None:
        sentences.insert(0, f"The first is {found.turn}.")
    if found.word is not None:
        said = "the same picture" if found.word else "separate"
        sentences.insert(0, f"You said that they are {said}, and that goes before what the judge says.")
    gone = [which for which, side in (("first", found.a), ("second", found.b)) if not side.is_there]
    if gone and found.stored is not None and found.opened is None:
        sentences.append(f"The {' and the '.join(gone)} is gone: they were judged by what the catalogue keeps of them.")
    if found.judged in (Relation.COPY, Relation.VARIANT) and found.key_bits is None:
        sentences.append(
            "No key of one is near one of the other, so groups puts them together only by way of other pictures."
        )
    return " ".join(sentence for sentence in sentences if sentence)


def _judged(found: Explanation) -> str:
    if found.same_bytes:
        return "Both files hold the same bytes."
    if found.judged is Relation.IDENTICAL:
        return "Their bytes differ, but every pixel of every frame is the same."
    if found.a.is_blank or found.b.is_blank:
        return _blank(found.a, found.b)
    look = found.opened or found.stored
    if look is None or not look.features:
        return _nothing_fits(found)
    if found.objection is not None and found.judged is Relation.VARIANT:
        return OBJECTIONS[found.objection].format(side=f"{found.side:,}")
    if found.judged is Relation.COPY:
        return _copy(found)
    kinds = _by_kind(found)
    if kinds:
        return kinds
    end = "Still they share a template." if found.judged is Relation.VARIANT else "That is too much for one template."
    return f"They lie on each other (agreement {_two(found.fit)}), but {what_differs(found)}. {end}"


def _two(fit: Fit | None) -> str:
    return "-" if fit is None else f"{fit.agreement:.2f}"


def _blank(a: Side, b: Side) -> str:
    both = a.is_blank and b.is_blank
    which = "Both have" if both else f"The {'first' if a.is_blank else 'second'} has"
    return (
        f"{which} too little to see, or too few pixels, to be compared by looks: only pictures with equal pixels are "
        "taken for the same, and theirs differ."
    )


def _nothing_fits(found: Explanation) -> str:
    if _has_pages(found.a) or _has_pages(found.b):
        return "Too few pages of one are like a page of the other."
    if found.frames is not None:
        return f"Of the frames of one at most {found.frames.most:.0%} are like a frame of the other: too few to go on."
    if (found.a.frames > 1) != (found.b.frames > 1):
        return "One is a still, the other moves, and none of its frames is like the still."
    return "Nothing of one lies on the other: not as they are, and not with borders or up to a fifth cut off."


def _by_kind(found: Explanation) -> str:
    """Where they are no copies because of what they are, not of what they show."""
    if found.judged is not Relation.VARIANT:
        return ""
    if _has_pages(found.a) or _has_pages(found.b):
        return _pages(found.a, found.b)
    if (found.a.frames > 1) != (found.b.frames > 1):
        return (
            "One is a still, and like a frame of the other, which moves: a still is at most a variant of an animation."
        )
    if found.frames is not None:
        most, least, disorder = found.frames
        if most < ALIKE_FRAMES[0] or least < ALIKE_FRAMES[1]:
            return (
                f"Of the frames of one {most:.0%} are like a frame of the other, and {least:.0%} the other way: copies "
                f"share at least {ALIKE_FRAMES[0]:.0%} and {ALIKE_FRAMES[1]:.0%}."
            )
        if disorder > DISORDER:
            return "Their frames are alike, but come in another order: backwards, or mixed."
    return ""


def _has_pages(side: Side) -> bool:
    return side.format == "tiff" and side.frames > 1


def _pages(a: Side, b: Side) -> str:
    what = "not every pixel of every page is the same"
    if a.frames != b.frames:
        what = f"one has {min(a.frames, b.frames)} and the other {max(a.frames, b.frames)}"
    return f"They have pages that are alike, but {what}: files of several pages are copies only where all pages are."


def _copy(found: Explanation) -> str:
    changes = list(_changes(found))
    if not changes:
        return "They show the same; nothing differs that a person would see."
    return f"They show the same: {'; '.join(changes)}."


def _changes(found: Explanation) -> "Sequence[str]":
    a, b, fit = found.a, found.b, found.fit
    look = found.opened or found.stored
    assert look is not None
    features = look.features
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
    """What weighs most against them: the thing without which the judge would be surest."""
    look = found.opened or found.stored
    assert look is not None
    if not found.if_alike:
        return "too much differs"
    family = max(found.if_alike, key=lambda name: found.if_alike[name])
    features = look.features
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
    """As ", at the bottom right": around which the blocks that differ most lie."""
    rows, columns = len(blocks.difference), len(blocks.difference[0])
    strong = [
        (y, x)
        for y, (line, both) in enumerate(zip(blocks.difference, blocks.both_show, strict=True))
        for x, (value, marked) in enumerate(zip(line, both, strict=True))
        if marked or value > MUCH
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
    """The median, and how far the middle nine tenths reach."""
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
            for word, gap in (
                ("on the left", left - whole[0]),
                ("at the top", top - whole[1]),
                ("on the right", whole[2] - right),
                ("at the bottom", whole[3] - bottom),
            ):
                gaps.append((gap, name, word))
        gap, name, word = max(gaps)
        if gap > 0.02:
            which, side = f"the {name}", f", most of it {word}"
    what = "something with edges, as words on a bar" if features["bar_edges"] > 0.02 else "something"
    return f"{which} shows {what} that lies outside the other ({features['out_area']:.0%} of it{side})"
