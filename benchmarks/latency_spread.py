"""How far single inferences stray from their mean, on this machine.

    python benchmarks/latency_spread.py MODEL.tflite [--threads 1] [--count 300]

Prints the [spread] of a device profile: what an estimated mean is multiplied by before it is
compared with a budget at the 90th percentile.
"""

from __future__ import annotations

import argparse
import sys
import time

import numpy as np
from ai_edge_litert.interpreter import Interpreter


def latencies_ms(model: str, threads: int, count: int) -> list[float]:
    """`count` inferences on random input, after a tenth as many to warm up."""
    interpreter = Interpreter(model, num_threads=threads)
    interpreter.allocate_tensors()
    generator = np.random.default_rng(0)
    for details in interpreter.get_input_details():
        values = generator.uniform(0, 100, details["shape"]).astype(details["dtype"])
        interpreter.set_tensor(details["index"], values)
    spent = []
    for _ in range(count + count // 10):
        start = time.perf_counter()
        interpreter.invoke()
        spent.append((time.perf_counter() - start) * 1e3)
    return spent[count // 10 :]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--count", type=int, default=300)
    options = parser.parse_args()
    spent = latencies_ms(options.model, options.threads, options.count)
    mean, p90, p99 = float(np.mean(spent)), float(np.percentile(spent, 90)), float(np.percentile(spent, 99))
    print(f"mean {mean:.2f} ms, p90 {p90:.2f} ms, p99 {p99:.2f} ms")
    print("[spread]")
    print(f"p90_over_mean = {max(1.0, p90 / mean):.3f}")
    print(f'source = "measured, {options.count} inferences at {options.threads} threads"')
    return 0


if __name__ == "__main__":
    sys.exit(main())
