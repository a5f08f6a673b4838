"""Model values -> what a person reads and what a script reads. Returns text; prints nothing."""

import json
import os
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime

from hashindex.model import Answer, File, Group, Hit, Member, Plan, Problem, ScanSummary, State, Status, Step

# Characters of these kinds could move the cursor, hide text or turn it round: control, format, surrogate, private,
# unassigned, line and paragraph separators.
_NOT_PLAIN = re.compile("[\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_UNSAFE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def json_line(value: Mapping[str, object]) -> str:
    """One JSON object on one line.

    A path that is not valid UTF-8 holds \\udc80 to \\udcff for its stray bytes 0x80 to 0xff (Python's
    surrogateescape): os.fsencode(json.loads(line)["path"]) is the path on disk.
    """
    line = json.dumps(value, ensure_ascii=False)
    # What cannot be encoded, would end the line for some readers, or could steer a terminal goes as an escape.
    return json.dumps(value) if _NOT_PLAIN.search(line) else line


def show_path(path: bytes) -> str:
    """A path that is safe to print: no control character, no direction mark and no stray byte gets through.

    What is taken out shows as an escape (\\n, \\x1b, \\u202e, \\xff), and a backslash in the name as two.
    """
    return "".join(map(_show_character, os.fsdecode(path)))


def _show_character(character: str) -> str:
    if character == "\\" and os.sep != "\\":
        return "\\\\"
    if "\udc80" <= character <= "\udcff":
        return f"\\x{ord(character) - 0xDC00:02x}"
    if unicodedata.category(character) in _UNSAFE:
        if "\x80" <= character <= "\xff":
            # Not \x9b: that is how a stray byte shows.
            return f"\\u{ord(character):04x}"
        return character.encode("unicode_escape", "surrogatepass").decode("ascii")
    return character


def show_bytes(count: int) -> str:
    """1,536 -> 1.5 KB; units of 1,024 bytes."""
    if count < 1024:
        return _count(count, "byte")
    size, unit = count / 1024, "KB"
    for larger in ("MB", "GB"):
        # 1023.95 KB would show as 1024.0 KB.
        if size >= 1023.95:
            size, unit = size / 1024, larger
    return f"{size:.1f} {unit}"


def show_time(time_ns: int) -> str:
    """A stored time (UTC) in the person's own time zone."""
    return datetime.fromtimestamp(time_ns / 1e9, UTC).astimezone().strftime("%Y-%m-%d %H:%M")


def _count(number: int, one: str, many: str | None = None) -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def _picture(file: File) -> str:
    content = file.content
    words = [content.format, f"{content.width} x {content.height}"]
    if content.frames > 1:
        words.append(f"{content.frames} frames")
    return ", ".join([*words, show_bytes(file.size)])


# Scan


def scan_json(summary: ScanSummary) -> str:
    return json_line({"event": "summary", **asdict(summary)})


def scan_text(summary: ScanSummary) -> str:
    lines = [
        f"{_count(summary.files, 'file')} looked at: {summary.unchanged:,} unchanged, {summary.digested:,} read, "
        f"{summary.decoded:,} decoded, {summary.moved:,} moved, {summary.missing:,} gone, "
        f"{summary.other:,} not pictures, {_count(summary.problems, 'problem')}."
    ]
    if summary.outdated:
        lines.append(
            f"Hashes of an older version are left for {_count(summary.outdated, 'picture')}; "
            "scan the folders that hold them to replace these."
        )
    return "\n".join(lines)


# Groups


def group_json(group: Group) -> str:
    return json_line(
        {
            "id": group.id,
            "level": group.level,
            "hash": group.hash,
            "radius": group.radius,
            "widest": group.widest,
            "members": [_member(member, member is group.keeper) for member in group.members],
        }
    )


def _member(member: Member, keep: bool) -> dict[str, object]:
    content = member.file.content
    return {
        "path": os.fsdecode(member.file.path),
        "keep": keep,
        "bytes": member.file.size,
        "width": content.width,
        "height": content.height,
        "frames": content.frames,
        "format": content.format,
        "distance": member.distance,
    }


def group_text(group: Group) -> str:
    lines = [
        f"Group {group.id}: {len(group.members)} pictures, at most {_count(group.widest, 'bit')} apart ({group.hash})"
    ]
    for member in group.members:
        mark = "keep" if member is group.keeper else "-" if member.distance is None else _count(member.distance, "bit")
        lines.append(f"  {mark:>8}  {show_path(member.file.path)}  ({_picture(member.file)})")
    return "\n".join(lines)


def groups_text(groups: Iterable[Group]) -> Iterator[str]:
    """A paragraph a group, an empty line between."""
    for number, group in enumerate(groups):
        yield ("\n" if number else "") + group_text(group)


# Query


def hit_json(hit: Hit) -> str:
    return json_line(
        {
            "path": os.fsdecode(hit.file.path),
            "present": hit.file.state is State.PRESENT,
            "identical": hit.same_bytes,
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
        nearness = f"{_count(hit.distances[hash], 'bit')} apart"
    else:
        nearness = "same pixels"
    gone = "" if hit.file.state is State.PRESENT else f", gone; last seen {show_time(hit.file.last_seen_ns)}"
    return f"{nearness:>13}  {show_path(hit.file.path)}  ({_picture(hit.file)}{gone})"


def answer_notes(answer: Answer) -> Iterator[str]:
    """What a person should know beside the hits."""
    if answer.blank:
        yield "This picture has too little detail to be compared by hash: only files with equal pixels are shown."
    if answer.asked.problem is not None:
        yield f"The picture was read only in part: {answer.asked.problem}."
    if answer.unreachable:
        yield f"{_count(answer.unreachable, 'picture')} with older hashes were left out; run: hashindex scan"


# Organize


def step_json(step: Step) -> str:
    return json_line(
        {
            "action": step.action,
            "source": os.fsdecode(step.source),
            "target": os.fsdecode(step.target),
            "number": step.number,
            "copy": step.copy,
        }
    )


def plan_summary_json(plan: Plan) -> str:
    return json_line({"event": "summary", **_plan_counts(plan), "applied": False, "batch": None})


def step_text(step: Step) -> str:
    return f"{step.action}  {show_path(step.source)}  ->  {show_path(step.target)}"


def plan_summary_text(plan: Plan) -> str:
    counts = ", ".join(f"{name} {number:,}" for name, number in _plan_counts(plan).items())
    return f"{counts}. This is a plan of {_count(len(plan.steps), 'step')}; nothing was changed."


def _plan_counts(plan: Plan) -> dict[str, int]:
    return {
        "pictures": plan.pictures,
        "groups": plan.groups,
        "grouped": plan.grouped,
        "remaining": plan.remaining,
    }


# Status and problems


def status_json(status: Status) -> str:
    return json_line(
        {
            "catalogue": status.catalogue,
            "catalogue_bytes": status.bytes,
            "states": {
                "present": status.present,
                "missing": status.missing,
                "other": status.other,
                "problems": status.problems,
            },
            "formats": status.formats,
            "contents": status.contents,
            "blank": status.blank,
            "outdated": status.outdated,
            "hashes": status.recipes,
            "roots": [
                {
                    "path": os.fsdecode(root.path),
                    "files": root.files,
                    "scanned": None
                    if root.scanned_ns is None
                    else datetime.fromtimestamp(root.scanned_ns / 1e9, UTC).isoformat(timespec="seconds"),
                }
                for root in status.roots
            ],
        }
    )


def status_text(status: Status) -> str:
    lines = [
        f"Catalogue  {show_path(os.fsencode(status.catalogue))} ({show_bytes(status.bytes)})",
        f"Pictures   {status.present:,} present, {status.missing:,} gone; "
        f"{_count(status.contents, 'different content')}, {status.blank:,} with too little detail to compare",
        f"Others     {_count(status.other, 'file')} that are not pictures; "
        f"{_count(status.problems, 'problem')} (hashindex problems)",
    ]
    if status.outdated:
        lines.append(
            f"Outdated   {_count(status.outdated, 'picture')} with hashes of an older version; run: hashindex scan"
        )
    if status.formats:
        lines.append("Formats    " + ", ".join(f"{name} {number:,}" for name, number in status.formats.items()))
    for root in status.roots:
        when = "never to the end" if root.scanned_ns is None else show_time(root.scanned_ns)
        lines.append(f"Root       {show_path(root.path)}: {_count(root.files, 'picture')}, scanned {when}")
    return "\n".join(lines)


def problem_json(problem: Problem) -> str:
    return json_line({"path": os.fsdecode(problem.path), "reason": problem.reason})


def problem_text(problem: Problem) -> str:
    return f"{show_path(problem.path)}: {problem.reason}"
