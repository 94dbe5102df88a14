"""Which swishes get factors: those whose rounding shows in the logits, within a share of the elements."""

from __future__ import annotations

import numpy as np
import pytest

from calib import graph, selection, statistics
from tests.calib.graphs import pictures, swish_network


def _gains(data: bytes) -> dict[str, float]:
    images = pictures(16)
    model = graph.read(data)
    rows = selection.candidates(model, statistics.collect(data, [images], 1), 0.75, images)
    assert [row.gain / row.elements for row in rows] == sorted((row.gain / row.elements for row in rows), reverse=True)
    return {row.name: row.gain for row in rows}


def _with_block_scaled(factor: float) -> bytes:
    """The network with what its second block adds to the stream made smaller, its swishes as they were."""
    model = graph.read(swish_network())
    for layer in graph.layers(model):
        if layer.name == "b_project":
            for index in (layer.kernel, layer.bias):
                graph.set_constant(model, index, (graph.constant(model, index) * factor).astype(np.float32))
    return graph.write(model)


def test_a_swish_whose_block_hardly_reaches_the_logits_is_worth_little() -> None:
    whole, faint = _gains(swish_network()), _gains(_with_block_scaled(1e-3))
    assert set(whole) == {"a_expand_activation", "a_activation", "b_expand_activation", "b_activation"}
    for name in ("b_expand_activation", "b_activation"):
        assert faint[name] < 1e-4 * whole[name]
    assert faint["a_activation"] > 1e-2 * whole["a_activation"]


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0, 10.0])
def test_the_chosen_stay_within_their_share_of_the_elements(share: float) -> None:
    data, images = swish_network(), pictures(16)
    model = graph.read(data)
    rows = selection.candidates(model, statistics.collect(data, [images], 1), 0.75, images)
    written = sum(int(np.prod(model.subgraphs[0].tensors[op.outputs[0]].shape)) for op in model.subgraphs[0].operators)
    chosen = selection.within(rows, model, share)
    assert sum(row.elements for row in rows if row.name in chosen) <= share * written
    assert (len(chosen) == len(rows)) == (share == 10.0)
    assert (len(chosen) == 0) == (share < 0.5)
