"""EfficientNet and EfficientNet-Lite as data: what a network is, before any framework sees it.

Layer names are those of keras.applications (`stem_conv`, `block2a_expand_conv`, `top_conv`, ...),
so that a layer named in a report can be found in the Keras model and in checkpoints made from it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Family = Literal["efficientnet", "lite"]
Activation = Literal["swish", "relu6"]
Padding = Literal["same", "symmetric"]


@dataclass(frozen=True)
class Stage:
    """A row of the paper's Table 1: `repeats` MBConv blocks of one shape, the first with `stride`."""

    kernel: int
    stride: int
    expand: int
    channels: int
    repeats: int


@dataclass(frozen=True)
class Block:
    """One MBConv block. `se_channels` is 0 where the block has no squeeze-and-excitation."""

    name: str
    kernel: int
    stride: int
    expand: int
    in_channels: int
    out_channels: int
    se_channels: int

    @property
    def expanded_channels(self) -> int:
        return self.in_channels * self.expand

    @property
    def residual(self) -> bool:
        return self.stride == 1 and self.in_channels == self.out_channels


@dataclass(frozen=True)
class Architecture:
    """A network with every number final: stages are already scaled, `resolution` is in pixels.

    `padding` is "same" as TensorFlow pads (asymmetric at stride 2) or "symmetric" as torch does;
    it belongs to the weights, as does `bn_epsilon`.
    """

    name: str
    family: Family
    phi: float
    rule: str
    width: float
    depth: float
    resolution: int
    stem_channels: int
    stages: tuple[Stage, ...]
    head_channels: int
    activation: Activation
    se_ratio: float
    dropout: float
    classes: int = 1000
    bn_epsilon: float = 1e-3
    padding: Padding = "same"

    def blocks(self) -> Iterator[Block]:
        """The MBConv blocks in order, named `block1a`, `block2a`, `block2b`, ..."""
        channels = self.stem_channels
        for number, stage in enumerate(self.stages, start=1):
            for repeat in range(stage.repeats):
                yield Block(
                    name=f"block{number}{_letters(repeat)}",
                    kernel=stage.kernel,
                    stride=stage.stride if repeat == 0 else 1,
                    expand=stage.expand,
                    in_channels=channels,
                    out_channels=stage.channels,
                    se_channels=max(1, int(channels * self.se_ratio)) if self.se_ratio else 0,
                )
                channels = stage.channels


def _letters(index: int) -> str:
    """0 -> a, 25 -> z, 26 -> aa: block names stay unique for very deep networks."""
    letters = ""
    index += 1
    while index:
        index, digit = divmod(index - 1, 26)
        letters = chr(ord("a") + digit) + letters
    return letters
