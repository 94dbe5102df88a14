"""A converted model on disk, and the contract by which it is fed and read."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

Format = Literal["tflite", "openvino", "onnx"]
Precision = Literal["fp32", "int8"]
Input = Literal["uint8", "int8", "float32"]
Output = Literal["probabilities", "logits"]

_FORMAT_NAMES = {"tflite": "TFLite", "openvino": "OpenVINO", "onnx": "ONNX"}


@dataclass(frozen=True)
class Artifact:
    """One model file (`companions` are the files it cannot be read without).

    `input`: "uint8" is raw RGB pixels, "int8" pixels minus 128, "float32" normalised pixels; NHWC
    with a batch of one. `output` is float32 probabilities, or logits (8-bit where `input` is int8).
    """

    path: Path
    format: Format
    precision: Precision
    input: Input
    output: Output
    companions: tuple[Path, ...]
    bytes: int

    @classmethod
    def at(
        cls, path: Path, form: Format, precision: Precision, takes: Input, output: Output, *companions: Path
    ) -> Artifact:
        """The artefact whose files lie there now; `bytes` is their size together."""
        size = sum(file.stat().st_size for file in (path, *companions))
        return cls(path, form, precision, takes, output, companions, size)

    @classmethod
    def float_tflite(cls, path: Path) -> Artifact:
        """The float `.tflite` that lies there."""
        return cls.at(path, "tflite", "fp32", "float32", "probabilities")

    @classmethod
    def int8_tflite(cls, path: Path, takes: Input) -> Artifact:
        """The int8 `.tflite` that lies there: integers from end to end where its input is int8."""
        return cls.at(path, "tflite", "int8", takes, "logits" if takes == "int8" else "probabilities")

    @property
    def name(self) -> str:
        """A short name for tables, such as "TFLite int8"."""
        return f"{_FORMAT_NAMES[self.format]} {self.precision}"

    def moved_to(self, old: Path, new: Path) -> Artifact:
        """The same artefact after folder `old` became `new`."""
        companions = tuple(new / path.relative_to(old) for path in self.companions)
        return replace(self, path=new / self.path.relative_to(old), companions=companions)

    def to_dict(self, root: Path) -> dict[str, Any]:
        """As plain data, with paths relative to `root`."""
        plain = asdict(self)
        plain["path"] = str(self.path.relative_to(root))
        plain["companions"] = [str(path.relative_to(root)) for path in self.companions]
        return {"name": self.name, **plain}
