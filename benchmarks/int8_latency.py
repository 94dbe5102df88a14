"""What our int8 artefacts take beside the peers' on this machine, one thread, timed in turns.

    python -m benchmarks.int8_latency --data DATA

Every round runs each artefact a few times; a ratio is that of two medians of one round, and what is
printed is the median ratio over the rounds with its quartiles. Exits with 1 when a bar is missed.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median, quantiles

import numpy as np
from numpy.typing import NDArray

from benchmarks import subjects
from benchmarks.methods import METHODS
from benchmarks.running import One, runner
from benchmarks.subjects import Subject

INFERENCES = 15

# Ours, the peer, and the largest ratio allowed.
PAIRS = (
    ("ours fast", "TFLite converter", 1.1),
    ("ours default", "TFLite converter", 1.1),
    ("ours best", "TFLite converter", 1.1),
    ("ours, OpenVINO", "NNCF default", 1.0),
)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with imagenet/ and imagenette_b0/")
    parser.add_argument("--models", nargs="+", default=subjects.MODELS, choices=subjects.MODELS)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--images", type=int, default=32, help="calibration images: they do not move latency")
    chosen = parser.parse_args(arguments)
    missed = 0
    for name in chosen.models:
        times = _times(subjects.load_subject(name, chosen.data, "a"), chosen.images, chosen.rounds)
        for ours, peer, bar in PAIRS:
            ratios = [one / other for one, other in zip(times[ours], times[peer], strict=True)]
            value, (low, _, high) = median(ratios), quantiles(ratios, n=4)
            missed += value > bar
            figures = f"{value:.3f} ({low:.3f} to {high:.3f}), at most {bar:g}; {median(times[ours]):.2f} ms"
            print(f"{'pass' if value <= bar else 'MISS'}  {name}  {ours} / {peer}: {figures}", flush=True)
    return int(missed > 0)


def _times(subject: Subject, images: int, rounds: int) -> dict[str, list[float]]:
    """Milliseconds of one inference by method: the median of each round."""
    drawn = subject.draw(0, images)
    wanted = dict.fromkeys(name for ours, peer, _ in PAIRS for name in (peer, ours))
    runners = {name: runner(METHODS[name](subject, drawn)) for name in wanted}
    for one in runners.values():
        _round(one, drawn[:1])
    made: dict[str, list[float]] = {name: [] for name in runners}
    for _ in range(rounds):
        for name, one in runners.items():
            made[name].append(_round(one, drawn[:1]))
    return made


def _round(one: One, image: NDArray[np.float32]) -> float:
    found = []
    for _ in range(INFERENCES):
        start = time.perf_counter()
        one(image)
        found.append(time.perf_counter() - start)
    return median(found) * 1e3


if __name__ == "__main__":
    sys.exit(main())
