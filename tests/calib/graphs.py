"""Small float `.tflite` graphs built by hand, for tests that need no trained network."""

from __future__ import annotations

from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from calib import graph

Array = NDArray[np.float32]


class Builder:
    """Operators appended one after another; each method returns its output's tensor index."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.model = schema.ModelT()
        self.model.version, self.model.operatorCodes = 3, []
        self.model.buffers, self.model.signatureDefs, self.model.metadata = [schema.BufferT()], [], []
        self.sub = schema.SubGraphT()
        self.sub.tensors, self.sub.operators = [], []
        self.model.subgraphs = [self.sub]
        self.entry = graph.add_tensor(self.model, "image", shape)
        self.sub.inputs, self.sub.outputs = [self.entry], []

    def bytes(self, output: int) -> bytes:
        self.sub.outputs = [output]
        return graph.write(self.model)

    def conv(self, source: int, name: str, kernel: Array, bias: Array, activation: int = 0) -> int:
        options = schema.Conv2DOptionsT()
        options.strideH = options.strideW = options.dilationHFactor = options.dilationWFactor = 1
        options.fusedActivationFunction = activation
        return self._weighted("CONV_2D", schema.BuiltinOptions.Conv2DOptions, options, source, name, kernel, bias)

    def depthwise(self, source: int, name: str, kernel: Array, bias: Array, activation: int = 0) -> int:
        options = schema.DepthwiseConv2DOptionsT()
        options.strideH = options.strideW = options.depthMultiplier = 1
        options.dilationHFactor = options.dilationWFactor = 1
        options.fusedActivationFunction = activation
        kind = schema.BuiltinOptions.DepthwiseConv2DOptions
        return self._weighted("DEPTHWISE_CONV_2D", kind, options, source, name, kernel, bias)

    def swish(self, source: int, name: str) -> int:
        shape = tuple(self.sub.tensors[source].shape)
        gate = self._operator("LOGISTIC", 0, None, [source], f"{name}_sigmoid", shape)
        return self._operator(
            "MUL", schema.BuiltinOptions.MulOptions, schema.MulOptionsT(), [source, gate], name, shape
        )

    def add(self, first: int, second: int, name: str) -> int:
        shape = tuple(self.sub.tensors[first].shape)
        options = schema.AddOptionsT()
        return self._operator("ADD", schema.BuiltinOptions.AddOptions, options, [first, second], name, shape)

    def _weighted(
        self, operator: str, kind: int, options: Any, source: int, name: str, kernel: Array, bias: Array
    ) -> int:
        weights = graph.add_tensor(self.model, f"{name}/kernel", kernel.shape, kernel)
        shift = graph.add_tensor(self.model, f"{name}/bias", bias.shape, bias)
        shape = (*tuple(self.sub.tensors[source].shape)[:3], len(bias))
        return self._operator(operator, kind, options, [source, weights, shift], name, shape)

    def _operator(
        self, operator: str, kind: int, options: Any, inputs: list[int], name: str, shape: tuple[int, ...]
    ) -> int:
        code = schema.OperatorCodeT()
        code.builtinCode = code.deprecatedBuiltinCode = getattr(schema.BuiltinOperator, operator)
        code.version = 1
        self.model.operatorCodes.append(code)
        made = schema.OperatorT()
        made.opcodeIndex = len(self.model.operatorCodes) - 1
        made.builtinOptionsType, made.builtinOptions = kind, options
        output = graph.add_tensor(self.model, name, shape)
        made.inputs, made.outputs = inputs, [output]
        self.sub.operators.append(made)
        return output


def swish_network(seed: int = 0) -> bytes:
    """Expand, swish, depthwise, swish, project, twice over with a residual; channels far apart in scale."""
    rng = np.random.default_rng(seed)
    spread = np.exp(rng.normal(0, 1.5, 12))

    def normal(*shape: int) -> Array:
        return rng.normal(0, 0.5, shape).astype(np.float32)

    net = Builder((1, 8, 8, 3))
    stream = net.conv(net.entry, "stem", normal(4, 1, 1, 3), normal(4))
    for block in ("a", "b"):
        kernel = (normal(12, 1, 1, 4) * spread[:, None, None, None]).astype(np.float32)
        x = net.swish(net.conv(stream, f"{block}_expand", kernel, normal(12)), f"{block}_expand_activation")
        x = net.swish(net.depthwise(x, f"{block}_dw", normal(1, 3, 3, 12), normal(12)), f"{block}_activation")
        x = net.conv(x, f"{block}_project", normal(4, 1, 1, 12) / 4, normal(4))
        stream = net.add(x, stream, f"{block}_add")
    return net.bytes(net.conv(stream, "logits", normal(5, 1, 1, 4), normal(5)))


def run(model: bytes, images: Array) -> Array:
    """The model's output for each image."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=model, num_threads=1)
    interpreter.allocate_tensors()
    entry, end = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]
    found = []
    for image in images:
        interpreter.set_tensor(entry, image[None])
        interpreter.invoke()
        found.append(interpreter.get_tensor(end)[0].copy())
    return np.stack(found)


def pictures(count: int = 8, seed: int = 1) -> Array:
    return np.random.default_rng(seed).normal(size=(count, 8, 8, 3)).astype(np.float32)
