"""The user's decisions that pictures are the same or separate. Stored by content, exported as JSON lines.

For pictures that are the same, only the pairs of a spanning tree are stored: 1,999 pairs for 2,000 pictures. For
separate pictures every pair is stored. A later decision on a pair replaces an earlier one.
"""

import json
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import combinations, product
from typing import TypeVar

from hashindex.core.errors import UsageError
from hashindex.core.language import Message
from hashindex.core.model import DecidedPicture, Decision, NumberedDecision, Said, State
from hashindex.hashing.unionfind import UnionFind
from hashindex.store.catalogue import Catalogue

SAME, SEPARATE = "same", "separate"
MOST_SEPARATE = 100
"""Maximum of pictures in one `separate` decision: 4,950 pairs."""

Item = TypeVar("Item", int, bytes)


def say(catalogue: Catalogue, digests: Sequence[bytes], *, same: bool) -> Said:
    """Records that all contents are the same picture, or that every two are separate. catalogue: a writer.

    UsageError if there is only one content, or if there are more than MOST_SEPARATE separate ones.
    """
    with catalogue.atomic():
        return record(catalogue, digests, same=same)


def record(catalogue: Catalogue, digests: Sequence[bytes], *, same: bool, others: Sequence[bytes] = ()) -> Said:
    """As say, inside atomic().

    others: each of the contents is separate from each of these, and nothing is recorded of two contents on one side.
    """
    named = _distinct([*digests, *others])
    if not same and len(named) > MOST_SEPARATE:
        raise UsageError(
            Message(
                "These are {count:,} pictures. At most {most} can be separate at a time, because every "
                "two of them are stored as a pair; name fewer.",
                count=len(named),
                most=MOST_SEPARATE,
            )
        )
    known = catalogue.verdicts.decisions()
    now, before = time.time_ns(), {word.said_ns for word in known}
    while now in before:
        # All pairs of one decision share one time, see take_back.
        now += 1
    pairs = _spanning(named, set()) if same else _separate_pairs(set(digests), set(others))
    if same:
        opposite = [word for word in known if not word.same and {word.a, word.b} <= named]
        _drop(catalogue, opposite)
    words = [Decision(*pair, same, now) for pair in pairs]
    touched = {at: members for at, members in _same_sets(known).items() if len(members & named) > 1}
    # With others, two contents on one side of the decision stay the same.
    _replace(catalogue, touched, words, () if others else named)
    return Said(tuple(words), bool(opposite) if same else bool(touched))


def _separate_pairs(digests: Collection[bytes], others: Collection[bytes]) -> list[tuple[bytes, bytes]]:
    """The pairs (a < b) of a separate decision, see record."""
    if others:
        return [(min(pair), max(pair)) for pair in product(digests, others)]
    return list(combinations(sorted(digests), 2))


def take_back(catalogue: Catalogue, digests: Sequence[bytes], *, same: bool) -> int:
    """Withdraws decisions on two or more of these contents. Returns how many stored pairs were removed.

    catalogue: a writer. The named contents leave their set of same pictures; the other members stay the same.
    """
    named = _distinct(digests)
    with catalogue.atomic():
        known = catalogue.verdicts.decisions()
        if not same:
            gone = [word for word in known if not word.same and {word.a, word.b} <= named]
            _drop(catalogue, gone)
            return len(gone)
        count = 0
        for at, members in _same_sets(known).items():
            if len(members & named) > 1:
                before = [word for word in known if word.same and word.said_ns == at]
                _drop(catalogue, before)
                taken = {(word.a, word.b) for word in known} - {(word.a, word.b) for word in before}
                stay = [Decision(*pair, True, at) for pair in _spanning(members - named, taken)]
                _put(catalogue, stay)
                count += len(before) - len(stay)
        return count


def put_back(catalogue: Catalogue, *, drop: Iterable[Decision], put: Iterable[Decision]) -> None:
    """Drops and stores rows of decisions as they are, to undo a decision. catalogue: a writer, inside atomic()."""
    _drop(catalogue, drop)
    _put(catalogue, put)


def numbered(catalogue: Catalogue) -> list[NumberedDecision]:
    """All decisions with the files of their pictures, oldest first."""
    decided: dict[tuple[int, bool], list[Decision]] = {}
    for word in catalogue.verdicts.decisions():
        # An import may bring a decision of the same time.
        decided.setdefault((word.said_ns, word.same), []).append(word)
    ids = catalogue.verdicts.contents_of_decisions()
    files = catalogue.files_of(ids.values(), all=True, family=True)

    def picture(digest: bytes) -> DecidedPicture:
        known = files.get(ids.get(digest, -1), [])
        present = tuple(file.path_bytes for file in known if file.state is State.PRESENT)
        return DecidedPicture(
            digest, present, tuple(file.path_bytes for file in known if file.state is not State.PRESENT)
        )

    found = []
    for number, pairs in enumerate(decided.values(), 1):
        digests = dict.fromkeys(digest for word in pairs for digest in (word.a, word.b))
        found.append(NumberedDecision(number, tuple(pairs), tuple(map(picture, digests))))
    return found


def take_back_numbered(catalogue: Catalogue, numbers: Collection[int]) -> list[NumberedDecision]:
    """Withdraws decisions by their numbers, and returns them. catalogue: a writer.

    UsageError, and nothing is withdrawn, if there is no decision of a number.
    """
    with catalogue.atomic():
        known = {decision.number: decision for decision in numbered(catalogue)}
        for number in numbers:
            if number not in known:
                raise UsageError(Message("There is no decision {number}; see hashindex decisions.", number=number))
        taken = [known[number] for number in sorted(set(numbers))]
        for decision in taken:
            _drop(catalogue, decision.pairs)
    return taken


def add(catalogue: Catalogue, words: Iterable[Decision]) -> None:
    """Imports decisions; the later of two decisions on a pair stays. catalogue: a writer."""
    with catalogue.atomic():
        before = catalogue.verdicts.decisions()
        known = {(word.a, word.b): word for word in before}
        newer: dict[tuple[bytes, bytes], Decision] = {}
        for word in words:
            kept = newer.get((word.a, word.b)) or known.get((word.a, word.b))
            if kept is None or word.said_ns >= kept.said_ns:
                newer[word.a, word.b] = word
        voided = {known[pair].said_ns for pair, word in newer.items() if pair in known and known[pair].same > word.same}
        touched = {at: members for at, members in _same_sets(before).items() if at in voided}
        _replace(catalogue, touched, list(newer.values()), set())


def _replace(
    catalogue: Catalogue, touched: dict[int, set[bytes]], words: Sequence[Decision], named: Collection[bytes]
) -> None:
    """Stores decisions, and reconnects earlier sets of same pictures that lose pairs to them.

    touched: these sets, by the time of their decision. named: the contents of the new decision, which replaces earlier
    sets that have no other members.
    """
    known = catalogue.verdicts.decisions()
    _drop(catalogue, [word for word in known if word.same and word.said_ns in touched])
    taken = {(word.a, word.b) for word in known if not (word.same and word.said_ns in touched)}
    taken |= {(word.a, word.b) for word in words}
    _put(catalogue, words)
    for at, members in touched.items():
        if not members.issubset(named):
            pairs = _spanning(members, taken)
            taken.update(pairs)
            _put(catalogue, [Decision(*pair, True, at) for pair in pairs])


def _put(catalogue: Catalogue, words: Iterable[Decision]) -> None:
    for word in words:
        catalogue.verdicts.put_decision(word)


def _drop(catalogue: Catalogue, words: Iterable[Decision]) -> None:
    for word in words:
        catalogue.verdicts.drop_decision(word.a, word.b, word.same)


def _same_sets(words: Iterable[Decision]) -> dict[int, set[bytes]]:
    """Time of the decision -> the contents that it marked as the same."""
    found: dict[int, set[bytes]] = {}
    for word in words:
        if word.same:
            found.setdefault(word.said_ns, set()).update((word.a, word.b))
    return found


def _distinct(digests: Sequence[bytes]) -> set[bytes]:
    distinct = set(digests)
    if len(distinct) < 2:
        raise UsageError(Message("These files hold the same bytes: a decision needs two different pictures."))
    return distinct


def _spanning(members: Collection[Item], taken: Collection[tuple[Item, Item]]) -> list[tuple[Item, Item]]:
    """Pairs (a < b), none of them in taken, that connect members as far as possible; a star if taken is empty."""
    found: list[tuple[Item, Item]] = []
    unreached = sorted(members)
    while unreached:
        reached = [unreached.pop(0)]
        while reached and unreached:
            one = reached.pop(0)
            reachable = [other for other in unreached if (min(one, other), max(one, other)) not in taken]
            if reachable:
                found += [(min(one, other), max(one, other)) for other in reachable]
                unreached = sorted(set(unreached).difference(reachable))
                reached += reachable
    return found


class Decisions:
    """The user's decisions on contents of a catalogue. "Same" is transitive, except for separate pairs."""

    def __init__(self, sets: Iterable[Sequence[int]], separate: Iterable[tuple[int, int]]) -> None:
        """sets: each set holds contents that are the same. separate: pairs (a < b)."""
        self._sets = [sorted(members) for members in sets if len(members) > 1]
        self._set_of = {id: number for number, members in enumerate(self._sets) for id in members}
        self.separate = frozenset(separate)
        self._separate_from: dict[int, list[int]] = {}
        for a, b in self.separate:
            self._separate_from.setdefault(a, []).append(b)

    @property
    def contents(self) -> Collection[int]:
        """Contents that are the same as another one."""
        return self._set_of.keys()

    def are_separate(self, a: int, b: int) -> bool:
        return (min(a, b), max(a, b)) in self.separate

    def are_same(self, a: int, b: int) -> bool:
        number = self._set_of.get(a)
        return number is not None and number == self._set_of.get(b) and not self.are_separate(a, b)

    def with_same(self, contents: Collection[int]) -> set[int]:
        """Contents that are the same as one of these, and these themselves."""
        numbers = {self._set_of[id] for id in contents if id in self._set_of}
        return {*contents, *(id for number in numbers for id in self._sets[number])}

    def separate_among(self, contents: Sequence[int]) -> list[tuple[int, int]]:
        """Pairs of these contents that are separate."""
        within = set(contents)
        return [(a, b) for a in contents for b in self._separate_from.get(a, ()) if b in within]

    def same_among(self, contents: Collection[int]) -> list[tuple[int, int]]:
        """Pairs of these contents that are the same: just enough to connect each set."""
        here = ([id for id in members if id in contents] for members in self._sets)
        return [pair for members in here for pair in _spanning(members, self.separate)]


def decisions_of(catalogue: Catalogue) -> Decisions:
    """All decisions. Two contents may be the same by way of a content that is not in the catalogue."""
    words = catalogue.verdicts.decisions()
    ids = catalogue.verdicts.contents_of_decisions()
    separate = [(ids[word.a], ids[word.b]) for word in words if not word.same and word.a in ids and word.b in ids]
    return Decisions(
        ([ids[digest] for digest in members if digest in ids] for members in _sets_of(words)),
        ((min(pair), max(pair)) for pair in separate),
    )


def said_of(words: Sequence[Decision], a: bytes, b: bytes) -> bool | None:
    """The decision on two contents, by digest: True for same, False for separate, None for no decision."""
    pair = min(a, b), max(a, b)
    if any((word.a, word.b) == pair and not word.same for word in words):
        return False
    return True if any(a in members and b in members for members in _sets_of(words)) else None


def _sets_of(words: Sequence[Decision]) -> list[set[bytes]]:
    """Sets of digests that are the same, directly or by way of others."""
    numbers: dict[bytes, int] = {}
    together = UnionFind()
    for word in words:
        if word.same:
            together.join_all([(numbers.setdefault(word.a, len(numbers)), numbers.setdefault(word.b, len(numbers)))])
    found: dict[int, set[bytes]] = {}
    for digest, number in numbers.items():
        found.setdefault(together.find(number), set()).add(digest)
    return list(found.values())


def to_lines(words: Iterable[Decision]) -> Iterator[str]:
    """A JSON object a line: {"a": SHA-256, "b": SHA-256, "said": "same" or "separate", "said_ns": ...}.

    "Same" is transitive: two contents may be the same by way of a third one.
    """
    for word in words:
        said = SAME if word.same else SEPARATE
        line = {"a": word.a.hex(), "b": word.b.hex(), "said": said, "said_ns": word.said_ns}
        yield json.dumps(line, separators=(",", ":"))


def from_lines(lines: Iterable[str], name: str) -> list[Decision]:
    """Reads the output of to_lines. UsageError names the first invalid line; name: of the file, for the message."""
    words = []
    for number, line in enumerate(lines, 1):
        if not isinstance(line, str) or line.strip():
            word = _parsed(line)
            if word is None:
                raise UsageError(
                    Message(
                        "{name}, line {number} is not a decision as hashindex decisions --export writes it.",
                        name=name,
                        number=number,
                    )
                )
            words.append(word)
    return words


def _parsed(line: str) -> Decision | None:
    try:
        fields = json.loads(line)
        a, b = sorted((bytes.fromhex(fields["a"]), bytes.fromhex(fields["b"])))
        said, said_ns = fields["said"], fields.get("said_ns", 0)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    is_valid = len(a) == len(b) == 32 and a != b and said in (SAME, SEPARATE)
    return Decision(a, b, said == SAME, said_ns) if is_valid and type(said_ns) is int and 0 <= said_ns < 2**63 else None
