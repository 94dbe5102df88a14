"""What each epoch came to, as rows of metrics.csv."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any


@dataclass(frozen=True)
class Row:
    """An epoch; epoch 0 is the classifier on frozen features. Losses in nats, top-1 as shares of 1.

    What random weights are on their training images nobody asks: None.

    `rate` is the classifier's learning rate at the epoch's end. `best` where no earlier epoch validated better.
    """

    epoch: int
    seconds: float
    images_per_second: float
    rate: float
    train_loss: float | None
    train_top1: float | None
    val_loss: float
    val_top1: float
    best: bool

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Row:
        """The inverse of `to_dict`."""
        return cls(**values)

    def better_than(self, other: Row | None) -> bool:
        """By validation top-1, and by the loss where that is equal."""
        return other is None or (self.val_top1, -self.val_loss) > (other.val_top1, -other.val_loss)

    def said(self) -> str:
        """For a person who watches."""
        loss = "" if self.train_loss is None else f"loss {self.train_loss:.3f}, "
        return (
            f"epoch {self.epoch}: {loss}validation {self.val_loss:.3f} and "
            f"{self.val_top1:.1%} top-1{' (best)' if self.best else ''}, {self.images_per_second:.1f} images/s"
        )


def to_csv(rows: Sequence[Row]) -> str:
    """A header and a line an epoch."""
    text = io.StringIO()
    lines = csv.DictWriter(text, [field.name for field in fields(Row)], lineterminator="\n")
    lines.writeheader()
    for row in rows:
        lines.writerow(
            {name: f"{value:.6g}" if type(value) is float else value for name, value in row.to_dict().items()}
        )
    return text.getvalue()
