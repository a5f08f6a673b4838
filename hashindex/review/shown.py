"""The values of a review as JSON for the page. Sentences are in the language of the process at that moment."""

import os
from collections.abc import Mapping, Sequence

from hashindex.core.dates import iso
from hashindex.core.explanation import Blocks, Box, Explanation
from hashindex.core.language import local, short_form
from hashindex.core.model import Answer, File, Hit, Member
from hashindex.core.options import DEFAULT_HASH
from hashindex.core.organizing import Batch, BatchState, Outcome
from hashindex.core.words import FoundPicture, PictureWords
from hashindex.output.text.common import show_path, show_text
from hashindex.review.group_store import HeldGroup
from hashindex.review.picture_ids import picture_id
from hashindex.review.sitting import MadeBatch, MadeDecision, RemovalDone, RemovalPreview

Json = dict[str, object]
DIFFERS = 0.5
"""A block with a larger difference of structure is outlined, as `hashindex explain` marks it with #."""


def group_json(one: HeldGroup, number: int) -> Json:
    """A group and its members, the keeper first. Without its details it is provisional: nothing is removable yet."""
    group, detail = one.group, one.detail
    removals = {} if detail is None else {removal.source_bytes: removal.why for removal in detail.removals}
    left = {} if detail is None else {left.source_bytes: left.why for left in detail.left}
    chances: Sequence[float | None] = [None] * len(group.members) if detail is None else detail.chances
    members = []
    for place, (member, chance) in enumerate(zip(group.members, chances, strict=True)):
        path = member.file.path_bytes
        why = [group.why] if place == 0 else [removals[path]] if path in removals else []
        members.append(
            {
                **_file_json(member.file),
                **_words_json(*one.words.get(member.file.content.id, PictureWords())),
                "keeper": place == 0,
                "relation": _relation(member, place),
                "chance": None if chance is None else round(chance, 4),
                "why": [show_text(local(each)) for each in why if each],
                "faults": [local(fault) for fault in member.faults],
                "removable": path in removals,
                "left_because": _short_text(left[path]) if path in left else None,
            }
        )
    return {
        "group": one.key,
        "number": number,
        "level": group.level,
        "why": show_text(local(group.why)),
        "doubt": None if group.doubt is None else show_text(local(group.doubt)),
        "weakest": one.weakest,
        "bytes_extra": one.extra_bytes,
        "decision": one.kind,
        "reviewed": one.kind is not None,
        "provisional": detail is None,
        "members": members,
    }


def _relation(member: Member, place: int) -> str | None:
    if place == 0:
        return "best"
    return None if member.relation is None else member.relation.label


def _file_json(file: File) -> Json:
    content = file.content
    return {
        "picture": picture_id(file),
        "name": show_path(os.path.basename(file.path_bytes)),
        "folder": show_path(os.path.dirname(file.path_bytes)),
        "format": content.format,
        "width": content.width,
        "height": content.height,
        "frames": max(1, content.frames),
        "duration_ms": content.duration_ms,
        "bytes": file.size,
        "modified": iso(file.mtime_ns),
    }


def _words_json(lines: Sequence[str], tags: Sequence[str]) -> Json:
    return {"words": [show_text(line) for line in lines], "tags": [show_text(tag) for tag in tags]}


def _short_text(message: str) -> str:
    return show_text(local(short_form(message)))


def preview_json(found: RemovalPreview, ids: Mapping[bytes, str]) -> Json:
    """ids: of the pictures, by path."""
    return {
        "preview": True,
        "groups": found.groups,
        "changed": found.changed,
        "removed": [_removed_json(one.source_bytes, one.size, one.why, ids) for one in found.removals],
        "left": [_left_json(one.source_bytes, one.why, ids) for one in found.left],
        "bytes": sum(one.size for one in found.removals),
    }


def removal_json(done: RemovalDone, ids: Mapping[bytes, str]) -> Json:
    """ids: of the pictures, by path."""
    left = [_left_json(one.source_bytes, one.why, ids) for one in done.left]
    left += [_left_json(one.path_bytes, one.reason, ids) for one in done.refused]
    return {
        "batch": done.batch,
        "groups": done.groups,
        "changed": done.changed,
        "removed": [_removed_json(one.source_bytes, one.size, one.why, ids) for one in done.removals],
        "left": left,
        "bytes": sum(one.size for one in done.removals),
        "stopped": None if done.stopped is None else show_text(local(done.stopped)),
    }


def _removed_json(path: bytes, size: int, why: str, ids: Mapping[bytes, str]) -> Json:
    return {
        "picture": ids.get(path),
        "name": show_path(os.path.basename(path)),
        "bytes": size,
        "why": show_text(local(why)),
    }


def _left_json(path: bytes, why: str, ids: Mapping[bytes, str]) -> Json:
    return {
        "picture": ids.get(path),
        "name": show_path(os.path.basename(path)),
        "because": _short_text(why),
    }


def undone_json(outcome: Outcome) -> Json:
    """What was put back."""
    return {
        "batch": outcome.batch,
        "restored": outcome.done,
        "refused": [
            {"name": show_path(os.path.basename(one.path_bytes)), "because": show_text(local(one.reason))}
            for one in outcome.refused
        ],
        "stopped": None if outcome.stopped is None else show_text(local(outcome.stopped)),
    }


def done_json(batches: Sequence[Batch], mine: Mapping[int, MadeBatch], decisions: Sequence[MadeDecision]) -> Json:
    """What was done, the last first."""
    return {
        "batches": [
            {
                "batch": batch.id,
                "when": iso(batch.started_ns),
                "files": batch.done + batch.undone + batch.kept,
                "bytes": mine[batch.id].size if batch.id in mine else None,
                "undone": batch.state is BatchState.UNDONE,
                "of_this_review": batch.id in mine,
            }
            for batch in batches
        ],
        "decisions": [
            {
                "number": made.number,
                "decision": made.kind,
                "when": iso(made.when_ns),
                "group": made.key,
                "names": [show_path(os.path.basename(path)) for path in made.paths],
                "undone": made.undone,
            }
            for made in decisions
        ],
    }


def answers_json(answer: Answer, words: Mapping[int, PictureWords]) -> Json:
    """What a search found, the most similar first. words: of the contents, by id."""
    reason = None if answer.asked.problem is None else show_text(local(answer.asked.problem))
    return {"answers": [_hit_json(hit, words) for hit in answer.hits], "reason": reason}


def _hit_json(hit: Hit, words: Mapping[int, PictureWords]) -> Json:
    return {
        **_file_json(hit.file),
        **_words_json(*words.get(hit.file.content.id, PictureWords())),
        "state": hit.file.state,
        "distance": hit.distances.get(DEFAULT_HASH),
        "relation": None if hit.relation is None else hit.relation.label,
        "why": [] if hit.turn is None else [local(hit.turn)],
    }


def found_json(found: Sequence[FoundPicture]) -> Json:
    """What a search by words found, in the form of answers_json."""
    answers = [
        {
            **_file_json(one.file),
            **_words_json(one.lines, one.tags),
            "state": one.file.state,
            "distance": None,
            "relation": None,
            "why": [],
        }
        for one in found
    ]
    return {"answers": answers, "reason": None}


def difference_json(found: Explanation) -> Json:
    """Where the second picture differs from the first, as rectangles in pixels of the first, and why."""
    side = found.a
    areas: list[tuple[int, int, int, int]] = []
    if found.blocks is not None and found.fit is not None:
        areas = _areas(found.blocks, found.fit.overlap_a, side.width, side.height)
    return {
        "width": side.width,
        "height": side.height,
        "areas": areas,
        "says": [show_text(local(found.reason))],
        "relation": found.relation.label,
    }


def _areas(blocks: Blocks, overlap: Box, width: int, height: int) -> list[tuple[int, int, int, int]]:
    """x, y, width and height of the parts that differ: runs of blocks in a row, joined with equal runs below them."""
    left, top, right, bottom = overlap[0] * width, overlap[1] * height, overlap[2] * width, overlap[3] * height
    rows, columns = len(blocks.difference), len(blocks.difference[0])
    xs = [round(left + (right - left) * column / columns) for column in range(columns + 1)]
    ys = [round(top + (bottom - top) * row / rows) for row in range(rows + 1)]
    found: list[tuple[int, int, int, int]] = []
    open_runs: dict[tuple[int, int], int] = {}
    """Run of columns -> the row in which it began."""
    for row in range(rows + 1):
        runs = set() if row == rows else _runs(blocks, row)
        for run in open_runs.keys() - runs:
            begun = open_runs.pop(run)
            found.append((xs[run[0]], ys[begun], xs[run[1]] - xs[run[0]], ys[row] - ys[begun]))
        for run in runs:
            open_runs.setdefault(run, row)
    return sorted(found)


def _runs(blocks: Blocks, row: int) -> set[tuple[int, int]]:
    """Runs of blocks that differ in a row, as (first column, column after the last)."""
    marks = [
        both or difference > DIFFERS
        for difference, both in zip(blocks.difference[row], blocks.both_show[row], strict=True)
    ]
    edges = [
        place for place, (one, other) in enumerate(zip([False, *marks], [*marks, False], strict=True)) if one != other
    ]
    return set(zip(edges[::2], edges[1::2], strict=True))
