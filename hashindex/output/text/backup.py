"""The result of hashindex backup."""

import os
from typing import Literal, TypedDict

from hashindex.core.language import sentence
from hashindex.output.text.common import JsonPath, json_line, show_bytes, show_path


class BackupJson(TypedDict):
    """The copy that was written."""

    event: Literal["summary"]
    file: JsonPath
    """The copy."""
    bytes: int
    """Size of the copy."""


def backup_json(file: os.PathLike[str], size: int) -> str:
    return json_line(BackupJson(event="summary", file=os.fspath(file), bytes=size))


def backup_text(file: os.PathLike[str], size: int) -> str:
    return sentence("Wrote {file} ({size}).", file=show_path(os.fsencode(file)), size=show_bytes(size))
