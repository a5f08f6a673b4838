"""The commands about what two pictures are to each other: explain, calibrate, same, separate, words.

The first two tell what the judge thinks, the others keep what a person says.
"""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from hashindex.commands.command import NOTHING_FOUND, SHOWN_PROBLEMS, command
from hashindex.commands.options import Session, session_of
from hashindex.core.errors import UsageError
from hashindex.output import progress, render


@command(
    "hashindex explain cat.png cat.jpg",
    "hashindex explain cat.png cat-with-words.png --picture why.png",
    "hashindex explain cat.png mirrored-cat.png --mirrored --json",
    limits=True,
)
def explain(
    ctx: typer.Context,
    a: Annotated[str, typer.Argument(metavar="A", help="A picture, in the catalogue or not.")],
    b: Annotated[str, typer.Argument(metavar="B", help="The other one.")],
    mirrored: Annotated[bool, typer.Option("--mirrored", help="Also try A as a mirror image.")] = False,
    rotated: Annotated[bool, typer.Option("--rotated", help="Also try A turned by a quarter or a half.")] = False,
    picture: Annotated[
        Path | None, typer.Option(metavar="PNG", help="Also draw both, one over the other, and what differs.")
    ] = None,
) -> None:
    """Say what two pictures are to each other, and why.

    Identical, a copy, a variant or different; with the distance of every hash, how one lies on the other, where they
    differ, and how sure the judge is. No catalogue is needed; where there is one, what same and separate said counts.
    A file that is gone is judged by what the catalogue kept of it.
    """
    from hashindex.output.explain_picture import check_picture, write_picture
    from hashindex.output.render_judgement import explanation_json, explanation_text

    session = session_of(ctx)
    limits = session.limits()
    if picture is not None:
        check_picture(picture)
    found = session.index.explain(a, b, mirrored=mirrored, rotated=rotated, limits=limits)
    print(explanation_json(found) if session.json else explanation_text(found))
    if picture is not None:
        write_picture(found, picture)
        session.say(f"Wrote {render.show_path(os.fsencode(picture))}.")


@command(
    "hashindex calibrate                        # by what same and separate said",
    "hashindex calibrate pairs.tsv --plot curves.png",
    "hashindex calibrate labels.tsv --folder ~/Pictures --json",
    limits=True,
)
def calibrate(
    ctx: typer.Context,
    labels: Annotated[
        Path | None,
        typer.Argument(
            metavar="LABELS", help="Pairs, tab-separated: path_a, path_b, label (same, variant or different)."
        ),
    ] = None,
    folder: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="What the paths are relative to. [default: that of LABELS]")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="PNG", help="Also draw precision against recall, a curve a hash.")
    ] = None,
) -> None:
    """Show how well each hash at each radius, and each level, does on pairs that you labelled.

    By your own words (hashindex same, hashindex separate) and a file of pairs, if one is named: its first line is
    path_a, path_b, label with tabs between, or file, original_id, edit, expect. Each pair is asked about by itself;
    groups may also join two by way of a third. Nothing is changed.
    """
    from hashindex.output.calibration_plot import check_plot, write_plot
    from hashindex.output.render_judgement import calibration_json, calibration_text

    session = session_of(ctx)
    limits = session.limits()
    if plot is not None:
        check_plot(plot)
    with progress.counted(session.quiet, "pairs") as on_progress:
        found = session.index.calibrate(labels, folder=folder, limits=limits, on_progress=on_progress)
    print(calibration_json(found) if session.json else calibration_text(found))
    for skipped in found.skipped[:SHOWN_PROBLEMS]:
        session.say(f"{render.show_path(skipped.path)}: {render.show_text(skipped.reason)}")
    if len(found.skipped) > SHOWN_PROBLEMS:
        session.say(f"... and {len(found.skipped) - SHOWN_PROBLEMS:,} more pairs were left out.")
    if plot is not None:
        write_plot(found, plot)
        session.say(f"Wrote {render.show_path(os.fsencode(plot))}.")


PicturesArgument = Annotated[list[str], typer.Argument(metavar="PICTURE...", help="Two files or more.")]
UndoOption = Annotated[bool, typer.Option("--undo", help="Take that back.")]


@command("hashindex same a.gif b.gif", "hashindex same a.gif b.gif --undo")
def same(ctx: typer.Context, pictures: PicturesArgument, undo: UndoOption = False) -> None:
    """Say that pictures are one and the same: they are copies from now on, whatever the judge thinks.

    It is kept by content, not by name, and goes before every verdict in groups, organize and query. What is the same as
    one of them is the same as all. With --undo the named pictures leave; others of which it was said stay.
    """
    _say(session_of(ctx), pictures, undo, same=True)


@command("hashindex separate cat1.gif cat2.gif", "hashindex separate cat1.gif cat2.gif --undo")
def separate(ctx: typer.Context, pictures: PicturesArgument, undo: UndoOption = False) -> None:
    """Say that pictures do not belong together: no two of them are in one group from now on; at most 100 at a time.

    It is kept by content, not by name, and goes before every verdict in groups, organize and query.
    """
    _say(session_of(ctx), pictures, undo, same=False)


def _say(session: Session, pictures: list[str], undo: bool, *, same: bool) -> None:
    if len(pictures) < 2:
        raise UsageError("Name two pictures or more.")
    limits = session.limits()
    if undo:
        count = session.index.withdraw(*pictures, same=same, limits=limits)
        session.sum_up(render.taken_back_json(count, same), render.taken_back_text(count, pictures, same))
        if not count:
            raise typer.Exit(NOTHING_FOUND)
        return
    say = session.index.same if same else session.index.separate
    said = say(*pictures, limits=limits)
    session.sum_up(render.said_json(said, same), render.said_text(said, pictures, same))


@command(
    "hashindex words",
    "hashindex words --export words.jsonl",
    "hashindex words --import words.jsonl",
)
def words(
    ctx: typer.Context,
    export: Annotated[
        Path | None, typer.Option("--export", metavar="FILE", help="Write them as JSON lines; - is standard output.")
    ] = None,
    import_: Annotated[
        Path | None, typer.Option("--import", metavar="FILE", help="Add those of such a file; - is standard input.")
    ] = None,
) -> None:
    """List what same and separate said, the oldest first; carry it to another catalogue.

    Pictures are named by the SHA-256 of their bytes, so it holds wherever the same pictures are.
    """
    session = session_of(ctx)
    if import_ is not None:
        text = _text_of(import_)
        count = session.index.import_decisions(text.splitlines(), name=str(import_))
        session.sum_up(render.imported_json(count), f"Read {count:,} words.")
        return
    as_json = session.json or export is not None
    lines = session.index.export_decisions() if as_json else list(map(render.word_text, session.index.decisions()))
    if export is not None and str(export) != "-":
        _write_text(export, "".join(f"{line}\n" for line in lines))
        session.say(f"Wrote {len(lines):,} words.")
        return
    for line in lines:
        print(line)
    if not lines:
        session.say("Nothing was said yet; see hashindex same and hashindex separate.")


def _text_of(path: Path) -> str:
    try:
        data = sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
        return data.decode("utf-8-sig")
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {(error.strerror or str(error)).lower()}.") from error
    except UnicodeDecodeError:
        raise UsageError(f"{path} is no text in UTF-8.") from None


def _write_text(path: Path, text: str) -> None:
    try:
        # The owner's alone, as everything is that names a person's pictures.
        with open(path, "x", encoding="utf-8", opener=lambda name, flags: os.open(name, flags, 0o600)) as target:
            target.write(text)
    except FileExistsError:
        raise UsageError(f"{path} is there already; name another file.") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {(error.strerror or str(error)).lower()}.") from error
