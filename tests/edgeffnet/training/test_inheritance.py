"""Weights for other widths and depths from a checkpoint: what has to stay the same does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from edgeffnet import network, scaling
from edgeffnet.architecture import Architecture
from edgeffnet.errors import UsageError
from edgeffnet.network import Tensors
from edgeffnet.scaling import Overrides
from edgeffnet.tensorflow_import import import_tensorflow
from edgeffnet.training import channels
from edgeffnet.training.inheritance import inherit
from edgeffnet.weights import untrained

PIXELS = 64


def small(family: str, width: float, depth: float, pixels: int = PIXELS) -> Architecture:
    """A network of ten classes, cheap enough to be run in a test."""
    overrides = Overrides(width=width, depth=depth, resolution=pixels)
    return scaling.architecture_at(0.0, family=family, overrides=overrides, classes=10)  # type: ignore[arg-type]


def lively(net: Architecture) -> dict[str, NDArray[np.float32]]:
    """Random tensors whose batch-norms are not the identity, as those of trained networks are not."""
    generator = np.random.default_rng(0)
    tensors = untrained.draw(net, 0)
    for name, value in tensors.items():
        if name.endswith(("beta", "moving_mean", "bias")):
            tensors[name] = generator.normal(0, 0.2, value.shape).astype(np.float32)
        elif name.endswith(("gamma", "moving_variance")):
            tensors[name] = generator.uniform(0.6, 1.4, value.shape).astype(np.float32)
    return tensors


def outputs(net: Architecture, tensors: Tensors) -> NDArray[np.float32]:
    import_tensorflow()
    model = network.build(net, batch=None)
    network.assign(model, tensors)
    images = np.random.default_rng(1).uniform(-1, 1, (2, net.resolution, net.resolution, 3)).astype(np.float32)
    return np.asarray(model(images, training=False))


@pytest.mark.parametrize("family", ["lite", "efficientnet"])
def test_a_wider_and_deeper_network_computes_the_same_before_training(family: str) -> None:
    source, target = small(family, 0.3, 1.0), small(family, 0.45, 1.6)
    tensors = lively(source)
    made = inherit(source, tensors, target)
    assert made.exact
    expected = outputs(source, tensors)
    assert np.abs(expected).max() > 0.1
    assert np.abs(outputs(target, made.tensors) - expected).max() < 1e-4 * max(1.0, float(np.abs(expected).max()))


def test_copies_differ_from_what_they_were_copied_from() -> None:
    source, target = small("lite", 0.3, 1.0), small("lite", 0.45, 1.0)
    kernel = inherit(source, lively(source), target).tensors["block2a_expand_conv/kernel"][0, 0]
    assert len(np.unique(kernel, axis=1).T) == kernel.shape[1]


@pytest.mark.parametrize("family", ["lite", "efficientnet"])
@pytest.mark.parametrize("phi", [-2.5, -0.7, 0.4, 2.2])
def test_any_phi_gets_a_whole_set_of_tensors(family: str, phi: float) -> None:
    source = small(family, 1.0, 1.0)
    target = scaling.architecture_at(phi, family=family, classes=10)  # type: ignore[arg-type]
    made = inherit(source, untrained.draw(source, 0), target)
    network.check(target, made.tensors, "inherited")
    assert "channels kept" in made.notes[0]


def test_a_narrower_network_keeps_the_channels_that_matter() -> None:
    source, target = small("lite", 0.6, 1.0), small("lite", 0.5, 1.0)
    tensors = lively(source)
    count = tensors["top_bn/gamma"].shape[0]
    found = inherit(source, tensors, target)
    assert not found.exact
    loud = np.arange(0, tensors["block5a_project_bn/gamma"].size, 2)
    for block in ("block5a", "block5b", "block5c"):
        tensors[f"{block}_project_bn/gamma"][loud] *= 50
    kept = inherit(source, tensors, target).tensors["block5a_project_bn/gamma"]
    assert (kept > 20).sum() == min(len(loud), target.stages[4].channels)
    assert count == found.tensors["top_bn/gamma"].shape[0]


def test_a_shallower_network_drops_the_branches_that_add_least() -> None:
    source, target = small("lite", 0.3, 1.0), small("lite", 0.3, 0.5)
    tensors = lively(source)
    tensors["block6b_project_bn/gamma"] *= 1e-3
    tensors["block6c_project_bn/gamma"] *= 1e-3
    made = inherit(source, tensors, target)
    assert [stage.repeats for stage in target.stages][5] == 2
    assert np.array_equal(made.tensors["block6b_dwconv/kernel"], tensors["block6d_dwconv/kernel"])
    assert "blocks dropped" in made.notes[0]


def test_the_most_important_channels_are_kept_in_their_order() -> None:
    found = channels.resized(np.array([0.1, 3.0, 0.2, 2.0, 1.0]), 3)
    assert found.index.tolist() == [1, 3, 4]
    wider = channels.resized(np.array([0.1, 3.0, 0.2]), 5)
    assert wider.index.tolist() == [0, 1, 2, 1, 2]
    assert wider.copied.tolist() == [False, False, False, True, True]


def test_a_network_of_another_family_is_refused() -> None:
    source, target = small("lite", 0.3, 1.0), small("efficientnet", 0.3, 1.0)
    with pytest.raises(UsageError, match="another base network"):
        inherit(source, untrained.draw(source, 0), target)
    with pytest.raises(UsageError, match="classes"):
        inherit(source, untrained.draw(source, 0), replace(source, classes=3))
