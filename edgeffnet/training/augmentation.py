"""An image as training sees it: another crop, mirrored, in other colours, each time; a function of its seed alone."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from PIL import Image, ImageEnhance

from edgeffnet.images import Pixels, Preprocessing
from edgeffnet.training.recipe import Augmentation

_ENHANCED = (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color)
_STRENGTH = 0.3
_SMALLEST_AREA = {"crops": 0.3, "autoaugment": 0.08}
_RATIOS = (3 / 4, 4 / 3)


def augmented(
    image: Image.Image, preprocessing: Preprocessing, how: Augmentation, generator: np.random.Generator
) -> Pixels:
    """uint8 (resolution, resolution, 3): a random part of `image`, resized as `preprocessing` does, changed by `how`.

    The part has 30% to all of the area (8% with "autoaugment", as Szegedy et al. 2015) and a ratio of 3:4 to 4:3.
    """
    part = _part(image.width, image.height, _SMALLEST_AREA[how], generator)
    squared = preprocessing.square(image, part)
    if generator.random() < 0.5:
        squared = squared.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    change = _policy() if how == "autoaugment" else _coloured
    return replace(preprocessing, crop=1.0).pixels(change(squared, generator))


def _part(
    width: int, height: int, smallest: float, generator: np.random.Generator
) -> tuple[float, float, float, float]:
    """A box inside the image; where ten draws do not fit, the largest central square."""
    for _ in range(10):
        area = width * height * generator.uniform(smallest, 1.0)
        ratio = math.exp(generator.uniform(math.log(_RATIOS[0]), math.log(_RATIOS[1])))
        wide, high = math.sqrt(area * ratio), math.sqrt(area / ratio)
        if wide <= width and high <= height:
            left, top = generator.uniform(0, width - wide), generator.uniform(0, height - high)
            return left, top, left + wide, top + high
    side = min(width, height)
    left, top = (width - side) / 2, (height - side) / 2
    return left, top, left + side, top + side


def _coloured(image: Image.Image, generator: np.random.Generator) -> Image.Image:
    """Brightness, contrast and saturation by up to 30% each."""
    for enhanced in _ENHANCED:
        image = enhanced(image).enhance(float(generator.uniform(1 - _STRENGTH, 1 + _STRENGTH)))
    return image


def _policy() -> Callable[[Image.Image, np.random.Generator], Image.Image]:
    from edgeffnet.training.autoaugment import imagenet_policy

    return imagenet_policy
