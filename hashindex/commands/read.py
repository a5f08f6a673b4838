"""hashindex read."""

import time
from collections.abc import Sequence
from typing import Annotated

import typer

from hashindex.commands.command import HAD_PROBLEMS, command
from hashindex.commands.problem_lines import ProblemLines
from hashindex.commands.session import Session, session_of
from hashindex.core.words import ReadPicture, ReadSummary
from hashindex.output import progress
from hashindex.output.text.problems import ProblemJson
from hashindex.output.text.read import (
    ReadPictureJson,
    ReadSummaryJson,
    read_json,
    read_picture_json,
    read_picture_text,
    read_text,
)
from hashindex.output.text.tags import tagged_by_rules_text


@command(
    "hashindex read                          # every picture that was not read yet",
    "hashindex read ~/QQ/Pic --workers 1",
    "hashindex read --json | jq -r '.lines[]?.text'",
    lines=(ProblemJson, ReadPictureJson, ReadSummaryJson),
    limits=True,
)
def read(
    ctx: typer.Context,
    folders: Annotated[
        list[str] | None, typer.Argument(metavar="FOLDER", help="Scanned folders to read. [default: all]")
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Processes that read, of low priority. [default: one per processor]"),
    ] = None,
) -> None:
    """Read the words in pictures, such as the captions of stickers, so that hashindex find finds them.

    Needs the extra text (Chinese and English). Nothing is downloaded. Each picture is read once, which takes 0.1 to 0.3
    seconds of processor time; copies take the words of the copy that was read. After Ctrl-C the work done so far is
    kept, and the next run continues. With -v the words of each picture are shown.
    """
    session = session_of(ctx)
    summary = read_and_sum_up(session, folders or (), workers or session.settings.workers)
    if summary.problems:
        raise typer.Exit(HAD_PROBLEMS)


def read_and_sum_up(session: Session, folders: Sequence[str | bytes], workers: int | None) -> ReadSummary:
    """Reads the pictures in or below these folders, or all, and shows progress, problems and the counts."""
    problems = ProblemLines(session, folders)

    def on_read(picture: ReadPicture) -> None:
        if session.json:
            print(read_picture_json(picture))
        elif session.verbose and picture.lines:
            session.say(read_picture_text(picture))

    began = time.monotonic()
    with progress.counted(session.progress, progress.READING_WORDS) as on_progress:
        summary = session.index.read(
            folders,
            limits=session.limits(),
            workers=workers,
            on_read=on_read,
            on_problem=problems.show,
            on_progress=on_progress,
        )
    problems.end()
    if session.settings.tags:
        # Rules may name words.
        tagged = session.index.tag_by_rules(session.settings.tags)
        if session.verbose:
            session.say(tagged_by_rules_text(tagged))
    session.sum_up(read_json(summary), read_text(summary, time.monotonic() - began))
    return summary
