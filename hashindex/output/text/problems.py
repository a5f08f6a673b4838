"""Problems that a scan met."""

from typing import Literal, TypedDict

from hashindex.core.language import sentence
from hashindex.core.model import Problem
from hashindex.output.text.common import JsonPath, PathText, json_line, show_message, show_path


class ProblemJson(TypedDict):
    """A file or folder that could not be read, or not completely."""

    event: Literal["problem"]
    path: JsonPath
    """The file, folder or root."""
    reason: str
    """A sentence without its full stop."""


def problem_json(problem: Problem) -> str:
    return json_line(ProblemJson(event="problem", path=problem.path, reason=problem.reason))


def problem_text(problem: Problem, show: PathText = show_path) -> str:
    return sentence("{path}: {reason}", path=show(problem.path_bytes), reason=show_message(problem.reason))
