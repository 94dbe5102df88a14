import io
import json
import zipfile

import numpy as np
import pytest
from weight_samples import lively_tensors, outputs, small, whole_image

from edgeffnet import scaling, weights
from edgeffnet.errors import DataError, UsageError
from edgeffnet.images import Preprocessing

keras = pytest.importorskip("keras", reason="Keras' own files and outputs are what the importer is held to")
h5py = pytest.importorskip("h5py", reason="Keras' files are HDF5")

IMAGENET_MEAN = np.array([0.485, 0.456, 0.406])
IMAGENET_STD = np.array([0.229, 0.224, 0.225])
FORMATS = ["model.keras", "model.h5", "model.weights.h5"]


def applications_model(name, classes=1000, seed=0, **arguments):
    """keras.applications' network with lively random weights, logits as output."""
    build = getattr(keras.applications, f"EfficientNet{name.upper()}")
    model = build(weights=None, classes=classes, classifier_activation=None, **arguments)
    fill(model, lively_tensors(scaling.official(name, classes), seed))
    return model


def fill(model, tensors):
    for layer in model.layers:
        for variable in layer.variables:
            if f"{layer.name}/{variable.name}" in tensors:
                variable.assign(tensors[f"{layer.name}/{variable.name}"])


def set_normalization(model, mean, variance):
    layer = next(layer for layer in model.layers if isinstance(layer, keras.layers.Normalization))
    layer.variables[0].assign(mean)
    layer.variables[1].assign(variance)
    layer.finalize_state()


def theirs(model, pixels, resolution):
    from PIL import Image

    preprocessing = whole_image(resolution)
    resized = np.stack([preprocessing.pixels(Image.fromarray(image)) for image in pixels])
    return np.asarray(model(resized.astype(np.float32), training=False))


def save(model, path):
    model.save_weights(path) if path.name.endswith(".weights.h5") else model.save(path)


@pytest.mark.parametrize("name", ["b0", "b1", "b2", "b3"])
def test_outputs_equal_keras_applications_on_photographs(name, tmp_path, photographs):
    model = applications_model(name)
    set_normalization(model, IMAGENET_MEAN, IMAGENET_STD**2)
    model.save(tmp_path / "model.h5")
    resolution = scaling.official(name).resolution
    loaded = weights.load(str(tmp_path / "model.h5"), variant=name, preprocessing=whole_image(resolution))
    expected = theirs(model, photographs, resolution)
    assert np.std(expected) > 0.1
    np.testing.assert_allclose(outputs(loaded, photographs), expected, atol=1e-4)


@pytest.mark.parametrize("file", FORMATS)
def test_every_keras_format_gives_the_same_tensors_and_normalisation(file, tmp_path):
    model = applications_model("b0", classes=7)
    set_normalization(model, [0.4, 0.5, 0.6], [0.04, 0.05, 0.06])
    save(model, tmp_path / file)
    loaded = weights.load(str(tmp_path / file), variant="b0", preprocessing=whole_image(96))
    expected = lively_tensors(scaling.official("b0", 7))
    assert loaded.tensors.keys() == expected.keys()
    assert all(np.array_equal(loaded.tensors[name], expected[name]) for name in expected)
    assert (loaded.architecture.classes, loaded.architecture.resolution) == (7, 96)
    assert (loaded.architecture.padding, loaded.architecture.bn_epsilon) == ("same", 1e-3)
    assert loaded.preprocessing.mean == pytest.approx([255 * value for value in (0.4, 0.5, 0.6)], rel=1e-5)
    assert loaded.preprocessing.std == pytest.approx([255 * value**0.5 for value in (0.04, 0.05, 0.06)], rel=1e-5)


def test_keras_3_weights_without_layer_names_are_named_by_order(tmp_path):
    model = applications_model("b1", classes=5)
    path = tmp_path / "model.weights.h5"
    model.save_weights(path)
    with h5py.File(path, "a") as file:
        file.visititems(lambda _, item: item.attrs.pop("name", None) and None)
    loaded = weights.load(str(path), variant="b1", preprocessing=whole_image(64))
    expected = lively_tensors(scaling.official("b1", 5))
    assert all(np.array_equal(loaded.tensors[name], expected[name]) for name in expected)


@pytest.mark.parametrize("file", FORMATS)
def test_a_classifier_on_a_headless_network_loads(file, tmp_path, photographs):
    base = keras.applications.EfficientNetB0(weights=None, include_top=False, input_shape=(96, 96, 3))
    tensors = lively_tensors(small(classes=3, resolution=96))
    fill(base, tensors)
    inputs = keras.Input((96, 96, 3))
    x = keras.layers.RandomFlip()(inputs)
    x = keras.layers.GlobalAveragePooling2D()(base(x))
    head = keras.layers.Dense(3, name="my_head")
    model = keras.Model(inputs, head(keras.layers.Dropout(0.2)(x)))
    head.set_weights([tensors["predictions/kernel"], tensors["predictions/bias"]])
    save(model, tmp_path / file)
    loaded = weights.load(str(tmp_path / file), variant="b0", preprocessing=whole_image(96))
    assert loaded.architecture.classes == 3
    np.testing.assert_allclose(outputs(loaded, photographs), theirs(model, photographs, 96), atol=1e-4)


@pytest.mark.parametrize("padding", ["same", "symmetric"])
def test_a_network_built_here_keeps_its_padding_and_epsilon(padding, tmp_path):
    from dataclasses import replace

    from edgeffnet import network

    architecture = replace(small("lite0"), padding=padding, bn_epsilon=1e-4)
    model = network.build(architecture)
    network.assign(model, lively_tensors(architecture))
    model.save(tmp_path / "model.keras")
    loaded = weights.load(str(tmp_path / "model.keras"), variant="lite0", preprocessing=whole_image(64, 127.0, 128.0))
    assert (loaded.architecture.padding, loaded.architecture.bn_epsilon) == (padding, 1e-4)
    assert loaded.preprocessing.mean == (127.0, 127.0, 127.0)


def test_imagenet_weights_keep_the_extra_rescaling_that_only_they_have(tmp_path, photographs, monkeypatch):
    source = applications_model("b0")
    set_normalization(source, IMAGENET_MEAN, IMAGENET_STD)
    source.save(tmp_path / "efficientnetb0.h5")
    monkeypatch.setattr(
        "keras.src.applications.efficientnet.file_utils.get_file", lambda *_, **__: str(tmp_path / "efficientnetb0.h5")
    )
    loaded = weights.load("imagenet", variant="b0")
    assert loaded.preprocessing.mean == pytest.approx(255 * IMAGENET_MEAN, rel=1e-5)
    assert loaded.preprocessing.std == pytest.approx(255 * IMAGENET_STD, rel=1e-5)
    assert loaded.preprocessing.crop == 224 / 256
    assert len(loaded.labels) == 1000
    reference = keras.applications.EfficientNetB0(weights="imagenet", classifier_activation=None)
    whole = Preprocessing(**{**vars(loaded.preprocessing), "crop": 1.0})
    restated = type(loaded)(**{**vars(loaded), "preprocessing": whole})
    np.testing.assert_allclose(outputs(restated, photographs), theirs(reference, photographs, 224), atol=1e-4)


def test_imagenet_weights_that_cannot_be_fetched_are_a_data_error(monkeypatch):
    def refuse(*_, **__):
        raise Exception("URL fetch failure:\nno route")

    monkeypatch.setattr("keras.src.applications.efficientnet.file_utils.get_file", refuse)
    with pytest.raises(DataError, match=r"could not fetch .*no route") as caught:
        weights.load("imagenet", variant="b4")
    assert "\n" not in str(caught.value)


def test_a_statement_that_would_normalise_twice_is_refused(tmp_path):
    model = applications_model("b0", classes=5)
    set_normalization(model, IMAGENET_MEAN, IMAGENET_STD**2)
    model.save(tmp_path / "model.keras")
    path = str(tmp_path / "model.keras")
    with pytest.raises(UsageError, match="normalises its input itself"):
        weights.load(path, variant="b0", preprocessing=whole_image(224, 127.0, 128.0))
    said_twice = Preprocessing(224, 0.9, "bilinear", tuple(255 * IMAGENET_MEAN), tuple(255 * IMAGENET_STD))
    loaded = weights.load(path, variant="b0", preprocessing=said_twice)
    assert loaded.preprocessing == said_twice


def test_preprocessing_is_asked_for(tmp_path):
    applications_model("b0", classes=5).save(tmp_path / "model.h5")
    with pytest.raises(UsageError, match="--preprocessing"):
        weights.load(str(tmp_path / "model.h5"), variant="b0")


def test_a_layer_before_the_stem_that_is_no_normalisation_is_refused(tmp_path):
    inputs = keras.Input((64, 64, 3))
    base = keras.applications.EfficientNetB0(weights=None, classes=5, input_shape=(64, 64, 3))
    keras.Model(inputs, base(keras.layers.Resizing(64, 64)(inputs))).save(tmp_path / "model.keras")
    with pytest.raises(DataError, match="Resizing"):
        weights.load(str(tmp_path / "model.keras"), variant="b0", preprocessing=whole_image(64))


@pytest.fixture(scope="module")
def b0_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("keras") / "b0.keras"
    applications_model("b0", classes=5).save(path)
    return path


def test_a_class_count_that_differs_names_the_tensor_and_both_shapes(b0_file):
    with pytest.raises(DataError, match=r"predictions/kernel has shape \(1280, 5\), b0 needs \(1280, 10\)"):
        weights.load(str(b0_file), variant="b0", classes=10, preprocessing=whole_image(64))


def with_configuration(path, change, changed):
    """A copy of a .keras file whose configuration `change` altered."""
    with zipfile.ZipFile(path) as archive:
        config = json.loads(archive.read("config.json"))
        data = archive.read("model.weights.h5")
    change(config["config"]["layers"])
    with zipfile.ZipFile(changed, "w") as archive:
        archive.writestr("config.json", json.dumps(config))
        archive.writestr("model.weights.h5", data)
    return str(changed)


def test_a_configuration_with_code_is_never_run(b0_file, tmp_path):
    """Keras would build a Lambda layer from its marshalled bytecode; here no layer is ever built."""
    hostile = {
        "class_name": "Lambda",
        "config": {"name": "lambda", "function": {"class_name": "__lambda__", "config": {"code": "4wEAAAA="}}},
    }
    path = with_configuration(b0_file, lambda layers: layers.insert(1, hostile), tmp_path / "hostile.keras")
    with pytest.raises(DataError, match="Lambda"):
        weights.load(path, variant="b0", preprocessing=whole_image(64))


def test_another_activation_is_another_network(b0_file, tmp_path):
    def relu(layers):
        next(layer for layer in layers if layer["name"] == "stem_activation")["config"]["activation"] = "relu"

    path = with_configuration(b0_file, relu, tmp_path / "relu.keras")
    with pytest.raises(DataError, match="stem_activation is relu, where this network has swish"):
        weights.load(path, variant="b0", preprocessing=whole_image(64))


def test_batch_norms_that_differ_in_epsilon_are_another_network(b0_file, tmp_path):
    def change(layers):
        next(layer for layer in layers if layer["name"] == "block2a_bn")["config"]["epsilon"] = 0.01

    path = with_configuration(b0_file, change, tmp_path / "epsilon.keras")
    with pytest.raises(DataError, match=r"different epsilons: 0\.001, 0\.01"):
        weights.load(path, variant="b0", preprocessing=whole_image(64))


def test_tensors_in_another_file_are_not_read(tmp_path):
    (tmp_path / "secret.bin").write_bytes(bytes(4 * 3 * 3 * 3 * 32))
    with h5py.File(tmp_path / "model.weights.h5", "w") as file:
        group = file.create_group("layers/conv2d/vars")
        group.attrs["name"] = "stem_conv"
        group.create_dataset("0", (3, 3, 3, 32), "f4", external=[(str(tmp_path / "secret.bin"), 0, 3456)])
    with pytest.raises(DataError, match="another file"):
        weights.load(str(tmp_path / "model.weights.h5"), variant="b0", preprocessing=whole_image(64))


@pytest.mark.parametrize("suffix", [".keras", ".h5", ".weights.h5"])
@pytest.mark.parametrize("content", [b"", b"<!DOCTYPE html><html>404</html>", b"\x89HDF\r\n\x1a\n", b"PK\x03\x04" * 9])
def test_a_file_that_is_no_keras_file_is_one_line(content, suffix, tmp_path):
    path = tmp_path / f"model{suffix}"
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        weights.load(str(path), variant="b0", preprocessing=whole_image(64))
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 6


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_a_truncated_file_is_a_data_error(share, b0_file, tmp_path):
    with zipfile.ZipFile(b0_file) as archive:
        inner = io.BytesIO(archive.read("model.weights.h5")).getvalue()
    for name, whole in (("model.keras", b0_file.read_bytes()), ("model.weights.h5", inner)):
        (tmp_path / name).write_bytes(whole[: int(len(whole) * share)])
        with pytest.raises(DataError):
            weights.load(str(tmp_path / name), variant="b0", preprocessing=whole_image(64))


def test_nan_in_a_tensor_is_named(tmp_path):
    model = applications_model("b0", classes=5)
    model.get_layer("block3a_bn").variables[2].assign(np.full(144, np.nan))
    model.save(tmp_path / "model.h5")
    with pytest.raises(DataError, match=r"block3a_bn/moving_mean holds NaN"):
        weights.load(str(tmp_path / "model.h5"), variant="b0", preprocessing=whole_image(64))
