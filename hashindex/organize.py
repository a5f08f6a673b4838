"""Carries out a plan with the journal, takes it back, and ends what a killed run left open.

Every act is written down before and after; between the two, the disk itself tells how far it came. Acts are
moves.py's, the record is journal.py's; here is the order of things.
"""

import contextlib
import errno
import os
import time
from collections.abc import Callable

from hashindex import evidence, files, moves
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
    refused: dict[int, Refusal] = {}
    stopped = None
    try:
        _make_destination(plan.dest)
        identity = _identity(plan.dest)
        for move in journal.moves(batch, [MoveState.PLANNED]):
            if stop():
                stopped = STOPPED_BY_PERSON
            elif identity is None or _identity(plan.dest) != identity:
                stopped = f"{_show(plan.dest)} is no longer the folder that it was when this began"
            if stopped is not None:
                break
            reason = _place(catalogue, journal, plan.dest, move)
            if reason is None:
                on_step(move.step)
                continue
            refused[move.ordinal] = Refusal(move.step.source, reason)
            if reason == _NO_ROOM:
                stopped = reason
                break
    except BaseException:
        # The disk says how far the last step came.
        _settle(catalogue, batch, BatchState.APPLYING)
        raise
    trouble = _settle(catalogue, batch, BatchState.APPLYING)
    return _outcome(journal, batch, MoveState.DONE, refused, stopped or trouble)


def _outcome(
    journal: Journal, batch: int, wanted: MoveState, refused: dict[int, Refusal], stopped: str | None
) -> Outcome:
    """What the journal says in the end: a step that seemed to fail may have been done all the same."""
    done = {move.ordinal for move in journal.moves(batch, [wanted])}
    left = (refusal for ordinal, refusal in refused.items() if ordinal not in done)
    return Outcome(batch, len(done), tuple(left), stopped)


def _make_destination(dest: bytes) -> None:
    try:
        moves.make_folder(dest)
    except OSError as error:
        raise UsageError(
            f"{_show(dest)} cannot be made: {(error.strerror or str(error)).lower()}; name another folder."
        ) from error


def _identity(dest: bytes) -> tuple[int, int] | None:
    try:
        return files.folder_identity(dest)
    except OSError:
        return None  # not to be worked in now, whatever it is


def undo(catalogue: Catalogue, batch: Batch, *, stop: Callable[[], bool] = lambda: False) -> Outcome:
    """Takes a batch back, last step first. What has changed since is refused and left, and the rest goes on.

    Never removes a copy whose original is not there any more.
    """
    journal = Journal(catalogue)
    _refuse_open(journal, batch)
    refused: dict[int, Refusal] = {}
    stopped = None
    before = len(journal.moves(batch.id, [MoveState.UNDONE]))
    with catalogue.atomic(durable=True):
        journal.set_batch(batch.id, BatchState.UNDOING)
    try:
        for move in reversed(journal.moves(batch.id, [MoveState.DONE, MoveState.KEPT])):
            if stop():
                stopped = STOPPED_BY_PERSON
                break
            reason = _take_back(catalogue, journal, batch.dest, move)
            if reason is not None:
                refused[move.ordinal] = Refusal(move.step.target, reason)
    except BaseException:
        _settle(catalogue, batch.id, BatchState.UNDOING)
        raise
    trouble = _settle(catalogue, batch.id, BatchState.UNDOING)
    outcome = _outcome(journal, batch.id, MoveState.UNDONE, refused, stopped or trouble)
    return outcome._replace(done=outcome.done - before)


def recover(catalogue: Catalogue) -> list[Batch]:
    """Ends every batch that a killed run left open. The caller holds the lock, so none of them is alive.

    Returns them as they are now. Looks at the disk for each open step and never removes a last copy. A batch of which
    the disk does not say how far it came (a drive is not there, a file cannot be read) stays open, with its trouble.
    """
    journal = Journal(catalogue)
    troubles: dict[int, str | None] = {}
    for batch in [batch for batch in journal.batches() if batch.is_open]:
        # A drive that is not there now: what is on it is judged when it is back.
        if os.path.isdir(batch.dest) or not journal.moves(batch.id, _UNDER_WAY):
            troubles[batch.id] = _settle(catalogue, batch.id, batch.state)
        else:
            troubles[batch.id] = f"{_show(batch.dest)} is not there; connect its drive and run hashindex recover"
    return [batch._replace(trouble=troubles[batch.id]) for batch in journal.batches() if batch.id in troubles]


def refuse_open(catalogue: Catalogue, dest: bytes) -> None:
    """UsageError where a batch of that destination was cut off and cannot be put in order now."""
    for batch in Journal(catalogue).batches():
        if batch.dest == dest and batch.is_open and os.path.isdir(dest):
            _refuse_open(Journal(catalogue), batch)


def _refuse_open(journal: Journal, batch: Batch) -> None:
    steps = journal.moves(batch.id, _UNDER_WAY)
    if steps:
        paths = f"{_show(steps[0].step.source)} or {_show(steps[0].step.target)}"
        raise UsageError(
            f"Batch {batch.id} was cut off, and the disk does not say how far it came: {paths} cannot be reached "
            f"({steps[0].reason or 'is a drive unplugged?'}). Nothing was touched; mend that and run: hashindex recover"
        )


_UNDER_WAY = (MoveState.MOVING, MoveState.UNDOING)
_NO_ROOM = "there is no room left; make some and run it again"


def _check_room(plan: Plan) -> None:
    try:
        device = files.device_of(files.nearest_there(plan.dest))
        free = moves.free_room(plan.dest)
    except OSError as error:
        raise UsageError(f"{_show(plan.dest)} cannot be reached: {_why(error)}; nothing was placed.") from error
    needed = sum(step.size for step in plan.steps if _takes_room(step, device))
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
    """Carries out one step. Returns why not; where the disk does not say whether it did, the step stays open."""
    step = move.step
    if not files.is_as_it_was(step.source, step.size, step.mtime_ns):
        reason: str | None = "it is gone or has changed since the plan was made; scan and run again"
    else:
        with catalogue.atomic():
            journal.set_move(move, MoveState.MOVING)
        move = move._replace(state=MoveState.MOVING)
        reason = _attempt(
            lambda: moves.place(step, evidence.part_of(dest, move)),
            step.action,
            changed="its bytes are not those that were scanned; scan and run again",
            taken=f"something has the name {_show(step.target)} by now; it was left as it is. Run again",
            came_through=lambda taken: evidence.was_placed(dest, move, ours=not taken),
        )
    if isinstance(reason, _Unclear):
        with catalogue.atomic():
            journal.set_move(move, MoveState.MOVING, reason=reason)
        return reason
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
    """Takes one step back. Returns why not, as _place."""
    step = move.step
    reason: str | None
    try:
        reason = _changed_since(move)
    except OSError as error:
        reason = _why_not(error, step.action)
    if reason is None:
        with catalogue.atomic():
            journal.set_move(move, MoveState.UNDOING)
        reason = _attempt(
            lambda: _act_back(move),
            step.action,
            changed="its bytes are not those that were placed; it was left as it is",
            taken=f"something has its old name {_show(step.source)}; it was left as it is",
            came_through=lambda taken: evidence.was_taken_back(move, ours=not taken),
        )
    with catalogue.atomic():
        if isinstance(reason, _Unclear):
            journal.set_move(move, MoveState.UNDOING, reason=reason)
        elif reason is not None:
            journal.set_move(move, MoveState.KEPT, reason=reason)
        else:
            _note_undone(catalogue, journal, dest, move)
    return reason


def _act_back(move: Move) -> None:
    step = move.step
    if step.action is not Action.MOVE:
        # Once more: since the first look it was written into the journal, and the target is looked at last.
        if _changed_since(move) is not None:
            raise moves.SourceChanged
        moves.remove(step.target)
        return
    folder = os.path.dirname(step.source)
    moves.make_folder(folder)
    moves.move_noreplace(
        step.target, step.source, evidence.part_of(folder, move), step.digest, step.size, _placed_mtime_ns(move)
    )


class _Unclear(str):
    """Why the disk does not say whether an act was done."""


def _attempt(
    act: Callable[[], None], action: Action, *, changed: str, taken: str, came_through: Callable[[bool], bool]
) -> str | None:
    """Acts. Returns why that was not possible; then nothing has changed, or it is _Unclear.

    came_through: asked after a failure whether it was done all the same; clears away what is half done. Is told
    whether something else had the name.
    """
    is_taken = False
    try:
        act()
        return None
    except moves.SourceChanged:
        reason = changed
    except FileExistsError:
        reason, is_taken = taken, True
    except OSError as error:
        reason = _NO_ROOM if error.errno in _FULL else _why_not(error, action)
    try:
        return None if came_through(is_taken) else reason
    except OSError as error:
        return _Unclear(f"{reason}; and then it could not be put in order: {_why(error)}")


def _note_undone(catalogue: Catalogue, journal: Journal, dest: bytes, move: Move) -> None:
    seen = files.seen_at(move.step.source) or Seen(b"", move.step.size, move.step.mtime_ns, 0, 0)
    journal.set_move(move, MoveState.UNDONE)
    journal.drop_placed(dest, move.step)
    catalogue.note_restored_file(move.step, seen, time.time_ns())


def _changed_since(move: Move) -> str | None:
    """Why a step must not be taken back; None if it may be. OSError where the disk does not say."""
    step = move.step
    if files.look_at(step.target) is None:
        return "it is not there any more"
    if step.action is Action.SYMLINK:
        return None if files.link_target(step.target) == step.source else "it is no longer the link that was made"
    if step.action is Action.HARDLINK:
        if files.is_same_file(step.source, step.target):
            return None
        return "its original is gone or has changed, so this may be the last copy; it was left as it is"
    is_elsewhere = step.action is not Action.COPY or files.is_as_it_was(step.source, step.size, step.mtime_ns)
    if not files.is_as_it_was(step.target, step.size, _placed_mtime_ns(move)):
        return "it has changed since; it was left as it is"
    if not is_elsewhere:
        return "its original is gone or has changed, so this may be the last copy; it was left as it is"
    return None


def _placed_mtime_ns(move: Move) -> int:
    return move.step.mtime_ns if move.placed_mtime_ns is None else move.placed_mtime_ns


def _why(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


def _why_not(error: OSError, action: Action) -> str:
    if error.errno == errno.EXDEV:
        return "a hard link cannot reach another drive; use --mode copy"
    if isinstance(error, PermissionError):
        return f"it may not be done there: permission denied ({action})"
    return f"the {action} failed: {_why(error)}"


# After the last step, or after a crash


def _settle(catalogue: Catalogue, batch: int, state: BatchState) -> str | None:
    """Ends a batch: asks the disk about every open step, then puts the manifest and the folder in order.

    Returns what went wrong, if anything did; then the batch stays open, for recover.
    """
    journal = Journal(catalogue)
    dest = next(known.dest for known in journal.batches() if known.id == batch)
    trouble = None
    if state is BatchState.APPLYING:
        for move in journal.moves(batch, [MoveState.PLANNED, MoveState.MOVING]):
            try:
                placed = evidence.was_placed(dest, move)
            except OSError as error:
                trouble = _unsettled(catalogue, journal, move, error)
                continue
            with catalogue.atomic():
                if placed:
                    _note_done(catalogue, journal, dest, move)
                else:
                    journal.set_move(move, MoveState.SKIPPED, reason=move.reason or "it was not reached")
    else:
        for move in journal.moves(batch, [MoveState.UNDOING]):
            try:
                taken_back = evidence.was_taken_back(move)
            except OSError as error:
                trouble = _unsettled(catalogue, journal, move, error)
                continue
            with catalogue.atomic():
                if taken_back:
                    _note_undone(catalogue, journal, dest, move)
                else:
                    journal.set_move(move, MoveState.DONE)
    untidy = _tidy(catalogue, journal, batch, dest, state, ends=trouble is None)
    trouble = trouble or untidy
    if trouble is None:
        with catalogue.atomic(durable=True):
            ended = BatchState.APPLIED if state is BatchState.APPLYING else BatchState.UNDONE
            journal.set_batch(batch, ended, time.time_ns())
    return trouble


def _unsettled(catalogue: Catalogue, journal: Journal, move: Move, error: OSError) -> str:
    """Leaves a step open of which the disk does not say how far it came."""
    reason = _why(error)
    with catalogue.atomic():
        journal.set_move(move, move.state, reason=reason)
    return (
        f"what became of {_show(move.step.source)} -> {_show(move.step.target)} cannot be found out now ({reason}); "
        "mend that and run: hashindex recover"
    )


def _tidy(
    catalogue: Catalogue, journal: Journal, batch: int, dest: bytes, state: BatchState, *, ends: bool
) -> str | None:
    """Writes the manifest anew; where the batch ends, a destination in which nothing is left of ours stops being one.

    Returns what went wrong.
    """
    # The manifest may have entries of other catalogues; only what this batch took back goes.
    undone = {placed_by(move.step) for move in journal.moves(batch, [MoveState.UNDONE])}
    try:
        others = [entry for entry in files.read_manifest(dest) if entry not in undone]
        placed = merged(journal.placed(dest), others)
        # Where a link has its name by now, what lies behind it is not what an apply began with; undo has just worked
        # there.
        if files.folder_identity(dest) is not None or (state is BatchState.UNDOING and os.path.isdir(dest)):
            moves.write_manifest(dest, placed)
            moves.sync_folder(dest)
    except OSError as error:
        return (
            f"the list of what was placed, {_show(files.MANIFEST)}, could not be written ({_why(error)}); mend that "
            "and run: hashindex recover"
        )
    if placed or not ends:
        return None
    with catalogue.atomic():
        catalogue.drop_destination(dest)
    if any(journal.made_dest(known.id) for known in journal.batches() if known.dest == dest and known.id <= batch):
        moves.remove_folder_if_empty(dest)
    return None


def _show(path: bytes) -> str:
    return os.fsdecode(path)
