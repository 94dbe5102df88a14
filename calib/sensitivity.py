"""How much each layer's rounding costs: only it quantized, and all but it quantized.

A layer here is an operator with weights and what follows it up to the next one: its activation, gate
or addition. Networks are simulated operator by operator, so that each trial runs only what lies
behind its layer. The two curves are those of Nagel et al. 2021 (arXiv:2106.08295), section 3.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from calib import graph, patches, rounding, simulation, walk
from calib.calibration import Range
from calib.graph import Array


@dataclass(frozen=True)
class Unit:
    """A layer's name in the Keras model, and the outputs of its operators by tensor name."""

    layer: str
    first: int
    tensors: tuple[str, ...]


@dataclass(frozen=True)
class Sensitivity:
    """Logits' signal-to-noise in dB and agreement of the top class, for the two trials of a layer."""

    unit: Unit
    only_snr: float
    only_agreement: float
    without_snr: float
    without_agreement: float


def units(model: Any) -> tuple[Unit, ...]:
    """The layers of `model` (ModelT) with what follows each; operators before the first belong to it."""
    main = model.subgraphs[0]
    layers = graph.layers(model)
    starts = [0, *[layer.position for layer in layers[1:]], len(main.operators)]
    made = []
    for layer, start, stop in zip(layers, starts, starts[1:], strict=False):
        outputs = [graph.tensor_name(main.tensors[op.outputs[0]]) for op in main.operators[start:stop]]
        kernel = graph.tensor_name(main.tensors[layer.kernel])
        named = kernel.removesuffix("/kernel") if kernel.endswith("/kernel") else layer.name
        made.append(Unit(named, start, tuple(outputs)))
    return tuple(made)


def measure(model: Any, ranges: Mapping[str, Range], images: Array) -> tuple[Sensitivity, ...]:
    """Both trials of every layer of `model` (float ModelT) on `images` (n, h, w, 3), in order."""
    rounded = _rounded_weights(model)
    main = model.subgraphs[0]
    entry = int(main.inputs[0])
    cuts = units(model)
    last = simulation.logits_position(model)
    exact: walk.Tensors = {entry: images}
    coarse: walk.Tensors = {entry: simulation.held(model, entry, images, ranges)}
    wanted = simulation.logits(model, dict(exact), 0, {})
    found = []
    for unit, stop in zip(cuts, [*[cut.first for cut in cuts[1:]], last], strict=True):
        alone = simulation.advance(rounded, dict(exact), unit.first, stop, ranges)
        only = simulation.logits(model, alone, stop, {})
        spared = simulation.advance(model, dict(coarse), unit.first, stop, {})
        without = simulation.logits(rounded, spared, stop, ranges)
        found.append(Sensitivity(unit, *_compare(wanted, only), *_compare(wanted, without)))
        exact = simulation.advance(model, exact, unit.first, stop, {})
        coarse = simulation.advance(rounded, coarse, unit.first, stop, ranges)
    return tuple(found)


def _rounded_weights(model: Any) -> Any:
    made = graph.read(graph.write(model))
    for layer in graph.layers(made):
        kernel = graph.constant(made, layer.kernel)
        weights = patches.rows(kernel, layer)
        step = rounding.scales(weights)
        held = patches.kernel_of(rounding.nearest(weights, step) * step, layer, kernel.shape)
        graph.set_constant(made, layer.kernel, held)
    return made


def _compare(wanted: Array, got: Array) -> tuple[float, float]:
    noise = float(((wanted - got) ** 2).sum())
    snr = float(10 * np.log10(max(float((wanted**2).sum()), 1e-30) / max(noise, 1e-30)))
    return snr, float((wanted.argmax(axis=1) == got.argmax(axis=1)).mean())
