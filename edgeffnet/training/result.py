"""What a training came to, as data: the source of its table, its JSON and its page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeffnet import cost, statistics
from edgeffnet.architecture import Architecture
from edgeffnet.hashing import sha256_of
from edgeffnet.images import Preprocessing
from edgeffnet.statistics import Interval
from edgeffnet.training.dataset import Dataset
from edgeffnet.training.metrics import Row
from edgeffnet.training.recipe import Recipe
from edgeffnet.training.vetting import Unreadable


@dataclass(frozen=True)
class OfClass:
    """A class by name: its validation images, and the share of them that were told right."""

    label: str
    images: int
    top1: float
    confused_with: str | None


@dataclass(frozen=True)
class Trained:
    """Weights in `output`, and how they came about; `right` of the validation images are told right.

    `rows` are the epochs, of which the best was kept. `first_stage` is the first that was fine-tuned.
    """

    output: Path
    architecture: Architecture
    preprocessing: Preprocessing
    data: Dataset
    unreadable: tuple[Unreadable, ...]
    shared: int
    recipe: Recipe
    options: dict[str, Any]
    origin: str
    first_stage: int
    rows: tuple[Row, ...]
    loss: float
    right: int
    per_class: tuple[OfClass, ...]
    notes: tuple[str, ...]
    seconds: dict[str, float]

    @property
    def top1(self) -> Interval:
        """Of the weights that were kept, on all validation images."""
        return statistics.share(self.right, len(self.data.validation))

    @property
    def best(self) -> Row:
        return next(row for row in reversed(self.rows) if row.best)

    def to_dict(self) -> dict[str, Any]:
        """Plain data as a report holds it under "training"."""
        net, found = self.architecture, cost.total(self.architecture)
        return {
            "network": {
                "name": net.name,
                "phi": net.phi,
                "rule": net.rule,
                "resolution": net.resolution,
                "parameters": found.parameters,
                "macs": found.macs,
            },
            "origin": self.origin,
            "data": {
                "source": self.data.source,
                "split_by": self.data.split_by,
                "classes": list(self.data.classes),
                "training_images": len(self.data.training),
                "validation_images": len(self.data.validation),
                "shared": self.shared,
                "unreadable": [{"file": str(one.path), "reason": one.reason} for one in self.unreadable],
            },
            "recipe": asdict(self.recipe),
            "options": self.options,
            "first_stage": self.first_stage,
            "epochs": [row.to_dict() for row in self.rows],
            "best_epoch": self.best.epoch,
            "top1": self.top1.to_dict(),
            "loss": self.loss,
            "per_class": [asdict(one) for one in self.per_class],
        }

    def write(self, folder: Path) -> None:
        """Writes metrics.csv and the report into `folder`; the weights have to be there. Raises OSError."""
        from edgeffnet.report import html
        from edgeffnet.report.document import to_json
        from edgeffnet.training import metrics
        from edgeffnet.training.fit import METRICS
        from edgeffnet.whole_file import write_whole

        report = self.report()
        write_whole(folder / METRICS, metrics.to_csv(self.rows).encode())
        write_whole(folder / "report.json", to_json(report).encode())
        if html.missing() is None:
            write_whole(folder / html.PAGE, html.render(report).encode())

    def report(self) -> dict[str, Any]:
        """The whole report, of kind "train"."""
        from edgeffnet.report.document import document
        from edgeffnet.targets import agent

        files = [self.output.with_suffix(suffix) for suffix in (".keras", ".safetensors")]
        body = {
            "training": self.to_dict(),
            "preprocessing": self.preprocessing.to_dict(),
            "files": [{"path": str(path), "sha256": sha256_of(path), "bytes": path.stat().st_size} for path in files],
            "target": "local",
            "machine": agent.machine(),
            "notes": list(self.notes),
            "seconds": {name: round(taken, 3) for name, taken in self.seconds.items()},
        }
        return document("train", body)


def of_classes(logits: NDArray[np.float32], labels: NDArray[np.int64], names: Sequence[str]) -> tuple[OfClass, ...]:
    """The classes in their order; each with the one it was most often taken for."""
    told = logits.argmax(axis=1)
    made = []
    for index, name in enumerate(names):
        answers = told[labels == index]
        wrong = np.bincount(answers[answers != index], minlength=len(names))
        other = names[int(wrong.argmax())] if wrong.any() else None
        made.append(OfClass(name, len(answers), float((answers == index).mean()), other))
    return tuple(made)
