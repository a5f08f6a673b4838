"""Carries out a plan with the journal, takes it back, and ends what a killed run left open.

Every act is written down before and after; between the two, the disk itself tells how far it came. Acts are
moves.py's, the record is journal.py's; here is the order of things.
"""

import contextlib
import errno
import os
import time
from collections.abc import Callable

from hashindex import files, moves
from hashindex.catalogue import Catalogue
from hashindex.errors import UsageError
from hashindex.journal import Journal, merged, placed_by
from hashindex.model import (
    STOPPED_BY_PERSON,
    Action,
    Batch,
    BatchState,
    Move,
    MoveState,
    Outcome,
    Plan,
    Refusal,
    Seen,
    Step,
)

_FULL = {errno.ENOSPC, errno.EDQUOT}


def apply(
    catalogue: Catalogue,
    plan: Plan,
    *,
    stop: Callable[[], bool] = lambda: False,
    on_step: Callable[[Step], None] = lambda step: None,
) -> Outcome:
    """Places what the plan says, one file after the other. catalogue is a writer; the caller holds the lock.

    stop is asked before each file; True ends the batch there. Raises UsageError, before anything is touched, where
    there is not room enough. A step that cannot be carried out is a refusal, and the others go on; a full disk, or a
    destination that is no longer the folder it was, ends the batch.
    """
    if not plan.steps:
        return Outcome(None, 0, ())
    _check_room(plan)
    journal = Journal(catalogue)
    made = not os.path.isdir(plan.dest)
    with catalogue.atomic(durable=True):
        catalogue.put_destination(plan.dest)
        batch = journal.begin(plan, made, time.time_ns())
    refused: list[Refusal] = []
    done, stopped = 0, None
    try:
        _make_destination(plan.dest)
        identity = files.folder_identity(plan.dest)
        for move in journal.moves(batch, [MoveState.PLANNED]):
            if stop():
                stopped = STOPPED_BY_PERSON
            elif files.folder_identity(plan.dest) != identity:
                stopped = f"{_show(plan.dest)} is no longer the folder that it was when this began"
            if stopped is not None:
                break
            reason = _place(catalogue, journal, plan.dest, move)
            if reason is None:
                done += 1
                on_step(move.step)
                continue
            refused.append(Refusal(move.step.source, reason))
            if reason == _NO_ROOM:
                stopped = reason
                break
    except BaseException:
        # The disk says how far the last step came.
        _settle(catalogue, batch, BatchState.APPLYING)
        raise
    trouble = _settle(catalogue, batch, BatchState.APPLYING)
    return Outcome(batch, done, tuple(refused), stopped or trouble)


def _make_destination(dest: bytes) -> None:
    try:
        moves.make_folder(dest)
    except OSError as error:
        raise UsageError(
            f"{_show(dest)} cannot be made: {(error.strerror or str(error)).lower()}; name another folder."
        ) from error


def undo(catalogue: Catalogue, batch: Batch, *, stop: Callable[[], bool] = lambda: False) -> Outcome:
    """Takes a batch back, last step first. What has changed since is refused and left, and the rest goes on.

    Never removes a copy whose original is not there any more.
    """
    journal = Journal(catalogue)
    refused: list[Refusal] = []
    done, stopped = 0, None
    with catalogue.atomic(durable=True):
        journal.set_batch(batch.id, BatchState.UNDOING)
    try:
        for move in reversed(journal.moves(batch.id, [MoveState.DONE, MoveState.KEPT])):
            if stop():
                stopped = STOPPED_BY_PERSON
                break
            reason = _take_back(catalogue, journal, batch.dest, move)
            if reason is None:
                done += 1
            else:
                refused.append(Refusal(move.step.target, reason))
    except BaseException:
        _settle(catalogue, batch.id, BatchState.UNDOING)
        raise
    trouble = _settle(catalogue, batch.id, BatchState.UNDOING)
    return Outcome(batch.id, done, tuple(refused), stopped or trouble)


def recover(catalogue: Catalogue) -> list[Batch]:
    """Ends every batch that a killed run left open. The caller holds the lock, so none of them is alive.

    Returns them as they are now. Looks at the disk for each open step and never removes a last copy.
    """
    journal = Journal(catalogue)
    open_batches = [batch for batch in journal.batches() if batch.state in _OPEN]
    for batch in open_batches:
        # A drive that is not there now: what is on it is judged when it is back.
        if os.path.isdir(batch.dest) or not journal.moves(batch.id, [MoveState.MOVING, MoveState.UNDOING]):
            _settle(catalogue, batch.id, batch.state)
    ended = {batch.id for batch in open_batches}
    return [batch for batch in journal.batches() if batch.id in ended and batch.state not in _OPEN]


_OPEN = (BatchState.APPLYING, BatchState.UNDOING)
_NO_ROOM = "there is no room left; make some and run it again"


def _check_room(plan: Plan) -> None:
    device = files.device_of(files.nearest_there(plan.dest))
    needed = sum(step.size for step in plan.steps if _takes_room(step, device))
    free = moves.free_room(plan.dest)
    if needed > free:
        raise UsageError(
            f"{_show(plan.dest)} has room for {free:,} bytes, and this needs {needed:,}; nothing was placed. "
            "Make room, or link instead: --mode hardlink."
        )


def _takes_room(step: Step, device: int) -> bool:
    if step.action is Action.COPY:
        return True
    seen = files.seen_at(step.source)
    return step.action is Action.MOVE and seen is not None and seen.device != device


def _place(catalogue: Catalogue, journal: Journal, dest: bytes, move: Move) -> str | None:
    """Carries out one step. Returns why not."""
    step = move.step
    reason = None
    if not files.is_as_it_was(step.source, step.size, step.mtime_ns):
        reason = "it is gone or has changed since the plan was made; scan and run again"
    else:
        with catalogue.atomic():
            journal.set_move(move, MoveState.MOVING)
        reason = _attempt(
            lambda: moves.place(step.action, step.source, step.target, _part(dest, move), step.digest),
            step.action,
            changed="its bytes are not those that were scanned; scan and run again",
            taken=f"something has the name {_show(step.target)} by now; it was left as it is. Run again",
        )
    if reason is not None:
        with catalogue.atomic():
            journal.set_move(move, MoveState.SKIPPED, reason=reason)
        return reason
    # Should this fail, the manifest is written anew at the end of the batch.
    with contextlib.suppress(OSError):
        moves.append_to_manifest(dest, placed_by(step))
    with catalogue.atomic():
        _note_done(catalogue, journal, dest, move)
    return None


def _note_done(catalogue: Catalogue, journal: Journal, dest: bytes, move: Move) -> None:
    seen = files.seen_at(move.step.target) or Seen(b"", move.step.size, move.step.mtime_ns, 0, 0)
    journal.set_move(move, MoveState.DONE, placed_mtime_ns=seen.mtime_ns)
    journal.put_placed(dest, [placed_by(move.step)])
    catalogue.note_placed_file(move.step, seen, time.time_ns())


def _take_back(catalogue: Catalogue, journal: Journal, dest: bytes, move: Move) -> str | None:
    """Takes one step back. Returns why not."""
    step = move.step
    reason = _changed_since(move)
    if reason is None:
        with catalogue.atomic():
            journal.set_move(move, MoveState.UNDOING)
        reason = _attempt(
            lambda: _act_back(move),
            step.action,
            changed="its bytes are not those that were placed; it was left as it is",
            taken=f"something has its old name {_show(step.source)}; it was left as it is",
        )
    with catalogue.atomic():
        if reason is not None:
            journal.set_move(move, MoveState.KEPT, reason=reason)
        else:
            _note_undone(catalogue, journal, dest, move)
    return reason


def _act_back(move: Move) -> None:
    step = move.step
    if step.action is not Action.MOVE:
        moves.remove(step.target)
        return
    folder = os.path.dirname(step.source)
    moves.make_folder(folder)
    moves.move_noreplace(step.target, step.source, _part(folder, move), step.digest)


def _attempt(act: Callable[[], None], action: Action, *, changed: str, taken: str) -> str | None:
    """Acts. Returns why that was not possible; then nothing has changed."""
    try:
        act()
    except moves.SourceChanged:
        return changed
    except FileExistsError:
        return taken
    except OSError as error:
        return _NO_ROOM if error.errno in _FULL else _why_not(error, action)
    return None


def _note_undone(catalogue: Catalogue, journal: Journal, dest: bytes, move: Move) -> None:
    seen = files.seen_at(move.step.source) or Seen(b"", move.step.size, move.step.mtime_ns, 0, 0)
    journal.set_move(move, MoveState.UNDONE)
    journal.drop_placed(dest, move.step)
    catalogue.note_restored_file(move.step, seen, time.time_ns())


def _changed_since(move: Move) -> str | None:
    """Why a step must not be taken back; None if it may be."""
    step = move.step
    if not files.is_there(step.target):
        return "it is not there any more"
    if step.action is Action.SYMLINK:
        return None if files.link_target(step.target) == step.source else "it is no longer the link that was made"
    if step.action is Action.HARDLINK:
        if files.is_same_file(step.source, step.target):
            return None
        return "its original is gone or has changed, so this may be the last copy; it was left as it is"
    placed_mtime_ns = step.mtime_ns if move.placed_mtime_ns is None else move.placed_mtime_ns
    if not files.is_as_it_was(step.target, step.size, placed_mtime_ns):
        return "it has changed since; it was left as it is"
    if step.action is Action.COPY and not files.is_as_it_was(step.source, step.size, step.mtime_ns):
        return "its original is gone or has changed, so this may be the last copy; it was left as it is"
    return None


def _why_not(error: OSError, action: Action) -> str:
    if error.errno == errno.EXDEV:
        return "a hard link cannot reach another drive; use --mode copy"
    if isinstance(error, PermissionError):
        return f"it may not be done there: permission denied ({action})"
    return f"the {action} failed: {(error.strerror or str(error)).lower()}"


def _part(folder: bytes, move: Move) -> bytes:
    """The name of an unfinished copy: known from the journal, so that recover finds it."""
    return os.path.join(folder, b".hashindex-%d-%d.part" % (move.batch, move.ordinal))


# After the last step, or after a crash


def _settle(catalogue: Catalogue, batch: int, state: BatchState) -> str | None:
    """Ends a batch: asks the disk about every open step, then puts the manifest and the folder in order.

    Returns what went wrong with the manifest, if anything did.
    """
    journal = Journal(catalogue)
    dest = next(known.dest for known in journal.batches() if known.id == batch)
    if state is BatchState.APPLYING:
        for move in journal.moves(batch, [MoveState.PLANNED, MoveState.MOVING]):
            placed = _was_placed(dest, move)
            with catalogue.atomic():
                if placed:
                    _note_done(catalogue, journal, dest, move)
                else:
                    journal.set_move(move, MoveState.SKIPPED, reason="it was not reached")
    else:
        for move in journal.moves(batch, [MoveState.UNDOING]):
            taken_back = _was_taken_back(move)
            with catalogue.atomic():
                if taken_back:
                    _note_undone(catalogue, journal, dest, move)
                else:
                    journal.set_move(move, MoveState.DONE)
    trouble = _tidy(catalogue, journal, batch, dest, state)
    with catalogue.atomic(durable=True):
        ended = BatchState.APPLIED if state is BatchState.APPLYING else BatchState.UNDONE
        journal.set_batch(batch, ended, time.time_ns())
    return trouble


def _tidy(catalogue: Catalogue, journal: Journal, batch: int, dest: bytes, state: BatchState) -> str | None:
    """Writes the manifest anew; a destination in which nothing is left of ours stops being one."""
    # The manifest may have entries of other catalogues; only what this batch took back goes.
    undone = {placed_by(move.step) for move in journal.moves(batch, [MoveState.UNDONE])}
    others = [entry for entry in files.read_manifest(dest) if entry not in undone]
    placed = merged(journal.placed(dest), others)
    # Where a link has its name by now, what lies behind it is not what an apply began with; undo has just worked there.
    if files.folder_identity(dest) is not None or (state is BatchState.UNDOING and os.path.isdir(dest)):
        try:
            moves.write_manifest(dest, placed)
            moves.sync_folder(dest)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            return f"the list of what was placed, {_show(files.MANIFEST)}, could not be written ({reason}); run again"
    if placed:
        return None
    with catalogue.atomic():
        catalogue.drop_destination(dest)
    if any(journal.made_dest(known.id) for known in journal.batches() if known.dest == dest and known.id <= batch):
        moves.remove_folder_if_empty(dest)
    return None


def _was_placed(dest: bytes, move: Move) -> bool:
    """Whether an open step was carried out; finishes or clears away what is half done."""
    step = move.step
    _clear_unfinished(_part(dest, move), step.target, step.source)
    if step.action is Action.SYMLINK:
        return files.link_target(step.target) == step.source
    if files.is_same_file(step.source, step.target):
        if step.action is Action.MOVE:
            if move.state is not MoveState.MOVING:
                return False
            # It has both names: the second was made, the first not yet taken away.
            moves.remove(step.source)
        return True
    if step.action is Action.HARDLINK or not files.is_there(step.target):
        return False
    if not _holds(step.target, step.digest):
        return False
    if step.action is Action.MOVE and files.is_there(step.source):
        if move.state is not MoveState.MOVING or not _holds(step.source, step.digest):
            return False
        # Copied and compared, the source not yet taken away.
        moves.remove(step.source)
    return True


def _was_taken_back(move: Move) -> bool:
    """The same for an open step of an undo."""
    step = move.step
    if step.action is not Action.MOVE:
        return not files.is_there(step.target)
    _clear_unfinished(_part(os.path.dirname(step.source), move), step.source, step.target)
    if files.is_same_file(step.source, step.target):
        moves.remove(step.target)
        return True
    if not files.is_there(step.target):
        return True
    if not files.is_there(step.source) or not _holds(step.source, step.digest):
        return False
    if _holds(step.target, step.digest):
        moves.remove(step.target)
    return True


def _clear_unfinished(part: bytes, claimed: bytes, original: bytes) -> None:
    """Removes an unfinished copy, and before it the empty name that may have been claimed for it (see moves)."""
    if not files.is_there(part):
        return
    if files.is_empty(claimed) and files.is_there(original):
        moves.remove(claimed)
    moves.remove_part(part)


def _holds(path: bytes, digest: bytes) -> bool:
    """Whether a regular file with these bytes is there."""
    try:
        return files.is_regular(path) and moves.digest_of(path) == digest
    except OSError:
        return False


def _show(path: bytes) -> str:
    return os.fsdecode(path)
