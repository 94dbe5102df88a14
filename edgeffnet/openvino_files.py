"""OpenVINO models as files: functions of plain data, so that another process can be asked for them."""

from __future__ import annotations

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
class Int8:
    """How a `source` becomes int8, with `pixels`, uint8 (n, h, w, 3), to calibrate on; see `openvino_ir.quantize`."""

    source: Settled
    pixels: Pixels
    preprocessing: Preprocessing
    takes: Literal["uint8", "float32"]
    saturating: bool
    per_tensor: bool
    in_float: tuple[int, ...]


def write_float(float_tflite: bytes, described: Description, path: Path) -> None:
    """Writes the fp32 model of a float `.tflite`, normalised images in, as `path` (.xml) and its .bin."""
    from converters import openvino_ir

    _save(openvino_ir.read_bytes(float_tflite), described, path, normalises=False)


def write_int8(how: Int8, described: Description, path: Path) -> None:
    """Writes the int8 model as `path` (.xml) and its .bin. Raises ConversionError."""
    from converters import openvino_ir

    preprocessing = how.preprocessing
    quantized = openvino_ir.quantize(
        openvino_ir.read_bytes(how.source.model),
        how.pixels,
        preprocessing.normalise,
        saturating=how.saturating,
        steps=how.source.steps,
        per_tensor=how.per_tensor,
        in_float=how.in_float,
    )
    if how.takes == "uint8":
        quantized = openvino_ir.with_pixel_input(quantized, preprocessing.mean, preprocessing.std)
    _save(quantized, described, path, normalises=how.takes == "uint8")


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
