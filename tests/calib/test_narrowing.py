"""Narrowing: upper ends that reach too far come down, those that serve the logits stay."""

from __future__ import annotations

import numpy as np
import pytest

from calib import choice, graph, narrowing, simulation, statistics
from calib.calibrate import calibrate
from calib.calibration import Range
from calib.recipes import Narrow, Ranges, Recipe
from tests.calib.graphs import pictures, swish_network


def _noise(ranges: dict[str, Range]) -> float:
    model, images = graph.read(swish_network()), pictures(16)
    entry = int(model.subgraphs[0].inputs[0])
    wanted, got = (simulation.logits(model, {entry: images}, 0, held) for held in ({}, ranges))
    return float(((wanted - got) ** 2).sum())


def _ranges() -> dict[str, Range]:
    data = swish_network()
    return choice.choose(graph.read(data), statistics.collect(data, [pictures(16)], 1), "mse")


@pytest.mark.parametrize("swish", ["a_expand", "b_expand", "b_dw"])
def test_an_end_four_times_too_high_comes_down_and_the_logits_gain(swish: str) -> None:
    wide = _ranges()
    product = swish.replace("_dw", "") + "_activation"
    for name in (swish, product):
        wide[name] = Range(wide[name].low, 4 * wide[name].high)
    found = narrowing.narrow(graph.read(swish_network()), wide, pictures(16), (1.0, 0.5, 0.25))
    for name in (swish, product):
        assert found[name].high <= wide[name].high / 2
        assert found[name].low == wide[name].low
    assert _noise(found) < _noise(wide)


def test_ends_that_would_cut_what_matters_stay_and_other_tensors_are_left_alone() -> None:
    ranges = _ranges()
    found = narrowing.narrow(graph.read(swish_network()), ranges, pictures(16), (1.0, 0.05, 0.02))
    assert found == ranges


def test_a_recipe_says_how_many_ranges_it_narrowed() -> None:
    recipe = Recipe("narrowed", (Ranges("min/max"), Narrow(8, (1.0, 0.7, 0.5))))
    made = calibrate(swish_network(), lambda: [pictures(16)], recipe, source="test")
    assert made.steps[1].step == "Narrow"
    assert made.steps[1].detail.endswith("ranges narrowed on 8 images")
    assert all(np.isfinite([found.low, found.high]).all() for found in made.calibration.ranges.values())
