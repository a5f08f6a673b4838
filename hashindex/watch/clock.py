"""The two clocks of a daemon, and whether one of them jumped. Tests pass clocks of their own."""

import time

JUMP_S = 2.0
"""Most drift between the two clocks from one check to the next. More is a jump, or sleep."""
ASLEEP_S = 25.0
"""An idle turn of the daemon that took longer was sleep: none is planned to take more than 5 s."""


class Clock:
    """A monotonic clock, and the wall clock that mtimes come from."""

    def monotonic(self) -> float:
        return time.monotonic()

    def wall_ns(self) -> int:
        return time.time_ns()


class ClockJumps:
    """Detects sleep, and changes of the wall clock. After either, mtimes and events may be wrong.

    On systems whose monotonic clock stops in sleep, the two clocks drift apart; elsewhere an idle turn takes too long.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._drift = self._offset()
        self._checked = clock.monotonic()

    def jumped(self, *, idle: bool = False) -> bool:
        """Whether a clock jumped since the last call. idle: the daemon did no work since then."""
        now, drift = self._clock.monotonic(), self._offset()
        slept = idle and now - self._checked > ASLEEP_S
        jumped = abs(drift - self._drift) > JUMP_S or slept
        self._drift, self._checked = drift, now
        return jumped

    def _offset(self) -> float:
        return self._clock.wall_ns() / 1e9 - self._clock.monotonic()
