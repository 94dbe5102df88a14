"""Classifiers of plain colours, made by hand in every format, and pictures for them: real models in microseconds.

A picture is a mixture of its class's colour with another; a model takes the nearest colour.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray
from PIL import Image

from tests.calib.graphs import Builder

NAMES = ("red", "green", "blue", "yellow", "cyan", "magenta")
SIDE = 16
PREPROCESSING = {
    "resolution": SIDE,
    "crop": 0.875,
    "interpolation": "bicubic",
    "mean": [127.0, 127.0, 127.0],
    "std": [128.0, 128.0, 128.0],
}

_COLOURS = np.array(
    [(220, 40, 40), (40, 200, 60), (50, 70, 230), (230, 210, 50), (40, 210, 220), (200, 60, 210)], np.float64
)
_SHARPNESS = 8.0

Weights = tuple[NDArray[np.float32], NDArray[np.float32]]


def weights(noise: float = 0.0, seed: int = 0) -> Weights:
    """Kernel (classes, 3) and bias (classes) over pixels normalised as PREPROCESSING says; `noise` is relative."""
    kernel = 2 * _SHARPNESS * 128 * _COLOURS / 255**2
    bias = _SHARPNESS * (2 * 127 * _COLOURS.sum(axis=1) - np.square(_COLOURS).sum(axis=1)) / 255**2
    moved = 1 + noise * np.random.default_rng(seed).normal(size=kernel.shape)
    return (kernel * moved).astype(np.float32), bias.astype(np.float32)


@dataclass(frozen=True)
class Grid:
    """An 8-bit input or output: its scale and zero point."""

    scale: float
    zero_point: int
    type: int = schema.TensorType.UINT8


class _Colours(Builder):
    def pooled(self, source: int, side: int) -> int:
        options = schema.Pool2DOptionsT()
        options.padding = schema.Padding.VALID
        options.strideH = options.strideW = options.filterHeight = options.filterWidth = side
        kind = schema.BuiltinOptions.Pool2DOptions
        return self._operator("AVERAGE_POOL_2D", kind, options, [source], "pooled", (1, 1, 1, 3))

    def row(self, source: int, classes: int) -> int:
        options = schema.ReshapeOptionsT()
        options.newShape = [1, classes]
        return self._operator("RESHAPE", schema.BuiltinOptions.ReshapeOptions, options, [source], "row", (1, classes))

    def softmax(self, source: int, classes: int) -> int:
        options = schema.SoftmaxOptionsT()
        options.beta = 1.0
        kind = schema.BuiltinOptions.SoftmaxOptions
        return self._operator("SOFTMAX", kind, options, [source], "probabilities", (1, classes))

    def dequantized(self, grid: Grid) -> int:
        """What follows an 8-bit entry."""
        entry = self.sub.tensors[self.entry]
        entry.type, entry.quantization = grid.type, schema.QuantizationParametersT()
        entry.quantization.scale, entry.quantization.zeroPoint = [grid.scale], [grid.zero_point]
        shape = tuple(entry.shape)
        code = self._operator("DEQUANTIZE", 0, None, [self.entry], "image_float", shape)
        self.model.operatorCodes[-1].version = 2
        return code


def tflite(path: Path, made: Weights, grid: Grid | None = None, *, softmax: bool = True, side: int = SIDE) -> Path:
    """The classifier as a `.tflite` for images of `side` pixels; with a `grid` its input is in 8 bits."""
    kernel, bias = made
    net = _Colours((1, side, side, 3))
    source = net.dequantized(grid) if grid else net.entry
    logits = net.row(net.conv(net.pooled(source, side), "head", kernel[:, None, None, :], bias), len(bias))
    path.write_bytes(net.bytes(net.softmax(logits, len(bias)) if softmax else logits))
    return path


def onnx(path: Path, made: Weights, *, nchw: bool = True) -> Path:
    """The classifier as ONNX with a batch of any size, by default of NCHW; it gives logits."""
    import onnx as format_

    make, (kernel, bias) = format_.helper, made
    shape = ["batch", 3, SIDE, SIDE] if nchw else ["batch", SIDE, SIDE, 3]
    nodes = [] if nchw else [make.make_node("Transpose", ["image"], ["planes"], perm=[0, 3, 1, 2])]
    nodes += [
        make.make_node("GlobalAveragePool", ["image" if nchw else "planes"], ["pooled"]),
        make.make_node("Flatten", ["pooled"], ["row"]),
        make.make_node("Gemm", ["row", "kernel", "bias"], ["logits"], transB=1),
    ]
    drawn = make.make_graph(
        nodes,
        "colours",
        [make.make_tensor_value_info("image", format_.TensorProto.FLOAT, shape)],
        [make.make_tensor_value_info("logits", format_.TensorProto.FLOAT, ["batch", len(bias)])],
        [format_.numpy_helper.from_array(kernel, "kernel"), format_.numpy_helper.from_array(bias, "bias")],
    )
    model = make.make_model(drawn, opset_imports=[make.make_opsetid("", 17)])
    model.ir_version = 8
    format_.save(model, str(path))
    return path


def openvino(path: Path, source: Path) -> Path:
    """An ONNX file as an OpenVINO IR, whose image keeps its layout."""
    import openvino as runtime

    runtime.save_model(runtime.Core().read_model(str(source)), str(path), compress_to_fp16=False)
    return path


def pictures(folder: Path, count: int, seed: int = 0) -> Path:
    """`count` pictures of each class in class folders; about a tenth are nearer to another colour."""
    generator = np.random.default_rng(seed)
    for label, name in enumerate(NAMES):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            other = (label + generator.integers(1, len(NAMES))) % len(NAMES)
            part = generator.uniform(0.44, 1)
            colour = part * _COLOURS[label] + (1 - part) * _COLOURS[other]
            pixels = np.clip(colour + generator.normal(0, 12, (24, 28, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number}.png")
    return folder


def contract(path: Path, **changes: object) -> Path:
    """A preprocessing.json that fits the classifiers, but for `changes`."""
    path.write_text(json.dumps({**PREPROCESSING, **changes}))
    return path


def labels(path: Path, names: tuple[str, ...] = NAMES) -> Path:
    path.write_text("".join(f"{name}\n" for name in names))
    return path


def spoilt(path: Path) -> Path:
    """A `.tflite` that gives NaN for pictures with much red."""
    kernel, bias = weights()
    kernel[0, 0] = np.inf
    return tflite(path, (kernel, bias))
