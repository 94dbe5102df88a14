"""Section 3.1 for any real phi: the largest network within a budget, and what keeps larger ones out."""

from __future__ import annotations

import csv
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeffnet import Budget, cost, devices
from edgeffnet.architecture import Architecture
from edgeffnet.errors import BudgetError, UsageError
from edgeffnet.largest_phi import Largest, largest_phi
from edgeffnet.rules import CompoundRule
from edgeffnet.scaling import Overrides, architecture_at
from tests.conftest import Run


def lite(phi: float) -> Architecture:
    return architecture_at(phi, family="lite")


def next_larger(found: Largest) -> Architecture:
    return lite(found.candidate.architecture.phi + 0.001)


@pytest.mark.parametrize(
    ("budget", "binding"),
    [
        (Budget(macs="300M", parameters="9M", memory="9MB", size="9MB", latency="90ms"), "macs"),
        (Budget(macs="9G", parameters="5.5M", memory="9MB", size="9MB", latency="90ms"), "parameters"),
        (Budget(macs="9G", parameters="9M", memory="1.2MB", size="9MB", latency="90ms"), "memory"),
        (Budget(macs="9G", parameters="9M", memory="9MB", size="3MB", latency="90ms"), "size"),
        (Budget(macs="9G", parameters="9M", memory="9MB", size="9MB", latency="30ms"), "latency"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_of_five_constraints_the_one_that_binds_is_named(budget: Budget, binding: str) -> None:
    found = largest_phi(lite, budget, devices.load("rpi4"))
    assert found.candidate.verdict == "fits"
    assert found.bound_by.startswith(f"{binding} (lite phi={next_larger(found).phi:g}: ")


@given(st.integers(20_000_000, 5_000_000_000))
@settings(max_examples=25, deadline=None)
def test_the_network_found_is_within_the_budget_and_the_next_is_not(macs: int) -> None:
    found = largest_phi(lite, Budget(macs=macs))
    assert cost.total(found.candidate.architecture).macs <= macs < cost.total(next_larger(found)).macs


@given(st.integers(1_500_000, 20_000_000), st.integers(1_500_000, 20_000_000))
@settings(max_examples=25, deadline=None)
def test_phi_grows_with_the_budget(one: int, other: int) -> None:
    small, large = (largest_phi(lite, Budget(parameters=limit)) for limit in sorted((one, other)))
    assert small.candidate.architecture.phi <= large.candidate.architecture.phi


def test_a_further_constraint_never_gives_a_larger_network() -> None:
    alone = largest_phi(lite, Budget(macs="500M")).candidate.architecture.phi
    both = largest_phi(lite, Budget(macs="500M", memory="1MB")).candidate.architecture.phi
    assert both < alone


def test_constants_and_stated_coefficients_hold_during_the_search() -> None:
    rule = CompoundRule(alpha=1.4, beta=1.0, gamma=1.1)
    stated = Overrides(resolution=160)
    found = largest_phi(lambda phi: architecture_at(phi, rule=rule, overrides=stated), Budget(macs="1G"))
    net = found.candidate.architecture
    assert (net.resolution, net.width, net.depth) == (160, 1.0, 1.4**net.phi)


def test_a_rule_that_ends_is_what_binds() -> None:
    found = largest_phi(lambda phi: architecture_at(phi, rule="tinynet"), Budget(macs="900M"))
    assert found.candidate.architecture.phi == 0
    assert found.bound_by.startswith("nothing: the tinynet rule is for phi <= 0")


def test_memory_of_this_machine_is_what_binds_at_last() -> None:
    found = largest_phi(lambda phi: architecture_at(phi, memory=100_000_000), Budget(macs=10**15))
    assert "needs 0.1 GB" in found.bound_by


@pytest.mark.parametrize(
    ("budget", "error", "said"),
    [
        (Budget(), UsageError, "nothing limits"),
        (Budget(latency="20ms"), UsageError, "device"),
        (Budget(macs="1M"), BudgetError, "the smallest, lite phi=-14"),
    ],
)
def test_what_cannot_be_answered_is_said(budget: Budget, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        largest_phi(lite, budget)


def test_scale_finds_phi_for_a_budget(run: Run) -> None:
    limits = ("scale", "--device", "rpi4", "--max-latency", "20ms", "--max-memory", "1.2MB")
    rows = json.loads(run(*limits, "--json").stdout)
    assert len(rows) == 1
    assert rows[0]["phi"] < 0 < rows[0]["latency"]["mean_ms"] < 20
    assert rows[0]["activation_peak_bytes"] <= 1_200_000
    assert rows[0]["bound_by"].split(" (")[0] in {"memory", "latency", "latency, memory"}
    assert f"bound by {rows[0]['bound_by']}"[:60] in run(*limits).stdout
    assert next(csv.DictReader(run(*limits, "--csv").stdout.splitlines()))["bound_by"] == rows[0]["bound_by"]
