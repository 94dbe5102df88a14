"""What rounding one swish does to the logits, each alone and the rest of the network in float."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from calib import graph, simulation, swish, walk
from calib.calibration import Range
from calib.graph import Array
from calib.swish import Swish


@dataclass(frozen=True)
class Alone:
    """A swish of `model`, `values` before its first operator `start`, and the logits with nothing rounded."""

    entry: Swish
    model: Any
    values: walk.Tensors
    start: int
    stop: int
    wanted: Array

    def noise(self, ranges: Mapping[str, Range]) -> float:
        """Squared error of the logits with the swish's tensors on `ranges`' grids, as a share of the logits' power."""
        entry, tensors = self.entry, self.model.subgraphs[0].tensors
        indices = (entry.source, entry.sigmoid_input, entry.sigmoid, entry.output)
        names = {graph.tensor_name(tensors[index]) for index in indices}
        own = {name: ranges[name] for name in names if name in ranges}
        rounded = simulation.advance(self.model, dict(self.values), self.start, self.stop, own)
        error = simulation.logits(self.model, rounded, self.stop, {}) - self.wanted
        return float((error**2).sum()) / max(float((self.wanted**2).sum()), 1e-30)


def each_alone(model: Any, images: Array) -> Iterator[Alone]:
    """Every swish of `model` (float ModelT) in the network's order, on `images` (n, h, w, 3)."""
    main = model.subgraphs[0]
    position = {int(operator.outputs[0]): number for number, operator in enumerate(main.operators)}
    entries = sorted(swish.swishes(model), key=lambda entry: position[entry.source])
    if not entries:
        return
    values: walk.Tensors = {int(main.inputs[0]): images}
    wanted = simulation.logits(model, dict(values), 0, {})
    at = 0
    for entry in entries:
        start, stop = position[entry.source], position[entry.output] + 1
        values = simulation.advance(model, values, at, start, {})
        at = start
        yield Alone(entry, model, values, start, stop, wanted)
