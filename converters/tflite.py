"""Frozen function -> float `.tflite`, its tensors named after the Keras layers they belong to."""

from __future__ import annotations

from typing import Any

from ai_edge_litert import schema_py_generated as schema

from converters import flatbuffer
from converters.errors import ConversionError
from converters.frozen import INPUT_NAME, Frozen
from converters.names import layer_of


def float_tflite(frozen: Frozen) -> bytes:
    """The float32 `.tflite` of `frozen`, with one signature, `serving_default`.

    Every operator's output tensor bears its layer's name (a fused activation's where there is one),
    and its constants are `<layer>/kernel` and `<layer>/bias`. Where a layer becomes two operators,
    the first is `<layer>_sigmoid` or `<layer>_pad`, or a later one is `<layer>_<operator>`.
    """
    import tensorflow as tf

    try:
        converted = tf.lite.TFLiteConverter.from_concrete_functions([frozen.function]).convert()
    except Exception as error:  # the converter raises many types; each means the same to a caller
        raise ConversionError(f"TFLite conversion failed: {str(error).splitlines()[0]}") from error
    model = flatbuffer.read(converted)
    _name_tensors(model, frozen.layers)
    add_signature(model.subgraphs[0], model)
    model.metadata = []  # converter notes that only grow the file
    return flatbuffer.write(model)


def _name_tensors(model: Any, layers: tuple[str, ...]) -> None:
    graph = model.subgraphs[0]
    graph.tensors[graph.inputs[0]].name = INPUT_NAME
    names = {INPUT_NAME}
    for operator in graph.operators:
        output = graph.tensors[operator.outputs[0]]
        fused = flatbuffer.tensor_name(output).split(";")
        is_last = operator.outputs[0] == graph.outputs[0]
        layer = layers[-1] if is_last else layer_of(fused[0], layers) or fused[0]
        kind = flatbuffer.operator_name(model, operator)
        output.name = _operator_tensor(layer, kind)
        if output.name in names:
            # A layer with a swish of its own becomes three operators.
            output.name = f"{output.name}_{kind.lower()}"
        if output.name in names:
            raise ConversionError(f"two operators of the converted model are named {output.name}")
        names.add(output.name)
        constants = [graph.tensors[index] for index in operator.inputs if index >= 0]
        stored = [tensor for tensor in constants if model.buffers[tensor.buffer].data is not None]
        for tensor, part in zip(stored, ("kernel", "bias"), strict=False):
            tensor.name = f"{layer_of(fused[-1], layers) or layer}/{part}"


def _operator_tensor(layer: str, operator: str) -> str:
    if operator == "LOGISTIC" and not layer.endswith("_gate"):
        return f"{layer}_sigmoid"
    return f"{layer}_pad" if operator == "PAD" and not layer.endswith("_pad") else layer


def add_signature(graph: Any, model: Any) -> None:
    """Gives `model` the one signature `serving_default`, named after the tensors of `graph`."""
    signature = schema.SignatureDefT()
    signature.signatureKey = "serving_default"
    signature.subgraphIndex = 0
    signature.inputs, signature.outputs = (
        [_signature_tensor(graph, index) for index in indices] for indices in (graph.inputs, graph.outputs)
    )
    model.signatureDefs = [signature]


def _signature_tensor(graph: Any, index: int) -> Any:
    tensor = schema.TensorMapT()
    tensor.name = flatbuffer.tensor_name(graph.tensors[index])
    tensor.tensorIndex = int(index)
    return tensor
