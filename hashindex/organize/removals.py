"""(groups of copies, what is known of each pair and each file) -> which copies go, and why the others stay.

Pure, except that GroupEvidence answers questions. A copy goes only for a picture that stays, that was compared with it
directly, and that is at least as good in everything.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

from hashindex.clients.layouts import owner_of
from hashindex.core.deduping import DedupeOptions, Kept, Left, Removal
from hashindex.core.language import Message, Part, Shortened, joined
from hashindex.core.model import File, Group, Relation
from hashindex.disk import files
from hashindex.judge.faults import WORDS, Fault, Ranked
from hashindex.organize.trash import is_in_trash
from hashindex.pictures.formats import may_be_masked


class PairEvidence(NamedTuple):
    """What is known of two contents."""

    relation: Relation
    chance: float
    """The judge's chance that they are copies, 0 to 1."""
    is_full_scale: bool
    """They were compared at the scale of the smaller one."""
    is_decided: bool
    """The user decided that they are one picture."""


class GroupEvidence(Protocol):
    """What is known of the members of groups."""

    def pair(self, a: File, b: File) -> PairEvidence:
        """What is known of the contents of two members of one group; they differ in their bytes."""
        ...

    def standing(self, group: Group) -> Mapping[int, Ranked]:
        """Content -> its rank and faults among the copies in the group."""
        ...

    def is_chosen(self, file: File) -> bool:
        """Whether the user decided that this file is the keeper of its group."""
        ...

    def is_chosen_over(self, file: File, other: File) -> bool:
        """Whether the user decided so when the other picture was in the group too."""
        ...

    def is_as_scanned(self, file: File) -> bool:
        """Whether the file is on the disk, with the size and mtime that it had when it was scanned."""
        ...

    def why_one_file(self, a: File, b: File) -> str | None:
        """Why removing one of these would free nothing, by a look at the disk; None if they are two files."""
        ...


SURE = 0.95
"""The chance of a copy that a removal needs; a group needs .5. Below it are copies in another skin tone, with another
corner, or an open and a closed lock: docs/judgement.md has what this costs."""
_UNLIKE = (Fault.APART, Fault.OTHER_ORDER)
"""Faults that may be the point of a picture: mirrored, turned by a quarter, played backwards."""
MOST_STAYING = 8
"""A copy is compared with at most this many files that stay anyway, besides those with its own bytes."""


def removals_of(
    groups: Sequence[Group], options: DedupeOptions, evidence: GroupEvidence
) -> tuple[list[Removal], list[Left], int]:
    """The copies to remove, without targets; those that are left; and the number of groups that lose a copy."""
    removals: list[Removal] = []
    left: list[Left] = []
    thinned = 0
    for group in groups:
        found = list(_Thinning(group, options, evidence).results())
        going = [one for one in found if isinstance(one, Removal)]
        removals += going
        left += [one for one in found if isinstance(one, Left)]
        thinned += bool(going)
    return removals, left, thinned


class _Thinning:
    """The decisions on one group."""

    def __init__(self, group: Group, options: DedupeOptions, evidence: GroupEvidence) -> None:
        self._group = group
        self._options = options
        self._evidence = evidence
        self._ranked: Mapping[int, Ranked] | None = None

    def results(self) -> Iterator[Removal | Left]:
        held = []
        for member in self._group.members:
            file = member.file
            if self._options.folders_bytes and not _is_below(file.path_bytes, self._options.folders_bytes):
                continue
            reason = self._why_apart(file)
            if reason is None:
                held.append(file)
            else:
                yield Left(file.path_bytes, reason)
        fixed = [file for file in held if self._is_fixed(file)]
        if len(held) < 2:
            return
        keeper = self._keeper(held, fixed)
        staying = [keeper, *(file for file in fixed if file is not keeper)][:MOST_STAYING]
        twins = {file.content.id: file for file in reversed(staying)}
        for file in held:
            if file is keeper:
                continue
            if file in fixed:
                protected = files.innermost(file.path_bytes, self._options.protect_bytes)
                if protected is not None:
                    reason = Message("it is below {protected}, which is protected", protected=os.fsdecode(protected))
                    yield Left(file.path_bytes, reason)
                continue
            own_twin = twins.get(file.content.id)
            candidates = [own_twin] if own_twin is not None else staying
            reasons = [self._why_not(kept, file) for kept in candidates]
            if None in reasons:
                yield self._removal(file, candidates[reasons.index(None)])
            else:
                twins.setdefault(file.content.id, file)
                yield Left(file.path_bytes, reasons[0] or "")
        if fixed and keeper not in fixed and (self._options.only_bytes or self._options.protect_bytes):
            yield Left(
                keeper.path_bytes,
                Message("it is better than {path}, which stays anyway", path=os.fsdecode(fixed[0].path_bytes)),
            )

    def _keeper(self, held: Sequence[File], fixed: Sequence[File]) -> File:
        """The file that stays for the others: the first, or one that stays anyway and is as good."""
        first = held[0]
        if first in fixed or self._evidence.is_chosen(first):
            return first
        # A chat client may delete what is in its own folders.
        better = fixed or ([file for file in held if _owner(file) is None] if _owner(first) is not None else [])
        same_bytes = [file for file in better if file.content.id == first.content.id]
        others = [file for file in better if file.content.id != first.content.id][:MOST_STAYING]
        return next((file for file in (*same_bytes, *others) if self._why_not(file, first) is None), first)

    def _is_fixed(self, file: File) -> bool:
        """Whether the options forbid to remove this file."""
        options = self._options
        is_outside = bool(options.only_bytes) and not _is_below(file.path_bytes, options.only_bytes)
        return is_outside or file.size < options.min_bytes or _is_below(file.path_bytes, options.protect_bytes)

    def _why_apart(self, file: File) -> str | None:
        """Why a file is neither removed nor makes others superfluous."""
        if is_in_trash(file.path_bytes):
            return Message("it is in the trash")
        if may_be_masked(file.path_bytes):
            return Message("it has the name of a picture that WeChat masked, which no viewer shows")
        owner = _owner(file)
        if owner is not None and not self._options.from_client_cache:
            return Shortened(
                Message(
                    "it is in a folder of {owner} itself, which may download or delete it; "
                    "--from-client-cache takes it like any other",
                    owner=owner,
                ),
                Message("it is in a folder of {owner} itself, which may download or delete it", owner=owner),
            )
        if not self._evidence.is_as_scanned(file):
            return Message("it is gone or has changed since it was scanned; scan and run again")
        return None

    def _why_not(self, kept: File, file: File) -> str | None:
        """Why this file cannot be removed for the one that is kept."""
        return self._why_not_as_good(kept, file) or self._evidence.why_one_file(file, kept)

    def _why_not_as_good(self, kept: File, file: File) -> str | None:
        if kept.content.id == file.content.id:
            return None
        options = self._options
        if options.identical:
            return Message("no other file has its bytes (--identical)")
        if self._evidence.is_chosen_over(kept, file):
            # The user saw both, so which of them is better is decided.
            return self._why_unproved(kept, file)
        if self._group.doubt is not None and not options.doubtful:
            return Shortened(
                Message(
                    "no copy is best in everything: {doubt} (--doubtful removes it)", doubt=Part(self._group.doubt)
                ),
                Message("no copy is best in everything"),
            )
        return self._why_worse(kept, file) or self._why_unproved(kept, file)

    def _why_worse(self, kept: File, file: File) -> str | None:
        """Why the kept file is not, for all that is known, at least as good in everything."""
        if self._ranked is None:
            self._ranked = self._evidence.standing(self._group)
        ranked, other = self._ranked.get(kept.content.id), self._ranked.get(file.content.id)
        if ranked is None or other is None or Fault.UNCOMPARED in (*ranked.faults, *other.faults):
            return Message("its group is so large that it was not compared with the best one")
        unlike = next((fault for fault in other.faults if fault in _UNLIKE), None)
        if unlike is not None:
            return Message("it is {fault}, so it may be wanted for itself", fault=WORDS[unlike])
        name = os.fsdecode(kept.path_bytes)
        if ranked.faults and not self._options.doubtful:
            return Shortened(
                Message("{name}, which would be kept, is {faults}", name=name, faults=_words(ranked)),
                Message("the picture that would be kept is {faults}", faults=_words(ranked)),
            )
        if ranked.rank > other.rank:
            return Shortened(
                Message("it is better than {name}", name=name), Message("it is better than the picture that stays")
            )
        return None

    def _why_unproved(self, kept: File, file: File) -> str | None:
        """Why it is not sure enough that both show the same picture."""
        found = self._evidence.pair(kept, file)
        if found.is_decided or found.relation is Relation.IDENTICAL:
            return None
        name = os.fsdecode(kept.path_bytes)
        if found.relation is not Relation.COPY:
            return Shortened(
                Message(
                    "it is a copy of other members of its group, but was not judged a copy of {name} itself", name=name
                ),
                Message("it is a copy of others here, but was not judged a copy of the picture that stays"),
            )
        if found.chance < SURE and not self._options.doubtful:
            percent = round(100 * found.chance)
            return Shortened(
                Message(
                    "it may be no copy of {name}: the judge is sure of it to {chance} (--doubtful removes it)",
                    name=name,
                    chance=f"{percent}%",
                ),
                Message("the judge is only {percent} % sure that it is a copy", percent=percent),
            )
        if not found.is_full_scale:
            return Shortened(
                Message("it could not be compared with {name} at its full size", name=name),
                Message("it could not be compared with the picture that stays at its full size"),
            )
        return None

    def _removal(self, file: File, kept: File) -> Removal:
        content, stays = file.content, kept.content
        if content.id == stays.id:
            relation, why = Relation.IDENTICAL, Message("it has the same bytes")
        else:
            relation = max(self._evidence.pair(kept, file).relation, Relation.COPY)
            ranked = (self._ranked or {}).get(content.id)
            why = Message("it is as good")
            if self._evidence.is_chosen_over(kept, file):
                why = Message("you decided to keep the other one")
            elif ranked is not None and ranked.faults:
                why = Message("it is {faults}", faults=_words(ranked))
        kept_now = Kept(kept.path_bytes, stays.digest, kept.size, kept.mtime_ns)
        return Removal(file.path_bytes, content.digest, file.size, file.mtime_ns, kept_now, relation, why)


def _owner(file: File) -> str | None:
    """The chat client in whose own folder a file is."""
    return owner_of(os.path.dirname(file.path_bytes))


def _words(ranked: Ranked) -> str:
    return joined(Message(", "), (WORDS[fault] for fault in ranked.faults))


def _is_below(path: bytes, folders: Sequence[bytes]) -> bool:
    return files.innermost(path, folders) is not None
