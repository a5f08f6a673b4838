"""Answers to hashindex query."""

import os
from collections.abc import Iterator

from hashindex.core.dates import local_minute
from hashindex.core.model import Answer, Hit, State
from hashindex.output.text.common import json_line, picture_facts, show_count, show_path


def hit_json(hit: Hit) -> str:
    return json_line(
        {
            "path": os.fsdecode(hit.file.path),
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


def hit_text(hit: Hit, hash: str) -> str:
    if hit.same_bytes:
        nearness = "same bytes"
    elif hash in hit.distances:
        nearness = f"{show_count(hit.distances[hash], 'bit')} apart"
    else:
        nearness = "same pixels"
    gone = "" if hit.file.state is State.PRESENT else f", gone; last seen {local_minute(hit.file.last_seen_ns)}"
    if hit.turn is not None:
        nearness = hit.turn
    relation = "-" if hit.relation is None else hit.relation.label
    return f"{relation:>9}  {nearness:>12}  {show_path(hit.file.path)}  ({picture_facts(hit.file)}{gone})"


def answer_notes(answer: Answer) -> Iterator[str]:
    """Notes to print after the hits."""
    if answer.blank:
        yield "This picture has too little detail to compare hashes: only files with equal pixels are shown."
    if answer.asked.problem is not None:
        yield f"The picture was read only in part: {answer.asked.problem}."
    if answer.unreachable:
        skipped = show_count(answer.unreachable, "picture was", "pictures were")
        yield f"{skipped} skipped, with hashes of an older version; run: hashindex scan"


def nothing_found_text(pictures: int) -> str:
    """pictures: present ones."""
    count = show_count(pictures, "picture")
    return f"No similar picture found among {count} (scan more folders: hashindex scan FOLDER)."
