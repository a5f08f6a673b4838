"""Model values -> what a person reads and what a script reads. Returns text; prints nothing."""

import json
import os
import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

import orjson

from hashindex.clients.layouts import WHAT_IT_DOES
from hashindex.core.dates import iso, local_minute
from hashindex.core.model import (
    Answer,
    Cache,
    Decision,
    File,
    Finding,
    Forgotten,
    Group,
    Hit,
    Member,
    Problem,
    ReportSummary,
    Said,
    ScanSummary,
    Severity,
    State,
    Status,
)
from hashindex.core.options import Level
from hashindex.core.organizing import Batch, Outcome, Plan, Refusal, Step
from hashindex.disk.patterns import hint
from hashindex.disk.walk import HIDDEN_MOST

# Characters of these kinds could move the cursor, hide text or turn it round: control, format, surrogate, private,
# unassigned, line and paragraph separators.
_NOT_PLAIN = re.compile(
    "[\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff"
    "\U000e0001-\U000e007f]"
)
_UNSAFE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def json_line(value: Mapping[str, object]) -> str:
    """One JSON object on one line.

    A path that is not valid UTF-8 holds \\udc80 to \\udcff for its stray bytes 0x80 to 0xff (Python's
    surrogateescape): os.fsencode(json.loads(line)["path"]) is the path on disk.
    """
    try:
        line = orjson.dumps(value).decode()
    except TypeError:
        # A stray byte, which only escapes can show.
        return _escaped(value)
    # What would end the line for some readers, or could steer a terminal, goes as an escape too.
    plain = "\x7f" not in line and (line.isascii() or not _NOT_PLAIN.search(line))
    return line if plain else _escaped(value)


def _escaped(value: Mapping[str, object]) -> str:
    return json.dumps(value, separators=(",", ":"))


def show_path(path: bytes) -> str:
    """A path that is safe to print: no control character, no direction mark and no stray byte gets through.

    What is taken out shows as an escape (\\n, \\x1b, \\u202e, \\xff), and a backslash in the name as two.
    """
    return show_text(os.fsdecode(path))


def show_text(text: str) -> str:
    """The same for a sentence that may hold a path."""
    if text.isprintable() and "\\" not in text:
        return text
    return "".join(map(_show_character, text))


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
        return show_count(count, "byte")
    size = count / 1024
    for unit in ("KB", "MB"):
        # 1023.95 KB would show as 1024.0 KB.
        if size < 1023.95:
            return f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} GB"


def show_count(number: int, one: str, many: str | None = None) -> str:
    """1 -> 1 picture, 1536 -> 1,536 pictures; many: of words that do not only add an s."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def _picture(file: File) -> str:
    content = file.content
    frames = f", {content.frames} {'pages' if content.format == 'tiff' else 'frames'}" if content.frames > 1 else ""
    return f"{content.format}, {content.width} x {content.height}{frames}, {show_bytes(file.size)}"


# Scan


def scan_json(summary: ScanSummary) -> str:
    return json_line({"event": "summary", **summary._asdict()})


def scan_text(summary: ScanSummary) -> str:
    lines = [
        f"{show_count(summary.files, 'file')} looked at: {summary.unchanged:,} unchanged, {summary.digested:,} read, "
        f"{summary.decoded:,} decoded, {summary.moved:,} moved, {summary.missing:,} gone, "
        f"{summary.other:,} not pictures, {show_count(summary.problems, 'problem')}{_hidden_text(summary.hidden)}."
    ]
    if summary.outdated:
        lines.append(
            f"Hashes of an older version are left for {show_count(summary.outdated, 'picture')}; "
            "scan the folders that hold them to replace these."
        )
    return "\n".join(lines)


def _hidden_text(hidden: int) -> str:
    """Counted up to a limit, see walk.HIDDEN_MOST."""
    if not hidden:
        return ""
    more = " or more" if hidden >= HIDDEN_MOST else ""
    return f"; {hidden:,}{more} hidden left out (--hidden takes them)"


def unmatched_text(where: str, pattern: str) -> str:
    """where: the option that gave the pattern."""
    return f"{where} {show_text(repr(pattern))} matched nothing{hint(pattern)}."


def forgotten_json(forgotten: Forgotten) -> str:
    pictures, others, _ = forgotten
    return json_line({"event": "summary", "forgotten": pictures + others, "pictures": pictures})


def forgotten_text(forgotten: Forgotten) -> str:
    others = f" and {show_count(forgotten.others, 'other file')}" if forgotten.others else ""
    return f"Forgot {show_count(forgotten.pictures, 'picture')}{others}; the files themselves stay."


# Groups


def group_json(group: Group) -> str:
    return json_line(
        {
            "id": group.id,
            "level": group.level,
            "hash": group.hash,
            "radius": group.radius,
            "widest": group.widest,
            "why": group.why,
            "agreed": group.agreed,
            **({} if group.doubt is None else {"doubt": group.doubt}),
            "members": [_member(member, member is group.keeper) for member in group.members],
            "weak_links": [
                {"path": os.fsdecode(link.path), "other": os.fsdecode(link.other), "chance": link.chance}
                for link in group.weak_links
            ],
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
        **({} if member.relation is None else {"relation": member.relation}),
        **({"faults": list(member.faults)} if member.faults else {}),
    }


def group_text(group: Group) -> str:
    count = f"Group {group.id}: {len(group.members)} pictures"
    lines = [
        f"{count}, at most {show_count(group.widest, 'bit')} apart ({group.hash})"
        if group.level is Level.RADIUS
        else count
    ]
    marks = ["keep", *map(_mark, group.members[1:])]
    wide = max(8, *map(len, marks))
    for mark, member in zip(marks, group.members, strict=True):
        file = member.file
        lines.append(f"  {mark.rjust(wide)}  {show_path(file.path)}  ({_picture(file)})")
    if group.why:
        lines.append(f"  {group.why}")
    if group.doubt is not None:
        lines.append(f"  look first: {group.doubt}")
    for link in group.weak_links:
        lines.append(f"  {'not with':>{wide}}  {show_path(link.other)}, though {show_path(link.path)} is like it")
    return "\n".join(lines)


def _mark(member: Member) -> str:
    """What a member is to the keeper."""
    if member.relation is not None:
        return member.relation.label
    return "-" if member.distance is None else show_count(member.distance, "bit")


def groups_text(groups: Iterable[Group]) -> Iterator[str]:
    """A paragraph a group, an empty line between."""
    for number, group in enumerate(groups):
        yield ("\n" if number else "") + group_text(group)


# A person's words


_SAID = {True: ("same", "are one picture", "one picture"), False: ("separate", "do not belong together", "separate")}


def said_json(said: Said, same: bool) -> str:
    instead_of = _SAID[not same][0] if said.instead else None
    fields = {"event": "summary", "said": _SAID[same][0], "pairs": len(said.words), "undone": False}
    return json_line(fields | {"instead_of": instead_of})


def said_text(said: Said, pictures: Sequence[str], same: bool) -> str:
    instead_of = f" (instead of: {_SAID[not same][2]})" if said.instead else ""
    return f"Noted: {_these(pictures)} {_SAID[same][1]}{instead_of}."


def taken_back_json(count: int, same: bool) -> str:
    fields = {"event": "summary", "said": _SAID[same][0], "pairs": count, "undone": True}
    return json_line(fields | {"instead_of": None})


def taken_back_text(count: int, pictures: Sequence[str], same: bool) -> str:
    if not count:
        return f"Nobody said that these {_SAID[same][1]}."
    return f"Taken back: {_these(pictures)} {_SAID[same][1]}."


def _these(pictures: Sequence[str]) -> str:
    return "these two" if len(pictures) == 2 else f"these {len(pictures):,}"


def imported_json(count: int) -> str:
    return json_line({"event": "summary", "imported": count})


def word_text(word: Decision) -> str:
    return f"{local_minute(word.said_ns)}  {'same' if word.same else 'separate':>8}  {word.a.hex()}  {word.b.hex()}"


# Query


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
    what = "-" if hit.relation is None else hit.relation.label
    if hit.turn is not None:
        nearness = hit.turn
    return f"{what:>9}  {nearness:>12}  {show_path(hit.file.path)}  ({_picture(hit.file)}{gone})"


def answer_notes(answer: Answer) -> Iterator[str]:
    """What a person should know beside the hits."""
    if answer.blank:
        yield "This picture has too little detail to be compared by hash: only files with equal pixels are shown."
    if answer.asked.problem is not None:
        yield f"The picture was read only in part: {answer.asked.problem}."
    if answer.unreachable:
        yield f"{show_count(answer.unreachable, 'picture')} with older hashes were left out; run: hashindex scan"


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
    return f"{_counts_text(plan)}. This is a plan of {show_count(len(plan.steps), 'step')}; nothing was changed."


def plan_notes(plan: Plan) -> Iterator[str]:
    """What a person should know beside the steps."""
    for owner, count in plan.from_clients:
        come = show_count(count, "file comes", "files come")
        yield f"{come} out of the folders of {owner} itself, with --from-client-cache only: {WHAT_IT_DOES[owner]}."
    if plan.twice:
        yield (
            f"{show_count(plan.twice, 'file')} to be moved "
            f"{'is' if plan.twice == 1 else 'are'} in {show_path(plan.dest)} already, byte for byte, and will be there "
            "twice. If an earlier run copied them: hashindex undo takes the copies away, then move."
        )
    if plan.masked:
        yield (
            f"{show_count(plan.masked, 'picture')} that WeChat masked (.dat) can only be copied, "
            "which takes the mask off: left out here, placed by --mode copy."
        )
    for numbers in plan.joined:
        shown = ", ".join(f"{number:05d}" for number in numbers)
        yield f"A new picture belongs to {shown} alike: it goes to {numbers[0]:05d}, and all keep their numbers."
    for number, near in plan.neighbours:
        yield f"{number:05d} is a variant of {', '.join(f'{other:05d}' for other in near)}, which were placed before."
    if plan.withheld:
        yield (
            f"{show_count(plan.withheld, 'picture')} placed before and since deleted, moved or renamed there "
            f"{'is' if plan.withheld == 1 else 'are'} not placed again; --again does."
        )


def organized_note(pictures: int) -> str:
    """Where nothing is found because all of it is organized."""
    what = show_count(pictures, "picture is", "pictures are")
    return f"{what} organized already (hashindex status says where); what lies there is in no group."


def organized_json(plan: Plan, outcome: Outcome) -> str:
    summary = {"event": "summary", **_plan_counts(plan), "applied": True, "batch": outcome.batch}
    return json_line({**summary, "placed": outcome.done, "refused": len(outcome.refused), "stopped": outcome.stopped})


def organized_text(plan: Plan, outcome: Outcome) -> str:
    if outcome.batch is None:
        return f"{_counts_text(plan)}. Nothing new to place."
    return f"{_counts_text(plan)}. Placed {outcome.done:,} in batch {outcome.batch}; hashindex undo takes it back."


def stopped_text(outcome: Outcome) -> str:
    return f"it stopped early, after {show_count(outcome.done, 'file')}: {outcome.stopped}. What was done is in order."


def refusal_json(refusal: Refusal) -> str:
    return json_line({"event": "refused", "path": os.fsdecode(refusal.path), "reason": refusal.reason})


def refusal_text(refusal: Refusal) -> str:
    return f"{show_path(refusal.path)}: {show_text(refusal.reason)}"


def undone_json(outcome: Outcome) -> str:
    return json_line(
        {
            "event": "summary",
            "batch": outcome.batch,
            "undone": outcome.done,
            "refused": len(outcome.refused),
            "stopped": outcome.stopped,
        }
    )


def undone_text(outcome: Outcome) -> str:
    left = ""
    if outcome.refused:
        left = f"; {show_count(len(outcome.refused), 'file left as it was', 'files left as they were')}"
    return f"Took back {show_count(outcome.done, 'file')} of batch {outcome.batch}{left}."


def batch_json(batch: Batch) -> str:
    return json_line(
        {
            "batch": batch.id,
            "dest": os.fsdecode(batch.dest),
            "mode": batch.action,
            "state": batch.state,
            "started": iso(batch.started_ns),
            "finished": iso(batch.finished_ns),
            "placed": batch.done,
            "skipped": batch.skipped,
            "undone": batch.undone,
            "kept": batch.kept,
            **({} if batch.trouble is None else {"trouble": batch.trouble}),
        }
    )


def batch_text(batch: Batch) -> str:
    counts = {"placed": batch.done, "skipped": batch.skipped, "taken back": batch.undone, "kept": batch.kept}
    shown = ", ".join(f"{number:,} {what}" for what, number in counts.items() if number) or "nothing placed"
    when = local_minute(batch.started_ns)
    return f"{batch.id:4}  {when}  {batch.action}  {show_path(batch.dest)}  {shown} ({batch.state})"


def recovered_text(batch: Batch) -> str:
    if batch.trouble is not None:
        return f"Batch {batch.id} was cut off and stays open: {show_text(batch.trouble)}."
    return f"Ended batch {batch.id}, which was cut off: {batch_text(batch).strip()}"


def _counts_text(plan: Plan) -> str:
    return ", ".join(f"{name} {number:,}" for name, number in _plan_counts(plan).items())


def _plan_counts(plan: Plan) -> dict[str, int]:
    return {
        "pictures": plan.pictures,
        "groups": plan.groups,
        "grouped": plan.grouped,
        "remaining": plan.remaining,
    }


# Report


def report_json(summary: ReportSummary) -> str:
    return json_line({"event": "summary", **summary._asdict(), "file": str(summary.file)})


def report_text(summary: ReportSummary) -> str:
    without = ""
    if summary.without_thumbnail:
        without = f"; {show_count(summary.without_thumbnail, 'picture')} could not be shown"
    return (
        f"Wrote {show_path(os.fsencode(summary.file))}: {show_count(summary.groups, 'group')}, "
        f"{show_count(summary.pictures, 'picture')}, {show_bytes(summary.bytes)}{without}."
    )


# Caches of chat clients


def cache_json(cache: Cache) -> str:
    return json_line(
        {
            "clients": list(cache.clients),
            "name": cache.name,
            "account": cache.account,
            "folder": os.fsdecode(cache.folder),
            "pictures": [os.fsdecode(path) for path in cache.pictures],
            "files": cache.files,
            "more": cache.more,
            "unreadable": list(cache.unreadable),
        }
    )


def cache_text(cache: Cache) -> str:
    account = f", account {show_text(cache.account)}" if cache.account else ""
    asked = " or ".join(f"--client {client}" for client in cache.clients)
    lines = [f"{cache.name}{account}  ({asked})", f"  folder    {show_path(cache.folder)}"]
    if cache.pictures:
        count = show_count(cache.files, "file")
        lines.append(f"  pictures  {'more than' if cache.more else 'about'} {count} in")
        lines += [f"            {show_path(path)}" for path in cache.pictures]
    lines += [f"  not read  {show_text(reason)}" for reason in cache.unreadable]
    return "\n".join(lines)


def caches_text(caches: Iterable[Cache]) -> Iterator[str]:
    """A paragraph a cache, an empty line between."""
    for number, cache in enumerate(caches):
        yield ("\n" if number else "") + cache_text(cache)


# Doctor


def finding_json(finding: Finding) -> str:
    return json_line(finding._asdict())


def finding_text(finding: Finding) -> str:
    line = f"{finding.severity:>8}  {finding.check:<11}  {show_text(finding.says)}"
    return f"{line}\n{'':>10}{'':<13}-> {show_text(finding.way_out)}" if finding.way_out else line


def findings_text(findings: Collection[Finding]) -> str:
    """The last line: how many of what kind."""
    notes = sum(finding.severity is Severity.NOTE for finding in findings)
    problems = sum(finding.severity is Severity.PROBLEM for finding in findings)
    return f"{show_count(len(findings), 'finding')}: {show_count(problems, 'problem')}, {show_count(notes, 'note')}."


def backup_json(file: os.PathLike[str], size: int) -> str:
    return json_line({"event": "summary", "file": os.fspath(file), "bytes": size})


def backup_text(file: os.PathLike[str], size: int) -> str:
    return f"Wrote {show_path(os.fsencode(file))} ({show_bytes(size)})."


# Status and problems


def status_json(status: Status, daemon: Mapping[str, object] | None = None) -> str:
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
            "lesser": status.lesser,
            "formats": status.formats,
            "contents": status.contents,
            "blank": status.blank,
            "outdated": status.outdated,
            "hashes": status.recipes,
            "pairs": {"copies": status.copies, "variants": status.variants, "waiting": status.waiting},
            "roots": [
                {
                    "path": os.fsdecode(root.path),
                    "files": root.files,
                    "scanned": iso(root.scanned_ns),
                }
                for root in status.roots
            ],
            "destinations": [{"path": os.fsdecode(path), "files": pictures} for path, pictures in status.destinations],
            "daemon": daemon,
        }
    )


def status_text(status: Status) -> str:
    lines = [
        f"Catalogue  {show_path(os.fsencode(status.catalogue))} ({show_bytes(status.bytes)})",
        f"Pictures   {status.present:,} present, {status.missing:,} gone; "
        f"{show_count(status.contents, 'different content')}, {status.blank:,} with too little detail to compare",
        f"Others     {show_count(status.other, 'file that is not a picture', 'files that are not pictures')}; "
        f"{show_count(status.problems, 'problem')} (hashindex problems)",
    ]
    if status.lesser:
        lines.append(
            f"Families   {show_count(status.lesser, 'thumbnail or unfinished copy', 'thumbnails or unfinished copies')}"
            " of pictures that are there: in no group, in no answer, not organized"
        )
    if status.copies or status.variants or status.waiting:
        words = f"{show_count(status.copies, 'pair')} of copies, {status.variants:,} of variants"
        lines.append(f"Judged     {words}" + (f"; {status.waiting:,} wait for a scan" if status.waiting else ""))
    if status.outdated:
        lines.append(
            f"Outdated   {show_count(status.outdated, 'picture')} with hashes of an older version; run: hashindex scan"
        )
    if status.formats:
        lines.append("Formats    " + ", ".join(f"{name} {number:,}" for name, number in status.formats.items()))
    for root in status.roots:
        when = "never to the end" if root.scanned_ns is None else local_minute(root.scanned_ns)
        lines.append(f"Root       {show_path(root.path)}: {show_count(root.files, 'picture')}, scanned {when}")
    for path, pictures in status.destinations:
        lines.append(f"Organized  {show_path(path)}: {show_count(pictures, 'picture')}, in no group")
    return "\n".join(lines)


def problem_json(problem: Problem) -> str:
    return json_line({"path": os.fsdecode(problem.path), "reason": problem.reason})


def problem_text(problem: Problem) -> str:
    return f"{show_path(problem.path)}: {show_text(problem.reason)}"
