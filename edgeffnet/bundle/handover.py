"""What the parts of a bundle for integrators are made from: the contract's numbers, in one place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from converters.artifact import Artifact, Format, Precision
from edgeffnet.devices import Device
from edgeffnet.images import Preprocessing


@dataclass(frozen=True)
class GoldenImage:
    """A real image of `golden/` and what was computed from it. Tensors are raw little-endian files in C order.

    `file` is an 8-bit RGB PNG; `pixels` uint8 (resolution, resolution, 3), cropped and resized;
    `normalised` float32 of the same shape; `outputs` float32 (classes,) by artefact, as the model returned
    it (int8 for artefacts with int8 input).
    """

    file: Path
    pixels: Path
    normalised: Path
    outputs: Mapping[Artifact, Path]


@dataclass(frozen=True)
class Handover:
    """A bundle with artefacts, labels and golden images in `folder`, before its parts are written.

    `preprocessing` is what is done to images before the artefacts; `device` is None where none is known.
    """

    folder: Path
    preprocessing: Preprocessing
    labels: tuple[str, ...]
    artifacts: tuple[Artifact, ...]
    golden: tuple[GoldenImage, ...]
    device: Device | None = None

    def artifact(self, form: Format, precision: Precision) -> Artifact | None:
        """The artefact of that kind; None where the build made none."""
        return next((one for one in self.artifacts if (one.format, one.precision) == (form, precision)), None)
