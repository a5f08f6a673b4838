"""Faults of a copy compared with other copies, and the sentence that explains the choice of a keeper. Without NumPy.

keeper.py finds the faults.
"""

import enum
from collections import Counter
from collections.abc import Sequence
from typing import Final, NamedTuple


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
    Fault.BROKEN: "damaged",
    Fault.STILL: "still",
    Fault.APART: "laid out otherwise",
    Fault.FEWER_FRAMES: "short of frames",
    Fault.BLANK_FRAMES: "blank in parts",
    Fault.OTHER_ORDER: "in another order",
    Fault.OTHER_PACE: "at another pace",
    Fault.CROPPED: "cropped",
    Fault.BORDERED: "bordered or captioned",
    Fault.TURNED: "turned",
    Fault.ADDED: "watermarked or written on",
    Fault.GREY: "grey",
    Fault.FLATTENED: "without transparency",
    Fault.ENLARGED: "enlarged",
    Fault.REDUCED: "resized",
    Fault.SOFTER: "less sharp",
    Fault.NOISY: "noisy",
    Fault.FEWER_COLOURS: "short of colours",
    Fault.ALTERED: "altered in fine detail",
    Fault.MORE_LOSS: "saved with more loss",
    Fault.OTHER_COLOURS: "of other colours",
    Fault.UNCOMPARED: "not compared",
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
    found = [word if len(others) == 1 else f"{word} ({count})" for word, count in words]
    if equal:
        found.append("as good" if len(others) == 1 else f"as good ({equal})")
    what = f"the best there is, though {WORDS[min(keeper)]}" if keeper else "the full picture at its real size"
    return (
        f"kept: {what}; the other is {found[0]}"
        if len(others) == 1
        else f"kept: {what}; the others are {', '.join(found)}"
    )
