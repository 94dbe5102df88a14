"""MobileNetV1, MobileNetV2, ResNet-50 and ResNet-152: the networks of the paper's Tables 3 and 4."""

import json
import os
from dataclasses import replace

import numpy as np
import pytest

from edgeffnet import cost, network, scaling
from edgeffnet.errors import UsageError
from edgeffnet.wanted import NetworkOptions, candidates
from tests.edgeffnet.keras_names import keras_layer
from tests.edgeffnet.test_network import macs_of

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

PARAMETERS = {
    "mobilenet_v1": 4_231_976,
    "mobilenet_v2": 3_504_872,
    "resnet50": 25_583_592,
    "resnet152": 60_268_520,
}
SIZE = 64


@pytest.fixture(scope="module")
def applications():
    tensorflow = pytest.importorskip("tensorflow", reason="keras.applications is what networks are compared with")
    return tensorflow.keras.applications


def theirs(applications, family, **options):
    makers = {"mobilenet_v1": "MobileNet", "mobilenet_v2": "MobileNetV2", "resnet50": "ResNet50"}
    make = getattr(applications, makers.get(family, "ResNet152"))
    return make(weights=None, classifier_activation=None, input_shape=(SIZE, SIZE, 3), **options)


def enliven(model):
    """Random batch-norms and biases; kernels are random already."""
    generator = np.random.default_rng(0)
    for layer in model.layers:
        for variable in layer.variables:
            if variable.name == "kernel" or "seed" in variable.path:
                continue
            positive = variable.name in ("gamma", "moving_variance")
            values = generator.uniform(0.5 if positive else -0.2, 1.5 if positive else 0.2, variable.shape)
            # Where shortcuts add up, what they add stays small.
            damped = 0.3 if variable.name == "gamma" and layer.name.endswith("_3_bn") else 1.0
            variable.assign(damped * values.astype(np.float32))


def translated(architecture, model):
    """The tensors of Keras' model by our names."""
    found = {}
    for name, shape in network.tensor_shapes(architecture).items():
        layer, tensor = name.split("/")
        variables = {v.name: v for v in model.get_layer(keras_layer(architecture, layer)).variables}
        found[name] = np.asarray(variables[tensor].numpy(), np.float32).reshape(shape)
    return found


@pytest.mark.parametrize("family", PARAMETERS)
def test_as_many_trainable_parameters_as_published(family):
    net = scaling.architecture_at(0, family=family)
    shapes = network.tensor_shapes(net)
    assert cost.total(net).parameters == PARAMETERS[family]
    assert sum(int(np.prod(shape)) for name, shape in shapes.items() if "/moving_" not in name) == PARAMETERS[family]


@pytest.mark.parametrize("family", PARAMETERS)
def test_outputs_equal_those_of_keras_applications_with_the_same_weights(applications, family):
    net = replace(scaling.architecture_at(0, family=family), resolution=SIZE)
    peer = theirs(applications, family)
    enliven(peer)
    tensors = translated(net, peer)
    assert peer.count_params() == sum(tensor.size for tensor in tensors.values())
    network.check(net, tensors, "keras.applications")
    image = np.random.default_rng(1).standard_normal((1, SIZE, SIZE, 3)).astype(np.float32)
    expected = np.asarray(peer(image, training=False))
    assert np.std(expected) > 0.05
    for folded in (False, True):
        ours = network.build(net, folded=folded)
        network.assign(ours, network.fold(net, tensors) if folded else tensors)
        found = np.asarray(ours(image, training=False))
        print(f"{family}: differs by {np.abs(found - expected).max():.1e} of {np.abs(expected).max():.1f}")
        np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize("width", [0.35, 1.4])
def test_widths_of_mobilenet_v2_are_those_of_its_authors(applications, width):
    net = scaling.architecture_at(0, family="mobilenet_v2", overrides=scaling.Overrides(width=width))
    peer = theirs(applications, "mobilenet_v2", alpha=width)
    assert cost.total(net).parameters == sum(int(np.prod(v.shape)) for v in peer.trainable_variables)


@pytest.mark.parametrize("family", PARAMETERS)
@pytest.mark.parametrize("phi", [-1.0, 1.0])
def test_compound_scaling_grows_and_shrinks_them(family, phi):
    one, base = (cost.total(scaling.architecture_at(at, family=family)) for at in (phi, 0.0))
    assert (one.macs > base.macs) == (one.parameters > base.parameters) == (phi > 0)


# Table 3: multiply-adds of the networks scaled in one dimension, rounded there to a tenth of a billion.
@pytest.mark.parametrize(
    ("family", "overrides", "billions"),
    [
        ("mobilenet_v1", {}, 0.6),
        ("mobilenet_v1", {"width": 2.0}, 2.2),
        ("mobilenet_v2", {}, 0.3),
        ("mobilenet_v2", {"depth": 4.0}, 1.2),
        ("mobilenet_v2", {"width": 2.0}, 1.1),
        ("mobilenet_v2", {"resolution": 448}, 1.2),
    ],
)
def test_multiply_adds_are_those_of_table_3(family, overrides, billions):
    net = scaling.architecture_at(0, family=family, overrides=scaling.Overrides(**overrides))
    assert round(cost.total(net).macs / 1e9, 1) == billions


def test_a_bottlenecks_operators_pad_pool_and_add_as_resnet_does():
    operators = {op.name: op for op in cost.operators(scaling.architecture_at(0, family="resnet50"))}
    assert operators["stem_conv_pad"].output.size == 230
    assert (operators["stem_pool"].kind, operators["stem_pool"].output.size) == ("max", 56)
    assert [tensor.name for tensor in operators["block2a_add"].inputs] == [
        "block2a_shortcut_conv",
        "block2a_project_conv",
    ]
    assert "block2b_shortcut_conv" not in operators
    assert "top_conv" not in operators


def test_an_unknown_arch_names_the_nearest(run):
    done = run("scale", "--arch", "mobilnet_v2", "--phi", "1")
    assert done.returncode == 2
    assert "nearest: mobilenet_v2" in done.stderr
    assert done.stderr.count("\n") == 1


def test_an_arch_without_phi_is_shown_as_published(run):
    (row,) = json.loads(run("scale", "--arch", "resnet50", "--json").stdout)
    assert (row["family"], row["phi"], row["parameters"]) == ("resnet50", 0.0, PARAMETERS["resnet50"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "--weights imagenet: weights of resnet50 cannot be read"),
        ({"phi": 0.0, "weights": "resnet50.h5"}, "cannot be read"),
        ({"weights": "random"}, "give --phi"),
        ({"phi": -1.0, "weights": "random", "rule": "tinynet"}, "--rule tinynet"),
        ({"phi": 0.0, "weights": "random", "width": 0.05}, "leaves a layer of 64 channels with none"),
        ({"variant": "lite0", "weights": "random"}, "not of --family resnet50"),
    ],
)
def test_what_another_network_cannot_be_is_said_in_one_line(options, message):
    with pytest.raises(UsageError, match=message) as caught:
        candidates(NetworkOptions(family="resnet50", **options), seed=0)
    assert "\n" not in str(caught.value)


@pytest.mark.slow
@pytest.mark.parametrize("family", ["mobilenet_v1", "mobilenet_v2", "resnet50"])
def test_goes_through_build_and_validate_like_any_other(run, tmp_path, family):
    tiny = ("--width", "0.25", "--depth", "0.3", "--resolution", "64", "--recipe", "fast")
    asked = ("--arch", family, "--phi", "0", "--weights", "random", *tiny)
    formats = "tflite,openvino,onnx" if family == "resnet50" else "tflite"
    made = run("build", *asked, "--formats", formats, "--output", "out", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["chosen"]["name"].startswith(f"{family} phi=0")
    net = scaling.architecture_at(0, family=family, overrides=scaling.Overrides(0.25, 0.3, 64))
    assert macs_of((tmp_path / "out" / "model_fp32.tflite").read_bytes()) == cost.total(net).macs
    measured = run("validate", "out/model_int8.tflite", "--json", cwd=tmp_path)
    assert measured.returncode == 0, measured.stderr
