"""Problems that a scan met."""

import os

from hashindex.core.model import Problem
from hashindex.output.text.common import json_line, show_path, show_text


def problem_json(problem: Problem) -> str:
    return json_line({"path": os.fsdecode(problem.path), "reason": problem.reason})


def problem_text(problem: Problem) -> str:
    return f"{show_path(problem.path)}: {show_text(problem.reason)}"
