"""Symmetric padding absorbed by the convolution behind it, which then pads by itself.

Checkpoints from torch pad alike on both sides; TensorFlow's own padding at stride 2 is one short on
the near side, so converters leave a separate operator. With zero taps added to its far side a
kernel's own "same" padding falls where torch's was. On three-channel images, which vector units
dislike copying, this is several percent of a small network's time.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from calib import graph
from calib.graph import Layer


def absorb(model: Any) -> list[str]:
    """Removes the PAD before plain convolutions where the function stays, in place; returns their names.

    Depthwise kernels keep theirs: they have fast paths for 3x3 and 5x5, and none for more taps.
    """
    main = model.subgraphs[0]
    made = {int(op.outputs[0]): op for op in main.operators if graph.operator_name(model, op) == "PAD"}
    absorbed = []
    for layer in graph.layers(model):
        pad = made.get(layer.source)
        if pad is None or layer.kind != "conv" or len(graph.consumers(model, layer.source)) != 1:
            continue
        grown = _grown(model, layer, pad)
        if grown is None:
            continue
        # Positions move with every operator removed.
        operator = next(op for op in main.operators if int(op.outputs[0]) == layer.output)
        name = graph.tensor_name(main.tensors[layer.kernel])
        operator.inputs = [int(pad.inputs[0]), graph.add_tensor(model, name, grown.shape, grown), layer.bias]
        main.tensors[layer.kernel].name = f"{name}_unpadded"
        operator.builtinOptions.padding = schema.Padding.SAME
        main.operators.remove(pad)
        absorbed.append(layer.name)
    return absorbed


def _grown(model: Any, layer: Layer, pad: Any) -> graph.Array | None:
    """The kernel with taps added so that its own padding equals `pad`, or None where none does."""
    main = model.subgraphs[0]
    operator = main.operators[layer.position]
    options = operator.builtinOptions
    if options.padding != schema.Padding.VALID or (options.dilationHFactor, options.dilationWFactor) != (1, 1):
        return None
    held = model.buffers[main.tensors[pad.inputs[1]].buffer].data
    widths = np.frombuffer(bytes(held), np.int32).reshape(-1, 2)
    if widths[[0, 3]].any():
        return None
    kernel = graph.constant(model, layer.kernel)
    shape = list(kernel.shape)
    for axis, stride, (near, _) in ((1, options.strideH, widths[1]), (2, options.strideW, widths[2])):
        size = int(main.tensors[pad.inputs[0]].shape[axis])
        out = int(main.tensors[layer.output].shape[axis])
        if out != -(-size // stride):
            return None
        fitting = (n for n in range(shape[axis], shape[axis] + 3) if max((out - 1) * stride + n - size, 0) // 2 == near)
        found = next(fitting, None)
        if found is None:
            return None
        shape[axis] = found
    grown = np.zeros(shape, np.float32)
    grown[:, : kernel.shape[1], : kernel.shape[2]] = kernel
    return grown
