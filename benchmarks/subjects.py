"""What the quantization benchmark measures on: trained models with their images, split in halves."""

from __future__ import annotations

import csv
import dataclasses
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calib.calibration import Range
from converters.frozen import Frozen, freeze
from converters.tflite import float_tflite
from edgeffnet import calibration_images, network, scaling
from edgeffnet.images import LabelledImage, Preprocessing, load
from edgeffnet.weights import packages, torch_file, torch_names

MODELS = ("lite0", "lite1", "lite2", "b0")
DRAW_SIZE = {"b0": 150}


@dataclass(frozen=True)
class Subject:
    """A float model, its calibration images and one half of its validation images, as pixels."""

    name: str
    frozen: Frozen
    model: bytes
    preprocessing: Preprocessing
    calibration: NDArray[np.uint8]
    images: NDArray[np.uint8]
    labels: NDArray[np.int64]

    @property
    def input_range(self) -> Range:
        """What pixels 0 and 255 become, over all channels."""
        ends = self.preprocessing.ends
        return Range(float(ends.min()), float(ends.max()))

    def draw(self, seed: int, size: int | None = None) -> NDArray[np.float32]:
        """The calibration images of one draw, normalised: the same for every method."""
        wanted = size or DRAW_SIZE.get(self.name, 256)
        chosen = np.random.default_rng(seed).choice(len(self.calibration), wanted, replace=False)
        return self.preprocessing.normalise(self.calibration[np.sort(chosen)])

    def photographs(self, seed: int) -> NDArray[np.float32]:
        """The crops that a build without --calib calibrates on, normalised."""
        return self.preprocessing.normalise(calibration_images.default(seed).pixels(self.preprocessing))


def load_subject(name: str, data: Path, half: str) -> Subject:
    """Model `name` with half "a" or "b" of its validation images under `data`."""
    architecture, tensors, preprocessing, folder = _trained(name, data)
    frozen = freeze(network.inference(architecture, tensors))
    calibration, _ = _pixels(folder, "calib", preprocessing, None)
    images, labels = _pixels(folder, "eval", preprocessing, half)
    return Subject(name, frozen, float_tflite(frozen), preprocessing, calibration, images, labels)


def half_of(file_name: str) -> str:
    """ "a" or "b", by a hash of the name: fixed for good, and independent of labels and order."""
    return "ab"[int(hashlib.sha256(file_name.encode()).hexdigest(), 16) % 2]


def _trained(name: str, data: Path) -> tuple[Any, Any, Preprocessing, Path]:
    if name != "b0":
        weights = packages.load(name)
        return weights.architecture, weights.tensors, weights.preprocessing, data / "imagenet"
    folder = data / "imagenette_b0"
    architecture = dataclasses.replace(
        scaling.official("b0", classes=10), resolution=128, bn_epsilon=1e-5, padding="symmetric"
    )
    path = folder / "efficientnet_b0_imagenette.pth"
    tensors = torch_names.convert(torch_file.read(path), torch_names.torchvision(architecture), str(path))
    mean, std = (tuple(255 * v for v in values) for values in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    return architecture, tensors, Preprocessing(128, 0.8, "bicubic", mean, std), folder  # type: ignore[arg-type]


def _pixels(
    folder: Path, part: str, preprocessing: Preprocessing, half: str | None
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    with (folder / f"{part}.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if half is None or half_of(row["file"]) == half]
    images = [LabelledImage(folder / part / row["file"], int(row["label"])) for row in rows]
    return np.concatenate(list(load(images, preprocessing))), np.array([image.label for image in images])
