"""Real photographs that installed packages ship, for users who give no calibration images.

They are unlabelled and few: enough to set activation ranges, never to state an accuracy. Those
used to calibrate and those held out for checking agreement are different photographs.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import numpy as np
from PIL import Image

from edgeffnet.errors import UsageError
from edgeffnet.images import Pixels, Preprocessing, read


@dataclass(frozen=True)
class Photograph:
    """A photograph by the package and file that hold it, with the terms its publisher states."""

    package: str
    file: str
    license: str


CALIBRATION = (
    Photograph("scikit-image", "skimage/data/astronaut.png", "public domain (NASA)"),
    Photograph("scikit-image", "skimage/data/coffee.png", "CC0 (Rachel Michetti)"),
    Photograph(
        "scikit-image", "skimage/data/motorcycle_left.png", "terms not stated by the package (Middlebury 2014 stereo)"
    ),
    Photograph("scikit-learn", "sklearn/datasets/images/china.jpg", "CC BY 2.0 (danielbuechele)"),
    Photograph("scikit-learn", "sklearn/datasets/images/flower.jpg", "CC BY 2.0 (vultilion)"),
)
HELD_OUT = (
    Photograph("scikit-image", "skimage/data/chelsea.png", "CC0 (Stefan van der Walt)"),
    Photograph("scikit-image", "skimage/data/rocket.jpg", "public domain (SpaceX)"),
)


def path_of(photograph: Photograph) -> Path:
    """Where the photograph lies; UsageError where its package is not installed."""
    try:
        distribution = metadata.distribution(photograph.package)
    except metadata.PackageNotFoundError:
        raise UsageError(
            f"{photograph.package} is not installed: give --calib, or pip install 'edgeffnet[build]'"
        ) from None
    return Path(str(distribution.locate_file(photograph.file)))


def crops(
    photographs: tuple[Photograph, ...], preprocessing: Preprocessing, count: int, seed: int, smallest: float = 0.35
) -> Pixels:
    """uint8 (count, resolution, resolution, 3): random squares of the photographs, some mirrored.

    Squares take `smallest` to all of the short side, log-uniformly: objects near and far. The
    same seed gives the same crops on any machine with the same Pillow.
    """
    generator = np.random.default_rng(seed)
    opened = [read(path_of(photograph)) for photograph in photographs]
    made = [_crop(opened[index % len(opened)], preprocessing, generator, smallest) for index in range(count)]
    return np.stack(made)


def _crop(image: Image.Image, preprocessing: Preprocessing, generator: np.random.Generator, smallest: float) -> Pixels:
    side = min(image.size) * np.exp(generator.uniform(np.log(smallest), 0.0))
    left = generator.uniform(0, image.width - side)
    top = generator.uniform(0, image.height - side)
    square = image.crop((round(left), round(top), round(left + side), round(top + side)))
    if generator.random() < 0.5:
        square = square.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return preprocessing.pixels(square)
