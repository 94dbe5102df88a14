"""The networks that scaling starts from: Table 1 of the paper, and those its Table 3 scales."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

from edgeffnet.architecture import Activation, BlockKind, Family, Padding, Stage
from edgeffnet.errors import UsageError

# "scaled" with the width; "fixed"; or "never narrower": a width below 1 leaves the head as it is.
End = Literal["scaled", "fixed", "never narrower"]


@dataclass(frozen=True)
class Base:
    """A network at phi 0, and which of its parts keep their shape when it is scaled.

    `head_channels` is 0 where there is no convolution after the last stage; the repeats of the stages
    `fixed_repeats`, counted from 0, do not grow with depth. The other fields are an Architecture's.
    """

    stem_channels: int
    stages: tuple[Stage, ...]
    head_channels: int
    activation: Activation
    se_ratio: float = 0.0
    stem: End = "scaled"
    head: End = "scaled"
    fixed_repeats: frozenset[int] = frozenset()
    bn_epsilon: float = 1e-3
    padding: Padding = "same"
    block: BlockKind = "mbconv"
    stem_kernel: int = 3
    stem_pool: bool = False
    biased: bool = False


# Table 1 of the paper; EfficientNet-Lite keeps these stages.
_B0 = (
    Stage(kernel=3, stride=1, expand=1, channels=16, repeats=1),
    Stage(kernel=3, stride=2, expand=6, channels=24, repeats=2),
    Stage(kernel=5, stride=2, expand=6, channels=40, repeats=2),
    Stage(kernel=3, stride=2, expand=6, channels=80, repeats=3),
    Stage(kernel=5, stride=1, expand=6, channels=112, repeats=3),
    Stage(kernel=5, stride=2, expand=6, channels=192, repeats=4),
    Stage(kernel=3, stride=1, expand=6, channels=320, repeats=1),
)
# Howard et al. 2017, Table 1: a stage for each number of channels.
_V1 = tuple(
    Stage(kernel=3, stride=stride, expand=1, channels=channels, repeats=repeats)
    for stride, channels, repeats in ((1, 64, 1), (2, 128, 2), (2, 256, 2), (2, 512, 6), (2, 1024, 2))
)
# Sandler et al. 2018, Table 2.
_V2 = tuple(
    Stage(kernel=3, stride=stride, expand=expand, channels=channels, repeats=repeats)
    for expand, channels, repeats, stride in (
        (1, 16, 1, 1),
        (6, 24, 2, 2),
        (6, 32, 3, 2),
        (6, 64, 4, 2),
        (6, 96, 3, 1),
        (6, 160, 3, 2),
        (6, 320, 1, 1),
    )
)


def _resnet(*repeats: int) -> Base:
    """He et al. 2016, Table 1, strided where keras.applications strides: in the first convolution of a block."""
    return Base(
        stem_channels=64,
        stages=tuple(
            Stage(kernel=3, stride=1 if index == 0 else 2, expand=4, channels=64 * 2**index, repeats=count)
            for index, count in enumerate(repeats)
        ),
        head_channels=0,
        activation="relu",
        bn_epsilon=1.001e-5,
        padding="symmetric",
        block="bottleneck",
        stem_kernel=7,
        stem_pool=True,
        biased=True,
    )


BASES: dict[Family, Base] = {
    "efficientnet": Base(32, _B0, 1280, "swish", se_ratio=0.25),
    "lite": Base(32, _B0, 1280, "relu6", stem="fixed", head="fixed", fixed_repeats=frozenset({0, len(_B0) - 1})),
    "mobilenet_v1": Base(32, _V1, 0, "relu6", block="separable"),
    "mobilenet_v2": Base(32, _V2, 1280, "relu6", head="never narrower"),
    "resnet50": _resnet(3, 4, 6, 3),
    "resnet152": _resnet(3, 8, 36, 3),
}


def family_named(name: str) -> Family:
    """The family called `name`; UsageError names the nearest."""
    for family in BASES:
        if family == name:
            return family
    near = get_close_matches(name.lower().replace("-", "_"), BASES, n=1, cutoff=0.4)
    nearest = f"nearest: {near[0]}; " if near else ""
    raise UsageError(f"--family (or --arch) {name!r} is unknown; {nearest}there are: {', '.join(BASES)}")
