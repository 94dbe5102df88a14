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


def paced(*paces: tuple[float, float]) -> Callable[[], tuple[int, dict[str, Any]]]:
    """Timings on an idle machine whose fixed calculation took at least, and in the median, so many milliseconds."""
    left = list(enumerate(paces))

    def measure() -> tuple[int, dict[str, Any]]:
        number, (fastest, median) = left.pop(0)
        return number, {"during": {"foreign_cores": 0.0, "pace_ms": [fastest, median]}}

    return measure


@pytest.mark.parametrize(
    ("paces", "kept"),
    [
        ([(1.0, 1.02)], 0),
        ([(1.0, 1.4), (1.0, 1.03)], 1),
        ([(1.5, 1.5)], 0),
        ([(1.5, 1.8), (1.0, 1.0)], 1),
        ([(1.0, 1.4), (1.0, 1.2), (1.0, 1.3), (1.0, 1.25)], 1),
    ],
    ids=["even", "slowed at first", "slow is all that is known", "faster later", "never fast: the least slowed"],
)
def test_a_timing_while_the_machine_was_slower_than_it_can_be_is_taken_again(
    paces: list[tuple[float, float]], kept: int
) -> None:
    assert Patience(3, pause_seconds=0).timed(paced(*paces)) == kept


def test_what_the_machine_can_do_is_remembered_over_timings() -> None:
    patience = Patience(3, pause_seconds=0)
    assert patience.timed(paced((1.0, 1.0))) == 0
    assert patience.timed(paced((1.5, 1.5), (1.0, 1.01))) == 1


def test_what_is_good_enough_although_it_was_disturbed_is_not_taken_again() -> None:
    measure, taken = machine_with(1.0, 1.0, 1.0, 1.0)
    assert Patience(3, pause_seconds=0).timed(measure, lambda number: number >= 1) == 1
    assert len(taken) == 2
