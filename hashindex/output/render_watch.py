"""What hashindex watch tells, as a line for a person and as a JSON line for a script. Prints nothing."""

import os

from hashindex.core.dates import iso, local_minute
from hashindex.core.watch_events import DaemonStatus, WatchedRoot, WatchEvent
from hashindex.output.render import json_line, show_path, show_text


def event_json(event: WatchEvent) -> str:
    """One line; the fields that each kind has are in docs/watch.md."""
    fields: dict[str, object] = {"event": event.kind, "time": iso(event.time_ns)}
    if event.path is not None:
        fields["path"] = os.fsdecode(event.path)
    if event.old is not None:
        fields["old"] = os.fsdecode(event.old)
    if event.relation is not None:
        fields["relation"] = event.relation
        fields["other"] = None if event.other is None else os.fsdecode(event.other)
        fields["distance"] = event.distance
        if event.other is not None:
            fields["same_bytes"] = event.same_bytes
            fields["other_gone"] = event.other_gone
    if event.message is not None:
        fields["reason" if event.kind == "problem" else "message"] = event.message
    return json_line(fields | event.numbers)


def event_text(event: WatchEvent) -> str | None:
    """None for what only a script wants to know."""
    path = "" if event.path is None else show_path(event.path)
    if event.kind == "moved":
        return f"moved    {show_path(event.old or b'')} -> {path}"
    if event.kind == "removed":
        return f"removed  {path}"
    if event.kind == "better":
        return f"better   {path}: before there was {show_path(event.old or b'')}{_relation(event)}"
    if event.relation is not None or event.kind == "back":
        return f"{event.kind:<8} {path}{_relation(event)}"
    if event.kind == "problem":
        return f"problem  {path}: {show_text(event.message or '')}"
    if event.kind == "trouble":
        return f"trouble  {show_text(event.message or '')}"
    if event.kind == "swept" and event.numbers.get("changes"):
        return f"swept    {event.numbers['files']:,} files, {event.numbers['changes']:,} changes"
    if event.kind == "organized" and event.numbers.get("placed"):
        return f"placed   {event.numbers['placed']:,} files in {path}"
    return None


def _relation(event: WatchEvent) -> str:
    if event.relation not in ("copy", "variant") or event.other is None:
        return ""
    how = "equal bytes" if event.same_bytes else "equal pixels" if event.distance is None else _bits(event.distance)
    return f": {event.relation} of {show_path(event.other)} ({how}{', gone' if event.other_gone else ''})"


def _bits(number: int) -> str:
    return f"{number} bit{'' if number == 1 else 's'} apart"


def daemon_json(daemon: DaemonStatus | None) -> dict[str, object] | None:
    """The daemon's part of hashindex status --json."""
    if daemon is None:
        return None
    return {
        "alive": daemon.alive,
        "doing": daemon.doing,
        "pid": daemon.pid,
        "host": daemon.host,
        "started": iso(daemon.started_ns),
        "written": iso(daemon.written_ns),
        "swept": iso(daemon.swept_ns),
        "queue": daemon.queue,
        "roots": [{"path": os.fsdecode(root.path), "how": root.how, "why": root.why} for root in daemon.roots],
        "counts": daemon.counts,
        "last_error": daemon.last_error,
        "failed": daemon.failed,
        "organized": iso(daemon.organized_ns),
        "organizes": iso(daemon.organizes_ns),
    }


_DOING = {"watching": "yes", "waiting": "yes, waiting for the catalogue"}


def daemon_text(daemon: DaemonStatus | None) -> list[str]:
    """The daemon's lines of hashindex status."""
    if daemon is None:
        return ["Watching   no; hashindex watch keeps the catalogue in step"]
    if not daemon.alive:
        when = local_minute(daemon.written_ns)
        if daemon.failed is not None:
            return [f"Watching   no; an error ended it {when}: {show_text(daemon.failed)}"]
        return [f"Watching   no; it was {daemon.doing}, last heard of {when}"]
    swept = "not yet" if daemon.swept_ns is None else local_minute(daemon.swept_ns)
    counts = ", ".join(
        f"{daemon.counts[kind]:,} {kind}" for kind in ("new", "changed", "moved", "removed") if daemon.counts.get(kind)
    )
    doing = _DOING.get(daemon.doing, daemon.doing)
    lines = [
        f"Watching   {doing}, process {daemon.pid} since {local_minute(daemon.started_ns)}; last swept {swept}, "
        f"{daemon.queue:,} in the queue; {counts or 'nothing happened'}"
    ]
    lines += [_root_text(root) for root in daemon.roots if root.why is not None]
    if daemon.last_error is not None:
        lines.append(f"           last trouble: {show_text(daemon.last_error)}")
    if daemon.organizes_ns is not None:
        lines.append(f"           organizes next {local_minute(daemon.organizes_ns)}")
    return lines


def _root_text(root: WatchedRoot) -> str:
    return f"           {show_path(root.path)}: {root.how}: {show_text(root.why or '')}"
