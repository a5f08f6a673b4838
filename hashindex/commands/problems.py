"""hashindex problems."""

import typer

from hashindex.commands.command import command
from hashindex.commands.session import session_of
from hashindex.core.language import sentence
from hashindex.output.text.problems import ProblemJson, problem_json, problem_text


@command(
    "hashindex problems",
    "hashindex problems --json | jq -r .path",
    lines=(ProblemJson,),
)
def problems(ctx: typer.Context) -> None:
    """List the files and folders that could not be read, and why."""
    session = session_of(ctx)
    problems = session.index.problems()
    path_text = session.path_text()
    for problem in problems:
        session.show(problem_json(problem) if session.json else problem_text(problem, path_text))
    if not problems:
        session.say(sentence("No problems."))
