"""Faults of a copy compared with other copies, and the sentence that explains the choice of a keeper. Without NumPy.

keeper.py finds the faults.
"""

import enum
from collections import Counter
from collections.abc import Sequence
from typing import Final, NamedTuple

from hashindex.core.language import Message, joined


class Fault(enum.IntEnum):
    """A fault of a copy that another copy does not have, the worst first. Catalogues store the names."""

    BROKEN = 0
    STILL = 1
    APART = 2
    FEWER_FRAMES = 3
    BLANK_FRAMES = 4
    OTHER_ORDER = 5
    OTHER_PACE = 6
    GREY = 7
    CROPPED = 8
    BORDERED = 9
    TURNED = 10
    ADDED = 11
    FLATTENED = 12
    ENLARGED = 13
    REDUCED = 14
    SOFTER = 15
    NOISY = 16
    FEWER_COLOURS = 17
    ALTERED = 18
    """Farther from the others in fine detail than the best: saved again, toned, blurred or noisy."""
    MORE_LOSS = 19
    """Equally near in fine detail, but in a format or at a quality that loses more."""
    OTHER_COLOURS = 20
    """Equally good otherwise, but farther from the colours of the others."""
    UNCOMPARED = 21
    """Not compared, because its group is too large."""


WORDS: Final = {
    Fault.BROKEN: Message("damaged"),
    Fault.STILL: Message("still"),
    Fault.APART: Message("laid out otherwise"),
    Fault.FEWER_FRAMES: Message("short of frames"),
    Fault.BLANK_FRAMES: Message("blank in parts"),
    Fault.OTHER_ORDER: Message("in another order"),
    Fault.OTHER_PACE: Message("at another pace"),
    Fault.CROPPED: Message("cropped"),
    Fault.BORDERED: Message("bordered or captioned"),
    Fault.TURNED: Message("turned"),
    Fault.ADDED: Message("watermarked or written on"),
    Fault.GREY: Message("grey"),
    Fault.FLATTENED: Message("without transparency"),
    Fault.ENLARGED: Message("enlarged"),
    Fault.REDUCED: Message("resized"),
    Fault.SOFTER: Message("less sharp"),
    Fault.NOISY: Message("noisy"),
    Fault.FEWER_COLOURS: Message("short of colours"),
    Fault.ALTERED: Message("altered in fine detail"),
    Fault.MORE_LOSS: Message("saved with more loss"),
    Fault.OTHER_COLOURS: Message("of other colours"),
    Fault.UNCOMPARED: Message("not compared"),
}
"""The description of a copy with each fault. These are values in JSON."""


class Ranked(NamedTuple):
    """The rank and the faults of one copy."""

    rank: int
    """0 for the best; copies that tie have equal ranks."""
    faults: tuple[Fault, ...]
    """The worst first; empty for a copy as good as the best."""


class Choice(NamedTuple):
    """The ranks of the copies of one group."""

    members: tuple[Ranked, ...]
    """In the order of the portraits given."""
    doubt: str | None
    """Why no copy is best in everything, as a clause; None if one is."""


def sentence(keeper: Sequence[Fault], others: Sequence[Sequence[Fault]]) -> str:
    """Explains why the best of a group is kept, and lists the faults of the others, the most frequent first."""
    worst = Counter(min(faults) for faults in others if faults)
    words = [(WORDS[fault], count) for fault, count in sorted(worst.items(), key=lambda pair: (-pair[1], pair[0]))]
    equal = sum(not faults for faults in others)
    if len(others) == 1:
        found = words[0][0] if words else Message("as good")
        if keeper:
            return Message(
                "kept: the best there is, though {fault}; the other is {found}", fault=WORDS[min(keeper)], found=found
            )
        return Message("kept: the full picture at its real size; the other is {found}", found=found)
    counted = [Message("{fault} ({count})", fault=word, count=count) for word, count in words]
    if equal:
        counted.append(Message("as good ({count})", count=equal))
    all_found = joined(Message(", "), counted)
    if keeper:
        return Message(
            "kept: the best there is, though {fault}; the others are {found}",
            fault=WORDS[min(keeper)],
            found=all_found,
        )
    return Message("kept: the full picture at its real size; the others are {found}", found=all_found)
