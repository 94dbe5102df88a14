"""One of the two models an audit sets side by side."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from converters.artifact import Artifact
from edgeffnet.images import Preprocessing


@dataclass(frozen=True)
class Port:
    """An end of a model as its file has it: an integer q there is (q - zero_point) * scale, where that is said."""

    dtype: str
    scale: float | None = None
    zero_point: int | None = None

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Subject:
    """A classifier as it runs on a target, and what is done to images before it.

    `file` is what the user named; `artifact` what runs (a `.keras` file runs as its float `.tflite`).
    An 8-bit input takes raw pixels, or where `quantizes_input` the normalised ones on its own grid.
    `weights_sha256` is that of the `.bin` of an OpenVINO model.
    """

    file: str
    sha256: str
    artifact: Artifact
    preprocessing: Preprocessing
    classes: int
    takes: Port = Port("float32")
    gives: Port = Port("float32")
    quantizes_input: bool = False
    weights_sha256: str | None = None

    def to_dict(self) -> dict[str, Any]:
        return {
            "file": self.file,
            "sha256": self.sha256,
            "weights_sha256": self.weights_sha256,
            "format": self.artifact.format,
            "precision": self.artifact.precision,
            "input": self.artifact.input,
            "output": self.artifact.output,
            "bytes": self.artifact.bytes,
            "resolution": self.preprocessing.resolution,
            "classes": self.classes,
            "quantization": {"input": self.takes.to_dict(), "output": self.gives.to_dict()},
        }
