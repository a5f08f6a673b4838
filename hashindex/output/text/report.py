"""The result of hashindex report."""

import os

from hashindex.core.language import plural, sentence
from hashindex.core.model import ReportSummary
from hashindex.output.text.common import in_one_line, json_line, show_bytes, show_groups, show_path, show_pictures


def report_json(summary: ReportSummary) -> str:
    return json_line({"event": "summary", **summary._asdict(), "file": str(summary.file)})


def report_text(summary: ReportSummary) -> str:
    written = sentence(
        "Wrote {file}: {groups}, {pictures}, {size}.",
        file=show_path(os.fsencode(summary.file)),
        groups=show_groups(summary.groups),
        pictures=show_pictures(summary.pictures),
        size=show_bytes(summary.bytes),
    )
    if not summary.without_thumbnail:
        return written
    without = plural(
        summary.without_thumbnail, "{count} picture could not be shown.", "{count} pictures could not be shown."
    )
    return in_one_line([written, without])
