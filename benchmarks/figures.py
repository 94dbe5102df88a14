"""Figures of an int8 model beside its float model on the same images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.running import Outcome, Outputs
from edgeffnet.audit.paired import mcnemar

RESAMPLES = 2000


@dataclass(frozen=True)
class Figures:
    """Shares in 0..1, drops in points with a 95% paired bootstrap interval, `snr` of the logits in dB."""

    top1: float
    drop: float
    drop_low: float
    drop_high: float
    agreement: float
    worse: int
    better: int
    mcnemar_p: float
    snr: float
    ties: float
    milliseconds: float
    seconds: float


def compare(reference: Outcome, found: Outcome, labels: NDArray[np.int64], seconds: float) -> Figures:
    """Figures of `found`, judged by the output that ships; a tie agrees where the tied sets overlap."""
    right, was_right = _right(found.shipped, labels), _right(reference.shipped, labels)
    lost = was_right.astype(int) - right.astype(int)
    generator = np.random.default_rng(0)
    resampled = 100 * lost[generator.integers(0, len(lost), (RESAMPLES, len(lost)))].mean(axis=1)
    worse, better = int((lost > 0).sum()), int((lost < 0).sum())
    noise = ((reference.logits - found.logits).astype(np.float64) ** 2).sum()
    return Figures(
        top1=float(right.mean()),
        drop=float(100 * lost.mean()),
        drop_low=float(np.quantile(resampled, 0.025)),
        drop_high=float(np.quantile(resampled, 0.975)),
        agreement=float(agrees(reference.shipped, found.shipped).mean()),
        worse=worse,
        better=better,
        mcnemar_p=mcnemar(worse, better),
        snr=float(10 * np.log10((reference.logits.astype(np.float64) ** 2).sum() / max(noise, 1e-30))),
        ties=float((_top(found.shipped).sum(axis=1) > 1).mean()),
        milliseconds=found.milliseconds,
        seconds=seconds,
    )


def agrees(one: Outputs, other: Outputs) -> NDArray[np.bool_]:
    """Per image, whether the sets of top classes overlap."""
    return np.asarray((_top(one) & _top(other)).any(axis=1))


def _top(outputs: Outputs) -> NDArray[np.bool_]:
    return np.asarray(outputs == outputs.max(axis=1, keepdims=True))


def _right(outputs: Outputs, labels: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Right where the label is the first of the top classes, as argmax on a device says."""
    return np.asarray(outputs.argmax(axis=1) == labels)
