"""The figures stated of targets, measured anew: python -m benchmarks.targets BUNDLE --target ssh://… --val VAL.

Prints how long a validation over the link takes beyond its inferences, cold and with a warm cache;
whether interleaved runs agree where the protocol calls them quiet; and whether a busy core is noticed.
With --target qemu://cortex-a72 instead: whether scores are this machine's bit for bit, what an
inference takes in instructions, and whether counts repeat (the int8 model with --io int8 ends in
integers, so that no float arithmetic is left to differ).
"""

from __future__ import annotations

import argparse
import multiprocessing
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import numpy as np

from edgeffnet import imagesets
from edgeffnet.bundle.contents import find_contract
from edgeffnet.instructions import count
from edgeffnet.targets.address import target
from edgeffnet.targets.qemu import EmulatedTarget
from edgeffnet.timing import latencies
from edgeffnet.validation import compare, raw_scores
from edgeffnet.validation_images import from_set

PAIRS = 10
EMULATED_IMAGES = 20


def overhead(model: Path, url: str, val: Path) -> float:
    """Seconds of a validation (latency, and accuracy over `val`) beyond the inferences themselves."""
    preprocessing, labels, artifact = find_contract(model)
    images = from_set(imagesets.read(val, labels), preprocessing)
    with closing(target(url)) as there:
        start = time.perf_counter()
        measured, _ = latencies([artifact], there, preprocessing, images.pixels[:1], threads=1, percentile=90)
        found = measured[artifact]
        inferring = found.runs * found.mean_ms / 1e3
        raw_scores([artifact], [there], preprocessing, images.pixels, threads=1)
        inferring += len(images.pixels) * found.mean_ms / 1e3
        return time.perf_counter() - start - inferring


def pairs(model: Path, url: str) -> tuple[list[float], Counter[str]]:
    """Relative differences of p50 in the pairs that the protocol calls quiet, and why it does not call others so."""
    preprocessing, _, artifact = find_contract(model)
    image = np.zeros((1, preprocessing.resolution, preprocessing.resolution, 3), np.uint8)
    quiet: list[float] = []
    loud: Counter[str] = Counter()
    with closing(target(url)) as there:
        for _ in range(4 * PAIRS):
            if len(quiet) == PAIRS:
                break
            both = [latencies([artifact], there, preprocessing, image, threads=1, percentile=90) for _ in range(2)]
            reasons = {_disturbed(made[artifact].tight, machine["warnings"]) for made, machine in both} - {None}
            if reasons:
                loud.update(reason for reason in reasons if reason)
                continue
            first, second = (made[artifact].p50_ms for made, _ in both)
            quiet.append(abs(first - second) / min(first, second))
    return quiet, loud


def _disturbed(tight: bool, warnings: Sequence[str]) -> str | None:
    """The kind of disturbance, None where there was none."""
    if warnings:
        return " ".join(word for word in warnings[0].split() if not any(character.isdigit() for character in word))
    return None if tight else "interval over 2%"


def noticed(model: Path, url: str) -> list[str]:
    """The warnings while one core is kept busy."""
    preprocessing, _, artifact = find_contract(model)
    image = np.zeros((1, preprocessing.resolution, preprocessing.resolution, 3), np.uint8)
    load = multiprocessing.Process(target=_busy, daemon=True)
    load.start()
    try:
        with closing(target(url)) as there:
            _, machine = latencies([artifact], there, preprocessing, image, threads=1, percentile=90)
        return list(machine["warnings"])
    finally:
        load.terminate()
        load.join()


def emulated(bundle: Path, url: str, val: Path) -> list[str]:
    """Lines on bit identity over the first images of `val`, and on counts of both precisions, each taken twice."""
    lines = []
    with closing(target(url)) as there:
        assert isinstance(there, EmulatedTarget)
        totals = {}
        for precision in ("int8", "fp32"):
            preprocessing, labels, artifact = find_contract(bundle / f"model_{precision}.tflite")
            images = from_set(imagesets.read(val, labels), preprocessing).pixels[:EMULATED_IMAGES]
            scores = raw_scores([artifact], [there], preprocessing, images, threads=1)[artifact]
            with closing(there.here()) as here:
                own = raw_scores([artifact], [here], preprocessing, images, threads=1)[artifact]
            lines.append(f"{artifact.name}, {len(images)} images: {compare(own, scores).said()}")
            counts = [count(artifact, there, preprocessing, images[:1]) for _ in range(2)]
            totals[precision] = counts[0].total
            apart = abs(counts[0].total - counts[1].total) / counts[0].total
            spread = max(found.spread for found in counts)
            lines.append(
                f"{artifact.name}: {counts[0].total / 1e6:.1f}M instructions "
                f"({counts[0].multiply_accumulate / 1e6:.1f}M multiply-accumulates, {counts[0].load / 1e6:.1f}M loads, "
                f"{counts[0].store / 1e6:.1f}M stores); again {apart:.4%} apart, {spread:.4%} within a count"
            )
        lines.append(f"int8 takes {totals['int8'] / totals['fp32']:.2f} times fp32's instructions")
    return lines


def _busy() -> None:
    while True:
        pass


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--target", default="local")
    parser.add_argument("--val", type=Path, required=True)
    given = parser.parse_args()
    if given.target.startswith("qemu:"):
        print("\n".join(emulated(given.bundle, given.target, given.val)))
        return
    model = given.bundle / "model_int8.tflite"
    with closing(target(given.target)) as there:
        if given.target != "local":
            there.clear()
    for name in ("empty", "warm"):
        print(f"validation, {name} cache: {overhead(model, given.target, given.val):.1f} s beyond the inferences")
    print(f"one busy core: {noticed(model, given.target) or 'not noticed'}")
    quiet, loud = pairs(model, given.target)
    median = f"{np.median(quiet):.2%}" if quiet else "none"
    told = ", ".join(f"{count} by '{reason}'" for reason, count in loud.most_common()) or "none"
    print(f"p50 of {len(quiet)} quiet pairs: median difference {median}; called disturbed: {told}")


if __name__ == "__main__":
    main()
