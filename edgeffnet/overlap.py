"""Pictures that both calibrate and validate, found by what they show and not by their names."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from calib.overlap import Fingerprint, copies, fingerprint
from edgeffnet.calibration_images import CalibrationImages
from edgeffnet.images import LabelledImage, thumbnail
from edgeffnet.imagesets import ImageSet

# Validation images that are looked at together: memory does not grow with their number.
_AT_ONCE = 2048


def pictures_in_both(calibration: CalibrationImages, validation: ImageSet) -> tuple[tuple[Path, Path], ...]:
    """Pairs (calibration file, validation file) of one picture, re-encoded or resized copies too.

    Raises DataError for an image that cannot be read.
    """
    known = _fingerprints(calibration.chosen)
    found = []
    for start in range(0, len(validation.images), _AT_ONCE):
        part = _fingerprints(validation.images[start : start + _AT_ONCE])
        found += [(one, start + other) for one, other in copies(known, part)]
    return tuple((calibration.chosen[one].path, validation.images[other].path) for one, other in sorted(found))


def _fingerprints(images: Sequence[LabelledImage]) -> list[Fingerprint]:
    with ThreadPoolExecutor() as pool:
        return list(pool.map(lambda image: fingerprint(thumbnail(image.path)), images))
