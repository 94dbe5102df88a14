"""Histograms against direct counts, ranges against brute force."""

from __future__ import annotations

import numpy as np
import pytest

from calib import histograms, ranges
from calib.calibration import Range
from calib.choice import METHODS, of_activation
from calib.simulation import on_grid
from calib.statistics import Activation


def _values(seed: int = 0, count: int = 20000) -> np.ndarray:
    rng = np.random.default_rng(seed)
    values = rng.laplace(0.3, 1.0, count).astype(np.float32)
    values[: count // 10] = 0
    return values


def test_histogram_equals_a_direct_count() -> None:
    values = _values()
    found = histograms.of(values)
    nonzero = values[values != 0].astype(np.float64)
    direct, _ = np.histogram(nonzero, found.edges)
    assert found.zeros == 2000
    assert (found.counts == direct).all()


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 1, 0], [1, 2, 0]])
def test_merging_in_any_order_equals_the_histogram_of_all(order: list[int]) -> None:
    parts = [_values(0) * 0.01, _values(1) * 3, _values(2) * 100]
    merged = histograms.EMPTY
    for index in order:
        merged = histograms.merge(merged, histograms.of(parts[index]))
    whole = histograms.of(np.concatenate(parts))
    assert (merged.width, merged.first, merged.zeros) == (whole.width, whole.first, whole.zeros)
    assert (merged.counts == whole.counts).all()


def test_mse_range_is_as_good_as_brute_force_on_the_values() -> None:
    values = np.random.default_rng(0).standard_t(3, 20000).astype(np.float32)
    low, high = float(values.min()), float(values.max())
    found = ranges.mse(histograms.of(values), low, high)

    def cost(one: Range) -> float:
        return float(((on_grid(values, one) - values) ** 2).mean())

    shares = np.linspace(0.1, 1, 25)
    brute = min(cost(Range(low * a, high * b)) for a in shares for b in shares)
    assert cost(found) <= 1.02 * brute


def test_mse_cuts_an_outlier_when_enough_values_gain_by_it() -> None:
    # One value at 20 costs (20 - 4)^2 when cut; kept, it costs a million values 24^2 / 255^2 / 12 each.
    values = np.append(np.random.default_rng(4).normal(size=1_000_000), 20.0).astype(np.float32)
    assert ranges.mse(histograms.of(values), float(values.min()), 20.0).high < 10
    few = np.append(values[:10_000], np.float32(20.0))
    assert ranges.mse(histograms.of(few), float(few.min()), 20.0).high > 18


def test_error_follows_the_rounding_it_stands_for() -> None:
    values = _values()
    held = histograms.of(values)
    for one in (Range(-2.0, 3.0), Range(-8.0, 9.0)):
        direct = float(((on_grid(values, one) - values) ** 2).sum())
        assert ranges.error(held, np.array([one.low]), np.array([one.high]))[0] == pytest.approx(direct, rel=0.05)


def test_percentile_cuts_the_share_it_names() -> None:
    values = np.random.default_rng(3).normal(size=200_000).astype(np.float32)
    found = ranges.percentile(histograms.of(values), float(values.min()), float(values.max()), 0.99)
    assert found.low == pytest.approx(np.quantile(values, 0.005), abs=0.01)
    assert found.high == pytest.approx(np.quantile(values, 0.995), abs=0.01)


def test_entropy_cuts_a_lone_outlier() -> None:
    values = np.append(np.random.default_rng(4).normal(size=100_000), 60.0).astype(np.float32)
    found = ranges.entropy(histograms.of(values), float(values.min()), 60.0)
    assert found.high < 30


def test_least_error_is_never_worse_than_any_method() -> None:
    values = _values(5)
    seen = Activation(values.min(keepdims=True), values.max(keepdims=True), -2.0, 3.0, histograms.of(values), None)
    errors = {}
    for method in METHODS:
        one = of_activation(seen, method)
        assert one.low <= 0 <= one.high
        errors[method] = float(ranges.error(seen.histogram, np.array([one.low]), np.array([one.high]))[0])
    assert errors["least error"] == min(errors.values())
