"""What the disk says of a step that was begun: was it carried out, was it taken back. Ends what is half done.

For crashes and for acts that failed half-way; what to do about the answer is step.py's business. Where the disk
does not answer, an OSError goes to the caller, and the question stays open: nothing here guesses.
"""

import os

from hashindex.core.messages import Move, MoveState
from hashindex.core.organizing import Action, Step
from hashindex.disk import files
from hashindex.organize import moves


def part_of(folder: bytes, move: Move) -> bytes:
    """The name of an unfinished copy: known from the journal, so that recover finds it."""
    return os.path.join(folder, b".hashindex-%d-%d.part" % (move.batch, move.ordinal))


def was_placed(dest: bytes, move: Move, *, ours: bool = True) -> bool:
    """Whether an open step was carried out; finishes or clears away what is half done.

    ours: whether what has target's name may be ours; else it is only where it is the source itself. OSError where the
    disk does not say: then it is to be asked again.
    """
    step = move.step
    _clear_unfinished(part_of(dest, move), step.target, step.source)
    if step.action is Action.SYMLINK:
        return files.link_target(step.target) == step.source
    # The look at what may be removed comes last: what somebody puts there meanwhile is not ours.
    if files.is_same_file(step.target, step.source):
        if step.action is Action.MOVE:
            if move.state is not MoveState.MOVING:
                return False
            # It has both names: the second was made, the first not yet taken away.
            moves.remove(step.source)
        return True
    if not ours or not _holds(step.target, step):
        return False
    if step.action is Action.MOVE and files.lstat_of(step.source) is not None:
        if move.state is not MoveState.MOVING:
            return False
        # Copied and compared, the source not yet taken away; or something else has its name by now.
        moves.sync_folder(os.path.dirname(step.target))
        _remove_if_it_holds(step.source, step)
    return True


def was_taken_back(move: Move, *, ours: bool = True) -> bool:
    """The same for an open step of an undo; ours: whether what has source's name may be."""
    step = move.step
    if step.action is not Action.MOVE:
        return files.lstat_of(step.target) is None
    folder = os.path.dirname(step.source)
    _clear_unfinished(part_of(folder, move), step.source, step.target)
    if files.is_same_file(step.source, step.target):
        moves.remove(step.target)
        return True
    if files.lstat_of(step.target) is None:
        return True
    if not ours or not _holds(step.source, step):
        return False
    moves.sync_folder(folder)
    _remove_if_it_holds(step.target, step)
    return True


def _clear_unfinished(part: bytes, claimed: bytes, original: bytes) -> None:
    """Removes an unfinished copy, and before it the empty name that may have been claimed for it (see moves)."""
    if files.lstat_of(part) is None:
        return
    if files.size_of_regular(claimed) == 0 and files.lstat_of(original) is not None:
        moves.remove(claimed)
    moves.remove_part(part)


def _remove_if_it_holds(path: bytes, step: Step) -> None:
    """Removes a second copy of the step's bytes; what was put there while it was read stays."""
    before = files.lstat_of(path)
    if _holds(path, step) and files.is_same_stat(before, files.lstat_of(path)):
        moves.remove(path)


def _holds(path: bytes, step: Step) -> bool:
    """Whether a regular file with the step's bytes is there. OSError where the disk does not say."""
    return files.size_of_regular(path) == step.size and moves.digest_of(path) == step.digest
