"""A stranger's float `.tflite`, checked and brought to the form that is quantized."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

from ai_edge_litert import schema_py_generated as schema

from converters import flatbuffer
from converters.errors import ConversionError
from converters.tflite import add_signature


@dataclass(frozen=True)
class Prepared:
    """A float `.tflite` with a static batch of one that ends in a softmax over `classes`."""

    data: bytes
    resolution: int
    classes: int
    softmax_added: bool


def prepared(data: bytes) -> Prepared:
    """`data` as a classifier to be quantized. ConversionError says why it cannot be one."""
    model = _read(data)
    graph = model.subgraphs[0]
    _require_float(model)
    shape = _entry(model)
    result = graph.tensors[graph.outputs[0]]
    if len(graph.outputs) != 1 or result.type != schema.TensorType.FLOAT32 or len(result.shape) != 2:
        raise ConversionError("its output is not one row of float32 scores: is it a classifier?")
    for tensor in graph.tensors:
        tensor.shapeSignature = None
    last = next(one for one in graph.operators if graph.outputs[0] in one.outputs)
    add = flatbuffer.operator_name(model, last) != "SOFTMAX"
    if add:
        _add_softmax(model)
    if not model.signatureDefs:
        add_signature(graph, model)
    return Prepared(flatbuffer.write(model), int(shape[1]), int(result.shape[1]), add)


def _read(data: bytes) -> Any:
    if data[4:8] != b"TFL3":
        raise ConversionError("not a .tflite file")
    try:
        model = flatbuffer.read(data)
        flatbuffer.operator_name(model, model.subgraphs[0].operators[0])
    except Exception as error:  # a damaged flatbuffer can raise anything
        raise ConversionError(f"a damaged .tflite file ({error})") from None
    if len(model.subgraphs) != 1:
        raise ConversionError(f"it has {len(model.subgraphs)} subgraphs; only plain networks can be quantized")
    return model


def _require_float(model: Any) -> None:
    graph = model.subgraphs[0]
    names = {flatbuffer.operator_name(model, operator) for operator in graph.operators}
    if not names & {"CONV_2D", "DEPTHWISE_CONV_2D"}:
        raise ConversionError("it has no convolution")
    for tensor in graph.tensors:
        quantized = tensor.quantization is not None and tensor.quantization.scale is not None
        if quantized and len(tensor.quantization.scale):
            raise ConversionError(f"it is quantized already ({flatbuffer.tensor_name(tensor)}): give the float model")
        if tensor.type == schema.TensorType.FLOAT16:
            raise ConversionError("its weights are float16: convert it again without that optimisation")


def _entry(model: Any) -> list[int]:
    graph = model.subgraphs[0]
    if len(graph.inputs) != 1:
        raise ConversionError(f"it has {len(graph.inputs)} inputs, not one image")
    entry = graph.tensors[graph.inputs[0]]
    shape = [int(size) for size in entry.shape]
    if entry.type != schema.TensorType.FLOAT32 or len(shape) != 4 or shape[3] != 3 or shape[1] != shape[2]:
        raise ConversionError(f"its input is not one square float32 RGB image but has the shape {shape}")
    if shape[0] != 1:
        raise ConversionError(f"its batch is {shape[0]}: convert it with a static batch of 1")
    return shape


def _add_softmax(model: Any) -> None:
    graph = model.subgraphs[0]
    scores = graph.tensors[graph.outputs[0]]
    probabilities = copy.deepcopy(scores)
    probabilities.name = f"{flatbuffer.tensor_name(scores)}_softmax"
    graph.tensors.append(probabilities)
    operator = schema.OperatorT()
    operator.opcodeIndex = flatbuffer.operator_code(model, schema.BuiltinOperator.SOFTMAX)
    operator.inputs, operator.outputs = [int(graph.outputs[0])], [len(graph.tensors) - 1]
    operator.builtinOptionsType = schema.BuiltinOptions.SoftmaxOptions
    operator.builtinOptions = schema.SoftmaxOptionsT()
    operator.builtinOptions.beta = 1.0
    graph.operators = [*graph.operators, operator]
    graph.outputs = list(operator.outputs)
    for signature in model.signatureDefs or []:
        signature.outputs[0].tensorIndex = graph.outputs[0]
