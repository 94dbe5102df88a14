"""Which tensors of a float graph share their channels' scale, and rescaling them.

A per-channel factor on a tensor is free where what makes it and what reads it can absorb the
factor: convolutions and dense layers through their weights, additions and means by passing it on,
ReLU as it is positively homogeneous. Tensors tied to one another form a group with one factor per
channel. This generalises the layer pairs of Nagel et al. 2019, "Data-Free Quantization Through
Weight Equalization and Bias Correction" (arXiv:1906.04721), to residual streams and gated blocks.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calib import graph

_PASSES = {"ADD", "PAD", "PADV2", "MEAN", "RESHAPE", "AVERAGE_POOL_2D", "MAX_POOL_2D", "SUB", "RELU"}


@dataclass(frozen=True)
class Group:
    """Tensor indices that share one factor per channel; `bounded` of them end in a ReLU6."""

    tensors: tuple[int, ...]
    channels: int
    bounded: tuple[int, ...]
    restored: tuple[int, ...]


@dataclass
class _Ties:
    """Union-find over tensor indices; `fixed` roots keep factor 1."""

    parent: dict[int, int] = field(default_factory=dict)
    fixed: set[int] = field(default_factory=set)

    def root(self, index: int) -> int:
        while self.parent.setdefault(index, index) != index:
            index = self.parent[index]
        return index

    def tie(self, first: int, second: int) -> None:
        first, second = sorted((self.root(first), self.root(second)))
        self.parent[second] = first
        if second in self.fixed:
            self.fixed.add(first)

    def fix(self, index: int) -> None:
        self.fixed.add(self.root(index))


def groups(model: Any) -> list[Group]:
    """The groups of `model` (ModelT) whose channels may be rescaled, by their first tensor.

    `restored` lists tensors read by a multiplication with a constant per channel, which absorbs
    the factor; see `calib.swish`.
    """
    main = model.subgraphs[0]
    ties = _Ties()
    bounded, restored = set(), set()
    layers = {layer.position: layer for layer in graph.layers(model)}
    for index in [*main.inputs, *main.outputs]:
        ties.fix(int(index))
    for position, operator in enumerate(main.operators):
        name = graph.operator_name(model, operator)
        output = int(operator.outputs[0])
        data = [int(index) for index in operator.inputs if index >= 0 and not graph.is_constant(model, int(index))]
        if position in layers:
            if layers[position].bound == "relu6":
                bounded.add(output)
        elif name == "MUL" and len(data) == 1 and _per_channel(model, operator):
            restored.add(data[0])
        elif name == "MUL" and len(data) == 2 and _gate(model, data) is not None:
            gate = _gate(model, data)
            ties.tie(output, next(index for index in data if index != gate))
        elif name in _PASSES and _keeps_channels(model, operator, data):
            for index in data:
                ties.tie(output, index)
        else:
            for index in [*data, output]:
                ties.fix(index)
    members: dict[int, list[int]] = {}
    for operator in main.operators:
        index = int(operator.outputs[0])
        if ties.root(index) not in ties.fixed:
            members.setdefault(ties.root(index), []).append(index)
    return [
        Group(
            tuple(found),
            int(main.tensors[found[0]].shape[-1]),
            tuple(index for index in found if index in bounded),
            tuple(index for index in found if index in restored),
        )
        for found in members.values()
    ]


def rescale(model: Any, group: Group, factors: NDArray[np.float64]) -> None:
    """Divides channel c of every tensor of `group` by `factors[c]`, in place; the function stays.

    A ReLU6 keeps its bound of 6 on the rescaled values: exact where no divided value passes it.
    """
    members = set(group.tensors)
    for layer in graph.layers(model):
        into, out_of = layer.source in members, layer.output in members
        if not (into or out_of):
            continue
        kernel = graph.constant(model, layer.kernel).astype(np.float64)
        if into:
            repeat = kernel.shape[-1] // len(factors)
            kernel *= np.tile(factors, repeat) if layer.kind != "conv" else factors
        if out_of:
            shape = [1] * kernel.ndim
            shape[graph.output_axis(layer.kind)] = -1
            kernel /= factors.reshape(shape)
            bias = graph.constant(model, layer.bias).astype(np.float64)
            graph.set_constant(model, layer.bias, (bias / factors).astype(np.float32))
        graph.set_constant(model, layer.kernel, kernel.astype(np.float32))
    for operator in model.subgraphs[0].operators:
        if graph.operator_name(model, operator) != "MUL" or not _per_channel(model, operator):
            continue
        data, held = _split(model, operator)
        values = graph.constant(model, held).astype(np.float64)
        if data in members:
            values = values * factors
        if int(operator.outputs[0]) in members:
            values = values / factors
        graph.set_constant(model, held, values.astype(np.float32))


def _split(model: Any, operator: Any) -> tuple[int, int]:
    first, second = (int(index) for index in operator.inputs)
    return (second, first) if graph.is_constant(model, first) else (first, second)


def _per_channel(model: Any, operator: Any) -> bool:
    if sum(graph.is_constant(model, int(index)) for index in operator.inputs) != 1:
        return False
    data, held = _split(model, operator)
    tensors = model.subgraphs[0].tensors
    return list(tensors[held].shape)[-1:] == list(tensors[data].shape)[-1:]


def _gate(model: Any, data: list[int]) -> int | None:
    """The one factor of a product that is a sigmoid's output, or None."""
    made = {int(op.outputs[0]) for op in model.subgraphs[0].operators if graph.operator_name(model, op) == "LOGISTIC"}
    gates = [index for index in data if index in made]
    return gates[0] if len(gates) == 1 else None


def _keeps_channels(model: Any, operator: Any, data: list[int]) -> bool:
    """Whether the operator neither mixes channels nor adds constants nor clips."""
    tensors = model.subgraphs[0].tensors
    options = operator.builtinOptions
    clipped = getattr(options, "fusedActivationFunction", 0) not in (0, 1)
    output = list(tensors[operator.outputs[0]].shape)
    same = all(list(tensors[index].shape)[-1] == output[-1] for index in data)
    name = graph.operator_name(model, operator)
    if name == "RESHAPE":  # only flattening a 1x1 map leaves channels where they are
        same = same and int(np.prod(output)) == output[-1]
    if name in ("ADD", "SUB"):
        same = same and len(data) == 2
    return same and not clipped and bool(data)
