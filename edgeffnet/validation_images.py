"""The images of a build: those it calibrates on and those it validates with, kept apart."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeffnet import calibration_images, imagesets, photographs
from edgeffnet import images as image_files
from edgeffnet.calibration_images import CalibrationImages
from edgeffnet.errors import DataError, UsageError
from edgeffnet.hashing import sha256_of
from edgeffnet.images import Pixels, Preprocessing
from edgeffnet.imagesets import ImageSet
from edgeffnet.request import Request


@dataclass(frozen=True)
class ValidationImages:
    """Pixels uint8 (n, h, w, 3) with labels, or None and the reason there are none.

    `sha256` identifies the files and labels; it is empty for the default photographs.
    """

    pixels: Pixels
    labels: NDArray[np.int64] | None
    source: str
    sha256: str
    unlabelled_because: str = ""


@dataclass(frozen=True)
class ImagesOfBuild:
    """Calibration images, and the user's validation set or None for crops of held-out photographs."""

    calibration: CalibrationImages
    validation: ImageSet | None
    seed: int

    def validation_for(self, preprocessing: Preprocessing) -> ValidationImages:
        """The validation images as a network with `preprocessing` takes them."""
        return from_set(self.validation, preprocessing) if self.validation else _held_out(preprocessing, self.seed)


def read(request: Request) -> ImagesOfBuild:
    """Lists the images; DataError where one is in both sets, UsageError where labels are missing."""
    names = request.wanted[0].label_names()
    validation = imagesets.read(request.val, names) if request.val else None
    if request.budget.drop is not None and validation and not validation.labelled:
        raise UsageError(f"--max-drop needs labels, and not every image of {validation.source} has one")
    if request.calib is None:
        return ImagesOfBuild(calibration_images.default(request.seed), validation, request.seed)
    calibration = calibration_images.from_set(imagesets.read(request.calib, names), request.seed)
    if validation:
        _require_apart(calibration, validation)
    return ImagesOfBuild(calibration, validation, request.seed)


def from_set(found: ImageSet, preprocessing: Preprocessing) -> ValidationImages:
    """The images of a set, decoded."""
    pixels = np.concatenate(list(image_files.load(found.images, preprocessing)))
    indices = [image.label for image in found.images if image.label is not None]
    known = np.array(indices, np.int64) if found.labelled else None
    reason = "" if found.labelled else f"not every image of {found.source} has a label"
    return ValidationImages(pixels, known, found.source, found.digest(), reason)


def _held_out(preprocessing: Preprocessing, seed: int) -> ValidationImages:
    count = calibration_images.HELD_OUT_CROPS
    pixels = photographs.crops(photographs.HELD_OUT, preprocessing, count, seed + 1, smallest=0.7)
    names = " and ".join(Path(photograph.file).stem for photograph in photographs.HELD_OUT)
    source = f"crops of photographs kept out of calibration ({names})"
    return ValidationImages(pixels, None, source, "", "no labelled images were given (--val)")


def _require_apart(calibration: CalibrationImages, validation: ImageSet) -> None:
    seen = {sha256_of(image.path) for image in calibration.chosen}
    for image in validation.images:
        if sha256_of(image.path) in seen:
            raise DataError(f"{image.path} is both a calibration and a validation image; keep the sets apart")
