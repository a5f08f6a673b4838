"""Carries out or undoes one step of a batch and records it in the journal. batch.py chooses the steps.

Each step is recorded before and after the change of files. After a crash in between, the disk shows whether the change
was made.
"""

import contextlib
import errno
import os
import time
from collections.abc import Callable

from hashindex.core.language import Message
from hashindex.core.messages import FileStat, Move, MoveState
from hashindex.core.organizing import Action, Step
from hashindex.disk import files
from hashindex.organize import disk_state, moves
from hashindex.organize.trash import in_system_trash, is_in_trash
from hashindex.store.catalogue import Catalogue
from hashindex.store.journal import Journal, placed_by

_FAILED: dict[Action, Callable[[str], Message]] = {
    Action.COPY: lambda reason: Message("the copy failed: {reason}", reason=reason),
    Action.MOVE: lambda reason: Message("the move failed: {reason}", reason=reason),
    Action.HARDLINK: lambda reason: Message("the hardlink failed: {reason}", reason=reason),
    Action.SYMLINK: lambda reason: Message("the symlink failed: {reason}", reason=reason),
    Action.REFLINK: lambda reason: Message("the reflink failed: {reason}", reason=reason),
    Action.TRASH: lambda reason: Message("the trash failed: {reason}", reason=reason),
}
NO_ROOM = Message("the disk is full; free some space and run it again")
GONE_OR_CHANGED = Message("it is gone or has changed since the plan was made; scan and run again")
OTHER_BYTES = Message("its bytes are not those that were scanned; scan and run again")
_FULL = {errno.ENOSPC, errno.EDQUOT}


def place(catalogue: Catalogue, journal: Journal, dest: bytes, move: Move) -> str | None:
    """Carries out one step. Returns the reason if it failed. The step stays open if its state cannot be determined."""
    step = move.step
    unchanged = files.has_size_and_mtime(step.source_bytes, step.size, step.mtime_ns)
    reason = _make_folder(dest, step) if unchanged else GONE_OR_CHANGED
    if reason is None:
        with catalogue.atomic():
            journal.set_move(move, MoveState.MOVING)
        move = move._replace(state=MoveState.MOVING)
        reason = _attempt(
            lambda: moves.place(step, disk_state.part_of(step.target_bytes, move)),
            step.action,
            changed=OTHER_BYTES,
            taken=Message(
                "the name {target} is in use now; that file was left unchanged. Run again",
                target=show(step.target_bytes),
            ),
            was_done=lambda taken: disk_state.was_placed(move, ours=not taken),
        )
    if isinstance(reason, Unclear):
        with catalogue.atomic():
            journal.set_move(move, MoveState.MOVING, reason=reason)
        return reason
    if reason is not None:
        skip(catalogue, journal, move, reason)
        return reason
    if step.number:
        # If this fails, the manifest is still rewritten at the end of the batch.
        with contextlib.suppress(OSError):
            moves.append_to_manifest(dest, placed_by(dest, step))
    with catalogue.atomic():
        note_done(catalogue, journal, dest, move)
    return None


def skip(catalogue: Catalogue, journal: Journal, move: Move, reason: str) -> None:
    """Records that a step is not carried out, and why."""
    with catalogue.atomic():
        journal.set_move(move, MoveState.SKIPPED, reason=reason)
        if reason in (GONE_OR_CHANGED, OTHER_BYTES):
            # Size and times may be as recorded, so the next scan must read the bytes.
            catalogue.read_again(move.step.source_bytes)


def _make_folder(dest: bytes, step: Step) -> str | None:
    """Makes the folder of a numbered step. Returns the reason if that failed; then no picture was touched."""
    if not step.number:
        return None
    folder = os.path.dirname(step.target_bytes)
    try:
        moves.make_folders_below(dest, folder)
    except FileExistsError:
        return Message(
            "the folder {folder} cannot be made: a file or a link has the name. Rename it, and run again",
            folder=show(folder),
        )
    except OSError as error:
        if error.errno in _FULL:
            return NO_ROOM
        return Message(
            "the folder {folder} cannot be made: {reason}", folder=show(folder), reason=files.system_reason(error)
        )
    return None


def note_done(catalogue: Catalogue, journal: Journal, dest: bytes, move: Move) -> None:
    """Records that the file was placed, and its new path. Inside a transaction."""
    step = move.step
    seen = files.stat_at(step.target_bytes) or FileStat(b"", step.size, step.mtime_ns, 0, 0)
    journal.set_move(move, MoveState.DONE, placed_mtime_ns=seen.mtime_ns)
    if step.number:
        journal.put_placed(dest, [placed_by(dest, step)])
    if not step.target_bytes or is_in_trash(step.target_bytes):
        catalogue.note_trashed_file(step.source_bytes, time.time_ns())
    else:
        catalogue.note_placed_file(step, seen, time.time_ns())


def take_back(catalogue: Catalogue, journal: Journal, dest: bytes, move: Move) -> str | None:
    """Undoes one step. Returns the reason if it failed, like place."""
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
            lambda: _reverse(move),
            step.action,
            changed=Message("its bytes are not those that were placed; it was left unchanged"),
            taken=Message("its old name {source} is in use; it was left unchanged", source=show(step.source_bytes)),
            was_done=lambda taken: disk_state.was_taken_back(move, ours=not taken),
        )
    with catalogue.atomic():
        if isinstance(reason, Unclear):
            journal.set_move(move, MoveState.UNDOING, reason=reason)
        elif reason is not None:
            journal.set_move(move, MoveState.KEPT, reason=reason)
        else:
            note_undone(catalogue, journal, dest, move)
    return reason


def _reverse(move: Move) -> None:
    step = move.step
    if step.action not in (Action.MOVE, Action.TRASH):
        # Check again: time has passed since the first check, for the journal entry. The target is checked last.
        if _changed_since(move) is not None:
            raise moves.SourceChanged
        moves.remove(step.target_bytes)
        return
    target = step.target_bytes or _in_system_trash(step)
    if target is None:
        raise moves.SourceChanged
    moves.make_folder(os.path.dirname(step.source_bytes))
    part = disk_state.part_of(step.source_bytes, move)
    moves.move_noreplace(target, step.source_bytes, part, step.digest, step.size, _placed_mtime_ns(move))


class Unclear(Message):
    """Why it cannot be determined whether a change was made."""


def _attempt(
    act: Callable[[], None], action: Action, *, changed: str, taken: str, was_done: Callable[[bool], bool]
) -> str | None:
    """Calls act. Returns the reason if it failed: then nothing has changed, or the reason is an Unclear.

    was_done: called after a failure; returns whether the change was made nevertheless, and removes unfinished files.
    Its argument is whether another file has the new name.
    """
    name_in_use = False
    try:
        act()
        return None
    except moves.SourceChanged:
        reason = changed
    except FileExistsError:
        reason, name_in_use = taken, True
    except OSError as error:
        reason = NO_ROOM if error.errno in _FULL else _why_not(error, action)
    try:
        return None if was_done(name_in_use) else reason
    except OSError as error:
        unclear = Message(
            "{reason}; and then the disk could not be checked: {system_reason}",
            reason=reason,
            system_reason=files.system_reason(error),
        )
        return Unclear("{unclear}", unclear=unclear)


def note_undone(catalogue: Catalogue, journal: Journal, dest: bytes, move: Move) -> None:
    """Records that the step was undone. Inside a transaction."""
    seen = files.stat_at(move.step.source_bytes) or FileStat(b"", move.step.size, move.step.mtime_ns, 0, 0)
    journal.set_move(move, MoveState.UNDONE)
    if move.step.number:
        journal.drop_placed(dest, move.step)
    catalogue.note_restored_file(move.step, seen, time.time_ns())


def _changed_since(move: Move) -> str | None:
    """Why a step must not be undone; None if it may be. OSError if the disk cannot be read."""
    step = move.step
    if step.action is Action.TRASH:
        return None if _in_system_trash(step) else Message("put it back by hand, from the trash of your system")
    if files.lstat_of(step.target_bytes) is None:
        return Message("it is no longer in the trash") if is_in_trash(step.target_bytes) else Message("it is gone")
    if step.action is Action.SYMLINK:
        return (
            None
            if files.link_target(step.target_bytes) == step.source_bytes
            else Message("it is no longer the link that was made")
        )
    if step.action is Action.HARDLINK:
        if files.is_same_file(step.source_bytes, step.target_bytes):
            return None
        return Message("its original is gone or has changed, so this may be the last copy; it was left unchanged")
    is_copy = step.action in (Action.COPY, Action.REFLINK)
    is_elsewhere = not is_copy or files.has_size_and_mtime(step.source_bytes, step.size, step.mtime_ns)
    if not files.has_size_and_mtime(step.target_bytes, step.size, _placed_mtime_ns(move)):
        return Message("it has changed since; it was left unchanged")
    if not is_elsewhere:
        return Message("its original is gone or has changed, so this may be the last copy; it was left unchanged")
    return None


def _in_system_trash(step: Step) -> bytes | None:
    """The path of a file that Send2Trash moved; None if it cannot be found."""
    for path in in_system_trash(os.path.basename(step.source_bytes), step.size):
        if moves.digest_of(path) == step.digest:
            return path
    return None


def _placed_mtime_ns(move: Move) -> int:
    return move.step.mtime_ns if move.placed_mtime_ns is None else move.placed_mtime_ns


def _why_not(error: OSError, action: Action) -> str:
    if error.errno == errno.EXDEV:
        return Message("a hard link cannot reach another drive; use --mode copy")
    return _FAILED[action](files.system_reason(error))


def show(path: bytes) -> str:
    """A path as text, for messages."""
    return os.fsdecode(path)
