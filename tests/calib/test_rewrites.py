"""Rewrites that must not change the float function: factors around swishes and through streams."""

from __future__ import annotations

import numpy as np
import pytest

from calib import channels, equalization, graph, statistics, swish
from tests.calib.graphs import Builder, pictures, run, swish_network


def _names(model: object, group: channels.Group) -> set[str]:
    return {graph.tensor_name(model.subgraphs[0].tensors[index]) for index in group.tensors}  # type: ignore[attr-defined]


def test_residual_tensors_share_a_group_and_ends_are_fixed() -> None:
    model = graph.read(swish_network())
    found = [_names(model, group) for group in channels.groups(model)]
    assert found == [{"stem", "a_project", "a_add", "b_project", "b_add"}]


def test_a_restored_swish_frees_its_channels() -> None:
    model = graph.read(swish_network())
    swish.add_restoring(model, frozenset({"a_expand_activation"}))
    found = [_names(model, group) for group in channels.groups(model)]
    assert {"a_expand", "a_expand_activation"} in found
    assert [entry.rewritten for entry in swish.swishes(model)] == [True, False, False, False]


def test_any_factors_leave_the_function_unchanged() -> None:
    data, images = swish_network(), pictures()
    model = graph.read(data)
    swish.add_restoring(model, frozenset(entry.name for entry in swish.swishes(model)))
    rng = np.random.default_rng(0)
    for group in channels.groups(model):
        channels.rescale(model, group, np.exp(rng.normal(0, 1, group.channels)))
    graph.prune(model)
    wanted = run(data, images)
    assert np.abs(run(graph.write(model), images) - wanted).max() <= 1e-5 * np.abs(wanted).max()


def test_equalization_levels_channels_and_leaves_the_function_unchanged() -> None:
    data, images = swish_network(), pictures()
    model = graph.read(data)
    swish.add_restoring(model, frozenset(entry.name for entry in swish.swishes(model)))
    equalization.equalize(model, statistics.collect(data, [images], 1), 1.0)
    made = graph.write(model)
    wanted = run(data, images)
    assert np.abs(run(made, images) - wanted).max() <= 1e-5 * np.abs(wanted).max()

    def unevenness(held: bytes) -> float:
        seen = statistics.collect(held, [images], 1).activations["a_expand"]
        need = np.maximum(seen.channel_high, np.minimum(-seen.channel_low, 6.0))
        return float(need.max() / need.min())

    assert unevenness(data) > 20
    before = statistics.collect(data, [images], 1).activations["b_expand_activation"].channel_high
    after = statistics.collect(made, [images], 1).activations["b_expand_activation"].channel_high
    assert after.max() / after.min() < 0.5 * before.max() / before.min()


def test_bounded_groups_are_left_alone() -> None:
    net = Builder((1, 4, 4, 3))
    rng = np.random.default_rng(0)
    kernels = [rng.normal(size=shape).astype(np.float32) for shape in ((6, 1, 1, 3), (5, 1, 1, 6))]
    x = net.conv(net.entry, "first", kernels[0], np.zeros(6, np.float32), activation=3)
    model = graph.read(net.bytes(net.conv(x, "logits", kernels[1], np.zeros(5, np.float32))))
    assert [len(group.bounded) for group in channels.groups(model)] == [1]
    seen = statistics.collect(graph.write(model), [rng.normal(size=(2, 4, 4, 3)).astype(np.float32)], 1)
    assert equalization.equalize(model, seen, 1.0) == []


@pytest.mark.parametrize("workers", [1, 2])
def test_statistics_do_not_depend_on_order_or_workers(workers: int) -> None:
    data, images = swish_network(), pictures()
    one = statistics.collect(data, [images], 1)
    other = statistics.collect(data, [images[::-1][:3], images[::-1][3:]], workers)
    assert one.images_sha256 == other.images_sha256
    for name, seen in one.activations.items():
        assert (seen.histogram.counts == other.activations[name].histogram.counts).all()
        assert (seen.low, seen.high) == (other.activations[name].low, other.activations[name].high)
