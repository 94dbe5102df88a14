"""Latency and accuracy on a phone without Python, as far as Google's own programs tell them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converters.artifact import Artifact
from edgeffnet.errors import TargetError
from edgeffnet.images import Preprocessing
from edgeffnet.statistics import Interval, share
from edgeffnet.targets import benchmark_model, evaluator
from edgeffnet.targets.benchmark_model import BenchmarkRun
from edgeffnet.targets.phone import Phone
from edgeffnet.targets.target import Progress
from edgeffnet.timing import TOLERANCE
from edgeffnet.validation_images import ValidationImages

_RUNS, _SECONDS, _MOST_SECONDS = 50, 1.0, 30.0
_LEAST_ROUNDS, _MOST_ROUNDS = 3, 8
_CLOCK_MOVED = 0.03
# 97.5% quantiles of Student's t by degrees of freedom, from 0 (none) to 7.
_STUDENT = (math.inf, 12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365)
_SECONDS_PER_IMAGE = 2.0
_BYTES_PER_SECOND = 200_000

NOTES = (
    "unverified on a phone: benchmark_model's output is read by a parser tested on captured output",
    "benchmark_model gives means and no p90; what else the phone computed meanwhile is not known",
)


@dataclass(frozen=True)
class PhoneLatency:
    """Milliseconds of one inference, batch 1, as `benchmark_model` measured them over `rounds` runs of it.

    The tool gives means: `low_ms` and `high_ms` bound `mean_ms` (95%), `tight` is False where rounds
    ended before that interval was within 2%. `median_ms` and `p95_ms` are the middle ones of the
    rounds', None in versions that print none. `memory_bytes` is what the model added to the process.
    """

    on: str
    runtime: str
    threads: int
    affinity: tuple[int, ...]
    mean_ms: float
    low_ms: float
    high_ms: float
    tight: bool
    deviation_ms: float
    min_ms: float
    max_ms: float
    median_ms: float | None
    p95_ms: float | None
    throughput_per_second: float
    rounds: int
    runs: int
    warm_up_runs: int
    first_ms: float
    load_ms: float
    memory_bytes: int | None
    placement: dict[str, Any]
    kind: str = "measured"
    verified: bool = False

    @property
    def typical_ms(self) -> float:
        """The median where it is known, else the mean."""
        return self.mean_ms if self.median_ms is None else self.median_ms

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class PhoneAccuracy:
    """Top-1 and top-5 as the evaluator counted them on the phone; it gives no predictions to compare."""

    images: int
    source: str
    top1: Interval
    top5: Interval

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def timed(
    artifacts: Sequence[Artifact], phone: Phone, *, threads: int | None, progress: Progress | None = None
) -> tuple[dict[Artifact, PhoneLatency], dict[str, Any]]:
    """Latency of each `.tflite`, in turns, round by round; and the phone's state around it. Raises TargetError."""
    machine = phone.machine()
    fast = machine["fast_cores"]
    threads = min(threads or max(1, len(fast)), max(1, machine["cores"]))
    cores = fast if threads <= len(fast) else list(range(machine["cores"]))
    program = phone.push_program(phone.benchmark)
    models = {artifact: phone.push(artifact.path) for artifact in artifacts}
    runs: dict[Artifact, list[BenchmarkRun]] = {artifact: [] for artifact in artifacts}
    states: list[dict[str, Any]] = []
    waiting = list(artifacts)
    for number in range(_MOST_ROUNDS):
        for artifact in list(waiting):
            words = (program, *benchmark_model.flags(models[artifact], threads, _RUNS, _SECONDS, _MOST_SECONDS))
            said = phone.execute(words, 3 * _MOST_SECONDS + 60, cores=cores)
            run = benchmark_model.parse(said.output)
            if run.threads != threads:
                said_threads = "does not say its threads" if run.threads is None else f"ran {run.threads} threads"
                raise TargetError(f"{phone.name}: benchmark_model {said_threads}; {threads} were asked for")
            states += said.states
            runs[artifact].append(run)
            if len(runs[artifact]) >= _LEAST_ROUNDS and _width(runs[artifact]) <= TOLERANCE:
                waiting.remove(artifact)
        if progress:
            progress(number + 1, _MOST_ROUNDS, "rounds")
        if not waiting:
            break
    made = {artifact: _pooled(runs[artifact], machine["cpu"], threads, cores) for artifact in artifacts}
    return made, {**machine, **_around(states)}


def accuracies(
    artifacts: Sequence[Artifact],
    phone: Phone,
    preprocessing: Preprocessing,
    images: ValidationImages,
    *,
    classes: int,
    threads: int,
) -> tuple[dict[Artifact, PhoneAccuracy], dict[Artifact, str]]:
    """Accuracy of each artefact that the evaluator can judge, and why the others are not measured."""
    reasons = {artifact: _why_not(artifact, phone, preprocessing, images, classes) for artifact in artifacts}
    judged = [artifact for artifact, reason in reasons.items() if reason is None]
    made: dict[Artifact, PhoneAccuracy] = {}
    if judged:
        assert phone.evaluator and images.labels is not None
        program = phone.push_program(phone.evaluator)
        folder, labels, names = _sent(phone, images.pixels, images.labels, classes)
        for artifact in judged:
            words = (program, *evaluator.flags(phone.push(artifact.path), folder, labels, names, threads))
            said = phone.execute(words, 120 + _SECONDS_PER_IMAGE * len(images.pixels))
            found = evaluator.parse(said.output, len(images.pixels))
            n = found.images
            made[artifact] = PhoneAccuracy(n, images.source, share(found.right1, n), share(found.right5, n))
    return made, {artifact: reason for artifact, reason in reasons.items() if reason is not None}


def _why_not(
    artifact: Artifact, phone: Phone, preprocessing: Preprocessing, images: ValidationImages, classes: int
) -> str | None:
    if phone.evaluator is None:
        return "no Python there, and no evaluator was given (&evaluator=FILE)"
    if images.labels is None:
        return f"no labels ({images.unlabelled_because})"
    return evaluator.cannot_judge(artifact, preprocessing, classes)


def _sent(phone: Phone, pixels: NDArray[np.uint8], labels: NDArray[np.int64], classes: int) -> tuple[str, str, str]:
    """Where the images (raw pixels, which the evaluator neither crops nor resizes), their labels, and all names lie.

    Classes go by their numbers: names need not be unique.
    """
    files = {f"{index:06}.rgb8": image.tobytes() for index, image in enumerate(pixels)}
    folder = phone.push_folder(files, 60 + pixels.nbytes / _BYTES_PER_SECOND)
    lists = phone.push_folder(
        {
            "labels.txt": "".join(f"{label}\n" for label in labels).encode(),
            "names.txt": "".join(f"{index}\n" for index in range(classes)).encode(),
        },
        60,
    )
    return folder, f"{lists}/labels.txt", f"{lists}/names.txt"


def _pooled(runs: Sequence[BenchmarkRun], on: str, threads: int, cores: Sequence[int]) -> PhoneLatency:
    """One figure of all rounds; the mean's interval also covers what differs from round to round."""
    count = sum(run.runs for run in runs)
    mean = _mean(runs)
    spread = sum(run.runs * (run.deviation_ms**2 + (run.mean_ms - mean) ** 2) for run in runs) / count
    half = _half_width(runs)
    medians, upper = ([value for value in values if value is not None] for values in _percentiles(runs))
    memory = [run.memory_bytes for run in runs if run.memory_bytes is not None]
    return PhoneLatency(
        on=on,
        runtime="benchmark_model",
        threads=threads,
        affinity=tuple(cores),
        mean_ms=mean,
        low_ms=mean - half,
        high_ms=mean + half,
        tight=half <= TOLERANCE * mean,
        deviation_ms=math.sqrt(spread),
        min_ms=min(run.min_ms for run in runs),
        max_ms=max(run.max_ms for run in runs),
        median_ms=float(np.median(medians)) if medians else None,
        p95_ms=float(np.median(upper)) if upper else None,
        throughput_per_second=1e3 / mean,
        rounds=len(runs),
        runs=count,
        warm_up_runs=sum(run.warm_up_runs for run in runs),
        first_ms=runs[0].first_ms,
        load_ms=runs[0].load_ms,
        memory_bytes=max(memory) if memory else None,
        placement=runs[0].placement,
    )


def _percentiles(runs: Sequence[BenchmarkRun]) -> tuple[list[float | None], list[float | None]]:
    return [run.median_ms for run in runs], [run.p95_ms for run in runs]


def _mean(runs: Sequence[BenchmarkRun]) -> float:
    return sum(run.runs * run.mean_ms for run in runs) / sum(run.runs for run in runs)


def _half_width(runs: Sequence[BenchmarkRun]) -> float:
    """Half the 95% interval of the mean, from how the rounds' means scatter (Student's t)."""
    from_rounds = float(np.std([run.mean_ms for run in runs], ddof=1)) / math.sqrt(len(runs))
    return _STUDENT[min(len(runs) - 1, len(_STUDENT) - 1)] * from_rounds


def _width(runs: Sequence[BenchmarkRun]) -> float:
    return _half_width(runs) / _mean(runs)


def _around(states: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The phone before, during and after, in the agent's words."""
    clocks, heat = (_known(states, name) for name in ("frequency_mhz", "temperature_c"))
    warnings = []
    if clocks and max(clocks) - min(clocks) > _CLOCK_MOVED * max(clocks):
        warnings.append(f"the clock moved between {min(clocks):.0f} and {max(clocks):.0f} MHz")
    return {
        "before": dict(states[0]) if states else None,
        "during": {
            "frequency_mhz": [min(clocks), max(clocks)] if clocks else None,
            "temperature_c": [min(heat), max(heat)] if heat else None,
            "foreign_cores": None,
        },
        "after": dict(states[-1]) if states else None,
        "warnings": warnings,
        "peak_memory_bytes": None,
    }


def _known(states: Sequence[Mapping[str, Any]], name: str) -> list[float]:
    return [state[name] for state in states if state[name] is not None]
