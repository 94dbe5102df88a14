"""A histogram -> the range its 8-bit grid should span. Each function is one published method.

Errors are sums over the histogram of squared differences between a value and its place on the
grid: a twelfth of a squared step inside the range, the distance to it outside. Exact zeros are on
every grid and cost nothing, which is why histograms count them apart.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from calib.calibration import Range
from calib.histograms import Histogram

STEPS = 255
_SHRINKAGE = np.concatenate([np.geomspace(0.02, 0.5, 24, endpoint=False), np.linspace(0.5, 1.0, 41)])


def min_max(low: float, high: float) -> Range:
    """Everything seen: Jacob et al. 2018 (arXiv:1712.05877), section 3."""
    return Range(min(low, 0.0), max(high, 0.0))


def percentile(histogram: Histogram, low: float, high: float, share: float = 0.9999) -> Range:
    """The middle `share` of the values (McKinstry et al. 2018, arXiv:1809.04191)."""
    total = int(histogram.counts.sum()) + histogram.zeros
    if not len(histogram.counts):
        return min_max(low, high)
    outside = (1 - share) / 2 * total
    below = np.cumsum(histogram.counts)
    above = np.cumsum(histogram.counts[::-1])[::-1]
    edges = histogram.edges
    cut_low = float(edges[int(np.searchsorted(below, outside, side="right"))]) if low < 0 else 0.0
    kept = np.flatnonzero(above > outside)
    cut_high = float(edges[kept[-1] + 1]) if len(kept) else high
    return Range(float(np.clip(cut_low, low, 0.0)), float(np.clip(cut_high, 0.0, max(high, 0.0))))


def error(histogram: Histogram, low: NDArray[np.float64], high: NDArray[np.float64]) -> NDArray[np.float64]:
    """The squared error of each range (low[i], high[i]), summed over the histogram's values."""
    counts = histogram.counts.astype(np.float64)
    centres, edges = histogram.centres, histogram.edges
    mass, first, second = (np.concatenate([[0.0], np.cumsum(counts * centres**power)]) for power in range(3))
    below, above = (np.clip(np.searchsorted(edges, cut), 0, len(counts)) for cut in (low, high))
    step = (high - low) / STEPS
    inside = (mass[above] - mass[below]).clip(0) * step**2 / 12
    under = second[below] - 2 * low * first[below] + low**2 * mass[below]
    over = (second[-1] - second[above]) - 2 * high * (first[-1] - first[above]) + high**2 * (mass[-1] - mass[above])
    return np.asarray(inside + under.clip(0) + over.clip(0))


def mse(histogram: Histogram, low: float, high: float) -> Range:
    """The range of least squared error, searched over both ends (Nagel et al. 2021, arXiv:2106.08295)."""
    low, high = min(low, 0.0), max(high, 0.0)
    if not len(histogram.counts) or low == high:
        return Range(low, high)
    lows = low * (_SHRINKAGE if low < 0 else np.ones(1))
    highs = high * (_SHRINKAGE if high > 0 else np.ones(1))
    every_low, every_high = (grid.reshape(-1) for grid in np.meshgrid(lows, highs, indexing="ij"))
    # Of equals the widest is taken: argmin finds the first, so the widest come first.
    best = int(np.argmin(error(histogram, every_low[::-1], every_high[::-1])))
    return Range(float(every_low[::-1][best]), float(every_high[::-1][best]))


def entropy(histogram: Histogram, low: float, high: float) -> Range:
    """The range whose 8-bit histogram diverges least from the whole one (Migacz 2017, TensorRT)."""
    low, high = min(low, 0.0), max(high, 0.0)
    total = histogram.counts.sum()
    if not total or low == high:
        return Range(low, high)
    # Each end by itself: a lone outlier on one side must not cost the other its values.
    high = _least(lambda share: Range(low, high * share), histogram).high if high > 0 else high
    return _least(lambda share: Range(low * share, high), histogram) if low < 0 else Range(low, high)


def _least(candidate: Callable[[float], Range], histogram: Histogram) -> Range:
    """The candidate of least divergence over all shares, the widest of equals."""
    best = (np.inf, candidate(1.0))
    for share in _SHRINKAGE[::-1]:
        divergence = _divergence(histogram, candidate(float(share)))
        if divergence < best[0] - 1e-12:
            best = (divergence, candidate(float(share)))
    return best[1]


def _divergence(histogram: Histogram, found: Range) -> float:
    """Kullback-Leibler divergence of the values rounded to `found`'s grid from the values clipped to it."""
    centres = histogram.centres
    inside = (centres >= found.low) & (centres <= found.high)
    if not inside.any():
        return np.inf
    reference = histogram.counts[inside].astype(np.float64)
    kept = reference.copy()
    reference[0] += histogram.counts[centres < found.low].sum()
    reference[-1] += histogram.counts[centres > found.high].sum()
    step = (found.high - found.low) / STEPS
    level = np.round((centres[inside] - found.low) / step).astype(np.int64)
    filled = kept > 0
    mass = np.bincount(level, kept, STEPS + 1)
    width = np.bincount(level[filled], minlength=STEPS + 1)
    spread = np.where(filled, mass[level] / np.maximum(width[level], 1), 0.0)
    reference, spread = reference / reference.sum(), spread / max(spread.sum(), 1e-300)
    seen = reference > 0
    return float((reference[seen] * np.log(reference[seen] / np.maximum(spread[seen], 1e-12))).sum())
