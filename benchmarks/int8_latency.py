"""What our int8 artefacts take beside the peers' on this machine, one thread, timed in turns.

    python -m benchmarks.int8_latency --data DATA

Ours and the peer's have short turns, each first as often as the other; a ratio is that of the two medians
of one pair of turns. What is printed is the median ratio with its quartiles, and the median of each time
both were loaded anew: where a network comes to lie moves its time as well. Exits with 1 when a bar is missed.
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
from benchmarks.methods import METHODS, Artefact
from benchmarks.running import One, runner

TURN_SECONDS = 0.1

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
    parser.add_argument("--pairs", type=int, default=60, help="of turns, each time both are loaded")
    parser.add_argument("--loads", type=int, default=5)
    parser.add_argument("--images", type=int, default=32, help="calibration images: they do not move latency")
    chosen = parser.parse_args(arguments)
    missed = 0
    for name in chosen.models:
        subject = subjects.load_subject(name, chosen.data, "a")
        drawn = subject.draw(0, chosen.images)
        wanted = dict.fromkeys(method for ours, peer, _ in PAIRS for method in (peer, ours))
        artefacts = {method: METHODS[method](subject, drawn) for method in wanted}
        for ours, peer, bar in PAIRS:
            loads = [_pairs(artefacts[ours], artefacts[peer], drawn[:1], chosen.pairs) for _ in range(chosen.loads)]
            by_load = [median(one / other for one, other in load) for load in loads]
            ratios = [one / other for load in loads for one, other in load]
            value, (low, _, high) = median(ratios), quantiles(ratios, n=4)
            missed += value > bar
            figures = f"{value:.3f} ({low:.3f} to {high:.3f}), at most {bar:g}"
            each = " ".join(f"{ratio:.3f}" for ratio in by_load)
            milliseconds = median(one for load in loads for one, _ in load)
            print(
                f"{'pass' if value <= bar else 'MISS'}  {name}  {ours} / {peer}: {figures}; by load {each}; "
                f"{milliseconds:.2f} ms",
                flush=True,
            )
    return int(missed > 0)


def _pairs(ours: Artefact, peer: Artefact, image: NDArray[np.float32], count: int) -> list[tuple[float, float]]:
    """Milliseconds of one inference in each of `count` pairs of turns, both loaded anew."""
    mine, other = runner(ours), runner(peer)
    _turn(mine, image), _turn(other, image)
    made = []
    for index in range(count):
        if index % 2:
            theirs = _turn(other, image)
            made.append((_turn(mine, image), theirs))
        else:
            made.append((_turn(mine, image), _turn(other, image)))
    return made


def _turn(one: One, image: NDArray[np.float32]) -> float:
    """The median of one turn, in milliseconds."""
    found: list[float] = []
    end = time.perf_counter() + TURN_SECONDS
    while time.perf_counter() < end:
        start = time.perf_counter()
        one(image)
        found.append(time.perf_counter() - start)
    return median(found) * 1e3


if __name__ == "__main__":
    sys.exit(main())
