"""Table 5 of the paper's form: what each network reaches on folders of images, against its parameters.

    python -m benchmarks.transfer --data flowers [OTHER ...] [--network lite0 lite1 b0=FILE] [--time 4m]

A network with `=FILE` begins from that checkpoint, the others from the ImageNet weights that are installed. Each is
trained by `edgeffnet train` in a process of its own for the same time; accuracy is that on the folder's validation
images, with its 95% interval. The paper's cross-validated figures rest on weeks of eight accelerators: what can be
compared is the order, and what a network costs.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, nargs="+", required=True, help="folders of images, or CSVs")
    parser.add_argument("--network", nargs="+", default=["lite0", "lite1", "lite2"])
    parser.add_argument("--preprocessing", type=Path, help="what the checkpoints named by file expect of images")
    parser.add_argument("--time", default="4m", help="of each training")
    chosen = parser.parse_args(arguments)
    print("| data | network | parameters | multiply-adds | top-1 | 95% interval | images | minutes |")
    print("|--|--|--|--|--|--|--|--|")
    for data in chosen.data:
        for network in chosen.network:
            name, _, weights = network.partition("=")
            print(_row(data, name, weights, chosen.preprocessing, chosen.time), flush=True)
    return 0


def _row(data: Path, name: str, weights: str, preprocessing: Path | None, time: str) -> str:
    words = ["train", "--data", str(data), "--variant", name, "--time", time, "--json"]
    if weights:
        words += ["--weights", weights]
        words += ["--preprocessing", str(preprocessing)] if preprocessing else []
    with tempfile.TemporaryDirectory(prefix="edgeffnet-") as folder:
        words += ["--output", str(Path(folder) / "model.keras")]
        done = subprocess.run([sys.executable, "-m", "edgeffnet", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        return f"| {data.name} | {name} | | | | | | {done.stderr.strip()} |"
    report = json.loads(done.stdout)
    training, minutes = report["training"], sum(report["seconds"].values()) / 60
    top1, network = training["top1"], training["network"]
    return (
        f"| {data.name} | {name} | {network['parameters'] / 1e6:.2f}M | {network['macs'] / 1e6:.0f}M | "
        f"{100 * top1['value']:.1f}% | {100 * top1['low']:.1f} to {100 * top1['high']:.1f} | "
        f"{training['data']['validation_images']} | {minutes:.1f} |"
    )


if __name__ == "__main__":
    sys.exit(main())
