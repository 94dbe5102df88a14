"""The few layers of an int8 artefact that stay in float so that an accuracy floor is met."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from converters.artifact import Artifact
from converters.check import Scores, log_probabilities
from edgeffnet import floors
from edgeffnet.budget import Budget
from edgeffnet.report.progress import Steps
from edgeffnet.targets.target import Target
from edgeffnet.timing import Latency, latencies
from edgeffnet.validation import Accuracy, accuracy, scores_of_shards
from edgeffnet.validation_images import ValidationImages

if TYPE_CHECKING:
    from calib.sensitivity import Unit
    from edgeffnet.production import Checked, Producer


@dataclass(frozen=True)
class MixedPrecision:
    """What was left in float in the artefact called `artifact`, and what that bought and cost.

    `layers` are names in the Keras model, of `of` that could be quantized. `integer` is the accuracy
    of the all-integer model on the same images, `integer_ms` and `mixed_ms` the median latencies of
    both, timed in turns `on` a machine. `met` says whether the floors are.
    """

    artifact: str
    layers: tuple[str, ...]
    of: int
    met: bool
    integer: Accuracy
    integer_ms: float
    mixed_ms: float
    on: str
    calibration_source: str

    def said(self) -> str:
        """In words."""
        return (
            f"{self.artifact}: {len(self.layers)} of {self.of} layers stay in float ({', '.join(self.layers)}): with "
            f"all in int8 it agrees with fp32 on {self.integer.agreement.value:.2%}; median {self.mixed_ms:.2f} ms "
            f"instead of {self.integer_ms:.2f} ms on {self.on}. Which layers was decided on {self.calibration_source}, "
            "how many by the images the floor is held against"
        )

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Mixed:
    """The artefact in mixed precision that took the all-integer one's place, and its figures."""

    checked: Checked
    accuracy: Accuracy
    latency: Latency
    precision: MixedPrecision


@dataclass(frozen=True)
class Bench:
    """Where and on what artefacts are tried; `reference` are fp32's log-probabilities on `images`.

    `files` are the shards of those images.
    """

    target: Target
    images: ValidationImages
    files: Sequence[Path]
    reference: Scores
    threads: int | None
    percentile: float
    steps: Steps

    def accuracy(self, producer: Producer, artifact: Artifact) -> Accuracy:
        """`artifact`'s predictions beside the reference's."""
        raw = scores_of_shards(
            [artifact],
            [self.target],
            producer.contract,
            self.files,
            threads=self.threads,
            progress=self.steps.advance,
        )[artifact]
        return accuracy(self.reference, log_probabilities(raw, artifact.output), self.images)


def leave_in_float(
    producer: Producer, found: Mapping[Artifact, Accuracy], budget: Budget, bench: Bench
) -> dict[Artifact, Mixed]:
    """Replaces each int8 artefact of `found` that misses a floor by the cheapest mixed one found that meets all.

    Where none meets them, the one that comes nearest is taken, unless that is the one in int8 throughout.
    """
    made = {}
    for artifact, integer in found.items():
        if artifact.precision == "int8" and floors.margin(integer, budget) < 0:
            search = _tflite if artifact.format == "tflite" else _openvino
            with bench.steps(f"Looking for layers of {artifact.name} to leave in float"):
                chosen = search(producer, integer, budget, bench)
            if chosen:
                made[artifact] = _settled(producer, artifact, integer, chosen, budget, bench)
    return made


@dataclass(frozen=True)
class _Chosen:
    checked: Checked
    accuracy: Accuracy
    layers: tuple[str, ...]
    of: int


class _Trials:
    """Mixed artefacts made by `make` from the tensors in float and a number, and how near each comes to the floors."""

    def __init__(
        self,
        make: Callable[[frozenset[str], int], Checked],
        producer: Producer,
        integer: Accuracy,
        budget: Budget,
        bench: Bench,
    ) -> None:
        self._make, self._producer, self._budget, self._bench = make, producer, budget, bench
        self._integer = integer
        self.made: dict[frozenset[str], tuple[Checked, Accuracy]] = {}

    def score(self, tensors: frozenset[str]) -> float:
        """Points by which the tightest floor is cleared."""
        if not tensors:
            return floors.margin(self._integer, self._budget)
        checked = self._make(tensors, len(self.made))
        found = self._bench.accuracy(self._producer, checked.artifact)
        self.made[tensors] = checked, found
        return floors.margin(found, self._budget)

    def keep(self, tensors: frozenset[str]) -> tuple[Checked, Accuracy] | None:
        """The trial with `tensors` in float; the files of the others go."""
        for other, (checked, _) in self.made.items():
            if other != tensors:
                for path in (checked.artifact.path, *checked.artifact.companions):
                    path.unlink()
        return self.made.get(tensors)


def _tflite(producer: Producer, integer: Accuracy, budget: Budget, bench: Bench) -> _Chosen | None:
    """Choices are compared without calibrating anew; the one taken is calibrated as it will be."""
    from calib import graph, mixed
    from calib.sensitivity import units

    model = graph.read(producer.calibrated.model)
    costs = mixed.float_costs(model)

    def cost(unit: Unit) -> float:
        return costs[unit.layer]

    def make(tensors: frozenset[str], number: int) -> Checked:
        return producer.mixed_trial(tensors, f"mixed_{number}.tflite")

    trials = _Trials(make, producer, integer, budget, bench)
    found = mixed.choose(units(model), cost, trials.score, 0.0, lambda: mixed.ranked(producer.sensitivities, cost))
    tried = trials.keep(found.tensors)
    if tried is None:
        return None
    checked = producer.mixed_tflite(found.tensors, "mixed.tflite")
    better = bench.accuracy(producer, checked.artifact)
    if floors.margin(better, budget) >= min(0.0, found.score):
        tried[0].artifact.path.unlink()
        tried = checked, better
    else:
        checked.artifact.path.unlink()
    return _Chosen(*tried, found.layers, len(costs))


def _openvino(producer: Producer, integer: Accuracy, budget: Budget, bench: Bench) -> _Chosen | None:
    from calib import graph, mixed
    from calib.sensitivity import units

    model = graph.read(producer.float_tflite)
    layers, costs = units(model), mixed.float_costs(model)

    def make(tensors: frozenset[str], number: int) -> Checked:
        chosen = [index for index, unit in enumerate(layers) if tensors.issuperset(unit.tensors)]
        return producer.mixed_openvino(chosen, tensors, f"mixed_{number}")

    trials = _Trials(make, producer, integer, budget, bench)
    found = mixed.choose(layers, lambda unit: costs[unit.layer], trials.score, 0.0)
    tried = trials.keep(found.tensors)
    return _Chosen(*tried, found.layers, len(costs)) if tried else None


def _settled(
    producer: Producer, before: Artifact, integer: Accuracy, chosen: _Chosen, budget: Budget, bench: Bench
) -> Mixed:
    with bench.steps(f"Timing {before.name} in mixed precision"):
        timed, machine = latencies(
            [before, chosen.checked.artifact],
            bench.target,
            producer.contract,
            producer.pixels[:1],
            threads=bench.threads,
            percentile=bench.percentile,
            progress=bench.steps.advance,
        )
    precision = MixedPrecision(
        artifact=before.name,
        layers=chosen.layers,
        of=chosen.of,
        met=floors.margin(chosen.accuracy, budget) >= 0,
        integer=integer,
        integer_ms=timed[before].p50_ms,
        mixed_ms=timed[chosen.checked.artifact].p50_ms,
        on=machine["cpu"],
        calibration_source=producer.images.source,
    )
    latency = timed[chosen.checked.artifact]
    return Mixed(producer.use_mixed(chosen.checked, before), chosen.accuracy, latency, precision)
