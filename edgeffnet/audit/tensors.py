"""Two `.tflite` files of one network side by side: which tensors are the same, and what an image makes of them."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from calib import graph
from edgeffnet.audit.pairing import Output, Pair, Side, UnmatchedError, Values, in_order, linked, require_most
from edgeffnet.audit.scoring import Feed
from edgeffnet.audit.subject import Subject

# What quantizers put behind a tensor's name.
_ADDED = re.compile(r"(_quantized|_dequantized|_requantized|_int8)+\d*$")
_ENDS = {"QUANTIZE", "DEQUANTIZE"}
# Matched by name below this share, the order of operators may say more.
_NAMED = 0.9
_LAYERS = {"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"}
_EQUAL = 0.05
_VALUES = {schema.TensorType.FLOAT32, schema.TensorType.INT8, schema.TensorType.UINT8, schema.TensorType.INT16}


def opened(subject: Subject, reference: Subject) -> tuple[tuple[Pair, ...], Callable[[], tuple[Side, Side]]]:
    """The tensors both `.tflite` files compute, and what opens (reference, int8) to read them.

    UnmatchedError where the files are not of one network.
    """
    matched = pairs(reference.artifact.path.read_bytes(), subject.artifact.path.read_bytes())
    return matched, lambda: (_Watched(reference), _Watched(subject))


def pairs(reference: bytes, int8: bytes) -> tuple[Pair, ...]:
    """The outputs that both `.tflite` files compute, in the order the reference computes them.

    Matched by name and shape, or where converters renamed them by kind and shape in order.
    UnmatchedError where less than half of the reference's operators have a counterpart.
    """
    ours, theirs = _outputs(reference), _outputs(int8)
    matched = _by_name(ours, theirs)
    if len(matched) < _NAMED * len(ours):
        matched = max(matched, in_order(ours, theirs), key=len)
    require_most(matched, ours, "by name or by kind and shape in order")
    return linked(ours, [(ours[one], theirs[other]) for one, other in sorted(matched)])


def conflicts(path: Path) -> dict[str, float]:
    """Layers of an int8 `.tflite` whose bias has another scale than input times kernel: the quotient, by output name.

    The format has them equal; where they are not, a scale was changed after the file was made.
    """
    model = graph.read(path.read_bytes())
    main = model.subgraphs[0]
    found = {}
    for operator in main.operators:
        if graph.operator_name(model, operator) not in _LAYERS or len(operator.inputs) < 3 or operator.inputs[2] < 0:
            continue
        entry, kernel, bias = (_scales(main.tensors[index]) for index in operator.inputs[:3])
        if entry is None or kernel is None or bias is None:
            continue
        quotient = float(np.median(bias / (entry * kernel)))
        if not 1 - _EQUAL < quotient < 1 + _EQUAL:
            found[graph.tensor_name(main.tensors[operator.outputs[0]])] = quotient
    return found


def _scales(tensor: Any) -> NDArray[np.float64] | None:
    held = tensor.quantization
    return None if held is None or held.scale is None or not len(held.scale) else np.asarray(held.scale, np.float64)


def _outputs(data: bytes) -> list[Output]:
    model = graph.read(data)
    if len(model.subgraphs) != 1:
        raise UnmatchedError(f"a file with {len(model.subgraphs)} subgraphs is not compared layer by layer")
    main = model.subgraphs[0]
    found = []
    behind: dict[int, int] = {}
    for operator in main.operators:
        kind, index = graph.operator_name(model, operator), int(operator.outputs[0])
        inputs = tuple(behind.get(int(entry), int(entry)) for entry in operator.inputs if entry >= 0)
        if kind in _ENDS:
            behind[index] = inputs[0]
            continue
        tensor = main.tensors[index]
        if tensor.type not in _VALUES:
            continue
        shape = tuple(int(size) for size in tensor.shape)
        found.append(Output(graph.tensor_name(tensor), kind, index, shape, inputs))
    return found


def _by_name(ours: Sequence[Output], theirs: Sequence[Output]) -> list[tuple[int, int]]:
    known = {(_ADDED.sub("", one.name), one.shape): place for place, one in enumerate(theirs)}
    keys = [(_ADDED.sub("", one.name), one.shape) for one in ours]
    return [(place, known[key]) for place, key in enumerate(keys) if key in known]


class _Watched:
    """A `.tflite` file in an interpreter that keeps every tensor."""

    def __init__(self, model: Subject) -> None:
        from ai_edge_litert.interpreter import Interpreter

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # preserving all tensors is what we want here
            self._interpreter = Interpreter(
                model_path=str(model.artifact.path), experimental_preserve_all_tensors=True, num_threads=1
            )
        self._interpreter.allocate_tensors()
        self._entry = self._interpreter.get_input_details()[0]
        self._feed = Feed(model, model.preprocessing)
        details = self._interpreter.get_tensor_details()
        self._grids = {int(one["index"]): (np.dtype(one["dtype"]), *one["quantization"]) for one in details}

    def run(self, pixels: NDArray[np.uint8]) -> None:
        taken: NDArray[Any] = self._feed.prepared(pixels)
        if self._entry["dtype"] == np.float32:
            taken = self._feed.preprocessing.normalise(pixels)
        elif self._entry["dtype"] == np.int8:
            taken = (taken.astype(np.int16) - 128).astype(np.int8)
        self._interpreter.set_tensor(self._entry["index"], taken[None])
        self._interpreter.invoke()

    def values(self, index: int) -> Values:
        held = self._interpreter.tensor(index)()  # a view: nothing outlives the image
        rows = held.reshape(-1, held.shape[-1]) if held.ndim else held.reshape(1, 1)
        dtype, scale, zero_point = self._grids[index]
        if dtype == np.float32:
            return np.asarray(rows)
        return np.asarray((rows.astype(np.float32) - np.float32(zero_point)) * np.float32(scale))

    def span(self, index: int) -> tuple[float, float] | None:
        dtype, scale, zero_point = self._grids[index]
        if dtype == np.float32 or not scale:
            return None
        ends = np.iinfo(dtype)
        return float((ends.min - zero_point) * scale), float((ends.max - zero_point) * scale)

    def step(self, index: int) -> float:
        dtype, scale, _ = self._grids[index]
        return 0.0 if dtype == np.float32 else float(scale)
