"""The stated error: every row judged by a fit that saw no row of its model."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgeffnet.devices import Explanation, NoBasis, device_names, explain, load
from edgeffnet.devices.latency import find_runtime
from edgeffnet.devices.leave_one_out import HeldOut, leave_one_model_out, score
from edgeffnet.devices.profile import Runtime


def held_out(name: str, precision: str, runtime: str = "tflite") -> tuple[HeldOut, ...]:
    device = load(name)
    chosen = find_runtime(device, runtime, precision)
    assert isinstance(chosen, Runtime)
    return leave_one_model_out(device, chosen, precision)


@pytest.mark.parametrize("precision", ["fp32", "int8"])
@pytest.mark.parametrize(
    ("name", "threads", "rows", "bar"),
    [("pixel4", 4, 3, 0.08), ("rpi4", 1, 4, 0.12), ("rpi4", 4, 4, 0.18), ("rpi5", 1, 5, 0.12), ("rpi5", 4, 4, 0.18)],
)
def test_mean_error_meets_the_bar(name: str, threads: int, rows: int, bar: float, precision: str) -> None:
    result = score(tuple(item for item in held_out(name, precision) if item.row.threads == threads))
    assert result.rows == rows
    assert result.error <= bar


def test_intervals_cover_what_they_state() -> None:
    found: list[HeldOut] = []
    for name in device_names():
        for precision in ("fp32", "int8"):
            explanation = explain(load(name), precision=precision)
            if isinstance(explanation, Explanation):
                found += explanation.held_out
    result = score(tuple(found))
    assert result.rows > 100
    assert result.covered >= 0.85
    assert result.half_width <= 0.25


def test_a_left_out_model_has_no_say_in_its_prediction() -> None:
    device = load("rpi4")
    runtime = find_runtime(device, "tflite", "int8")
    assert isinstance(runtime, Runtime)
    slower = replace(
        runtime,
        rows=tuple(replace(row, ms=row.ms * 3) if row.model == "efficientdet-lite2" else row for row in runtime.rows),
    )
    before, after = (
        [item.predicted_ms for item in leave_one_model_out(device, r, "int8") if item.row.model == "efficientdet-lite2"]
        for r in (runtime, slower)
    )
    assert before == after


def test_explain_lays_the_fit_open() -> None:
    explanation = explain(load("rpi4"), precision="int8")
    assert isinstance(explanation, Explanation)
    assert len(explanation.rows) == 16
    assert all(row.source for row in explanation.rows)
    assert all(row.estimated_ms == pytest.approx(row.row.ms, rel=0.25) for row in explanation.rows)
    assert {item.model for item in explanation.by_model} == {row.row.model for row in explanation.rows}
    assert [threads for threads, _ in explanation.by_threads] == [1, 2, 3, 4]
    assert [price for price in explanation.prices if price.nanoseconds <= 0] == []
    assert dict(explanation.speedups)[4] > 2


def test_explain_shows_what_was_rejected_and_why() -> None:
    explanation = explain(load("rpi3b+"), precision="fp32")
    assert isinstance(explanation, Explanation)
    assert {row.model for row in explanation.rejected} == {"efficientdet-lite3", "efficientdet-lite3x"}
    assert all(row.rejected for row in explanation.rejected)
    used = {(row.row.model, row.row.ms) for row in explanation.rows}
    assert not used & {(row.model, row.ms) for row in explanation.rejected}


def test_explain_has_no_basis_where_estimate_has_none() -> None:
    assert isinstance(explain(load("cortex-m7")), NoBasis)
