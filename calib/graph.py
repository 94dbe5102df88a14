"""Float `.tflite` files as objects: operators, constants, and the layers that hold weights.

What the calibration algorithms share: they all rewrite the one subgraph of a float model whose
constants lie in its buffers. A tensor's name stands for the layer it leaves.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.tools import flatbuffer_utils
from numpy.typing import NDArray

from calib.errors import CalibrationError

Array = NDArray[np.float32]
Kind = Literal["conv", "depthwise", "dense"]
Bound = Literal["none", "relu", "relu6"]

_OPERATOR_NAMES = {code: name for name, code in vars(schema.BuiltinOperator).items() if not name.startswith("_")}
_KINDS: dict[str, Kind] = {"CONV_2D": "conv", "DEPTHWISE_CONV_2D": "depthwise", "FULLY_CONNECTED": "dense"}
_BOUNDS: dict[int, Bound] = {
    schema.ActivationFunctionType.NONE: "none",
    schema.ActivationFunctionType.RELU: "relu",
    schema.ActivationFunctionType.RELU6: "relu6",
}


@dataclass(frozen=True)
class Layer:
    """An operator with weights; `source`, `output`, `kernel`, `bias` are tensor indices.

    `name` is the output tensor's, `bound` the activation fused into the operator.
    """

    name: str
    kind: Kind
    position: int
    source: int
    output: int
    kernel: int
    bias: int
    bound: Bound


def read(data: bytes) -> Any:
    """The ModelT of a `.tflite` file's bytes; the weights and biases of a layer are its own."""
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(data))
    _unshare(model)
    return model


def _unshare(model: Any) -> None:
    """Gives a layer a copy of what an earlier one reads: converters write equal biases as one tensor."""
    main = model.subgraphs[0]
    taken: set[int] = set()
    for operator in main.operators:
        if operator_name(model, operator) not in _KINDS:
            continue
        for place, index in enumerate(operator.inputs):
            if index in taken and is_constant(model, int(index)):
                own = copy.copy(main.tensors[index])
                own.name = f"{tensor_name(main.tensors[operator.outputs[0]])}/{place}"
                operator.inputs[place] = len(main.tensors)
                main.tensors.append(own)
            taken.add(int(index))


def write(model: Any) -> bytes:
    """The bytes of a ModelT, with weights inside the flatbuffer where every tool finds them."""
    for buffer in model.buffers:
        # The packer writes an array at once, but a byte string one element at a time: seconds a model.
        if buffer.data is not None and not isinstance(buffer.data, np.ndarray):
            buffer.data = np.frombuffer(bytes(buffer.data), np.uint8)
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def operator_name(model: Any, operator: Any) -> str:
    """The operator's name in the schema, such as "CONV_2D"."""
    code = flatbuffer_utils.get_builtin_code_from_operator_code(model.operatorCodes[operator.opcodeIndex])
    return str(_OPERATOR_NAMES[code])


def tensor_name(tensor: Any) -> str:
    """The tensor's name as text."""
    return tensor.name.decode() if isinstance(tensor.name, bytes) else str(tensor.name)


def is_constant(model: Any, index: int) -> bool:
    """Whether tensor `index` of the main subgraph holds data in the file."""
    data = model.buffers[model.subgraphs[0].tensors[index].buffer].data
    return data is not None and len(data) > 0


def constant(model: Any, index: int) -> Array:
    """A copy of the float32 data of tensor `index`, in its shape."""
    tensor = model.subgraphs[0].tensors[index]
    if tensor.type != schema.TensorType.FLOAT32 or not is_constant(model, index):
        raise CalibrationError(f"tensor {tensor_name(tensor)} is no float constant; is this a float model?")
    data = np.asarray(model.buffers[tensor.buffer].data, np.uint8)
    return data.view(np.float32).reshape(tuple(tensor.shape)).copy()


def set_constant(model: Any, index: int, values: NDArray[Any]) -> None:
    """Replaces the data of tensor `index`; the shape stays."""
    tensor = model.subgraphs[0].tensors[index]
    if tuple(tensor.shape) != values.shape:
        raise CalibrationError(f"{tensor_name(tensor)}: {values.shape} does not replace {tuple(tensor.shape)}")
    # A buffer can be shared by tensors that hold equal values: the others keep theirs.
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(np.ascontiguousarray(values, np.float32).tobytes(), np.uint8)
    tensor.buffer = len(model.buffers)
    model.buffers.append(buffer)


def layers(model: Any) -> list[Layer]:
    """Convolutions, depthwise convolutions and dense layers in the order they run."""
    graph = model.subgraphs[0]
    found = []
    for position, operator in enumerate(graph.operators):
        kind = _KINDS.get(operator_name(model, operator))
        if kind is None:
            continue
        activation = operator.builtinOptions.fusedActivationFunction
        if activation not in _BOUNDS:
            raise CalibrationError(f"{tensor_name(graph.tensors[operator.outputs[0]])}: unknown fused activation")
        bias = int(operator.inputs[2]) if len(operator.inputs) > 2 else -1
        if bias < 0:
            bias = _zero_bias(model, operator, kind)
        found.append(
            Layer(
                name=tensor_name(graph.tensors[operator.outputs[0]]),
                kind=kind,
                position=position,
                source=int(operator.inputs[0]),
                output=int(operator.outputs[0]),
                kernel=int(operator.inputs[1]),
                bias=bias,
                bound=_BOUNDS[activation],
            )
        )
    return found


def output_axis(kind: Kind) -> int:
    """The axis of a kernel that counts output channels: OHWI, 1HWO and OI are TFLite's layouts."""
    return 3 if kind == "depthwise" else 0


def consumers(model: Any, index: int) -> list[Any]:
    """The operators that read tensor `index`."""
    return [operator for operator in model.subgraphs[0].operators if index in operator.inputs]


def add_tensor(model: Any, name: str, shape: tuple[int, ...], values: Array | None = None) -> int:
    """A new float32 tensor, constant where `values` are given; returns its index."""
    graph = model.subgraphs[0]
    tensor = schema.TensorT()
    tensor.name, tensor.shape, tensor.type = name, list(shape), schema.TensorType.FLOAT32
    tensor.buffer = 0
    graph.tensors.append(tensor)
    index = len(graph.tensors) - 1
    if values is not None:
        set_constant(model, index, values)
    return index


def prune(model: Any) -> None:
    """Drops buffers that no tensor and no metadata uses: replaced constants leave theirs behind."""
    used = {0} | {tensor.buffer for graph in model.subgraphs for tensor in graph.tensors}
    used |= {entry.buffer for entry in model.metadata or []}
    order = sorted(used)
    moved = {old: new for new, old in enumerate(order)}
    model.buffers = [model.buffers[old] for old in order]
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            tensor.buffer = moved[tensor.buffer]
    for entry in model.metadata or []:
        entry.buffer = moved[entry.buffer]


def _zero_bias(model: Any, operator: Any, kind: Kind) -> int:
    graph = model.subgraphs[0]
    kernel = graph.tensors[operator.inputs[1]]
    channels = int(kernel.shape[output_axis(kind)])
    name = f"{tensor_name(graph.tensors[operator.outputs[0]])}/bias"
    index = add_tensor(model, name, (channels,), np.zeros(channels, np.float32))
    operator.inputs = [*[int(i) for i in operator.inputs[:2]], index]
    return index
