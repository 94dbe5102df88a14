"""Which images of a user's set calibrate: a choice that depends on their contents, never on names or order."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from calib import sets
from calib.errors import CalibrationError
from calib.sets import Choice
from edgeffnet.errors import DataError, UsageError
from edgeffnet.images import LabelledImage, thumbnail
from edgeffnet.imagesets import ImageSet

METHODS = ("balanced", "coverage")

_GRID = 8


def choose(images: ImageSet, count: int, how: str, seed: int) -> tuple[tuple[LabelledImage, ...], Choice]:
    """At most `count` different images of the set, by path, and the choice that names them by hash.

    `how` is "balanced" (classes as even as they can be), "coverage" (few images that together reach
    the extremes of colour and place of all), or the file of an earlier choice. UsageError for anything
    else, DataError where an earlier choice's images are not all there.
    """
    by_path = {image.path: image for image in images.images}
    by_hash = {hashed: by_path[path] for hashed, path in sets.file_hashes(list(by_path)).items()}
    choice = _choice(by_hash, min(count, len(by_hash)), how, seed, images.source)
    chosen = sorted((by_hash[hashed] for hashed in choice.sha256), key=lambda image: image.path)
    return tuple(chosen), choice


def _choice(by_hash: Mapping[str, LabelledImage], count: int, how: str, seed: int, source: str) -> Choice:
    if how == "balanced":
        return sets.balanced({hashed: image.label for hashed, image in by_hash.items()}, count, seed)
    if how == "coverage":
        return sets.covering(_extremes(by_hash), count, seed)
    if not Path(how).is_file():
        raise UsageError(f"--calib-choice {how!r} is none of {', '.join(METHODS)}, and no file of an earlier choice")
    try:
        held = Choice.read(Path(how))
    except CalibrationError as error:
        raise DataError(str(error)) from error
    missing = [hashed for hashed in held.sha256 if hashed not in by_hash]
    if missing:
        raise DataError(f"{source}: {len(missing)} of the {len(held.sha256)} images that {how} names are not in it")
    return held


def _extremes(by_hash: Mapping[str, LabelledImage]) -> dict[str, NDArray[np.float32]]:
    """Of each image, how bright and how dark each colour is at each place of a coarse grid."""

    def one(image: LabelledImage) -> NDArray[np.float32]:
        small = Image.fromarray(thumbnail(image.path)).resize((_GRID, _GRID), Image.Resampling.BOX)
        values = np.asarray(small, np.float32).reshape(-1)
        return np.concatenate([values, -values])

    with ThreadPoolExecutor() as pool:
        return dict(zip(by_hash, pool.map(one, by_hash.values()), strict=True))
