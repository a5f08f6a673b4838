"""Prints the problems of pictures while a command runs: on a terminal the first ones, with --json all."""

from collections.abc import Iterable

from hashindex.commands.command import SHOWN_PROBLEMS
from hashindex.commands.session import Session
from hashindex.core.model import Problem
from hashindex.core.paths import PathLike
from hashindex.disk import files
from hashindex.output.text.problems import problem_json, problem_text
from hashindex.output.text.scan import more_problems_text


class ProblemLines:
    """Give `show` as on_problem; call `end` after the last problem."""

    def __init__(self, session: Session, folders: Iterable[PathLike]) -> None:
        """folders: paths are shown relative to these too, see Session.path_text."""
        self._session = session
        self._path_text = session.path_text(*map(files.absolute, folders))
        self._count = 0

    def show(self, problem: Problem) -> None:
        """Prints a problem, if it is among the first."""
        self._count += 1
        if self._session.json:
            print(problem_json(problem))
        elif self._count <= SHOWN_PROBLEMS:
            self._session.say(problem_text(problem, self._path_text))

    def end(self) -> None:
        """Says how many were not printed."""
        if self._count > SHOWN_PROBLEMS and not self._session.json:
            self._session.say(more_problems_text(self._count - SHOWN_PROBLEMS))
