"""Stand-ins: artefacts with random weights, as fast as the real ones and made in seconds.

Time does not depend on what the weights are. A stand-in has the operators of the artefact it stands
for: same recipe, same input, ranges taken from one image of noise. They are kept in the user's cache
by all that made them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from converters.artifact import Artifact, Precision
from converters.errors import ConversionError
from edgeffnet import network
from edgeffnet.architecture import Architecture
from edgeffnet.cache.makers import makers
from edgeffnet.cache.store import Cache
from edgeffnet.errors import ArtifactError
from edgeffnet.images import Pixels, Preprocessing

if TYPE_CHECKING:
    from calib.recipes import Recipe

_PRECISIONS: tuple[Precision, ...] = ("fp32", "int8")


@dataclass(frozen=True)
class Manner:
    """What of a build the operators of its int8 `.tflite` depend on, beside the architecture.

    `inside` is the preprocessing that the model does itself, None where its input's scale does it.
    """

    interface: Literal["uint8", "int8", "float32"] = "uint8"
    recipe: str = "default"
    granularity: Literal["channel", "tensor"] = "channel"
    inside: Preprocessing | None = None


PLAIN = Manner()


def make(
    architecture: Architecture, manner: Manner = PLAIN, *, cache: Path | None = None
) -> Mapping[Precision, Artifact]:
    """The fp32 and int8 `.tflite` of `architecture` with random weights, from the cache where they are there.

    Raises ArtifactError where the architecture cannot be converted, UsageError where nothing can be kept.
    """
    network_ = {key: value for key, value in asdict(architecture).items() if key not in ("name", "phi", "rule")}
    made_from = {**makers(), "architecture": network_, "manner": asdict(manner)}

    def fill(folder: Path) -> None:
        for precision, data in _converted(architecture, manner).items():
            (folder / f"model_{precision}.tflite").write_bytes(data)

    kept = Cache.of_user() if cache is None else Cache(cache)
    try:
        place = kept.path("stand-in", made_from, fill)
    except ConversionError as error:
        raise ArtifactError(f"{architecture.name}: {error}") from error
    return {precision: _artifact(place, precision, manner) for precision in _PRECISIONS}


def contract(architecture: Architecture, manner: Manner = PLAIN) -> tuple[Preprocessing, Pixels]:
    """How a stand-in is fed: its preprocessing, and one image of noise, uint8 (1, h, w, 3)."""
    stated = replace(manner.inside or Preprocessing.lite(architecture.resolution), resolution=architecture.resolution)
    if manner.inside is not None:
        stated = stated.unnormalised
    shape = (1, architecture.resolution, architecture.resolution, 3)
    return stated, np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def _artifact(folder: Path, precision: Precision, manner: Manner) -> Artifact:
    path = folder / f"model_{precision}.tflite"
    if precision == "fp32":
        return Artifact.float_tflite(path)
    return Artifact.int8_tflite(path, manner.interface)


def _converted(architecture: Architecture, manner: Manner) -> dict[Precision, bytes]:
    from calib.calibrate import calibrate
    from calib.calibration import Range
    from converters.frozen import freeze
    from converters.int8 import quantize
    from converters.tflite import float_tflite
    from edgeffnet.tensorflow_import import import_tensorflow
    from edgeffnet.weights.untrained import draw

    import_tensorflow()
    model = network.inference(architecture, draw(architecture, seed=0), manner.inside)
    made = float_tflite(freeze(model))
    stated, pixels = contract(architecture, manner)
    image, entry = stated.normalise(pixels), Range(*stated.pixel_range)
    calibrated = calibrate(made, lambda: [image], _by_shape(manner.recipe), source="noise", input_range=entry)
    data = quantize(calibrated.model, calibrated.calibration, manner.interface, entry, granularity=manner.granularity)
    return {"fp32": made, "int8": data}


def _by_shape(recipe: str) -> Recipe:
    """`recipe` less what changes only numbers: the operators stay, the work goes."""
    from calib.recipes import Ranges, Recipe, Reconstruct, named

    steps = tuple(step for step in named(recipe).steps if not isinstance(step, Reconstruct))
    return Recipe(
        f"{recipe}, by shape", tuple(Ranges("min/max") if isinstance(step, Ranges) else step for step in steps)
    )
