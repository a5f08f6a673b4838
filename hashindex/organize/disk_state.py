"""Checks on the disk whether an open step was carried out or undone, and finishes or removes partial changes.

Used after crashes and failed operations; step.py and batch.py act on the result. If the disk cannot be read, an OSError
goes to the caller and the step stays open: no function guesses.
"""

import errno
import os

from hashindex.core.language import Message
from hashindex.core.messages import Move, MoveState
from hashindex.core.organizing import Action, Step
from hashindex.disk import files
from hashindex.organize import moves


def part_of(path: bytes, move: Move) -> bytes:
    """The path of an unfinished copy of the file at path. It follows from the journal, so that recover finds it."""
    return os.path.join(os.path.dirname(path), b".hashindex-%d-%d.part" % (move.batch, move.ordinal))


def was_placed(move: Move, *, ours: bool = True) -> bool:
    """Whether an open step was carried out. Finishes or removes partial changes.

    ours: whether hashindex may have created the file at target; if False, only a hard link to the source counts.
    OSError if the disk cannot be read: the caller must check again later.
    """
    step = move.step
    if step.action is Action.TRASH:
        return files.lstat_of(step.source_bytes) is None
    _check_reachable(move)
    _clear_unfinished(part_of(step.target_bytes, move), step.target_bytes, step.source_bytes)
    if step.action is Action.SYMLINK:
        return files.link_target(step.target_bytes) == step.source_bytes
    # Check the file that may be removed last, because another program may replace it meanwhile.
    if files.is_same_file(step.target_bytes, step.source_bytes):
        if step.action is Action.MOVE:
            if move.state is not MoveState.MOVING:
                return False
            # The file has both names: the new one was created, and the old one was not removed yet.
            moves.remove(step.source_bytes)
        return True
    if not ours or not _holds(step.target_bytes, step):
        return False
    if step.action is Action.MOVE and files.lstat_of(step.source_bytes) is not None:
        if move.state is not MoveState.MOVING:
            return False
        # The copy was compared, and the source was not removed yet; or another file has its name now.
        moves.sync_folder(os.path.dirname(step.target_bytes))
        _remove_if_it_holds(step.source_bytes, step)
    return True


def was_taken_back(move: Move, *, ours: bool = True) -> bool:
    """Whether an open step of an undo was undone. ours: whether hashindex may have created the file at source."""
    step = move.step
    if step.action is Action.TRASH:
        return files.lstat_of(step.source_bytes) is not None
    if step.action is not Action.MOVE:
        return files.lstat_of(step.target_bytes) is None
    _check_reachable(move)
    _clear_unfinished(part_of(step.source_bytes, move), step.source_bytes, step.target_bytes)
    if files.is_same_file(step.source_bytes, step.target_bytes):
        moves.remove(step.target_bytes)
        return True
    if files.lstat_of(step.target_bytes) is None:
        return True
    if not ours or not _holds(step.source_bytes, step):
        return False
    moves.sync_folder(os.path.dirname(step.source_bytes))
    _remove_if_it_holds(step.target_bytes, step)
    return True


def _check_reachable(move: Move) -> None:
    """Raises OSError if a move is under way and neither its file nor its folders are there: a drive is missing."""
    step = move.step
    if step.action is not Action.MOVE or move.state not in (MoveState.MOVING, MoveState.UNDOING):
        return
    paths = step.source_bytes, step.target_bytes
    if all(files.lstat_of(path) is None and not os.path.isdir(os.path.dirname(path)) for path in paths):
        raise FileNotFoundError(
            errno.ENOENT, Message("its folders do not exist; is a drive unplugged?"), step.source_bytes
        )


def _clear_unfinished(part: bytes, claimed: bytes, original: bytes) -> None:
    """Removes an unfinished copy, after the empty file that may have claimed its name (see moves)."""
    if files.lstat_of(part) is None:
        return
    if files.size_of_regular(claimed) == 0 and files.lstat_of(original) is not None:
        moves.remove(claimed)
    moves.remove_part(part)


def _remove_if_it_holds(path: bytes, step: Step) -> None:
    """Removes a second copy of the step's bytes, unless the file was replaced while it was read."""
    before = files.lstat_of(path)
    if _holds(path, step) and files.is_same_stat(before, files.lstat_of(path)):
        moves.remove(path)


def _holds(path: bytes, step: Step) -> bool:
    """Whether path is a regular file with the step's bytes. OSError if the disk cannot be read."""
    return files.size_of_regular(path) == step.size and moves.digest_of(path) == step.digest
