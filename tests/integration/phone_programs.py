"""Programs that stand in for Google's Android binaries, which cannot be had here.

Each takes the real one's flags, really runs the model, and prints in the real one's words
(tests/edgeffnet/benchmark_output.py has those as captured).
"""

from __future__ import annotations

import sys
from pathlib import Path

_COMMON = """
import sys, time
import numpy as np
from ai_edge_litert.interpreter import Interpreter
given = dict(word.removeprefix("--").split("=", 1) for word in sys.argv[1:])

def load(path, threads):
    model = Interpreter(model_path=path, num_threads=int(threads))
    model.allocate_tensors()
    return model, model.get_input_details()[0], model.get_output_details()[0]
"""

_BENCHMARK = """
print("INFO: STARTING!")
print(f"INFO: Num threads: [{given['num_threads']}]")
print(f"INFO: #threads used for CPU inference: [{given['num_threads']}]")
start = time.perf_counter()
model, taken, _ = load(given["graph"], given["num_threads"])
loaded = (time.perf_counter() - start) * 1e6
model.set_tensor(taken["index"], np.zeros(taken["shape"], taken["dtype"]))

def series(least, seconds):
    print(f"INFO: Running benchmark for at least {least} iterations and at least {seconds} seconds but terminate "
          f"if exceeding {given['max_secs']} seconds.")
    times, start = [], time.perf_counter()
    while len(times) < int(least) or time.perf_counter() - start < float(seconds):
        before = time.perf_counter()
        model.invoke()
        times.append(int((time.perf_counter() - before) * 1e6))
    print(f"INFO: count={len(times)} first={times[0]} curr={times[-1]} min={min(times)} max={max(times)} "
          f"avg={np.mean(times):g} std={int(np.std(times))} p5={int(np.quantile(times, .05))} "
          f"median={int(np.median(times))} p95={int(np.quantile(times, .95))}\\n")
    return times

warm = series(given["warmup_runs"], given["warmup_min_secs"])
times = series(given["num_runs"], given["min_secs"])
print(f"INFO: Inference timings in us: Init: {int(loaded)}, First inference: {warm[0]}, Warmup (avg): "
      f"{np.mean(warm):g}, Inference (avg): {np.mean(times):g}")
"""

_EVALUATOR = """
import os
model, taken, made = load(given["model_file"], given["num_interpreter_threads"])
names = open(given["model_output_labels"]).read().split("\\n")[:-1]
truth = open(given["ground_truth_labels"]).read().split("\\n")[:-1]
folder = given["ground_truth_images_path"]
files = sorted(os.listdir(folder))
assert len(files) == len(truth)
right = [0] * 10
for file, label in zip(files, truth):
    raw = np.fromfile(os.path.join(folder, file), np.uint8).astype(np.float32).reshape(taken["shape"])
    assert taken["dtype"] == np.int8 and made["dtype"] == np.int8
    model.set_tensor(taken["index"], (raw - 128).astype(np.int8))
    model.invoke()
    best = np.argsort(-model.get_tensor(made["index"])[0].astype(int), kind="stable")[:10]
    for rank, index in enumerate(best):
        if names[index] == label:
            right = [count + (place >= rank) for place, count in enumerate(right)]
print(f"INFO: Num evaluation runs: {len(files)}")
for rank, count in enumerate(right):
    print(f"INFO: Top-{rank + 1} Accuracy: {count / len(files):g}")
"""


def _program(path: Path, text: str) -> Path:
    path.write_text(f"#!{sys.executable}\n{_COMMON}{text}")
    return path


def benchmark_model(folder: Path) -> Path:
    """A program that times a model as benchmark_model does."""
    return _program(folder / "benchmark_model", _BENCHMARK)


def evaluator(folder: Path) -> Path:
    """A program that counts top-k as the image-classification evaluator does, for int8 models."""
    return _program(folder / "run_eval", _EVALUATOR)
