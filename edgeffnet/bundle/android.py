"""android/: a Gradle library module in Kotlin that classifies bitmaps by the bundle's contract."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from converters import label_file
from converters.artifact import Artifact
from edgeffnet.bundle.contents import LABELS
from edgeffnet.bundle.handover import GoldenImage, Handover
from edgeffnet.bundle.rendering import float32, render
from edgeffnet.errors import UsageError

FOLDER = "android"
LITERT = "1.4.2"
MINIMUM_SDK = 21
_ASSETS = "assets/edgeffnet"
_TEMPLATES = Path(__file__).parent / "templates" / FOLDER


def write(handover: Handover) -> tuple[str, ...]:
    """Fills `android/` in the bundle's folder, to be used as it is or copied alone; nothing has to be known of it.

    The int8 model is the app's; the float one lies among the files of the instrumented test. UsageError for a
    bundle without `.tflite`.
    """
    models = [model for model in (handover.artifact("tflite", "int8"), handover.artifact("tflite", "fp32")) if model]
    if not models:
        raise UsageError("--bundle android: the bundle holds no .tflite for it")
    folder = handover.folder / FOLDER
    values = _values(handover, models)
    for template in sorted(path for path in _TEMPLATES.rglob("*") if path.is_file()):
        name = template.relative_to(_TEMPLATES).as_posix()
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(render(f"{FOLDER}/{name}", **values), encoding="utf-8")
    for model, source_set in zip(models, ("main", "androidTest"), strict=False):
        assets = folder / "src" / source_set / _ASSETS
        assets.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(model.path, assets / model.path.name)
    (folder / "src" / "main" / _ASSETS / LABELS).write_text(label_file.as_text(handover.labels), encoding="utf-8")
    _write_golden(handover.golden, models, folder / "test-data" / "golden")
    return ()


def _values(handover: Handover, models: Sequence[Artifact]) -> dict[str, Any]:
    contract = handover.preprocessing
    return {
        "resolution": contract.resolution,
        "crop": contract.crop,
        "interpolation": contract.interpolation.upper(),
        "channels": contract.channels,
        "mean": _floats(contract.mean),
        "std": _floats(contract.std),
        "models": [_model(model) for model in models],
        "which": _which(models),
        "litert": LITERT,
        "min_sdk": MINIMUM_SDK,
    }


def _floats(values: Sequence[float]) -> str:
    return ", ".join(f"{float32(value)}f" for value in values)


def _model(model: Artifact) -> dict[str, str]:
    takes = {"uint8": "pixels as they are", "int8": "pixels minus 128", "float32": "normalised pixels"}[model.input]
    kind = "8-bit integers" if model.precision == "int8" else "32-bit floats"
    return {
        "file": model.path.name,
        "precision": model.precision.upper(),
        "input": model.input.upper(),
        "output": model.output.upper(),
        "quantized": str(model.precision == "int8").lower(),
        "said": f"Computes in {kind}; takes {takes} and returns {model.output}.",
    }


def _which(models: Sequence[Artifact]) -> str:
    if len(models) == 1:
        only = models[0]
        return f"`{only.path.name}` ({_megabytes(only)}) is the only one in this bundle."
    int8, fp32 = models
    return (
        f"`{int8.path.name}` ({_megabytes(int8)}, takes {int8.input}) is in the app: smaller, and on the CPU as a rule "
        f"the faster one. For the GPU take `{fp32.path.name}` ({_megabytes(fp32)}), which computes in floats: move it "
        f"from `src/androidTest/{_ASSETS}` to `src/main/{_ASSETS}` and pass `Contract.FP32`."
    )


def _megabytes(model: Artifact) -> str:
    return f"{model.bytes / 1e6:.1f} MB"


def _write_golden(golden: Sequence[GoldenImage], models: Sequence[Artifact], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for index, image in enumerate(golden):
        shutil.copyfile(image.file, folder / f"{index}.png")
        # What a JVM without Android can read by itself.
        with Image.open(image.file) as opened:
            opened.convert("RGB").save(folder / f"{index}.ppm")
        shutil.copyfile(image.pixels, folder / f"{index}.pixels.bin")
        shutil.copyfile(image.normalised, folder / f"{index}.normalised.bin")
        for model in models:
            shutil.copyfile(image.outputs[model], folder / f"{index}.{model.path.name}.bin")
    (folder / "images.txt").write_text("".join(f"{index}\n" for index in range(len(golden))), encoding="utf-8")
