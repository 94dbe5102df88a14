"""Float `.tflite` and a Calibration -> all-integer `.tflite`, through LiteRT's quantizer.

Weights are symmetric per output channel, activations asymmetric per tensor (Jacob et al. 2018;
the TensorFlow Lite 8-bit specification). The softmax stays in float on dequantized 8-bit logits:
probabilities with the 1/256 steps of an 8-bit softmax tie where the logits do not.
"""

from __future__ import annotations

import contextlib
import copy
import io
import re
import warnings
from typing import Any, Literal

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from calib.calibration import Calibration, Range
from converters import flatbuffer
from converters.errors import ConversionError

Interface = Literal["uint8", "int8", "float32"]
Granularity = Literal["channel", "tensor"]


def quantize(
    model: bytes,
    calibration: Calibration,
    interface: Interface,
    input_range: Range,
    *,
    in_float: frozenset[str] = frozenset(),
    granularity: Granularity = "channel",
) -> bytes:
    """The all-integer form of `model`, a float `.tflite` that ends in a softmax.

    `input_range` is what pixels 0 and 255 become when normalised, so that an 8-bit input is the
    pixel itself. `interface`: "uint8" takes raw pixels and returns float32 probabilities; "int8"
    takes pixels minus 128 and returns int8 logits, integers throughout; "float32" takes normalised
    floats and returns float32 probabilities. Operators that write the tensors named `in_float` are
    left in float (`calib.mixed`). `granularity` "tensor" gives each kernel one scale, as some NPUs
    need; "channel" one per output channel. Raises ConversionError.
    """
    ranges = {**calibration.ranges, _input_name(model): input_range}
    statistics = {
        name: {"min": np.array(found.low, np.float32), "max": np.array(found.high, np.float32)}
        for name, found in ranges.items()
    }
    quantized = flatbuffer.read(_run_quantizer(model, statistics, interface != "int8", in_float, granularity))
    if interface == "uint8":
        _pixel_input(quantized, input_range)
    if interface == "int8":
        _drop_float_tail(quantized)
    _check_integer(quantized, in_float)
    return flatbuffer.write(quantized)


def _input_name(model: bytes) -> str:
    graph = flatbuffer.read(model).subgraphs[0]
    return flatbuffer.tensor_name(graph.tensors[graph.inputs[0]])


def _run_quantizer(
    model: bytes, statistics: dict[str, Any], float_input: bool, in_float: frozenset[str], granularity: Granularity
) -> bytes:
    from litert_quantizer import qtyping, quantizer
    from litert_quantizer.algorithm_manager import AlgorithmName
    from litert_quantizer.recipe_manager import RecipeManager

    recipe = RecipeManager()
    recipe.add_static_config(
        regex=".*",
        operation_name=qtyping.TFLOperationName.ALL_SUPPORTED,
        activation_num_bits=8,
        weight_num_bits=8,
        weight_granularity={
            "channel": qtyping.QuantGranularity.CHANNELWISE,
            "tensor": qtyping.QuantGranularity.TENSORWISE,
        }[granularity],
    )
    left_in_float = [qtyping.TFLOperationName.SOFTMAX, qtyping.TFLOperationName.OUTPUT]
    for name in [*left_in_float, *([qtyping.TFLOperationName.INPUT] if float_input else [])]:
        recipe.add_quantization_config(".*", name, algorithm_key=AlgorithmName.NO_QUANTIZE)
    for tensor in sorted(in_float):
        # Operators are found by the names they write; a name must not find those it begins.
        recipe.add_quantization_config(
            f"(^|;){re.escape(tensor)}(;|$)",
            qtyping.TFLOperationName.ALL_SUPPORTED,
            algorithm_key=AlgorithmName.NO_QUANTIZE,
        )
    try:
        # The quantizer draws a progress bar and warns of casts it makes on purpose.
        with contextlib.redirect_stderr(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            made = quantizer.Quantizer(bytearray(model), recipe.get_quantization_recipe())
            result = made.quantize(statistics, enable_progress_bar=False, enable_progress_report=False)
    except (ValueError, RuntimeError, KeyError) as error:
        raise ConversionError(f"int8 quantization failed: {str(error).splitlines()[0]}") from error
    return bytes(result.quantized_model)


def _pixel_input(model: Any, input_range: Range) -> None:
    """Makes raw pixels the input, in place of the floats that the first operator quantizes or computes with."""
    graph = model.subgraphs[0]
    first = graph.operators[0]
    if flatbuffer.operator_name(model, first) != "QUANTIZE":
        _dequantized_pixels(model, input_range)
        return
    inner = graph.tensors[first.outputs[0]].quantization
    entry = graph.tensors[graph.inputs[0]]
    entry.type = schema.TensorType.UINT8
    entry.quantization = schema.QuantizationParametersT()
    entry.quantization.scale = [inner.scale[0]]
    entry.quantization.zeroPoint = [int(inner.zeroPoint[0]) + 128]


def _dequantized_pixels(model: Any, input_range: Range) -> None:
    """Puts the dequantization of raw pixels before a model that begins in float."""
    graph = model.subgraphs[0]
    entry = int(graph.inputs[0])
    pixels = copy.deepcopy(graph.tensors[entry])
    pixels.name = f"{flatbuffer.tensor_name(pixels)}_pixels"
    pixels.type = schema.TensorType.UINT8
    pixels.quantization = schema.QuantizationParametersT()
    step = (input_range.high - input_range.low) / 255
    pixels.quantization.scale = [step]
    pixels.quantization.zeroPoint = [round(-input_range.low / step)]
    graph.tensors.append(pixels)
    graph.inputs = [len(graph.tensors) - 1]
    operator = schema.OperatorT()
    operator.opcodeIndex = flatbuffer.operator_code(model, schema.BuiltinOperator.DEQUANTIZE)
    operator.inputs, operator.outputs = list(graph.inputs), [entry]
    graph.operators = [operator, *graph.operators]
    for signature in model.signatureDefs or []:
        signature.inputs[0].tensorIndex = graph.inputs[0]


def _drop_float_tail(model: Any) -> None:
    """Ends the graph at the 8-bit logits: the dequantization and the float softmax go."""
    graph = model.subgraphs[0]
    tail = graph.operators[-2:]
    if [flatbuffer.operator_name(model, operator) for operator in tail] != ["DEQUANTIZE", "SOFTMAX"]:
        raise ConversionError("the quantized model does not end in a dequantized softmax")
    graph.outputs = [tail[0].inputs[0]]
    graph.operators = graph.operators[:-2]
    for signature in model.signatureDefs or []:
        signature.outputs[0].tensorIndex = int(graph.outputs[0])
        signature.outputs[0].name = flatbuffer.tensor_name(graph.tensors[graph.outputs[0]])


def _check_integer(model: Any, in_float: frozenset[str]) -> None:
    """Raises ConversionError when anything but the ends of the graph and `in_float` computes in float."""
    graph = model.subgraphs[0]
    ends = {"QUANTIZE", "DEQUANTIZE", "SOFTMAX"}
    for operator in graph.operators:
        name = flatbuffer.operator_name(model, operator)
        output = graph.tensors[operator.outputs[0]]
        written = flatbuffer.tensor_name(output)
        if output.type == schema.TensorType.FLOAT32 and name not in ends and written not in in_float:
            raise ConversionError(f"operator {name} ({written}) was left in float")
