"""Records what a person decides in a review, undoes it, and tells which groups were reviewed."""

import time
from collections.abc import Collection, Mapping, Sequence

from hashindex.core.errors import UsageError
from hashindex.core.language import Message
from hashindex.core.model import File, Group
from hashindex.core.options import Level
from hashindex.core.reviewing import KeeperDecision, ReviewChange, ReviewedContent, ReviewKind, ReviewRows
from hashindex.index.decisions import put_back, record
from hashindex.store.catalogue import Catalogue


def review(
    catalogue: Catalogue, level: Level, members: Sequence[File], kind: ReviewKind, pictures: Sequence[File]
) -> ReviewChange:
    """Records a decision on a group, and that the group was reviewed. catalogue: a writer.

    members: all files of the group. pictures: those that the decision is about. SAME: they are one picture. SEPARATE:
    none of them belongs to the other members; if they are all members, no two belong together. KEPT: the only one is
    the keeper. UsageError for other numbers of pictures, and for too many separate pairs.
    """
    digests = list(dict.fromkeys(file.content.digest for file in members))
    named = list(dict.fromkeys(file.content.digest for file in pictures))
    with catalogue.atomic():
        before = _rows(catalogue, level, digests)
        if kind is ReviewKind.SAME and len(named) > 1:
            record(catalogue, named, same=True)
        elif kind is ReviewKind.SEPARATE:
            record(catalogue, named, same=False, others=[digest for digest in digests if digest not in named])
        elif kind is ReviewKind.KEPT:
            _keep(catalogue, digests, pictures)
        _note_reviewed(catalogue, level, members, kind)
        after = _rows(catalogue, level, digests)
    return ReviewChange(level, _without(before, after), _without(after, before))


def undo_review(catalogue: Catalogue, change: ReviewChange) -> None:
    """Undoes a decision. catalogue: a writer. UsageError, and nothing changes, if a later one changed its rows."""
    level, removed, added = change
    digests = {one.digest for rows in (removed, added) for one in rows.reviewed}
    digests |= {one.digest for rows in (removed, added) for one in rows.keepers}
    with catalogue.atomic():
        now = _rows(catalogue, level, digests)
        if not all(mine <= theirs for mine, theirs in zip(added, now, strict=True)):
            raise UsageError(
                Message("A later decision changed this one; undo that one first, or see hashindex decisions.")
            )
        put_back(catalogue, drop=added.decisions, put=removed.decisions)
        catalogue.reviews.drop_keepers(one.digest for one in added.keepers)
        catalogue.reviews.put_keepers(removed.keepers)
        catalogue.reviews.drop_reviewed(level, [one.digest for one in added.reviewed])
        catalogue.reviews.put_reviewed(removed.reviewed)


def kind_of(group: Group, reviewed: Mapping[bytes, ReviewedContent]) -> ReviewKind | None:
    """What was decided when the group was reviewed; None if it was not, or if a file has joined it since."""
    files: dict[bytes, int] = {}
    for member in group.members:
        digest = member.file.content.digest
        files[digest] = files.get(digest, 0) + 1
    rows = [reviewed.get(digest) for digest in files]
    first = rows[0]
    if first is None:
        return None
    for row, count in zip(rows, files.values(), strict=True):
        if row is None or row.review != first.review or count > row.files:
            return None
    return first.kind


def _keep(catalogue: Catalogue, digests: Collection[bytes], pictures: Sequence[File]) -> None:
    if len(pictures) != 1:
        raise UsageError(Message("Choose one picture to keep, not {count}.", count=len(pictures)))
    kept = pictures[0]
    over = frozenset(digests) - {kept.content.digest}
    catalogue.reviews.drop_keepers(digests)
    catalogue.reviews.put_keepers([KeeperDecision(kept.content.digest, kept.path_bytes, over, time.time_ns())])


def _note_reviewed(catalogue: Catalogue, level: Level, members: Sequence[File], kind: ReviewKind) -> None:
    files: dict[bytes, int] = {}
    for file in members:
        files[file.content.digest] = files.get(file.content.digest, 0) + 1
    number = catalogue.reviews.next_review()
    catalogue.reviews.put_reviewed(
        ReviewedContent(level, digest, number, count, kind) for digest, count in files.items()
    )


def _rows(catalogue: Catalogue, level: Level, digests: Collection[bytes]) -> ReviewRows:
    return ReviewRows(
        frozenset(catalogue.verdicts.decisions()),
        frozenset(catalogue.reviews.keepers(digests).values()),
        frozenset(catalogue.reviews.reviewed(level, digests).values()),
    )


def _without(rows: ReviewRows, others: ReviewRows) -> ReviewRows:
    return ReviewRows(rows.decisions - others.decisions, rows.keepers - others.keepers, rows.reviewed - others.reviewed)
