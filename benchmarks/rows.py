"""Rows of finished figures, kept in the repository so that a benchmark of hours can go on where it stopped."""

from __future__ import annotations

import base64
import hashlib
import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calib import recipes
from edgeffnet import devices

ROOT = Path(__file__).parent.parent
FOLDER = Path(__file__).parent / "results"
Row = dict[str, Any]
SATURATING = "16-bit"

# What decides the numbers of a calibration; a recipe's own steps are told apart beside it.
_CALIBRATION = (
    *("bias", "channels", "choice", "compensation", "equalization", "graph", "histograms", "moments", "narrowing"),
    *(
        "patches",
        "ranges",
        "reconstruction",
        "rounding",
        "saturation",
        "selection",
        "simulation",
        "statistics",
        "swish",
        "swish_noise",
        "walk",
    ),
)
_PACKAGES = {
    "TFLite converter": "tensorflow",
    "litert-quantizer": "litert-quantizer",
    "NNCF": "nncf",
    "ONNX Runtime": "onnxruntime",
}


def sums_here(method: str) -> str | None:
    """The sums that OpenVINO's products of 8 bits are added in on this machine; None of another runtime's method."""
    if not (method.startswith("NNCF") or method == "ours, OpenVINO"):
        return None
    return SATURATING if devices.load("local").int8_saturates else "32-bit"


def made_by(method: str) -> str:
    """What a row's figures depend on beside images and sums: our sources' hash, or the peer's version."""
    for name, package in _PACKAGES.items():
        if method.startswith(name):
            return f"{package} {version(package)}"
    if method == "ours, OpenVINO":
        return _ours("default", "converters/openvino_ir.py")
    return _ours(method.removeprefix("ours "), "converters/int8.py")


def _ours(recipe: str, converter: str) -> str:
    sources = (*(f"calib/{name}.py" for name in _CALIBRATION), converter)
    return f"sources {_hash(*sources)} {recipes.named(recipe).steps}"


def _hash(*names: str) -> str:
    found = hashlib.sha256()
    for name in names:
        found.update((ROOT / name).read_bytes())
    return found.hexdigest()[:16]


def read(model: str, folder: Path = FOLDER) -> list[Row]:
    """The rows of a model, the oldest first; none where there is no file yet."""
    path = folder / f"{model}.json"
    found: list[Row] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    return found


def write(model: str, rows: list[Row], folder: Path = FOLDER) -> None:
    """Replaces a model's file by `rows`, one a line, whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    text = "[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n"
    partial = folder / f".{model}.json"
    partial.write_text(text, encoding="utf-8")
    partial.replace(folder / f"{model}.json")


def same(row: Row, wanted: Row) -> bool:
    """Whether `row` answers what `wanted` asks: every field of it is equal."""
    return all(row.get(field) == value for field, value in wanted.items())


def packed(bits: NDArray[np.bool_]) -> str:
    """One bit an image, as text."""
    return base64.b64encode(np.packbits(bits).tobytes()).decode()


def unpacked(text: str, count: int) -> NDArray[np.bool_]:
    """The bits that `packed` made text of."""
    return np.unpackbits(np.frombuffer(base64.b64decode(text), np.uint8), count=count).astype(bool)
