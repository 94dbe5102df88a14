"""Measuring the models of a bundle again, on this machine or on a target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from converters.artifact import Artifact
from converters.check import log_probabilities
from edgeffnet import imagesets, phone_validation
from edgeffnet.budget import seconds as seconds_in
from edgeffnet.bundle.contents import CONTRACT, bundle_of, find_contract, models_of, require_trained
from edgeffnet.errors import DataError, TargetError, UsageError
from edgeffnet.images import Preprocessing
from edgeffnet.instructions import Instructions, count
from edgeffnet.phone_validation import PhoneAccuracy, PhoneLatency
from edgeffnet.report import files, schema
from edgeffnet.report.document import document
from edgeffnet.report.plots import canvas
from edgeffnet.report.plots import sustained as sustained_plot
from edgeffnet.report.progress import Steps
from edgeffnet.sustained import Sustained, sustain
from edgeffnet.targets import address
from edgeffnet.targets.local import LocalTarget
from edgeffnet.targets.phone import Phone
from edgeffnet.targets.qemu import EmulatedTarget
from edgeffnet.targets.remote import RemoteTarget
from edgeffnet.targets.target import Target
from edgeffnet.timing import Latency, latencies, runtime_notes, speed_verdict
from edgeffnet.validation import Accuracy, Comparison, accuracy, compare, load_request, missing_runtimes, raw_scores
from edgeffnet.validation_images import ValidationImages, from_set

Figure = Latency | PhoneLatency | Accuracy | PhoneAccuracy | Comparison | Instructions


@dataclass(frozen=True)
class Validation:
    """Latency of each model that runs on `target`, and its accuracy where images were given.

    On an emulated target there are `instructions` in place of latencies, on a phone without Python
    `phone_latencies` and `phone_accuracies` in place of both. `comparisons` sets the target's scores
    beside this machine's; it is empty where they are one. `not_run` gives the reason of each model
    that the target cannot run, `not_measured` that of each whose accuracy is not known.
    """

    target: str
    notes: tuple[str, ...]
    machine: dict[str, Any]
    root: Path
    latencies: Mapping[Artifact, Latency] = field(default_factory=dict)
    accuracies: Mapping[Artifact, Accuracy] = field(default_factory=dict)
    not_run: Mapping[Artifact, str] = field(default_factory=dict)
    not_measured: Mapping[Artifact, str] = field(default_factory=dict)
    comparisons: Mapping[Artifact, Comparison] = field(default_factory=dict)
    instructions: Mapping[Artifact, Instructions] = field(default_factory=dict)
    phone_latencies: Mapping[Artifact, PhoneLatency] = field(default_factory=dict)
    phone_accuracies: Mapping[Artifact, PhoneAccuracy] = field(default_factory=dict)
    sustained: Sustained | None = None
    seconds: Mapping[str, float] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain data as `report.json` holds it; paths are relative to `root`."""
        body = {
            "target": self.target,
            "machine": self.machine,
            "sustained": self.sustained.to_dict() if self.sustained else None,
            "notes": list(self.notes),
            "models": [
                {
                    **artifact.to_dict(self.root),
                    "latency": _plain(self.latencies.get(artifact) or self.phone_latencies.get(artifact)),
                    "instructions": _plain(self.instructions.get(artifact)),
                    "accuracy": _plain(self.accuracies.get(artifact) or self.phone_accuracies.get(artifact)),
                    "comparison": _plain(self.comparisons.get(artifact)),
                    "not_run": self.not_run.get(artifact),
                    "accuracy_not_measured": self.not_measured.get(artifact),
                }
                for artifact in (*self.latencies, *self.phone_latencies, *self.instructions, *self.not_run)
            ],
            "seconds": {name: round(taken, 3) for name, taken in self.seconds.items()},
        }
        return document("validate", body)


def _plain(figure: Figure | None) -> dict[str, Any] | None:
    return figure.to_dict() if figure else None


@dataclass(frozen=True)
class _Asked:
    """How to time on `target`; `seconds` is the length of a sustained run, None for none."""

    target: str
    threads: int | None
    percentile: float
    mlperf: bool
    strict: bool
    require_delegated: bool
    seconds: float | None


@dataclass(frozen=True)
class _Subject:
    """The models of one bundle, and the images they are held against, where there are any."""

    artifacts: Sequence[Artifact]
    preprocessing: Preprocessing
    classes: int
    images: ValidationImages | None
    root: Path


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
    output: Path | None = None,
    steps: Steps | None = None,
) -> Validation:
    """Validates a bundle folder, or one model in it. Without fp32 model the int8 one is its own reference.

    Several `targets`, of one kind, share the images; latency is the first one's. `strict` makes a
    disturbed timing a TargetError, `require_delegated` an operator outside the accelerated path.
    `sustained` is a time such as "10m" for which the first int8 model runs without a pause; `plot`
    is the SVG that is drawn of it, `sustained.svg` where none is named. `output` is a folder for
    report.json and report.html.
    """
    seconds = None if sustained is None else seconds_in(sustained, "--sustained")
    asked = _Asked(" and ".join(targets), threads, percentile, mlperf, strict, require_delegated, seconds)
    drawing = _plot(plot, sustained)
    if output is not None:
        files.require_usable(output)
    models = _models(path)
    root = path if path.is_dir() else path.parent
    schema.require_readable(bundle_of(models[0]) or root)
    artifacts = [find_contract(model)[2] for model in models]
    if val is not None:
        require_trained(models[0])
    steps = steps or Steps()
    with ExitStack() as stack:
        reached = [stack.enter_context(closing(address.target(name))) for name in targets]
        phone = reached[0] if isinstance(reached[0], Phone) else None
        if phone and (len(reached) > 1 or asked.mlperf or asked.seconds is not None):
            raise UsageError(f"--target {phone.name}: benchmark_model takes no --mlperf, --sustained or second target")
        preprocessing, labels, _ = find_contract(models[0])
        images = None if val is None else from_set(imagesets.read(val, labels), preprocessing)
        subject = _Subject(artifacts, preprocessing, len(labels), images, root)
        found = _on_phone(subject, phone, asked, steps) if phone else _on_target(subject, reached, asked, steps, stack)
    if drawing and found.sustained:
        drawing.write_text(sustained_plot.svg(found.sustained.to_dict(), found.sustained.said()), encoding="utf-8")
    if output is not None:
        files.write(output, found.to_dict())
    return found


def _on_target(
    subject: _Subject, reached: Sequence[RemoteTarget], asked: _Asked, steps: Steps, stack: ExitStack
) -> Validation:
    artifacts, preprocessing, images = subject.artifacts, subject.preprocessing, subject.images
    with steps(f"Reaching {' and '.join(there.name for there in reached)}"):
        not_run = {artifact: why for there in reached for artifact, why in missing_runtimes(artifacts, there).items()}
        runnable = [artifact for artifact in artifacts if artifact not in not_run]
        if not runnable:
            raise TargetError(f"none of the models can run on {reached[0].name}: {next(iter(not_run.values()))}")
        _require_one_kind(runnable[0], reached)
    blank = np.zeros((1, preprocessing.resolution, preprocessing.resolution, 3), np.uint8)
    image = blank if images is None else images.pixels[:1]
    measured: dict[Artifact, Latency] = {}
    instructions: dict[Artifact, Instructions] = {}
    long: Sustained | None = None
    if isinstance(reached[0], EmulatedTarget):
        machine = {**reached[0].machine(), "warnings": []}
        with steps("Counting instructions"):
            instructions = {artifact: count(artifact, reached[0], preprocessing, image) for artifact in runnable}
    else:
        with steps("Measuring latency"):
            measured, machine = latencies(
                runnable,
                reached[0],
                preprocessing,
                image,
                threads=asked.threads,
                percentile=asked.percentile,
                mlperf=asked.mlperf,
                progress=steps.advance,
            )
        if asked.seconds is not None:
            first = next((a for a in runnable if a.precision == "int8"), runnable[0])
            with steps("Running without a pause"):
                long = sustain(
                    first,
                    reached[0],
                    preprocessing,
                    image,
                    seconds=asked.seconds,
                    threads=asked.threads,
                    progress=steps.advance,
                )
    warnings = tuple(dict.fromkeys((*machine["warnings"], *(long.warnings if long else ()))))
    _judge(reached[0].name, warnings, {**measured, **instructions}, asked)
    accuracies: dict[Artifact, Accuracy] = {}
    comparisons: dict[Artifact, Comparison] = {}
    if images is not None:
        with steps("Running the models over the images"):
            raw = raw_scores(
                runnable, reached, preprocessing, images.pixels, threads=asked.threads, progress=steps.advance
            )
        if any(not isinstance(there, LocalTarget) for there in reached):
            here = stack.enter_context(closing(_this_machine(reached[0])))
            with steps("Running them here too, to compare"):
                also = [artifact for artifact in runnable if artifact not in missing_runtimes(runnable, here)]
                own = raw_scores(also, [here], preprocessing, images.pixels, threads=None, progress=steps.advance)
            comparisons = {artifact: compare(own[artifact], raw[artifact]) for artifact in also}
        scores = {artifact: log_probabilities(raw[artifact], artifact.output) for artifact in runnable}
        reference = scores[next((a for a in runnable if a.precision == "fp32"), runnable[0])]
        accuracies = {artifact: accuracy(reference, scores[artifact], images) for artifact in runnable}
    return Validation(
        target=asked.target,
        latencies=measured,
        accuracies=accuracies,
        notes=(
            *warnings,
            *runtime_notes(measured),
            *speed_verdict(measured),
            *((long.said(),) if long else ()),
        ),
        machine=machine,
        root=subject.root,
        not_run=not_run,
        comparisons=comparisons,
        instructions=instructions,
        sustained=long,
        seconds=steps.seconds,
    )


def _on_phone(subject: _Subject, phone: Phone, asked: _Asked, steps: Steps) -> Validation:
    not_run = {a: "benchmark_model runs only .tflite models" for a in subject.artifacts if a.format != "tflite"}
    runnable = [artifact for artifact in subject.artifacts if artifact not in not_run]
    if not runnable:
        raise TargetError(f"{phone.name}: none of the models can run: {next(iter(not_run.values()))}")
    with steps("Measuring latency"):
        measured, machine = phone_validation.timed(runnable, phone, threads=asked.threads, progress=steps.advance)
    _judge(phone.name, tuple(machine["warnings"]), measured, asked)
    accuracies: dict[Artifact, PhoneAccuracy] = {}
    not_measured: dict[Artifact, str] = {}
    if subject.images is not None:
        with steps("Evaluating on the phone"):
            accuracies, not_measured = phone_validation.accuracies(
                runnable,
                phone,
                subject.preprocessing,
                subject.images,
                classes=subject.classes,
                threads=next(iter(measured.values())).threads,
            )
    notes = (*machine["warnings"], *speed_verdict(measured), *phone_validation.NOTES)
    return Validation(
        target=asked.target,
        notes=notes,
        machine=machine,
        root=subject.root,
        not_run=not_run,
        not_measured=not_measured,
        phone_latencies=measured,
        phone_accuracies=accuracies,
        seconds=steps.seconds,
    )


def _require_one_kind(artifact: Artifact, reached: Sequence[RemoteTarget]) -> None:
    """Raises UsageError for targets that would answer for each other with other arithmetic."""
    kinds = {}
    for there in reached if len(reached) > 1 else ():
        machine, loaded = there.run([{"do": "hello"}, load_request(there, artifact, artifact.name)], timeout=120)
        kinds[there.name] = (loaded["runtime"], machine["architecture"], machine["cpu"])
    if len(set(kinds.values())) > 1:
        told = "; ".join(f"{name} has {', '.join(kind)}" for name, kind in kinds.items())
        raise UsageError(f"--target: those that share the images must be of one kind: {told}")


def _judge(
    name: str,
    warnings: Sequence[str],
    measured: Mapping[Artifact, Latency | PhoneLatency | Instructions],
    asked: _Asked,
) -> None:
    """Raises TargetError where --strict or --require-delegated forbid what was seen."""
    if asked.strict and warnings:
        raise TargetError(f"{name}: --strict: {'; '.join(warnings)}")
    if asked.require_delegated:
        require_fast(measured)


def _this_machine(there: Target) -> RemoteTarget:
    """This machine, as near to the target as it can be: QEMU's interpreter has a version of its own."""
    return there.here() if isinstance(there, EmulatedTarget) else LocalTarget()


def require_fast(measured: Mapping[Artifact, Latency | PhoneLatency | Instructions]) -> None:
    """Raises TargetError for operators that ran outside the runtime's accelerated path, by name."""
    for artifact, figure in measured.items():
        place = figure.placement
        if place["path"] is None and place["operators"] is None:
            raise TargetError(f"{artifact.name}: {figure.runtime} does not tell where its operators run")
        if place["fell_out"]:
            which = ", ".join(f"{count or 'some'} {name}" for name, count in place["fell_out"].items())
            raise TargetError(f"{artifact.name}: not accelerated in {figure.runtime}: {which}")


def _plot(plot: Path | None, sustained: str | None) -> Path | None:
    """Where the sustained run is drawn, None where it is not; UsageError before the long run and not after it."""
    if sustained is None:
        if plot is not None:
            raise UsageError("--plot draws a sustained run: give --sustained too, such as 10m")
        return None
    if plot is not None:
        canvas.require_library("--plot")
    drawing = plot or Path("sustained.svg")
    if drawing.is_dir() or not drawing.resolve().parent.is_dir():
        raise UsageError(f"--plot {drawing}: not a file in a folder that exists")
    return drawing if canvas.available() else None


def _models(path: Path) -> list[Path]:
    if not path.exists():
        raise DataError(f"{path}: no such bundle or model")
    if path.is_file():
        return [path]
    found = models_of(path)
    if not found:
        raise UsageError(f"{path}: its {CONTRACT} names no model")
    return found
