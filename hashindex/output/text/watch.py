"""Events of hashindex watch, one line each."""

from typing import Literal, NotRequired, TypedDict, cast

from hashindex.core.dates import iso
from hashindex.core.language import N_, local, plural, sentence
from hashindex.core.watch_events import WatchEvent
from hashindex.output.text.common import JsonPath, JsonTime, json_line, listed, show_message, show_path
from hashindex.output.text.terminal import padded

_KINDS = {
    "new": N_("new"),
    "better": N_("better"),
    "changed": N_("changed"),
    "moved": N_("moved"),
    "removed": N_("removed"),
    "back": N_("back"),
    "compared": N_("compared"),
    "problem": N_("problem"),
    "trouble": N_("trouble"),
    "swept": N_("swept"),
    "organized": N_("placed"),
    "deduped": N_("removed"),
}
"""The label of each kind of event."""


class WatchEventJson(TypedDict):
    """One event of hashindex watch. docs/watch.md says which keys each kind has."""

    event: Literal[
        "new", "better", "changed", "moved", "removed", "back", "compared", "problem",
        "watching", "swept", "organized", "deduped", "trouble", "stopped",
    ]  # fmt: skip
    time: JsonTime
    """When the daemon noticed it."""
    path: NotRequired[JsonPath]
    """The file, or the destination of organize."""
    old: NotRequired[JsonPath]
    """Its former path, or the file whose place the better rendition takes."""
    relation: NotRequired[Literal["new", "copy", "variant"]]
    """To the other pictures."""
    other: NotRequired[JsonPath | None]
    """The picture that it is a copy or variant of."""
    distance: NotRequired[int | None]
    """Bits between the two by the default hash; null if equal pixels decided."""
    same_bytes: NotRequired[bool]
    """Whether the two have the same bytes."""
    other_gone: NotRequired[bool]
    """Whether the other picture is gone."""
    reason: NotRequired[str]
    """Why the file cannot be read."""
    message: NotRequired[str]
    """What troubles the daemon."""
    roots: NotRequired[int]
    """Folders that are watched."""
    files: NotRequired[int]
    """Files of a sweep."""
    changes: NotRequired[int]
    """Files that a sweep found new, changed, moved or gone."""
    seconds: NotRequired[float]
    """Time of a sweep."""
    placed: NotRequired[int]
    """Files that organize placed."""
    removed: NotRequired[int]
    """Copies that dedupe removed."""
    refused: NotRequired[int]
    """Files that organize or dedupe left where they were."""


def event_json(event: WatchEvent) -> str:
    line = cast("WatchEventJson", {"event": event.kind, "time": iso(event.time_ns), **event.numbers})
    if event.path is not None:
        line["path"] = event.path
    if event.old is not None:
        line["old"] = event.old
    if event.relation is not None:
        line["relation"] = cast("Literal['new', 'copy', 'variant']", event.relation)
        line["other"] = event.other
        line["distance"] = event.distance
        if event.other is not None:
            line["same_bytes"] = event.same_bytes
            line["other_gone"] = event.other_gone
    if event.message is not None:
        line["reason" if event.kind == "problem" else "message"] = event.message
    return json_line(line)


def event_text(event: WatchEvent) -> str | None:
    """None for events that only --json prints."""
    text = _text(event)
    return None if text is None else f"{padded(local(_KINDS[event.kind]), 8)} {text}"


def _text(event: WatchEvent) -> str | None:
    path = "" if event.path_bytes is None else show_path(event.path_bytes)
    if event.kind == "moved":
        return f"{show_path(event.old_bytes or b'')} -> {path}"
    if event.kind == "removed":
        return path
    if event.kind == "better":
        replaced = sentence("{path}: replaces {old}", path=path, old=show_path(event.old_bytes or b""))
        return f"{replaced}{_relation(event)}"
    if event.kind == "compared" and event.other_bytes is not None:
        other = show_path(event.other_bytes)
        if event.other_gone:
            other = sentence("{path} (gone)", path=other)
        return sentence("{path}: {relation} of {other}", path=path, relation=local(event.relation or ""), other=other)
    if event.relation is not None or event.kind == "back":
        return f"{path}{_relation(event)}"
    if event.kind == "problem":
        return sentence("{path}: {reason}", path=path, reason=show_message(event.message or ""))
    if event.kind == "trouble":
        return show_message(event.message or "")
    if event.kind == "swept" and event.numbers.get("changes"):
        files = plural(int(event.numbers["files"]), "{count} file", "{count} files")
        changes = plural(int(event.numbers["changes"]), "{count} change", "{count} changes")
        return listed([files, changes])
    if event.kind == "organized" and event.numbers.get("placed"):
        placed = int(event.numbers["placed"])
        return plural(placed, "{count} file in {folder}", "{count} files in {folder}", folder=path)
    if event.kind == "deduped" and event.numbers.get("removed"):
        removed = int(event.numbers["removed"])
        return plural(removed, "{count} copy, to the trash", "{count} copies, to the trash")
    return None


def _relation(event: WatchEvent) -> str:
    if event.relation not in ("copy", "variant") or event.other_bytes is None:
        return ""
    if event.same_bytes:
        how = sentence("equal bytes")
    elif event.distance is None:
        how = sentence("equal pixels")
    else:
        how = plural(event.distance, "{count} bit apart", "{count} bits apart")
    if event.other_gone:
        how = sentence("{how}, gone", how=how)
    return sentence(
        ": {relation} of {other} ({how})", relation=local(event.relation), other=show_path(event.other_bytes), how=how
    )
