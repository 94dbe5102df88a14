import os
from dataclasses import replace

import numpy as np
import pytest

from edgeffnet import cost, network, scaling
from edgeffnet.errors import DataError
from edgeffnet.weights import untrained

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
tensorflow = pytest.importorskip("tensorflow", reason="networks are built in Keras and converted by TensorFlow")


def small(name="b0", **changes):
    return replace(scaling.official(name, classes=5), **{"resolution": 64, **changes})


def lively(architecture):
    generator = np.random.default_rng(0)
    tensors = untrained.draw(architecture, 0)
    for name, tensor in tensors.items():
        if name.endswith(("gamma", "moving_variance")):
            tensors[name] = generator.uniform(0.5, 1.5, tensor.shape).astype(np.float32)
        elif not name.endswith("kernel"):
            tensors[name] = generator.uniform(-0.2, 0.2, tensor.shape).astype(np.float32)
    return tensors


def run(model, images):
    return np.asarray(model(images, training=False))


def macs_of(tflite):
    """Multiply-adds of a .tflite's convolutions and dense layers, from the shapes of its operators' tensors."""
    litert = pytest.importorskip("ai_edge_litert.interpreter", reason="the converted file is what is counted")
    interpreter = litert.Interpreter(model_content=tflite)
    shapes = {tensor["index"]: tensor["shape"].astype(np.int64) for tensor in interpreter.get_tensor_details()}
    total = 0
    for operator in interpreter._get_ops_details():
        if operator["op_name"] in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"):
            kernel, output = shapes[operator["inputs"][1]], shapes[operator["outputs"][0]]
            depthwise = operator["op_name"] == "DEPTHWISE_CONV_2D"
            total += int(output.prod() * (kernel[1:3] if depthwise else kernel[1:]).prod())
    return total


def converted(architecture):
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    tensorflow.keras.backend.clear_session()
    model = network.build(architecture, folded=True)
    shape = tensorflow.TensorSpec((1, architecture.resolution, architecture.resolution, 3))
    traced = tensorflow.function(lambda image: model(image, training=False)).get_concrete_function(shape)
    frozen = convert_variables_to_constants_v2(traced)
    return tensorflow.lite.TFLiteConverter.from_concrete_functions([frozen]).convert()


@pytest.mark.slow
@pytest.mark.parametrize("name", scaling.VARIANTS)
def test_macs_equal_a_count_over_the_converted_operators(name):
    architecture = scaling.official(name)
    found = macs_of(converted(architecture))
    print(f"{name}: {found:,} multiply-adds in the converted file, {cost.total(architecture).macs:,} counted")
    assert found == cost.total(architecture).macs


def test_macs_equal_a_count_over_the_converted_operators_with_torch_padding():
    architecture = small("b0", padding="symmetric", resolution=75)
    assert macs_of(converted(architecture)) == cost.total(architecture).macs


@pytest.mark.parametrize("name", scaling.VARIANTS)
def test_the_tensors_of_a_model_hold_as_many_trainable_numbers_as_are_counted(name):
    architecture = scaling.official(name)
    shapes = network.tensor_shapes(architecture)
    trainable = sum(int(np.prod(shape)) for tensor, shape in shapes.items() if "/moving_" not in tensor)
    assert trainable == cost.total(architecture).parameters


@pytest.mark.parametrize("name", ["b0", "lite1"])
def test_kerass_trainable_parameters_are_those_counted(name):
    architecture = small(name)
    model = network.build(architecture)
    assert sum(int(np.prod(v.shape)) for v in model.trainable_variables) == cost.total(architecture).parameters


@pytest.mark.parametrize("padding", ["same", "symmetric"])
@pytest.mark.parametrize("name", ["b0", "lite0"])
def test_folding_leaves_the_function_unchanged(name, padding):
    architecture = small(name, padding=padding, bn_epsilon=1e-2)
    tensors = lively(architecture)
    trainable, folded = network.build(architecture), network.build(architecture, folded=True)
    network.assign(trainable, tensors)
    network.assign(folded, network.fold(architecture, tensors))
    image = np.random.default_rng(1).standard_normal((1, 64, 64, 3)).astype(np.float32)
    expected = run(trainable, image)
    assert np.std(expected) > 0.1
    np.testing.assert_allclose(run(folded, image), expected, atol=1e-4)


def test_padding_changes_the_function():
    same, symmetric = small(), small(padding="symmetric")
    tensors = lively(same)
    image = np.random.default_rng(1).standard_normal((1, 64, 64, 3)).astype(np.float32)
    results = []
    for architecture in (same, symmetric):
        model = network.build(architecture)
        network.assign(model, tensors)
        results.append(run(model, image))
    assert np.abs(results[0] - results[1]).max() > 1e-3


def test_extract_is_the_inverse_of_assign():
    architecture = small()
    tensors = lively(architecture)
    model = network.build(architecture)
    network.assign(model, tensors)
    extracted = network.extract(model)
    assert extracted.keys() == tensors.keys()
    assert all(np.array_equal(extracted[name], tensors[name]) for name in tensors)


def test_probabilities_are_the_softmax_of_the_logits():
    architecture = small("lite0")
    tensors = lively(architecture)
    image = np.zeros((1, 64, 64, 3), np.float32)
    outputs = []
    for kind in ("logits", "probabilities"):
        model = network.build(architecture, output=kind)
        network.assign(model, tensors)
        outputs.append(run(model, image))
    exponentials = np.exp(outputs[0] - outputs[0].max())
    np.testing.assert_allclose(outputs[1], exponentials / exponentials.sum(), rtol=1e-5)


@pytest.mark.parametrize("architecture", [scaling.architecture_at(-1.5, rule="tinynet"), scaling.architecture_at(0.35)])
def test_a_network_at_any_phi_can_be_built_and_run(architecture):
    model = network.build(replace(architecture, resolution=64, classes=3))
    assert run(model, np.zeros((1, 64, 64, 3), np.float32)).shape == (1, 3)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda t: t.pop("stem_conv/kernel"), "tensor stem_conv/kernel of b0 is missing"),
        (
            lambda t: t.update({"top_bn/beta": np.zeros(3, np.float32)}),
            r"top_bn/beta has shape \(3,\)",
        ),
        (lambda t: t["block2a_bn/gamma"].fill(np.inf), "block2a_bn/gamma holds NaN or infinity"),
        (lambda t: t.update(extra=np.zeros(1, np.float32)), "tensor extra does not belong to b0"),
    ],
)
def test_check_names_the_tensor_at_fault(spoil, message):
    tensors = dict(lively(small()))
    network.check(small(), tensors, "model.h5")
    spoil(tensors)
    with pytest.raises(DataError, match=message):
        network.check(small(), tensors, "model.h5")
