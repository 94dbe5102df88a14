"""The largest candidate within a limit, found with few probes.

Candidates come smallest first. A probe is taken where it decides most; what is left in doubt above the
largest that was measured to fit is probed next, until nothing there has a chance worth a measurement.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Generic, Protocol, TypeVar

from edgeffnet.probing.belief import Belief

# A candidate with less of a chance than this is not measured to be sure.
_CHANCE = 0.05
# So many probes are enough, where what is still in doubt would more likely be too slow.
_ENOUGH = 3
# Larger yet faster, by more than this, is a contradiction.
_CONTRADICTION = 0.02


class Measured(Protocol):
    """What a measurement has to tell."""

    @property
    def ms(self) -> float:
        """Milliseconds, at the percentile the limit is for."""

    @property
    def fits(self) -> bool:
        """Whether it is within the limit."""


M = TypeVar("M", bound=Measured)


@dataclass
class Found(Generic[M]):
    """The index of the largest candidate that fits (None where none does), and how it was found.

    `probes` has the last measurement of each candidate, in the order they were taken; `again` those
    measured twice because a larger candidate was faster; `contradictions` the pairs (smaller, larger)
    for which that held the second time too.
    """

    answer: int | None = None
    probes: dict[int, M] = field(default_factory=dict)
    again: list[int] = field(default_factory=list)
    contradictions: list[tuple[int, int]] = field(default_factory=list)


def largest(count: int, limit_ms: float, belief: Belief, measure: Callable[[int, bool], M]) -> Found[M]:
    """The largest of `count` candidates within `limit_ms`.

    `measure(index, thoroughly)` measures one, thoroughly where an earlier measurement is in question.
    `belief` learns of each measurement.
    """
    found = Found[M]()
    while (index := _next(count, limit_ms, belief, found)) is not None:
        _take(index, False, belief, measure, found)
        for pair in _contradicting(found):
            if not set(pair) <= set(found.again):
                for one in pair:
                    if one not in found.again:
                        found.again.append(one)
                        _take(one, True, belief, measure, found)
    found.contradictions = _contradicting(found)
    found.answer = _best(found)
    return found


def _take(index: int, thoroughly: bool, belief: Belief, measure: Callable[[int, bool], M], found: Found[M]) -> None:
    found.probes[index] = measure(index, thoroughly)
    belief.learn(index, found.probes[index].ms)


def _next(count: int, limit_ms: float, belief: Belief, found: Found[M]) -> int | None:
    """The candidate to measure next, None where the answer is known."""
    best = _best(found)
    above = range(0 if best is None else best + 1, count)
    chances = {index: belief.fits(index, limit_ms) for index in above if index not in found.probes}
    worthwhile = {index: chance for index, chance in chances.items() if chance >= _CHANCE}
    if not worthwhile:
        # That nothing fits is said with the smallest measured.
        return 0 if best is None and chances and 0 not in found.probes else None
    likely = [index for index, chance in worthwhile.items() if chance >= 0.5]
    if best is not None and len(found.probes) >= _ENOUGH and not likely:
        return None
    return max(likely) if likely else max(worthwhile, key=lambda index: (worthwhile[index], -index))


def _best(found: Found[M]) -> int | None:
    return max((index for index, measured in found.probes.items() if measured.fits), default=None)


def _contradicting(found: Found[M]) -> list[tuple[int, int]]:
    order = sorted(found.probes)
    return [
        (smaller, larger)
        for smaller, larger in pairwise(order)
        if found.probes[smaller].ms > (1 + _CONTRADICTION) * found.probes[larger].ms
    ]
