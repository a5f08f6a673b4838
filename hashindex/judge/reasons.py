"""Explains a judgement in a few plain sentences. Does no I/O."""

from collections.abc import Sequence

from hashindex.core.explanation import Blocks, Box, Explanation, Fit, Side
from hashindex.core.language import Message, joined
from hashindex.core.model import Relation

ALIKE_FRAMES = (0.75, 0.5)
"""As classifier.MATCHED_MOST and MATCHED_LEAST."""
DISORDER = 0.03
"""As classifier.DISORDER_MOST."""

CHANGED = 0.5
"""A block with a larger difference counts as changed."""


_FIRST, _SECOND = Message("first"), Message("second")


def reason_of(found: Explanation) -> str:
    """A few sentences; "the first" and "the second" are the two pictures in the order given."""
    sentences = [_judged(found)]
    if found.turn is not None:
        sentences.insert(0, Message("The first is {turn}.", turn=found.turn))
    if found.decision is not None:
        sentences.insert(
            0,
            Message("You decided that they are the same picture; your decision overrides the judge.")
            if found.decision
            else Message("You decided that they are separate; your decision overrides the judge."),
        )
    if found.stored is not None and found.opened is None:
        sentences += _gone(found.a, found.b)
    if found.judged in (Relation.COPY, Relation.VARIANT) and found.key_bits is None:
        sentences.append(
            Message("No key of one is near a key of the other, so groups joins them only through other pictures.")
        )
    return joined(Message(" "), sentences)


def _gone(a: Side, b: Side) -> list[str]:
    if a.is_there and b.is_there:
        return []
    if not a.is_there and not b.is_there:
        return [Message("The first and the second is gone: they were judged by their signatures in the catalogue.")]
    which = _SECOND if a.is_there else _FIRST
    return [Message("The {which} is gone: they were judged by their signatures in the catalogue.", which=which)]


def _judged(found: Explanation) -> str:
    if found.same_bytes:
        return Message("Both files hold the same bytes.")
    if found.judged is Relation.IDENTICAL:
        return Message("Their bytes differ, but every pixel of every frame is the same.")
    if found.a.is_blank or found.b.is_blank:
        return _low_detail(found.a, found.b)
    evidence = found.opened or found.stored
    if evidence is None or not evidence.features:
        return _nothing_fits(found)
    if found.objection is not None and found.judged is Relation.VARIANT:
        return _objection(found.objection, found.side)
    if found.judged is Relation.COPY:
        return _copy(found)
    kinds = _by_kind(found)
    if kinds:
        return kinds
    differs = Message(
        "They fit each other (agreement {agreement}), but {difference}.",
        agreement=_two(found.fit),
        difference=what_differs(found),
    )
    if found.judged is Relation.VARIANT:
        return joined(Message(" "), (differs, Message("They still share a template.")))
    return joined(Message(" "), (differs, Message("That is too much for one template.")))


def _objection(objection: str, side: int) -> str:
    """objection: see messages.Objection."""
    if objection == "detail":
        return Message(
            "As small pictures they are the same. But at {side:,} pixels both show something in one place, and not the "
            "same: other letters, digits, or another part of the drawing.",
            side=side,
        )
    if objection == "shape":
        return Message(
            "As small pictures they are the same. But there is little to compare on plain ground, and at {side:,} "
            "pixels too much of that differs.",
            side=side,
        )
    return Message(
        "Most of their frames are the same. But some frames of one differ from the frames of the other at that moment, "
        "for example by added words."
    )


def _two(fit: Fit | None) -> str:
    return "-" if fit is None else f"{fit.agreement:.2f}"


def _low_detail(a: Side, b: Side) -> str:
    if a.is_blank and b.is_blank:
        return Message(
            "Both have too little detail, or too few pixels, to be compared visually: only equal pixels would make "
            "them the same, and their pixels differ."
        )
    return Message(
        "The {which} has too little detail, or too few pixels, to be compared visually: only equal pixels would make "
        "them the same, and their pixels differ.",
        which=_FIRST if a.is_blank else _SECOND,
    )


def _nothing_fits(found: Explanation) -> str:
    if _has_pages(found.a) or _has_pages(found.b):
        return Message("Too few pages of one match a page of the other.")
    if found.frames is not None:
        return Message(
            "At most {most:.0%} of the frames of one match a frame of the other: too few to compare.",
            most=found.frames.most,
        )
    if (found.a.frames > 1) != (found.b.frames > 1):
        return Message("One is a still, the other is an animation, and none of its frames matches the still.")
    return Message("One does not fit the other: neither whole, nor without borders, nor with up to a fifth cut off.")


def _by_kind(found: Explanation) -> str:
    """Why variants are not copies by their kind, whatever they show; empty if another reason decides."""
    if found.judged is not Relation.VARIANT:
        return ""
    if _has_pages(found.a) or _has_pages(found.b):
        return _pages(found.a, found.b)
    if (found.a.frames > 1) != (found.b.frames > 1):
        return Message(
            "One is a still and matches a frame of the other, an animation: a still is at most a variant of that."
        )
    if found.frames is not None:
        most, least, disorder = found.frames
        if most < ALIKE_FRAMES[0] or least < ALIKE_FRAMES[1]:
            return Message(
                "{most:.0%} of the frames of one match a frame of the other, and {least:.0%} the other way "
                "round: copies need at least {best:.0%} and {worst:.0%}.",
                most=most,
                least=least,
                best=ALIKE_FRAMES[0],
                worst=ALIKE_FRAMES[1],
            )
        if disorder > DISORDER:
            return Message("Their frames match, but in another order: reversed or shuffled.")
    return ""


def _has_pages(side: Side) -> bool:
    return side.format == "tiff" and side.frames > 1


def _pages(a: Side, b: Side) -> str:
    if a.frames != b.frames:
        return Message(
            "They have matching pages, but one has {fewer} and the other {more}: files with several pages are copies "
            "only if all pages are copies.",
            fewer=min(a.frames, b.frames),
            more=max(a.frames, b.frames),
        )
    return Message(
        "They have matching pages, but not every pixel of every page is the same: files with several pages are copies "
        "only if all pages are copies."
    )


def _copy(found: Explanation) -> str:
    changes = list(_changes(found))
    if not changes:
        return Message("They show the same; there is no visible difference.")
    return Message("They show the same: {changes}.", changes=joined(Message("; "), changes))


def _changes(found: Explanation) -> "Sequence[str]":
    a, b, fit = found.a, found.b, found.fit
    evidence = found.opened or found.stored
    assert evidence is not None
    features = evidence.features
    changes: list[str] = []
    if a.format != b.format:
        changes.append(Message("the second is {second}, the first {first}", second=b.format, first=a.format))
    if fit is not None:
        if abs(fit.scale - 1) > 0.02:
            which = _FIRST if fit.scale > 1 else _SECOND
            times = fit.scale if fit.scale > 1 else 1 / fit.scale
            changes.append(Message("the {which} is {times:.1f} times as large", which=which, times=times))
        if fit.degrees > 0.7:
            changes.append(Message("one is turned by {degrees:.1f} degrees", degrees=fit.degrees))
        if fit.stretch > 1.03:
            changes.append(Message("one is stretched by {stretch:.0%}", stretch=fit.stretch - 1))
        changes += _cut_off(fit)
    if a.frames != b.frames and min(a.frames, b.frames) > 1:
        changes.append(Message("{first} frames and {second}", first=a.frames, second=b.frames))
    if features["saturation"] < 0.6:
        changes.append(Message("one has less colour"))
    elif features["colour_rest"] > 8:
        changes.append(Message("the colours are a little different"))
    if features["toned"] > 8:
        changes.append(Message("one is lighter, darker or of other contrast"))
    if features["one_sided_spot"] > 0.3:
        changes.append(Message("something faint is drawn over one"))
    return changes


def _cut_off(fit: Fit) -> list[str]:
    found: list[str] = []
    for which, whole, overlap in ((_FIRST, fit.border_a, fit.overlap_a), (_SECOND, fit.border_b, fit.overlap_b)):
        lost = 1 - _area(_within(overlap, whole)) / max(_area(whole), 1e-9)
        if lost > 0.03:
            found.append(Message("{lost:.0%} of the {which} is not in the other", lost=lost, which=which))
    if abs(_area(fit.border_a) - _area(fit.border_b)) > 0.03:
        more = _FIRST if _area(fit.border_a) < _area(fit.border_b) else _SECOND
        found.append(Message("the {which} has more of a plain border", which=more))
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
        return Message("too much differs")
    family = max(found.if_alike, key=lambda name: found.if_alike[name])
    features = evidence.features
    if family == "structure":
        return _structure(features, found.blocks)
    if family == "outside":
        return _outside(features, found.fit)
    if family == "colour":
        if features["hue"] > 0.3:
            return Message("the same places have other colours")
        return Message("one has colour where the other has less")
    if family == "light":
        return Message("light and dark are not the same, even after one is fitted to the other")
    if family == "transparency":
        return Message("their outlines differ where they are transparent")
    return Message("they have to be moved, turned or stretched far to fit")


def _structure(features: dict[str, float], blocks: Blocks | None) -> str:
    where = "" if blocks is None else _where(blocks)
    if features["two_sided"] > 0.004:
        share = f"{features['two_sided']:.1%}" if features["two_sided"] < 0.02 else f"{features['two_sided']:.0%}"
        return Message(
            "both show something, and not the same, in {share} of the windows{where}: other words or another drawing",
            share=share,
            where=where,
        )
    if features["bad"] > 0:
        return Message(
            "one shows something that the other does not in {share:.1%} of the windows{where}",
            share=features["bad"],
            where=where,
        )
    return Message("lines and edges differ{where}", where=where)


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
        return Message(", all over the picture")
    upright = 0 if down_extent > 0.6 else 1 if down < 0.36 else 3 if down > 0.64 else 2
    level = 0 if across_extent > 0.6 else 1 if across < 0.36 else 2 if across > 0.64 else 0
    return _PLACES[upright][level]


_PLACES = (
    (Message(", across the middle"), Message(", at the left"), Message(", at the right")),
    (Message(", at the top"), Message(", at the top left"), Message(", at the top right")),
    (Message(", in the middle"), Message(", in the middle on the left"), Message(", in the middle on the right")),
    (Message(", at the bottom"), Message(", at the bottom left"), Message(", at the bottom right")),
)
"""Rows: all heights, top, middle, bottom; columns: all widths or the middle, left, right."""


def _middle(places: list[float]) -> tuple[float, float]:
    """The median, and the extent of the middle 90 %."""
    places.sort()
    count = len(places)
    low, high = places[int(0.05 * (count - 1))], places[int(0.95 * (count - 1))]
    return places[count // 2], high - low


def _outside(features: dict[str, float], fit: Fit | None) -> str:
    what = Message("something with edges, as words on a bar") if features["bar_edges"] > 0.02 else Message("something")
    share = features["out_area"]
    gap, which, side = (0.0, _FIRST, "") if fit is None else _widest_gap(fit)
    if gap <= 0.02:
        return Message("one shows {what} that lies outside the other ({share:.0%} of it)", what=what, share=share)
    return Message(
        "the {which} shows {what} that lies outside the other ({share:.0%} of it, most of it {side})",
        which=which,
        what=what,
        share=share,
        side=side,
    )


def _widest_gap(fit: Fit) -> tuple[float, str, str]:
    """The widest strip of one picture that lies outside the other: its width, the picture and the side."""
    gaps: list[tuple[float, str, str]] = []
    for which, whole, overlap in ((_FIRST, fit.border_a, fit.overlap_a), (_SECOND, fit.border_b, fit.overlap_b)):
        left, top, right, bottom = _within(overlap, whole)
        gaps += [
            (left - whole[0], which, Message("on the left")),
            (top - whole[1], which, Message("at the top")),
            (whole[2] - right, which, Message("on the right")),
            (whole[3] - bottom, which, Message("at the bottom")),
        ]
    return max(gaps)
