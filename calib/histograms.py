"""Histograms that grow with what they see and do not depend on the order they see it in.

Bins are [n w, (n + 1) w) with w a power of two, so that doubling the width merges neighbours
exactly: the same values give the same counts in any order and any split between workers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Bins on either side of zero. At 8 bits a step is then at least eight bins wide.
BINS = 2048


@dataclass(frozen=True)
class Histogram:
    """`counts` of the bins from `first * width` up, int64; `zeros` values exactly 0 lie apart."""

    counts: NDArray[np.int64]
    first: int
    width: float
    zeros: int

    @property
    def centres(self) -> NDArray[np.float64]:
        """The middle of each bin, in the tensor's unit."""
        return np.asarray((self.first + np.arange(len(self.counts)) + 0.5) * self.width, np.float64)

    @property
    def edges(self) -> NDArray[np.float64]:
        """The lower edge of each bin and the upper edge of the last."""
        return np.asarray((self.first + np.arange(len(self.counts) + 1)) * self.width, np.float64)


EMPTY = Histogram(np.zeros(0, np.int64), 0, 2.0**-60, 0)


def of(values: NDArray[np.float32], weights: NDArray[np.int64] | None = None) -> Histogram:
    """The histogram of `values`, each counted once or as often as its weight says."""
    flat = values.reshape(-1)
    if not flat.size:
        return EMPTY
    nonzero = flat != 0
    zeros = int((~nonzero).sum() if weights is None else weights.reshape(-1)[~nonzero].sum())
    if weights is not None:
        weights = weights.reshape(-1)[nonzero]
    flat = flat[nonzero]
    if not flat.size:
        return Histogram(EMPTY.counts, 0, EMPTY.width, zeros)
    width = _width(max(-float(flat.min()), float(flat.max())))
    bins = np.floor(flat * np.float32(1 / width)).astype(np.int64)
    first = int(bins.min())
    counts = np.bincount(bins - first, weights)
    return Histogram(counts.astype(np.int64), first, width, zeros)


def merge(one: Histogram, other: Histogram) -> Histogram:
    """The histogram of both sets of values."""
    zeros = one.zeros + other.zeros
    if not len(one.counts) or not len(other.counts):
        kept = one if len(one.counts) else other
        return Histogram(kept.counts, kept.first, kept.width, zeros)
    width = max(one.width, other.width)
    one, other = _widen(one, width), _widen(other, width)
    first = min(one.first, other.first)
    last = max(one.first + len(one.counts), other.first + len(other.counts))
    counts = np.zeros(last - first, np.int64)
    for part in (one, other):
        counts[part.first - first : part.first - first + len(part.counts)] += part.counts
    return Histogram(counts, first, width, zeros)


def _width(magnitude: float) -> float:
    """The smallest power of two with which `BINS` bins reach past `magnitude`."""
    _, exponent = np.frexp(magnitude / BINS)
    return float(2.0 ** max(int(exponent), -100))


def _widen(histogram: Histogram, width: float) -> Histogram:
    if width == histogram.width:
        return histogram
    factor = round(width / histogram.width)
    bins = (histogram.first + np.arange(len(histogram.counts))) // factor
    first = int(bins[0])
    counts = np.zeros(int(bins[-1]) - first + 1, np.int64)
    np.add.at(counts, bins - first, histogram.counts)
    return Histogram(counts, first, width, histogram.zeros)
