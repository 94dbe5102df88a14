"""What a network costs, counted from its Architecture alone: no framework is imported.

Operators are those of the deployed form: batch-norm folded, ReLU and ReLU6 fused into what they follow,
swish as a sigmoid and a product (two passes over memory), bias always present.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from edgeffnet.architecture import Architecture, Block, BlockKind

Kind = Literal["conv", "pointwise", "depthwise", "dense", "sigmoid", "multiply", "add", "mean", "max", "pad"]
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
    trainable ones as training sees them (batch-norm's scale and shift instead of a bias, or beside it);
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
    net = architecture
    graph = _Graph(net)
    x = Tensor("input", net.resolution, 3)
    x = graph.conv("stem_conv", x, net.stem_channels, kernel=net.stem_kernel, stride=2)
    x = graph.activate("stem_activation", x)
    x = graph.pool("stem_pool", x) if net.stem_pool else x
    for block in net.blocks():
        x = _BLOCKS[block.kind](graph, block, x)
    if net.head_channels:
        x = graph.activate("top_activation", graph.conv("top_conv", x, net.head_channels))
    x = graph.mean("avg_pool", x)
    graph.dense("predictions", x, net.classes)
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


def _mbconv(graph: _Graph, block: Block, entry: Tensor) -> Tensor:
    x = entry
    if block.expand != 1:
        x = graph.conv(f"{block.name}_expand_conv", x, block.expanded_channels)
        x = graph.activate(f"{block.name}_expand_activation", x)
    x = graph.depthwise(f"{block.name}_dwconv", x, block.kernel, block.stride)
    x = graph.activate(f"{block.name}_activation", x)
    if block.se_channels:
        gate = graph.mean(f"{block.name}_se_squeeze", x)
        gate = graph.conv(f"{block.name}_se_reduce", gate, block.se_channels, batch_norm=False)
        gate = graph.activate(f"{block.name}_se_reduce_activation", gate)
        gate = graph.conv(f"{block.name}_se_expand", gate, x.channels, batch_norm=False)
        gate = graph.elementwise(f"{block.name}_se_gate", "sigmoid", gate)
        x = graph.elementwise(f"{block.name}_se_excite", "multiply", x, gate)
    x = graph.conv(f"{block.name}_project_conv", x, block.out_channels)
    return graph.elementwise(f"{block.name}_add", "add", entry, x) if block.residual else x


def _separable(graph: _Graph, block: Block, x: Tensor) -> Tensor:
    x = graph.depthwise(f"{block.name}_dwconv", x, block.kernel, block.stride)
    x = graph.activate(f"{block.name}_activation", x)
    x = graph.conv(f"{block.name}_project_conv", x, block.out_channels)
    return graph.activate(f"{block.name}_project_activation", x)


def _bottleneck(graph: _Graph, block: Block, entry: Tensor) -> Tensor:
    name, shortcut = block.name, entry
    if block.projected:
        shortcut = graph.conv(f"{name}_shortcut_conv", entry, block.out_channels, stride=block.stride)
    x = graph.conv(f"{name}_reduce_conv", entry, block.expanded_channels, stride=block.stride)
    x = graph.activate(f"{name}_reduce_activation", x)
    x = graph.conv(f"{name}_conv", x, block.expanded_channels, kernel=block.kernel)
    x = graph.activate(f"{name}_activation", x)
    x = graph.conv(f"{name}_project_conv", x, block.out_channels)
    x = graph.elementwise(f"{name}_add", "add", shortcut, x)
    return graph.activate(f"{name}_add_activation", x)


_BLOCKS: dict[BlockKind, Callable[[_Graph, Block, Tensor], Tensor]] = {
    "mbconv": _mbconv,
    "separable": _separable,
    "bottleneck": _bottleneck,
}

# An Operator's fields up to `live`, which is known only once the whole graph is.
_Draft = tuple[str, Kind, tuple[Tensor, ...], Tensor, int, int, int, int, int]


class _Graph:
    """Collects a network's operators; each method adds what it names and returns the tensor written last."""

    def __init__(self, architecture: Architecture) -> None:
        self.architecture = architecture
        self.drafts: list[_Draft] = []

    def conv(
        self, name: str, x: Tensor, channels: int, kernel: int = 1, stride: int = 1, batch_norm: bool = True
    ) -> Tensor:
        x = self._pad(name, x, kernel, stride)
        weights = kernel * kernel * x.channels * channels
        kind: Kind = "pointwise" if kernel == 1 else "conv"
        return self._convolution(name, kind, x, channels, kernel, stride, weights, batch_norm)

    def depthwise(self, name: str, x: Tensor, kernel: int, stride: int) -> Tensor:
        x = self._pad(name, x, kernel, stride)
        weights = kernel * kernel * x.channels
        return self._convolution(name, "depthwise", x, x.channels, kernel, stride, weights, True)

    def activate(self, name: str, x: Tensor) -> Tensor:
        """What is not fused: a swish's two operators."""
        if self.architecture.activation != "swish":
            return x
        return self.elementwise(name, "multiply", x, self.elementwise(f"{name}_sigmoid", "sigmoid", x))

    def pool(self, name: str, x: Tensor) -> Tensor:
        """Maxima of 3 x 3, strided by 2."""
        x = self._pad(name, x, 3, 2)
        return self._add(name, "max", (x,), Tensor(name, self._size(x, 3, 2), x.channels), 3, 2)

    def elementwise(self, name: str, kind: Kind, *inputs: Tensor) -> Tensor:
        return self._add(name, kind, inputs, Tensor(name, inputs[0].size, inputs[0].channels))

    def mean(self, name: str, x: Tensor) -> Tensor:
        return self._add(name, "mean", (x,), Tensor(name, 1, x.channels))

    def dense(self, name: str, x: Tensor, channels: int) -> Tensor:
        stored = x.channels * channels + channels
        macs = x.channels * channels
        return self._add(name, "dense", (x,), Tensor(name, 1, channels), macs=macs, parameters=stored, weights=stored)

    def _pad(self, name: str, x: Tensor, kernel: int, stride: int) -> Tensor:
        if not self._pads(kernel, stride):
            return x
        return self._add(f"{name}_pad", "pad", (x,), Tensor(f"{name}_pad", x.size + kernel - 1, x.channels))

    def _pads(self, kernel: int, stride: int) -> bool:
        """Whether an operator of its own pads."""
        return self.architecture.padding != "same" and stride > 1 and kernel > 1

    def _size(self, x: Tensor, kernel: int, stride: int) -> int:
        return -(-(x.size - kernel + 1 if self._pads(kernel, stride) else x.size) // stride)

    def _convolution(
        self, name: str, kind: Kind, x: Tensor, channels: int, kernel: int, stride: int, weights: int, batch_norm: bool
    ) -> Tensor:
        size = self._size(x, kernel, stride)
        biased = not batch_norm or self.architecture.biased
        return self._add(
            name,
            kind,
            (x,),
            Tensor(name, size, channels),
            kernel,
            stride,
            macs=size * size * weights,
            parameters=weights + channels * (2 * batch_norm + biased),
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
