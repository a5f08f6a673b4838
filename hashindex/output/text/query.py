"""Answers to hashindex query."""

from collections.abc import Iterator
from typing import Literal

from hashindex.core.dates import local_minute
from hashindex.core.language import N_, local, plural, sentence
from hashindex.core.model import Answer, Hit, State
from hashindex.output.text.common import (
    JsonRelation,
    PathText,
    PictureJson,
    json_line,
    picture_facts,
    picture_json,
    relation_json,
    relation_text,
    show_message,
    show_path,
)
from hashindex.output.text.terminal import PLAIN, Terminal, padded_left

_TURNS = (
    N_("mirrored"),
    N_("turned 90"),
    N_("turned 180"),
    N_("turned 270"),
    N_("upside down"),
    N_("transposed"),
    N_("transversed"),
)
"""Values of Hit.turn, marked for translation."""


class HitJson(PictureJson):
    """A file that looks like the picture."""

    event: Literal["hit"]
    present: bool
    """Whether the file is still there."""
    identical: bool
    """Whether it has the same bytes."""
    relation: JsonRelation | None
    """To the picture; null if the two cannot be judged."""
    turn: str | None
    """How the picture was turned to match: "mirrored", "turned 90", ...; null if it was not."""
    distances: dict[str, int]
    """Bits by hash; empty if one of the two has too little detail."""


def hit_json(hit: Hit) -> str:
    line: HitJson = {
        "event": "hit",
        **picture_json(hit.file),
        "present": hit.file.state is State.PRESENT,
        "identical": hit.same_bytes,
        "relation": None if hit.relation is None else relation_json(hit.relation),
        "turn": hit.turn,
        "distances": hit.distances,
    }
    return json_line(line)


def hit_text(hit: Hit, hash: str, show: PathText = show_path, terminal: Terminal = PLAIN) -> str:
    if hit.turn is not None:
        nearness = local(hit.turn)
    elif hit.same_bytes:
        nearness = sentence("same bytes")
    elif hash in hit.distances:
        nearness = plural(hit.distances[hash], "{count} bit apart", "{count} bits apart")
    else:
        nearness = sentence("same pixels")
    facts = picture_facts(hit.file)
    if hit.file.state is not State.PRESENT:
        facts = sentence("{facts}, gone; last seen {time}", facts=facts, time=local_minute(hit.file.last_seen_ns))
    relation = relation_text(hit.relation, terminal, 9)
    return (
        f"{relation}  {padded_left(nearness, 12)}  {show(hit.file.path_bytes)}  {terminal.style(f'({facts})', 'dim')}"
    )


def answer_notes(answer: Answer) -> Iterator[str]:
    """Notes to print after the hits."""
    if answer.blank:
        yield sentence("This picture has too little detail to compare hashes: only files with equal pixels are shown.")
    if answer.asked.problem is not None:
        yield sentence("The picture was read only in part: {reason}.", reason=show_message(answer.asked.problem))
    if answer.unreachable:
        yield plural(
            answer.unreachable,
            "{count} picture was skipped, with hashes of an older version; run: hashindex scan",
            "{count} pictures were skipped, with hashes of an older version; run: hashindex scan",
        )


def nothing_found_text(pictures: int) -> str:
    """pictures: present ones."""
    return plural(
        pictures,
        "No similar picture found among {count} picture (scan more folders: hashindex scan FOLDER).",
        "No similar picture found among {count} pictures (scan more folders: hashindex scan FOLDER).",
    )
