"""Sensitivity finds the layer that was spoilt; mixed precision takes no more layers than it needs."""

from __future__ import annotations

import pytest

from calib import choice, graph, mixed, sensitivity, statistics
from calib.calibrate import calibrate
from calib.calibration import Range
from calib.sensitivity import Sensitivity, Unit
from tests.calib.graphs import pictures, swish_network


def test_a_spoilt_range_shows_in_both_curves() -> None:
    data, model = swish_network(), graph.read(swish_network())
    found = choice.choose(model, statistics.collect(data, [pictures()], 1), "min/max")
    found["a_dw"] = Range(-0.1, 0.1)
    rows = sensitivity.measure(model, found, pictures())
    assert [row.unit.layer for row in rows][:3] == ["stem", "a_expand", "a_dw"]
    assert min(rows, key=lambda row: row.only_snr).unit.layer == "a_dw"
    assert max(rows, key=lambda row: row.without_snr).unit.layer == "a_dw"


def test_units_cover_every_operator_once() -> None:
    model = graph.read(swish_network())
    written = [tensor for unit in sensitivity.units(model) for tensor in unit.tensors]
    main = model.subgraphs[0]
    assert written == [graph.tensor_name(main.tensors[op.outputs[0]]) for op in main.operators]


def _unit(number: int) -> Unit:
    return Unit(f"layer{number}", number, (f"t{number}",))


@pytest.mark.parametrize("needed", [0, 1, 2, 3, 5, 8])
def test_the_shortest_list_from_the_input_that_meets_the_floor_is_taken(needed: int) -> None:
    units = [_unit(number) for number in range(8)]
    found = mixed.choose(units, lambda _: 2.0, lambda tensors: 1.0 if len(tensors) >= needed else 0.5, 0.9)
    assert found.layers == tuple(f"layer{number}" for number in range(needed))
    assert (found.met, found.score, found.cost) == (True, 1.0, 2.0 * needed)


def test_a_floor_out_of_reach_says_the_best_reached() -> None:
    units = [_unit(number) for number in range(4)]
    found = mixed.choose(units, lambda _: 1.0, lambda tensors: len(tensors) / 10, 0.9)
    assert (found.met, found.score) == (False, 0.4)


def test_a_ranking_that_meets_the_floor_for_less_wins() -> None:
    units = [_unit(number) for number in range(8)]
    found = mixed.choose(units, lambda _: 1.0, lambda tensors: float("t6" in tensors), 0.9, lambda: units[::-1])
    assert found.layers == ("layer7", "layer6")


def test_cheap_layers_come_before_dear_ones() -> None:
    rows = [Sensitivity(_unit(number), 10.0, 1.0, 0.0, 0.0) for number in range(2)]
    order = mixed.ranked(rows, lambda unit: 5.0 if unit.first == 0 else 1.0)
    assert [unit.layer for unit in order] == ["layer1", "layer0"]


def test_a_layer_in_float_gets_its_float_weights_back() -> None:
    data = swish_network()
    made = calibrate(data, lambda: [pictures()], "default", source="pictures")
    mixed_model = graph.read(mixed.with_float_weights(made.model, made.unrounded, frozenset({"a_dw"})))
    rounded, unrounded = graph.read(made.model), graph.read(made.unrounded)
    for layer in graph.layers(mixed_model):
        origin = unrounded if layer.name == "a_dw" else rounded
        assert (graph.constant(mixed_model, layer.kernel) == graph.constant(origin, layer.kernel)).all()
    before, after = (graph.constant(model, graph.layers(model)[0].kernel) for model in (unrounded, rounded))
    assert (before != after).any()
