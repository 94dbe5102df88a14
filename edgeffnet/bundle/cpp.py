"""cpp/: a C++ program that classifies by the bundle's models, in LiteRT or OpenVINO."""

from __future__ import annotations

import json
from importlib import metadata
from pathlib import Path

import numpy as np

from converters.artifact import Artifact
from edgeffnet import images
from edgeffnet.bundle.handover import Handover
from edgeffnet.bundle.rendering import float32, render
from edgeffnet.errors import UsageError

_AS_THEY_ARE = ("classifier.h", "classifier.cc", "resize.h", "backend.h", "litert_backend.h", "litert_c.h", "main.cc")
# The Python package whose wheel has the library that reads a format.
_PACKAGES = {"tflite": "ai-edge-litert", "openvino": "openvino"}


def write(handover: Handover) -> tuple[str, ...]:
    """Fills `cpp/`; nothing has to be known of it.

    UsageError for a bundle without `.tflite` and OpenVINO model, or without golden images.
    """
    models = [one for form in _PACKAGES for one in handover.artifacts if one.format == form]
    if not models or not handover.golden:
        raise UsageError("--bundle cpp: it takes a .tflite or an OpenVINO model, and a golden image")
    folder = handover.folder / "cpp"
    folder.mkdir()
    for name in _AS_THEY_ARE:
        (folder / name).write_text(render(f"cpp/{name}"), encoding="utf-8")
    (folder / ".clang-format").write_text(render("cpp/clang-format"), encoding="utf-8")
    (folder / "contract.h").write_text(_contract(handover, models), encoding="utf-8")
    _write_guides(handover, models, folder)
    write_ppm(np.asarray(images.read(handover.golden[0].file)), folder / "example.ppm")
    return ()


def write_ppm(pixels: images.Pixels, path: Path) -> None:
    """Writes uint8 RGB pixels (h, w, 3) as a binary PPM."""
    height, width, _ = pixels.shape
    path.write_bytes(b"P6\n%d %d\n255\n" % (width, height) + np.ascontiguousarray(pixels).tobytes())


def _contract(handover: Handover, models: list[Artifact]) -> str:
    preprocessing = handover.preprocessing
    return render(
        "cpp/contract.h.jinja",
        contract=preprocessing,
        minimum_side=images.MINIMUM_SIDE,
        mean=[f"{float32(value)}F" for value in preprocessing.mean],
        std=[f"{float32(value)}F" for value in preprocessing.std],
        models=[(json.dumps(one.path.name), one.path.stat().st_size, one.output) for one in models],
    )


def _write_guides(handover: Handover, models: list[Artifact], folder: Path) -> None:
    int8_first = sorted(models, key=lambda one: one.precision != "int8")
    chosen = next((one for one in int8_first if one.format == "tflite"), int8_first[0])
    others = [package for form, package in _PACKAGES.items() if form != chosen.format]
    values = {
        "example": f"../{chosen.path.relative_to(handover.folder).as_posix()}",
        "package": _pinned(_PACKAGES[chosen.format]),
        "other": _pinned(others[0]),
        "both": len({one.format for one in models}) > 1,
    }
    for name in ("CMakeLists.txt", "README.md"):
        (folder / name).write_text(render(f"cpp/{name}.jinja", **values), encoding="utf-8")


def _pinned(package: str) -> str:
    try:
        return f"{package}=={metadata.version(package)}"
    except metadata.PackageNotFoundError:
        return package
