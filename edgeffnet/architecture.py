"""Networks as data: what one is, before any framework sees it.

Layer names are those that keras.applications gives an EfficientNet (`stem_conv`, `block2a_expand_conv`,
`top_conv`, ...), so that a layer named in a report can be found in the Keras model and in checkpoints made
from it. Layers of the other networks of the paper's Table 3 are named in the same manner.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Family = Literal["efficientnet", "lite", "mobilenet_v1", "mobilenet_v2", "resnet50", "resnet152"]
Activation = Literal["swish", "relu6", "relu"]
# MBConv (Sandler et al. 2018), depthwise separable (Howard et al. 2017), bottleneck (He et al. 2016).
BlockKind = Literal["mbconv", "separable", "bottleneck"]
Padding = Literal["same", "symmetric"]


@dataclass(frozen=True)
class Stage:
    """A row of the paper's Table 1: `repeats` blocks of one shape, the first with `stride`.

    In a bottleneck `channels` are those of its k x k convolution, of which `expand` times as many leave it.
    """

    kernel: int
    stride: int
    expand: int
    channels: int
    repeats: int


@dataclass(frozen=True)
class Block:
    """One block. `se_channels` is 0 where it has no squeeze-and-excitation.

    `projected` where a convolution stands in its shortcut, as in the first bottleneck of a stage.
    """

    name: str
    kernel: int
    stride: int
    expand: int
    in_channels: int
    out_channels: int
    se_channels: int
    kind: BlockKind = "mbconv"
    projected: bool = False

    @property
    def expanded_channels(self) -> int:
        """Channels of the block's k x k convolution: fewer than those that enter or leave in a bottleneck."""
        return self.out_channels // self.expand if self.kind == "bottleneck" else self.in_channels * self.expand

    @property
    def residual(self) -> bool:
        """Whether what enters is added to what leaves, by a convolution of its own or as it is."""
        if self.kind != "mbconv":
            return self.kind == "bottleneck"
        return self.stride == 1 and self.in_channels == self.out_channels


@dataclass(frozen=True)
class Architecture:
    """A network with every number final: stages are already scaled, `resolution` is in pixels.

    `padding` is "same" as TensorFlow pads (asymmetric at stride 2) or "symmetric" as torch does;
    it belongs to the weights, as does `bn_epsilon`. Where convolutions are `biased` they have a bias beside
    their batch-norm. `stem_pool` halves the size once more, by maxima; `head_channels` is 0 where the last
    stage goes straight into the pooling before the classifier.
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
    block: BlockKind = "mbconv"
    stem_kernel: int = 3
    stem_pool: bool = False
    biased: bool = False

    @property
    def stage_channels(self) -> int:
        """Channels that leave the last stage."""
        return self._leaving(self.stages[-1])

    @property
    def feature_channels(self) -> int:
        """Channels that the classifier reads."""
        return self.head_channels or self.stage_channels

    def _leaving(self, stage: Stage) -> int:
        return stage.channels * stage.expand if self.block == "bottleneck" else stage.channels

    def blocks(self) -> Iterator[Block]:
        """The blocks in order, named `block1a`, `block2a`, `block2b`, ..."""
        channels = self.stem_channels
        for number, stage in enumerate(self.stages, start=1):
            for repeat in range(stage.repeats):
                yield Block(
                    name=f"block{number}{_letters(repeat)}",
                    kernel=stage.kernel,
                    stride=stage.stride if repeat == 0 else 1,
                    expand=stage.expand,
                    in_channels=channels,
                    out_channels=self._leaving(stage),
                    se_channels=max(1, int(channels * self.se_ratio)) if self.se_ratio else 0,
                    kind=self.block,
                    projected=self.block == "bottleneck" and repeat == 0,
                )
                channels = self._leaving(stage)


def _letters(index: int) -> str:
    """0 -> a, 25 -> z, 26 -> aa: block names stay unique for very deep networks."""
    letters = ""
    index += 1
    while index:
        index, digit = divmod(index - 1, 26)
        letters = chr(ord("a") + digit) + letters
    return letters
