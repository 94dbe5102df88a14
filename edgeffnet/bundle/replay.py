"""The golden images of a bundle computed again: pixels from the files, outputs from each artefact."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converters.artifact import Artifact
from converters.check import difference, log_probabilities
from edgeffnet.bundle import golden
from edgeffnet.bundle.handover import GoldenImage
from edgeffnet.errors import DataError
from edgeffnet.images import Preprocessing, read

# Pillow's resampling is in integers; where its coefficients round otherwise, a pixel moves by one.
_PIXEL_TOLERANCE = 1


@dataclass(frozen=True)
class Replay:
    """What differs, what was computed again, and what could not be with the reason; each a line in words."""

    differences: tuple[str, ...] = ()
    replayed: tuple[str, ...] = ()
    not_replayed: tuple[str, ...] = ()

    def __add__(self, other: Replay) -> Replay:
        return Replay(
            self.differences + other.differences,
            self.replayed + other.replayed,
            self.not_replayed + other.not_replayed,
        )


def replay_images(bundle: Path, images: Sequence[GoldenImage], preprocessing: Preprocessing) -> Replay:
    """Makes each image's tensors again from its file, by the contract."""
    shape = (preprocessing.resolution, preprocessing.resolution, 3)
    found: list[str] = []
    for image in images:
        try:
            stored, normalised = _tensor(image.pixels, "u1", shape), _tensor(image.normalised, "<f4", shape)
            pixels = preprocessing.pixels(read(image.file))
        except DataError as error:
            found.append(relative(str(error), bundle))
            continue
        apart = int(np.abs(pixels.astype(np.int16) - stored).max())
        if apart > _PIXEL_TOLERANCE:
            found.append(f"{_name(image.pixels, bundle)}: pixels made from {image.file.name} differ by up to {apart}")
        again = preprocessing.normalise(stored)
        if not np.allclose(again, normalised, rtol=1e-6, atol=1e-6):
            worst = float(np.abs(again - normalised).max())
            found.append(
                f"{_name(image.normalised, bundle)}: mean and std of the contract give values {worst:.3g} away from it"
            )
    said = () if found else (f"{len(images)} images: pixels and normalised tensors",)
    return Replay(tuple(found), said)


def replay_model(
    bundle: Path, artifact: Artifact, images: Sequence[GoldenImage], preprocessing: Preprocessing
) -> Replay:
    """Runs an artefact over the images' pixels and holds its outputs against the golden ones."""
    name = artifact.path.relative_to(bundle).as_posix()
    entry = golden.index(bundle).get("models", {}).get(name)
    if not isinstance(entry, dict) or any(artifact not in image.outputs for image in images):
        return Replay((f"{name}: {golden.FOLDER}/{golden.INDEX} holds no outputs of it",))
    try:
        model = golden.loaded(artifact)
    except ImportError as error:
        return Replay(not_replayed=(f"{name}: not replayed: {_package(error)} is not installed",))
    except (RuntimeError, ValueError) as error:
        return Replay((f"{name}: cannot be loaded ({_reason(error)})",))
    foreign = _foreign(artifact, str(entry.get("runtime")), model.runtime)
    if foreign:
        return Replay(not_replayed=(f"{name}: not replayed: {foreign}",))
    shape = (preprocessing.resolution, preprocessing.resolution, 3)
    made, stored = [], []
    try:
        for image in images:
            made.append(golden.output(model, _tensor(image.pixels, "u1", shape), preprocessing))
            stored.append(_tensor(image.outputs[artifact], golden.storage_of(artifact), made[-1].shape))
    except (DataError, RuntimeError, ValueError) as error:
        return Replay((f"{name}: {relative(str(error).splitlines()[0], bundle)}",))
    wrong = _beyond(artifact, np.stack(stored), np.stack(made))
    if wrong:
        return Replay((f"{name}: outputs in {model.runtime} differ from the golden ones: {wrong}",))
    return Replay(replayed=(f"{name} in {model.runtime}",))


def _beyond(artifact: Artifact, stored: NDArray[Any], made: NDArray[Any]) -> str | None:
    """By how much outputs (images, classes) lie beyond the tolerance; None where they do not."""
    allowed = golden.tolerance(artifact)
    if not np.isfinite(made).all():
        return "they are not finite"
    if np.array_equal(stored, made):
        return None
    if allowed.snr_db is not None:
        found = difference(log_probabilities(stored, artifact.output), log_probabilities(made, artifact.output))
        within = found.snr_db >= allowed.snr_db
        return None if within else f"signal-to-noise {found.snr_db:.1f} dB (at least {allowed.snr_db:g})"
    largest = float(np.abs(stored.astype(np.float64) - made).max())
    limit = allowed.largest or 0.0
    return None if largest <= limit else f"by up to {largest:.3g} (allowed: {limit:g})"


def _foreign(artifact: Artifact, recorded: str, here: str) -> str | None:
    """Why an interpreter of another make cannot tell: each has 8-bit arithmetic of its own."""
    if (artifact.format, artifact.precision) != ("tflite", "int8") or recorded.split()[0] == here.split()[0]:
        return None
    return f"its outputs are of {recorded}, and the 8-bit arithmetic of {here} is another"


def _tensor(path: Path, dtype: str, shape: tuple[int, ...]) -> NDArray[Any]:
    try:
        return np.frombuffer(path.read_bytes(), dtype).reshape(shape)
    except FileNotFoundError:
        raise DataError(f"{path} is missing") from None
    except ValueError:
        raise DataError(f"{path}: not a tensor of shape {'x'.join(map(str, shape))}") from None
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}") from None


def _reason(error: Exception) -> str:
    """The line that tells: OpenVINO puts places in its sources before it."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return next((line for line in lines if not line.startswith("Exception from")), type(error).__name__)


def _package(error: ImportError) -> str:
    known = {"openvino": "OpenVINO", "onnxruntime": "ONNX Runtime", "tensorflow": "ai-edge-litert"}
    return known.get(error.name or "", error.name or str(error))


def _name(path: Path, bundle: Path) -> str:
    return path.relative_to(bundle).as_posix()


def relative(message: str, bundle: Path) -> str:
    """`message` with the files of `bundle` named from its folder."""
    return message.replace(f"{bundle}/", "")
