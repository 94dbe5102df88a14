"""Measuring the models of a bundle again, on this machine or on a target."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from converters.artifact import Artifact
from converters.check import log_probabilities
from edgeffnet import imagesets
from edgeffnet.bundle.contents import CONTRACT, find_contract, require_trained
from edgeffnet.errors import DataError, TargetError, UsageError
from edgeffnet.instructions import Instructions, count
from edgeffnet.sustained import Sustained, seconds_of, sustain
from edgeffnet.targets.address import target as target_at
from edgeffnet.targets.local import LocalTarget
from edgeffnet.targets.qemu import EmulatedTarget
from edgeffnet.targets.target import Target
from edgeffnet.validation import (
    Accuracy,
    Comparison,
    Latency,
    accuracy,
    compare,
    latencies,
    missing_runtimes,
    raw_scores,
    runtime_notes,
    speed_verdict,
)
from edgeffnet.validation_images import from_set


@dataclass(frozen=True)
class Validation:
    """Latency of each model that runs on `target`, and its accuracy where images were given.

    On an emulated target there are `instructions` in place of latencies. `comparisons` sets the
    target's scores beside this machine's; it is empty where they are one. `not_run` gives the
    reason of each model that the target cannot run.
    """

    target: str
    latencies: dict[Artifact, Latency]
    accuracies: dict[Artifact, Accuracy]
    comparisons: dict[Artifact, Comparison]
    not_run: dict[Artifact, str]
    instructions: dict[Artifact, Instructions]
    sustained: Sustained | None
    notes: tuple[str, ...]
    machine: dict[str, Any]
    root: Path

    def to_dict(self) -> dict[str, Any]:
        return {
            "target": self.target,
            "machine": self.machine,
            "sustained": self.sustained.to_dict() if self.sustained else None,
            "notes": list(self.notes),
            "models": [
                {
                    **artifact.to_dict(self.root),
                    "latency": _plain(self.latencies.get(artifact)),
                    "instructions": _plain(self.instructions.get(artifact)),
                    "accuracy": _plain(self.accuracies.get(artifact)),
                    "comparison": _plain(self.comparisons.get(artifact)),
                    "not_run": self.not_run.get(artifact),
                }
                for artifact in (*self.latencies, *self.instructions, *self.not_run)
            ],
        }


def _plain(figure: Latency | Accuracy | Comparison | Instructions | None) -> dict[str, Any] | None:
    return figure.to_dict() if figure else None


def validate(
    path: Path,
    val: Path | None,
    *,
    targets: Sequence[str] = ("local",),
    threads: int | None = None,
    percentile: float = 90,
    mlperf: bool = False,
    strict: bool = False,
    require_delegated: bool = False,
    sustained: str | None = None,
    plot: Path | None = None,
) -> Validation:
    """Validates a bundle folder, or one model in it. Without fp32 model the int8 one is its own reference.

    Several `targets` share the images; latency is the first one's. `strict` makes a disturbed
    timing a TargetError, `require_delegated` an operator outside the accelerated path. `sustained`
    is a time such as "10m" for which the first int8 model runs without a pause; `plot` is the SVG
    that is drawn of it.
    """
    duration = None if sustained is None else seconds_of(sustained)
    models = _models(path)
    root = path if path.is_dir() else path.parent
    preprocessing, labels, _ = find_contract(models[0])
    artifacts = [find_contract(model)[2] for model in models]
    image = np.zeros((1, preprocessing.resolution, preprocessing.resolution, 3), np.uint8)
    if val is not None:
        require_trained(models[0])
    images = None if val is None else from_set(imagesets.read(val, labels), preprocessing)
    accuracies: dict[Artifact, Accuracy] = {}
    comparisons: dict[Artifact, Comparison] = {}
    with ExitStack() as stack:
        reached = [stack.enter_context(closing(target_at(name))) for name in targets]
        not_run = missing_runtimes(artifacts, reached[0])
        runnable = [artifact for artifact in artifacts if artifact not in not_run]
        if not runnable:
            raise TargetError(f"none of the models can run on {reached[0].name}: {next(iter(not_run.values()))}")
        image = image if images is None else images.pixels[:1]
        measured: dict[Artifact, Latency] = {}
        instructions: dict[Artifact, Instructions] = {}
        long: Sustained | None = None
        if isinstance(reached[0], EmulatedTarget):
            machine = {**reached[0].machine(), "warnings": []}
            instructions = {artifact: count(artifact, reached[0], preprocessing, image) for artifact in runnable}
        else:
            measured, machine = latencies(
                runnable, reached[0], preprocessing, image, threads=threads, percentile=percentile, mlperf=mlperf
            )
            if duration is not None:
                first = next((a for a in runnable if a.precision == "int8"), runnable[0])
                long = sustain(first, reached[0], preprocessing, image, seconds=duration, threads=threads)
        if images is not None:
            raw = raw_scores(runnable, reached, preprocessing, images.pixels, threads=threads)
            if any(not isinstance(there, LocalTarget) for there in reached):
                here = stack.enter_context(closing(_this_machine(reached[0])))
                also = [artifact for artifact in runnable if artifact not in missing_runtimes(runnable, here)]
                own = raw_scores(also, [here], preprocessing, images.pixels, threads=None)
                comparisons = {artifact: compare(own[artifact], raw[artifact]) for artifact in also}
            scores = {artifact: log_probabilities(raw[artifact], artifact.output) for artifact in runnable}
            reference = scores[next((a for a in runnable if a.precision == "fp32"), runnable[0])]
            accuracies = {artifact: accuracy(reference, scores[artifact], images) for artifact in runnable}
    if plot and long:
        plot.write_text(long.svg(), encoding="utf-8")
    if strict and machine["warnings"]:
        raise TargetError(f"{reached[0].name}: --strict: {'; '.join(machine['warnings'])}")
    if require_delegated:
        require_fast({**measured, **instructions})
    notes = (*machine["warnings"], *runtime_notes(measured), *speed_verdict(measured))
    if long:
        notes = (*notes, long.said(), *long.warnings)
    return Validation(targets[0], measured, accuracies, comparisons, not_run, instructions, long, notes, machine, root)


def _this_machine(there: Target) -> Target:
    """This machine, as near to the target as it can be: QEMU's interpreter has a version of its own."""
    return there.here() if isinstance(there, EmulatedTarget) else LocalTarget()


def require_fast(measured: Mapping[Artifact, Latency | Instructions]) -> None:
    """Raises TargetError for operators that ran outside the runtime's accelerated path, by name."""
    for artifact, latency in measured.items():
        place = latency.placement
        if place["operators"] is None:
            raise TargetError(f"{artifact.name}: {latency.runtime} does not tell where its operators run")
        if place["fell_out"]:
            which = ", ".join(f"{count} {name}" for name, count in place["fell_out"].items())
            raise TargetError(f"{artifact.name}: not accelerated in {latency.runtime}: {which}")


def _models(path: Path) -> list[Path]:
    if not path.exists():
        raise DataError(f"{path}: no such bundle or model")
    if path.is_file():
        return [path]
    try:
        names = json.loads((path / CONTRACT).read_text(encoding="utf-8"))["models"]
    except (OSError, ValueError, KeyError, TypeError):
        raise DataError(f"{path}: no {CONTRACT} that names models; this is not an edgeffnet bundle") from None
    if not names:
        raise UsageError(f"{path}: its {CONTRACT} names no model")
    return [path / name for name in names]
