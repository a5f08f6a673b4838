"""The result of hashindex backup."""

import os

from hashindex.core.language import sentence
from hashindex.output.text.common import json_line, show_bytes, show_path


def backup_json(file: os.PathLike[str], size: int) -> str:
    return json_line({"event": "summary", "file": os.fspath(file), "bytes": size})


def backup_text(file: os.PathLike[str], size: int) -> str:
    return sentence("Wrote {file} ({size}).", file=show_path(os.fsencode(file)), size=show_bytes(size))
