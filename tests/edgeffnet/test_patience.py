"""Timings that others disturbed are taken again, as often as there is patience for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from edgeffnet.patience import Patience


def machine_with(*foreign: float | None) -> tuple[Callable[[], tuple[int, dict[str, Any]]], list[int]]:
    """Timings that number themselves, the machine used by others as listed, one after another."""
    taken: list[int] = []

    def measure() -> tuple[int, dict[str, Any]]:
        taken.append(len(taken))
        return taken[-1], {"during": {"foreign_cores": foreign[taken[-1]]}}

    return measure, taken


@pytest.mark.parametrize(
    ("foreign", "kept", "times", "disturbed"),
    [
        ((0.0,), 0, 1, 0),
        ((None,), 0, 1, 0),
        ((1.0, 0.5, 0.02), 2, 3, 0),
        ((1.0, 0.4, 0.9, 0.8), 1, 4, 1),
    ],
    ids=["idle", "not told", "idle at last", "never idle: the least disturbed"],
)
def test_the_first_undisturbed_timing_counts(
    foreign: tuple[float | None, ...], kept: int, times: int, disturbed: int
) -> None:
    measure, taken = machine_with(*foreign)
    patience = Patience(3, pause_seconds=0)
    assert patience.timed(measure) == kept
    assert len(taken) == times
    assert patience.disturbed == disturbed


def test_a_machine_that_is_never_idle_uses_the_patience_up_once() -> None:
    patience = Patience(4, pause_seconds=0)
    taken_each = []
    for _ in range(3):
        measure, taken = machine_with(1.0, 1.0, 1.0, 1.0, 1.0)
        patience.timed(measure)
        taken_each.append(len(taken))
    assert taken_each == [4, 2, 1]
    assert patience.disturbed == 3
