"""The time that training may take, and how many epochs fit into what is left of it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

# Of what is left at an epoch's start, the part that is planned with: machines are slower at times.
_PLANNED = 0.93


@dataclass
class Clock:
    """`budget` in seconds, None for none; `before` were worked by a run that was interrupted."""

    budget: float | None
    before: float = 0.0
    _start: float = field(default_factory=time.monotonic)

    def worked(self) -> float:
        """Seconds of work, those before an interruption included."""
        return self.before + time.monotonic() - self._start

    def left(self) -> float:
        """Seconds of the budget; infinite without one."""
        return float("inf") if self.budget is None else self.budget - self.worked()

    def epochs(self, seconds: float, reserve: float) -> int:
        """How many epochs of so many seconds fit, with `reserve` seconds for what comes after them."""
        return max(0, int((_PLANNED * self.left() - reserve) / max(seconds, 1e-3)))
