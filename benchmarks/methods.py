"""Peers and ourselves: each a function from a model and images to an int8 artefact."""

from __future__ import annotations

import contextlib
import io
import logging
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from benchmarks.subjects import Subject
from calib import graph
from calib.calibrate import Calibrated, calibrate
from converters import int8, openvino_ir
from edgeffnet import devices
from edgeffnet.openvino_source import openvino_source

Runtime = Literal["litert", "openvino", "onnx"]
Images = NDArray[np.float32]


@dataclass(frozen=True)
class Artefact:
    """An int8 model as bytes, or as a compiled-from object for OpenVINO, and what runs it."""

    runtime: Runtime
    model: Any


Method = Callable[[Subject, Images], Artefact]


def tflite_converter(subject: Subject, images: Images) -> Artefact:
    """TensorFlow Lite's converter, integer only, calibrated on `images`."""
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_concrete_functions([subject.frozen.function])
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.representative_dataset = lambda: ([image[None]] for image in images)
    return Artefact("litert", converter.convert())


def litert_quantizer(subject: Subject, images: Images) -> Artefact:
    """litert-quantizer's static int8 recipe with its own calibration."""
    from litert_quantizer import quantizer
    from litert_quantizer import recipe as recipes

    made = quantizer.Quantizer(bytearray(subject.model), recipes.static_wi8_ai8())
    entry = graph.tensor_name(_entry(subject.model))
    with contextlib.redirect_stderr(io.StringIO()):
        seen = made.calibrate({"serving_default": [{entry: image[None]} for image in images]})
        return Artefact("litert", bytes(made.quantize(seen).quantized_model))


def _nncf(images: Images, model: bytes, **options: Any) -> Artefact:
    import nncf

    nncf.set_log_level(logging.ERROR)
    data = nncf.Dataset([image[None] for image in images])
    fast = options.pop("fast_bias_correction", True)
    with contextlib.redirect_stdout(io.StringIO()):
        quantized = nncf.quantize(
            openvino_ir.read_bytes(model),
            data,
            subset_size=len(images),
            fast_bias_correction=fast,
            advanced_parameters=nncf.AdvancedQuantizationParameters(**options),
        )
    return Artefact("openvino", quantized)


def nncf_default(subject: Subject, images: Images) -> Artefact:
    """NNCF as it comes."""
    return _nncf(images, subject.model)


def nncf_overflow_fix(subject: Subject, images: Images) -> Artefact:
    """NNCF with half-range weights, for machines whose int8 products saturate."""
    import nncf

    return _nncf(images, subject.model, overflow_fix=nncf.OverflowFix.ENABLE)


def nncf_full_bias(subject: Subject, images: Images) -> Artefact:
    """NNCF's overflow fix with its slow, full bias correction."""
    import nncf

    options = {"overflow_fix": nncf.OverflowFix.ENABLE, "fast_bias_correction": False}
    return _nncf(images, subject.model, **options)


def onnx_static(subject: Subject, images: Images) -> Artefact:
    """ONNX Runtime's static quantization: QDQ, weights per channel."""
    import tf2onnx
    from onnxruntime import quantization as ort

    class Reader(ort.CalibrationDataReader):  # type: ignore[misc]
        def __init__(self, name: str) -> None:
            self.rows: Iterator[dict[str, Images]] = ({name: image[None]} for image in images)

        def get_next(self) -> dict[str, Images] | None:
            return next(self.rows, None)

    name = subject.frozen.function.inputs[0].name
    made, _ = tf2onnx.convert.from_graph_def(
        subject.frozen.graph_def, input_names=[name], output_names=[subject.frozen.output_name], opset=17
    )
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "float.onnx", Path(folder) / "int8.onnx"
        source.write_bytes(made.SerializeToString())
        ort.quantize_static(source, target, Reader(name), quant_format=ort.QuantFormat.QDQ, per_channel=True)
        return Artefact("onnx", target.read_bytes())


def _calibrated(subject: Subject, images: Images, recipe: str) -> Calibrated:
    return calibrate(subject.model, lambda: [images], recipe, source="draw", input_range=subject.input_range)


def ours(recipe: str) -> Method:
    """Our recipe through LiteRT's quantizer."""

    def method(subject: Subject, images: Images) -> Artefact:
        found = _calibrated(subject, images, recipe)
        return Artefact("litert", int8.quantize(found.model, found.calibration, "float32", subject.input_range))

    return method


def ours_openvino(subject: Subject, images: Images) -> Artefact:
    """What a build writes for OpenVINO on this machine."""
    saturating = devices.load("local").int8_saturates
    source = openvino_source(
        subject.model,
        lambda: _calibrated(subject, images, "default"),
        lambda: [images],
        "default",
        saturating=saturating,
        seed=0,
    )
    quantized = openvino_ir.quantize(
        openvino_ir.read_bytes(source.model),
        images,
        lambda image: image,
        saturating=saturating,
        settled_later=source.settled is not None,
    )
    if source.settled is not None:
        openvino_ir.settle(quantized, openvino_ir.read_bytes(source.settled.model), source.settled.steps)
    return Artefact("openvino", quantized)


METHODS: dict[str, Method] = {
    "TFLite converter": tflite_converter,
    "litert-quantizer": litert_quantizer,
    "NNCF default": nncf_default,
    "NNCF overflow fix": nncf_overflow_fix,
    "NNCF full bias correction": nncf_full_bias,
    "ONNX Runtime static": onnx_static,
    "ours fast": ours("fast"),
    "ours default": ours("default"),
    "ours best": ours("best"),
    "ours, OpenVINO": ours_openvino,
}


def _entry(model: bytes) -> Any:
    main = graph.read(model).subgraphs[0]
    return main.tensors[main.inputs[0]]
