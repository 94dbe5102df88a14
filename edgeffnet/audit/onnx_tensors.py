"""Two ONNX models of one network side by side: their common operators, and what an image makes of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeffnet.audit.pairing import Output, Pair, Side, Values, common, linked
from edgeffnet.audit.scoring import Feed
from edgeffnet.audit.subject import Subject

# Operators that only carry or round what others compute.
_SILENT = {"QuantizeLinear", "DequantizeLinear", "Cast", "Identity", "Transpose", "Reshape", "Squeeze", "Unsqueeze"}
_ACTIVATIONS = {"Clip", "Relu"}


@dataclass(frozen=True)
class _Tensor:
    """What is read of an operator: its tensor, as QuantizeLinear rounds it where that alone reads it."""

    output: Output
    read: str
    grid: tuple[float, int, np.dtype[Any]] | None


def opened(subject: Subject, reference: Subject) -> tuple[tuple[Pair, ...], Callable[[], tuple[Side, Side]]]:
    """The operators both models have, and what opens (reference, int8) to read them.

    They are matched by kind and shape, in order; a quantizer that drops an activation, because the grid ends
    where it does, leaves the operator. UnmatchedError where less than half of the reference's operators are in
    the int8 model.
    """
    ours, theirs = (_tensors(model) for model in (reference, subject))
    first, second = ([one.output for one in side] for side in (ours, theirs))
    matched = common(first, second)
    pairs = linked(first, [(first[one], second[other]) for one, other in matched])
    return pairs, lambda: (
        _Watched(reference, [ours[one] for one, _ in matched]),
        _Watched(subject, [theirs[other] for _, other in matched]),
    )


def _tensors(model: Subject) -> list[_Tensor]:
    """Operators that depend on the image, in the graph's order; a layer is read behind its activation."""
    import onnx

    inferred = onnx.shape_inference.infer_shapes(onnx.load(str(model.artifact.path)))
    graph = inferred.graph
    shapes = {value.name: _shape(value) for value in (*graph.value_info, *graph.output)}
    constants = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    readers = Counter(name for node in graph.node for name in node.input)
    reader = {name: node for node in graph.node for name in node.input}
    behind: dict[str, tuple[int, ...]] = {value.name: () for value in graph.input if value.name not in constants}
    found: list[_Tensor] = []
    activated: dict[str, str] = {}
    for place, node in enumerate(graph.node):
        inputs = tuple(entry for name in node.input if name in behind for entry in behind[name])
        if not any(name in behind for name in node.input):
            continue
        name = node.output[0]
        shape = shapes.get(name)
        if node.op_type in _SILENT or len(node.output) != 1 or not shape:
            behind.update(dict.fromkeys(node.output, inputs))
            continue
        behind[name] = (place,)
        follower = reader.get(name)
        if readers[name] == 1 and follower is not None and follower.op_type in _ACTIVATIONS:
            activated[follower.output[0]] = node.op_type
            behind[name] = inputs
            continue
        read, grid = _rounded(name, readers, reader, constants)
        kind = activated.get(name, node.op_type)
        found.append(_Tensor(Output(name, kind, place, shape, inputs), read, grid))
    return found


def _shape(value: Any) -> tuple[int, ...]:
    """Empty where a size is not known."""
    sizes = [int(size.dim_value) for size in value.type.tensor_type.shape.dim]
    return tuple(sizes) if all(sizes) else ()


def _rounded(
    name: str, readers: Counter[str], reader: dict[str, Any], constants: dict[str, NDArray[Any]]
) -> tuple[str, tuple[float, int, np.dtype[Any]] | None]:
    """The tensor behind the QuantizeLinear and DequantizeLinear that alone read `name`, with its grid; or `name`."""
    down = reader.get(name)
    if readers[name] != 1 or down is None or down.op_type != "QuantizeLinear":
        return name, None
    up = reader.get(down.output[0])
    held = [constants.get(entry) for entry in down.input[1:]]
    if up is None or up.op_type != "DequantizeLinear" or len(held) != 2:
        return name, None
    scale, zero = held
    if scale is None or scale.size != 1 or zero is None:
        return name, None
    return str(up.output[0]), (float(scale), int(zero), zero.dtype)


class _Watched:
    """A model in a session with more outputs: one for each operator that is read, after its rounding."""

    def __init__(self, model: Subject, wanted: Sequence[_Tensor]) -> None:
        import onnx
        import onnxruntime

        self._tensors = {one.output.index: one for one in wanted}
        made = onnx.load(str(model.artifact.path))
        known = {value.name for value in made.graph.output}
        self._names = list(dict.fromkeys(one.read for one in wanted))
        made.graph.output.extend(onnx.ValueInfoProto(name=name) for name in self._names if name not in known)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(made.SerializeToString(), options, ["CPUExecutionProvider"])
        self._entry = self._session.get_inputs()[0].name
        self._feed = Feed(model, model.preprocessing)
        self._held: dict[str, NDArray[np.float32]] = {}

    def run(self, pixels: NDArray[np.uint8]) -> None:
        taken = self._feed.preprocessing.normalise(pixels)[None]
        self._held = dict(zip(self._names, self._session.run(self._names, {self._entry: taken}), strict=True))

    def values(self, index: int) -> Values:
        held = np.asarray(self._held[self._tensors[index].read], np.float32)
        channels_last = np.moveaxis(held, 1, -1) if held.ndim == 4 else held
        return np.asarray(channels_last.reshape(-1, channels_last.shape[-1]))

    def span(self, index: int) -> tuple[float, float] | None:
        grid = self._tensors[index].grid
        if grid is None:
            return None
        scale, zero, dtype = grid
        ends = np.iinfo(dtype)
        return (ends.min - zero) * scale, (ends.max - zero) * scale

    def step(self, index: int) -> float:
        grid = self._tensors[index].grid
        return grid[0] if grid else 0.0
