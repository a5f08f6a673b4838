"""hashindex decisions, and what same and separate share."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from hashindex.commands.command import NOTHING_FOUND, command
from hashindex.commands.session import Session, session_of
from hashindex.core.errors import UsageError
from hashindex.output.text import decisions as text

PicturesArgument = Annotated[list[str], typer.Argument(metavar="PICTURE...", help="Two files or more.")]
UndoOption = Annotated[bool, typer.Option("--undo", help="Withdraw the decision.")]


def decide(session: Session, pictures: list[str], undo: bool, *, same: bool) -> None:
    """Records or withdraws the decision that pictures are the same, or that they are separate."""
    if len(pictures) < 2:
        raise UsageError("Name two pictures or more.")
    limits = session.limits()
    if undo:
        count = session.index.withdraw(*pictures, same=same, limits=limits)
        session.sum_up(text.withdrawn_json(count, same), text.withdrawn_text(count, pictures, same))
        if not count:
            raise typer.Exit(NOTHING_FOUND)
        return
    record = session.index.same if same else session.index.separate
    recorded = record(*pictures, limits=limits)
    session.sum_up(text.recorded_json(recorded, same), text.recorded_text(recorded, pictures, same))


@command(
    "hashindex decisions",
    "hashindex decisions --export decisions.jsonl",
    "hashindex decisions --import decisions.jsonl",
    alias="words",
)
def decisions(
    ctx: typer.Context,
    export: Annotated[
        Path | None, typer.Option("--export", metavar="FILE", help="Write them as JSON lines; - is standard output.")
    ] = None,
    import_: Annotated[
        Path | None, typer.Option("--import", metavar="FILE", help="Add those of a file; - is standard input.")
    ] = None,
) -> None:
    """List your decisions (hashindex same, hashindex separate), oldest first.

    Pictures are named by the SHA-256 of their bytes, so an export is valid in any catalogue that has these pictures.
    """
    session = session_of(ctx)
    if import_ is not None:
        count = session.index.import_decisions(_read_text(import_).splitlines(), name=str(import_))
        session.sum_up(text.imported_json(count), text.imported_text(count))
        return
    as_json = session.json or export is not None
    lines = session.index.export_decisions() if as_json else list(map(text.decision_text, session.index.decisions()))
    if export is not None and str(export) != "-":
        _write_text(export, "".join(f"{line}\n" for line in lines))
        session.say(text.exported_text(len(lines)))
        return
    for line in lines:
        session.show(line)
    if not lines:
        session.say("No decisions yet; see hashindex same and hashindex separate.")


def _read_text(path: Path) -> str:
    try:
        data = sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
        return data.decode("utf-8-sig")
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {(error.strerror or str(error)).lower()}.") from error
    except UnicodeDecodeError:
        raise UsageError(f"{path} is not text in UTF-8.") from None


def _write_text(path: Path, content: str) -> None:
    try:
        # Readable by its owner only, like every file about the user's pictures.
        with open(path, "x", encoding="utf-8", opener=lambda name, flags: os.open(name, flags, 0o600)) as target:
            target.write(content)
    except FileExistsError:
        raise UsageError(f"{path} exists already; name another file.") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {(error.strerror or str(error)).lower()}.") from error
