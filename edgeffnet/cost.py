"""What a network costs, counted from its Architecture alone: no framework is imported.

Operators are those of the deployed form: batch-norm folded, ReLU6 fused into its convolution,
swish as a sigmoid and a product (two passes over memory), bias always present.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from edgeffnet.architecture import Architecture, Block

Kind = Literal["conv", "pointwise", "depthwise", "dense", "sigmoid", "multiply", "add", "mean", "pad"]
Precision = Literal["int8", "fp32"]

# Of an activation or a weight.
BYTES: dict[Precision, int] = {"int8": 1, "fp32": 4}


@dataclass(frozen=True)
class Tensor:
    """A square activation map at batch 1; `name` is that of the operator that writes it."""

    name: str
    size: int
    channels: int

    @property
    def elements(self) -> int:
        return self.size * self.size * self.channels


@dataclass(frozen=True)
class Operator:
    """One operator at batch 1.

    `macs` counts multiply-adds of convolutions and dense layers (0 elsewhere); `parameters` counts
    trainable ones as training sees them (batch-norm's scale and shift instead of a bias);
    `weights` counts the stored elements, `biases` of them biases; `live` is the activation elements
    alive while it runs, its own included.
    """

    name: str
    kind: Kind
    inputs: tuple[Tensor, ...]
    output: Tensor
    kernel: int = 1
    stride: int = 1
    macs: int = 0
    parameters: int = 0
    weights: int = 0
    live: int = 0

    @property
    def elements_read(self) -> int:
        """Of activations, those of every input."""
        return sum(tensor.elements for tensor in self.inputs)

    @property
    def elements_written(self) -> int:
        return self.output.elements

    @property
    def biases(self) -> int:
        return self.output.channels if self.weights else 0

    def bytes_read(self, precision: Precision) -> int:
        """Bytes of activations and weights read, each once; biases take 4 bytes in int8 as well."""
        return BYTES[precision] * (self.elements_read + self.weights - self.biases) + 4 * self.biases

    def bytes_written(self, precision: Precision) -> int:
        """Bytes of activations written."""
        return BYTES[precision] * self.elements_written


@dataclass(frozen=True)
class Cost:
    """Totals over a network; `peak` is the largest number of activation elements alive at once.

    `bytes_read` and `bytes_written` are those of its int8 form.
    """

    macs: int
    parameters: int
    weights: int
    bytes_read: int
    bytes_written: int
    peak: int

    @property
    def int8_bytes(self) -> int:
        """Stored weights at one byte each: a lower bound of an int8 file."""
        return self.weights


def operators(architecture: Architecture) -> tuple[Operator, ...]:
    """The network's operators in execution order."""
    graph = _Graph()
    swish = architecture.activation == "swish"
    x = Tensor("input", architecture.resolution, 3)
    x = graph.conv("stem_conv", x, architecture.stem_channels, kernel=3, stride=2, padding=architecture.padding)
    x = graph.swish("stem_activation", x) if swish else x
    for block in architecture.blocks():
        x = _block(graph, block, x, swish, architecture.padding)
    x = graph.conv("top_conv", x, architecture.head_channels)
    x = graph.swish("top_activation", x) if swish else x
    x = graph.mean("avg_pool", x)
    graph.dense("predictions", x, architecture.classes)
    return _with_live(graph.drafts)


def total(architecture: Architecture) -> Cost:
    """The network's totals; see `Operator` for what each counts."""
    ops = operators(architecture)
    return Cost(
        macs=sum(op.macs for op in ops),
        parameters=sum(op.parameters for op in ops),
        weights=sum(op.weights for op in ops),
        bytes_read=sum(op.bytes_read("int8") for op in ops),
        bytes_written=sum(op.bytes_written("int8") for op in ops),
        peak=max(op.live for op in ops),
    )


def float_bytes(architecture: Architecture) -> int:
    """Bytes of float32 weights plus the peak of float32 activations.

    The time taken does not grow with depth: blocks beyond a stage's second repeat its second's shape.
    """
    stages = tuple(replace(stage, repeats=min(stage.repeats, 2)) for stage in architecture.stages)
    ops = operators(replace(architecture, stages=stages))
    weights = sum(op.weights for op in ops)
    for number, stage in enumerate(architecture.stages, start=1):
        repeated = sum(op.weights for op in ops if op.name.startswith(f"block{number}b_"))
        weights += repeated * max(0, stage.repeats - 2)
    return 4 * (weights + max(op.live for op in ops))


def _block(graph: _Graph, block: Block, entry: Tensor, swish: bool, padding: str) -> Tensor:
    x = entry
    if block.expand != 1:
        x = graph.conv(f"{block.name}_expand_conv", x, block.expanded_channels)
        x = graph.swish(f"{block.name}_expand_activation", x) if swish else x
    x = graph.depthwise(f"{block.name}_dwconv", x, block.kernel, block.stride, padding)
    x = graph.swish(f"{block.name}_activation", x) if swish else x
    if block.se_channels:
        gate = graph.mean(f"{block.name}_se_squeeze", x)
        gate = graph.conv(f"{block.name}_se_reduce", gate, block.se_channels, batch_norm=False)
        gate = graph.swish(f"{block.name}_se_reduce_activation", gate) if swish else gate
        gate = graph.conv(f"{block.name}_se_expand", gate, x.channels, batch_norm=False)
        gate = graph.elementwise(f"{block.name}_se_gate", "sigmoid", gate)
        x = graph.elementwise(f"{block.name}_se_excite", "multiply", x, gate)
    x = graph.conv(f"{block.name}_project_conv", x, block.out_channels)
    return graph.elementwise(f"{block.name}_add", "add", entry, x) if block.residual else x


# An Operator's fields up to `live`, which is known only once the whole graph is.
_Draft = tuple[str, Kind, tuple[Tensor, ...], Tensor, int, int, int, int, int]


class _Graph:
    """Collects operators; each method adds one (swish: two) and returns the tensor it writes."""

    def __init__(self) -> None:
        self.drafts: list[_Draft] = []

    def conv(
        self,
        name: str,
        x: Tensor,
        channels: int,
        kernel: int = 1,
        stride: int = 1,
        batch_norm: bool = True,
        padding: str = "same",
    ) -> Tensor:
        x = self._pad(name, x, kernel, stride, padding)
        weights = kernel * kernel * x.channels * channels
        kind: Kind = "pointwise" if kernel == 1 else "conv"
        return self._convolution(name, kind, x, channels, kernel, stride, weights, batch_norm, padding)

    def depthwise(self, name: str, x: Tensor, kernel: int, stride: int, padding: str) -> Tensor:
        x = self._pad(name, x, kernel, stride, padding)
        weights = kernel * kernel * x.channels
        return self._convolution(name, "depthwise", x, x.channels, kernel, stride, weights, True, padding)

    def swish(self, name: str, x: Tensor) -> Tensor:
        return self.elementwise(name, "multiply", x, self.elementwise(f"{name}_sigmoid", "sigmoid", x))

    def elementwise(self, name: str, kind: Kind, *inputs: Tensor) -> Tensor:
        return self._add(name, kind, inputs, Tensor(name, inputs[0].size, inputs[0].channels))

    def mean(self, name: str, x: Tensor) -> Tensor:
        return self._add(name, "mean", (x,), Tensor(name, 1, x.channels))

    def dense(self, name: str, x: Tensor, channels: int) -> Tensor:
        stored = x.channels * channels + channels
        macs = x.channels * channels
        return self._add(name, "dense", (x,), Tensor(name, 1, channels), macs=macs, parameters=stored, weights=stored)

    def _pad(self, name: str, x: Tensor, kernel: int, stride: int, padding: str) -> Tensor:
        if padding == "same" or stride == 1:
            return x
        return self._add(f"{name}_pad", "pad", (x,), Tensor(f"{name}_pad", x.size + kernel - 1, x.channels))

    def _convolution(
        self,
        name: str,
        kind: Kind,
        x: Tensor,
        channels: int,
        kernel: int,
        stride: int,
        weights: int,
        batch_norm: bool,
        padding: str,
    ) -> Tensor:
        padded = padding != "same" and stride > 1
        size = -(-(x.size - kernel + 1 if padded else x.size) // stride)
        return self._add(
            name,
            kind,
            (x,),
            Tensor(name, size, channels),
            kernel,
            stride,
            macs=size * size * weights,
            parameters=weights + channels * (2 if batch_norm else 1),
            weights=weights + channels,
        )

    def _add(
        self,
        name: str,
        kind: Kind,
        inputs: tuple[Tensor, ...],
        output: Tensor,
        kernel: int = 1,
        stride: int = 1,
        macs: int = 0,
        parameters: int = 0,
        weights: int = 0,
    ) -> Tensor:
        self.drafts.append((name, kind, inputs, output, kernel, stride, macs, parameters, weights))
        return output


def _with_live(drafts: Sequence[_Draft]) -> tuple[Operator, ...]:
    """The operators with `live`: a tensor is alive from the operator that writes it to the last that reads it."""
    last_reader = {tensor.name: index for index, draft in enumerate(drafts) for tensor in draft[2]}
    alive = sum(tensor.elements for tensor in drafts[0][2])
    operators = []
    for index, draft in enumerate(drafts):
        inputs, output = draft[2], draft[3]
        alive += output.elements
        operators.append(Operator(*draft, alive))
        alive -= sum(tensor.elements for tensor in inputs if last_reader[tensor.name] == index)
    return tuple(operators)
