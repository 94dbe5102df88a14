"""The part of edgeffnet that travels: loads models, times them, runs them over images.

It needs Python >= 3.8, numpy and one interpreter, nothing of edgeffnet, and speaks JSON lines.

`python agent.py serve` supervises: it reads one request a line on standard input (`Supervisor`'s
methods), runs each job in a child that it can outlive, and ends, with its child, when its client
falls silent. `python agent.py JOB.json` does {"requests": [...]} (`Agent`'s methods) and ends.
Answers, one a line on standard output: {"event": "result", "result": ...}, {"event": "progress", ...},
{"event": "error", "message": ...}, and last {"event": "done"}.
"""

from __future__ import annotations

import base64
import contextlib
import errno
import fcntl
import glob
import hashlib
import importlib
import json
import math
import os
import platform
import re
import resource
import select
import shutil
import signal
import stat
import sys
import sysconfig
import time
import warnings
import zlib
from typing import IO, TYPE_CHECKING, Any, Callable, Dict, Iterator, List, NoReturn, Optional, Tuple

# The supervisor does without numpy: it has to say when numpy is missing, or crashes on import.
if TYPE_CHECKING or __name__ != "__main__":
    import numpy as np

# 95% two-sided.
_Z = 1.959964
# The percentiles by which a distribution of times is told.
_QUANTILES = (0, 1, 5, 10, 25, 50, 75, 90, 95, 99, 100)
_MINIMUM_RUNS = 50
_TURN_SECONDS = 0.25
# Between two looks at a virtual machine's pace.
_STRETCH_SECONDS = 0.05
# The pace of a stretch that neighbours slowed, over the fastest.
SLOWED = 1.15
# So many times as long as was asked may a timing take on a virtual machine, until enough of it was left alone.
_WAITS = 3
_WARM_UP_SECONDS = 0.5
_MINIMUM_WARM_UP = 5
# Of one core, used by others while we measure.
_FOREIGN_CORES = 0.15
_CLOCK_MOVED = 0.03
# The client speaks every two seconds; a link silent for this long is gone.
_SILENCE_SECONDS = 20.0
_LONGEST_LINE = 16 << 20
_CACHE_BYTES = 1 << 30

Event = Dict[str, Any]


class Model:
    """A loaded model: feed it one input, invoke it, read its float32 scores (1, classes)."""

    dtype: np.dtype[Any]
    runtime: str

    def feed(self, array: np.ndarray[Any, Any]) -> None:
        raise NotImplementedError

    def invoke(self) -> None:
        raise NotImplementedError

    def read(self) -> np.ndarray[Any, Any]:
        raise NotImplementedError

    def raw(self) -> np.ndarray[Any, Any]:
        """The scores as the model returns them, integers where it ends in those."""
        return self.read()

    def placement(self) -> Event:
        """Where its operators run: of `operators`, `fast` in the accelerated path, in `partitions`.

        `fell_out` counts the others by type. None in place of what the runtime does not tell.
        """
        return {"operators": None, "fast": None, "partitions": None, "fell_out": {}, "path": None}


class TFLiteModel(Model):
    """A `.tflite` in LiteRT (or the older interpreters, where only they are there)."""

    def __init__(self, path: str, threads: int) -> None:
        interpreter, self.runtime = _tflite_interpreter()
        self._interpreter = interpreter(model_path=path, num_threads=threads)
        self._interpreter.allocate_tensors()
        self._input = self._interpreter.get_input_details()[0]
        self._output = self._interpreter.get_output_details()[0]
        self.dtype = np.dtype(self._input["dtype"])

    def feed(self, array: np.ndarray[Any, Any]) -> None:
        scale, zero_point = self._input["quantization"]
        if self.dtype == np.int8 and array.dtype == np.uint8:
            array = (array.astype(np.int16) - 128).astype(np.int8)
        elif self.dtype != np.float32 and array.dtype == np.float32:
            info = np.iinfo(self.dtype)
            array = np.clip(np.round(array / scale) + zero_point, info.min, info.max).astype(self.dtype)
        self._interpreter.set_tensor(self._input["index"], array)

    def invoke(self) -> None:
        self._interpreter.invoke()

    def raw(self) -> np.ndarray[Any, Any]:
        values: np.ndarray[Any, Any] = self._interpreter.get_tensor(self._output["index"])
        return values

    def read(self) -> np.ndarray[Any, Any]:
        values = self.raw()
        scale, zero_point = self._output["quantization"]
        if values.dtype != np.float32:
            values = (values.astype(np.float32) - zero_point) * np.float32(scale)
        return values

    def placement(self) -> Event:
        try:
            details = self._interpreter._get_ops_details()
        except AttributeError:
            return super().placement()
        return _tflite_placement(details)


class OpenVINOModel(Model):
    """An OpenVINO IR on the CPU plugin, one stream, tuned for latency.

    `replayed`: 8-bit arithmetic is repeated in float, so that no kernel of this machine saturates.
    """

    def __init__(self, path: str, threads: int, replayed: bool = False) -> None:
        import openvino

        self.runtime = "OpenVINO " + openvino.__version__.split("-")[0]
        settings = {
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": 1,
            "PERFORMANCE_HINT": "LATENCY",
            # By default, processors with bfloat16 compute an fp32 model in it.
            "INFERENCE_PRECISION_HINT": "f32",
        }
        if replayed:
            settings["LP_TRANSFORMS_MODE"] = "NO"
        compiled = openvino.Core().compile_model(path, "CPU", settings)
        self._compiled = compiled
        self._request = compiled.create_infer_request()
        self._tensor = self._request.get_input_tensor().data
        self.dtype = self._tensor.dtype

    def feed(self, array: np.ndarray[Any, Any]) -> None:
        self._tensor[...] = array

    def invoke(self) -> None:
        self._request.infer()

    def read(self) -> np.ndarray[Any, Any]:
        return np.array(self._request.get_output_tensor().data)

    def placement(self) -> Event:
        precisions: Dict[str, int] = {}
        layers: Dict[str, str] = {}
        slow: Dict[str, int] = {}
        for node in self._compiled.get_runtime_model().get_ordered_ops():
            told = {key: str(_plain(value)) for key, value in node.get_rt_info().items()}
            kind, precision = told.get("layerType", "?"), told.get("runtimePrecision", "?")
            if kind in ("Input", "Output", "Const", "Parameter", "Result"):
                continue
            precisions[precision] = precisions.get(precision, 0) + 1
            layers[node.get_friendly_name()] = f"{kind} {precision}"
            if told.get("primitiveType", "").startswith("ref"):
                slow[kind] = slow.get(kind, 0) + 1
        total = sum(precisions.values())
        return {
            "operators": total,
            "fast": total - sum(slow.values()),
            "partitions": 1,
            "fell_out": slow,
            "precisions": precisions,
            "layers": layers,
            "path": "OpenVINO CPU",
        }


class ONNXModel(Model):
    """An ONNX model in ONNX Runtime on the CPU."""

    def __init__(self, path: str, threads: int) -> None:
        import onnxruntime

        self.runtime = "ONNX Runtime " + onnxruntime.__version__
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self._name = self._session.get_inputs()[0].name
        self.dtype = np.dtype(np.float32)
        self._fed: Dict[str, Any] = {}
        self._made = np.zeros(0, np.float32)

    def feed(self, array: np.ndarray[Any, Any]) -> None:
        self._fed = {self._name: array}

    def invoke(self) -> None:
        self._made = self._session.run(None, self._fed)[0]

    def read(self) -> np.ndarray[Any, Any]:
        return self._made


FORMATS: Dict[str, Callable[[str, int], Model]] = {"tflite": TFLiteModel, "openvino": OpenVINOModel, "onnx": ONNXModel}


def _tflite_interpreter() -> Tuple[Any, str]:
    try:
        from ai_edge_litert import interpreter

        return interpreter.Interpreter, "LiteRT " + _version("ai-edge-litert")
    except ImportError:
        pass
    try:
        from tflite_runtime import interpreter

        return interpreter.Interpreter, "tflite-runtime " + _version("tflite-runtime")
    except ImportError:
        import tensorflow

        return tensorflow.lite.Interpreter, "TensorFlow " + tensorflow.__version__


def _tflite_placement(details: List[Event]) -> Event:
    """Of the graph's own operators, those that a delegate replaced: walked back from its outputs."""
    delegates = [node for node in details if node["op_name"] == "DELEGATE"]
    own = [node for node in details if node["op_name"] != "DELEGATE"]
    producer = {int(tensor): node for node in own for tensor in node["outputs"]}
    inside: Dict[int, bool] = {}
    for delegate in delegates:
        limit = {int(tensor) for tensor in delegate["inputs"]}
        waiting = [int(tensor) for tensor in delegate["outputs"]]
        while waiting:
            tensor = waiting.pop()
            node = producer.get(tensor)
            if tensor in limit or node is None or inside.get(int(node["index"])):
                continue
            inside[int(node["index"])] = True
            waiting += [int(needed) for needed in node["inputs"]]
    fell_out: Dict[str, int] = {}
    for node in own:
        if int(node["index"]) not in inside:
            fell_out[node["op_name"]] = fell_out.get(node["op_name"], 0) + 1
    return {
        "operators": len(own),
        "fast": len(inside),
        "partitions": len(delegates),
        "fell_out": fell_out,
        "path": "XNNPACK" if delegates else None,
    }


def _plain(value: Any) -> Any:
    """What an OpenVINO OVAny holds."""
    return value.value if hasattr(value, "value") else value


def _version(package: str) -> str:
    from importlib import metadata

    return metadata.version(package)


def model_input(
    pixels: np.ndarray[Any, Any], mean: List[float], std: List[float], dtype: np.dtype[Any]
) -> np.ndarray[Any, Any]:
    """Raw uint8 pixels (n, h, w, 3) as a model of input type `dtype` takes them."""
    if dtype != np.float32:
        return pixels
    return (pixels.astype(np.float32) - np.asarray(mean, np.float32)) / np.asarray(std, np.float32)


def scores(model: Model, pixels: np.ndarray[Any, Any], mean: List[float], std: List[float]) -> np.ndarray[Any, Any]:
    """float32 (classes,) of one image, uint8 (h, w, 3)."""
    model.feed(model_input(pixels[None], mean, std, model.dtype))
    model.invoke()
    return np.array(model.read()[0], np.float32)


class Agent:
    """Holds loaded models by name; every public method is a request and returns plain data."""

    def __init__(self, emit: Callable[[Event], None]) -> None:
        self._emit = emit
        self._models: Dict[str, Model] = {}
        self._threads = 1

    def hello(self) -> Event:
        """What this machine is."""
        return machine()

    def probe(self, module: str) -> Event:
        """Imports a module; its version. An import that crashes takes only this process with it."""
        found = importlib.import_module(module)
        name = module.split(".")[0].replace("_", "-")
        try:
            version = _version(name)
        except Exception:
            version = str(getattr(found, "__version__", "?"))
        return {"module": module, "version": version}

    def cores(self, threads: Optional[int]) -> Event:
        """Keeps this process on the fastest cores, as long as `threads` fit there; default: one for each of them.

        Models loaded from here on run with that many threads, and never with more than there are cores.
        """
        fast, usable = fastest_cores(), sorted(os.sched_getaffinity(0))
        self._threads = threads = min(threads or len(fast), len(usable))
        chosen = fast if threads <= len(fast) else usable
        os.sched_setaffinity(0, chosen)
        return {"threads": threads, "affinity": chosen, "fast_cores": fast, "cores": len(usable)}

    def load(self, name: str, path: str, format: str) -> Event:
        """Loads a model: milliseconds, the memory it added to the process, the runtime, where operators run."""
        before, start = _resident_memory(), time.perf_counter()
        model = self._models[name] = FORMATS[format](path, self._threads)
        load_ms = _since(start)
        added = _resident_memory() - before
        return {"load_ms": load_ms, "memory_bytes": added, "runtime": model.runtime, "placement": model.placement()}

    def predict(self, name: str, inputs: str, mean: List[float], std: List[float]) -> Event:
        """float32 scores of every image of the .npz `inputs` ("pixels", uint8): base64 of zlib, with their hash."""
        model = self._models[name]
        with np.load(inputs) as shard:
            pixels = shard["pixels"]
        rows, start, told = [], time.perf_counter(), time.perf_counter()
        for index in range(len(pixels)):
            rows.append(scores(model, pixels[index], mean, std))
            if time.perf_counter() - told > 0.5:
                told = time.perf_counter()
                self._emit({"event": "progress", "done": index + 1, "of": len(pixels), "name": name})
        made = np.ascontiguousarray(np.stack(rows), "<f4")
        data = made.tobytes()
        return {
            "shape": list(made.shape),
            "scores": base64.b64encode(zlib.compress(data, 1)).decode("ascii"),
            "sha256": hashlib.sha256(data).hexdigest(),
            "seconds": _since(start) / 1e3,
        }

    def repeat(self, name: str, inputs: str, mean: List[float], std: List[float], runs: int) -> Event:
        """Infers `runs` times over the first image, each between two marks that a counter outside sees."""
        model = self._models[name]
        with np.load(inputs) as shard:
            model.feed(model_input(shard["pixels"][:1], mean, std, model.dtype))
        model.invoke()
        own = os.getpid()
        for _ in range(runs):
            os.kill(own, 0)
            model.invoke()
        os.kill(own, 0)
        return {"runs": runs}

    def latency(
        self,
        names: List[str],
        inputs: List[str],
        mean: List[float],
        std: List[float],
        percentile: float,
        tolerance: float,
        max_seconds: float,
        max_runs: int,
        min_runs: int = _MINIMUM_RUNS,
        min_seconds: float = 0.0,
        until_tight: bool = True,
        pace_ms: Optional[float] = None,
        turn_seconds: float = _TURN_SECONDS,
    ) -> Event:
        """Times the models in turns of `turn_seconds`, so that a drifting clock meets them all.

        Each on the first image of the .npz at its place in `inputs`.
        Each model: first inference apart, warm-up, then runs until the 95% interval of `percentile`
        is within `tolerance` of it (unless not `until_tight`), and `min_runs` and its `min_seconds` are
        done, or until `max_seconds` of all or its `max_runs` are used up. One run is the inference
        alone: input in place before, output read after. `outliers` counts times beyond 3 deviations of
        the median. `turns_ms` has the median of each turn of each model.

        Every time is kept, but on a virtual machine: what was timed while a neighbour held up a fixed
        calculation is left out, if most of each model's remain and at least `min_runs`, and `left_out` says how much;
        `pace_ms` is the least that calculation was seen to take before. Fixed numbers of runs (not `until_tight`) are
        those of a protocol, and left as they are.
        """
        shared = until_tight and shares_its_cores()
        watch = Watch(known_pace=pace_ms)

        def waits(taken: _Runs) -> bool:
            # Neighbours go away; what this machine itself is busy with may not.
            return shared and not taken.enough(watch.fastest) and not watch.busy

        def bound() -> float:
            # Of one model alone nothing is left out: it would look faster than it is beside the others.
            left_alone = all(taken.enough(watch.fastest) for taken in runs.values())
            return SLOWED * watch.fastest if left_alone else math.inf

        runs: Dict[str, _Runs] = {}
        for index, name in enumerate(names):
            with np.load(inputs[index]) as shard:
                pixels = shard["pixels"][:1]
            model = self._models[name]
            model.feed(model_input(pixels, mean, std, model.dtype))
            first = _timed(model)
            runs[name] = _Runs(first, _warm_up(model), min_runs)
        watch.start()
        start = time.perf_counter()
        waiting = list(names)
        while waiting:
            for name in list(waiting):
                model, taken = self._models[name], runs[name]
                turn: List[float] = []
                end = time.perf_counter() + turn_seconds
                while time.perf_counter() < end and (left := max_runs - len(taken.times(bound()))) > 0:
                    stretch = min(end, time.perf_counter() + _STRETCH_SECONDS) if shared else end
                    before, times = watch.last_pace, [_timed(model)]
                    while time.perf_counter() < stretch and len(times) < left:
                        times.append(_timed(model))
                    turn += times
                    taken.stretches.append((max(before, watch.look()) if shared else 0.0, times))
                if turn:
                    taken.turns.append(float(np.median(turn)))
                times = taken.times(bound())
                least = len(times) >= min_runs and sum(times) >= 1e3 * min_seconds
                settled = least and (not until_tight or _width(times, percentile) <= tolerance)
                if (settled and not waits(taken)) or len(times) >= max_runs:
                    waiting.remove(name)
            watch.sample()
            self._emit({"event": "progress", "done": len(names) - len(waiting), "of": len(names), "name": "latency"})
            passed = time.perf_counter() - start
            if passed >= max_seconds * (_WAITS if any(map(waits, runs.values())) else 1):
                break
        within = bound()
        results = {name: runs[name].summary(percentile, tolerance, within) for name in names}
        left_out = 1 - sum(one["runs"] for one in results.values()) / sum(one.count for one in runs.values())
        turns = {name: runs[name].turns for name in names}
        return {"models": results, "turns_ms": turns, **watch.summary(left_out), "peak_memory_bytes": _peak_memory()}

    def sustain(self, name: str, inputs: str, mean: List[float], std: List[float], seconds: float) -> Event:
        """Runs for `seconds` without a pause: median and p90 of each slice, with clock and temperature."""
        model = self._models[name]
        with np.load(inputs) as shard:
            model.feed(model_input(shard["pixels"][:1], mean, std, model.dtype))
        watch = Watch()
        watch.start()
        slices: List[Event] = []
        start = time.perf_counter()
        length = max(1.0, seconds / 300)
        while time.perf_counter() - start < seconds:
            times: List[float] = []
            end = time.perf_counter() + length
            while time.perf_counter() < end or not times:
                times.append(_timed(model))
            state = watch.sample()
            slices.append(
                {
                    "at_s": time.perf_counter() - start,
                    "p50_ms": float(np.percentile(times, 50)),
                    "p90_ms": float(np.percentile(times, 90)),
                    "runs": len(times),
                    "frequency_mhz": state["frequency_mhz"],
                    "temperature_c": state["temperature_c"],
                }
            )
            done = min(int(seconds), int(time.perf_counter() - start))
            self._emit({"event": "progress", "done": done, "of": int(seconds), "name": "sustained"})
        return {"slices": slices, **watch.summary()}


# In the core's own cache, and about half a millisecond.
_PACE_VALUES, _PACE_PASSES, _PACE_REPEATS = 4096, 250, 3


class Watch:
    """What disturbed a timing: the machine's state before, during and after, and others' use of the processor."""

    def __init__(self, root: str = "/", known_pace: Optional[float] = None) -> None:
        self._root = root
        self._known_pace = math.inf if known_pace is None else known_pace
        self._before = conditions(root)
        self._samples: List[Event] = []
        self._paces: List[float] = []
        self.start()

    @property
    def fastest(self) -> float:
        """The least that the fixed calculation took, in milliseconds."""
        return min(self._known_pace, *self._paces)

    @property
    def last_pace(self) -> float:
        """What it took last."""
        return self._paces[-1]

    def look(self) -> float:
        """What it takes now."""
        self._paces.append(pace())
        return self._paces[-1]

    @property
    def foreign(self) -> Optional[float]:
        """Cores that others have used since the start; None where nothing tells."""
        seconds, busy = time.perf_counter() - self._started, _busy_seconds()
        if busy is None or self._busy is None or seconds <= 0:
            return None
        return max(0.0, (busy - self._busy) - (_own_seconds() - self._own)) / seconds

    @property
    def busy(self) -> bool:
        """Whether that is more than any system does."""
        return (self.foreign or 0.0) > _FOREIGN_CORES

    def start(self) -> None:
        """From here on others' use of the processor counts."""
        self.look()
        self._started = time.perf_counter()
        self._busy, self._own = _busy_seconds(), _own_seconds()

    def sample(self) -> Event:
        self._samples.append(conditions(self._root))
        self.look()
        return self._samples[-1]

    def summary(self, left_out: float = 0.0) -> Event:
        """`left_out` is the share of the inferences that do not count; the pace is that of the rest."""
        after = conditions(self._root)
        counted = [one for one in self._paces if not left_out or one <= SLOWED * self.fastest]
        foreign = self.foreign
        clocks = _known(self._samples, "frequency_mhz")
        heat = _known([self._before, *self._samples, after], "temperature_c")
        return {
            "before": self._before,
            "during": {
                "frequency_mhz": [min(clocks), max(clocks)] if clocks else None,
                "temperature_c": [min(heat), max(heat)] if heat else None,
                "foreign_cores": foreign,
                "pace_ms": [self.fastest, float(np.median(counted))],
                "left_out": left_out,
            },
            "after": after,
            "warnings": self._warnings(foreign, clocks, after),
        }

    def _warnings(self, foreign: Optional[float], clocks: List[float], after: Event) -> List[str]:
        found = []
        if foreign is not None and foreign > _FOREIGN_CORES:
            found.append(f"other processes used {foreign:.1f} cores meanwhile")
        if clocks and max(clocks) - min(clocks) > _CLOCK_MOVED * max(clocks):
            found.append(f"the clock moved between {min(clocks):.0f} and {max(clocks):.0f} MHz")
        events = _known([self._before, after], "throttle_events")
        if any(state["throttled"] for state in (*self._samples, after)) or (events and events[-1] > events[0]):
            found.append("the board was throttled (heat or supply voltage)")
        return found


def pace() -> float:
    """Milliseconds of a fixed calculation on one core: what slows it slows an inference, even where nothing else tells.

    A virtual machine's neighbours do not show in its clock or its processes.
    """
    # Element by element: a product of matrices would wake a library's threads, which spin on into the next inference.
    one, other, made = (np.full(_PACE_VALUES, value, np.float32) for value in (0.5, 1.5, 0.0))
    times = []
    for _ in range(_PACE_REPEATS):
        start = time.perf_counter()
        for _ in range(_PACE_PASSES):
            np.multiply(one, other, out=made)
            np.add(made, one, out=made)
        times.append(_since(start))
    return float(np.median(times))


def _known(states: List[Event], name: str) -> List[float]:
    return [state[name] for state in states if state[name] is not None]


class _Runs:
    """The times of one model, in milliseconds, in stretches: each after the pace beside it, 0 where nobody looked.

    `turns` are the medians of its turns.
    """

    def __init__(self, first: float, warm_up: int, least: int) -> None:
        self.first = first
        self.warm_up = warm_up
        self.least = least
        self.stretches: List[Tuple[float, List[float]]] = []
        self.turns: List[float] = []

    @property
    def count(self) -> int:
        return sum(len(times) for _, times in self.stretches)

    def enough(self, fastest: float) -> bool:
        """Whether what was timed undisturbed is enough to leave out the rest, and most of it.

        A pace that a machine seldom has is not its own: what the smaller part took would look twice as fast at times.
        """
        undisturbed = [times for beside, times in self.stretches if beside <= SLOWED * fastest]
        return 2 * len(undisturbed) >= len(self.stretches) and sum(map(len, undisturbed)) >= self.least

    def times(self, bound: float) -> List[float]:
        """Those beside which the pace was within `bound`."""
        return [one for beside, times in self.stretches if beside <= bound for one in times]

    def summary(self, percentile: float, tolerance: float, bound: float) -> Event:
        times = self.times(bound)
        low, high = percentile_interval(times, percentile)
        median, deviation = float(np.median(times)), float(np.std(times))
        return {
            "first_ms": self.first,
            "warm_up_runs": self.warm_up,
            "runs": len(times),
            "p50_ms": float(np.percentile(times, 50)),
            "p90_ms": float(np.percentile(times, 90)),
            "p99_ms": float(np.percentile(times, 99)),
            "mean_ms": float(np.mean(times)),
            "deviation_ms": deviation,
            "throughput_per_second": 1e3 / float(np.mean(times)),
            "outliers": int(np.sum(np.abs(np.asarray(times) - median) > 3 * deviation)),
            "max_ms": max(times),
            "quantiles_ms": {str(p): float(np.percentile(times, p)) for p in _QUANTILES},
            "percentile": percentile,
            "value_ms": float(np.percentile(times, percentile)),
            "low_ms": low,
            "high_ms": high,
            "tight": _width(times, percentile) <= tolerance,
        }


def percentile_interval(times: List[float], percentile: float) -> Tuple[float, float]:
    """95% interval of a percentile from order statistics; no distribution is assumed."""
    ordered = sorted(times)
    share, count = percentile / 100.0, len(ordered)
    spread = _Z * math.sqrt(count * share * (1 - share))
    low = max(0, math.floor(count * share - spread) - 1)
    high = min(count - 1, math.ceil(count * share + spread))
    return float(ordered[low]), float(ordered[high])


def _width(times: List[float], percentile: float) -> float:
    """Half the interval's width over the percentile itself."""
    low, high = percentile_interval(times, percentile)
    return (high - low) / 2 / float(np.percentile(times, percentile))


def _timed(model: Model) -> float:
    start = time.perf_counter()
    model.invoke()
    return _since(start)


def _warm_up(model: Model) -> int:
    """Runs until half a second has passed and the last runs no longer get faster; returns their number."""
    times: List[float] = []
    start = time.perf_counter()
    while True:
        times.append(_timed(model))
        settled = len(times) >= 2 * _MINIMUM_WARM_UP and (
            np.median(times[-_MINIMUM_WARM_UP:]) >= 0.98 * np.median(times[-2 * _MINIMUM_WARM_UP : -_MINIMUM_WARM_UP])
        )
        passed = time.perf_counter() - start
        if (settled and passed > _WARM_UP_SECONDS) or passed > 10 * _WARM_UP_SECONDS:
            return len(times)


def _since(start: float) -> float:
    return (time.perf_counter() - start) * 1e3


def _peak_memory() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _resident_memory() -> int:
    text = _read_text("/proc/self/statm")
    return int(text.split()[1]) * os.sysconf("SC_PAGE_SIZE") if text else 0


def _busy_seconds() -> Optional[float]:
    """Seconds of processor time that all processes together have used since boot."""
    text = _read_text("/proc/stat")
    if not text:
        return None
    user, nice, system, _, _, irq, softirq, steal = (int(field) for field in text.split("\n")[0].split()[1:9])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def _own_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def fastest_cores() -> List[int]:
    """The cores this process may use that are as fast as the fastest of them (the big ones of a phone)."""
    usable = sorted(os.sched_getaffinity(0))
    speed = {}
    for core in usable:
        folder = f"/sys/devices/system/cpu/cpu{core}/"
        speed[core] = _read_number(folder + "cpu_capacity") or _read_number(folder + "cpufreq/cpuinfo_max_freq") or 0.0
    best = max(speed.values())
    return [core for core in usable if speed[core] >= 0.9 * best]


def machine() -> Event:
    """The processor, its cores and instruction sets, memory, cooling, and what runs this agent. Needs no numpy."""
    cpu = _proc_cpuinfo()
    board = (_read_text("/proc/device-tree/model") or "").strip("\0")
    return {
        "cpu": cpu.get("model name") or board or cpu.get("Model") or platform.machine(),
        "board": board or None,
        "architecture": platform.machine(),
        "pointer_bits": 64 if sys.maxsize > 2**32 else 32,
        "cores": os.cpu_count(),
        "fast_cores": fastest_cores(),
        "flags": sorted((cpu.get("flags") or cpu.get("Features") or "").split()),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "memory_free_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES"),
        "system": platform.platform(),
        "libc": "-".join(platform.libc_ver()),
        "python": platform.python_version(),
        "executable": sys.executable,
        "home": os.path.expanduser("~"),
        # Where pip refuses to install outside a virtual environment.
        "managed": sys.prefix == sys.base_prefix
        and os.path.exists(os.path.join(sysconfig.get_path("stdlib"), "EXTERNALLY-MANAGED")),
        "cooling": [
            kind for kind in map(_read_text, sorted(glob.glob("/sys/class/thermal/cooling_device*/type"))) if kind
        ],
        **conditions(),
    }


def shares_its_cores() -> bool:
    """True on a virtual machine, whose neighbours slow it and show in nothing that it can read."""
    return "hypervisor" in _proc_cpuinfo().get("flags", "").split()


def _proc_cpuinfo() -> Dict[str, str]:
    found: Dict[str, str] = {}
    for line in (_read_text("/proc/cpuinfo") or "").split("\n"):
        key, _, value = line.partition(":")
        found.setdefault(key.strip(), value.strip())
    return found


def conditions(root: str = "/") -> Event:
    """What disturbs a timing: load, clock, governor, temperature, throttling, as far as this machine tells.

    `frequency_mhz` is that of the fastest core this process may use, `temperature_c` that of the hottest
    sensor of a processor. `throttled` is True where heat or voltage hold the clock back now, None where
    nothing tells. `throttle_events` counts since boot (x86). `root` is where /proc and /sys are.
    """
    core = os.path.join(root, f"sys/devices/system/cpu/cpu{max(os.sched_getaffinity(0))}/")
    frequency = _read_number(core + "cpufreq/scaling_cur_freq")
    return {
        "load_average": os.getloadavg()[0],
        "frequency_mhz": None if frequency is None else frequency / 1e3,
        "governor": _read_text(core + "cpufreq/scaling_governor"),
        "temperature_c": _temperature(root),
        "throttled": _throttled(root),
        "throttle_events": _throttle_events(root),
    }


def _temperature(root: str) -> Optional[float]:
    found = {}
    for zone in glob.glob(os.path.join(root, "sys/class/thermal/thermal_zone*")):
        value = _read_number(os.path.join(zone, "temp"))
        if value is not None:
            found[zone] = ((_read_text(os.path.join(zone, "type")) or "").lower(), value / 1e3)
    named = [heat for kind, heat in found.values() if re.search("cpu|soc|pkg", kind)]
    return max(named or [heat for _, heat in found.values()], default=None)


def _throttled(root: str) -> Optional[bool]:
    # Raspberry Pi's firmware: bits 0 to 3 are what holds now.
    firmware = _read_text(os.path.join(root, "sys/devices/platform/soc/soc:firmware/get_throttled"))
    told = [] if firmware is None else [bool(int(firmware, 16) & 0xF)]
    # Elsewhere the kernel cools by capping the clock.
    for device in glob.glob(os.path.join(root, "sys/class/thermal/cooling_device*")):
        kind, state = _read_text(os.path.join(device, "type")), _read_number(os.path.join(device, "cur_state"))
        if kind and state is not None and re.search("cpufreq", kind):
            told.append(state > 0)
    return any(told) if told else None


def _throttle_events(root: str) -> Optional[int]:
    pattern = os.path.join(root, "sys/devices/system/cpu/cpu*/thermal_throttle/*_throttle_count")
    counts = [count for count in map(_read_number, glob.glob(pattern)) if count is not None]
    return int(sum(counts)) if counts else None


def _read_text(path: str) -> Optional[str]:
    try:
        with open(path) as file:
            return file.read().strip()
    except (OSError, UnicodeDecodeError):
        return None


def _read_number(path: str) -> Optional[float]:
    text = _read_text(path)
    try:
        return None if text is None else float(text)
    except ValueError:
        return None


def serve_requests(requests: List[Event], emit: Callable[[Event], None]) -> int:
    """Does the requests in order; 1 when one fails, which ends them."""
    warnings.simplefilter("ignore")
    try:
        globals()["np"] = importlib.import_module("numpy")
    except Exception as error:
        if any(request["do"] not in ("hello", "probe", "cores") for request in requests):
            emit({"event": "error", "request": 0, "message": f"numpy: {error}", "missing": "numpy"})
            return 1
    agent = Agent(emit)
    for index, request in enumerate(requests):
        try:
            arguments = {key: value for key, value in request.items() if key != "do"}
            result = getattr(agent, request["do"])(**arguments)
        except ImportError as error:
            emit({"event": "error", "request": index, "message": str(error), "missing": error.name or "?"})
            return 1
        except Exception as error:
            emit({"event": "error", "request": index, "message": f"{type(error).__name__}: {error}"})
            return 1
        emit({"event": "result", "request": index, "result": result})
    emit({"event": "done"})
    return 0


class LinkLostError(Exception):
    """The client closed the link, or fell silent."""


class _Link:
    """Lines and bytes from the client, as they come in on a descriptor."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._held = bytearray()
        self._heard = time.monotonic()

    def wait(self, seconds: float, *others: int) -> List[int]:
        """The descriptors that can be read within `seconds`; raises LinkLostError after a silence."""
        ready = select.select([self.descriptor, *others], [], [], seconds)[0]
        if self.descriptor in ready:
            data = os.read(self.descriptor, 1 << 16)
            if not data:
                raise LinkLostError
            self._heard = time.monotonic()
            self._held += data
        elif time.monotonic() - self._heard > _SILENCE_SECONDS:
            raise LinkLostError
        return list(ready)

    def lines(self) -> Iterator[bytes]:
        """The whole lines that are in; heartbeats (empty lines) are left out."""
        while True:
            end = self._held.find(b"\n")
            if end < 0:
                if len(self._held) > _LONGEST_LINE:
                    raise LinkLostError
                return
            line = bytes(self._held[:end])
            del self._held[: end + 1]
            if line:
                yield line

    def next_line(self) -> bytes:
        while True:
            for line in self.lines():
                return line
            self.wait(1.0)

    def chunks(self, size: int) -> Iterator[bytes]:
        """Exactly the next `size` bytes."""
        while size:
            while not self._held:
                self.wait(1.0)
            data = bytes(self._held[:size])
            del self._held[:size]
            size -= len(data)
            yield data


class Supervisor:
    """Keeps files and runs jobs for a client at the other end of standard input.

    Every public method is a request. The cache holds files by their content's hash: a file that is
    there is not sent again, half of one is continued, and none is used before its hash is right.
    """

    def __init__(self, link: _Link, emit: Callable[[Event], None]) -> None:
        self._link = link
        self._emit = emit
        self._cache = ""
        self._session = ""

    def open(self, cache: Optional[str]) -> Event:
        """Settles where files are kept: `cache`, or the first place of the user's that can be written."""
        self._cache = self._writable_folder([cache] if cache else _cache_folders())
        for old in glob.glob(os.path.join(glob.escape(self._cache), "session-*")):
            if not os.path.exists("/proc/" + old.rsplit("-", 1)[1]):
                shutil.rmtree(old, ignore_errors=True)
        self._session = os.path.join(self._cache, f"session-{os.getpid()}")
        os.makedirs(self._session, 0o700, exist_ok=True)
        return {"cache": self._cache, "scratch": self._session, "free_bytes": shutil.disk_usage(self._cache).free}

    def machine(self) -> Event:
        """What this machine is."""
        return machine()

    def have(self, key: str, name: str, sha256: str) -> Event:
        """How many bytes of a file are here already; a whole one with another hash is thrown away."""
        path = self._place(key, name)
        if os.path.exists(path):
            if _sha256(path) == sha256:
                os.utime(os.path.dirname(path))
                return {"path": path, "bytes": os.path.getsize(path), "whole": True}
            os.remove(path)
        part = path + ".part"
        return {"path": path, "bytes": os.path.getsize(part) if os.path.exists(part) else 0, "whole": False}

    def put(self, key: str, name: str, sha256: str, offset: int, size: int) -> Event:
        """Takes the file's bytes from `offset` on, which follow the request; checks the whole file's hash."""
        chunks = self._link.chunks(size - offset)
        try:
            path = self._place(key, name)
            os.makedirs(os.path.dirname(path), 0o700, exist_ok=True)
            return self._received(chunks, path, sha256, offset, size)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise OSError(error.errno, self._full(size)) from None
            raise
        finally:
            # What follows the request is the file, wanted or not.
            for _ in chunks:
                pass

    def _received(self, chunks: Iterator[bytes], path: str, sha256: str, offset: int, size: int) -> Event:
        part = path + ".part"
        descriptor = os.open(part, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            # Another client is sending the same file.
            os.close(descriptor)
            if offset:
                raise ValueError("busy: another client is sending this file; try again") from None
            part = f"{path}.part-{os.getpid()}"
            descriptor = os.open(part, os.O_RDWR | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "r+b", 0) as file:
            try:
                self._make_room(os.path.dirname(path), size)
                file.truncate(offset)
                file.seek(offset)
                for data in chunks:
                    view = memoryview(data)
                    while view:
                        view = view[file.write(view) :]
                if _sha256(part) != sha256:
                    raise ValueError("corrupt: the file that arrived is not the one that was sent (its hash differs)")
            except (OSError, ValueError):
                os.remove(part)
                raise
            os.replace(part, path)
        return {"path": path}

    def get(self, path: str) -> Event:
        """Sends a file back in pieces; its hash."""
        digest = hashlib.sha256()
        with open(path, "rb") as file:
            while True:
                data = file.read(1 << 18)
                if not data:
                    return {"sha256": digest.hexdigest()}
                digest.update(data)
                self._emit({"event": "data", "bytes": base64.b64encode(data).decode("ascii")})

    def clear(self) -> Event:
        """Removes everything kept here."""
        if self._cache:
            shutil.rmtree(self._cache)
        return {"removed": self._cache}

    def job(self, requests: List[Event], seconds: float) -> Event:
        """Has a child do the requests, for `seconds` at most; passes its answers on."""
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reading)
            _be_child(requests, writing)
        os.close(writing)
        try:
            finished = self._pass_on(reading, time.monotonic() + seconds)
        finally:
            os.close(reading)
            status = _killed(child)
        if not finished:
            raise TimeoutError(f"did not finish within {seconds:.0f} s")
        if os.WIFSIGNALED(status):
            raise RuntimeError("crashed: " + _signal_said(os.WTERMSIG(status)))
        return {"exit": os.WEXITSTATUS(status)}

    def end(self) -> None:
        """Removes what this session wrote."""
        if self._session:
            shutil.rmtree(self._session, ignore_errors=True)

    def _pass_on(self, reading: int, deadline: float) -> bool:
        """Whether the child ended of itself before the deadline."""
        held = bytearray()
        while time.monotonic() < deadline:
            if reading in self._link.wait(0.5, reading):
                data = os.read(reading, 1 << 16)
                if not data:
                    return True
                held += data
                whole = held.rfind(b"\n") + 1
                for line in bytes(held[:whole]).splitlines():
                    self._emit(json.loads(line))
                del held[:whole]
            # Only heartbeats may come meanwhile.
            for _ in self._link.lines():
                raise LinkLostError
        return False

    def _place(self, key: str, name: str) -> str:
        if not re.fullmatch(r"[0-9a-f]{16,64}", key) or not re.fullmatch(r"[a-z0-9]+[.][a-z0-9]+", name):
            raise ValueError(f"not a name of the cache: {key!r}/{name!r}")
        if not self._cache:
            raise ValueError("not opened yet: nowhere to keep a file")
        return os.path.join(self._cache, "files", key, name)

    def _make_room(self, kept: str, size: int) -> None:
        """Removes what was unused longest once the cache outgrows its bound."""
        folders = glob.glob(os.path.join(glob.escape(self._cache), "files", "*"))
        sizes = {folder: _folder_bytes(folder) for folder in folders}
        for folder in sorted(folders, key=os.path.getmtime):
            if sum(sizes.values()) + size <= _CACHE_BYTES:
                break
            if folder != kept:
                shutil.rmtree(folder, ignore_errors=True)
                del sizes[folder]
        if shutil.disk_usage(self._cache).free < size:
            raise OSError(errno.ENOSPC, "")

    def _full(self, size: int) -> str:
        free = shutil.disk_usage(self._cache).free
        return f"the disk is full: {self._cache} has {free / 1e6:.1f} MB free, {size / 1e6:.1f} MB are needed"

    def _writable_folder(self, folders: List[str]) -> str:
        reasons = []
        for folder in folders:
            probe = os.path.join(folder, f"probe-{os.getpid()}")
            try:
                os.makedirs(folder, 0o700, exist_ok=True)
                found = os.lstat(folder)
                # In a folder such as /tmp another user may have made it, or a link.
                if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
                    raise OSError(errno.EPERM, "belongs to someone else")
                with open(probe, "wb") as file:
                    file.write(b"\0" * (1 << 16))
                return folder
            except OSError as error:
                reasons.append(f"{folder}: {error.strerror}")
            finally:
                with contextlib.suppress(OSError):
                    os.remove(probe)
        raise OSError(errno.EROFS, "nowhere to write ({})".format("; ".join(reasons)))


def _cache_folders() -> List[str]:
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    own = f"edgeffnet-{os.getuid()}"
    shared = (os.environ.get("TMPDIR") or "/tmp", "/var/tmp", "/data/local/tmp", "/dev/shm")
    return [os.path.join(home, "edgeffnet"), *(os.path.join(folder, own) for folder in shared)]


def _folder_bytes(folder: str) -> int:
    return sum(entry.stat().st_size for entry in os.scandir(folder) if entry.is_file())


def _sha256(path: str) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while True:
            data = file.read(1 << 20)
            if not data:
                return digest.hexdigest()
            digest.update(data)


def _be_child(requests: List[Event], writing: int) -> NoReturn:
    """Does the requests in a process of its own, which ends with its parent."""
    code = 1
    try:
        os.setsid()
        for name in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(name, signal.SIG_DFL)
        _die_with_parent()
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        # Held until the end: its closing tells the parent that the status is settled.
        answers = os.fdopen(writing, "w")
        code = serve_requests(requests, _emitter(answers))
    finally:
        os._exit(code)


def _die_with_parent() -> None:
    parent = os.getppid()
    with contextlib.suppress(Exception):
        import ctypes

        # PR_SET_PDEATHSIG
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def _killed(child: int) -> int:
    """Ends a child and all it started; its status is its own where it had ended before."""
    for kill in (os.killpg, os.kill):
        with contextlib.suppress(OSError):
            kill(child, signal.SIGKILL)
    return os.waitpid(child, 0)[1]


def _signal_said(number: int) -> str:
    reasons = {
        signal.SIGILL: "its numpy or interpreter was built for another processor",
        signal.SIGKILL: "killed from outside, most likely for want of memory",
        signal.SIGSEGV: "its numpy and interpreter may not fit each other",
    }
    died = signal.Signals(number)
    return f"{died.name} ({reasons[died]})" if died in reasons else died.name


def serve(link: _Link, emit: Callable[[Event], None]) -> int:
    """Supervises until the client is gone."""

    def leave(*_: Any) -> NoReturn:
        raise LinkLostError

    for name in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(name, leave)
    supervisor = Supervisor(link, emit)
    try:
        emit({"event": "ready", "python": platform.python_version()})
        while True:
            line = link.next_line()
            try:
                request = json.loads(line.decode("utf-8"))
                arguments = {key: value for key, value in request.items() if key != "do"}
                if request["do"].startswith("_"):
                    raise ValueError("not a request")
                result = getattr(supervisor, request["do"])(**arguments)
            except Exception as error:
                if isinstance(error, (LinkLostError, BrokenPipeError)):
                    raise
                emit({"event": "error", "message": _said(error), "kind": type(error).__name__})
            else:
                emit({"event": "answer", "result": result})
    except (LinkLostError, BrokenPipeError):
        return 0
    finally:
        supervisor.end()


def _said(error: Exception) -> str:
    return str((isinstance(error, OSError) and error.strerror) or error)


def _emitter(stream: IO[str]) -> Callable[[Event], None]:
    def emit(event: Event) -> None:
        stream.write(json.dumps(event) + "\n")
        stream.flush()

    return emit


def _emitter_to_client(descriptor: int) -> Callable[[Event], None]:
    """Emits to a client who may be gone without a goodbye: raises LinkLostError when nobody takes the answers."""

    def emit(event: Event) -> None:
        left = memoryview(json.dumps(event).encode("utf-8") + b"\n")
        while left:
            if not select.select([], [descriptor], [], _SILENCE_SECONDS)[1]:
                raise LinkLostError
            # What select calls writable takes a page without blocking.
            left = left[os.write(descriptor, left[:4096]) :]

    return emit


def main(arguments: List[str]) -> int:
    # Runtimes print to the same stream; the answers go out on a descriptor of their own.
    answers = os.dup(1)
    os.dup2(2, 1)
    if arguments == ["serve"]:
        return serve(_Link(0), _emitter_to_client(answers))
    with open(arguments[0]) as file:
        requests = json.load(file)["requests"]
    return serve_requests(requests, _emitter(os.fdopen(answers, "w")))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
