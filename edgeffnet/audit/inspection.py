"""What a model file is, by the runtime that reads it: its input, its output, whether it classifies images."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from converters.artifact import Artifact, Format, Input, Output, Precision
from edgeffnet.audit.subject import Port
from edgeffnet.errors import DataError, UsageError
from edgeffnet.images import Preprocessing
from edgeffnet.targets import agent

_Sizes = tuple[int | None, ...]

# Probabilities add up to one, but for the steps of an 8-bit output.
_SUM_APART = 0.01


@dataclass(frozen=True)
class Ends:
    """A model's input and output as its file has them; None for a size that it leaves open."""

    takes: Port
    gives: Port
    shape: _Sizes
    outputs: int


@dataclass(frozen=True)
class Inspected:
    """A classifier that ran once here: the file that runs as it is fed (NHWC), its ends, classes and output."""

    path: Path
    companions: tuple[Path, ...]
    format: Format
    takes: Port
    gives: Port
    classes: int
    output: Output

    def artifact(self, precision: Precision) -> Artifact:
        takes = cast(Input, self.takes.dtype)
        return Artifact.at(self.path, self.format, precision, takes, self.output, *self.companions)


def inspect(path: Path, form: Format, preprocessing: Preprocessing, stated_in: str, folder: Path) -> Inspected:
    """Inspects the classifier in `path`, which gets images of `preprocessing`, from the file or option `stated_in`.

    A model that takes NCHW, or images of any size, is rewritten into `folder` to take NHWC of that size.
    DataError where it cannot be read or is no image classifier; UsageError where its runtime is missing,
    or where it takes images of another size.
    """
    try:
        ends = _ENDS[form](path)
        _require_image_classifier(path, ends)
        _require_size(path, ends.shape, preprocessing.resolution, stated_in)
        runs = _rewritten(path, form, ends.shape, preprocessing.resolution, folder)
        scores = _once(runs, form, preprocessing)
    except ImportError as error:
        raise UsageError(f"{path}: needs {error.name}: pip install 'edgeffnet[build]'") from None
    except (DataError, UsageError):
        raise
    except Exception as error:  # each runtime raises many types for what it cannot read
        raise DataError(f"{path}: cannot be read ({_first_line(error)})") from None
    row = scores.reshape(-1)
    if scores.shape[:1] != (1,) or max(scores.shape[1:], default=0) != row.size or row.size < 2:
        raise DataError(f"{path}: its output has the shape {scores.shape}, not one row of scores: no classifier")
    companions = (runs.with_suffix(".bin"),) if form == "openvino" else ()
    return Inspected(runs, companions, form, ends.takes, ends.gives, row.size, _kind(row, ends.gives))


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]


def _require_image_classifier(path: Path, ends: Ends) -> None:
    if len(ends.shape) != 4 or 3 not in (ends.shape[1], ends.shape[3]):
        raise DataError(f"{path}: its input has the shape {_told(ends.shape)}, not one RGB image: no image classifier")
    if ends.shape[0] not in (1, None):
        raise DataError(f"{path}: its batch is {ends.shape[0]}: convert it with a batch of one")
    if ends.outputs != 1:
        raise DataError(f"{path}: it has {ends.outputs} outputs, not one row of scores: no classifier")
    if ends.takes.dtype not in ("float32", "uint8", "int8"):
        raise DataError(f"{path}: its input is {ends.takes.dtype}; float32, uint8 or int8 can be fed")


def _require_size(path: Path, shape: _Sizes, resolution: int, stated_in: str) -> None:
    sides = {size for size in _sides(shape) if size is not None}
    if sides - {resolution}:
        told = " x ".join(str(size or "any") for size in _sides(shape))
        raise UsageError(f"{path}: takes images of {told} pixels, but {stated_in} makes them {resolution}")


def _nchw(shape: _Sizes) -> bool:
    return shape[1] == 3 and shape[3] != 3


def _sides(shape: _Sizes) -> _Sizes:
    return shape[2:] if _nchw(shape) else shape[1:3]


def _told(shape: _Sizes) -> str:
    return "(" + ", ".join("any" if size is None else str(size) for size in shape) + ")"


def _once(path: Path, form: Format, preprocessing: Preprocessing) -> NDArray[np.float32]:
    """What the model gives for an image of noise."""
    model = agent.FORMATS[form](str(path), 1)
    side = preprocessing.resolution
    noise = np.random.default_rng(0).integers(0, 256, (1, side, side, 3), np.uint8)
    model.feed(agent.model_input(noise, [*preprocessing.mean], [*preprocessing.std], model.dtype))
    model.invoke()
    return np.array(model.read(), np.float32)


def _kind(row: NDArray[np.float32], gives: Port) -> Output:
    step = gives.scale if gives.scale is not None and gives.dtype != "float32" else 0.0
    apart = max(_SUM_APART, row.size * step / 2)
    sums = row.min() >= 0 and row.max() <= 1 + step + _SUM_APART and abs(float(row.sum()) - 1) <= apart
    return "probabilities" if sums else "logits"


def _tflite_ends(path: Path) -> Ends:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(path), num_threads=1)
    (entry, *others), outputs = interpreter.get_input_details(), interpreter.get_output_details()
    if others:
        raise DataError(f"{path}: it has {1 + len(others)} inputs, not one image: no image classifier")
    signature = entry.get("shape_signature", entry["shape"])
    shape = tuple(int(size) if size > 0 else None for size in signature)
    return Ends(_tflite_port(entry), _tflite_port(outputs[0]), shape, len(outputs))


def _tflite_port(detail: Any) -> Port:
    dtype, (scale, zero_point) = np.dtype(detail["dtype"]).name, detail["quantization"]
    return Port(dtype, float(scale), int(zero_point)) if scale else Port(dtype)


_OPENVINO_TYPES = {"f32": "float32", "u8": "uint8", "i8": "int8", "f16": "float16"}


def _openvino_ends(path: Path) -> Ends:
    import openvino

    model = openvino.Core().read_model(str(path))
    if len(model.inputs) != 1:
        raise DataError(f"{path}: it has {len(model.inputs)} inputs, not one image: no image classifier")
    entry, result = model.inputs[0], model.outputs[0]
    shape = tuple(size.get_length() if size.is_static else None for size in entry.partial_shape)
    takes, gives = (
        Port(_OPENVINO_TYPES.get(name, name))
        for name in (node.element_type.get_type_name() for node in (entry, result))
    )
    return Ends(takes, gives, shape, len(model.outputs))


def _onnx_ends(path: Path) -> Ends:
    import onnx

    graph = onnx.load(str(path), load_external_data=False).graph
    held = {tensor.name for tensor in graph.initializer}
    entries = [value for value in graph.input if value.name not in held]
    if len(entries) != 1:
        raise DataError(f"{path}: it has {len(entries)} inputs, not one image: no image classifier")
    entry = entries[0].type.tensor_type
    shape = tuple(int(size.dim_value) or None for size in entry.shape.dim)
    takes, gives = (
        Port(np.dtype(onnx.helper.tensor_dtype_to_np_dtype(held_type)).name)
        for held_type in (entry.elem_type, graph.output[0].type.tensor_type.elem_type)
    )
    if takes.dtype != "float32":
        raise DataError(f"{path}: its input is {takes.dtype}; ONNX models are fed float32")
    return Ends(takes, gives, shape, len(graph.output))


_ENDS: dict[Format, Callable[[Path], Ends]] = {
    "tflite": _tflite_ends,
    "openvino": _openvino_ends,
    "onnx": _onnx_ends,
}


def _rewritten(path: Path, form: Format, shape: _Sizes, resolution: int, folder: Path) -> Path:
    """`path`, or a model in `folder` that takes NHWC of one size and is otherwise the same."""
    dynamic = None in shape
    if not _nchw(shape) and not (dynamic and form == "openvino"):
        return path
    if form == "tflite":
        raise DataError(f"{path}: takes NCHW; convert it to take NHWC")
    # The name is the content's, so that an audit that goes on finds what it had made.
    key = hashlib.sha256(f"{path.resolve()} {resolution}".encode() + path.read_bytes()).hexdigest()[:16]
    made = folder / f"nhwc-{key}{path.suffix}"
    if made.is_file():
        return made
    if form == "openvino":
        _rewrite_openvino(path, made, resolution, _nchw(shape))
    else:
        _rewrite_onnx(path, made, resolution)
    return made


def _rewrite_openvino(path: Path, made: Path, resolution: int, nchw: bool) -> None:
    import openvino
    from openvino.preprocess import PrePostProcessor

    model = openvino.Core().read_model(str(path))
    model.reshape([1, 3, resolution, resolution] if nchw else [1, resolution, resolution, 3])
    if nchw:
        steps = PrePostProcessor(model)
        steps.input().tensor().set_layout(openvino.Layout("NHWC"))
        steps.input().model().set_layout(openvino.Layout("NCHW"))
        model = steps.build()
    openvino.save_model(model, str(made), compress_to_fp16=False)


def _rewrite_onnx(path: Path, made: Path, resolution: int) -> None:
    import onnx

    model = onnx.load(str(path))
    graph = model.graph
    held = {tensor.name for tensor in graph.initializer}
    entry = next(value for value in graph.input if value.name not in held)
    name = f"{entry.name}_nhwc"
    fed = onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, resolution, resolution, 3])
    turn = onnx.helper.make_node("Transpose", [name], [entry.name], perm=[0, 3, 1, 2], name=f"{name}_to_nchw")
    graph.node.insert(0, turn)
    graph.input.remove(entry)
    graph.input.insert(0, fed)
    onnx.save(model, str(made))
