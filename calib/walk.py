"""Running a `.tflite` one operator at a time, over many images at once.

Reconstruction has to change a layer's weights and then see what the changed layer gives to the
next one. Running each operator alone does that in the time of a single pass over the model.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from calib import graph

Tensors = dict[int, NDArray[Any]]


def run_operator(model: Any, operator: Any, inputs: Mapping[int, NDArray[Any]], threads: int = 1) -> NDArray[Any]:
    """What `operator` of `model` (ModelT) gives for `inputs`, by tensor index, batch first."""
    from ai_edge_litert.interpreter import Interpreter

    alone, fed = _alone(model, operator, inputs)
    interpreter = Interpreter(model_content=graph.write(alone), num_threads=threads)
    interpreter.allocate_tensors()
    entries = {detail["name"]: detail["index"] for detail in interpreter.get_input_details()}
    for index in fed:
        interpreter.set_tensor(entries[f"t{index}"], inputs[index])
    interpreter.invoke()
    return np.asarray(interpreter.get_tensor(interpreter.get_output_details()[0]["index"]))


def last_uses(model: Any) -> dict[int, int]:
    """Tensor index -> position of the last operator that reads it."""
    return {
        int(index): position
        for position, operator in enumerate(model.subgraphs[0].operators)
        for index in operator.inputs
        if index >= 0
    }


def _alone(model: Any, operator: Any, inputs: Mapping[int, NDArray[Any]]) -> tuple[Any, list[int]]:
    """A model of one operator whose batch is that of `inputs`; and which inputs it takes."""
    main = model.subgraphs[0]
    batch = max(values.shape[0] for values in inputs.values())
    made = schema.ModelT()
    made.version, made.description = 3, "one operator"
    made.operatorCodes = [model.operatorCodes[operator.opcodeIndex]]
    made.buffers = [schema.BufferT()]
    sub = schema.SubGraphT()
    sub.tensors, sub.inputs, sub.outputs, sub.operators = [], [], [], []
    moved: dict[int, int] = {}
    fed = []
    for index in [*operator.inputs, *operator.outputs]:
        index = int(index)
        if index < 0 or index in moved:
            continue
        tensor = copy.copy(main.tensors[index])
        tensor.name = f"t{index}"
        if graph.is_constant(model, index):
            made.buffers.append(model.buffers[tensor.buffer])
            tensor.buffer = len(made.buffers) - 1
        else:
            tensor.buffer = 0
            tensor.shape = [batch, *[int(n) for n in tensor.shape[1:]]]
            if index in inputs:
                fed.append(index)
        moved[index] = len(sub.tensors)
        sub.tensors.append(tensor)
    sub.inputs = [moved[index] for index in fed]
    sub.outputs = [moved[int(operator.outputs[0])]]
    one = copy.copy(operator)
    one.opcodeIndex = 0
    one.inputs = [moved[int(index)] if index >= 0 else -1 for index in operator.inputs]
    one.outputs = [moved[int(operator.outputs[0])]]
    sub.operators = [one]
    made.subgraphs = [sub]
    return made, fed
