"""Which swishes deserve factors: the noise they would take away for each element they make slower.

What rounding one swish does to the logits is simulated, each alone. It adds the same noise to all
channels, which the next layer's weights weigh; factors shrink the noise of each channel to its own
range. Small noises add up at the logits, so the best use of a budget takes the largest gain per
element first (a product's time goes with its elements).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from calib import channels, choice, equalization, graph, swish, swish_noise
from calib.graph import Array, Layer
from calib.statistics import Statistics

# Elements in whose time an operator is started.
OVERHEAD = 4096


@dataclass(frozen=True)
class Candidate:
    """A swish, the noise its factors would take off the logits (1 is their power), and the elements they touch."""

    name: str
    gain: float
    elements: int


def candidates(model: Any, statistics: Statistics, strength: float, images: Array) -> list[Candidate]:
    """Every swish of `model` that factors could be carried around, best gain per element first.

    Noise is simulated on `images` (n, h, w, 3).
    """
    if not swish.swishes(model):
        return []
    ranges = choice.choose(model, statistics, "mse")
    noise = {alone.entry.name: alone.noise(ranges) for alone in swish_noise.each_alone(model, images)}
    trial = graph.read(graph.write(model))
    found = {entry.name: entry for entry in swish.swishes(trial)}
    swish.add_restoring(trial, frozenset(found))
    rows = []
    for group in channels.groups(trial):
        for entry in swish.swishes(trial):
            if entry.source not in group.tensors or not entry.rewritten:
                continue
            factors = equalization.factors(trial, group, statistics, strength)
            gain = noise[entry.name] * _removed(trial, entry, factors)
            rows.append(Candidate(entry.name, gain, swish.elements(trial, entry) + OVERHEAD))
    return sorted(rows, key=lambda row: (-row.gain / row.elements, row.name))


def within(rows: list[Candidate], model: Any, share: float) -> frozenset[str]:
    """The best of `rows` whose elements stay within `share` of all that the model's operators write."""
    main = model.subgraphs[0]
    left = share * sum(int(np.prod(main.tensors[op.outputs[0]].shape)) for op in main.operators)
    chosen = []
    for row in rows:
        if row.elements <= left:
            chosen.append(row.name)
            left -= row.elements
    return frozenset(chosen)


def _removed(model: Any, entry: swish.Swish, factors: Any) -> float:
    """The share of the swish's noise that its factors take away, as its reader's weights weigh it."""
    reader = _reader(model, entry.output)
    if reader is None:
        return 0.0
    kernel = graph.constant(model, reader.kernel).astype(np.float64)
    passed = (kernel**2).sum(axis=tuple(range(kernel.ndim - 1)))
    return float((passed * (1 - (factors / factors.max()) ** 2)).sum() / max(passed.sum(), 1e-30))


def _reader(model: Any, index: int) -> Layer | None:
    """The layer that reads tensor `index`, directly or through padding and gates."""
    layers = {layer.source: layer for layer in graph.layers(model)}
    while index not in layers or layers[index].name.endswith("se_reduce"):
        followers = [
            operator
            for operator in graph.consumers(model, index)
            if graph.operator_name(model, operator) in ("MUL", "PAD", "MEAN", "RESHAPE")
        ]
        gated = [operator for operator in followers if graph.operator_name(model, operator) != "MEAN"]
        if not followers:
            return None
        index = int((gated or followers)[0].outputs[0])
    return layers[index]
