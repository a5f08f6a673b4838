"""What the catalogue holds, and the state of the daemon."""

import os
from pathlib import Path
from typing import Literal, TypedDict

from hashindex.core.dates import iso, local_minute
from hashindex.core.language import N_, N_plural, local, plural, sentence
from hashindex.core.model import RootStatus, Status
from hashindex.core.watch_events import DaemonStatus, WatchedRoot
from hashindex.output.text.common import (
    JsonPath,
    JsonTime,
    json_line,
    listed,
    show_bytes,
    show_message,
    show_path,
    show_pictures,
)
from hashindex.output.text.terminal import PLAIN, Terminal, padded

FIELD = 11
"""Columns of the labels."""


class StatesJson(TypedDict):
    """Files by state."""

    present: int
    """Pictures that are there."""
    missing: int
    """Pictures that are gone."""
    other: int
    """Files that are no pictures."""
    problems: int
    """Files that could not be read, or not completely."""


class PairsJson(TypedDict):
    """Pairs of pictures by verdict."""

    copies: int
    """Copies."""
    variants: int
    """Variants."""
    waiting: int
    """Pairs without a verdict, which the next scan judges."""
    waiting_variants: int
    """Pairs that are judged when variants are asked for."""


class RootJson(TypedDict):
    """A folder that is scanned."""

    path: JsonPath
    """Of the folder."""
    files: int
    """Present pictures below it."""
    scanned_at: JsonTime | None
    """When it was last scanned completely; null if never."""


class DestinationJson(TypedDict):
    """A folder in which organize placed pictures."""

    path: JsonPath
    """Of the folder."""
    files: int
    """Present pictures below it."""


class WatchedRootJson(TypedDict):
    """How hashindex watch follows a folder."""

    path: JsonPath
    """Of the folder."""
    how: str
    """"events"; "sweeping", if events are missing; or "away"."""
    why: str | None
    """A sentence; null if it follows the folder by events."""


class DaemonJson(TypedDict):
    """The state of hashindex watch when it last wrote it."""

    alive: bool
    """Whether it runs."""
    doing: str
    """"starting", "sweeping", "reading", "organizing", "waiting" (for the catalogue) or "watching"; if it has ended:
    "stopped", "failed" or "killed"."""
    pid: int
    """Its process."""
    host: str
    """The machine on which it runs."""
    started_at: JsonTime
    """When it began."""
    written_at: JsonTime
    """When this state was written."""
    swept_at: JsonTime | None
    """When all folders were last compared with the catalogue."""
    queue: int
    """Changed files that are not in the catalogue yet."""
    roots: list[WatchedRootJson]
    """The folders that it follows."""
    counts: dict[str, int]
    """Events by name, and errors, since the start."""
    last_error: str | None
    """The last trouble that it reported."""
    failed: str | None
    """The error that ended it."""
    organized_at: JsonTime | None
    """When it last organized."""
    organizes_at: JsonTime | None
    """When it organizes next."""


class StatusJson(TypedDict):
    """What the catalogue holds."""

    event: Literal["status"]
    catalogue: JsonPath
    """The file of the catalogue."""
    catalogue_bytes: int
    """Its size."""
    settings: JsonPath
    """The settings file, which need not exist."""
    states: StatesJson
    """Files by state."""
    superseded: int
    """Present files that are smaller or unfinished renditions of another one."""
    formats: dict[str, int]
    """Present files by format, commonest first."""
    contents: int
    """Distinct pictures."""
    blank: int
    """Contents with too little detail to be compared by hash."""
    outdated: int
    """Contents whose hashes are of an older version."""
    hashes: dict[str, int]
    """Contents by hash and version, as in "phash v1"."""
    pairs: PairsJson
    """Pairs of pictures by verdict."""
    roots: list[RootJson]
    """Folders that are scanned."""
    destinations: list[DestinationJson]
    """Folders in which organize placed pictures."""
    daemon: DaemonJson | None
    """Null if hashindex watch never ran with this catalogue."""


def status_json(status: Status, settings: Path) -> str:
    return json_line(
        StatusJson(
            event="status",
            catalogue=status.catalogue,
            catalogue_bytes=status.bytes,
            settings=str(settings),
            states=StatesJson(
                present=status.present, missing=status.missing, other=status.other, problems=status.problems
            ),
            superseded=status.superseded,
            formats=status.formats,
            contents=status.contents,
            blank=status.blank,
            outdated=status.outdated,
            hashes=status.recipes,
            pairs=PairsJson(
                copies=status.copies,
                variants=status.variants,
                waiting=status.waiting,
                waiting_variants=status.waiting_variants,
            ),
            roots=[
                RootJson(path=root.path, files=root.files, scanned_at=iso(root.scanned_ns)) for root in status.roots
            ],
            destinations=[DestinationJson(path=each.path, files=each.pictures) for each in status.destinations],
            daemon=daemon_json(status.daemon),
        )
    )


def status_text(status: Status, settings: Path, terminal: Terminal = PLAIN) -> str:
    """settings: the path of the settings file, which may be missing. The labels are bold on a terminal."""

    def field(label: str, text: str) -> str:
        return f"{terminal.style(padded(label, FIELD), 'bold')}{text}"

    size = show_bytes(status.bytes)
    catalogue = sentence("{path} ({size})", path=show_path(os.fsencode(status.catalogue)), size=size)
    settings_file = show_path(os.fsencode(settings))
    if not settings.exists():
        settings_file = sentence("{path} (does not exist)", path=settings_file)
    lines = [
        field(sentence("Catalogue"), catalogue),
        field(sentence("Settings"), settings_file),
        field(sentence("Pictures"), _pictures_text(status)),
    ]
    others = _others(status)
    if others:
        lines.append(field(sentence("Others"), sentence("; ").join(others)))
    if status.superseded:
        families = plural(
            status.superseded,
            "{count} thumbnail or unfinished copy of pictures that are present: not grouped, searched or organized",
            "{count} thumbnails or unfinished copies of pictures that are present: not grouped, searched or organized",
        )
        lines.append(field(sentence("Families"), families))
    if status.copies or status.variants or status.waiting or status.waiting_variants:
        lines.append(field(sentence("Compared"), _compared_text(status)))
    if status.outdated:
        outdated = plural(
            status.outdated,
            "{count} picture with hashes of an older version; run: hashindex scan",
            "{count} pictures with hashes of an older version; run: hashindex scan",
        )
        lines.append(field(sentence("Outdated"), outdated))
    if status.formats:
        formats = listed(f"{name} {number:,}" for name, number in status.formats.items())
        lines.append(field(sentence("Formats"), formats))
    lines += [field(sentence("Root"), _scanned_text(root)) for root in status.roots]
    for path, pictures in status.destinations:
        organized = sentence("{path}: {pictures}, in no group", path=show_path(path), pictures=show_pictures(pictures))
        lines.append(field(sentence("Organized"), organized))
    watching, *more = daemon_text(status.daemon)
    lines.append(field(sentence("Watching"), watching))
    return "\n".join([*lines, *(f"{'':{FIELD}}{line}" for line in more)])


def _pictures_text(status: Status) -> str:
    files = [plural(status.present, "{count} present", "{count} present")]
    if status.missing:
        files.append(plural(status.missing, "{count} gone", "{count} gone"))
    if not status.contents:
        return listed(files)
    contents = [plural(status.contents, "{count} different content", "{count} different contents")]
    if status.blank:
        blank = plural(
            status.blank, "{count} with too little detail to compare", "{count} with too little detail to compare"
        )
        contents.append(blank)
    return sentence("; ").join([listed(files), listed(contents)])


def _others(status: Status) -> list[str]:
    others = []
    if status.other:
        others.append(plural(status.other, "{count} file that is not a picture", "{count} files that are not pictures"))
    if status.problems:
        others.append(
            plural(status.problems, "{count} problem (hashindex problems)", "{count} problems (hashindex problems)")
        )
    return others


def _compared_text(status: Status) -> str:
    copies = plural(status.copies, "{count} copy pair", "{count} copy pairs")
    variants = plural(status.variants, "{count} variant pair", "{count} variant pairs")
    pairs = [text for text, count in ((copies, status.copies), (variants, status.variants)) if count]
    parts = [listed(pairs)] if pairs else []
    if status.waiting:
        parts.append(plural(status.waiting, "{count} pair still to compare", "{count} pairs still to compare"))
    if status.waiting_variants:
        later = plural(
            status.waiting_variants,
            "{count} pair to compare when similar pictures are asked for",
            "{count} pairs to compare when similar pictures are asked for",
        )
        parts.append(later)
    return sentence("; ").join(parts)


def _scanned_text(root: RootStatus) -> str:
    path, pictures = show_path(root.path_bytes), show_pictures(root.files)
    if root.scanned_ns is None:
        return sentence("{path}: {pictures}, scan was interrupted; run: hashindex scan", path=path, pictures=pictures)
    time = local_minute(root.scanned_ns)
    return sentence("{path}: {pictures}, scanned {time}", path=path, pictures=pictures, time=time)


def daemon_json(daemon: DaemonStatus | None) -> DaemonJson | None:
    """The field "daemon" of hashindex status --json."""
    if daemon is None:
        return None
    return DaemonJson(
        alive=daemon.alive,
        doing=daemon.doing,
        pid=daemon.pid,
        host=daemon.host,
        started_at=iso(daemon.started_ns),
        written_at=iso(daemon.written_ns),
        swept_at=iso(daemon.swept_ns),
        queue=daemon.queue,
        roots=[WatchedRootJson(path=root.path, how=root.how, why=root.why) for root in daemon.roots],
        counts=daemon.counts,
        last_error=daemon.last_error,
        failed=daemon.failed,
        organized_at=iso(daemon.organized_ns),
        organizes_at=iso(daemon.organizes_ns),
    )


_DOING = {
    "starting": N_("starting"),
    "sweeping": N_("sweeping"),
    "reading": N_("reading"),
    "organizing": N_("organizing"),
    "waiting": N_("waiting for the catalogue"),
    "watching": N_("watching"),
    "stopped": N_("stopped"),
    "failed": N_("failed"),
    "killed": N_("killed"),
}
"""By DaemonStatus.doing."""
_FOLLOWING = {"watching": N_("yes"), "waiting": N_("yes, waiting for the catalogue")}
"""Shorter, for a daemon that follows the folders."""
_CHANGES = {
    "new": N_plural("{count} new", "{count} new"),
    "changed": N_plural("{count} changed", "{count} changed"),
    "moved": N_plural("{count} moved", "{count} moved"),
    "removed": N_plural("{count} removed", "{count} removed"),
}
_FOLLOWED = {"events": N_("events"), "sweeping": N_("sweeping"), "away": N_("away")}
"""By WatchedRoot.how."""


def daemon_text(daemon: DaemonStatus | None) -> list[str]:
    """What hashindex watch does: the first line, and more about it."""
    if daemon is None:
        return [sentence("no; hashindex watch keeps the catalogue up to date")]
    doing = _DOING.get(daemon.doing, daemon.doing)
    if not daemon.alive:
        time = local_minute(daemon.written_ns)
        if daemon.failed is not None:
            error = show_message(daemon.failed)
            return [sentence("no; an error ended it {time}: {error}", time=time, error=error)]
        return [sentence("no; it was {doing}; last sign of it {time}", doing=local(doing), time=time)]
    doing = local(_FOLLOWING.get(daemon.doing, doing))
    counts = [plural(daemon.counts[kind], *forms) for kind, forms in _CHANGES.items() if daemon.counts.get(kind)]
    scanned = [sentence("not yet") if daemon.swept_ns is None else local_minute(daemon.swept_ns)]
    if daemon.queue:
        scanned.append(plural(daemon.queue, "{count} in the queue", "{count} in the queue"))
    running = sentence(
        "{doing}, process {pid} since {time}; last full scan {scanned}; {changes}",
        doing=doing,
        pid=daemon.pid,
        time=local_minute(daemon.started_ns),
        scanned=listed(scanned),
        changes=listed(counts) if counts else sentence("no changes"),
    )
    lines = [running]
    lines += [_root_text(root) for root in daemon.roots if root.why is not None]
    if daemon.last_error is not None:
        lines.append(sentence("last error: {error}", error=show_message(daemon.last_error)))
    if daemon.organizes_ns is not None:
        lines.append(sentence("next organize {time}", time=local_minute(daemon.organizes_ns)))
    return lines


def _root_text(root: WatchedRoot) -> str:
    how = local(_FOLLOWED.get(root.how, root.how))
    return f"{show_path(root.path_bytes)}: {how}: {show_message(root.why or '')}"
