"""Which models can be audited, in which formats, and what keeps others from it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from scipy import special

from edgeffnet import imagesets
from edgeffnet.audit import models
from edgeffnet.audit.models import Named
from edgeffnet.audit.predictions import Predictor
from edgeffnet.audit.subject import Subject
from edgeffnet.errors import ArtifactError, DataError, EdgeffnetError, UsageError
from edgeffnet.images import LabelledImage, Preprocessing
from edgeffnet.targets.local import LocalTarget
from tests.edgeffnet.audit import colours
from tests.edgeffnet.audit.colours import Grid

Images = tuple[LabelledImage, ...]


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Images:
    folder = colours.pictures(tmp_path_factory.mktemp("pictures"), 12)
    return imagesets.read(folder, colours.NAMES).images


@pytest.fixture
def preprocessing(tmp_path: Path) -> Path:
    return colours.contract(tmp_path / "stated.json")


Run = Callable[..., NDArray[np.float32]]


@pytest.fixture(scope="module")
def scores() -> Iterator[Run]:
    """Log-probabilities of a subject over images, as detectors ask for them."""
    with closing(LocalTarget()) as target:
        predictor = Predictor([target], 1, compress=False)

        def of(subject: Subject, images: Sequence[LabelledImage], other: Preprocessing | None = None) -> NDArray[Any]:
            return predictor.scores_of(subject, other or subject.preprocessing, images)

        yield of


def expected(images: Sequence[LabelledImage], noise: float = 0.0) -> NDArray[np.float64]:
    """Log-probabilities in closed form: the mean of the cropped pixels, normalised, times the kernel."""
    kernel, bias = colours.weights(noise)
    preprocessing = Preprocessing.from_dict(dict(colours.PREPROCESSING), "test")
    opened = (preprocessing.pixels(Image.open(image.path).convert("RGB")) for image in images)
    means = np.stack([preprocessing.normalise(pixels).mean(axis=(0, 1)) for pixels in opened])
    return np.asarray(special.log_softmax(means @ kernel.T + bias, axis=1))


def of_kind(kind: str, folder: Path) -> Path:
    made = colours.weights(0.05)
    if kind == "tflite":
        return colours.tflite(folder / "model.tflite", made)
    if kind == "tflite logits":
        return colours.tflite(folder / "model.tflite", made, softmax=False)
    if kind.startswith("onnx"):
        return colours.onnx(folder / "model.onnx", made, nchw="nchw" in kind)
    return colours.openvino(folder / "model.xml", colours.onnx(folder / "made.onnx", made, nchw="nchw" in kind))


@pytest.mark.parametrize(
    "kind", ["tflite", "tflite logits", "onnx nchw", "onnx nhwc", "openvino nchw", "openvino nhwc"]
)
def test_a_strangers_model_of_any_kind_is_fed_and_read_right(
    kind: str, images: Images, preprocessing: Path, scores: Run, tmp_path: Path
) -> None:
    reference = colours.tflite(tmp_path / "reference.tflite", colours.weights())
    pair = models.read(Named(of_kind(kind, tmp_path), reference, preprocessing), tmp_path)
    assert pair.int8.classes == len(colours.NAMES)
    assert np.abs(scores(pair.int8, images) - expected(images, 0.05)).max() < 2e-3
    assert pair.int8.file == str(of_kind(kind, tmp_path))


@pytest.mark.parametrize(
    ("grid", "quantizes"),
    [
        (Grid(1 / 128, 127), False),
        (Grid(1 / 128, -1, type=9), False),
        (Grid(1 / 100, 100), True),
        (Grid(1 / 64, -10, type=9), True),
    ],
    ids=["pixels", "pixels - 128", "another grid", "another int8 grid"],
)
def test_an_8_bit_input_is_fed_what_its_grid_says(
    grid: Grid, quantizes: bool, images: Images, preprocessing: Path, scores: Run, tmp_path: Path
) -> None:
    model = colours.tflite(tmp_path / "int8.tflite", colours.weights(), grid)
    reference = colours.tflite(tmp_path / "fp32.tflite", colours.weights())
    found = models.read(Named(model, reference, preprocessing), tmp_path).int8
    assert found.quantizes_input == quantizes
    assert found.takes.scale == pytest.approx(grid.scale)
    assert found.takes.zero_point == grid.zero_point
    low, high = (-grid.zero_point - (128 if grid.type == 9 else 0)) * grid.scale, grid.scale * 255
    whole = low <= -127 / 128 and low + high >= 1
    apart = np.abs(scores(found, images) - expected(images)).max()
    assert apart < 0.1 if whole else apart > 0.1


def test_another_preprocessing_reaches_a_model_that_takes_pixels(
    images: Images, preprocessing: Path, scores: Run, tmp_path: Path
) -> None:
    """Channels, and a normalisation in place of the stated one, do to it what they do to a float model."""
    model = colours.tflite(tmp_path / "int8.tflite", colours.weights(), Grid(1 / 128, 127))
    reference = colours.tflite(tmp_path / "fp32.tflite", colours.weights())
    pair = models.read(Named(model, reference, preprocessing), tmp_path)
    stated = pair.int8.preprocessing
    for other in (
        replace(stated, channels="BGR"),
        replace(stated, mean=(110.0, 127.0, 140.0), std=(150.0, 140.0, 130.0)),
    ):
        mine, theirs = (scores(one, images, other) for one in (pair.int8, pair.reference))
        assert np.abs(mine - theirs).max() < 0.2
        assert np.abs(theirs - scores(pair.reference, images)).max() > 0.5


def test_a_bundles_contract_and_labels_are_found_beside_the_model(tmp_path: Path) -> None:
    colours.contract(
        tmp_path / "preprocessing.json", models={"m_int8.tflite": {"input": "float32", "output": "logits"}}
    )
    colours.labels(tmp_path / "labels.txt")
    colours.tflite(tmp_path / "m_int8.tflite", colours.weights())
    colours.tflite(tmp_path / "m.tflite", colours.weights())
    pair = models.read(Named(tmp_path / "m_int8.tflite", tmp_path / "m.tflite"), tmp_path)
    assert pair.labels == colours.NAMES
    assert pair.int8.preprocessing.crop == 0.875
    (lie,) = pair.findings
    assert (lie.name, lie.severity) == ("contract-lies", "fault")
    assert "says that the output of the int8 model is logits, but its file has probabilities" in lie.said


def test_the_int8_models_of_a_bundle_meet_the_float_model_of_their_format(tmp_path: Path) -> None:
    names = ("model_fp32.tflite", "model_int8.tflite", "openvino/model_fp32.xml", "openvino/model_int8.xml")
    entries = {name: {"input": "float32", "output": "logits"} for name in names}
    colours.contract(tmp_path / "preprocessing.json", models=entries)
    found = models.named(tmp_path, None, None, None)
    assert [(one.int8.name, one.reference.name) for one in found] == [
        ("model_int8.tflite", "model_fp32.tflite"),
        ("model_int8.xml", "model_fp32.xml"),
    ]


def broken(name: str, folder: Path) -> Path:
    path = folder / "broken.tflite"
    kernel, bias = colours.weights()
    match name:
        case "text":
            path.write_text("<!DOCTYPE html>")
        case "cut":
            whole = colours.tflite(folder / "whole.tflite", (kernel, bias)).read_bytes()
            path.write_bytes(whole[: len(whole) // 2])
        case "four classes":
            colours.tflite(path, (kernel[:4], bias[:4]))
        case "no classifier":
            from tests.calib.graphs import Builder

            net = Builder((1, colours.SIDE, colours.SIDE, 3))
            path.write_bytes(net.bytes(net.conv(net.entry, "map", kernel[:, None, None, :], bias)))
        case "no image":
            from tests.calib.graphs import swish_network

            path.write_bytes(swish_network())
        case "picture.png":
            path = folder / name
            path.write_bytes(b"")
        case "gone":
            path = folder / "gone.tflite"
    return path


@pytest.mark.parametrize(
    ("name", "error", "said"),
    [
        ("text", DataError, "cannot be read"),
        ("cut", DataError, "cannot be read"),
        ("four classes", DataError, "has 4 classes and"),
        ("no classifier", DataError, "no classifier"),
        ("no image", UsageError, "takes images of 8 x 8 pixels, but --preprocessing makes them 16"),
        ("picture.png", DataError, "not a .tflite, .xml, .onnx or .keras model"),
        ("gone", DataError, "no such model"),
    ],
)
def test_what_cannot_be_audited_is_named(
    name: str, error: type[EdgeffnetError], said: str, preprocessing: Path, tmp_path: Path
) -> None:
    reference = colours.tflite(tmp_path / "reference.tflite", colours.weights())
    model = broken(name, tmp_path)
    with pytest.raises(error, match=said.replace(".", r"\.")) as raised:
        models.read(Named(model, reference, preprocessing), tmp_path)
    assert str(model) in str(raised.value)
    with pytest.raises(error):
        models.read(Named(reference, model, preprocessing), tmp_path)


def test_without_a_preprocessing_nothing_is_guessed(tmp_path: Path) -> None:
    model = colours.tflite(tmp_path / "m.tflite", colours.weights())
    with pytest.raises(UsageError, match="--preprocessing FILE"):
        models.read(Named(model, model), tmp_path)


def test_labels_that_do_not_fit_are_refused(preprocessing: Path, tmp_path: Path) -> None:
    model = colours.tflite(tmp_path / "m.tflite", colours.weights())
    short = colours.labels(tmp_path / "short.txt", ("red", "green"))
    with pytest.raises(UsageError, match=r"holds 2 names, but .* has 6 classes"):
        models.read(Named(model, model, preprocessing, short), tmp_path)


def test_a_bundle_whose_contract_does_not_fit_its_model_lies(tmp_path: Path) -> None:
    model = colours.tflite(tmp_path / "m.tflite", colours.weights())
    colours.contract(tmp_path / "preprocessing.json", resolution=32)
    with pytest.raises(ArtifactError, match="makes them 32"):
        models.read(Named(model, model), tmp_path)
    colours.contract(tmp_path / "preprocessing.json")
    colours.labels(tmp_path / "labels.txt", ("red", "green"))
    with pytest.raises(ArtifactError, match="2 names"):
        models.read(Named(model, model), tmp_path)


@pytest.mark.slow
def test_a_keras_model_runs_as_its_float_tflite(
    images: Images, preprocessing: Path, scores: Run, tmp_path: Path
) -> None:
    from edgeffnet.tensorflow_import import import_tensorflow

    import_tensorflow()
    import keras

    kernel, bias = colours.weights()
    entry = keras.Input((colours.SIDE, colours.SIDE, 3))
    head = keras.layers.Conv2D(len(colours.NAMES), 1, name="head")
    model = keras.Model(entry, keras.layers.GlobalAveragePooling2D()(head(entry)))
    head.set_weights([kernel.T[None, None], bias])
    model.save(tmp_path / "colours.keras")
    int8 = colours.tflite(tmp_path / "int8.tflite", colours.weights(0.05))
    pair = models.read(Named(int8, tmp_path / "colours.keras", preprocessing), tmp_path)
    assert pair.reference.file.endswith("colours.keras")
    assert np.abs(scores(pair.reference, images) - expected(images)).max() < 2e-3
