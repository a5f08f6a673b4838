"""Answers to hashindex query."""

import os
from collections.abc import Iterator

from hashindex.core.dates import local_minute
from hashindex.core.language import N_, local, plural, sentence
from hashindex.core.model import Answer, Hit, State
from hashindex.output.text.common import PathText, json_line, picture_facts, relation_text, show_message, show_path
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


def hit_json(hit: Hit) -> str:
    return json_line(
        {
            "path": os.fsdecode(hit.file.path_bytes),
            "present": hit.file.state is State.PRESENT,
            "identical": hit.same_bytes,
            "relation": None if hit.relation is None else hit.relation.label,
            "turn": hit.turn,
            "distances": hit.distances,
            "bytes": hit.file.size,
            "width": hit.file.content.width,
            "height": hit.file.content.height,
            "frames": hit.file.content.frames,
            "format": hit.file.content.format,
        }
    )


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
