"""What a sweep past one machine takes: 30 variants, 20 boards, all 50,000 images of ImageNet's validation set.

    python -m benchmarks.sweep_plan --bundle BUNDLE --audit AUDIT

BUNDLE is a Lite0 built here, AUDIT an audit of it here: their reports give the seconds that making and running Lite0
took on this machine's cores. Everything else follows from multiply-adds, to which both are taken to be proportional,
and from the devices' profiles: estimates, all of it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from edgeffnet import cost, devices, scaling
from edgeffnet.architecture import Architecture
from edgeffnet.audit.decoding import shard_size
from edgeffnet.report import schema
from edgeffnet.scaling import VARIANTS

IMAGES, ON_BOARDS = 50_000, 1_000
BOARDS = ("rpi3b+", "rpi4", "rpi5", "pixel4")
OF_EACH = 5
# Between the official ones: Lite and B by the compound rule.
PHIS = (-3.0, -2.5, -2.0, -1.5, -1.0, -0.5, 0.25, 0.75, 1.5)
_WORKERS = 16
# Of each artefact on a board: warm-up, runs until the interval is narrow, and the process around them.
SECONDS_OF_TIMING = 20.0
_MADE = ("Making the float model", "Calibrating", "TFLite fp32 and int8", "OpenVINO fp32 and int8", "ONNX fp32")
_RUN = "Running both models over the images"


def variants() -> list[Architecture]:
    """30 networks, smallest first."""
    made = [scaling.official(name) for name in VARIANTS]
    families = ("lite", "efficientnet")
    made += [scaling.architecture_at(phi, family=family) for phi in PHIS for family in families]
    ranked = sorted(made, key=lambda net: cost.total(net).macs)
    return ranked[:30]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--audit", type=Path, required=True)
    parser.add_argument("--cores", type=int, default=2, help="cores that both ran on")
    chosen = parser.parse_args(arguments)
    built, audited = schema.read(chosen.bundle), schema.read(chosen.audit)
    nets = variants()
    base = cost.total(scaling.official("lite0")).macs
    factors = [cost.total(net).macs / base for net in nets]
    making = sum(built["seconds"].get(name, 0.0) for name in _MADE) * chosen.cores
    running = audited["seconds"][_RUN] * chosen.cores / audited["images"]["count"]
    builds = making * sum(factors) / 3600
    audits = running * IMAGES * sum(factors) / 3600
    largest = max(running * IMAGES * factor for factor in factors) / 3600
    print(f"{len(nets)} variants of {cost.total(nets[0]).macs / 1e6:.0f}M to {cost.total(nets[-1]).macs / 1e9:.1f}G")
    print(f"together {sum(factors):.0f} times Lite0's multiply-adds")
    print(f"Lite0 here: {making:.0f} core-seconds to make, {1e3 * running:.0f} ms of a core an image for both models")
    print(f"builds: {builds:.1f} core-hours; audits on {IMAGES:,} images: {audits:.0f} core-hours")
    shards = -(-IMAGES // shard_size(nets[-1].resolution))
    print(f"the largest audit alone: {largest:.0f} core-hours, in {shards:,} shards")
    for cores in (2, 64, 256):
        alone = max((builds + audits) / cores, largest)
        shared = max((builds + audits) / cores, largest / _WORKERS)
        print(f"  on {cores:3} cores: {alone:.1f} h, {shared:.1f} h where {_WORKERS} processes share an audit")
    print(f"boards: timing of 2 artefacts each and {ON_BOARDS:,} images of each")
    for name in BOARDS:
        device = devices.load(name)
        hours, without = 0.0, 0
        for net in nets:
            for precision in ("fp32", "int8"):
                found = devices.estimate(device, net, precision=precision)
                if isinstance(found, devices.NoBasis):
                    without += 1
                    continue
                hours += (SECONDS_OF_TIMING + ON_BOARDS * found.mean_ms / 1e3) / 3600
        missing = f" ({without} without a basis left out)" if without else ""
        each = hours / OF_EACH
        print(
            f"  {name:8} {hours:5.1f} h estimated, one after another; shared by {OF_EACH} boards {each:.1f} h{missing}"
        )
    sizes = {net.resolution for net in nets}
    pushed = sum(ON_BOARDS * size * size * 3 for size in sizes)
    weights = sum(cost.total(net).parameters * 5 for net in nets)
    print(
        f"pushed to each board: {pushed / 1e9:.1f} GB of pixels at {len(sizes)} sizes, {weights / 1e9:.1f} GB of models"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
