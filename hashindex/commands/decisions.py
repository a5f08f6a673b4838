"""hashindex decisions, and what same and separate share."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from hashindex.commands.command import NOTHING_FOUND, command
from hashindex.commands.session import Session, session_of
from hashindex.core.errors import UsageError
from hashindex.core.language import Message, sentence
from hashindex.disk.files import system_reason
from hashindex.output.text import decisions as text

PicturesArgument = Annotated[list[str], typer.Argument(metavar="PICTURE...", help="Two files or more.")]
UndoOption = Annotated[bool, typer.Option("--undo", help="Withdraw the decision.")]


def decide(session: Session, pictures: list[str], undo: bool, *, same: bool) -> None:
    """Records or withdraws the decision that pictures are the same, or that they are separate."""
    if len(pictures) < 2:
        raise UsageError(Message("Name two pictures or more."))
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
    "hashindex decisions --undo 3",
    "hashindex decisions --export decisions.jsonl",
    "hashindex decisions --import decisions.jsonl",
    lines=(text.DecisionJson, text.ImportedJson),
)
def decisions(
    ctx: typer.Context,
    export: Annotated[
        Path | None, typer.Option("--export", metavar="FILE", help="Write them as JSON lines; - is standard output.")
    ] = None,
    import_: Annotated[
        Path | None, typer.Option("--import", metavar="FILE", help="Add those of a file; - is standard input.")
    ] = None,
    undo: Annotated[
        list[int] | None,
        typer.Option("--undo", metavar="NUMBER", min=1, help="Withdraw the decision of this number; repeatable."),
    ] = None,
) -> None:
    """List your decisions (hashindex same, hashindex separate), oldest first, each with a number to withdraw it by.

    A decision is on the contents of files. The list names their files, or says that they are gone. An export names
    pictures by the SHA-256 of their bytes, so it is valid in any catalogue that has these pictures. It has your tags
    (hashindex tag) too.
    """
    session = session_of(ctx)
    if undo:
        for decision in session.index.withdraw_numbered(undo):
            if session.json:
                for line in text.decision_json(decision):
                    print(line)
            elif not session.quiet:
                session.show(text.withdrawn_numbered_text(decision, session.path_text()))
        return
    if import_ is not None:
        count = session.index.import_decisions(_read_text(import_).splitlines(), name=str(import_))
        session.sum_up(text.imported_json(count), text.imported_text(count))
        return
    if export is not None:
        lines = session.index.export_decisions()
        if str(export) == "-":
            print("".join(f"{line}\n" for line in lines), end="")
            return
        _write_text(export, "".join(f"{line}\n" for line in lines))
        session.say(text.exported_text(len(lines)))
        return
    made = session.index.numbered_decisions()
    path_text = session.path_text()
    for decision in made:
        if session.json:
            for line in text.decision_json(decision):
                print(line)
        else:
            session.show(text.decision_text(decision, path_text, verbose=session.verbose), hang=33)
    session.say(text.undo_hint() if made else sentence("No decisions yet; see hashindex same and hashindex separate."))


def _read_text(path: Path) -> str:
    try:
        data = sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
        return data.decode("utf-8-sig")
    except OSError as error:
        raise UsageError(Message("{path} cannot be read: {reason}.", path=path, reason=system_reason(error))) from error
    except UnicodeDecodeError:
        raise UsageError(Message("{path} is not text in UTF-8.", path=path)) from None


def _write_text(path: Path, content: str) -> None:
    try:
        # Readable by its owner only, like every file about the user's pictures.
        with open(path, "x", encoding="utf-8", opener=lambda name, flags: os.open(name, flags, 0o600)) as target:
            target.write(content)
    except FileExistsError:
        raise UsageError(Message("{path} exists already; name another file.", path=path)) from None
    except OSError as error:
        raise UsageError(
            Message("{path} cannot be written: {reason}.", path=path, reason=system_reason(error))
        ) from error
