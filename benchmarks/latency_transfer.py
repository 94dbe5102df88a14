"""How far a ratio of two devices under one runtime holds under another.

    python benchmarks/latency_transfer.py [PUBLISHED.csv.gz]

TFLite rows of the Pi 3 B+ are predicted from the Pi 4's fit times the ratio of both boards' ncnn
rows, as a profile's [transfer] does. The last line is what `transfer.RUNTIME_SD` stands for. The
table of published latencies is not part of the project: it is looked for where the environment
variable EDGEFFNET_TEST_DATA says, or in ../shared/data.
"""

from __future__ import annotations

import csv
import gzip
import math
import os
import sys
from pathlib import Path
from statistics import fmean, median

from edgeffnet.devices import load
from edgeffnet.devices.fitting import fit, predict
from edgeffnet.devices.reference_models import reference_model

NEIGHBOURS = (("rpi3b+", "git ~2023-06-23"), ("rpi4", "git ~2023-06-15"))
RUNTIMES = {"fp32": ("tflite", "xnnpack"), "int8": ("tflite", "builtin ruy")}

Key = tuple[str, str, str]


def ncnn_rows(table: Path, device: str, version: str) -> dict[Key, float]:
    """Latency by (model, precision, threads), in milliseconds."""
    with gzip.open(table, "rt", encoding="utf-8") as lines:
        return {
            (row["model"], row["precision"], row["threads"]): float(row["latency_ms"])
            for row in csv.DictReader(lines)
            if (row["device"], row["runtime"], row["runtime_version"]) == (device, "ncnn", version)
        }


def main() -> int:
    folder = Path(os.environ.get("EDGEFFNET_TEST_DATA", "../shared/data"))
    table = Path(sys.argv[1]) if len(sys.argv) > 1 else folder / "published_latency.csv.gz"
    if not table.is_file():
        print(f"{table}: not found; give the table of published latencies", file=sys.stderr)
        return 2
    slow, fast = (ncnn_rows(table, device, version) for device, version in NEIGHBOURS)
    target, source = (load(device) for device, _ in NEIGHBOURS)
    errors = []
    for precision, (name, delegate) in RUNTIMES.items():
        known, judged = (
            next(r for r in d.runtimes if (r.name, r.version, r.delegate) == (name, "2.5.0", delegate))
            for d in (source, target)
        )
        for threads in (1, 4):
            common = [key for key in slow if key in fast and key[1:] == (precision, str(threads))]
            ratio = math.exp(median(math.log(slow[key] / fast[key]) for key in common))
            print(f"{precision} {threads} thread(s): ratio {ratio:.2f} from {len(common)} networks")
            for row in judged.used(precision):
                if row.threads == threads:
                    guess = predict(fit(source, known, precision), reference_model(row.model), threads).ms * ratio
                    errors.append(math.log(guess / row.ms))
                    print(
                        f"    {row.model:22} measured {row.ms:8.1f}  predicted {guess:8.1f}  {guess / row.ms - 1:+.0%}"
                    )
    mean = fmean(abs(math.expm1(error)) for error in errors)
    spread = math.sqrt(fmean(error**2 for error in errors))
    print(f"{len(errors)} rows: mean absolute error {mean:.1%}, root mean square in log {spread:.3f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
