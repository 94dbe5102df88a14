"""Rounding and bias: limits kept, planted errors removed, clipped tails left alone."""

from __future__ import annotations

import numpy as np
import pytest

from calib import bias, graph, patches, reconstruction, rounding
from calib.bias import Activation
from calib.calibrate import calibrate, settled_for_saturation
from calib.choice import choose
from calib.errors import CalibrationError
from calib.reconstruction import Reconstruction
from calib.statistics import collect
from tests.calib.graphs import pictures, run, swish_network


def _problem(shared: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(6, 40))
    shape = (400, 40) if shared else (6, 400, 40)
    inputs = rng.normal(size=shape) @ rng.normal(size=(40, 40)) + 0.5
    moment = np.swapaxes(inputs, -1, -2) @ inputs / 400 + 1e-2 * np.eye(40)
    return weights, inputs, moment


@pytest.mark.parametrize("shared", [True, False], ids=["one moment for all rows", "a moment per row"])
def test_adaptive_rounding_beats_nearest_and_moves_no_weight_past_a_step(shared: bool) -> None:
    weights, inputs, moment = _problem(shared)
    step = 8 * rounding.scales(weights)
    found, plain = rounding.adaptive(weights, step, moment), rounding.nearest(weights, step)

    def cost(steps: np.ndarray) -> float:
        off = steps * step - weights
        return float(np.einsum("ri,rij,rj", off, np.broadcast_to(moment, (6, 40, 40)), off))

    assert inputs.shape[-1] == 40
    assert cost(found) < 0.7 * cost(plain)
    assert np.abs(found - weights / step).max() <= 1 + 1e-9
    assert (found == np.rint(found)).all()


def test_the_largest_weight_stays_on_127() -> None:
    weights, _, moment = _problem(True)
    found = rounding.adaptive(weights, rounding.scales(weights), moment)
    assert (np.abs(found).max(axis=1) == rounding.LARGEST).all()


def test_adaptive_rounding_of_two_weights_worked_by_hand() -> None:
    # Inputs always equal: only the sum 0.4 + 0.4 matters, which one step up and one down matches best.
    weights, step = np.array([[0.4, 0.4]]), np.ones((1, 1))
    moment = np.array([[1.0, 0.999], [0.999, 1.0]])
    assert sorted(rounding.adaptive(weights, step, moment)[0]) == [0.0, 1.0]


def test_a_planted_bias_is_removed() -> None:
    wanted = np.random.default_rng(0).normal(0, 2, (5000, 3)).astype(np.float32)
    planted = np.array([0.3, -0.2, 0.0], np.float32)
    for activation in (Activation(), Activation(0.0, 6.0), Activation(restoring=np.array([1, 2, 0.5], np.float32))):
        found = bias.correction(wanted, wanted + planted, activation)
        assert found == pytest.approx(-planted, abs=1e-3)


def test_a_clipped_tail_is_left_alone() -> None:
    wanted = np.random.default_rng(0).exponential(1.0, (5000, 2)).astype(np.float32)
    clipped = np.minimum(wanted, 1.5)
    assert abs((wanted - clipped).mean()) > 0.1  # what a correction of the plain mean would add
    found = bias.correction(wanted, clipped, Activation(high=1.5))
    assert found == pytest.approx([0, 0], abs=1e-6)


def test_errors_the_swish_discards_are_no_bias() -> None:
    rng = np.random.default_rng(0)
    wanted = np.where(rng.random((4000, 1)) < 0.5, rng.normal(-60, 5, (4000, 1)), rng.normal(1, 0.5, (4000, 1)))
    got = np.where(wanted < -20, wanted + 8, wanted)
    found = bias.correction(
        *(x.astype(np.float32) for x in (wanted, got)), Activation(restoring=np.ones(1, np.float32))
    )
    assert abs(found[0]) < 1e-3


def test_reconstruction_brings_the_rounded_network_nearer() -> None:
    data, images = swish_network(), pictures(32)
    seen = collect(data, [images], 1)

    def noise(how: Reconstruction) -> float:
        model = graph.read(data)
        found = choose(model, seen, "mse")
        return -reconstruction.reconstruct(model, found, images, how)[-1].after

    plain = noise(Reconstruction(rounding=False, compensation=False, bias=False))
    assert noise(Reconstruction(compensation=False)) < plain - 0.3


def test_reconstructed_weights_lie_on_the_grid() -> None:
    made = calibrate(swish_network(), lambda: [pictures()], source="test")
    for kernel, layer in _kernels(made.model):
        steps = patches.rows(kernel, layer) / rounding.scales(patches.rows(kernel, layer))
        assert np.abs(steps - np.rint(steps)).max() < 1e-3


def test_weights_settled_for_saturation_leave_room_for_the_sum_of_two_products() -> None:
    made = calibrate(swish_network(), lambda: [pictures()], source="test")
    settled = settled_for_saturation(made, lambda: [pictures()])
    finer = []
    for (kernel, layer), step in zip(_kernels(settled.model), settled.steps, strict=True):
        exact = patches.rows(kernel, layer) / step
        steps = np.rint(exact)
        assert np.abs(exact - steps).max() < 1e-3
        assert np.abs(steps).max() <= 127
        if layer.kind != "depthwise":
            neighbours = np.pad(
                steps.reshape(len(steps), -1, kernel.shape[-1]), ((0, 0), (0, 0), (0, kernel.shape[-1] % 2))
            )
            pairs = neighbours[..., 0::2] + neighbours[..., 1::2]
            assert 255 * np.abs(pairs).max() <= 32767
            finer.append(np.abs(steps).max())
    assert max(finer) > 64  # half the range of every weight would be safe too, and coarser
    wanted, found = run(swish_network(), pictures()), run(settled.model, pictures())
    assert ((wanted - found) ** 2).sum() < 1e-3 * (wanted**2).sum()


def test_layers_whose_biases_are_one_tensor_are_corrected_each_by_its_own() -> None:
    model, apart = graph.read(swish_network()), graph.read(swish_network())
    layers = {layer.name: layer for layer in graph.layers(model)}
    zeros = np.zeros(12, np.float32)
    for name in ("a_expand", "b_expand", "a_dw", "b_dw"):
        for made in (model, apart):
            graph.set_constant(made, layers[name].bias, zeros)
    for operator in model.subgraphs[0].operators:
        operator.inputs = [layers["a_expand"].bias if i == layers["b_dw"].bias else i for i in operator.inputs]
    images = pictures()
    shared, own = (
        calibrate(graph.write(made), lambda: [images], "default", source="test").model for made in (model, apart)
    )
    assert np.abs(run(shared, images) - run(own, images)).max() == 0


def _kernels(model: bytes) -> list[tuple[np.ndarray, graph.Layer]]:
    read = graph.read(model)
    return [(graph.constant(read, layer.kernel), layer) for layer in graph.layers(read)]


@pytest.mark.parametrize("recipe", ["fast", "default"])
def test_the_order_of_images_does_not_matter(recipe: str) -> None:
    data, images = swish_network(), pictures(12)
    one = calibrate(data, lambda: [images], recipe, source="test", threads=1)
    other = calibrate(data, lambda: [images[::-1]], recipe, source="test", threads=2)
    assert one.model == other.model
    assert one.calibration == other.calibration
    assert run(one.model, images).shape == (12, 8, 8, 5)


def test_unknown_recipes_and_methods_are_errors() -> None:
    with pytest.raises(CalibrationError, match="fast, default, best"):
        calibrate(swish_network(), lambda: [pictures()], "quick", source="test")
    with pytest.raises(CalibrationError, match="no calibration images"):
        calibrate(swish_network(), list, "fast", source="test")
