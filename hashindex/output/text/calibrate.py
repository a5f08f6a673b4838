"""How well hashes and levels do on labelled pairs, as a table."""

from collections.abc import Iterator
from typing import Literal, TypedDict

from hashindex.core.explanation import Calibration, CalibrationTarget, Score
from hashindex.core.language import N_, sentence
from hashindex.output.text.common import JsonPath, json_line, listed
from hashindex.output.text.explain import BITS
from hashindex.output.text.terminal import padded, padded_left

FEW_LABELS = 50
"""Fewer pairs than this, of either kind, give an unreliable table."""


class ScoreJson(TypedDict):
    """How well one rule does."""

    rule: str
    """Name of a hash or of a level."""
    radius: int | None
    """Bits; null for a level."""
    precision: float | None
    """Null if it joins no pair."""
    recall: float
    """Of the pairs that belong together, the fraction that it joins."""
    f1: float
    """Harmonic mean of precision and recall."""
    right: int
    """Pairs that it joins and that belong together."""
    wrong: int
    """Pairs that it joins and that do not belong together."""


class TargetJson(TypedDict):
    """A definition of which pairs belong together, and how well each rule meets it."""

    target: str
    """"copies", or "similar" for copies and variants."""
    wanted: int
    """Pairs that belong together."""
    unwanted: int
    """Pairs that do not belong together."""
    level: ScoreJson
    """The score of the level of that name."""
    best: list[ScoreJson]
    """For each hash, the score with the largest F1."""
    radii: list[ScoreJson]
    """For each hash, the score at every radius at which it changes."""


class SkippedJson(TypedDict):
    """A labelled pair that could not be used."""

    path: JsonPath
    """The picture that could not be used."""
    reason: str
    """A sentence without its full stop."""


class CalibrationJson(TypedDict):
    """How well hashes and levels do on labelled pairs."""

    event: Literal["calibration"]
    labels: dict[str, int]
    """Pairs by label: "same", "variant", "different"."""
    decisions: int
    """How many of them are your decisions in the catalogue."""
    few: bool
    """Whether there are too few labels for reliable results."""
    targets: list[TargetJson]
    """For copies, and for copies and variants."""
    skipped: list[SkippedJson]
    """Labels that were left out."""


def calibration_json(found: Calibration) -> str:
    return json_line(
        CalibrationJson(
            event="calibration",
            labels=found.labels,
            decisions=found.decisions,
            few=is_few(found),
            targets=[
                TargetJson(
                    target=target.name,
                    wanted=target.wanted,
                    unwanted=target.unwanted,
                    level=_score_json(target.level),
                    best=[_score_json(score) for score in target.best],
                    radii=[_score_json(score) for scores in target.hashes for score in scores],
                )
                for target in found.targets
            ],
            skipped=[SkippedJson(path=one.path, reason=one.reason) for one in found.skipped],
        )
    )


def _score_json(score: Score) -> ScoreJson:
    return ScoreJson(
        rule=score.rule,
        radius=score.radius,
        precision=None if score.precision is None else round(score.precision, 5),
        recall=round(score.recall, 5),
        f1=round(score.f1, 5),
        right=score.right,
        wrong=score.wrong,
    )


def is_few(found: Calibration) -> bool:
    """Whether there are too few labels for reliable results."""
    return any(min(target.wanted, target.unwanted) < FEW_LABELS for target in found.targets)


def calibration_text(found: Calibration) -> str:
    return "\n".join(_lines(found))


def _lines(found: Calibration) -> Iterator[str]:
    total = sum(found.labels.values())
    labels = listed(f"{number:,} {label}" for label, number in found.labels.items())
    if found.decisions:
        yield sentence(
            "{count} labelled pairs, {own} of them your decisions: {labels}.",
            count=f"{total:,}",
            own=f"{found.decisions:,}",
            labels=labels,
        )
    else:
        yield sentence("{count} labelled pairs: {labels}.", count=f"{total:,}", labels=labels)
    if is_few(found):
        yield sentence(
            "That is few: with fewer than {count} pairs of a kind, one pair can change the order. Only a hint.",
            count=FEW_LABELS,
        )
    for target in found.targets:
        yield ""
        yield from _target_lines(target)


def _target_lines(target: CalibrationTarget) -> Iterator[str]:
    if target.name == "copies":
        template = N_("{name}: only copies belong together ({wanted} pairs do, {unwanted} do not)")
    else:
        template = N_("{name}: copies and variants belong together ({wanted} pairs do, {unwanted} do not)")
    yield sentence(template, name=target.name, wanted=f"{target.wanted:,}", unwanted=f"{target.unwanted:,}")
    if not target.wanted or not target.unwanted:
        yield "  " + sentence("Nothing to measure: pairs of both kinds are needed.")
        return
    heads = ((sentence("precision"), 10), (sentence("recall"), 8), ("F1", 7), (sentence("right"), 8))
    yield " " * 24 + "".join(padded_left(*head) for head in (*heads, (sentence("wrong"), 8)))
    yield _line(sentence("level {name}", name=target.level.rule), target.level)
    for best, scores in zip(target.best, target.hashes, strict=True):
        within = sentence("{hash} within {radius}", hash=best.rule, radius=best.radius)
        yield _line(within, best, sentence("best of this hash"))
        for score in _shown_scores(scores, best):
            yield _line("  " + sentence("within {radius}", radius=score.radius), score)
    by_f1 = max(target.best, key=lambda score: score.f1)
    if target.level.f1 > by_f1.f1:
        template = N_(
            "The level {level} has F1 {level_f1}, better than the best radius, {hash} within {radius} bits, "
            "with {hash_f1}."
        )
    else:
        template = N_(
            "The level {level} has F1 {level_f1}, no better than the best radius, {hash} within {radius} bits, "
            "with {hash_f1}."
        )
    yield "  " + sentence(
        template,
        level=target.level.rule,
        level_f1=f"{target.level.f1:.3f}",
        hash=by_f1.rule,
        radius=by_f1.radius,
        hash_f1=f"{by_f1.f1:.3f}",
    )


SHOWN_RADII = {64: (0, 2, 4, 6, 8, 10, 12), 256: (0, 8, 16, 24, 32, 44, 60)}
"""Radii in the table besides the best one; --json has each radius at which a result changes."""


def _shown_scores(scores: tuple[Score, ...], best: Score) -> Iterator[Score]:
    for radius in SHOWN_RADII[BITS[best.rule]]:
        score = [score for score in scores if (score.radius or 0) <= radius][-1]
        if radius != best.radius:
            yield score._replace(radius=radius)


def _line(name: str, score: Score, note: str = "") -> str:
    precision = "-" if score.precision is None else f"{score.precision:.3f}"
    line = f"  {padded(name, 22)}{precision:>10}{score.recall:>8.3f}{score.f1:>7.3f}{score.right:>8,}{score.wrong:>8,}"
    return f"{line}  {note}" if note else line
