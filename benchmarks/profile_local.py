"""A profile made on this machine, against what official networks then take on it.

    python benchmarks/profile_local.py [--profile desk.toml] [--work FOLDER] [--threads 1]

Without --profile, `edgeffnet profile --target local` makes one first. Then Lite0 to Lite4 and B0 to B2 are
timed in fp32 and int8, on one thread and on all, in rounds that take every network in turn; each figure is
the median of the rounds' means. No network of the profile is among them. Interrupted, it goes on where it
was as long as --work is the same.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from statistics import fmean

from edgeffnet import devices
from edgeffnet.profiling.design import Subject, thread_counts
from edgeffnet.profiling.profile import profile
from edgeffnet.profiling.timings import Log, time_all
from edgeffnet.report.quiet import quiet
from edgeffnet.targets.local import LocalTarget

MODELS = ("lite0", "b0", "lite1", "b1", "lite2", "b2", "lite3", "lite4")
MEAN_AT_MOST, WORST_AT_MOST = 0.10, 0.20


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profile", type=Path, help="a profile of this machine, instead of making one")
    parser.add_argument("--work", type=Path, help="where timings are kept, to go on with after an interruption")
    parser.add_argument("--threads", type=int, nargs="*", default=(), help="thread counts; one and all otherwise")
    options = parser.parse_args()
    work = options.work or Path(tempfile.mkdtemp(prefix="edgeffnet-benchmark-"))
    path = options.profile or work / "this-machine.toml"
    if not path.is_file():
        made = profile("local", path, threads=options.threads)
        print(f"profile in {made.seconds:.0f} s, {made.rows} rows; held out: {made.mean_error:.1%} mean")
    device = devices.load(path)
    start = time.perf_counter()
    counts = tuple(options.threads) or thread_counts(device.cores)
    with quiet(), closing(LocalTarget()) as here:
        subjects = [Subject(model) for model in MODELS]
        log = Log(work / "official.jsonl", "# official networks")
        taken, skipped = time_all(subjects, counts, here, log, lambda *_: None)
    if skipped:
        print(f"too slow here: {', '.join(skipped)}")
        return 1
    errors, covered = [], []
    print(f"{'network':8} {'prec':4} threads {'measured ms':>12} {'estimated ms':>13}  90% interval       error")
    for found in taken:
        estimate = devices.estimate(
            device, Subject(found.model).architecture, precision=found.precision, threads=found.threads
        )
        if isinstance(estimate, devices.NoBasis):
            print(f"{found.model}: {estimate}")
            return 1
        errors.append(estimate.mean_ms / found.ms - 1)
        covered.append(estimate.low_ms <= found.ms <= estimate.high_ms)
        print(
            f"{found.model:8} {found.precision:4} {found.threads:7} {found.ms:12.2f} {estimate.mean_ms:13.2f}  "
            f"{estimate.low_ms:7.2f} to {estimate.high_ms:7.2f} {errors[-1]:+8.1%}"
        )
    mean, worst = fmean(map(abs, errors)), max(map(abs, errors))
    passed = mean <= MEAN_AT_MOST and worst <= WORST_AT_MOST
    print(
        f"\n{len(errors)} figures in {time.perf_counter() - start:.0f} s: "
        f"error {mean:.1%} mean (bar {MEAN_AT_MOST:.0%}), "
        f"{worst:.1%} worst (bar {WORST_AT_MOST:.0%}), intervals cover {fmean(covered):.0%}: "
        + ("PASS" if passed else "MISS")
    )
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
