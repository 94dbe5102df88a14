"""AutoAugment's policy for ImageNet (Cubuk et al. 2019, Table 9): 25 pairs of operations, one pair an image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

_GREY = (128, 128, 128)
# Ten magnitudes, 0 to 9, span each operation's range.
_LARGEST = 9


@dataclass(frozen=True)
class Operation:
    """`name` is done with `chance`, at `magnitude` (0 to 9)."""

    name: str
    chance: float
    magnitude: int


def _pair(first: tuple[str, float, int], second: tuple[str, float, int]) -> tuple[Operation, Operation]:
    return Operation(*first), Operation(*second)


IMAGENET = (
    _pair(("posterize", 0.4, 8), ("rotate", 0.6, 9)),
    _pair(("solarize", 0.6, 5), ("autocontrast", 0.6, 5)),
    _pair(("equalize", 0.8, 8), ("equalize", 0.6, 3)),
    _pair(("posterize", 0.6, 7), ("posterize", 0.6, 6)),
    _pair(("equalize", 0.4, 7), ("solarize", 0.2, 4)),
    _pair(("equalize", 0.4, 4), ("rotate", 0.8, 8)),
    _pair(("solarize", 0.6, 3), ("equalize", 0.6, 7)),
    _pair(("posterize", 0.8, 5), ("equalize", 1.0, 2)),
    _pair(("rotate", 0.2, 3), ("solarize", 0.6, 8)),
    _pair(("equalize", 0.6, 8), ("posterize", 0.4, 6)),
    _pair(("rotate", 0.8, 8), ("color", 0.4, 0)),
    _pair(("rotate", 0.4, 9), ("equalize", 0.6, 2)),
    _pair(("equalize", 0.0, 7), ("equalize", 0.8, 8)),
    _pair(("invert", 0.6, 4), ("equalize", 1.0, 8)),
    _pair(("color", 0.6, 4), ("contrast", 1.0, 8)),
    _pair(("rotate", 0.8, 8), ("color", 1.0, 2)),
    _pair(("color", 0.8, 8), ("solarize", 0.8, 7)),
    _pair(("sharpness", 0.4, 7), ("invert", 0.6, 8)),
    _pair(("shear_x", 0.6, 5), ("equalize", 1.0, 9)),
    _pair(("color", 0.4, 0), ("equalize", 0.6, 3)),
    _pair(("equalize", 0.4, 7), ("solarize", 0.2, 4)),
    _pair(("solarize", 0.6, 5), ("autocontrast", 0.6, 5)),
    _pair(("invert", 0.6, 4), ("equalize", 1.0, 8)),
    _pair(("color", 0.6, 4), ("contrast", 1.0, 8)),
    _pair(("equalize", 0.8, 8), ("equalize", 0.6, 3)),
)


def imagenet_policy(image: Image.Image, generator: np.random.Generator) -> Image.Image:
    """RGB `image` after one pair of the policy, drawn with `generator`; of the same size."""
    for operation in IMAGENET[int(generator.integers(len(IMAGENET)))]:
        mirrored = generator.random() < 0.5
        if generator.random() < operation.chance:
            image = applied(image, operation, mirrored=mirrored)
    return image


def applied(image: Image.Image, operation: Operation, *, mirrored: bool = False) -> Image.Image:
    """`image` after `operation`; `mirrored` turns those that have a direction the other way."""
    level = operation.magnitude / _LARGEST
    return _OPERATIONS[operation.name](image, -level if mirrored else level)


def _sheared(image: Image.Image, level: float) -> Image.Image:
    matrix = (1.0, 0.3 * level, 0.0, 0.0, 1.0, 0.0)
    return image.transform(image.size, Image.Transform.AFFINE, matrix, Image.Resampling.BICUBIC, fillcolor=_GREY)


def _rotated(image: Image.Image, level: float) -> Image.Image:
    return image.rotate(30 * level, Image.Resampling.BICUBIC, fillcolor=_GREY)


def _enhanced(enhance: Callable[[Image.Image], ImageEnhance._Enhance]) -> Callable[[Image.Image, float], Image.Image]:
    """Factors of 0.1 to 1.9: weaker or stronger, as the direction says."""
    return lambda image, level: enhance(image).enhance(1 + 0.9 * level)


_OPERATIONS: dict[str, Callable[[Image.Image, float], Image.Image]] = {
    "shear_x": _sheared,
    "rotate": _rotated,
    "autocontrast": lambda image, _: ImageOps.autocontrast(image),
    "invert": lambda image, _: ImageOps.invert(image),
    "equalize": lambda image, _: ImageOps.equalize(image),
    # Stronger leaves fewer bits, or a lower threshold.
    "posterize": lambda image, level: ImageOps.posterize(image, 8 - round(4 * abs(level))),
    "solarize": lambda image, level: ImageOps.solarize(image, round(256 * (1 - abs(level)))),
    "color": _enhanced(ImageEnhance.Color),
    "contrast": _enhanced(ImageEnhance.Contrast),
    "sharpness": _enhanced(ImageEnhance.Sharpness),
}
