"""What a copy lacks that another one has, and the sentence that says why one of them is kept. Pure, without NumPy.

keeper.py finds the faults.
"""

import enum
from collections import Counter
from collections.abc import Sequence
from typing import Final, NamedTuple


class Fault(enum.IntEnum):
    """What a member lacks that another one has, the worst first. The names are kept in catalogues."""

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
    """Further from the others in fine detail than the best: saved again, toned, blurred or noisy."""
    MORE_LOSS = 19
    """As near in detail, in a format or at a quality that loses more."""
    OTHER_COLOURS = 20
    """As good in all that, but further from the colours of the others."""


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
}
"""What is said of members with these faults."""


class Ranked(NamedTuple):
    """Where one member stands."""

    rank: int
    """0 for the best; members that tie have the same."""
    faults: tuple[Fault, ...]
    """The worst first; empty for what is as good as the best."""


class Choice(NamedTuple):
    """The members of one group, ranked."""

    members: tuple[Ranked, ...]
    """In the order in which they were given."""
    doubt: str | None
    """Why no member is best in everything, as a clause; None where one is."""


def sentence(keeper: Sequence[Fault], others: Sequence[Sequence[Fault]]) -> str:
    """Why a keeper that is the best of its group is kept: what it is, and what the others are, the most first."""
    worst = Counter(min(faults) for faults in others if faults)
    words = [(WORDS[fault], count) for fault, count in sorted(worst.items(), key=lambda pair: (-pair[1], pair[0]))]
    equal = sum(not faults for faults in others)
    said = [word if len(others) == 1 else f"{word} ({count})" for word, count in words]
    if equal:
        said.append("as good" if len(others) == 1 else f"as good ({equal})")
    what = f"the best there is, though {WORDS[min(keeper)]}" if keeper else "the full picture at its real size"
    return (
        f"kept: {what}; the other is {said[0]}"
        if len(others) == 1
        else f"kept: {what}; the others are {', '.join(said)}"
    )
