"""golden/: real images small enough to travel, and exactly what is computed from them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgeffnet.bundle import contents, golden
from edgeffnet.targets import agent


def test_four_real_images_of_both_orientations_travel_as_small_png_files(bundle: Path) -> None:
    sizes = [Image.open(image.file).size for image in golden.read(bundle)]
    assert len(sizes) == 4
    assert all(min(size) <= 320 for size in sizes)
    assert {width > height for width, height in sizes} == {True, False}


def test_tensors_are_those_that_the_contract_makes_of_the_files(bundle: Path) -> None:
    preprocessing, _, _ = contents.find_contract(bundle / "model_int8.tflite")
    shape = (preprocessing.resolution, preprocessing.resolution, 3)
    for image in golden.read(bundle):
        pixels = np.fromfile(image.pixels, np.uint8).reshape(shape)
        assert (pixels == preprocessing.pixels(Image.open(image.file).convert("RGB"))).all()
        normalised = np.fromfile(image.normalised, "<f4").reshape(shape)
        assert (normalised == (pixels - np.float32(preprocessing.mean)) / np.float32(preprocessing.std)).all()


@pytest.mark.parametrize("name", ["model_int8.tflite", "model_fp32.tflite", "model_fp32.onnx"])
def test_outputs_are_what_the_models_return(bundle: Path, name: str) -> None:
    preprocessing, labels, artifact = contents.find_contract(bundle / name)
    model = agent.FORMATS[artifact.format](str(bundle / name), 1)
    for image in golden.read(bundle):
        pixels = np.fromfile(image.pixels, np.uint8).reshape(preprocessing.resolution, preprocessing.resolution, 3)
        stored = np.fromfile(image.outputs[artifact], "<f4")
        assert stored.shape == (len(labels),)
        assert np.abs(agent.scores(model, pixels, [*preprocessing.mean], [*preprocessing.std]) - stored).max() <= 1e-5


def test_the_index_tells_shapes_types_and_tolerances(bundle: Path) -> None:
    index = json.loads((bundle / "golden" / "golden.json").read_text())
    assert set(index["models"]) == set(json.loads((bundle / "preprocessing.json").read_text())["models"])
    for entry in index["images"]:
        for tensor in (entry["pixels"], entry["normalised"]):
            size = (bundle / "golden" / tensor["file"]).stat().st_size
            assert size == np.prod(tensor["shape"]) * np.dtype(tensor["dtype"]).itemsize
    for model in index["models"].values():
        assert (model["tolerance"] is None) != (model["least_snr_db"] is None)
