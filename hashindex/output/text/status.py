"""What the catalogue holds, and the state of the daemon."""

import os
from pathlib import Path

from hashindex.core.dates import iso, local_minute
from hashindex.core.model import Status
from hashindex.core.watch_events import DaemonStatus, WatchedRoot
from hashindex.output.text.common import json_line, show_bytes, show_count, show_path, show_text


def status_json(status: Status, settings: Path) -> str:
    return json_line(
        {
            "catalogue": status.catalogue,
            "catalogue_bytes": status.bytes,
            "settings": str(settings),
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
            "pairs": {
                "copies": status.copies,
                "variants": status.variants,
                "waiting": status.waiting,
                "waiting_variants": status.waiting_variants,
            },
            "roots": [
                {
                    "path": os.fsdecode(root.path),
                    "files": root.files,
                    "scanned": iso(root.scanned_ns),
                }
                for root in status.roots
            ],
            "destinations": [{"path": os.fsdecode(path), "files": pictures} for path, pictures in status.destinations],
            "daemon": daemon_json(status.daemon),
        }
    )


def status_text(status: Status, settings: Path) -> str:
    """settings: the path of the settings file, which may be missing."""
    lines = [
        f"Catalogue  {show_path(os.fsencode(status.catalogue))} ({show_bytes(status.bytes)})",
        f"Settings   {show_path(os.fsencode(settings))}{'' if settings.exists() else ' (does not exist)'}",
        f"Pictures   {status.present:,} present, {status.missing:,} gone; "
        f"{show_count(status.contents, 'different content')}, {status.blank:,} with too little detail to compare",
        f"Others     {show_count(status.other, 'file that is not a picture', 'files that are not pictures')}; "
        f"{show_count(status.problems, 'problem')} (hashindex problems)",
    ]
    if status.lesser:
        lines.append(
            f"Families   {show_count(status.lesser, 'thumbnail or unfinished copy', 'thumbnails or unfinished copies')}"
            " of pictures that are present: not grouped, searched or organized"
        )
    if status.copies or status.variants or status.waiting or status.waiting_variants:
        waiting = f"; {show_count(status.waiting, 'pair')} still to compare" if status.waiting else ""
        if status.waiting_variants:
            waiting += f"; {show_count(status.waiting_variants, 'pair')} to compare when similar pictures are asked for"
        pairs = f"{show_count(status.copies, 'copy pair')}, {show_count(status.variants, 'variant pair')}"
        lines.append(f"Compared   {pairs}{waiting}")
    if status.outdated:
        lines.append(
            f"Outdated   {show_count(status.outdated, 'picture')} with hashes of an older version; run: hashindex scan"
        )
    if status.formats:
        lines.append("Formats    " + ", ".join(f"{name} {number:,}" for name, number in status.formats.items()))
    for root in status.roots:
        scanned = (
            "scan was interrupted; run: hashindex scan"
            if root.scanned_ns is None
            else f"scanned {local_minute(root.scanned_ns)}"
        )
        lines.append(f"Root       {show_path(root.path)}: {show_count(root.files, 'picture')}, {scanned}")
    for path, pictures in status.destinations:
        lines.append(f"Organized  {show_path(path)}: {show_count(pictures, 'picture')}, in no group")
    return "\n".join([*lines, *daemon_text(status.daemon)])


def daemon_json(daemon: DaemonStatus | None) -> dict[str, object] | None:
    """The field "daemon" of hashindex status --json."""
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
    """The lines about hashindex watch in hashindex status."""
    if daemon is None:
        return ["Watching   no; hashindex watch keeps the catalogue up to date"]
    if not daemon.alive:
        when = local_minute(daemon.written_ns)
        if daemon.failed is not None:
            return [f"Watching   no; an error ended it {when}: {show_text(daemon.failed)}"]
        return [f"Watching   no; it was {daemon.doing}; last sign of it {when}"]
    swept = "not yet" if daemon.swept_ns is None else local_minute(daemon.swept_ns)
    counts = ", ".join(
        f"{daemon.counts[kind]:,} {kind}" for kind in ("new", "changed", "moved", "removed") if daemon.counts.get(kind)
    )
    doing = _DOING.get(daemon.doing, daemon.doing)
    lines = [
        f"Watching   {doing}, process {daemon.pid} since {local_minute(daemon.started_ns)}; last full scan {swept}, "
        f"{daemon.queue:,} in the queue; {counts or 'no changes'}"
    ]
    lines += [_root_text(root) for root in daemon.roots if root.why is not None]
    if daemon.last_error is not None:
        lines.append(f"           last error: {show_text(daemon.last_error)}")
    if daemon.organizes_ns is not None:
        lines.append(f"           next organize {local_minute(daemon.organizes_ns)}")
    return lines


def _root_text(root: WatchedRoot) -> str:
    return f"           {show_path(root.path)}: {root.how}: {show_text(root.why or '')}"
