"""The layers to leave in float when the all-integer model misses its floor: few, and cheap on the device.

Two orders are tried. From the input on: the noise of early layers reaches every later one, and a run
without gaps changes between float and integers once. And by the noise a layer's rounding makes for
what it costs in float, where that meets the floor for less. How many are taken is found by trial.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from calib import graph
from calib.sensitivity import Sensitivity, Unit, units

Score = Callable[[frozenset[str]], float]
Cost = Callable[[Unit], float]

# Sets whose costs differ by less than this share of the whole network's are not told apart.
_RESOLUTION = 0.01


@dataclass(frozen=True)
class Mixed:
    """Layers left in float, the tensors their operators write, the score reached and the summed cost."""

    layers: tuple[str, ...]
    tensors: frozenset[str]
    score: float
    cost: float
    met: bool


def choose(
    units: Sequence[Unit],
    cost: Cost,
    score: Score,
    floor: float,
    ranking: Callable[[], Sequence[Unit]] | None = None,
) -> Mixed:
    """The cheapest list of layers in float found with which `score` reaches `floor`.

    `units` are the network's layers in order. `score(tensors)` builds and measures the model whose
    operators writing `tensors` stay in float; `cost(unit)` is what leaving one in float adds, in any
    unit. `ranking()` gives the second order, where there is one. Where the floor is out of reach, the
    best tried is returned with `met` false.
    """
    tried: dict[frozenset[str], Mixed] = {}

    def at(taken: Sequence[Unit]) -> Mixed:
        tensors = frozenset(tensor for unit in taken for tensor in unit.tensors)
        if tensors not in tried:
            reached = score(tensors)
            layers = tuple(unit.layer for unit in taken)
            tried[tensors] = Mixed(layers, tensors, reached, sum(map(cost, taken)), reached >= floor)
        return tried[tensors]

    if at(()).met:
        return at(())
    _shortest(units, cost, at)
    passing = [found.cost for found in tried.values() if found.met]
    if passing and ranking is not None:
        _shortest(_cheaper(ranking(), cost, min(passing)), cost, at, from_all=True)
    return min(tried.values(), key=lambda found: (not found.met, found.cost if found.met else -found.score))


def ranked(rows: Sequence[Sensitivity], cost: Cost) -> list[Unit]:
    """Units by the noise that quantizing only them makes, for their cost, most first."""

    def noise(row: Sensitivity) -> float:
        return 10 ** (-row.only_snr / 10) / max(cost(row.unit), 1e-9)

    return [row.unit for row in sorted(rows, key=lambda row: (-noise(row), row.unit.first))]


def float_costs(model: Any) -> dict[str, float]:
    """What leaving each layer of `model` (ModelT) in float costs, by its name in the Keras model.

    Multiply-adds and elements written, in one sum: on a B0 the milliseconds that float adds grow with it.
    """
    main = model.subgraphs[0]
    layers = {layer.position: layer for layer in graph.layers(model)}
    found = units(model)
    made = {}
    for unit, stop in zip(found, [*[other.first for other in found[1:]], len(main.operators)], strict=True):
        made[unit.layer] = 0.0
        for position in range(unit.first, stop):
            written = math.prod(main.tensors[main.operators[position].outputs[0]].shape)
            made[unit.layer] += written
            if position in layers:
                shape = main.tensors[layers[position].kernel].shape
                reads = shape[1:3] if layers[position].kind == "depthwise" else shape[1:]
                made[unit.layer] += written * math.prod(reads)
    return made


def with_float_weights(rounded: bytes, unrounded: bytes, in_float: frozenset[str]) -> bytes:
    """The `.tflite` `rounded` with the weights and biases of `unrounded` in the layers that write `in_float`.

    What a calibration with those layers in float would give, but for the layers behind them, which
    were settled on noisier inputs: near enough to compare many choices, at no time.
    """
    made, source = graph.read(rounded), graph.read(unrounded)
    for layer in graph.layers(made):
        if layer.name in in_float:
            for index in (layer.kernel, layer.bias):
                graph.set_constant(made, index, graph.constant(source, index))
    graph.prune(made)
    return graph.write(made)


def _shortest(order: Sequence[Unit], cost: Cost, at: Callable[[Sequence[Unit]], Mixed], from_all: bool = False) -> None:
    """Tries beginnings of `order`: doubled until one meets the floor (or all at once), then halved back."""
    count = len(order) if from_all else 1
    while count and not at(order[:count]).met:
        if count == len(order):
            return
        count = min(2 * count, len(order))
    low, high = 0 if from_all else count // 2, count
    least = _RESOLUTION * sum(map(cost, order))
    while high - low > 1 and sum(map(cost, order[low:high])) > least:
        middle = (low + high) // 2
        low, high = (low, middle) if at(order[:middle]).met else (middle, high)


def _cheaper(order: Sequence[Unit], cost: Cost, limit: float) -> list[Unit]:
    """The beginning of `order` that costs less than `limit` in all."""
    taken: list[Unit] = []
    for unit in order:
        limit -= cost(unit)
        if limit <= 0:
            break
        taken.append(unit)
    return taken
