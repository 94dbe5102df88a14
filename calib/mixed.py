"""The layers to leave in float when the all-integer model misses its floor: few, and cheap on the device.

Layers are taken in the order of the noise they would take away for each microsecond they cost, and
the number taken is found by trial: doubled until the floor is met, then halved back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from calib.sensitivity import Sensitivity, Unit

Score = Callable[[frozenset[str]], float]
Cost = Callable[[Unit], float]


@dataclass(frozen=True)
class Mixed:
    """Layers left in float, the tensors their operators write, the score reached and the summed cost."""

    layers: tuple[str, ...]
    tensors: frozenset[str]
    score: float
    cost: float
    met: bool


def choose(rows: Sequence[Sensitivity], cost: Cost, score: Score, floor: float) -> Mixed:
    """The shortest list of layers in float with which `score` reaches `floor`.

    `score(tensors)` builds and measures the model whose operators writing `tensors` stay in float;
    `cost(unit)` is what leaving one in float adds, in any unit. Where the floor is out of reach, the
    best tried is returned with `met` false.
    """
    order = ranked(rows, cost)
    tried: dict[int, float] = {}

    def at(count: int) -> float:
        if count not in tried:
            tried[count] = score(_tensors(order[:count]))
        return tried[count]

    count = 0
    while at(count) < floor and count < len(order):
        count = min(max(1, 2 * count), len(order))
    low, high = count // 2, count
    while at(count) >= floor and high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if at(middle) >= floor else (middle, high)
    passing = [number for number, reached in tried.items() if reached >= floor]
    best = min(passing) if passing else max(tried, key=lambda number: (tried[number], -number))
    taken = order[:best]
    return Mixed(
        layers=tuple(unit.layer for unit in taken),
        tensors=_tensors(taken),
        score=tried[best],
        cost=sum(cost(unit) for unit in taken),
        met=bool(passing),
    )


def ranked(rows: Sequence[Sensitivity], cost: Cost) -> list[Unit]:
    """Units by the noise that quantizing only them makes, for their cost, most first."""

    def noise(row: Sensitivity) -> float:
        return 10 ** (-row.only_snr / 10) / max(cost(row.unit), 1e-9)

    return [row.unit for row in sorted(rows, key=lambda row: (-noise(row), row.unit.first))]


def _tensors(chosen: Sequence[Unit]) -> frozenset[str]:
    return frozenset(tensor for unit in chosen for tensor in unit.tensors)
