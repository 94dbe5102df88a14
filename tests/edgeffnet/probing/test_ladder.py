"""The search by probes, against brute force on devices that are as the belief says, and on some that are not."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median

import numpy as np
import pytest

from edgeffnet.probing.belief import FITTED, FROM_HARDWARE, Belief, Doubt
from edgeffnet.probing.ladder import Found, largest

EXPECTED = [1.0 * 1.3**step for step in range(9)]


@dataclass(frozen=True)
class Timed:
    ms: float
    limit: float

    @property
    def fits(self) -> bool:
        return self.ms <= self.limit


def search(truth: list[float], limit: float, doubt: Doubt, expected: list[float] | None = None) -> Found[Timed]:
    belief = Belief(expected or EXPECTED, doubt)
    return largest(len(truth), limit, belief, lambda index, _: Timed(truth[index], limit))


def device(doubt: Doubt, seed: int) -> list[float]:
    """Latencies of a device drawn as `doubt` says devices are."""
    random = np.random.default_rng(seed)
    logs = np.log(EXPECTED)
    lean = logs - logs.mean()
    scale, tilt = random.normal(0, doubt.scale), random.normal(0, doubt.tilt)
    return list(np.exp(logs + scale + tilt * lean + random.normal(0, doubt.each, len(logs))))


@pytest.mark.parametrize("doubt", [FITTED, FROM_HARDWARE], ids=["with a profile", "from the hardware"])
def test_it_finds_what_brute_force_finds_with_few_probes(doubt: Doubt) -> None:
    random = np.random.default_rng(7)
    taken, missed = [], 0
    for seed in range(200):
        truth = device(doubt, seed)
        limit = float(random.uniform(min(truth), max(truth)))
        found = search(truth, limit, doubt)
        assert found.answer is not None and truth[found.answer] <= limit, "what is chosen was measured to fit"
        best = max(index for index, ms in enumerate(truth) if ms <= limit)
        near = min(abs(ms / limit - 1) for ms in truth) < 0.03
        missed += found.answer != best and not near
        taken.append(len(found.probes))
    assert missed <= 2
    assert sum(probes > 3 for probes in taken) <= 2, "only a device two deviations off takes more"
    assert median(taken) <= 2


def test_a_device_far_from_what_was_expected_takes_more_probes_and_the_answer_is_right() -> None:
    truth = [ms * 12 for ms in EXPECTED]
    found = search(truth, 40.0, FROM_HARDWARE)
    assert found.answer == 4
    assert len(found.probes) <= 4


def test_where_nothing_fits_the_smallest_was_measured() -> None:
    found = search(EXPECTED, 0.5, FITTED)
    assert found.answer is None
    assert 0 in found.probes


def test_where_all_fit_the_largest_was_measured() -> None:
    found = search(EXPECTED, 100.0, FITTED)
    assert found.answer == len(EXPECTED) - 1
    assert set(found.probes) == {len(EXPECTED) - 1}


def test_a_larger_network_that_seems_faster_has_both_measured_again() -> None:
    noisy = {(4, 1): 2.0}  # the first time candidate 4 is measured, something else was running
    asked: dict[int, int] = {}
    limit = EXPECTED[4] * 1.02

    def measure(index: int, thoroughly: bool) -> Timed:
        asked[index] = asked.get(index, 0) + 1
        assert thoroughly == (asked[index] > 1)
        return Timed(EXPECTED[index] * noisy.get((index, asked[index]), 1.0), limit)

    belief = Belief([0.75 * ms for ms in EXPECTED], Doubt(scale=0.5, tilt=0.05, each=0.1))
    found = largest(len(EXPECTED), limit, belief, measure)
    assert sorted(found.again) == [4, 5] and asked[4] == asked[5] == 2
    assert found.answer == 4
    assert found.contradictions == []


def test_a_contradiction_that_stays_is_told_and_the_larger_fits() -> None:
    truth = [*EXPECTED[:4], EXPECTED[5] * 1.1, *EXPECTED[5:]]
    expected = [1.2 * 1.3**step for step in range(len(truth))]
    limit = EXPECTED[5] * 1.05
    found = search(truth, limit, Doubt(scale=0.2, tilt=0.05, each=0.3), expected)
    assert found.answer == 5
    assert found.contradictions == [(4, 5)] and sorted(found.again) == [4, 5]


def test_each_probe_makes_the_belief_surer_of_its_neighbours_than_of_far_ones() -> None:
    belief = Belief(EXPECTED, FROM_HARDWARE)
    before = belief.at(3)[1]
    belief.learn(2, EXPECTED[2] * 5)
    ms, deviation = belief.at(3)
    assert ms == pytest.approx(EXPECTED[3] * 5, rel=0.05)
    assert deviation < before / 10
    assert deviation < belief.at(8)[1]
    assert belief.at(2)[0] == pytest.approx(EXPECTED[2] * 5, rel=0.005)
