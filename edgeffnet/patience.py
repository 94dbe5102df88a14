"""Waiting for a machine to be left alone: a timing that others disturbed is taken again."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

from edgeffnet.targets.agent import SLOWED

T = TypeVar("T")

# Of one core, used by others during a timing; less is what any system does.
_DISTURBED_CORES = 0.12
_PAUSE_SECONDS = 2.0
_REPEATS_OF_ONE = 3


class Patience:
    """So many repeats are made, over all timings that share it: a machine that is never idle is not waited for.

    `pace_ms` is the least that the machine's fixed calculation was seen to take before.
    """

    def __init__(self, repeats: int = 6, pause_seconds: float = _PAUSE_SECONDS, pace_ms: float | None = None) -> None:
        self.left = repeats
        self.disturbed = 0
        self._pause_seconds = pause_seconds
        self._fastest = pace_ms

    @property
    def pace_ms(self) -> float | None:
        """The least that the fixed calculation was seen to take."""
        return self._fastest

    def timed(
        self, measure: Callable[[], tuple[T, dict[str, Any]]], enough: Callable[[T], bool] = lambda _: False
    ) -> T:
        """What `measure` gives, with the machine's state as `timing.latencies` returns it, least disturbed.

        What is `enough` although it was disturbed is not taken again. `disturbed` counts those that were so to the end.
        """
        taken = [self._taken(measure)]
        for _ in range(min(_REPEATS_OF_ONE, self.left)):
            if self._least(taken)[1] <= 1 or enough(taken[-1][0]):
                break
            self.left -= 1
            time.sleep(self._pause_seconds)
            taken.append(self._taken(measure))
        if enough(taken[-1][0]):
            return taken[-1][0]
        best, least = self._least(taken)
        self.disturbed += least > 1
        return best

    def _taken(self, measure: Callable[[], tuple[T, dict[str, Any]]]) -> tuple[T, dict[str, Any]]:
        found, machine = measure()
        if machine["during"].get("pace_ms"):
            fastest = machine["during"]["pace_ms"][0]
            self._fastest = fastest if self._fastest is None else min(self._fastest, fastest)
        return found, machine["during"]

    def _least(self, taken: list[tuple[T, dict[str, Any]]]) -> tuple[T, float]:
        """The least disturbed, and how much: above 1 is too much. What is fastest may be known only afterwards."""
        return min(((found, self._disturbance(during)) for found, during in taken), key=lambda one: one[1])

    def _disturbance(self, during: dict[str, Any]) -> float:
        others = float(during["foreign_cores"] or 0.0) / _DISTURBED_CORES
        if not during.get("pace_ms") or self._fastest is None:
            return others
        return max(others, float(during["pace_ms"][1] / self._fastest - 1) / (SLOWED - 1))
