"""The result of hashindex report."""

import os

from hashindex.core.model import ReportSummary
from hashindex.output.text.common import json_line, plural, sentence, show_bytes, show_path


def report_json(summary: ReportSummary) -> str:
    return json_line({"event": "summary", **summary._asdict(), "file": str(summary.file)})


def report_text(summary: ReportSummary) -> str:
    written = sentence(
        "Wrote {file}: {groups}, {pictures}, {size}.",
        file=show_path(os.fsencode(summary.file)),
        groups=plural(summary.groups, "{count} group", "{count} groups"),
        pictures=plural(summary.pictures, "{count} picture", "{count} pictures"),
        size=show_bytes(summary.bytes),
    )
    if not summary.without_thumbnail:
        return written
    without = plural(
        summary.without_thumbnail, "{count} picture could not be shown.", "{count} pictures could not be shown."
    )
    return f"{written} {without}"
