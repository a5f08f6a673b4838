"""Problems that a scan met."""

import os

from hashindex.core.language import sentence
from hashindex.core.model import Problem
from hashindex.output.text.common import PathText, json_line, show_message, show_path


def problem_json(problem: Problem) -> str:
    return json_line({"path": os.fsdecode(problem.path_bytes), "reason": problem.reason})


def problem_text(problem: Problem, show: PathText = show_path) -> str:
    return sentence("{path}: {reason}", path=show(problem.path_bytes), reason=show_message(problem.reason))
