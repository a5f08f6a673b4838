"""The clocks that a daemon goes by, and whether one of them jumped. Tests hand in their own."""

import time

JUMP_S = 2.0
"""By so much the two clocks may drift apart between two looks at them; more is a jump, or sleep."""
ASLEEP_S = 25.0
"""A moment without work that took longer than this was sleep: none is planned to take more than 5 s."""


class Clock:
    """The two clocks: one that never jumps, and the one that mtimes are from."""

    def monotonic(self) -> float:
        return time.monotonic()

    def wall_ns(self) -> int:
        return time.time_ns()


class Jumps:
    """Notices sleep, and a wall clock that was set: mtimes and events may not fit any more.

    Where a clock stands still in sleep the two drift apart; else an idle moment was far too long.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._drift = self._offset()
        self._looked_at = clock.monotonic()

    def jumped(self, *, idle: bool = False) -> bool:
        """Whether one jumped since this was asked last. idle: nothing was done since then."""
        now, drift = self._clock.monotonic(), self._offset()
        slept = idle and now - self._looked_at > ASLEEP_S
        jumped = abs(drift - self._drift) > JUMP_S or slept
        self._drift, self._looked_at = drift, now
        return jumped

    def _offset(self) -> float:
        return self._clock.wall_ns() / 1e9 - self._clock.monotonic()
