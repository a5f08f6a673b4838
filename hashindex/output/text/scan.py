"""The result of hashindex scan."""

from hashindex.core.model import ScanSummary
from hashindex.disk.patterns import hint
from hashindex.disk.walk import HIDDEN_MOST
from hashindex.output.text.common import json_line, show_count, show_text


def scan_json(summary: ScanSummary) -> str:
    return json_line({"event": "summary", **summary._asdict()})


def scan_text(summary: ScanSummary) -> str:
    lines = [
        f"Checked {show_count(summary.files, 'file')}: {summary.unchanged:,} unchanged, {summary.digested:,} read, "
        f"{summary.decoded:,} decoded, {summary.moved:,} moved, {summary.missing:,} gone, "
        f"{summary.other:,} not pictures, {show_count(summary.problems, 'problem')}{_hidden_text(summary.hidden)}."
    ]
    if summary.outdated:
        lines.append(
            f"{show_count(summary.outdated, 'picture still has', 'pictures still have')} hashes of an older version; "
            "to replace them, scan their folders."
        )
    return "\n".join(lines)


def _hidden_text(hidden: int) -> str:
    """Hidden files are counted up to walk.HIDDEN_MOST."""
    if not hidden:
        return ""
    more = " or more" if hidden >= HIDDEN_MOST else ""
    return f"; {hidden:,}{more} hidden skipped (--hidden reads them)"


def unmatched_text(where: str, pattern: str) -> str:
    """where: the option with the pattern, or the settings."""
    return f"{where} {show_text(repr(pattern))} matched nothing{hint(pattern)}."
