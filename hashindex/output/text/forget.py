"""The result of hashindex forget."""

from hashindex.core.model import Forgotten
from hashindex.output.text.common import json_line, show_count


def forgotten_json(forgotten: Forgotten) -> str:
    pictures, others, _ = forgotten
    return json_line({"event": "summary", "forgotten": pictures + others, "pictures": pictures})


def forgotten_text(forgotten: Forgotten) -> str:
    others = f" and {show_count(forgotten.others, 'other file')}" if forgotten.others else ""
    return f"Forgot {show_count(forgotten.pictures, 'picture')}{others}; your files stay."
