"""Carries out a plan as a batch of the journal, takes a batch back, and ends one that a killed run left open.

One step is step.py's, its acts are moves.py's, the record is journal.py's; here is the order of things.
"""

import os
import time
from collections.abc import Callable

from hashindex.core.errors import UsageError
from hashindex.core.messages import Move, MoveState
from hashindex.core.organizing import (
    STOPPED_BY_USER,
    Action,
    Batch,
    BatchState,
    Outcome,
    Plan,
    Refusal,
    Step,
)
from hashindex.disk import files
from hashindex.organize import disk_state, moves
from hashindex.organize.step import NO_ROOM, note_done, note_undone, place, show, take_back, why
from hashindex.store.catalogue import Catalogue
from hashindex.store.journal import Journal, merged, placed_by


def apply(
    catalogue: Catalogue,
    plan: Plan,
    *,
    stop: Callable[[], bool] = lambda: False,
    on_step: Callable[[Step], None] = lambda step: None,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
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
        planned = journal.moves(batch, [MoveState.PLANNED])
        for number, move in enumerate(planned):
            on_progress(number, len(planned))
            if stop():
                stopped = STOPPED_BY_USER
            elif identity is None or _identity(plan.dest) != identity:
                stopped = f"{show(plan.dest)} is no longer the folder that it was when this began"
            if stopped is not None:
                break
            reason = place(catalogue, journal, plan.dest, move)
            if reason is None:
                on_step(move.step)
                continue
            refused[move.ordinal] = Refusal(move.step.source, reason)
            if reason == NO_ROOM:
                stopped = reason
                break
        else:
            on_progress(len(planned), len(planned))
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
        raise UsageError(f"{show(dest)} cannot be made: {why(error)}; name another folder.") from error


def _identity(dest: bytes) -> tuple[int, int] | None:
    try:
        return files.folder_identity(dest)
    except OSError:
        return None  # not to be worked in now, whatever it is


def undo(
    catalogue: Catalogue,
    batch: Batch,
    *,
    stop: Callable[[], bool] = lambda: False,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Outcome:
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
        placed = journal.moves(batch.id, [MoveState.DONE, MoveState.KEPT])
        for number, move in enumerate(reversed(placed)):
            on_progress(number, len(placed))
            if stop():
                stopped = STOPPED_BY_USER
                break
            reason = take_back(catalogue, journal, batch.dest, move)
            if reason is not None:
                refused[move.ordinal] = Refusal(move.step.target, reason)
        else:
            on_progress(len(placed), len(placed))
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
            troubles[batch.id] = f"{show(batch.dest)} is not there; connect its drive and run hashindex recover"
    return [batch._replace(trouble=troubles[batch.id]) for batch in journal.batches() if batch.id in troubles]


def refuse_open(catalogue: Catalogue, dest: bytes) -> None:
    """UsageError where a batch of that destination was cut off and cannot be put in order now."""
    for batch in Journal(catalogue).batches():
        if batch.dest == dest and batch.is_open and os.path.isdir(dest):
            _refuse_open(Journal(catalogue), batch)


def _refuse_open(journal: Journal, batch: Batch) -> None:
    steps = journal.moves(batch.id, _UNDER_WAY)
    if steps:
        paths = f"{show(steps[0].step.source)} or {show(steps[0].step.target)}"
        raise UsageError(
            f"Batch {batch.id} was cut off, and the disk does not say how far it came: {paths} cannot be reached "
            f"({steps[0].reason or 'is a drive unplugged?'}). Nothing was touched; mend that and run: hashindex recover"
        )


_UNDER_WAY = (MoveState.MOVING, MoveState.UNDOING)


def _check_room(plan: Plan) -> None:
    try:
        device = files.device_of(files.nearest_existing(plan.dest))
        free = moves.free_room(plan.dest)
    except OSError as error:
        raise UsageError(f"{show(plan.dest)} cannot be reached: {why(error)}; nothing was placed.") from error
    needed = sum(step.size for step in plan.steps if _takes_room(step, device))
    if needed > free:
        raise UsageError(
            f"{show(plan.dest)} has room for {free:,} bytes, and this needs {needed:,}; nothing was placed. "
            "Make room, or link instead: --mode hardlink."
        )


def _takes_room(step: Step, device: int) -> bool:
    if step.action is Action.COPY:
        return True
    seen = files.stat_at(step.source)
    return step.action is Action.MOVE and seen is not None and seen.device != device


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
                placed = disk_state.was_placed(dest, move)
            except OSError as error:
                trouble = _unsettled(catalogue, journal, move, error)
                continue
            with catalogue.atomic():
                if placed:
                    note_done(catalogue, journal, dest, move)
                else:
                    journal.set_move(move, MoveState.SKIPPED, reason=move.reason or "it was not reached")
    else:
        for move in journal.moves(batch, [MoveState.UNDOING]):
            try:
                taken_back = disk_state.was_taken_back(move)
            except OSError as error:
                trouble = _unsettled(catalogue, journal, move, error)
                continue
            with catalogue.atomic():
                if taken_back:
                    note_undone(catalogue, journal, dest, move)
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
    reason = why(error)
    with catalogue.atomic():
        journal.set_move(move, move.state, reason=reason)
    return (
        f"what became of {show(move.step.source)} -> {show(move.step.target)} cannot be found out now ({reason}); "
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
            f"the list of what was placed, {show(files.MANIFEST)}, could not be written ({why(error)}); mend that "
            "and run: hashindex recover"
        )
    if placed or not ends:
        return None
    with catalogue.atomic():
        catalogue.drop_destination(dest)
    if any(journal.made_dest(known.id) for known in journal.batches() if known.dest == dest and known.id <= batch):
        moves.remove_folder_if_empty(dest)
    return None
