"""hashindex calibrate."""

from pathlib import Path
from typing import Annotated

import typer

from hashindex.commands.command import SHOWN_PROBLEMS, command
from hashindex.commands.session import session_of
from hashindex.core.language import plural, sentence
from hashindex.output import progress
from hashindex.output.text.calibrate import CalibrationJson, calibration_json, calibration_text
from hashindex.output.text.common import show_message, show_path, wrote_text


@command(
    "hashindex calibrate                        # by your decisions",
    "hashindex calibrate pairs.tsv --plot curves.png",
    "hashindex calibrate labels.tsv --folder ~/Pictures --json",
    lines=(CalibrationJson,),
    limits=True,
)
def calibrate(
    ctx: typer.Context,
    labels: Annotated[
        Path | None,
        typer.Argument(
            metavar="LABELS", help="Pairs, separated by tabs: path_a, path_b, label (same, variant or different)."
        ),
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="The folder that the paths are relative to. [default: the folder of LABELS]"
        ),
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="PNG", help="Also plot precision against recall, one curve per hash.")
    ] = None,
) -> None:
    """Measure how well each hash, radius and level finds the pairs that you labelled.

    The labels are your decisions (hashindex same, hashindex separate) and the pairs in LABELS. The first line of LABELS
    names its columns, separated by tabs: path_a, path_b, label, or file, original_id, edit, expect. Each pair is judged
    by itself, although groups may also join two pictures through a third. Changes nothing.
    """
    # Imported late: Pillow would slow the start of every other command.
    from hashindex.output.calibration_plot import check_plot, write_plot

    session = session_of(ctx)
    limits = session.limits()
    if plot is not None:
        check_plot(plot)
    with progress.counted(session.progress, progress.COMPARING) as on_progress:
        found = session.index.calibrate(labels, folder=folder, limits=limits, on_progress=on_progress)
    session.show(calibration_json(found) if session.json else calibration_text(found))
    for skipped in found.skipped[:SHOWN_PROBLEMS]:
        session.say(
            sentence("{path}: {reason}", path=show_path(skipped.path_bytes), reason=show_message(skipped.reason))
        )
    if len(found.skipped) > SHOWN_PROBLEMS:
        more = len(found.skipped) - SHOWN_PROBLEMS
        session.say(plural(more, "... and {count} more pair was skipped.", "... and {count} more pairs were skipped."))
    if plot is not None:
        write_plot(found, plot)
        session.say(wrote_text(plot))
