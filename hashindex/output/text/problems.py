"""Problems that a scan met."""

import os

from hashindex.core.model import Problem
from hashindex.output.text.common import PathText, json_line, show_path, show_text


def problem_json(problem: Problem) -> str:
    return json_line({"path": os.fsdecode(problem.path), "reason": problem.reason})


def problem_text(problem: Problem, show: PathText = show_path) -> str:
    return f"{show(problem.path)}: {show_text(problem.reason)}"
