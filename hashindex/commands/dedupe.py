"""hashindex dedupe."""

from typing import Annotated

import typer

from hashindex.commands.batch import batch_display, end_batch, show_refusals
from hashindex.commands.command import command
from hashindex.commands.options import KeepOption, WorkersOption, grouping_of
from hashindex.commands.session import Session, session_of
from hashindex.core.deduping import DedupeOptions, DedupePlan, Link, Removal
from hashindex.core.errors import UsageError
from hashindex.core.language import Message
from hashindex.core.options import Level
from hashindex.disk import files
from hashindex.output import progress
from hashindex.output.text import dedupe as text
from hashindex.output.text.history import recovered_text
from hashindex.output.text.organize import RefusedJson

TRASH = "trash"


@command(
    "hashindex dedupe                                  # print the plan",
    "hashindex dedupe --apply                          # move the copies to the trash",
    "hashindex dedupe --only ~/new --apply             # only what ~/new has that lies elsewhere too",
    "hashindex dedupe --to ~/Copies --identical --apply",
    "hashindex dedupe --json | jq -r 'select(.action).source'",
    lines=(text.RemovalJson, text.LeftJson, RefusedJson, text.DedupeSummaryJson),
    limits=True,
)
def dedupe(
    ctx: typer.Context,
    folder: Annotated[
        list[str] | None,
        typer.Argument(metavar="FOLDER", help="Compare only pictures below these folders. [default: all scanned]"),
    ] = None,
    apply: Annotated[bool, typer.Option("--apply", help="Carry out the plan; hashindex undo reverses it.")] = False,
    to: Annotated[str, typer.Option(metavar="FOLDER", help="Where removed copies go: trash, or a folder.")] = TRASH,
    link: Annotated[
        Link | None, typer.Option(help="Put a link to the kept picture in the place of each removed copy.")
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(metavar="FOLDER", help="Remove only copies below this folder; repeatable. Others may be kept."),
    ] = None,
    protect: Annotated[
        list[str] | None, typer.Option(metavar="FOLDER", help="Remove nothing below this folder; repeatable.")
    ] = None,
    identical: Annotated[bool, typer.Option("--identical", help="Remove only files with the same bytes.")] = False,
    min_bytes: Annotated[
        int, typer.Option(metavar="N", min=0, help="Remove only files of at least this size, in bytes.")
    ] = 0,
    doubtful: Annotated[
        bool,
        typer.Option("--doubtful", help="Remove also less certain copies, and where no copy is best in everything."),
    ] = False,
    from_client_cache: Annotated[
        bool, typer.Option("--from-client-cache", help="Remove also from the own folders of a chat client.")
    ] = False,
    level: Annotated[Level | None, typer.Option(hidden=True)] = None,
    keep: KeepOption = None,
    workers: WorkersOption = None,
) -> None:
    """Remove the copies of pictures: keep the best one of each group, and move the rest to the trash.

    Without --apply it prints the plan and changes nothing. A copy goes only if it was compared with the kept picture
    itself, at full size, and the kept picture is at least as good in everything. All others are listed with the reason.
    Nothing is deleted: hashindex undo puts the copies back.
    """
    session = session_of(ctx)
    if level not in (None, Level.COPIES):
        raise UsageError(
            Message("dedupe removes copies only, so it takes no --level {level}; see hashindex groups.", level=level)
        )
    options = DedupeOptions(
        folders=_paths(folder),
        only=_paths(only),
        protect=_paths(protect),
        identical=identical,
        min_bytes=min_bytes,
        doubtful=doubtful,
        from_client_cache=from_client_cache,
        to=None if to == TRASH else files.expanded(to),
        link=link,
    )
    grouping = grouping_of(session, level=Level.COPIES, keep=keep, workers=workers)
    if not apply:
        with progress.comparing(session.progress) as on_progress:
            plan = session.index.plan_dedupe(options, grouping=grouping, on_progress=on_progress)
        for removal in plan.removals:
            _show_removal(session, removal, plan)
        _show_left(session, plan)
        session.sum_up(text.plan_summary_json(plan), text.plan_summary_text(plan))
        return

    def on_removed(removal: Removal) -> None:
        if session.json or session.verbose:
            _show_removal(session, removal, options)

    with batch_display(session, progress.REMOVING) as display:
        deduped = session.index.dedupe(
            options,
            grouping=grouping,
            stop=display.stop,
            on_removed=on_removed,
            on_progress=display.on_compared,
            on_step=display.on_placed,
        )
    for batch in deduped.recovered:
        session.say(recovered_text(batch))
    if session.json or session.verbose:
        _show_left(session, deduped.plan)
    show_refusals(session, deduped.outcome)
    session.sum_up(text.deduped_json(deduped), text.deduped_text(deduped))
    end_batch(session, deduped.outcome)


def _paths(given: list[str] | None) -> tuple[bytes, ...]:
    return tuple(files.expanded(path) for path in given or ())


def _show_removal(session: Session, removal: Removal, how: DedupePlan | DedupeOptions) -> None:
    session.show(text.removal_json(removal, how) if session.json else text.removal_text(removal, how))


def _show_left(session: Session, plan: DedupePlan) -> None:
    for left in plan.left:
        session.show(text.left_json(left) if session.json else text.left_text(left))
