"""Stand-ins: artefacts with random weights, as fast as the real ones and made in seconds.

Time does not depend on what the weights are. A stand-in has the operators of the artefact it stands
for: same recipe, same input, ranges taken from one image of noise. They are kept in the user's cache
by all that made them.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from converters.artifact import Artifact, Precision
from converters.errors import ConversionError
from edgeffnet import network
from edgeffnet.architecture import Architecture
from edgeffnet.errors import ArtifactError
from edgeffnet.images import Pixels, Preprocessing

if TYPE_CHECKING:
    from calib.recipes import Recipe

_PRECISIONS: tuple[Precision, ...] = ("fp32", "int8")
_MADE_BY = ("edgeffnet", "tensorflow", "litert-quantizer")
_KEPT_BYTES = 1 << 30


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


def cache_folder() -> Path:
    """Where stand-ins are kept between runs."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "edgeffnet" / "stand-ins"


def make(
    architecture: Architecture, manner: Manner = PLAIN, *, cache: Path | None = None
) -> Mapping[Precision, Artifact]:
    """The fp32 and int8 `.tflite` of `architecture` with random weights, from the cache where they are there.

    Raises ArtifactError where the architecture cannot be converted.
    """
    kept = cache_folder() if cache is None else cache
    folder = kept / _key(architecture, manner)
    if not folder.is_dir():
        _make_room(kept)
        partial = Path(tempfile.mkdtemp(prefix=".partial-", dir=kept))
        try:
            for precision, data in _converted(architecture, manner).items():
                (partial / f"model_{precision}.tflite").write_bytes(data)
            partial.rename(folder)
        except ConversionError as error:
            raise ArtifactError(f"{architecture.name}: {error}") from error
        except OSError:
            if not folder.is_dir():  # another process may have made it meanwhile
                raise
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    os.utime(folder)
    return {precision: _artifact(folder, precision, manner) for precision in _PRECISIONS}


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


def _key(architecture: Architecture, manner: Manner) -> str:
    network_ = {key: value for key, value in asdict(architecture).items() if key not in ("name", "phi", "rule")}
    versions = {package: metadata.version(package) for package in _MADE_BY}
    text = json.dumps([network_, asdict(manner), versions], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _make_room(kept: Path) -> None:
    """Removes the stand-ins that were used longest ago, down to what is kept."""
    kept.mkdir(parents=True, exist_ok=True)
    folders = sorted((path for path in kept.iterdir() if path.is_dir()), key=lambda path: path.stat().st_mtime)
    sizes = {folder: sum(file.stat().st_size for file in folder.iterdir()) for folder in folders}
    total = sum(sizes.values())
    for folder in folders:
        if total <= _KEPT_BYTES:
            return
        if not folder.name.startswith(".partial-"):
            shutil.rmtree(folder, ignore_errors=True)
            total -= sizes[folder]
