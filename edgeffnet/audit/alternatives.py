"""The usual mistakes of preprocessing, each as the preprocessing that would put it right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edgeffnet.images import Interpolation, Preprocessing

Family = Literal["channels", "normalisation", "crop", "interpolation"]
FAMILIES: tuple[Family, ...] = ("channels", "normalisation", "crop", "interpolation")
Triple = tuple[float, float, float]

# Means and deviations of pixels 0..255 that networks are trained with.
_USUAL: dict[str, tuple[Triple, Triple]] = {
    "pixels 0..255 as they are": ((0.0,) * 3, (1.0,) * 3),
    "[0, 1]": ((0.0,) * 3, (255.0,) * 3),
    "[-1, 1]": ((127.5,) * 3, (127.5,) * 3),
    "ImageNet's mean and deviation": ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375)),
}
_CROPS = (0.65, 0.75, 0.875, 1.0)
_INTERPOLATIONS: tuple[Interpolation, ...] = ("bicubic", "bilinear", "nearest", "lanczos")
# Crops nearer than this, and normalisations nearer than this share of their span, are one.
_CROP_APART = 0.06
_SPAN_APART = 0.03
# Deviations that pixels are divided by: twice normalised, they are divided by one of these again.
_DEVIATIONS = (40.0, 300.0)


@dataclass(frozen=True)
class Alternative:
    """Another preprocessing: which part of it is changed, what mistake that would undo, and to what, in words."""

    family: Family
    mistake: str
    preprocessing: Preprocessing
    said: str


def of(stated: Preprocessing, families: Sequence[Family], known: Sequence[Preprocessing] = ()) -> list[Alternative]:
    """What could be right where `stated` is wrong in one of `families`; `known` are other models' normalisations."""
    made: list[Alternative] = []
    if "channels" in families:
        other: Literal["RGB", "BGR"] = "BGR" if stated.channels == "RGB" else "RGB"
        swapped = replace(stated, channels=other)
        made.append(Alternative("channels", "channels-swapped", swapped, f"{other} in place of {stated.channels}"))
    if "normalisation" in families:
        made += _normalisations(stated, known)
    if "crop" in families:
        made += [
            Alternative("crop", "wrong-crop", replace(stated, crop=crop), f"a crop of {crop:g}, not {stated.crop:.3g}")
            for crop in _CROPS
            if abs(crop - stated.crop) >= _CROP_APART
        ]
    if "interpolation" in families:
        made += [
            Alternative(
                "interpolation",
                "wrong-interpolation",
                replace(stated, interpolation=name),
                f"{name} interpolation, not {stated.interpolation}",
            )
            for name in _INTERPOLATIONS
            if name != stated.interpolation
        ]
    return made


def same_normalisation(first: Preprocessing, second: Preprocessing) -> bool:
    """Whether pixels become the same, to 3% of the smaller of both spans."""
    one, other = exact_ends(first), exact_ends(second)
    span = min(float((one[1] - one[0]).min()), float((other[1] - other[0]).min()))
    return bool(np.abs(one - other).max() <= _SPAN_APART * span)


def exact_ends(preprocessing: Preprocessing) -> NDArray[np.float64]:
    """`Preprocessing.ends` in double precision."""
    mean, std = np.array(preprocessing.mean), np.array(preprocessing.std)
    return np.stack([-mean / std, (255 - mean) / std])


def _normalisations(stated: Preprocessing, known: Sequence[Preprocessing]) -> list[Alternative]:
    named = [(name, replace(stated, mean=mean, std=std)) for name, (mean, std) in _USUAL.items()]
    named += [("what another contract says", replace(stated, mean=one.mean, std=one.std)) for one in known]
    made: list[Alternative] = []
    for name, other in named:
        if any(same_normalisation(other, one) for one in (stated, *(found.preprocessing for found in made))):
            continue
        twice = _twice(stated, other)
        mistake = "double-normalisation" if twice else "wrong-normalisation"
        said = f"{name}, not (x - {short(stated.mean)}) / {short(stated.std)}"
        told = f"{said}: they are normalised twice" if twice else said
        made.append(Alternative("normalisation", mistake, other, told))
    return made


def _twice(stated: Preprocessing, other: Preprocessing) -> bool:
    """Whether `stated` does what `other` does and a normalisation more."""
    if max(abs(mean) for mean in other.mean) == 0:
        # A model that takes plain pixels, or their share of 255, normalises them inside.
        return not same_normalisation(stated, stated.unnormalised)
    shrunk = float(np.mean(np.array(stated.std) / np.array(other.std)))
    return _DEVIATIONS[0] <= shrunk <= _DEVIATIONS[1]


def short(values: Triple) -> str:
    """Means or deviations in words: one number where the channels have the same."""
    return f"{values[0]:.4g}" if len(set(values)) == 1 else "(" + ", ".join(f"{value:.4g}" for value in values) + ")"
