"""What a classifier says of its input and its classes, whatever the format that says it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Description:
    """Images: the centred square of `crop` times the short side, resized to `resolution`, (x - mean) / std.

    x is in 0..255 and of three `channels`; `labels` names each score, in the order of the output.
    """

    name: str
    resolution: int
    crop: float
    interpolation: str
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    channels: Literal["RGB", "BGR"]
    labels: tuple[str, ...]
