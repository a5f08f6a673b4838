"""What a person said of pictures: the same, or separate. Kept by content, written and read as JSON lines.

Of pictures that are the same, only as many pairs are kept as hold them together: 2,000 need 1,999. Of pictures that are
separate every pair is kept. A word on two pictures goes before any that was said of them earlier.
"""

import json
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import combinations
from typing import TypeVar

from hashindex.core.errors import UsageError
from hashindex.core.model import Decision, Said
from hashindex.hashing.unionfind import UnionFind
from hashindex.store.catalogue import Catalogue

SAME, SEPARATE = "same", "separate"
MOST_SEPARATE = 100
"""Pictures of one `separate`: 4,950 pairs."""

Item = TypeVar("Item", int, bytes)


def say(catalogue: Catalogue, digests: Sequence[bytes], *, same: bool) -> Said:
    """Writes that all of these contents are one picture, or that none of them is another. catalogue: a writer.

    UsageError where they are one content, or more than MOST_SEPARATE are separate.
    """
    named = _distinct(digests)
    if not same and len(named) > MOST_SEPARATE:
        raise UsageError(
            f"These are {len(named):,} pictures. At most {MOST_SEPARATE} can be separate at a time, because every two "
            "of them are kept apart; name fewer."
        )
    with catalogue.atomic():
        known = catalogue.verdicts.decisions()
        now, before = time.time_ns(), {word.said_ns for word in known}
        while now in before:
            # What is said at one time is one saying, see take_back.
            now += 1
        pairs = _spanning(named, set()) if same else list(combinations(sorted(named), 2))
        if same:
            opposite = [word for word in known if not word.same and {word.a, word.b} <= named]
            _drop(catalogue, opposite)
        words = [Decision(*pair, same, now) for pair in pairs]
        touched = {at: members for at, members in _said_together(known).items() if len(members & named) > 1}
        _replace(catalogue, touched, words, named)
    return Said(tuple(words), bool(opposite) if same else bool(touched))


def take_back(catalogue: Catalogue, digests: Sequence[bytes], *, same: bool) -> int:
    """Takes back what was said of two or more of these contents; returns how many words went. catalogue: a writer.

    Of contents that were said to be the same together, those that are named leave, and the others stay the same.
    """
    named = _distinct(digests)
    with catalogue.atomic():
        known = catalogue.verdicts.decisions()
        if not same:
            gone = [word for word in known if not word.same and {word.a, word.b} <= named]
            _drop(catalogue, gone)
            return len(gone)
        count = 0
        for at, members in _said_together(known).items():
            if len(members & named) > 1:
                before = [word for word in known if word.same and word.said_ns == at]
                _drop(catalogue, before)
                taken = {(word.a, word.b) for word in known} - {(word.a, word.b) for word in before}
                stay = [Decision(*pair, True, at) for pair in _spanning(members - named, taken)]
                _put(catalogue, stay)
                count += len(before) - len(stay)
        return count


def add(catalogue: Catalogue, words: Iterable[Decision]) -> None:
    """Adds words from elsewhere; of two on the same contents the later one stays. catalogue: a writer."""
    with catalogue.atomic():
        before = catalogue.verdicts.decisions()
        known = {(word.a, word.b): word for word in before}
        newer: dict[tuple[bytes, bytes], Decision] = {}
        for word in words:
            kept = newer.get((word.a, word.b)) or known.get((word.a, word.b))
            if kept is None or word.said_ns >= kept.said_ns:
                newer[word.a, word.b] = word
        turned = {known[pair].said_ns for pair, word in newer.items() if pair in known and known[pair].same > word.same}
        touched = {at: members for at, members in _said_together(before).items() if at in turned}
        _replace(catalogue, touched, list(newer.values()), set())


def _replace(
    catalogue: Catalogue, touched: dict[int, set[bytes]], words: Sequence[Decision], named: Collection[bytes]
) -> None:
    """Writes words, and holds together anew what was said to be the same earlier and of which they take pairs away.

    touched: that, by when it was said. named: what is said now is about all of these, and replaces what was about no
    others.
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


def _said_together(words: Iterable[Decision]) -> dict[int, set[bytes]]:
    """By when it was said: the contents that were said to be the same."""
    found: dict[int, set[bytes]] = {}
    for word in words:
        if word.same:
            found.setdefault(word.said_ns, set()).update((word.a, word.b))
    return found


def _distinct(digests: Sequence[bytes]) -> set[bytes]:
    distinct = set(digests)
    if len(distinct) < 2:
        raise UsageError("These files hold the same bytes: there is nothing to say of one picture.")
    return distinct


def _spanning(members: Collection[Item], taken: Collection[tuple[Item, Item]]) -> list[tuple[Item, Item]]:
    """Pairs (a < b), none of them taken, that hold members together as far as it goes; a star where none is taken."""
    found: list[tuple[Item, Item]] = []
    left = sorted(members)
    while left:
        reached = [left.pop(0)]
        while reached and left:
            one = reached.pop(0)
            near = [other for other in left if (min(one, other), max(one, other)) not in taken]
            if near:
                found += [(min(one, other), max(one, other)) for other in near]
                left = sorted(set(left).difference(near))
                reached += near
    return found


class Decisions:
    """What a person said of the contents that a catalogue knows. Same is transitive, but for separate pairs."""

    def __init__(self, sets: Iterable[Sequence[int]], separate: Iterable[tuple[int, int]]) -> None:
        """sets: of contents that are the same. separate: pairs (a < b)."""
        self._sets = [sorted(members) for members in sets if len(members) > 1]
        self._set_of = {id: number for number, members in enumerate(self._sets) for id in members}
        self.separate = frozenset(separate)
        self._separate_from: dict[int, list[int]] = {}
        for a, b in self.separate:
            self._separate_from.setdefault(a, []).append(b)

    @property
    def contents(self) -> Collection[int]:
        """Those that are the same as another one."""
        return self._set_of.keys()

    def are_separate(self, a: int, b: int) -> bool:
        return (min(a, b), max(a, b)) in self.separate

    def are_same(self, a: int, b: int) -> bool:
        number = self._set_of.get(a)
        return number is not None and number == self._set_of.get(b) and not self.are_separate(a, b)

    def separate_among(self, contents: Sequence[int]) -> list[tuple[int, int]]:
        """Pairs of these contents that are separate."""
        within = set(contents)
        return [(a, b) for a in contents for b in self._separate_from.get(a, ()) if b in within]

    def same_among(self, contents: Collection[int]) -> list[tuple[int, int]]:
        """Pairs of these contents that are the same: as many as hold each set of them together."""
        here = ([id for id in members if id in contents] for members in self._sets)
        return [pair for members in here for pair in _spanning(members, self.separate)]


def decisions_of(catalogue: Catalogue) -> Decisions:
    """Everything that was said, also where what holds two contents together is not in the catalogue."""
    words = catalogue.verdicts.decisions()
    ids = catalogue.verdicts.contents_of_decisions()
    separate = [(ids[word.a], ids[word.b]) for word in words if not word.same and word.a in ids and word.b in ids]
    return Decisions(
        ([ids[digest] for digest in members if digest in ids] for members in _sets_of(words)),
        ((min(pair), max(pair)) for pair in separate),
    )


def said_of(words: Sequence[Decision], a: bytes, b: bytes) -> bool | None:
    """Whether two contents were said to be the same (True) or separate (False), by their digests; None: neither."""
    pair = min(a, b), max(a, b)
    if any((word.a, word.b) == pair and not word.same for word in words):
        return False
    return True if any(a in members and b in members for members in _sets_of(words)) else None


def _sets_of(words: Sequence[Decision]) -> list[set[bytes]]:
    """Digests that were said to be the same, also by way of others."""
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

    Same is transitive: a third content may be what makes two the same.
    """
    for word in words:
        said = SAME if word.same else SEPARATE
        yield json.dumps({"a": word.a.hex(), "b": word.b.hex(), "said": said, "said_ns": word.said_ns})


def from_lines(lines: Iterable[str], name: str) -> list[Decision]:
    """What to_lines wrote. UsageError names the line that is none; name: what to call the file."""
    words = []
    for number, line in enumerate(lines, 1):
        if line.strip():
            word = _word(line)
            if word is None:
                raise UsageError(f"{name}, line {number} is no word of a person as hashindex words writes them.")
            words.append(word)
    return words


def _word(line: str) -> Decision | None:
    try:
        fields = json.loads(line)
        a, b = sorted((bytes.fromhex(fields["a"]), bytes.fromhex(fields["b"])))
        said, said_ns = fields["said"], fields.get("said_ns", 0)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    sound = len(a) == len(b) == 32 and a != b and said in (SAME, SEPARATE)
    return Decision(a, b, said == SAME, said_ns) if sound and type(said_ns) is int and 0 <= said_ns < 2**63 else None
