"""The result of hashindex forget."""

from typing import Literal, TypedDict

from hashindex.core.language import plural, sentence
from hashindex.core.model import Forgotten
from hashindex.output.text.common import json_line, show_pictures


class ForgottenJson(TypedDict):
    """What was removed from the catalogue."""

    event: Literal["summary"]
    forgotten: int
    """Files, pictures or not."""
    pictures: int
    """Pictures among these files."""


def forgotten_json(forgotten: Forgotten) -> str:
    pictures, others, _ = forgotten
    return json_line(ForgottenJson(event="summary", forgotten=pictures + others, pictures=pictures))


def forgotten_text(forgotten: Forgotten) -> str:
    pictures = show_pictures(forgotten.pictures)
    if not forgotten.others:
        return sentence("Forgot {pictures}; your files stay.", pictures=pictures)
    others = plural(forgotten.others, "{count} other file", "{count} other files")
    return sentence("Forgot {pictures} and {others}; your files stay.", pictures=pictures, others=others)
