"""The search by probes on this machine, against brute force over a ladder of phi.

    python benchmarks/search_local.py [--threads 1] [--profile desk.toml] [--budgets 20] [--seed 0]

Brute force times every candidate by the whole protocol, in rounds before, between and after the searches; a
candidate's p90 is the median of its rounds. Budgets are drawn between the fastest and the slowest. Each search
begins without knowledge of the others: stand-ins are kept, measurements are not. Without --profile it starts
from the hardware alone.

A virtual machine's speed changes while all this is measured. With --steady both, brute force and the search, time
everything in turns with a network that is not of the ladder, and latencies are those at the speed of the first timing.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.steady import SteadyTarget
from converters.artifact import Artifact
from edgeffnet import stand_ins
from edgeffnet.architecture import Architecture
from edgeffnet.budget import Budget
from edgeffnet.calibration_images import Selection
from edgeffnet.images import Pixels, Preprocessing
from edgeffnet.patience import Patience
from edgeffnet.probing.search import manner_of, probe_candidates
from edgeffnet.report.progress import Steps
from edgeffnet.report.quiet import quiet
from edgeffnet.request import Request, request
from edgeffnet.targets.local import LocalTarget
from edgeffnet.timing import latencies
from edgeffnet.wanted import NetworkOptions, Wanted, candidates

# A machine's speed drifts within minutes: brute force looks again after so many searches.
_SEARCHES_PER_ROUND = 4
PHIS = (-2.0, -1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0)
NEAR, NEAR_AT_MOST, PROBES_AT_MOST, MEDIAN_AT_MOST = 0.03, 4, 3, 2


def ladder() -> tuple[Wanted, ...]:
    """One network for each phi, largest first."""
    options = [NetworkOptions(phi=phi, weights="random") for phi in sorted(PHIS, reverse=True)]
    return tuple(candidates(option, seed=0)[0] for option in options)


def asked(device: str, threads: int, limit: float) -> Request:
    made = request(
        device=device,
        budget=Budget(latency=limit),
        networks=NetworkOptions(phi=0.0, weights="random"),
        calib=None,
        val=None,
        io="uint8",
        recipe="default",
        granularity="channel",
        full_integer=False,
        selection=Selection(),
        allow_overlap=False,
        threads=threads,
        percentile=90,
        formats=("tflite",),
        output=Path("unused"),
        seed=0,
        target="local",
    )
    return replace(made, wanted=ladder())


class BruteForce:
    """The p90 of every candidate, a round of measurements at a time."""

    def __init__(self, wanted: tuple[Wanted, ...], target: LocalTarget, threads: int) -> None:
        self.wanted = wanted
        self.target = target
        self.threads = threads
        # Its rounds are its repeats.
        self.patience = Patience(0)
        self.rounds: dict[str, list[float]] = {one.architecture.name: [] for one in wanted}

    def round(self) -> None:
        for one in self.wanted:
            net: Architecture = one.architecture
            manner = manner_of(asked("local", self.threads, 1.0), one)
            artifact = stand_ins.make(net, manner)["int8"]
            preprocessing, image = stand_ins.contract(net, manner)
            self.rounds[net.name].append(self._p90(artifact, preprocessing, image))

    def _p90(self, artifact: Artifact, preprocessing: Preprocessing, image: Pixels) -> float:
        found = self.patience.timed(
            lambda: latencies(
                [artifact],
                self.target,
                preprocessing,
                image,
                threads=self.threads,
                percentile=90,
                seconds=3.0,
                pace_ms=self.patience.pace_ms,
            )
        )
        return found[artifact].value_ms

    def p90(self) -> dict[str, float]:
        return {name: median(values) for name, values in self.rounds.items()}


def machine(steady: bool, folder: Path) -> LocalTarget:
    """This machine, or with its speed corrected by a network between two of the ladder."""
    if not steady:
        return LocalTarget()
    between = candidates(NetworkOptions(phi=0.25, weights="random"), seed=0)[0]
    manner = manner_of(asked("local", 1, 1.0), between)
    _, image = stand_ins.contract(between.architecture, manner)
    return SteadyTarget(stand_ins.make(between.architecture, manner)["int8"], image, folder)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--profile", default="local", help="a profile of this machine to propose from")
    parser.add_argument("--budgets", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steady", action="store_true", help="correct the machine's speed by a yardstick")
    options = parser.parse_args()
    start = time.perf_counter()
    wanted = ladder()
    with tempfile.TemporaryDirectory() as folder, quiet(), closing(machine(options.steady, Path(folder))) as here:
        brute = BruteForce(wanted, here, options.threads)
        brute.round()
        first = brute.p90()
        limits = np.random.default_rng(options.seed).uniform(min(first.values()), max(first.values()), options.budgets)
        searches, repeated, disturbed = [], 0, 0
        for number, limit in enumerate(limits):
            patience = Patience(pace_ms=brute.patience.pace_ms)
            allowed = patience.left
            request = asked(options.profile, options.threads, float(limit))
            searches.append(probe_candidates(request, wanted, here, Steps(), patience))
            repeated += allowed - patience.left
            disturbed += patience.disturbed
            if (number + 1) % _SEARCHES_PER_ROUND == 0:
                brute.round()
    truth = brute.p90()
    names = [one.architecture.name for one in reversed(wanted)]
    for name in names:
        rounds = ", ".join(f"{ms:.2f}" for ms in brute.rounds[name])
        print(f"{name:16} p90 {truth[name]:7.2f} ms  (rounds {rounds})")
    wrong = near = 0
    taken = []
    for limit, found in zip(limits, searches, strict=True):
        best = max((index for index, name in enumerate(names) if truth[name] <= limit), default=-1)
        answer = max((index for index, name in enumerate(names) if name in found.worth_making), default=-1)
        closest = min(abs(truth[name] / limit - 1) for name in names)
        excused = closest <= NEAR
        near += answer != best and excused
        wrong += answer != best and not excused
        taken.append(len(found.probes))
        verdict = "as brute force" if answer == best else "within 3%" if excused else "WRONG"
        trail = ", ".join(f"{one.architecture.phi:g}: {one.ms:.2f}" for one in found.probes)
        chosen = names[answer] if answer >= 0 else "none"
        print(f"budget {limit:6.2f} ms  {chosen:16} {verdict:15} {taken[-1]} probes ({trail})")
    print(
        f"of the probes' timings {repeated} were taken again and {disturbed} stayed disturbed; of brute force's "
        f"{brute.patience.disturbed} of {len(names) * len(brute.rounds[names[0]])} did"
    )
    if isinstance(here, SteadyTarget):
        print(here.said)
    passed = wrong == 0 and near <= NEAR_AT_MOST and max(taken) <= PROBES_AT_MOST and median(taken) <= MEDIAN_AT_MOST
    print(
        f"\n{len(limits)} budgets, {options.threads} thread(s), in {time.perf_counter() - start:.0f} s: {wrong} wrong "
        f"(bar 0), {near} otherwise within {NEAR:.0%} of a candidate (bar {NEAR_AT_MOST}), at most {max(taken)} probes "
        f"(bar {PROBES_AT_MOST}), median {median(taken):g} (bar {MEDIAN_AT_MOST}): " + ("PASS" if passed else "MISS")
    )
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
