"""The images of a build: those it calibrates on and those it validates with, kept apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeffnet import calibration_images, imagesets, overlap, photographs
from edgeffnet import images as image_files
from edgeffnet.calibration_images import CalibrationImages, Selection
from edgeffnet.errors import DataError, UsageError
from edgeffnet.images import Pixels, Preprocessing
from edgeffnet.imagesets import ImageSet
from edgeffnet.request import Request


@dataclass(frozen=True)
class ValidationImages:
    """Pixels uint8 (n, h, w, 3) with labels, or None and the reason there are none.

    `sha256` identifies the files and labels; it is empty for the default photographs. `shared` of the
    pictures calibrate too, which the user allowed.
    """

    pixels: Pixels
    labels: NDArray[np.int64] | None
    source: str
    sha256: str
    unlabelled_because: str = ""
    shared: int = 0


@dataclass(frozen=True)
class ImagesOfBuild:
    """Calibration images, and the user's validation set or None for crops of held-out photographs.

    `shared` pictures are in both, which the user allowed. `tuning` images choose between networks, and
    are not those of `validation`; None where nothing is tuned.
    """

    calibration: CalibrationImages
    validation: ImageSet | None
    seed: int
    shared: int = 0
    tuning: ImageSet | None = None

    def validation_for(self, preprocessing: Preprocessing) -> ValidationImages:
        """The validation images as a network with `preprocessing` takes them."""
        if self.validation is None:
            return _held_out(preprocessing, self.seed)
        return replace(from_set(self.validation, preprocessing), shared=self.shared)


def read(request: Request) -> ImagesOfBuild:
    """Lists a build's images, as `images_of` does."""
    names = request.wanted[0].label_names()
    labelled = request.budget.drop is not None
    return images_of(
        request.calib, request.val, names, request.seed, request.allow_overlap, labelled, request.selection
    )


def images_of(
    calib: Path | None,
    val: Path | None,
    names: Sequence[str],
    seed: int,
    allow_overlap: bool,
    labelled: bool,
    selection: Selection,
) -> ImagesOfBuild:
    """Lists the images of folders or CSVs whose classes are `names`; default photographs without `calib`.

    DataError where a picture is in both, unless that is allowed; UsageError where validation images
    have to be `labelled` and are not.
    """
    validation = imagesets.read(val, names) if val else None
    if labelled and validation and not validation.labelled:
        raise UsageError(f"--max-drop needs labels, and not every image of {validation.source} has one")
    if calib is None:
        return ImagesOfBuild(calibration_images.default(seed), validation, seed)
    calibration = calibration_images.from_set(imagesets.read(calib, names), seed, selection)
    shared = overlap.pictures_in_both(calibration, validation) if validation else ()
    if shared and not allow_overlap:
        first, second = shared[0]
        raise DataError(
            f"both sets hold the same pictures ({len(shared)}), such as {first} (calibration) and {second} "
            "(validation): keep the sets apart, or say --allow-overlap"
        )
    return ImagesOfBuild(calibration, validation, seed, len(shared))


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
