"""How a model is fed under any preprocessing, and what detectors call to see how it fares then."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeffnet.audit.subject import Port, Subject
from edgeffnet.images import LabelledImage, Pixels, Preprocessing

Scores = NDArray[np.float32]

# Log-probabilities float32 (n, classes) of a subject over images that are prepared as the
# preprocessing says, in their order. Its mean and std reach models that take raw pixels too: they
# get the pixels that a right normalisation would turn into what the stated one makes of the image.
ScoresOf = Callable[[Subject, Preprocessing, Sequence[LabelledImage]], Scores]

# Steps of an input's grid by which it may miss the pixels and still be them.
_STEPS_APART = 1.0


@dataclass(frozen=True)
class Feed:
    """One model under one preprocessing: how its input is made of an image."""

    subject: Subject
    preprocessing: Preprocessing

    @property
    def of(self) -> tuple[Preprocessing, bytes]:
        """What the input's pixels depend on: feeds with the same are fed the same."""
        levels = self.levels()
        return self.preprocessing.unnormalised, b"" if levels is None else levels.tobytes()

    def levels(self) -> NDArray[np.uint8] | None:
        """uint8 (256, 3): what each pixel value becomes before an 8-bit input; None where it stays.

        An int8 input takes these minus 128, as the agent feeds it.
        """
        subject, stated = self.subject, self.preprocessing
        if subject.takes.dtype == "float32":
            return None
        values = stated.normalise(np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)).astype(np.float64)
        if subject.quantizes_input:
            made = values / (subject.takes.scale or 1.0) + (subject.takes.zero_point or 0)
            made = made + (128 if subject.takes.dtype == "int8" else 0)
        else:
            made = values * np.array(subject.preprocessing.std) + np.array(subject.preprocessing.mean)
        table = np.clip(np.rint(made), 0, 255).astype(np.uint8)
        return None if (table == np.arange(256)[:, None]).all() else table

    def prepared(self, pixels: Pixels) -> Pixels:
        """uint8 (..., 3) as the model is fed, of cropped and resized `pixels`."""
        levels = self.levels()
        return pixels if levels is None else np.stack([levels[pixels[..., c], c] for c in range(3)], axis=-1)


def grid_is_pixels(takes: Port, preprocessing: Preprocessing) -> bool:
    """Whether raw pixels are what an input's grid makes of normalised ones, to a step; floats have no grid.

    A grid of whole numbers, or none at all, is that of a model which normalises inside.
    """
    if takes.dtype == "float32" or takes.scale is None or takes.zero_point is None or takes.scale == 1:
        return True
    made = (
        preprocessing.ends.astype(np.float64) / takes.scale + takes.zero_point + (128 if takes.dtype == "int8" else 0)
    )
    return bool(np.abs(made - np.array([[0], [255]])).max() <= _STEPS_APART)
