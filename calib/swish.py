"""Per-channel factors around a swish: x sigmoid(x) as (x/k) sigmoid(k (x/k)).

An 8-bit tensor has one scale for all its channels; the values before an EfficientNet's swishes
differ by orders of magnitude between them. Dividing channel c by k_c costs nothing in the layers
before and after, and the sigmoid's input is restored by one more product, whose range ends where
the sigmoid does. The idea of SmoothQuant (Xiao et al. 2022, arXiv:2211.10438) and of cross-layer
equalization (arXiv:1906.04721), carried through an activation that is not homogeneous.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np

from calib import graph

RESTORED = "_restored"


@dataclass(frozen=True)
class Swish:
    """A swish of the graph: tensor indices of its input, its sigmoid and its output.

    `sigmoid_input` is `source`, or what restores it.
    """

    name: str
    source: int
    sigmoid_input: int
    sigmoid: int
    output: int

    @property
    def rewritten(self) -> bool:
        return self.sigmoid_input != self.source


def swishes(model: Any) -> list[Swish]:
    """Every x * sigmoid(x) in the main subgraph, in order; `name` is its output tensor's."""
    main = model.subgraphs[0]
    maker = {int(op.outputs[0]): op for op in main.operators}
    found = []
    for operator in main.operators:
        if graph.operator_name(model, operator) != "MUL":
            continue
        for source, sigmoid in (operator.inputs, reversed(operator.inputs)):
            made = maker.get(int(sigmoid))
            if made is None or graph.operator_name(model, made) != "LOGISTIC":
                continue
            entry = int(made.inputs[0])
            restoring = maker.get(entry)
            restored = (
                restoring is not None
                and graph.operator_name(model, restoring) == "MUL"
                and int(restoring.inputs[0]) == source
            )
            if entry == source or restored:
                output = int(operator.outputs[0])
                name = graph.tensor_name(main.tensors[output])
                found.append(Swish(name, int(source), entry, int(sigmoid), output))
                break
    return found


def elements(model: Any, swish: Swish) -> int:
    """Values in the swish's tensors, which is what its restoring product costs in time."""
    return int(np.prod(model.subgraphs[0].tensors[swish.source].shape))


def restoring_factors(model: Any, swish: Swish) -> graph.Array:
    """What the sigmoid's input is multiplied by, per channel: ones where nothing was rewritten."""
    main = model.subgraphs[0]
    channels = int(main.tensors[swish.source].shape[-1])
    if not swish.rewritten:
        return np.ones(channels, np.float32)
    product = next(op for op in main.operators if int(op.outputs[0]) == swish.sigmoid_input)
    return graph.constant(model, int(product.inputs[1])).reshape(channels)


def add_restoring(model: Any, names: frozenset[str]) -> None:
    """Puts a product by one before the sigmoid of the named swishes, in place, for factors to fill."""
    main = model.subgraphs[0]
    for swish in swishes(model):
        if swish.name not in names or swish.rewritten:
            continue
        shape = tuple(int(n) for n in main.tensors[swish.source].shape)
        factor_shape = (*[1] * (len(shape) - 1), shape[-1])
        ones = np.ones(factor_shape, np.float32)
        constant = graph.add_tensor(model, f"{swish.name}{RESTORED}/factor", factor_shape, ones)
        restored = graph.add_tensor(model, f"{swish.name}{RESTORED}", shape)
        position = next(i for i, op in enumerate(main.operators) if int(op.outputs[0]) == swish.sigmoid)
        product = copy.deepcopy(next(op for op in main.operators if int(op.outputs[0]) == swish.output))
        product.inputs, product.outputs = [swish.source, constant], [restored]
        main.operators[position].inputs = [restored]
        main.operators.insert(position, product)
