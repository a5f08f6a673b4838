"""hashindex organize."""

from typing import Annotated, Any

import typer

from hashindex.commands.batch import batch_display, end_batch, show_refusals
from hashindex.commands.command import command
from hashindex.commands.options import (
    FolderOption,
    KeepersOption,
    Mode,
    NameOption,
    RestOption,
    grouping_of,
    templates_of,
)
from hashindex.commands.session import session_of
from hashindex.core.organizing import Action, Step
from hashindex.output import progress
from hashindex.output.text import organize as text
from hashindex.output.text.history import recovered_text


@command(
    "hashindex organize ~/Stickers                     # print the plan",
    "hashindex organize ~/Stickers --apply             # copy the files",
    "hashindex organize ~/Stickers --mode move --rest --apply",
    "hashindex organize ~/Best --keepers --rest --folder '{date:%Y}/{kind}' --name '{stem}'",
    "hashindex organize ~/Stickers --rest --name '{text} {number}' --folder '{tags}'",
    "hashindex organize ~/Stickers --json | jq -r .target",
    lines=(text.StepJson, text.RefusedJson, text.OrganizeSummaryJson),
    grouping=True,
    limits=True,
)
def organize(
    ctx: typer.Context,
    dest: Annotated[str, typer.Argument(metavar="DEST", help="The folder for the groups; it need not exist yet.")],
    apply: Annotated[bool, typer.Option("--apply", help="Carry out the plan; hashindex undo reverses it.")] = False,
    mode: Annotated[
        Mode, typer.Option(help="copy keeps the originals; after move, a chat client downloads or misses them.")
    ] = Mode.COPY,
    rest: RestOption = False,
    keepers: KeepersOption = False,
    name: NameOption = None,
    folder: FolderOption = None,
    again: Annotated[
        bool, typer.Option("--again", help="Also place pictures again that you deleted, moved or renamed in DEST.")
    ] = False,
    from_client_cache: Annotated[
        bool,
        typer.Option(
            "--from-client-cache", help="With --mode move: also move files out of the folders of a chat client."
        ),
    ] = False,
) -> None:
    """Put pictures into a folder, numbered by group: 00012.gif, 00012_1.jpg, and so on.

    Without --apply it prints the plan and changes nothing. The keeper gets the plain number; each file gets the
    extension of its format. Later runs only add: a new copy in group 12 becomes 00012_2, nothing in DEST is renamed or
    replaced, and a picture is placed only once. copy, hardlink and symlink place one file of each content; move places
    every file.

    Templates for --name and --folder are text with fields: {number} of the group, {copy} in it (0, 1, 2, ...),
    {_copy} ("", _1, _2, ...), {group} (the number, empty for a picture in no group), {stem} (the old name), {text} (the
    words in the picture, see hashindex read), {tags}, {date} (of the EXIF, else of the file), {modified} (of the file),
    {kind} (still or animated), {width}, {height}. {number:03} sets a width; {date:%Y-%m} takes %Y %m %d %H %M %S %y %j.
    Names are made valid for every system and unique. A template counts for new files: files in DEST keep their names
    and numbers.
    """
    session = session_of(ctx)
    grouping = grouping_of(session)
    templates = templates_of(session.settings, name, folder)
    request: dict[str, Any] = {
        **{"action": mode, "rest": rest, "keepers": keepers, "again": again, "grouping": grouping},
        **templates,
    }
    if not apply:
        with progress.comparing(session.progress) as on_progress:
            plan = session.index.plan(dest, **request, on_progress=on_progress)
        for step in plan.steps:
            session.show(text.step_json(step) if session.json else text.step_text(step))
        session.sum_up(text.plan_summary_json(plan), text.plan_summary_text(plan, rest=rest))
        for note in text.plan_notes(plan):
            session.say(note)
        return

    def on_step(step: Step) -> None:
        if session.json:
            print(text.step_json(step))
        elif session.verbose:
            session.show(text.step_text(step))

    with batch_display(session, progress.PLACING[Action(mode)]) as display:
        organized = session.index.organize(
            dest,
            **request,
            from_client_cache=from_client_cache,
            stop=display.stop,
            on_step=on_step,
            on_progress=display.on_compared,
            on_placed=display.on_placed,
        )
    for batch in organized.recovered:
        session.say(recovered_text(batch))
    plan, outcome = organized.plan, organized.outcome
    show_refusals(session, outcome)
    session.sum_up(text.organized_json(plan, outcome), text.organized_text(plan, outcome, rest=rest))
    for note in text.plan_notes(plan):
        session.say(note)
    end_batch(session, outcome)
