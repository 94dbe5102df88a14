"""The family beside the paper's figures, and how long counting takes.

    python benchmarks/family.py [--tolerance 7]

For each official variant: trainable parameters and multiply-adds as counted here, the figure its
authors print, and the difference in percent; then the milliseconds to count B7. Exits with 1 where a
difference is beyond the tolerance.
"""

from __future__ import annotations

import argparse
import sys
import time

from edgeffnet import cost, scale_table, scaling

REPEATS = 20


def milliseconds(name: str) -> list[float]:
    """What `REPEATS` counts of an official variant took, sorted; the Architecture is made anew each time."""
    taken = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        cost.total(scaling.official(name))
        taken.append((time.perf_counter() - started) * 1e3)
    return sorted(taken)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tolerance", type=float, default=7.0, metavar="PERCENT")
    tolerance = parser.parse_args().tolerance
    print(f"{'':6}{'parameters':>12}{'printed':>9}{'differ':>8}{'MACs':>16}{'printed':>9}{'differ':>8}")
    largest = 0.0
    for row in scale_table.rows(scaling.official(name) for name in scaling.VARIANTS):
        differences = []
        print(f"{row.name:6}", end="")
        pairs = ((row.parameters, row.published_parameters, 12), (row.macs, row.published_macs, 16))
        for ours, published, width in pairs:
            assert published is not None
            differences.append(100 * (ours / published - 1))
            print(f"{ours:>{width},}{published / 1e6:>8g}M{differences[-1]:>+7.1f}%", end="")
        print()
        largest = max(largest, *map(abs, differences))
    met = largest <= tolerance
    print(f"largest difference {largest:.1f}%, bar {tolerance:g}%: {'met' if met else 'missed'}")
    taken = milliseconds("b7")
    print(f"counting B7 ({len(cost.operators(scaling.official('b7')))} operators): median {taken[REPEATS // 2]:.1f} ms")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
