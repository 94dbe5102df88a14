"""Google's `benchmark_model`: how it is called, and what its output says.

The parser was written against output captured by others (tests/edgeffnet/test_benchmark_model.py); it was
never run against a phone. So it is strict: what it does not know is an error and not a guess.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from edgeffnet.errors import TargetError

WARM_UP_RUNS = 5
WARM_UP_SECONDS = 0.5

# A log's own prefix: none, a level, or Android's time, tag and process.
_PREFIX = re.compile(r"^(?:(?:INFO|VERBOSE|WARNING): |\d\d-\d\d [\d:.]+ [VIW]/\S+\s*\( *\d+\): )?")
_NUMBER = r"(\d+(?:\.\d+)?(?:e[+-]?\d+)?)"
_RUNNING = re.compile(r"Running benchmark for at least \d+ iterations and at least .* seconds\b.*")
_ONE_RUN = re.compile(rf"count=1 curr={_NUMBER}(?: p5={_NUMBER} median={_NUMBER} p95={_NUMBER})?")
_RUNS = re.compile(
    rf"count=(\d+) first={_NUMBER} curr={_NUMBER} min={_NUMBER} max={_NUMBER} avg={_NUMBER} std={_NUMBER}"
    rf"(?: p5={_NUMBER} median={_NUMBER} p95={_NUMBER})?"
)
_TIMINGS = re.compile(
    rf"Inference timings in us: Init: {_NUMBER}, First inference: {_NUMBER}, Warmup \(avg\): {_NUMBER}, "
    rf"Inference \(avg\): {_NUMBER}"
)
_MEMORY = re.compile(rf"Memory footprint delta from the start of the tool \(MB\): init={_NUMBER} overall={_NUMBER}")
_THREADS = re.compile(r"(?:#threads used for CPU inference|Num threads): \[(\d+)\]")
_REPLACED = re.compile(
    r"Replacing (\d+) out of (\d+) node\(s\) with delegate \(TfLiteXNNPackDelegate\) node, "
    r"yielding (\d+) partitions for .*"
)
_APPLIED = re.compile(
    r"Explicitly applied XNNPACK delegate, and the model graph will be "
    r"(completely|partially) executed by the delegate(?: w/ (\d+) delegate kernels)?\."
)
_FAILURES = ("ERROR:", "Benchmarking failed", "Failed to ", "error:", "Aborted", "Segmentation fault")


@dataclass(frozen=True)
class BenchmarkRun:
    """What one run of the tool says: milliseconds of single inferences, batch 1, and where operators ran.

    `threads` is None where it does not say, `median_ms` and `p95_ms` in versions that print none.
    `memory_bytes` is what the
    model added to the process by the end. `placement` has the keys of the agent's.
    """

    threads: int | None
    load_ms: float
    first_ms: float
    warm_up_runs: int
    runs: int
    mean_ms: float
    deviation_ms: float
    min_ms: float
    max_ms: float
    median_ms: float | None
    p95_ms: float | None
    memory_bytes: int | None
    placement: dict[str, Any]


def flags(model: str, threads: int, runs: int, seconds: float, most: float) -> tuple[str, ...]:
    """The tool's arguments for at least `runs` inferences and `seconds`, but no more than `most` seconds."""
    return (
        f"--graph={model}",
        f"--num_threads={threads}",
        "--use_xnnpack=true",
        f"--warmup_runs={WARM_UP_RUNS}",
        f"--warmup_min_secs={WARM_UP_SECONDS:g}",
        f"--num_runs={runs}",
        f"--min_secs={seconds:g}",
        f"--max_secs={most:g}",
    )


def parse(output: str) -> BenchmarkRun:
    """Reads the tool's output. Raises TargetError for a failure it tells, and for anything unexpected."""
    lines = [_PREFIX.sub("", line.strip(), count=1).strip() for line in output.splitlines() if line.strip()]
    for line in lines:
        if line.startswith(_FAILURES):
            raise TargetError(f"benchmark_model failed: {line}")
    started = [index for index, line in enumerate(lines) if _RUNNING.fullmatch(line)]
    if len(started) != 2:
        raise _unknown(f"{len(started)} series of runs in place of a warm-up and a timing")
    warm_up, timed = (_series(lines[index + 1] if index + 1 < len(lines) else "") for index in started)
    load, first, _, mean = (float(value) for value in _only(_TIMINGS, lines, "line of inference timings").groups())
    if not _agree(mean, timed.mean) or not _agree(first, warm_up.first):
        raise _unknown("its summary and its series differ")
    if not timed.least <= timed.mean <= timed.most:
        raise _unknown("a mean outside of its own bounds")
    memory = next((found for line in lines if (found := _MEMORY.fullmatch(line))), None)
    return BenchmarkRun(
        threads=_threads(lines),
        load_ms=load / 1e3,
        first_ms=first / 1e3,
        warm_up_runs=warm_up.count,
        runs=timed.count,
        mean_ms=timed.mean / 1e3,
        deviation_ms=timed.deviation / 1e3,
        min_ms=timed.least / 1e3,
        max_ms=timed.most / 1e3,
        median_ms=None if timed.median is None else timed.median / 1e3,
        p95_ms=None if timed.p95 is None else timed.p95 / 1e3,
        memory_bytes=None if memory is None else int(float(memory[2]) * (1 << 20)),
        placement=_placement(lines),
    )


@dataclass(frozen=True)
class _Series:
    """Microseconds of the inferences that one line sums up."""

    count: int
    first: float
    least: float
    most: float
    mean: float
    deviation: float
    median: float | None
    p95: float | None


def _series(line: str) -> _Series:
    one = _ONE_RUN.fullmatch(line)
    if one:
        value = float(one[1])
        percentile = None if one[2] is None else value
        return _Series(1, value, value, value, value, 0.0, percentile, percentile)
    many = _RUNS.fullmatch(line)
    if not many:
        raise _unknown(f"no summary of runs in {line[:100]!r}")
    first, _, least, most, mean, deviation = (float(value) for value in many.groups()[1:7])
    _, median, p95 = (None if value is None else float(value) for value in many.groups()[7:])
    return _Series(int(many[1]), first, least, most, mean, deviation, median, p95)


def _only(pattern: re.Pattern[str], lines: list[str], what: str) -> re.Match[str]:
    found = [match for line in lines if (match := pattern.fullmatch(line))]
    if len(found) != 1:
        raise _unknown(f"{len(found)} times the {what}")
    return found[0]


def _threads(lines: list[str]) -> int | None:
    told = {int(found[1]) for line in lines if (found := _THREADS.fullmatch(line))}
    if len(told) > 1:
        raise _unknown(f"threads {sorted(told)}")
    return told.pop() if told else None


def _placement(lines: list[str]) -> dict[str, Any]:
    """How much of the graph XNNPACK took, in the words of either kind of log."""
    found: dict[str, Any] = {"operators": None, "fast": None, "partitions": None, "fell_out": {}, "path": None}
    for line in lines:
        if replaced := _REPLACED.fullmatch(line):
            fast, operators, partitions = (int(value) for value in replaced.groups())
            found.update(operators=operators, fast=fast, partitions=partitions, path="XNNPACK")
            if fast < operators:
                found["fell_out"] = {"not named": operators - fast}
        elif (applied := _APPLIED.fullmatch(line)) and found["path"] is None:
            kernels = 1 if applied[1] == "completely" else int(applied[2] or 0)
            found.update(partitions=kernels, path="XNNPACK")
            if applied[1] == "partially":
                found["fell_out"] = {"not named": None}
    return found


def _agree(first: float, second: float) -> bool:
    """Equal, to the six digits that are printed."""
    return abs(first - second) <= 2e-5 * max(first, second)


def _unknown(what: str) -> TargetError:
    return TargetError(f"benchmark_model's output is not understood: {what}")
