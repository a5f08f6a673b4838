"""Carries out steps as a batch of the journal, undoes a batch, and recovers batches that a killed run left open.

This module decides the order of steps. step.py does one step, moves.py changes the files, journal.py keeps the record.
"""

import contextlib
import os
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from hashindex.core.errors import UsageError
from hashindex.core.language import Message, Part
from hashindex.core.messages import Move, MoveState
from hashindex.core.organizing import (
    NOT_REACHED,
    STOPPED_BY_USER,
    Action,
    Batch,
    BatchCommand,
    BatchState,
    Outcome,
    Refusal,
    Step,
)
from hashindex.disk import files
from hashindex.organize import disk_state, moves
from hashindex.organize.step import NO_ROOM, Unclear, note_done, note_undone, place, show, skip, take_back
from hashindex.organize.trash import is_in_trash, record_of
from hashindex.store.catalogue import Catalogue
from hashindex.store.journal import Journal, merged, placed_by


class Request(NamedTuple):
    """The steps of one batch."""

    command: BatchCommand
    dest: bytes
    """The folder for the files; b"" for the trash."""
    action: Action
    steps: Sequence[Step]


def apply(
    catalogue: Catalogue,
    request: Request,
    *,
    look: Callable[[Step], str | None] = lambda step: None,
    stop: Callable[[], bool] = lambda: False,
    on_step: Callable[[Step], None] = lambda step: None,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Outcome:
    """Carries out the steps in order. catalogue: a writer; the caller holds the lock.

    look: called just before each step; returns why the step must not be carried out, or None. stop: called before each
    file; True ends the batch. Raises UsageError before any change if there is not enough free space. A step that fails
    is a refusal, and the other steps go on. A full disk, or a destination that was replaced by another folder, ends the
    batch.
    """
    dest = request.dest
    if not request.steps:
        return Outcome(None, 0, ())
    if dest:
        _check_free_space(dest, request.steps)
    journal = Journal(catalogue)
    made = bool(dest) and not os.path.isdir(dest)
    made_folders = _missing_folders(dest, request.steps)
    with catalogue.atomic(durable=True):
        if dest:
            catalogue.put_destination(dest)
        batch = journal.begin(
            request.command, dest, request.action, request.steps, made_dest=made, now_ns=time.time_ns()
        )
        journal.put_made_folders(batch, made_folders)
    refused: dict[int, Refusal] = {}
    stopped: str | None = None
    try:
        if dest:
            _make_destination(dest)
        identity = _identity(dest)
        planned = journal.moves(batch, [MoveState.PLANNED])
        for number, move in enumerate(planned):
            on_progress(number, len(planned))
            if stop():
                stopped = STOPPED_BY_USER
            elif dest and (identity is None or _identity(dest) != identity):
                stopped = Message("{dest} was replaced by another folder meanwhile", dest=show(dest))
            if stopped is not None:
                break
            reason = look(move.step)
            if reason is None:
                reason = place(catalogue, journal, dest, move)
            else:
                skip(catalogue, journal, move, reason)
            if reason is None:
                on_step(move.step)
                continue
            refused[move.ordinal] = Refusal(_file_of(move.step), reason)
            if reason == NO_ROOM:
                stopped = reason
                break
        else:
            on_progress(len(planned), len(planned))
    except BaseException:
        # The disk shows whether the last step was carried out.
        _settle(catalogue, batch, BatchState.APPLYING)
        raise
    trouble = _settle(catalogue, batch, BatchState.APPLYING)
    return _outcome(journal, batch, MoveState.DONE, refused, stopped or trouble)


def _file_of(step: Step) -> bytes:
    """The user's file that a step is about. A link of dedupe takes the place of its target."""
    is_moved = step.action in (Action.MOVE, Action.TRASH)
    return step.source_bytes if step.number or is_moved else step.target_bytes


def _outcome(
    journal: Journal, batch: int, wanted: MoveState, refused: dict[int, Refusal], stopped: str | None
) -> Outcome:
    """The outcome by the journal: a step that reported an error may still be done."""
    done = {move.ordinal for move in journal.moves(batch, [wanted])}
    left = (refusal for ordinal, refusal in refused.items() if ordinal not in done)
    return Outcome(batch, len(done), tuple(left), stopped)


def _missing_folders(dest: bytes, steps: Sequence[Step]) -> set[bytes]:
    """The folders below the destination that numbered steps need and that do not exist yet."""
    missing = set()
    for folder in {os.path.dirname(step.target_bytes) for step in steps if step.number}:
        while folder != dest and folder not in missing and not os.path.isdir(folder):
            missing.add(folder)
            folder = os.path.dirname(folder)
    return missing


def _make_destination(dest: bytes) -> None:
    try:
        moves.make_folder(dest)
    except OSError as error:
        raise UsageError(
            Message(
                "{dest} cannot be made: {reason}; name another folder.",
                dest=show(dest),
                reason=files.system_reason(error),
            )
        ) from error


def _identity(dest: bytes) -> tuple[int, int] | None:
    try:
        return files.folder_identity(dest)
    except OSError:
        return None  # it cannot be used now


def undo(
    catalogue: Catalogue,
    batch: Batch,
    *,
    stop: Callable[[], bool] = lambda: False,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Outcome:
    """Undoes a batch, last step first. Files that have changed since are refused and left; the other steps go on.

    Never removes a copy whose original is gone.
    """
    journal = Journal(catalogue)
    _refuse_open(journal, batch)
    refused: dict[int, Refusal] = {}
    stopped = None
    before = len(journal.moves(batch.id, [MoveState.UNDONE]))
    with catalogue.atomic(durable=True):
        journal.set_batch(batch.id, BatchState.UNDOING)
    try:
        placed = journal.moves(batch.id, [MoveState.DONE, MoveState.KEPT])
        for number, move in enumerate(reversed(placed)):
            on_progress(number, len(placed))
            if stop():
                stopped = STOPPED_BY_USER
                break
            reason = take_back(catalogue, journal, batch.dest_bytes, move)
            if reason is not None:
                refused[move.ordinal] = Refusal(move.step.target_bytes or move.step.source_bytes, reason)
        else:
            on_progress(len(placed), len(placed))
    except BaseException:
        _settle(catalogue, batch.id, BatchState.UNDOING)
        raise
    trouble = _settle(catalogue, batch.id, BatchState.UNDOING)
    outcome = _outcome(journal, batch.id, MoveState.UNDONE, refused, stopped or trouble)
    return outcome._replace(done=outcome.done - before)


def recover(catalogue: Catalogue) -> list[Batch]:
    """Ends every batch that a killed run left open. The caller holds the lock, so no batch is still running.

    Returns these batches as they are now. Checks the disk for each open step and never removes a last copy. If the
    state of a step cannot be determined (a drive is missing, a file is unreadable), its batch stays open, with its
    trouble.
    """
    journal = Journal(catalogue)
    troubles: dict[int, str | None] = {}
    for batch in [batch for batch in journal.batches() if batch.is_open]:
        # If the drive is missing, its files are checked when it is back.
        if not batch.dest_bytes or os.path.isdir(batch.dest_bytes) or not journal.moves(batch.id, _UNDER_WAY):
            troubles[batch.id] = _settle(catalogue, batch.id, batch.state)
        else:
            troubles[batch.id] = Message(
                "{dest} does not exist; connect its drive and run hashindex recover", dest=show(batch.dest_bytes)
            )
    return [batch._replace(trouble=troubles[batch.id]) for batch in journal.batches() if batch.id in troubles]


def refuse_open(catalogue: Catalogue, dest: bytes) -> None:
    """UsageError if an interrupted batch of this destination (b"" for the trash) cannot be ended now."""
    for batch in Journal(catalogue).batches():
        if batch.dest_bytes == dest and batch.is_open and (not dest or os.path.isdir(dest)):
            _refuse_open(Journal(catalogue), batch)


def _refuse_open(journal: Journal, batch: Batch) -> None:
    steps = journal.moves(batch.id, _UNDER_WAY)
    if steps:
        raise UsageError(
            Message(
                "Batch {batch} was cut off, and its progress cannot be determined: {source} or {target} cannot be "
                "reached ({reason}). Nothing was changed; fix that and run: hashindex recover",
                batch=batch.id,
                source=show(steps[0].step.source_bytes),
                target=show(steps[0].step.target_bytes),
                reason=Part(steps[0].reason or Message("is a drive unplugged?")),
            )
        )


_UNDER_WAY = (MoveState.MOVING, MoveState.UNDOING)


def _check_free_space(dest: bytes, steps: Sequence[Step]) -> None:
    try:
        device = files.device_of(files.nearest_existing(dest))
        free = moves.free_room(dest)
    except OSError as error:
        raise UsageError(
            Message(
                "{dest} cannot be reached: {reason}; nothing was placed.",
                dest=show(dest),
                reason=files.system_reason(error),
            )
        ) from error
    needed = sum(step.size for step in steps if _takes_space(step, device))
    if needed > free:
        if any(step.action is Action.COPY for step in steps):
            refusal = Message(
                "{dest} has {free:,} bytes free, and this needs {needed:,}; nothing was placed. Free some space, or "
                "link instead: --mode hardlink.",
                dest=show(dest),
                free=free,
                needed=needed,
            )
        else:
            refusal = Message(
                "{dest} has {free:,} bytes free, and this needs {needed:,}; nothing was placed. Free some space.",
                dest=show(dest),
                free=free,
                needed=needed,
            )
        raise UsageError(refusal)


def _takes_space(step: Step, device: int) -> bool:
    if step.action is Action.COPY:
        return True
    seen = files.stat_at(step.source_bytes)
    return step.action is Action.MOVE and seen is not None and seen.device != device


def _settle(catalogue: Catalogue, batch: int, state: BatchState) -> str | None:
    """Ends a batch: checks the disk for every open step, then updates the manifest and the folder.

    Returns the trouble, if there is any; the batch then stays open, for recover.
    """
    journal = Journal(catalogue)
    dest = next(known.dest_bytes for known in journal.batches() if known.id == batch)
    trouble = None
    if state is BatchState.APPLYING:
        for move in journal.moves(batch, [MoveState.PLANNED, MoveState.MOVING]):
            try:
                placed = disk_state.was_placed(move)
            except OSError as error:
                trouble = _leave_open(catalogue, journal, move, error)
                continue
            with catalogue.atomic():
                if placed:
                    note_done(catalogue, journal, dest, move)
                else:
                    journal.set_move(move, MoveState.SKIPPED, reason=move.reason or NOT_REACHED)
    # Also while a batch is applied: a copy is put back if its link cannot be made.
    for move in journal.moves(batch, [MoveState.UNDOING]):
        try:
            taken_back = disk_state.was_taken_back(move)
        except OSError as error:
            trouble = _leave_open(catalogue, journal, move, error)
            continue
        with catalogue.atomic():
            if taken_back:
                note_undone(catalogue, journal, dest, move)
            else:
                journal.set_move(move, MoveState.DONE)
    if state is BatchState.APPLYING:
        trouble = _take_back_without_link(catalogue, journal, batch, dest) or trouble
    if dest:
        manifest_trouble = _update_manifest(catalogue, journal, batch, dest, state, ends=trouble is None)
        trouble = trouble or manifest_trouble
    else:
        _clear_trash_records(journal, batch)
    if trouble is None:
        with catalogue.atomic(durable=True):
            ended = BatchState.APPLIED if state is BatchState.APPLYING else BatchState.UNDONE
            journal.set_batch(batch, ended, time.time_ns())
    return trouble


def _take_back_without_link(catalogue: Catalogue, journal: Journal, batch: int, dest: bytes) -> str | None:
    """Puts a removed copy back if the link that should take its place was not made. Returns the trouble, if any.

    Such a link is the step after the removal, and its target is the source of the removal.
    """
    trouble = None
    done = [MoveState.DONE, MoveState.UNDONE, MoveState.KEPT]
    removed = {move.step.source_bytes: move for move in journal.moves(batch, [MoveState.DONE])}
    for link in journal.moves(batch, [state for state in MoveState if state not in done]):
        move = removed.get(link.step.target_bytes)
        if move is None or move.ordinal != link.ordinal - 1:
            continue
        reason = take_back(catalogue, journal, dest, move)
        if isinstance(reason, Unclear):
            trouble = Message(
                "{source} could not be put back: {reason}; fix that and run: hashindex recover",
                source=show(move.step.source_bytes),
                reason=reason,
            )
    return trouble


def _clear_trash_records(journal: Journal, batch: int) -> None:
    """Removes the records of files that are not, or no longer, in the trash."""
    for move in journal.moves(batch, [MoveState.SKIPPED, MoveState.UNDONE]):
        if move.step.action is Action.MOVE and is_in_trash(move.step.target_bytes):
            # A record without a file does no harm.
            with contextlib.suppress(OSError):
                moves.remove_trash_record(
                    move.step.target_bytes, record_of(move.step.target_bytes), move.step.source_bytes
                )


def _leave_open(catalogue: Catalogue, journal: Journal, move: Move, error: OSError) -> str:
    """Leaves a step open because its state cannot be determined. Returns the trouble in a sentence."""
    reason = files.system_reason(error)
    with catalogue.atomic():
        journal.set_move(move, move.state, reason=reason)
    return Message(
        "it cannot be determined whether {source} -> {target} was done ({reason}); fix that and run: hashindex recover",
        source=show(move.step.source_bytes),
        target=show(move.step.target_bytes),
        reason=reason,
    )


def _update_manifest(
    catalogue: Catalogue, journal: Journal, batch: int, dest: bytes, state: BatchState, *, ends: bool
) -> str | None:
    """Rewrites the manifest. If the batch ends and no placed file is left, the folder is no longer a destination.

    Returns the trouble, if there is any.
    """
    # The manifest may have entries of other catalogues; remove only the files that this batch undid.
    undone = {placed_by(dest, move.step) for move in journal.moves(batch, [MoveState.UNDONE]) if move.step.number}
    try:
        others = [entry for entry in files.read_manifest(dest) if entry not in undone]
        placed = merged(journal.placed(dest), others)
        # If a symlink has replaced the folder, its target is not the folder of apply. Undo has just worked in its
        # target, so it writes there.
        if files.folder_identity(dest) is not None or (state is BatchState.UNDOING and os.path.isdir(dest)):
            moves.write_manifest(dest, placed)
            moves.sync_folder(dest)
    except OSError as error:
        return Message(
            "the list of what was placed, {manifest}, could not be written ({reason}); fix that and run: "
            "hashindex recover",
            manifest=show(files.MANIFEST),
            reason=files.system_reason(error),
        )
    if not ends:
        return None
    _remove_empty_folders(journal, batch, dest)
    if placed or journal.has_files_in(dest):
        return None
    with catalogue.atomic():
        catalogue.drop_destination(dest)
    if any(
        journal.made_dest(known.id) for known in journal.batches() if known.dest_bytes == dest and known.id <= batch
    ):
        moves.remove_folder_if_empty(dest)
    return None


def _remove_empty_folders(journal: Journal, batch: int, dest: bytes) -> None:
    """Removes the empty folders among those that organize made and in which the batch has placed nothing that stays."""
    moved = journal.moves(batch, [MoveState.UNDONE, MoveState.SKIPPED])
    left: set[bytes] = set()
    for folder in {os.path.dirname(move.step.target_bytes) for move in moved if move.step.number}:
        while folder != dest and folder not in left:
            left.add(folder)
            folder = os.path.dirname(folder)
    for folder in journal.made_folders(dest) if left else ():
        if folder in left:
            moves.remove_folder_if_empty(folder)
