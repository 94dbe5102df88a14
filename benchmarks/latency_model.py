"""How well the shipped profiles predict networks they have not seen.

    python benchmarks/latency_model.py [--rows] [--sensitivity]

Every row is predicted by a fit that saw no row of its model, on the same device, runtime, version
and precision. The last table predicts rows of another runtime altogether: nothing was fitted to it. A dry run is timed.
Exits with 1 when a bar is missed.
"""

from __future__ import annotations

import argparse
import math
import subprocess
import sys
import time
from dataclasses import dataclass
from statistics import fmean, median

from edgeffnet.devices import Device, NoBasis, device_names, load
from edgeffnet.devices import fitting as fitting_module
from edgeffnet.devices.fitting import fit, predict
from edgeffnet.devices.latency import find_runtime
from edgeffnet.devices.leave_one_out import HeldOut, leave_one_model_out, score
from edgeffnet.devices.profile import LOCAL, Runtime
from edgeffnet.devices.reference_models import reference_model

COVERAGE = 0.9
DRY_RUN_SECONDS = 1.0
COVERED_AT_LEAST, HALF_WIDTH_AT_MOST = 0.85, 0.25


@dataclass(frozen=True)
class Bar:
    """The largest mean absolute error allowed for what `estimate` uses by default."""

    device: str
    threads: int
    error: float


BARS = (
    Bar("pixel4", 4, 0.08),
    Bar("rpi4", 1, 0.12),
    Bar("rpi4", 4, 0.18),
    Bar("rpi5", 1, 0.12),
    Bar("rpi5", 4, 0.18),
)


@dataclass(frozen=True)
class Group:
    """The held-out rows of one device, runtime, precision and thread count."""

    device: str
    runtime: str
    default: bool
    precision: str
    threads: int
    held_out: tuple[HeldOut, ...]

    @property
    def bar(self) -> float | None:
        bars = [bar.error for bar in BARS if (bar.device, bar.threads) == (self.device, self.threads)]
        return bars[0] if bars else None


def groups() -> list[Group]:
    """Every group of the shipped profiles, those `estimate` uses by default first."""
    found = []
    for name in device_names():
        if name == LOCAL:
            continue
        device = load(name)
        for runtime, precision in _fits(device):
            held_out = leave_one_model_out(device, runtime, precision, COVERAGE)
            for threads in sorted({item.row.threads for item in held_out}):
                part = tuple(item for item in held_out if item.row.threads == threads)
                default = find_runtime(device, "tflite", precision) == runtime
                found.append(Group(name, runtime.label, default, precision, threads, part))
    return sorted(found, key=lambda group: (not group.default, group.device, group.runtime, group.precision))


def missed(found: list[Group]) -> list[str]:
    """The bars that `found` does not meet, in words; empty when all are met."""
    failures = []
    for bar in BARS:
        for precision in ("fp32", "int8"):
            own = [
                group
                for group in found
                if (group.device, group.threads, group.precision) == (bar.device, bar.threads, precision)
            ]
            if not own:
                failures.append(f"{bar.device} {precision} {bar.threads} threads: no rows")
            for group in own:
                error = score(group.held_out).error
                if error > bar.error:
                    where = f"{group.device} {group.runtime} {precision} {bar.threads} threads"
                    failures.append(f"{where}: {error:.1%} > {bar.error:.0%}")
    overall = score(tuple(item for group in found for item in group.held_out))
    if overall.covered < COVERED_AT_LEAST:
        failures.append(f"intervals cover {overall.covered:.1%} < {COVERED_AT_LEAST:.0%}")
    if overall.half_width > HALF_WIDTH_AT_MOST:
        failures.append(f"median half-width {overall.half_width:.1%} > {HALF_WIDTH_AT_MOST:.0%}")
    return failures


def _fits(device: Device) -> list[tuple[Runtime, str]]:
    return [
        (runtime, precision)
        for runtime in device.runtimes
        if runtime.fitted
        for precision in ("fp32", "int8")
        if runtime.used(precision)
        and not isinstance(find_runtime(device, f"{runtime.name}@{runtime.version}", precision), NoBasis)
    ]


def print_groups(found: list[Group], rows: bool) -> None:
    print(f"{'device':8} {'runtime':34} {'prec':4} thr rows   error  cover  half   bar")
    for group in found:
        result = score(group.held_out)
        verdict = "" if group.bar is None else f"<={group.bar:.0%} {'PASS' if result.error <= group.bar else 'MISS'}"
        print(
            f"{group.device:8} {group.runtime:34} {group.precision:4} {group.threads:3} {result.rows:4} "
            f"{result.error:7.1%} {result.covered:6.0%} {result.half_width:5.0%}  {verdict}"
        )
        for item in group.held_out if rows else ():
            print(
                f"    {item.row.model:24} measured {item.row.ms:9.2f}  predicted {item.predicted_ms:9.2f} "
                f"[{item.low_ms:.2f}, {item.high_ms:.2f}]  {item.error:+.1%}"
            )


def print_other_runtime() -> None:
    """MobileNets under bare XNNPACK, from the TFLite fit of the same board: never fitted, smaller than any row."""
    device = load("rpi4")
    print("\nAnother runtime's rows (rpi4, XNNPACK end-to-end, 4 threads), from the tflite 2.18.0 fit:")
    for precision in ("fp32", "int8"):
        source, target = find_runtime(device, "tflite", precision), find_runtime(device, "xnnpack", precision)
        if isinstance(source, NoBasis) or isinstance(target, NoBasis):
            continue
        fitted = fit(device, source, precision)
        for row in target.used(precision):
            guess = predict(fitted, reference_model(row.model), row.threads).ms
            error = guess / row.ms - 1
            print(f"    {precision} {row.model:20} measured {row.ms:6.1f}  predicted {guess:6.1f}  {error:+.0%}")


def print_sensitivity() -> None:
    """The bars again with each prior half and twice as large: do the results hang on the constants?"""
    original = fitting_module.prior_prices
    print("\nMean error over all groups with a bar, when one expected price is off by a factor:")
    for index, feature in enumerate(fitting_module.FEATURES):
        errors = []
        for factor in (0.5, 2.0):
            fitting_module.prior_prices = lambda device, precision, i=index, f=factor: [
                price * (f if position == i else 1.0) for position, price in enumerate(original(device, precision))
            ]
            fit.cache_clear()
            leave_one_model_out.cache_clear()
            found = [group for group in groups() if group.bar is not None]
            errors.append((fmean(score(g.held_out).error for g in found), len(missed(groups()))))
        half, double = (f"{error:6.1%} ({bars} missed)" for error, bars in errors)
        print(f"    {feature.name:12} x0.5 {half}  x2 {double}")
    fitting_module.prior_prices = original
    fit.cache_clear()
    leave_one_model_out.cache_clear()


def dry_run_seconds() -> float:
    """The command's median of five, process start included."""
    command = ("build", "--device", "rpi4", "--max-latency", "50ms", "--dry-run")
    taken = []
    for _ in range(5):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-m", "edgeffnet", *command], check=True, capture_output=True)
        taken.append(time.perf_counter() - start)
    return median(taken)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", action="store_true", help="print every held-out row")
    parser.add_argument("--sensitivity", action="store_true", help="repeat with each prior halved and doubled")
    options = parser.parse_args()
    start = time.perf_counter()
    found = groups()
    print_groups(found, options.rows)
    everything = tuple(item for group in found for item in group.held_out)
    overall = score(everything)
    print(
        f"\nall {overall.rows} rows: error {overall.error:.1%}, {COVERAGE:.0%} intervals cover {overall.covered:.1%} "
        f"(bar {COVERED_AT_LEAST:.0%}), median half-width {overall.half_width:.1%} (bar {HALF_WIDTH_AT_MOST:.0%})"
    )
    bias = fmean(math.log(item.predicted_ms / item.row.ms) for item in everything)
    print(f"mean log error {bias:+.3f}, median {median(abs(item.error) for item in everything):.1%}")
    print_other_runtime()
    if options.sensitivity:
        print_sensitivity()
    failures = missed(found)
    seconds = dry_run_seconds()
    print(f"\nbuild --device rpi4 --max-latency 50ms --dry-run: {seconds:.2f} s (bar {DRY_RUN_SECONDS:g} s)")
    if seconds > DRY_RUN_SECONDS:
        failures.append(f"a dry run takes {seconds:.2f} s")
    print(f"\n{time.perf_counter() - start:.1f} s; " + ("PASS" if not failures else "MISS: " + "; ".join(failures)))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
