"""How a network is trained, as data: transfer from a checkpoint, or the paper's own recipe."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

Optimizer = Literal["adamw", "rmsprop"]
Augmentation = Literal["crops", "autoaugment"]
# "kept": statistics and factors of the checkpoint stay; "trained": those of the batch are used, and averaged.
BatchNorm = Literal["kept", "trained"]

RECIPES = ("transfer", "paper")


@dataclass(frozen=True)
class Recipe:
    """Everything that changes what is learned, but data, seed and the number of epochs.

    `rate` is the learning rate of the classifier; the network's last stage learns at `body_rate` times that,
    and each stage below at `stage_factor` of the one above it. `mix` is the alpha of mixup (Zhang et al. 2018), 0
    for none; `drop_connect` the chance of stochastic depth at the last block; `average` the decay of the moving
    average of weights, 0 for none. `patience` is the share of the planned epochs without a better validation
    after which training stops.
    """

    name: str
    optimizer: Optimizer
    rate: float
    body_rate: float
    stage_factor: float
    weight_decay: float
    label_smoothing: float
    batch: int
    augmentation: Augmentation
    batch_norm: BatchNorm
    bn_momentum: float
    warm_up_epochs: float
    head_first: bool
    patience: float
    mix: float = 0.0
    drop_connect: float = 0.0
    average: float = 0.0

    def rate_at(self, progress: float, epochs: float) -> float:
        """The factor on every learning rate when `progress` (0..1) of the plan and so many epochs are done.

        Transfer: a cosine down to zero. Paper: .97 every 2.4 epochs. Both after a linear warm-up.
        """
        warm = min(1.0, (epochs + 1e-9) / self.warm_up_epochs) if self.warm_up_epochs else 1.0
        if self.name == "paper":
            return warm * 0.97 ** math.floor(epochs / 2.4)
        return warm * 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))


def transfer(*, inherited: bool = False, batch: int | None = None, mix: float = 0.0) -> Recipe:
    """Frozen features first, then all layers at rates that fall with depth (Kornblith et al. 2019, Table 5's use).

    A network that `inherited` its weights from one of another shape has more to learn.
    """
    return Recipe(
        name="transfer",
        optimizer="adamw",
        rate=1e-3,
        body_rate=0.6 if inherited else 0.3,
        stage_factor=0.8,
        weight_decay=1e-4,
        label_smoothing=0.1,
        batch=batch or 32,
        augmentation="crops",
        batch_norm="kept",
        bn_momentum=0.9,
        warm_up_epochs=0.5,
        head_first=True,
        patience=0.4,
        mix=mix,
    )


def from_scratch(made: Recipe) -> Recipe:
    """`made` for random weights: no frozen features, one rate for all layers."""
    return replace(made, body_rate=1.0, stage_factor=1.0, batch_norm="trained", head_first=False, warm_up_epochs=1.0)


# The batch for which the paper states its learning rate.
_PAPER_RATE, _PAPER_BATCH = 0.256, 4096


def paper(*, batch: int | None = None, mix: float = 0.0, drop_connect: float = 0.2) -> Recipe:
    """Section 5.2 of the paper; what it leaves open (warm-up, average) as its authors' code has it."""
    size = batch or 32
    return Recipe(
        name="paper",
        optimizer="rmsprop",
        rate=_PAPER_RATE * size / _PAPER_BATCH,
        body_rate=1.0,
        stage_factor=1.0,
        weight_decay=1e-5,
        label_smoothing=0.1,
        batch=size,
        augmentation="autoaugment",
        batch_norm="trained",
        bn_momentum=0.99,
        warm_up_epochs=5.0,
        head_first=False,
        patience=1.0,
        mix=mix,
        drop_connect=drop_connect,
        average=0.9999,
    )
