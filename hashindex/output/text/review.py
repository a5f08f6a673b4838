"""Where the page of hashindex review is."""

from typing import Literal, TypedDict

from hashindex.output.text.common import json_line


class ReviewJson(TypedDict):
    """The page is ready."""

    event: Literal["ready"]
    address: str
    """Where it is; good for one visit."""


def ready_json(address: str) -> str:
    return json_line(ReviewJson(event="ready", address=address))
