"""Audits with a planted fault find it and name it; a healthy model has none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from calib import graph
from converters.check import Scores
from edgeffnet.audit import detectors
from edgeffnet.audit.finding import Finding
from edgeffnet.audit.subject import Port
from edgeffnet.images import LabelledImage
from edgeffnet.imagesets import ImageSet
from tests.edgeffnet.audit import planted
from tests.edgeffnet.audit.planted import Here, Pair


@pytest.fixture(scope="module")
def pair(data: Path) -> Pair:
    return planted.lite0(data)


@pytest.fixture(scope="module")
def here() -> Here:
    return Here()


@pytest.fixture(scope="module")
def images(pair: Pair) -> ImageSet:
    return planted.spread(pair.validation, 320)


@pytest.fixture(scope="module")
def few(pair: Pair) -> ImageSet:
    """Enough for mistakes that leave little of the accuracy."""
    return planted.spread(pair.validation, 160)


@pytest.fixture(scope="module")
def unlabelled(images: ImageSet) -> ImageSet:
    """The same images, whose labels nobody knows."""
    return replace(images, images=tuple(LabelledImage(one.path) for one in images.images))


@pytest.fixture(scope="module")
def some(unlabelled: ImageSet) -> ImageSet:
    """Enough for what a file says of itself."""
    return replace(unlabelled, images=unlabelled.images[:16])


@pytest.fixture(scope="module")
def scores(pair: Pair, images: ImageSet, here: Here) -> tuple[Scores, Scores]:
    """Those of the int8 model and of its reference, as they are meant to be fed."""
    stated = pair.int8.preprocessing
    int8, reference = (here(one, stated, images.images) for one in (pair.int8, pair.reference))
    return int8, reference


def found(pair: Pair, images: ImageSet, here: Here, scores: tuple[Scores, Scores] | None = None) -> dict[str, Finding]:
    int8, reference = scores or (
        here(pair.int8, pair.int8.preprocessing, images.images),
        here(pair.reference, pair.reference.preprocessing, images.images),
    )
    made = detectors.findings(pair.int8, pair.reference, images.images, here, reference, int8)
    return {finding.name: finding for finding in made}


def test_a_healthy_model_triggers_nothing(
    pair: Pair, images: ImageSet, here: Here, scores: tuple[Scores, Scores]
) -> None:
    assert found(pair, images, here, scores) == {}


@pytest.mark.slow
def test_swapped_channels_are_found_in_both_models(pair: Pair, here: Here) -> None:
    swapped = pair.prepared(channels="BGR")
    finding = found(swapped, planted.spread(pair.validation, 520), here)
    assert set(finding) == {"channels-swapped"}
    evidence = finding["channels-swapped"].evidence
    assert evidence["better_preprocessing"]["channels"] == "RGB"
    assert evidence["p"] < 1e-3
    assert evidence["points"] > 3
    assert "int8" in evidence["models"]


def test_normalising_twice_is_found(pair: Pair, few: ImageSet, here: Here) -> None:
    (mean, *_), (std, *_) = pair.int8.preprocessing.mean, pair.int8.preprocessing.std
    twice = pair.prepared(mean=(mean + mean * std,) * 3, std=(std * std,) * 3)
    finding = found(twice, few, here)["double-normalisation"]
    assert set(finding.evidence["models"]) == {"int8", "reference"}
    assert finding.evidence["points"] > 50
    right = finding.evidence["better_preprocessing"]
    assert right["mean"][0] == pytest.approx(mean, abs=2)
    assert right["std"][0] == pytest.approx(std, abs=2)


def test_a_model_that_normalises_inside_is_found_to_be_normalised_twice(
    pair: Pair, few: ImageSet, here: Here, tmp_path: Path
) -> None:
    """The reference gets the normalisation into its first layer: raw pixels are what it takes then."""

    def takes_pixels(model: Any) -> None:
        layer = graph.layers(model)[0]
        weights, bias = graph.constant(model, layer.kernel), graph.constant(model, layer.bias)
        graph.set_constant(model, layer.kernel, weights / 128)
        graph.set_constant(model, layer.bias, bias - weights.sum(axis=(1, 2, 3)) * 127 / 128)

    inside = replace(pair, reference=planted.edited(pair.reference, tmp_path / "inside.tflite", takes_pixels))
    finding = found(inside, few, here)["double-normalisation"]
    assert finding.evidence["models"] == ["reference"]
    assert finding.evidence["better_preprocessing"]["std"] == (1.0, 1.0, 1.0)
    assert "the reference model's own" in finding.said


@pytest.mark.slow
def test_a_crop_that_costs_three_points_is_found(pair: Pair, here: Here) -> None:
    finding = found(pair.prepared(crop=0.6), pair.validation, here)
    assert set(finding) == {"wrong-crop"}
    assert finding["wrong-crop"].evidence["points"] >= 2
    assert finding["wrong-crop"].evidence["better_preprocessing"]["crop"] in (0.75, 0.875, 1.0)


def test_a_crop_to_a_third_is_found(pair: Pair, few: ImageSet, here: Here) -> None:
    finding = found(pair.prepared(crop=0.3), few, here)["wrong-crop"]
    assert finding.evidence["points"] > 5


@pytest.mark.slow
def test_a_healthy_model_triggers_nothing_on_all_images(pair: Pair, here: Here) -> None:
    assert found(pair, pair.validation, here) == {}


@pytest.mark.parametrize("shift", [-1, 1])
def test_labels_shifted_by_one_are_found_in_both_models(
    pair: Pair, images: ImageSet, here: Here, scores: tuple[Scores, Scores], shift: int
) -> None:
    moved = [LabelledImage(one.path, ((one.label or 0) - shift) % 1000) for one in images.images]
    finding = found(pair, replace(images, images=tuple(moved)), here, scores)["labels-shifted"]
    assert finding.evidence["models"] == ["int8", "reference"]
    assert ("one more" if shift == 1 else "one less") in finding.said


def test_classes_in_another_order_are_found_from_predictions_alone(
    pair: Pair, here: Here, scores: tuple[Scores, Scores], unlabelled: ImageSet
) -> None:
    int8, reference = scores
    order = np.argsort([str(index) for index in range(1000)])  # 0, 1, 10, 100, 101: as names sort
    finding = found(pair, unlabelled, here, (int8[:, order], reference))
    assert set(finding) == {"labels-permuted", "mistakes-not-sought"}
    assert finding["labels-permuted"].evidence["models"] == ["int8"]
    moved = finding["labels-permuted"].evidence["classes"]
    assert moved
    assert all(order[became] == int(label) for label, became in moved.items())


def test_without_labels_mistakes_of_preprocessing_are_said_not_to_be_sought(
    pair: Pair, unlabelled: ImageSet, here: Here, scores: tuple[Scores, Scores]
) -> None:
    before = here.ran
    finding = found(pair, unlabelled, here, scores)
    assert {name: one.severity for name, one in finding.items()} == {"mistakes-not-sought": "note"}
    assert here.ran == before


def test_a_dead_class_is_found_among_a_thousand(
    pair: Pair, unlabelled: ImageSet, here: Here, scores: tuple[Scores, Scores], tmp_path: Path
) -> None:
    """The last layer's row of one class loses its weights, and its bias falls to the least the grid has."""
    leading = np.argsort(-scores[1], axis=1)[:, :100]
    dead = int(np.bincount(leading.reshape(-1)).argmax())

    def kill(model: Any) -> None:
        for place, value in ((1, 0), (2, -(1 << 22))):
            held = planted.kernel(model, "predictions", place)
            data = np.array(model.buffers[held.buffer].data, np.uint8)
            rows = data.view(np.int8 if place == 1 else np.int32).reshape(1000, -1)
            rows[dead] = value
            model.buffers[held.buffer].data = rows.reshape(-1).view(np.uint8)

    broken = replace(pair, int8=planted.edited(pair.int8, tmp_path / "dead.tflite", kill))
    scored = here(broken.int8, broken.int8.preprocessing, unlabelled.images), scores[1]
    finding = found(broken, unlabelled, here, scored)
    assert set(finding) == {"dead-class", "mistakes-not-sought"}
    assert [row["class"] for row in finding["dead-class"].evidence["classes"]] == [dead]


def test_an_input_scale_that_lies_is_found(pair: Pair, some: ImageSet, here: Here, tmp_path: Path) -> None:
    """A uint8 input made for [0, 1] under metadata that says [-1, 1]."""
    from converters.int8 import quantize

    calibrated = pair.producer.calibrated
    path = tmp_path / "uint8.tflite"
    path.write_bytes(quantize(calibrated.model, calibrated.calibration, "uint8", pair.producer._input_range))
    honest = planted.subject(path, pair.int8.preprocessing, "int8", Port("uint8", 1 / 128, 127))

    def lie(model: Any) -> None:
        entry = model.subgraphs[0].tensors[model.subgraphs[0].inputs[0]]
        entry.quantization.scale, entry.quantization.zeroPoint = [1 / 255], [0]

    assert set(found(replace(pair, int8=honest), some, here)) == {"mistakes-not-sought"}
    lying = replace(planted.edited(honest, tmp_path / "lying.tflite", lie), takes=Port("uint8", 1 / 255, 0))
    finding = found(replace(pair, int8=lying), some, here)["input-scale"]
    assert finding.severity == "fault"
    assert "(x - 127) / 128" in finding.said
    assert finding.evidence["ends"] == pytest.approx([0, 1])


def test_a_bundle_that_states_another_preprocessing_is_found(
    pair: Pair, some: ImageSet, here: Here, tmp_path: Path
) -> None:
    from edgeffnet.bundle.contents import write_contract

    def keep(_: Any) -> None:
        return None

    inside = planted.edited(pair.int8, tmp_path / "model_int8.tflite", keep)
    stated = replace(inside.preprocessing, interpolation="nearest")
    write_contract(tmp_path, stated, ["one", "two"], [inside.artifact])
    finding = found(replace(pair, int8=inside), some, here)
    assert set(finding) == {"preprocessing-differs", "mistakes-not-sought"}
    assert "interpolation nearest and not bicubic" in finding["preprocessing-differs"].said


def test_an_int8_model_calibrated_on_images_normalised_otherwise_is_found(
    pair: Pair, some: ImageSet, here: Here, tmp_path: Path
) -> None:
    """Calibrated on pixels 0..1 and fed with -1..1: its first rounding cuts off the darker half."""
    from calib.calibrate import calibrate
    from calib.calibration import Range
    from converters.int8 import quantize

    few = pair.producer.pixels[:8].astype(np.float32) / 255
    made = calibrate(pair.producer.float_tflite, lambda: iter([few]), "fast", source="eight images")
    path = tmp_path / "narrow.tflite"
    path.write_bytes(quantize(made.model, made.calibration, "float32", Range(0.0, 1.0)))
    narrow = planted.subject(path, pair.int8.preprocessing, "int8", Port("float32"))
    finding = found(replace(pair, int8=narrow), some, here)["input-range"]
    assert "50% of that is cut off" in finding.said


def test_images_are_taken_by_name_and_not_in_the_order_given(tmp_path: Path) -> None:
    from edgeffnet.audit import trials

    files = []
    for index in range(20):
        files.append(tmp_path / f"{index}.png")
        Image.new("RGB", (8, 8)).save(files[-1])
    given = [LabelledImage(path, 0) for path in files]
    first = [given[index].path for index in trials.in_order(given)]
    turned = given[::-1]
    assert [turned[index].path for index in trials.in_order(turned)] == first
    assert first != sorted(first)


def test_metadata_inside_a_tflite_file_that_says_another_normalisation_is_found(
    pair: Pair, some: ImageSet, here: Here, tmp_path: Path
) -> None:
    stated = planted.edited(pair.int8, tmp_path / "stated.tflite", planted.with_metadata(127.0, 128.0))
    lying = planted.edited(pair.int8, tmp_path / "lying.tflite", planted.with_metadata(0.0, 255.0))
    assert set(found(replace(pair, int8=stated), some, here)) == {"mistakes-not-sought"}
    finding = found(replace(pair, int8=lying), some, here)["metadata-differs"]
    assert finding.evidence == {"model": "int8", "mean": [0.0, 0.0, 0.0], "std": [255.0, 255.0, 255.0]}
