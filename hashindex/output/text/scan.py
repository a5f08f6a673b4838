"""The result of hashindex scan."""

from collections.abc import Iterator
from typing import Literal, TypedDict

from hashindex.core.language import N_, local, plural, sentence
from hashindex.core.model import ScanSummary, Totals
from hashindex.disk.patterns import hint
from hashindex.disk.walk import HIDDEN_MOST
from hashindex.output.text.common import (
    in_one_line,
    json_line,
    listed,
    show_bytes,
    show_groups,
    show_seconds,
    show_text,
)

_COUNTS = (
    N_("files"),
    N_("unchanged"),
    N_("digested"),
    N_("decoded"),
    N_("moved"),
    N_("missing"),
    N_("other"),
    N_("problems"),
    N_("outdated"),
    N_("hidden"),
)
"""The counts of ScanSummary."""


class ScanSummaryJson(TypedDict):
    """What was read, and what the whole catalogue holds more than once."""

    event: Literal["summary"]
    files: int
    """Files that were checked."""
    unchanged: int
    """Files that were not read, because their size and times are the same."""
    digested: int
    """Files that were read."""
    decoded: int
    """Contents that were decoded and hashed."""
    moved: int
    """Files under a new name whose old name is gone."""
    missing: int
    """Pictures that were there in the last scan and now are not."""
    other: int
    """Files that are no pictures."""
    problems: int
    """Files and folders with a problem that was not known."""
    outdated: int
    """Contents whose hashes are of an older version."""
    hidden: int
    """Files and folders left out because they are hidden."""
    unmatched: list[str]
    """Patterns of include and exclude that matched nothing."""
    groups: int
    """Groups of copies in the catalogue."""
    extra: int
    """Files beside one of each group."""
    extra_bytes: int
    """Bytes of all files but the largest of each group."""


def scan_json(summary: ScanSummary, totals: Totals) -> str:
    return json_line(
        ScanSummaryJson(
            event="summary",
            files=summary.files,
            unchanged=summary.unchanged,
            digested=summary.digested,
            decoded=summary.decoded,
            moved=summary.moved,
            missing=summary.missing,
            other=summary.other,
            problems=summary.problems,
            outdated=summary.outdated,
            hidden=summary.hidden,
            unmatched=list(summary.unmatched),
            groups=totals.groups,
            extra=totals.extra,
            extra_bytes=totals.bytes,
        )
    )


def scan_text(summary: ScanSummary, totals: Totals, seconds: float, known_problems: int = 0) -> str:
    """What was read, what the catalogue holds more than once, and the next step.

    seconds: how long the scan took. known_problems: all problems in the catalogue.
    """
    return "\n".join([in_one_line(_read_sentences(summary, seconds, known_problems)), *_found_lines(totals)])


def _read_sentences(summary: ScanSummary, seconds: float, known_problems: int) -> Iterator[str]:
    time = show_seconds(seconds)
    if summary.digested:
        yield plural(summary.digested, "Read {count} picture in {time}.", "Read {count} pictures in {time}.", time=time)
        if summary.unchanged:
            yield plural(summary.unchanged, "{count} file is unchanged.", "{count} files are unchanged.")
    else:
        yield plural(
            summary.files,
            "Checked {count} file in {time}; no new picture.",
            "Checked {count} files in {time}; no new picture.",
            time=time,
        )
    if summary.moved:
        yield plural(
            summary.moved,
            "{count} picture was renamed or moved.",
            "{count} pictures were renamed or moved.",
        )
    if summary.missing:
        yield plural(summary.missing, "{count} picture is gone.", "{count} pictures are gone.")
    if summary.other:
        yield plural(summary.other, "{count} file is not a picture.", "{count} files are not pictures.")
    if summary.problems:
        yield plural(
            summary.problems,
            "{count} could not be read, or not completely (hashindex problems).",
            "{count} could not be read, or not completely (hashindex problems).",
        )
    elif known_problems:
        yield plural(
            known_problems,
            "{count} known problem, no new one (hashindex problems).",
            "{count} known problems, no new one (hashindex problems).",
        )
    if summary.hidden >= HIDDEN_MOST:
        yield sentence("{count} or more hidden left out; --hidden takes them.", count=f"{summary.hidden:,}")
    elif summary.hidden:
        yield plural(
            summary.hidden,
            "{count} hidden left out; --hidden takes it.",
            "{count} hidden left out; --hidden takes them.",
        )
    if summary.outdated:
        yield plural(
            summary.outdated,
            "{count} picture still has hashes of an older version; to replace them, scan its folder.",
            "{count} pictures still have hashes of an older version; to replace them, scan their folders.",
        )


def _found_lines(totals: Totals) -> Iterator[str]:
    if not totals.groups:
        yield sentence("No copies found. Variants: hashindex groups --level similar")
        return
    groups = show_groups(totals.groups)
    extra = plural(totals.extra, "{count} extra copy", "{count} extra copies")
    yield sentence("{groups}, {extra}, at least {size}.", groups=groups, extra=extra, size=show_bytes(totals.bytes))
    yield sentence("Next: hashindex groups, hashindex report report.html, hashindex dedupe")


def more_problems_text(more: int) -> str:
    """more: problems that are not shown."""
    return plural(
        more,
        "... and {count} more problem; see: hashindex problems",
        "... and {count} more problems; see: hashindex problems",
    )


def counts_text(summary: ScanSummary) -> str:
    """All counts, for --verbose."""
    counts = listed(f"{local(name)} {getattr(summary, name):,}" for name in _COUNTS)
    return sentence("Counts: {counts}.", counts=counts)


def unmatched_text(where: str, pattern: str) -> str:
    """where: the option with the pattern; "" for the settings."""
    parts = {"pattern": show_text(repr(pattern)), "hint": local(hint(pattern))}
    if not where:
        return sentence("in the settings {pattern} matched nothing{hint}.", **parts)
    return sentence("{option} {pattern} matched nothing{hint}.", option=where, **parts)
