"""The layers of a network that hold tensors, in the order it runs them; no framework is imported."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from edgeffnet.architecture import Architecture, Block


@dataclass(frozen=True)
class Convolution:
    """A convolution or dense layer with the batch-norm `norm` after it, "" where it has none.

    `kernel` is the shape in Keras' layout, `channels` counts those that leave. `biased` where it has a bias in
    the form that is trained; folded, all have.
    """

    name: str
    norm: str
    kernel: tuple[int, ...]
    channels: int
    biased: bool

    @property
    def depthwise(self) -> bool:
        return self.name.endswith("dwconv")


def convolutions(architecture: Architecture) -> tuple[Convolution, ...]:
    """Every layer with a kernel, the classifier last."""
    return tuple(_rows(architecture))


def _rows(net: Architecture) -> Iterator[Convolution]:
    def normed(name: str, norm: str, kernel: int, entry: int, leaving: int) -> Convolution:
        return Convolution(name, norm, (kernel, kernel, entry, leaving), leaving, net.biased)

    yield normed("stem_conv", "stem_bn", net.stem_kernel, 3, net.stem_channels)
    for block in net.blocks():
        yield from _bottleneck(block, net.biased) if block.kind == "bottleneck" else _mobile(block)
    if net.head_channels:
        yield normed("top_conv", "top_bn", 1, net.stage_channels, net.head_channels)
    yield Convolution("predictions", "", (net.feature_channels, net.classes), net.classes, True)


def _mobile(block: Block) -> Iterator[Convolution]:
    """Of an MBConv or a depthwise separable block."""
    name, expanded, kernel = block.name, block.expanded_channels, block.kernel
    if block.expand != 1:
        shape = (1, 1, block.in_channels, expanded)
        yield Convolution(f"{name}_expand_conv", f"{name}_expand_bn", shape, expanded, False)
    yield Convolution(f"{name}_dwconv", f"{name}_bn", (kernel, kernel, expanded, 1), expanded, False)
    if block.se_channels:
        yield Convolution(f"{name}_se_reduce", "", (1, 1, expanded, block.se_channels), block.se_channels, True)
        yield Convolution(f"{name}_se_expand", "", (1, 1, block.se_channels, expanded), expanded, True)
    shape = (1, 1, expanded, block.out_channels)
    yield Convolution(f"{name}_project_conv", f"{name}_project_bn", shape, block.out_channels, False)


def _bottleneck(block: Block, biased: bool) -> Iterator[Convolution]:
    name, entry, inner, leaving = block.name, block.in_channels, block.expanded_channels, block.out_channels
    if block.projected:
        shape = (1, 1, entry, leaving)
        yield Convolution(f"{name}_shortcut_conv", f"{name}_shortcut_bn", shape, leaving, biased)
    yield Convolution(f"{name}_reduce_conv", f"{name}_reduce_bn", (1, 1, entry, inner), inner, biased)
    yield Convolution(f"{name}_conv", f"{name}_bn", (block.kernel, block.kernel, inner, inner), inner, biased)
    yield Convolution(f"{name}_project_conv", f"{name}_project_bn", (1, 1, inner, leaving), leaving, biased)
