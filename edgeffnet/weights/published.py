"""Checkpoints that torchvision, timm and lukemelas publish, recognised by their content.

Their file names end in the first eight digits of the file's SHA-256; what belongs to each (padding,
batch-norm epsilon, preprocessing) is in data/published_weights.csv, as their code states it.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from importlib.resources import files
from typing import cast

from edgeffnet.architecture import Padding
from edgeffnet.images import Preprocessing

_MEAN_AND_STD: dict[str, tuple[tuple[float, float, float], tuple[float, float, float]]] = {
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "inception": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
}


@dataclass(frozen=True)
class PublishedFile:
    """A published checkpoint of an official variant, with 1,000 ImageNet classes."""

    file: str
    variant: str
    padding: Padding
    bn_epsilon: float
    preprocessing: Preprocessing


def known(sha256: str) -> PublishedFile | None:
    """The published checkpoint whose content has this SHA-256, or None."""
    return _files().get(sha256[:8])


def from_unit_range(
    resolution: int,
    crop: float,
    interpolation: str,
    mean: tuple[float, ...],
    std: tuple[float, ...],
) -> Preprocessing:
    """The Preprocessing whose `mean` and `std` are stated for pixels in 0..1; DataError if impossible."""
    values = {
        "resolution": resolution,
        "crop": crop,
        "interpolation": interpolation,
        "mean": [255 * value for value in mean],
        "std": [255 * value for value in std],
    }
    return Preprocessing.from_dict(values, "stated preprocessing")


@cache
def _files() -> dict[str, PublishedFile]:
    text = files("edgeffnet").joinpath("data/published_weights.csv").read_text(encoding="utf-8")
    return {
        row["sha256"]: PublishedFile(
            file=row["file"],
            variant=row["variant"],
            padding=cast(Padding, row["padding"]),
            bn_epsilon=float(row["bn_epsilon"]),
            preprocessing=from_unit_range(
                int(row["resolution"]),
                float(Fraction(row["crop"])),
                row["interpolation"],
                *_MEAN_AND_STD[row["normalisation"]],
            ),
        )
        for row in csv.DictReader(text.splitlines())
    }
