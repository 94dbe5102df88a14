"""The images a build calibrates on: the user's, or photographs that installed packages ship."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from calib.sets import Choice
from edgeffnet import calibration_choice, photographs
from edgeffnet import images as image_files
from edgeffnet.hashing import sha256_of
from edgeffnet.images import LabelledImage, Pixels, Preprocessing
from edgeffnet.imagesets import ImageSet

# Beyond this many, ranges of EfficientNets no longer move.
MAXIMUM = 512
# After a training there is less time; those of one's own classes settle sooner than a thousand classes' do.
OF_DATA = 128
DEFAULT_CROPS = 64
HELD_OUT_CROPS = 32


@dataclass(frozen=True)
class CalibrationImages:
    """Where calibration pixels come from; `chosen` and `choice` are empty for the default photographs."""

    chosen: tuple[LabelledImage, ...]
    source: str
    licenses: tuple[str, ...]
    seed: int
    choice: Choice | None = None

    def pixels(self, preprocessing: Preprocessing) -> Pixels:
        """uint8 (n, resolution, resolution, 3)."""
        if not self.chosen:
            return photographs.crops(photographs.CALIBRATION, preprocessing, DEFAULT_CROPS, self.seed)
        return np.concatenate(list(image_files.load(self.chosen, preprocessing)))

    def to_dict(self) -> dict[str, Any]:
        """Source, licences and each file, named from the folder that holds them all, with its SHA-256."""
        paths = [image.path for image in self.chosen] or [photographs.path_of(p) for p in photographs.CALIBRATION]
        folder = os.path.commonpath([path.parent for path in paths])
        return {
            "source": self.source,
            "licenses": list(self.licenses),
            "seed": self.seed,
            "files": {str(path.relative_to(folder)): sha256_of(path) for path in paths},
        }


@dataclass(frozen=True)
class Selection:
    """How many images of a set calibrate, and how they are chosen (`calibration_choice.choose`)."""

    count: int = MAXIMUM
    how: str = "balanced"


def from_set(images: ImageSet, seed: int, selection: Selection | None = None) -> CalibrationImages:
    """The images of the user's set that `selection` chooses with `seed`: at most 512 unless it says otherwise."""
    wanted = selection or Selection()
    chosen, choice = calibration_choice.choose(images, wanted.count, wanted.how, seed)
    source = f"{images.source} ({len(chosen)} images)"
    if len(chosen) < len(images.images):
        source = f"{images.source} ({len(chosen)} of {len(images.images)} images, {choice.method}, seed {choice.seed})"
    return CalibrationImages(chosen, source, (images.license,), seed, choice)


def default(seed: int) -> CalibrationImages:
    """Crops of photographs that scikit-image and scikit-learn ship, drawn with `seed`."""
    names = ", ".join(Path(photograph.file).stem for photograph in photographs.CALIBRATION)
    return CalibrationImages(
        (),
        f"{DEFAULT_CROPS} crops of {len(photographs.CALIBRATION)} photographs shipped by scikit-image and "
        f"scikit-learn ({names})",
        tuple(f"{Path(photograph.file).name}: {photograph.license}" for photograph in photographs.CALIBRATION),
        seed,
    )
