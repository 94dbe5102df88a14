"""Table 4 of the paper on this machine: ResNet-152 beside EfficientNet-B1, fp32, batch 1, one thread.

    python -m benchmarks.table4 [--runs 20]

Both networks have random weights, which change no time, and run through LiteRT and through OpenVINO in turns, so
that a machine that slows down slows all. What is printed is the mean of the runs, as in the paper, their median and
standard deviation, and the ratio of the means, and of the medians, beside the paper's.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from statistics import mean, median, stdev

import numpy as np

from benchmarks.methods import Artefact
from benchmarks.running import One, runner
from converters import openvino_ir
from converters.frozen import freeze
from converters.tflite import float_tflite
from edgeffnet import cost, devices, network, scaling
from edgeffnet.architecture import Architecture
from edgeffnet.weights import untrained

RESNET, B1 = "ResNet-152", "EfficientNet-B1"
# Seconds, on one core of an Intel Xeon E5-2690.
PAPER = {RESNET: 0.554, B1: 0.098}
RUNTIMES = ("LiteRT", "OpenVINO")
_WARM_UP = 3


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=20)
    chosen = parser.parse_args(arguments)
    nets = {RESNET: scaling.architecture_at(0, family="resnet152"), B1: scaling.official("b1")}
    times = timed({name: runners(net) for name, net in nets.items()}, nets, chosen.runs)
    print(f"{devices.load('local').core}, one thread, batch 1, fp32, mean of {chosen.runs} runs")
    for name, net in nets.items():
        costs = cost.total(net)
        print(f"{name}: {costs.parameters / 1e6:.1f}M parameters, {costs.macs / 1e9:.2f}G multiply-adds")
        for runtime in RUNTIMES:
            taken = times[name, runtime]
            print(
                f"  {runtime}: {mean(taken):.3f} s (median {median(taken):.3f}, standard deviation {stdev(taken):.3f})"
            )
    for runtime in RUNTIMES:
        slow, fast = times[RESNET, runtime], times[B1, runtime]
        ratios = f"{mean(slow) / mean(fast):.1f} times as fast, {median(slow) / median(fast):.1f} times by the medians"
        print(f"{runtime}: {B1} is {ratios}")
    print(f"paper: {PAPER[RESNET]} s and {PAPER[B1]} s, {PAPER[RESNET] / PAPER[B1]:.1f} times as fast")
    return 0


def runners(net: Architecture) -> dict[str, One]:
    """By runtime, a function that runs one image (1, h, w, 3)."""
    made = float_tflite(freeze(network.inference(net, untrained.draw(net, seed=0))))
    return {
        "LiteRT": runner(Artefact("litert", made)),
        "OpenVINO": runner(Artefact("openvino", openvino_ir.read_bytes(made))),
    }


def timed(
    models: dict[str, dict[str, One]], nets: dict[str, Architecture], runs: int
) -> dict[tuple[str, str], list[float]]:
    """Seconds of each inference by network and runtime, all in turns."""
    images = {
        name: np.random.default_rng(0).standard_normal((1, net.resolution, net.resolution, 3)).astype(np.float32)
        for name, net in nets.items()
    }
    times: dict[tuple[str, str], list[float]] = {(name, runtime): [] for name in models for runtime in RUNTIMES}
    for turn in range(_WARM_UP + runs):
        for name, runtime in times:
            start = time.perf_counter()
            models[name][runtime](images[name])
            if turn >= _WARM_UP:
                times[name, runtime].append(time.perf_counter() - start)
    return times


if __name__ == "__main__":
    sys.exit(main())
