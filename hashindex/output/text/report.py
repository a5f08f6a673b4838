"""The result of hashindex report."""

import os
from typing import Literal, TypedDict

from hashindex.core.language import plural, sentence
from hashindex.core.model import ReportSummary
from hashindex.output.text.common import (
    JsonPath,
    in_one_line,
    json_line,
    show_bytes,
    show_groups,
    show_path,
    show_pictures,
)


class ReportJson(TypedDict):
    """A file that was written."""

    event: Literal["summary"]
    file: JsonPath
    """The page or the contact sheet."""
    groups: int
    """Groups on it."""
    pictures: int
    """Pictures on it."""
    without_thumbnail: int
    """Pictures of which no file could be read and shown."""
    bytes: int
    """Size of the file that was written."""


def report_json(summary: ReportSummary) -> str:
    return json_line(
        ReportJson(
            event="summary",
            file=str(summary.file),
            groups=summary.groups,
            pictures=summary.pictures,
            without_thumbnail=summary.without_thumbnail,
            bytes=summary.bytes,
        )
    )


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
