"""Accuracy on real validation images: the figures this project promises for its three checkpoints."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from calib.calibration import Calibration
from converters.artifact import Artifact
from converters.check import Scores, difference, log_probabilities
from edgeffnet import calibration_images, devices, imagesets, labels, production
from edgeffnet.images import Preprocessing
from edgeffnet.report.quiet import quiet
from edgeffnet.targets.local import LocalTarget
from edgeffnet.validation import Accuracy, accuracy, predictions
from edgeffnet.validation_images import ValidationImages, from_set
from edgeffnet.weights import packages

# Published beside the image sets; crops and decoders account for about a point.
EXPECTED_TOP1 = {"lite0": 0.8308, "lite1": 0.8331, "lite2": 0.8292}


def producer(variant: str, images: calibration_images.CalibrationImages, folder: Path) -> production.Producer:
    return production.Producer(packages.load(variant), images, folder)


def scores_of(
    artifacts: list[Artifact], made: production.Producer, pixels: NDArray[np.uint8]
) -> dict[Artifact, Scores]:
    target = LocalTarget()
    try:
        return predictions(artifacts, target, made.weights.preprocessing, pixels, threads=os.cpu_count() or 1)
    finally:
        target.close()


def evaluation_images(data: Path, preprocessing: Preprocessing, every: int = 1) -> ValidationImages:
    """Every so many of the evaluation images, which lie in the order of their classes."""
    found = imagesets.read(data / "imagenet" / "eval.csv", labels.imagenet())
    return from_set(replace(found, images=found.images[::every]), preprocessing)


@pytest.fixture(scope="module")
def evaluation(data: Path) -> ValidationImages:
    return evaluation_images(data, packages.load("lite0").preprocessing, every=4)


@pytest.fixture(scope="module")
def lite0_scores(
    data: Path, evaluation: ValidationImages, tmp_path_factory: pytest.TempPathFactory
) -> dict[Artifact, Scores]:
    """What each artefact of Lite0, calibrated on 64 training images, makes of the evaluation images."""
    chosen = imagesets.read(data / "imagenet" / "calib.csv", labels.imagenet())
    images = calibration_images.from_set(chosen, 0, calibration_images.Selection(64))
    made = producer("lite0", images, tmp_path_factory.mktemp("lite0"))
    made.saturating = devices.load("local").int8_saturates
    with quiet():
        artifacts = [found.artifact for found in made.produce(production.FORMATS, _silently)]
        return scores_of(artifacts, made, evaluation.pixels)


@pytest.fixture(scope="module")
def reference(lite0_scores: dict[Artifact, Scores]) -> Scores:
    """Those of the float `.tflite`."""
    return next(scores for artifact, scores in lite0_scores.items() if artifact.name == "TFLite fp32")


@pytest.fixture(scope="module")
def lite0(lite0_scores: dict[Artifact, Scores], reference: Scores, evaluation: ValidationImages) -> dict[str, Accuracy]:
    return {artifact.name: accuracy(reference, scores, evaluation) for artifact, scores in lite0_scores.items()}


def _silently(_: str) -> object:
    from contextlib import nullcontext

    return nullcontext()


@pytest.mark.parametrize("name", ["OpenVINO fp32", "ONNX fp32"])
def test_lite0_fp32_is_the_same_in_every_format(lite0: dict[str, Accuracy], name: str) -> None:
    assert lite0[name].agreement.value >= 0.999
    assert lite0[name].largest_probability_error <= 1e-3


@pytest.mark.parametrize("name", ["TFLite int8", "OpenVINO int8"])
def test_lite0_int8_keeps_its_accuracy(lite0: dict[str, Accuracy], name: str) -> None:
    found = lite0[name]
    print(f"{name}: top-1 {found.top1}, drop {found.drop}, agreement {found.agreement}, {found.snr_db:.1f} dB")
    assert found.drop is not None
    assert found.drop.value <= 1.0
    assert found.agreement.value >= 0.95
    assert found.snr_db >= 19


@pytest.mark.slow
@pytest.mark.parametrize("variant", sorted(EXPECTED_TOP1))
def test_fp32_is_within_a_point_of_the_published_figures(data: Path, tmp_path: Path, variant: str) -> None:
    made = producer(variant, calibration_images.default(0), tmp_path)
    images = evaluation_images(data, made.weights.preprocessing)
    with quiet():
        artifact = Artifact.at(made.float_path, "tflite", "fp32", "float32", "probabilities")
        scores = scores_of([artifact], made, images.pixels)[artifact]
    top1 = accuracy(scores, scores, images).top1
    assert top1 is not None
    assert abs(top1.value - EXPECTED_TOP1[variant]) <= 0.01


def test_lite0_calibrated_on_photographs_of_packages_alone_agrees_with_fp32(
    evaluation: ValidationImages, reference: Scores, tmp_path: Path
) -> None:
    made = producer("lite0", calibration_images.default(0), tmp_path)
    with quiet():
        artifact = made.probe().artifact
        scores = scores_of([artifact], made, evaluation.pixels)[artifact]
    found = accuracy(reference, scores, evaluation)
    print(f"{artifact.name}: agreement {found.agreement}, {found.snr_db:.1f} dB")
    assert found.agreement.value >= 0.95


def test_lite0_in_openvino_keeps_its_accuracy_on_a_machine_without_vnni(
    evaluation: ValidationImages, reference: Scores, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without VNNI, x86 adds pairs of 8-bit products in 16 bits; oneDNN can be told to do so anywhere."""
    if devices.load("local").int8_saturates:
        pytest.skip("this machine has no VNNI: the tests before were of one without")
    made = producer("lite0", calibration_images.default(0), tmp_path)
    made.saturating = True
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    with quiet():
        (artifact,) = (
            found.artifact for found in made.produce(("openvino",), _silently) if found.artifact.precision == "int8"
        )
        scores = scores_of([artifact], made, evaluation.pixels)[artifact]
    found = accuracy(reference, scores, evaluation)
    print(f"OpenVINO int8 without VNNI: agreement {found.agreement}, {found.snr_db:.1f} dB")
    assert found.agreement.value >= 0.95


def test_float_artefacts_equal_keras_on_validation_images(evaluation: ValidationImages, tmp_path: Path) -> None:
    made = producer("lite0", calibration_images.default(0), tmp_path)
    made.recipe = "fast"
    pixels = evaluation.pixels[:48]
    with quiet():
        inputs = made.weights.preprocessing.normalise(pixels)
        keras = np.concatenate([np.asarray(made.model(inputs[i : i + 1], training=False)) for i in range(len(inputs))])
        artifacts = [f.artifact for f in made.produce(production.FORMATS, _silently) if f.artifact.precision == "fp32"]
        scores = scores_of(artifacts, made, pixels)
    for artifact in artifacts:
        found = difference(log_probabilities(keras, "probabilities"), scores[artifact])
        assert found.probability <= 1e-3, artifact.name
        assert found.logit <= 1e-2, artifact.name


def test_calibration_does_not_depend_on_the_order_of_images(data: Path, tmp_path: Path) -> None:
    found = imagesets.read(data / "imagenet" / "calib.csv", labels.imagenet())
    first = calibration_images.CalibrationImages(found.images[:8], "eight", (), 0)
    turned = calibration_images.CalibrationImages(found.images[7::-1], "eight", (), 0)
    ranges: list[Calibration] = []
    with quiet():
        for images in (first, turned):
            folder = tmp_path / str(len(ranges))
            folder.mkdir()
            made = producer("lite0", images, folder)
            made.recipe = "fast"
            ranges.append(made.calibrated.calibration)
    assert ranges[0].ranges == ranges[1].ranges
