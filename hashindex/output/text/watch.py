"""Events of hashindex watch, one line each."""

import os

from hashindex.core.dates import iso
from hashindex.core.watch_events import WatchEvent
from hashindex.output.text.common import json_line, show_path, show_text


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
    """None for events that only --json prints."""
    path = "" if event.path is None else show_path(event.path)
    if event.kind == "moved":
        return f"moved    {show_path(event.old or b'')} -> {path}"
    if event.kind == "removed":
        return f"removed  {path}"
    if event.kind == "better":
        return f"better   {path}: replaces {show_path(event.old or b'')}{_relation(event)}"
    if event.kind == "compared" and event.other is not None:
        return f"compared {path}: {event.relation} of {show_path(event.other)}{' (gone)' if event.other_gone else ''}"
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
