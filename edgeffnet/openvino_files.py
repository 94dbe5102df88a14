"""OpenVINO models as files: functions of plain data, so that another process can be asked for them."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from converters.artifact import Artifact
from converters.description import Description
from edgeffnet.images import Pixels, Preprocessing
from edgeffnet.targets import agent

if TYPE_CHECKING:
    from calib.calibrate import Settled

# What takes seconds to import.
MODULES = ("openvino", "nncf", "converters.openvino_ir", "calib.calibrate")


@dataclass(frozen=True)
class Quantizing:
    """How the float `.tflite` `model` becomes int8 on `pixels`, uint8 (n, h, w, 3); see `openvino_ir.quantize`."""

    model: bytes
    pixels: Pixels
    preprocessing: Preprocessing
    saturating: bool
    settled_later: bool
    per_tensor: bool
    in_float: tuple[int, ...]


@dataclass(frozen=True)
class Finishing:
    """What an int8 model gets: weights and biases of `settled` if any, its input's type, and what it says of itself."""

    settled: Settled | None
    takes: Literal["uint8", "float32"]
    preprocessing: Preprocessing
    described: Description


def write_float(float_tflite: bytes, described: Description, path: Path) -> None:
    """Writes the fp32 model of a float `.tflite`, normalised images in, as `path` (.xml) and its .bin."""
    from converters import openvino_ir

    _save(openvino_ir.read_bytes(float_tflite), described, path, normalises=False)


def quantized(how: Quantizing) -> tuple[bytes, bytes]:
    """The .xml and .bin of the int8 model, normalised images in. Raises ConversionError."""
    from converters import openvino_ir

    made = openvino_ir.quantize(
        openvino_ir.read_bytes(how.model),
        how.pixels,
        how.preprocessing.normalise,
        saturating=how.saturating,
        settled_later=how.settled_later,
        per_tensor=how.per_tensor,
        in_float=how.in_float,
    )
    with tempfile.TemporaryDirectory(prefix="edgeffnet-") as folder:
        path = Path(folder) / "model.xml"
        openvino_ir.save(made, path)
        return path.read_bytes(), path.with_suffix(".bin").read_bytes()


def write_int8(found: tuple[bytes, bytes], how: Finishing, path: Path) -> None:
    """Writes what `quantized` made, finished, as `path` (.xml) and its .bin."""
    import openvino

    from converters import openvino_ir

    xml, weights = found
    model = openvino.Core().read_model(xml, weights)
    if how.settled is not None:
        openvino_ir.settle(model, openvino_ir.read_bytes(how.settled.model), how.settled.steps)
    if how.takes == "uint8":
        model = openvino_ir.with_pixel_input(model, how.preprocessing.mean, how.preprocessing.std)
    _save(model, how.described, path, normalises=how.takes == "uint8")


def scores(artifact: Artifact, pixels: Pixels, mean: Sequence[float], std: Sequence[float]) -> NDArray[np.float32]:
    """What the artefact gives for each of `pixels`, on one core, (n, classes)."""
    return _all(agent.FORMATS[artifact.format](str(artifact.path), 1), pixels, mean, std)


def replayed_scores(
    artifact: Artifact, pixels: Pixels, mean: Sequence[float], std: Sequence[float]
) -> NDArray[np.float32]:
    """The same of an int8 OpenVINO model on a machine that cannot saturate, which this one may not be."""
    return _all(agent.OpenVINOModel(str(artifact.path), 1, replayed=True), pixels, mean, std)


def _all(loaded: agent.Model, pixels: Pixels, mean: Sequence[float], std: Sequence[float]) -> NDArray[np.float32]:
    return np.stack([agent.scores(loaded, one, [*mean], [*std]) for one in pixels])


def _save(model: Any, described: Description, path: Path, *, normalises: bool) -> None:
    from converters import openvino_ir

    path.parent.mkdir(exist_ok=True)
    openvino_ir.describe(model, described, normalises=normalises)
    openvino_ir.save(model, path)
