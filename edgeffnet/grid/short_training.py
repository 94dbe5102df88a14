"""An evaluator: what a network has learnt after a short training on a folder of images."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import TYPE_CHECKING

from edgeffnet.architecture import Architecture
from edgeffnet.errors import UsageError
from edgeffnet.grid.search import Score
from edgeffnet.wanted import NetworkOptions, check_source

if TYPE_CHECKING:
    from edgeffnet.report.progress import Steps
    from edgeffnet.training.result import Trained


@dataclass(frozen=True)
class Short:
    """So short a training: `epochs` over the images in `data`, once for each of `seeds` seeds.

    `weights` is what it begins from: "random", or "imagenet" for the nearest checkpoint of the family. UsageError
    for counts that train nothing.
    """

    data: Path
    epochs: int = 2
    seeds: int = 2
    weights: str = "random"

    def __post_init__(self) -> None:
        if self.epochs < 1:
            raise UsageError(f"--epochs {self.epochs} trains nothing")
        if self.seeds < 1:
            raise UsageError(f"--seeds {self.seeds} trains nothing")

    @property
    def name(self) -> str:
        """What tells this evaluator from others, in a journal."""
        return f"{self.epochs} epochs, {self.seeds} seeds, {self.weights} weights, {self.data.resolve()}"


class ShortTraining:
    """Top-1, in percent of the validation images, after a `Short` training; the mean over its seeds.

    Networks of the same layers and input size are trained once.
    """

    def __init__(self, short: Short, family: str, steps: Steps | None = None) -> None:
        self.short = short
        self.steps = steps
        self._networks = NetworkOptions(family=family, weights=short.weights)
        check_source(self._networks)
        self._known: dict[tuple[object, ...], Score] = {}

    def __call__(self, net: Architecture) -> Score:
        """The score of `net`; whatever `edgeffnet.training.train` raises."""
        layers = (net.stem_channels, net.stages, net.head_channels, net.resolution)
        if layers not in self._known:
            self._known[layers] = self._score([self._trained(net, seed) for seed in range(self.short.seeds)])
        return self._known[layers]

    def _trained(self, net: Architecture, seed: int) -> Trained:
        from edgeffnet.training.train import Options, train

        with tempfile.TemporaryDirectory(prefix="edgeffnet-") as folder:
            return train(
                self.short.data,
                Path(folder) / "model.keras",
                networks=self._networks,
                options=Options(epochs=self.short.epochs, seed=seed),
                architecture=net,
                steps=self.steps,
            )

    def _score(self, runs: Sequence[Trained]) -> Score:
        top1 = [100 * found.top1.value for found in runs]
        data = runs[0].data
        return Score(
            value=mean(top1),
            spread=stdev(top1) if len(top1) > 1 else None,
            seeds=len(top1),
            rests_on=f"top-1 % of {len(data.validation)} images after {self.short.epochs} epochs on "
            f"{len(data.training)}, from {self.short.weights} weights",
        )
