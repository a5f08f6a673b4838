"""Messages and errors as JSON, which --progress json prints on standard error."""

from typing import Literal, TypedDict

from hashindex.output.text.common import json_line


class MessageJson(TypedDict):
    """A message for people, in the language of the command."""

    event: Literal["message"]
    text: str
    """One or more sentences."""


class ErrorJson(TypedDict):
    """What ended the command."""

    event: Literal["error"]
    message: str
    """A sentence, in English."""
    exit_code: int
    """The exit code of the command."""


def message_json(text: str) -> str:
    return json_line(MessageJson(event="message", text=text))


def error_json(message: str, exit_code: int) -> str:
    return json_line(ErrorJson(event="error", message=message, exit_code=exit_code))
