"""Brings numbers that files and file systems claim into the range that the catalogue can store."""

SMALLEST, LARGEST = -(2**63), 2**63 - 1
"""Range of an integer in SQLite."""
MOST_PIXELS = MOST_FRAMES = 2**31 - 1
"""Limits of one side of a picture, so that the area fits into 64 bits, and of the frames of an animation."""
LONGEST_MS = 2**31 - 1
"""24 days. If a file claims a longer duration, the duration is unknown."""


def bounded(number: int) -> int:
    """Clamps a number to the range of a 64-bit signed integer."""
    return min(max(number, SMALLEST), LARGEST)


def unsigned(number: int) -> int:
    """A device or inode number without its sign: macOS reports some as negative."""
    return number & 2**64 - 1


def bounded_count(number: float, most: int) -> int:
    """A count that a file claims, clamped to `most`. Negative numbers and NaN give 0, which means unknown."""
    return int(min(number, most)) if number >= 0 else 0


def bounded_duration(ms: float) -> int:
    """A duration that a file claims. Negative, infinite or over-long durations and NaN give 0, which means unknown."""
    return round(ms) if 0 <= ms <= LONGEST_MS else 0
