"""Pictures that both calibrate and validate, found by what they show and not by their names."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from calib.overlap import Fingerprint, copies, fingerprint
from edgeffnet.calibration_images import CalibrationImages
from edgeffnet.images import LabelledImage, thumbnail
from edgeffnet.imagesets import ImageSet


def pictures_in_both(calibration: CalibrationImages, validation: ImageSet) -> tuple[tuple[Path, Path], ...]:
    """Pairs (calibration file, validation file) of one picture, re-encoded or resized copies too.

    Raises DataError for an image that cannot be read.
    """
    found = copies(_fingerprints(calibration.chosen), _fingerprints(validation.images))
    return tuple((calibration.chosen[one].path, validation.images[other].path) for one, other in found)


def _fingerprints(images: Sequence[LabelledImage]) -> list[Fingerprint]:
    with ThreadPoolExecutor() as pool:
        return list(pool.map(lambda image: fingerprint(thumbnail(image.path)), images))
