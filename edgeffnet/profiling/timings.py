"""Timings of the subjects on a target, in rounds, written down as they come so that none is made twice."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from edgeffnet import stand_ins
from edgeffnet.patience import Patience
from edgeffnet.profiling.design import Subject
from edgeffnet.targets.target import Target
from edgeffnet.timing import latencies

ROUNDS = 3
# Of each model in each round, and the tolerance that ends it sooner.
_SECONDS, _TOLERANCE = 0.5, 0.02
# One fp32 inference on one thread longer than this, by the multiply-adds of what was timed before, is not waited for.
_LONGEST_MS = 1500.0


@dataclass(frozen=True)
class Timing:
    """One round of one artefact: milliseconds of one inference at batch 1."""

    model: str
    precision: str
    threads: int
    round: int
    mean_ms: float
    p90_ms: float
    runs: int
    runtime: str
    path: str


class Log:
    """The timings made so far, a line each in a file; one of another machine or runtime is begun anew."""

    def __init__(self, path: Path, identity: str) -> None:
        self.path = path
        self.timings: list[Timing] = []
        lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
        if lines and lines[0] == identity:
            self.timings = list(_read(lines[1:]))
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(identity + "\n", encoding="utf-8")
        self.resumed = len(self.timings)

    def has(self, model: str, threads: int, number: int) -> bool:
        """Whether both precisions were timed in that round."""
        key = (model, threads, number)
        return sum((timing.model, timing.threads, timing.round) == key for timing in self.timings) == 2

    def add(self, made: Sequence[Timing]) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write("".join(json.dumps(asdict(timing)) + "\n" for timing in made))
        self.timings += made


@dataclass(frozen=True)
class Taken:
    """What all rounds gave one artefact: the median of the rounds' means and of their p90 over mean."""

    model: str
    precision: str
    threads: int
    ms: float
    p90_over_mean: float


def time_all(
    subjects: Sequence[Subject],
    thread_counts: Sequence[int],
    target: Target,
    log: Log,
    note: Callable[[int, int, str], None],
) -> tuple[tuple[Taken, ...], tuple[str, ...]]:
    """Each subject in fp32 and int8, in `ROUNDS` rounds over all of them; and the models too slow to wait for.

    `subjects` come smallest first. Raises TargetError when the target fails.
    """
    kept: list[Subject] = []
    patience = Patience(len(subjects))
    skipped: list[str] = []
    total, done = ROUNDS * len(subjects) * len(thread_counts), 0
    for number in range(ROUNDS):
        for subject in subjects if number == 0 else kept:
            if number == 0 and _expected_ms(subject, log.timings, kept) > _LONGEST_MS:
                skipped.append(subject.model)
                total -= ROUNDS * len(thread_counts)
                continue
            for threads in thread_counts:
                note(done, total, f"{subject.model}, {threads} thread{'s' if threads > 1 else ''}")
                if not log.has(subject.model, threads, number):
                    log.add(_timed(subject, threads, number, target, patience))
                done += 1
            if number == 0:
                kept.append(subject)
    note(total, total, "done")
    return tuple(_taken(log.timings, kept)), tuple(skipped)


def _timed(subject: Subject, threads: int, number: int, target: Target, patience: Patience) -> list[Timing]:
    architecture = subject.architecture
    artifacts = stand_ins.make(architecture)
    preprocessing, image = stand_ins.contract(architecture)
    found = patience.timed(
        lambda: latencies(
            list(artifacts.values()),
            target,
            preprocessing,
            image,
            threads=threads,
            percentile=90,
            tolerance=_TOLERANCE,
            seconds=_SECONDS,
            pace_ms=patience.pace_ms,
        )
    )
    return [
        Timing(
            model=subject.model,
            precision=artifact.precision,
            threads=threads,
            round=number,
            mean_ms=latency.mean_ms,
            p90_ms=latency.p90_ms,
            runs=latency.runs,
            runtime=latency.runtime,
            path=latency.placement["path"] or "builtin",
        )
        for artifact, latency in found.items()
    ]


def _expected_ms(subject: Subject, timings: Sequence[Timing], timed: Sequence[Subject]) -> float:
    """Of one fp32 inference on one thread, by its multiply-adds; 0 where nothing was timed."""
    if not timed:
        return 0.0
    largest = timed[-1]
    ms = max(t.mean_ms for t in timings if t.model == largest.model and t.precision == "fp32")
    return ms * subject.macs / largest.macs


def _taken(timings: Sequence[Timing], subjects: Sequence[Subject]) -> Iterable[Taken]:
    for subject in subjects:
        own = [timing for timing in timings if timing.model == subject.model]
        for precision, threads in sorted({(timing.precision, timing.threads) for timing in own}):
            rounds = [timing for timing in own if (timing.precision, timing.threads) == (precision, threads)]
            yield Taken(
                model=subject.model,
                precision=precision,
                threads=threads,
                ms=median(timing.mean_ms for timing in rounds),
                p90_over_mean=median(timing.p90_ms / timing.mean_ms for timing in rounds),
            )


def _read(lines: Iterable[str]) -> Iterable[Timing]:
    """Lines that are whole: the last may have been cut off."""
    for line in lines:
        try:
            fields: dict[str, Any] = json.loads(line)
            yield Timing(**fields)
        except (ValueError, TypeError):
            return
