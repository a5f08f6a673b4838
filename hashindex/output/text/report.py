"""The result of hashindex report."""

import os

from hashindex.core.model import ReportSummary
from hashindex.output.text.common import json_line, show_bytes, show_count, show_path


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
