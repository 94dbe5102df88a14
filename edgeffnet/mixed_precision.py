"""The few layers of an int8 `.tflite` that stay in float so that an accuracy floor is met."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from converters.artifact import Artifact
from converters.check import Scores, log_probabilities
from edgeffnet import floors
from edgeffnet.budget import Budget
from edgeffnet.report.progress import Steps
from edgeffnet.targets.target import Target
from edgeffnet.validation import Accuracy, Latency, accuracy, latencies, raw_scores
from edgeffnet.validation_images import ValidationImages

if TYPE_CHECKING:
    from edgeffnet.production import Checked, Producer


@dataclass(frozen=True)
class MixedPrecision:
    """What was left in float, and what that bought and cost.

    `layers` are names in the Keras model, of `of` that could be quantized. `integer` is the accuracy
    of the all-integer model on the same images, `integer_ms` and `mixed_ms` the median latencies of
    both, timed in turns `on` a machine. `met` says whether the floors are.
    """

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
            f"TFLite int8: {len(self.layers)} of {self.of} layers stay in float ({', '.join(self.layers)}): with all "
            f"in int8 it agrees with fp32 on {self.integer.agreement.value:.2%}; median {self.mixed_ms:.2f} ms instead "
            f"of {self.integer_ms:.2f} ms on {self.on}. Which layers was decided on {self.calibration_source}, how "
            "many by the images the floor is held against"
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
    """Where and on what artefacts are tried: `reference` are fp32's log-probabilities on `images`."""

    target: Target
    images: ValidationImages
    reference: Scores
    threads: int | None
    percentile: float
    steps: Steps

    def accuracy(self, producer: Producer, artifact: Artifact) -> Accuracy:
        """`artifact`'s predictions beside the reference's."""
        raw = raw_scores(
            [artifact],
            [self.target],
            producer.contract,
            self.images.pixels,
            threads=self.threads,
            progress=self.steps.advance,
        )[artifact]
        return accuracy(self.reference, log_probabilities(raw, artifact.output), self.images)


def leave_in_float(producer: Producer, integer: Accuracy, budget: Budget, bench: Bench) -> Mixed | None:
    """Replaces the producer's all-integer `.tflite` by the cheapest mixed one found that meets the floors.

    `integer` is the all-integer model's accuracy. Where none meets them, the one that comes nearest
    is taken; None where that is the all-integer one.
    """
    from calib import graph, mixed

    before = producer.int8_tflite.artifact
    tried: dict[frozenset[str], tuple[Checked, Accuracy]] = {}

    def score(tensors: frozenset[str]) -> float:
        if not tensors:
            return floors.margin(integer, budget)
        checked = producer.mixed_tflite(tensors, f"mixed_{len(tried)}.tflite")
        tried[tensors] = checked, bench.accuracy(producer, checked.artifact)
        return floors.margin(tried[tensors][1], budget)

    with bench.steps("Looking for layers to leave in float"):
        costs = mixed.float_costs(graph.read(producer.calibrated.model))
        found = mixed.choose(producer.sensitivities, lambda unit: costs[unit.layer], score, 0.0)
    for tensors, (other, _) in tried.items():
        if tensors != found.tensors:
            other.artifact.path.unlink()
    if not found.tensors:
        return None
    checked, kept = tried[found.tensors]
    with bench.steps("Timing mixed precision"):
        timed, machine = latencies(
            [before, checked.artifact],
            bench.target,
            producer.contract,
            producer.pixels[:1],
            threads=bench.threads,
            percentile=bench.percentile,
            progress=bench.steps.advance,
        )
    precision = MixedPrecision(
        layers=found.layers,
        of=len(costs),
        met=found.met,
        integer=integer,
        integer_ms=timed[before].p50_ms,
        mixed_ms=timed[checked.artifact].p50_ms,
        on=machine["cpu"],
        calibration_source=producer.images.source,
    )
    return Mixed(producer.use_mixed(checked), kept, timed[checked.artifact], precision)
