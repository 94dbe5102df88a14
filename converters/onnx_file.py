"""Frozen function -> ONNX, with names that do not change from run to run."""

from __future__ import annotations

import contextlib
import io
import logging
from typing import Any

from converters.errors import ConversionError
from converters.frozen import INPUT_NAME, Frozen
from converters.names import layer_of

OPSET = 17


def float_onnx(frozen: Frozen) -> bytes:
    """The float32 ONNX model of `frozen`: NHWC input "image", static batch of one, opset 17.

    tf2onnx numbers nodes and constants at random; here each bears its layer's name, so the same
    model gives the same bytes.
    """
    import tf2onnx

    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            model, _ = tf2onnx.convert.from_graph_def(
                frozen.graph_def,
                input_names=[f"{INPUT_NAME}:0"],
                output_names=[frozen.output_name],
                opset=OPSET,
            )
    except Exception as error:  # tf2onnx raises many types; each means the same to a caller
        raise ConversionError(f"ONNX conversion failed: {str(error).splitlines()[0]}") from error
    _canonicalise(model, frozen.layers)
    return bytes(model.SerializeToString(deterministic=True))


def _canonicalise(model: Any, layers: tuple[str, ...]) -> None:
    """Names nodes after layers, values after the nodes that make or first read them."""
    graph = model.graph
    constants = {tensor.name for tensor in graph.initializer}
    renamed = {graph.input[0].name: INPUT_NAME, graph.output[0].name: layers[-1]}
    taken = set(renamed.values())
    for index, node in enumerate(graph.node):
        origin = [
            node.name,
            *node.output,
            *(name for name in node.input if node.op_type == "Conv" and name in constants),
        ]
        layer = next((found for name in origin if (found := layer_of(name.split(":")[0], layers))), None)
        node.name = _free(f"{layer or f'node{index}'}.{node.op_type}", taken)
        for position, name in enumerate(node.input):
            if name in constants and name not in renamed:
                renamed[name] = _free(f"{node.name}.{position}", taken)
        for name in node.output:
            if name not in renamed:
                renamed[name] = _free(f"{node.name}.output", taken)
    for node in graph.node:
        node.input[:] = [renamed.get(name, name) for name in node.input]
        node.output[:] = [renamed[name] for name in node.output]
    for value in (*graph.initializer, *graph.input, *graph.output):
        value.name = renamed[value.name]
    tensors = sorted(graph.initializer, key=lambda tensor: tensor.name)
    del graph.initializer[:], graph.value_info[:]
    graph.initializer.extend(tensors)
    graph.name, model.doc_string, graph.doc_string = "edgeffnet", "", ""


def _free(name: str, taken: set[str]) -> str:
    """`name`, or the first of `name`_2, `name`_3, ... that is not taken; it is taken now."""
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name}_{number}"
    taken.add(free)
    return free
