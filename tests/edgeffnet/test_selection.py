"""Verdicts on candidates: each constraint of section 3.1, alone and together."""

from __future__ import annotations

import pytest

from edgeffnet import Budget, devices, scaling, selection
from edgeffnet.selection import EstimatedLatency, bound_by, judge, nothing_fits

LITE = [scaling.official(f"lite{number}") for number in (2, 1, 0)]


def estimate(low: float, value: float, high: float) -> EstimatedLatency:
    return EstimatedLatency(
        device="board",
        runtime="tflite",
        threads=4,
        percentile=90,
        value_ms=value,
        low_ms=low,
        high_ms=high,
        coverage=0.9,
        mean_ms=value,
        percentile_over_mean=1.0,
        percentile_source="",
        rows=9,
        sources=(),
        notes=(),
    )


@pytest.mark.parametrize(
    ("budget", "constraint"),
    [
        (Budget(macs="400M"), "macs"),
        (Budget(parameters="5M"), "parameters"),
        (Budget(memory="1.6MB"), "memory"),
        (Budget(size="5MB"), "size"),
    ],
)
def test_each_budget_keeps_larger_networks_out_and_is_named(budget: Budget, constraint: str) -> None:
    candidates = tuple(judge(net, budget, None) for net in LITE)
    assert [candidate.verdict for candidate in candidates] == ["over budget", "over budget", "fits"]
    assert candidates[1].violates == (constraint,)
    assert bound_by(candidates, candidates[2]).startswith(f"{constraint} (lite1: ")


def test_the_real_size_of_the_file_decides_where_it_is_known() -> None:
    assert judge(LITE[2], Budget(size="5MB"), None).verdict == "fits"
    assert judge(LITE[2], Budget(size="5MB"), None, size=5_248_136).verdict == "over budget"


def test_all_violated_constraints_are_told_together() -> None:
    found = judge(LITE[0], Budget(latency="10ms", macs="400M", parameters="5M"), estimate(20, 25, 30))
    assert found.violates == ("latency", "macs", "parameters")
    for said in ("860M multiply-adds", "6.09M parameters", "20.0 to 30.0 ms estimated"):
        assert said in found.reason


@pytest.mark.parametrize(
    ("limit", "verdict"), [(31, "fits"), (30, "fits"), (29, "may fit"), (20, "may fit"), (19.9, "too slow")]
)
def test_an_estimate_fits_only_when_all_of_its_interval_does(limit: float, verdict: str) -> None:
    assert judge(LITE[0], Budget(latency=limit), estimate(20, 25, 30)).verdict == verdict


def test_without_a_figure_a_latency_budget_cannot_be_met() -> None:
    found = judge(LITE[0], Budget(latency="50ms"), "no published row")
    assert (found.verdict, found.reason) == ("no figure", "no published row")


def test_the_error_names_the_smallest_candidate_and_the_first_that_may_fit() -> None:
    budget = Budget(latency=24)
    candidates = tuple(
        judge(net, budget, figure) for net, figure in zip(LITE, (estimate(20, 25, 30),) * 2 + ("none",), strict=True)
    )
    said = str(nothing_fits(candidates, budget))
    assert "lite0" in said and "none" in said
    assert "lite2 may fit" in said


def test_the_largest_candidate_is_bound_by_nothing() -> None:
    candidates = tuple(judge(net, Budget(latency=100), estimate(20, 25, 30)) for net in LITE)
    assert bound_by(candidates, candidates[0]).startswith("nothing")


def test_selection_for_a_board_needs_nothing_but_the_architecture() -> None:
    board = devices.load("rpi4")
    found = [judge(net, Budget(latency="50ms"), selection.estimated(board, net, 4, 90)) for net in LITE]
    assert all(isinstance(candidate.latency, EstimatedLatency) for candidate in found)
