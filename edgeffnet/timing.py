"""Latency of artefacts, timed on a target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from converters.artifact import Artifact
from edgeffnet.images import Preprocessing
from edgeffnet.targets.target import Progress, Target
from edgeffnet.validation import load_request, shards

# A percentile's interval within 2% of it ends its timing; a noisy machine ends it by the cap.
TOLERANCE = 0.02
SECONDS_PER_MODEL = 6.0
MAXIMUM_RUNS = 4000
# Of two networks whose ratio is wanted.
_SHORT_TURN_SECONDS = 0.1
_FEWEST_RUNS = 10


@dataclass(frozen=True)
class Latency:
    """Milliseconds of one inference, batch 1, measured: `value` is the `percentile` asked for.

    `low` and `high` bound it (95%); `tight` is False where the machine was too noisy to bring them
    within 2%. `first_ms` is the first inference, `load_ms` the loading before it, `memory_bytes`
    what loading added to the process. `affinity` is the cores it was kept on. `outliers` counts
    the runs beyond three deviations of the median; they are in every figure. `placement` says how
    many of the model's operators ran in the runtime's accelerated path, and which did not.
    `quantiles_ms` tells the distribution: milliseconds by percent of the runs, "0" being the fastest.
    """

    on: str
    runtime: str
    threads: int
    percentile: float
    value_ms: float
    low_ms: float
    high_ms: float
    tight: bool
    p50_ms: float
    p90_ms: float
    p99_ms: float
    mean_ms: float
    deviation_ms: float
    max_ms: float
    outliers: int
    throughput_per_second: float
    runs: int
    warm_up_runs: int
    first_ms: float
    load_ms: float
    memory_bytes: int
    affinity: tuple[int, ...]
    placement: dict[str, Any]
    kind: str = "measured"
    quantiles_ms: dict[str, float] = field(default_factory=dict)

    @property
    def typical_ms(self) -> float:
        """The median."""
        return self.p50_ms

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


class Timed(Protocol):
    """A latency, however it was measured."""

    @property
    def runtime(self) -> str: ...

    @property
    def typical_ms(self) -> float: ...


def latencies(
    artifacts: Sequence[Artifact],
    target: Target,
    preprocessing: Preprocessing,
    image: NDArray[np.uint8],
    *,
    threads: int | None,
    percentile: float,
    mlperf: bool = False,
    tolerance: float = TOLERANCE,
    seconds: float = SECONDS_PER_MODEL,
    pace_ms: float | None = None,
    progress: Progress | None = None,
) -> tuple[dict[Artifact, Latency], dict[str, Any]]:
    """Latency of each artefact, timed in turns in one process; and the machine's state around it.

    `image` is uint8 (1, h, w, 3). Without `threads`, one for each of the target's fastest cores.
    `mlperf` is MLPerf's single stream: 1,024 inferences and 60 s of each, no less and no more than
    both ask for, 90th percentile. Otherwise a model is done when its interval is within `tolerance`,
    or `seconds` for each are used up. `pace_ms` is the least that the target's fixed calculation is known
    to take (`patience`): a virtual machine that is slower waits, for up to three times as long.
    Raises TargetError when the target fails or takes too long.
    """
    cap = seconds * len(artifacts)
    timing: dict[str, Any] = {
        "percentile": percentile,
        "tolerance": tolerance,
        "max_seconds": cap,
        "max_runs": MAXIMUM_RUNS,
        "pace_ms": pace_ms,
    }
    if mlperf:
        cap = 600.0 * len(artifacts)
        timing.update(percentile=90, min_runs=1024, min_seconds=60, until_tight=False, max_seconds=cap, max_runs=10**6)
    machine, cores, *loaded, timed = _timed(artifacts, target, preprocessing, [image], threads, timing, progress)
    fields = set(Latency.__dataclass_fields__)
    made = {
        artifact: Latency(
            on=machine["cpu"],
            threads=cores["threads"],
            affinity=tuple(cores["affinity"]),
            **load,
            **{key: value for key, value in times.items() if key in fields},
        )
        for artifact, load, times in zip(artifacts, loaded, timed["models"].values(), strict=True)
    }
    around = {key: timed[key] for key in ("before", "during", "after", "warnings", "peak_memory_bytes")}
    return made, {**machine, **around}


def times_as_long(
    net: Artifact,
    base: Artifact,
    target: Target,
    preprocessing: Preprocessing,
    images: tuple[NDArray[np.uint8], NDArray[np.uint8]],
    *,
    threads: int | None,
    seconds: float,
) -> float:
    """How many times as long an inference of `net` takes as one of `base`, timed in turns for `seconds` each.

    The median of what each pair of turns says by itself: a machine that changes its pace between them moves a few
    of the pairs, where it would move the ratio of two medians over all turns by much more. `images` are uint8
    (1, h, w, 3), of `net` and of `base`. Raises TargetError as `latencies` does.
    """
    timing = {
        "percentile": 50,
        "tolerance": TOLERANCE,
        "turn_seconds": _SHORT_TURN_SECONDS,
        "min_runs": _FEWEST_RUNS,
        "min_seconds": seconds,
        "until_tight": False,
        "max_seconds": 4 * seconds,
        "max_runs": 10**6,
    }
    *_, timed = _timed([net, base], target, preprocessing, images, threads, timing, None)
    # The one that is done first leaves the other alone.
    pairs = zip(*timed["turns_ms"].values(), strict=False)
    return float(median(net_ms / base_ms for net_ms, base_ms in pairs))


def _timed(
    artifacts: Sequence[Artifact],
    target: Target,
    preprocessing: Preprocessing,
    images: Sequence[NDArray[np.uint8]],
    threads: int | None,
    timing: Mapping[str, Any],
    progress: Progress | None,
) -> list[dict[str, Any]]:
    """The agent's answers: the machine, the cores, a loading for each artefact, and the times.

    `images` has one for all artefacts, or one for each.
    """
    names = [f"{index} {artifact.name}" for index, artifact in enumerate(artifacts)]
    loads = [load_request(target, artifact, name) for artifact, name in zip(artifacts, names, strict=True)]
    with ExitStack() as stack:
        inputs = [target.push(stack.enter_context(shards(image))[0]) for image in images]
        requests: list[dict[str, Any]] = [
            {"do": "hello"},
            {"do": "cores", "threads": threads},
            *loads,
            {
                "do": "latency",
                "names": names,
                "inputs": inputs * len(names) if len(inputs) == 1 else inputs,
                "mean": preprocessing.mean,
                "std": preprocessing.std,
                **timing,
            },
        ]
        return target.run(requests, timeout=120 + 4 * timing["max_seconds"], progress=progress)


def runtime_notes(latencies: Mapping[Artifact, Latency]) -> tuple[str, ...]:
    """What has to be known of the runtimes that ran."""
    return tuple(
        f"{runtime} has other int8 kernels than LiteRT and no XNNPACK for int8: scores and speed differ from LiteRT's"
        for runtime in dict.fromkeys(latency.runtime for latency in latencies.values())
        if runtime.startswith("tflite-runtime")
    )


def speed_verdict(latencies: Mapping[Artifact, Timed]) -> tuple[str, ...]:
    """A sentence for each format whose int8 model is not faster than its fp32 model here."""
    notes = []
    by_key = {(artifact.format, artifact.precision): latency for artifact, latency in latencies.items()}
    for (form, precision), latency in by_key.items():
        other = by_key.get((form, "fp32"))
        if precision == "int8" and other and latency.typical_ms >= other.typical_ms:
            notes.append(
                f"int8 is not faster than fp32 here in {latency.runtime}: "
                f"{latency.typical_ms:.2f} ms against {other.typical_ms:.2f} ms"
            )
    return tuple(notes)
