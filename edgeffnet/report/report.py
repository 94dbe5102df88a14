"""What a build found, as data: the one source of the tables, the JSON and the manifest."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from converters.artifact import Artifact
from converters.check import Difference
from edgeffnet.budget import Budget
from edgeffnet.fastest import Way
from edgeffnet.mixed_precision import MixedPrecision
from edgeffnet.probing.probe import Probe
from edgeffnet.report.document import document, to_json
from edgeffnet.report.frontier import Point
from edgeffnet.selection import Candidate, bound_by, may_fit
from edgeffnet.timing import Latency
from edgeffnet.validation import Accuracy, Comparison


@dataclass(frozen=True)
class ArtifactReport:
    """An artefact with all that is known of it; what is missing carries its reason in the notes."""

    artifact: Artifact
    sha256: str
    check: Difference
    latency: Latency | None
    accuracy: Accuracy | None
    comparison: Comparison | None = None
    not_run: str | None = None

    def to_dict(self, root: Path) -> dict[str, Any]:
        return {
            **self.artifact.to_dict(root),
            "sha256": self.sha256,
            "check": {"against": "the Keras model, on calibration images", **vars(self.check)},
            "latency": self.latency.to_dict() if self.latency else None,
            "accuracy": self.accuracy.to_dict() if self.accuracy else None,
            "comparison": self.comparison.to_dict() if self.comparison else None,
            "not_run": self.not_run,
        }


@dataclass(frozen=True)
class Report:
    """The result of a build.

    `notes` say on what each figure was obtained and what could not be. `fastest` ranks precision and
    runtime as measured, `fastest_on_device` as estimated where the device was not there.
    """

    output: Path
    device: str
    budget: Budget
    threads: int
    percentile: float
    interface: str
    seed: int
    chosen: Candidate
    candidates: tuple[Candidate, ...]
    artifacts: tuple[ArtifactReport, ...]
    weights: dict[str, Any]
    calibration: dict[str, Any]
    validation: dict[str, Any]
    target: str
    machine: dict[str, Any]
    notes: tuple[str, ...]
    seconds: dict[str, float]
    mixed_precision: tuple[MixedPrecision, ...] = ()
    probes: tuple[Probe, ...] = ()
    frontier: tuple[Point, ...] = ()
    fastest: tuple[Way, ...] = ()
    fastest_on_device: tuple[Way, ...] = ()
    training: dict[str, Any] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain data as `report.json` holds it; paths are relative to the output folder."""
        body = {
            "device": self.device,
            "budget": self.budget.to_dict(),
            "threads": self.threads,
            "percentile": self.percentile,
            "io": self.interface,
            "seed": self.seed,
            "chosen": self.chosen.to_dict(),
            "bound_by": bound_by(self.candidates, self.chosen),
            "may_fit": may_fit(self.candidates, self.chosen, self.budget),
            "fastest": [way.to_dict() for way in self.fastest],
            "fastest_on_device": [way.to_dict() for way in self.fastest_on_device],
            "frontier": [point.to_dict() for point in self.frontier],
            "probes": [probe.to_dict() for probe in self.probes],
            "candidates": [candidate.to_dict() for candidate in self.candidates],
            "artifacts": [artifact.to_dict(self.output) for artifact in self.artifacts],
            "weights": self.weights,
            "training": self.training,
            "calibration": self.calibration,
            "validation": self.validation,
            "mixed_precision": [mixed.to_dict() for mixed in self.mixed_precision],
            "target": self.target,
            "machine": self.machine,
            "notes": list(self.notes),
            "seconds": {name: round(taken, 3) for name, taken in self.seconds.items()},
        }
        return document("build", body)

    def to_json(self) -> str:
        """`to_dict` as JSON text."""
        return to_json(self.to_dict())
