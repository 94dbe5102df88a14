"""The search for alpha, beta and gamma under the latency measured here, against measuring its answers again.

    python -m benchmarks.grid_local [--factor 2] [--most 6] [--rounds 3] [--arch efficientnet] [--resolution 128]

The search looks at each candidate once. Here each is timed again, with the base in turns, in rounds that go over all of
them; a candidate's factor is the median over the rounds. Exits with 1 where one is further than 10% from the factor
asked for.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from contextlib import closing
from statistics import median

from edgeffnet.bases import family_named
from edgeffnet.grid.candidates import Network
from edgeffnet.grid.costs import MeasuredLatency
from edgeffnet.grid.search import search
from edgeffnet.grid.triples import Constraint
from edgeffnet.report.quiet import quiet
from edgeffnet.rules import Coefficients
from edgeffnet.targets.local import LocalTarget

WITHIN = 0.10


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--factor", type=float, default=2.0)
    parser.add_argument("--most", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--arch", default="efficientnet")
    parser.add_argument("--resolution", type=int, default=128)
    chosen = parser.parse_args(arguments)
    network = Network(family_named(chosen.arch), Coefficients(1.0, 1.0, chosen.resolution))
    constraint = Constraint(chosen.factor, most=chosen.most)
    with quiet(), closing(LocalTarget()) as here:
        latency = MeasuredLatency(here, 1)
        ranking = search(network=network, constraint=constraint, latency=latency)
        found = [one.candidate for one in ranking.candidates]
        again: dict[str, list[float]] = {str(one.triple): [] for one in found}
        for _ in range(chosen.rounds):
            for one in found:
                again[str(one.triple)].append(MeasuredLatency(here, 1).factor(one.architecture, network.at(None)))
    worst = 0.0
    for one in found:
        factors = again[str(one.triple)]
        off = median(factors) / chosen.factor - 1
        worst = max(worst, abs(off))
        rounds = ", ".join(f"{factor:.2f}" for factor in factors)
        print(f"{one.triple}: {one.factor:.2f} when searched, again {median(factors):.2f} ({rounds}), {off:+.1%}")
    passed = worst <= WITHIN
    print(
        f"{'pass' if passed else 'MISS'}  {len(found)} candidates within {worst:.1%} of {chosen.factor:g} times the "
        f"latency, measured again; at most {WITHIN:.0%}"
    )
    return int(not passed)


if __name__ == "__main__":
    sys.exit(main())
