"""The files of a bundle beside the artefacts: labels and the contract by which models are fed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from converters import label_file
from converters.artifact import Artifact, Format, Input, Output, Precision
from edgeffnet.bundle import names
from edgeffnet.errors import DataError, UsageError
from edgeffnet.images import Preprocessing
from edgeffnet.json_file import read_json
from edgeffnet.labels import require_lines

if TYPE_CHECKING:
    from edgeffnet.calibration_images import CalibrationImages
    from edgeffnet.production import Producer

LABELS = "labels.txt"
CONTRACT = "preprocessing.json"
CHOICE = "calibration.json"


def settle(made_in: Path, bundle: Path, artifacts: Sequence[Artifact]) -> dict[Artifact, Artifact]:
    """Moves everything in `made_in` up into `bundle`; each artefact's new self by its old one."""
    for path in sorted(made_in.iterdir()):
        path.rename(bundle / path.name)
    made_in.rmdir()
    return {artifact: artifact.moved_to(made_in, bundle) for artifact in artifacts}


def write_contract(
    bundle: Path,
    preprocessing: Preprocessing,
    labels: Sequence[str],
    artifacts: Sequence[Artifact],
    *,
    trained: bool = True,
) -> None:
    """Writes labels.txt (one class a line, in output order) and preprocessing.json.

    DataError for a name that holds a line break: every reader takes a line for a class.
    """
    require_lines(labels, LABELS)
    (bundle / LABELS).write_text(label_file.as_text(labels), encoding="utf-8")
    contract = {
        **preprocessing.to_dict(),
        "steps": "decode to upright 8-bit RGB; centred square of crop x short side; resize to resolution; "
        "uint8 models take the pixels as they are, int8 models pixels - 128, float32 models (pixels - mean) / std",
        "layout": "NHWC, batch 1",
        **({} if trained else {"trained": False}),
        "models": {
            str(artifact.path.relative_to(bundle)): {"input": artifact.input, "output": artifact.output}
            for artifact in artifacts
        },
    }
    (bundle / CONTRACT).write_text(json.dumps(contract, indent=2) + "\n", encoding="utf-8")


def calibration(producer: Producer) -> dict[str, Any]:
    """How `producer` calibrated, and on which files, as reports and manifests tell it."""
    made = producer.calibrated
    return {
        "method": made.calibration.method,
        "granularity": producer.granularity,
        "steps": [{"step": done.step, "detail": done.detail} for done in made.steps],
        "images": made.calibration.images,
        "convergence": asdict(made.convergence) if made.convergence else None,
        "sha256": made.calibration.digest(),
        **producer.images.to_dict(),
    }


def write_choice(bundle: Path, images: CalibrationImages) -> None:
    """Writes calibration.json, which names the chosen calibration images by hash; default photographs need none."""
    if images.choice:
        images.choice.write(bundle / CHOICE)


def calibration_notes(producer: Producer) -> list[str]:
    """What has to be known of the images that `producer` calibrated on."""
    found = []
    if not producer.images.chosen:
        found.append(f"calibrated on {producer.images.source}; photographs of your own (--calib) serve better")
    settling = producer.calibrated.convergence
    if settling and not settling.settled:
        found.append(f"calibration: {settling.said()}")
    return found


def shared_note(count: int) -> str:
    """What has to be said where pictures both calibrate and validate."""
    return f"{count} pictures both calibrate and validate (--allow-overlap): accuracy is flattered"


def read_labels(path: Path) -> tuple[str, ...]:
    """The class names of a labels.txt, one a line as editors of any system end them.

    DataError where there is none, or a name that breaks its line.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: labels cannot be read ({error})") from None
    found = tuple(text.removesuffix("\n").split("\n")) if text else ()
    require_lines(found, str(path))
    return found


def labels_given(path: Path | None, model: str, classes: int) -> tuple[str, ...] | None:
    """The names in the file of --labels, None where none is given; UsageError where `model` has not as many classes."""
    if path is None:
        return None
    found = read_labels(path)
    if len(found) != classes:
        raise UsageError(f"--labels holds {len(found)} names, but {model} has {classes} classes")
    return found


def contract_of(bundle: Path) -> tuple[Preprocessing, tuple[str, ...]]:
    """Preprocessing and labels of a bundle; DataError where it names no model, or they cannot be read."""
    models = models_of(bundle)
    if not models:
        raise DataError(f"{bundle}: its {CONTRACT} names no model")
    preprocessing, labels, _ = find_contract(models[0])
    return preprocessing, labels


def find_contract(model: Path) -> tuple[Preprocessing, tuple[str, ...], Artifact]:
    """Preprocessing, labels and contract of a model in a bundle, from the folder it lies in."""
    from edgeffnet.images import read_preprocessing

    folder = bundle_of(model)
    if folder is None:
        raise DataError(f"{model}: no {CONTRACT} beside it or above; predict needs a model in its bundle folder")
    path = folder / CONTRACT
    preprocessing = read_preprocessing(path)
    try:
        entry = read_json(path)["models"][str(model.relative_to(folder))]
        takes, output = entry["input"], entry["output"]
    except (KeyError, TypeError, ValueError):
        raise DataError(f"{path}: says nothing of {model.name}") from None
    if takes not in get_args(Input) or output not in get_args(Output):
        raise DataError(f"{path}: {model.name} has an input or output that there is not: {takes!r}, {output!r}")
    companions = (model.with_suffix(".bin"),) if model.suffix == ".xml" else ()
    for file in (model, *companions):
        if not file.is_file():
            raise DataError(f"{file}: no such model")
    precision: Precision = "int8" if "int8" in model.stem else "fp32"
    artifact = Artifact.at(model, _format(model), precision, takes, output, *companions)
    return preprocessing, read_labels(folder / LABELS), artifact


def models_of(bundle: Path) -> list[Path]:
    """The model files that a bundle's contract names, none or more; DataError where there is no such contract."""
    try:
        listed = list(read_json(bundle / CONTRACT)["models"])
    except (OSError, ValueError, KeyError, TypeError):
        raise DataError(f"{bundle}: no {CONTRACT} that names models; this is not an edgeffnet bundle") from None
    return [names.plain(bundle, name, str(bundle / CONTRACT)) for name in listed]


def artifacts_of(bundle: Path) -> tuple[Artifact, ...]:
    """The artefacts that a bundle's contract names; DataError for one that is missing, or no contract."""
    return tuple(find_contract(model)[2] for model in models_of(bundle))


def require_trained(model: Path) -> None:
    """UsageError for a model of a bundle whose weights were drawn at random: it has no accuracy."""
    folder = bundle_of(model)
    if folder and read_contract(folder).get("trained") is False:
        raise UsageError(f"{model}: its weights are random, for latency only: leave out --val")


def read_contract(bundle: Path) -> dict[str, Any]:
    """A bundle's preprocessing.json as it is; DataError where there is none that can be read."""
    try:
        found = read_json(bundle / CONTRACT)
    except (OSError, ValueError) as error:
        raise DataError(f"{bundle / CONTRACT}: cannot be read ({error})") from None
    if not isinstance(found, dict):
        raise DataError(f"{bundle / CONTRACT}: not a JSON object")
    return found


def bundle_of(model: Path) -> Path | None:
    """The folder of the contract that a model lies under; None where it is in no bundle."""
    folders = (model.parent, model.parent.parent)
    return next((folder for folder in folders if (folder / CONTRACT).is_file()), None)


def _format(model: Path) -> Format:
    formats: dict[str, Format] = {".tflite": "tflite", ".xml": "openvino", ".onnx": "onnx"}
    if model.suffix not in formats:
        raise DataError(f"{model}: not a .tflite, .xml or .onnx model")
    return formats[model.suffix]
