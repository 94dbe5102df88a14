"""Float `.tflite` -> OpenVINO IR, fp32 or int8 through NNCF.

OpenVINO reads the same float `.tflite` the int8 one is made from, so that both backends quantize
the same convolutions under the same names.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import re
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converters.description import Description
from converters.errors import ConversionError

# By a counter of the process, where nothing else names an operator.
_NUMBERED = re.compile(r"[A-Za-z0-9]+_\d+")

Normalise = Callable[[NDArray[Any]], NDArray[np.float32]]


def read_bytes(float_tflite: bytes) -> Any:
    """As `read`, of a `.tflite` that is in no file."""
    with tempfile.TemporaryDirectory(prefix="edgeffnet-") as folder:
        path = Path(folder) / "model.tflite"
        path.write_bytes(float_tflite)
        return read(path)


def read(float_tflite: Path) -> Any:
    """The openvino.Model of a float `.tflite`, its patterns fused; the same file gives the same names.

    NNCF knows a swish only once its sigmoid and product are one operator; unfused it rounds both,
    and a B0 keeps 95% agreement instead of 99%.
    """
    import openvino
    from openvino._offline_transformations import apply_moc_transformations

    try:
        model = openvino.Core().read_model(str(float_tflite))
    except RuntimeError as error:
        raise ConversionError(f"OpenVINO cannot read the float model: {str(error).splitlines()[0]}") from error
    apply_moc_transformations(model, cf=False)
    model.inputs[0].node.layout = openvino.Layout("NHWC")
    counts: Counter[str] = Counter()
    for node in model.get_ordered_ops():
        kind = node.get_type_name()
        if _NUMBERED.fullmatch(node.get_friendly_name()):
            node.set_friendly_name(f"{kind}.{counts[kind]}")
        counts[kind] += 1
    return model


def quantize(
    model: Any,
    pixels: NDArray[Any],
    normalise: Normalise,
    *,
    saturating: bool,
    settled_later: bool = False,
    per_tensor: bool = False,
    in_float: Sequence[int] = (),
) -> Any:
    """The int8 form of `model` by NNCF, calibrated on `pixels`, uint8 (n, h, w, 3), as `normalise` makes them.

    `saturating`: the machine it will run on adds pairs of 8-bit products in 16 bits (x86 without
    VNNI); its weights then use half their range so that no sum overflows. Where weights and biases are
    `settled_later` (`settle`), biases are left as they are. `per_tensor` gives each kernel one scale. The
    layers `in_float`, counted in the network's order, stay in float.

    Networks of clamped activations (ReLU6) get one range per tensor, from the smallest to the
    largest value seen. NNCF's defaults, a range per channel of depthwise inputs averaged over
    images, clip what a new image puts beyond it: Lite0 loses half of its signal-to-noise ratio in
    dB to that. Around swish the defaults are the better ones.
    """
    os.environ.setdefault("NNCF_TELEMETRY", "0")
    with contextlib.redirect_stdout(io.StringIO()):
        import nncf

        logging.getLogger("nncf").setLevel(logging.ERROR)
        try:
            made = nncf.quantize(
                model,
                nncf.Dataset(pixels, lambda image: normalise(image[None])),
                subset_size=len(pixels),
                preset=nncf.QuantizationPreset.MIXED,
                ignored_scope=nncf.IgnoredScope(names=[_layers(model)[index] for index in in_float]),
                advanced_parameters=_advanced_parameters(model, saturating, per_tensor, settled_later),
            )
        except (RuntimeError, ValueError) as error:
            raise ConversionError(f"NNCF quantization failed: {str(error).splitlines()[0]}") from error
    _make_convolution_inputs_symmetric(made)
    return made


def settle(model: Any, settled: Any, steps: Sequence[NDArray[np.float64]]) -> None:
    """Gives the int8 `model`, in place, the weights and biases of the float one `settled`.

    Weights lie in whole `steps` of each layer's rows, (rows, 1), in the network's order. Both models are of
    the same network: the names of their layers are.
    """
    layers = {node.get_friendly_name(): node for node in _weighted(model)}
    for node, step in zip(_weighted(settled), steps, strict=True):
        layer = layers[node.get_friendly_name()]
        _put_on_grid(layer, _kernel(node), step)
        given, taken = _bias(node), _bias(layer)
        if given is not None and taken is not None:
            taken.replace_source_output(_copied(given).output(0))


def _make_convolution_inputs_symmetric(model: Any) -> None:
    """Widens the signed grids that plain convolutions read until their zero lies in the middle, in place.

    Zero points there cost a tenth of a swish network's time; everywhere else they are free, and worth 3 dB.
    """
    import openvino

    for node in model.get_ops():
        readers = {port.get_node().get_type_name() for port in node.output(0).get_target_inputs()}
        if node.get_type_name() != "FakeQuantize" or "Convolution" not in readers:
            continue
        if node.input_value(0).get_node().get_type_name() == "Constant":
            continue
        low, high = (node.input_value(port).get_node().get_data() for port in (1, 2))
        if (low >= 0).all():
            continue
        high = np.maximum(high, -low * np.float32(127 / 128))
        for port, values in zip((1, 2, 3, 4), (-high * np.float32(128 / 127), high) * 2, strict=True):
            held = openvino.opset13.constant(values.astype(np.float32))
            node.input(port).replace_source_output(held.output(0))


def _layers(model: Any) -> list[str]:
    """The names of operators with weights, in order: those of the `.tflite`'s layers."""
    return [node.get_friendly_name() for node in _weighted(model)]


def _weighted(model: Any) -> list[Any]:
    kinds = ("Convolution", "GroupConvolution", "MatMul")
    return [node for node in model.get_ordered_ops() if node.get_type_name() in kinds]


def _kernel(node: Any) -> NDArray[np.float32]:
    """A float layer's weights, output channels first."""
    held = node.input_value(1).get_node()
    while held.get_type_name() != "Constant":
        held = held.input_value(0).get_node()
    return np.array(held.get_data(), np.float32)


def _bias(node: Any) -> Any:
    """The input by which a layer's bias comes into the addition behind it; None where there is none."""
    readers = [port.get_node() for port in node.output(0).get_target_inputs()]
    inputs = [port for reader in readers if reader.get_type_name() == "Add" for port in reader.inputs()]
    return next((port for port in inputs if _is_constant(port)), None)


def _is_constant(port: Any) -> bool:
    return bool(port.get_source_output().get_node().get_type_name() == "Constant")


def _copied(port: Any) -> Any:
    """The constant that `port` reads, as one of another model."""
    from openvino import opset13

    return opset13.constant(np.array(port.get_source_output().get_node().get_data(), np.float32))


def _put_on_grid(node: Any, kernel: NDArray[np.float32], step: NDArray[np.float64]) -> None:
    """Gives a layer the weights `kernel` in whole `step` (rows, 1), where NNCF made it int8."""
    import openvino
    from openvino import opset13

    scaling = node.input_value(1).get_node()
    if scaling.get_type_name() != "Multiply":
        return
    held = scaling.input_value(0).get_node().input_value(0).get_node()
    rows = step.astype(np.float32).reshape(-1, *(1,) * (kernel.ndim - 1))
    whole = np.clip(np.rint(kernel / rows), -127, 127).astype(np.int8)
    scaled = opset13.multiply(
        opset13.convert(opset13.constant(whole.reshape(held.get_data().shape)), openvino.Type.f32),
        opset13.constant(rows),
    )
    node.input(1).replace_source_output(scaled.output(0))


def _advanced_parameters(model: Any, saturating: bool, per_tensor: bool, settled_later: bool) -> Any:
    import nncf
    from nncf.quantization.advanced_parameters import QuantizationParameters
    from nncf.quantization.range_estimator import RangeEstimatorParametersSet

    made = nncf.AdvancedQuantizationParameters(
        overflow_fix=nncf.OverflowFix.ENABLE if saturating else nncf.OverflowFix.DISABLE,
        disable_bias_correction=settled_later,
    )
    if per_tensor:
        made.weights_quantization_params = QuantizationParameters(per_channel=False)
    if not any(operator.get_type_name() == "Swish" for operator in model.get_ops()):
        made.activations_quantization_params = QuantizationParameters(per_channel=False)
        made.activations_range_estimator_params = RangeEstimatorParametersSet.MINMAX
    return made


def with_pixel_input(model: Any, mean: Sequence[float], std: Sequence[float]) -> Any:
    """`model` with raw uint8 pixels as its input, normalised inside by (x - mean) / std."""
    import openvino
    from openvino.preprocess import PrePostProcessor

    made = PrePostProcessor(model)
    made.input().tensor().set_element_type(openvino.Type.u8).set_layout(openvino.Layout("NHWC"))
    made.input().model().set_layout(openvino.Layout("NHWC"))
    steps = made.input().preprocess().convert_element_type(openvino.Type.f32)
    steps.mean(list(mean)).scale(list(std))
    return made.build()


def describe(model: Any, described: Description, *, normalises: bool) -> None:
    """Puts into `model`, in place, what OpenVINO's Model API reads of a classifier.

    Where the model `normalises` itself, pixels are left as they are. Model API crops the whole centred
    square or nothing, so its resize_type is stated only where that is what is done; the exact steps are
    beside it, under "edgeffnet". Its labels are parted by blanks, those inside a name become "_".
    """
    mean, std = ((0.0,) * 3, (1.0,) * 3) if normalises else (described.mean, described.std)
    known = {
        "model_type": "Classification",
        "mean_values": _spaced(mean),
        "scale_values": _spaced(std),
        "reverse_input_channels": str(described.channels == "BGR"),
        "labels": " ".join("_".join(name.split()) or "_" for name in described.labels),
        **({"resize_type": "crop"} if described.crop == 1 else {}),
    }
    exact = {
        "name": described.name,
        "resolution": str(described.resolution),
        "crop": f"{described.crop:g}",
        "interpolation": described.interpolation,
        "channels": described.channels,
        "layout": "NHWC",
    }
    for section, entries in (("model_info", known), ("edgeffnet", exact)):
        for key, value in entries.items():
            model.set_rt_info(value, [section, key])


def _spaced(values: Sequence[float]) -> str:
    return " ".join(f"{value:.9g}" for value in values)


def save(model: Any, path: Path) -> None:
    """Writes `path` (.xml) and its .bin, weights as they are: no compression to fp16.

    OpenVINO numbers the operators it adds by a counter of the process; here they are numbered by
    their order in the graph, so that the same model gives the same bytes.
    """
    import openvino

    for index, operator in enumerate(model.get_ordered_ops()):
        if _NUMBERED.fullmatch(operator.get_friendly_name()):
            operator.set_friendly_name(f"{operator.get_type_name()}_{index}")
    openvino.save_model(model, str(path), compress_to_fp16=False)
