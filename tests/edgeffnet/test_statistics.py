"""Intervals against a known library and by simulation."""

import numpy as np
import pytest
from scipy import stats

from edgeffnet.statistics import paired_difference, share


@pytest.mark.parametrize(("successes", "trials"), [(0, 10), (3, 10), (97, 100), (1076, 1300), (50, 50)])
def test_share_is_wilsons_interval(successes: int, trials: int) -> None:
    expected = stats.binomtest(successes, trials).proportion_ci(0.95, method="wilson")
    found = share(successes, trials)
    assert found.low == pytest.approx(expected.low, abs=1e-6)
    assert found.high == pytest.approx(expected.high, abs=1e-6)


def test_paired_difference_is_centred_on_lost_minus_gained() -> None:
    found = paired_difference(30, 10, 1000)
    assert found.value == pytest.approx(0.02)
    assert found.low < 0.02 < found.high
    mirrored = paired_difference(10, 30, 1000)
    assert (mirrored.low, mirrored.high) == pytest.approx((-found.high, -found.low))


def test_paired_difference_covers_the_truth_as_often_as_it_says() -> None:
    generator = np.random.default_rng(0)
    lost, gained, trials = 0.012, 0.006, 1300
    counts = generator.multinomial(trials, [lost, gained, 1 - lost - gained], size=4000)
    inside = [
        found.low <= lost - gained <= found.high for found in (paired_difference(b, c, trials) for b, c, _ in counts)
    ]
    assert 0.935 <= np.mean(inside) <= 0.985
