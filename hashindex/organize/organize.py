"""The operations plan, organize, undo and recover, from the check of DEST to the end.

All but plan hold the lock and first end the batches that a killed run left open. batch.py carries out a plan.
"""

import os
from collections.abc import Callable

from hashindex.clients.layouts import WHAT_IT_DOES
from hashindex.core.errors import UsageError
from hashindex.core.language import Message, joined
from hashindex.core.model import Progress
from hashindex.core.options import ScanOptions
from hashindex.core.organizing import PLACING, Action, Batch, BatchCommand, Organized, Outcome, PlaceOptions, Plan, Step
from hashindex.core.paths import PathLike
from hashindex.disk import files
from hashindex.index.catch_up import answered, answered_in
from hashindex.index.grouping import Grouping
from hashindex.organize import batch
from hashindex.organize.planning import Planned, plan_for
from hashindex.store.access import Access
from hashindex.store.catalogue import Catalogue
from hashindex.store.journal import Journal


def plan(
    access: Access,
    dest: PathLike,
    action: Action,
    grouping: Grouping,
    options: PlaceOptions,
    *,
    on_progress: Callable[[Progress], None],
) -> Plan:
    """See HashIndex.plan."""
    folder = destination(dest)
    with access.reading() as catalogue:
        check_destination(catalogue, folder)

    def ask(catalogue: Catalogue) -> Planned:
        return plan_for(catalogue, folder, action, grouping, options, on_progress)

    return answered(access, grouping, ask, on_progress)


def organize(
    access: Access,
    dest: PathLike,
    action: Action,
    grouping: Grouping,
    options: PlaceOptions,
    *,
    from_client_cache: bool,
    stop: Callable[[], bool],
    on_step: Callable[[Step], None],
    on_progress: Callable[[Progress], None],
    on_placed: Callable[[int, int], None],
) -> Organized:
    """See HashIndex.organize."""
    folder = destination(dest)
    waiting = Progress(0, 0, 0, walking=False, waiting=True)

    def ask(catalogue: Catalogue) -> Planned:
        return plan_for(catalogue, folder, action, grouping, options, on_progress)

    def run() -> Organized:
        with access.batch_lock(), access.writing(on_wait=lambda: on_progress(waiting)) as catalogue:
            check_destination(catalogue, folder)
            recovered = batch.recover(catalogue)
            batch.refuse_open(catalogue, folder)
            reading = ScanOptions(limits=grouping.limits, workers=grouping.workers)
            _read_destination(catalogue, folder, reading, on_progress)
            found = answered_in(catalogue, grouping, ask, on_progress)
            if found.from_clients and not from_client_cache:
                raise UsageError(_what_clients_do(found))
            request = batch.Request(BatchCommand.ORGANIZE, folder, action, found.steps)
            outcome = batch.apply(catalogue, request, stop=stop, on_step=on_step, on_progress=on_placed)
        return Organized(found, outcome, tuple(recovered))

    return access.with_recovery(run)


def undo(
    access: Access, number: int | None, stop: Callable[[], bool], on_progress: Callable[[int, int], None]
) -> Outcome:
    """Undoes the batch of this number, or the last batch that can be undone."""

    def run() -> Outcome:
        with access.batch_lock(), access.writing() as catalogue:
            batch.recover(catalogue)
            batches = Journal(catalogue).batches()
            if number is not None and number not in {known.id for known in batches}:
                raise UsageError(Message("There is no batch {number}; see hashindex history.", number=number))
            asked = [known for known in batches if number in (None, known.id)]
            left = [known for known in asked if known.done + known.kept or known.is_open]
            if not left:
                raise UsageError(Message("There is nothing to undo; see hashindex history."))
            return batch.undo(catalogue, left[-1], stop=stop, on_progress=on_progress)

    return access.with_recovery(run)


def recover(access: Access) -> list[Batch]:
    """Ends the batches that a killed run left open."""

    def run() -> list[Batch]:
        with access.batch_lock(), access.writing() as catalogue:
            return batch.recover(catalogue)

    return access.with_recovery(run)


def action_named(action: str) -> Action:
    """The action of this name; UsageError if organize has none."""
    if action not in PLACING:
        raise UsageError(
            Message(
                'There is no way to organize called "{action}"; choose one of {actions}.',
                action=action,
                actions=", ".join(PLACING),
            )
        )
    return Action(action)


def _what_clients_do(plan: Plan) -> str:
    counts = (Message("{count:,} of {owner}", count=count, owner=owner) for owner, count in plan.from_clients)
    whose = joined(Message(", "), counts)
    does = joined(Message(". "), (WHAT_IT_DOES[owner] for owner, _ in plan.from_clients))
    return Message(
        "This would move files out of a chat client's own folders ({whose}), and nothing was moved. "
        "{does}. Copy them instead (--mode copy), or add --from-client-cache to move them anyway.",
        whose=whose,
        does=does,
    )


def destination(dest: PathLike) -> bytes:
    """The real path of a folder for pictures. UsageError if it cannot be one."""
    folder = files.real_path(dest)
    place = files.nearest_existing(folder)
    if not files.exists(place):
        raise UsageError(
            Message("{place} does not exist; connect its drive, or name another folder.", place=os.fsdecode(place))
        )
    if not os.path.isdir(place):
        raise UsageError(
            Message("{place} is a file; name a folder, which need not exist yet.", place=os.fsdecode(place))
        )
    return folder


def check_destination(catalogue: Catalogue, dest: bytes) -> None:
    """UsageError if a root is, or lies in, this folder."""
    for root in catalogue.roots():
        if files.is_within(root.path, dest):
            if root.path == dest:
                refusal = Message(
                    "{dest} is a folder that is scanned, so pictures cannot be organized into it; name another "
                    "folder, next to it or inside it.",
                    dest=os.fsdecode(dest),
                )
            else:
                refusal = Message(
                    "{dest} contains a folder that is scanned, so pictures cannot be organized into it; name "
                    "another folder, next to it or inside it.",
                    dest=os.fsdecode(dest),
                )
            raise UsageError(refusal)


def _read_destination(
    catalogue: Catalogue, dest: bytes, options: ScanOptions, on_progress: Callable[[Progress], None]
) -> None:
    """Updates the catalogue from the manifest and the files of a destination."""
    try:
        manifest = files.read_manifest(dest)
    except OSError as error:
        raise UsageError(
            Message("{path}: {reason}.", path=os.fsdecode(dest), reason=files.reason_of(error, "folder"))
        ) from error
    if not manifest and dest not in catalogue.destinations():
        return
    with catalogue.atomic():
        catalogue.put_destination(dest)
        Journal(catalogue).put_placed(dest, manifest)
    if os.path.isdir(dest):
        from hashindex.index.scan import scan

        scan(catalogue, [dest], options, register=False, on_progress=on_progress)
