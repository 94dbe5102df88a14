"""What an audit found, and how it is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeffnet.audit.accuracy import PairedAccuracy
from edgeffnet.audit.decoding import Unreadable
from edgeffnet.audit.finding import Finding
from edgeffnet.audit.output_error import OutputError
from edgeffnet.audit.per_class import ClassDrop
from edgeffnet.audit.subject import Subject
from edgeffnet.audit.verdict import Verdict
from edgeffnet.audit.worst import WorstImage, shown
from edgeffnet.report.document import document

if TYPE_CHECKING:
    from edgeffnet.audit.calibration import CalibrationAudit
    from edgeffnet.audit.layers import Layers
    from edgeffnet.audit.runtimes import InRuntime

# Contents that are there more than once, of which the files are named.
_TOLD = 100


@dataclass(frozen=True)
class AuditedImages:
    """The list that both models saw: what the user named, and the hash of contents and labels of those read.

    `duplicates` are files of one content; they count each time. `root` is the folder that names are told below.
    """

    source: str
    root: Path
    count: int
    sha256: str
    labelled: bool
    duplicates: tuple[tuple[Path, ...], ...]
    unreadable: tuple[Unreadable, ...]

    def to_dict(self) -> dict[str, Any]:
        return {
            "source": self.source,
            "count": self.count,
            "sha256": self.sha256,
            "labelled": self.labelled,
            "duplicates": [[shown(path, self.root) for path in paths] for paths in self.duplicates[:_TOLD]],
            "unreadable": [{"file": shown(one.path, self.root), "reason": one.reason} for one in self.unreadable],
        }


@dataclass(frozen=True)
class Audit:
    """The audit of one int8 model beside its reference, written into `output`.

    `runtime_of` names the runtime of each model by its file; `layers`, `calibration` are None where they
    were not looked at, for a reason in `notes`. `seconds` are those of each step.
    """

    output: Path
    verdict: Verdict
    int8: Subject
    reference: Subject
    runtime_of: Mapping[str, str]
    images: AuditedImages
    accuracy: PairedAccuracy
    output_error: OutputError
    per_class: tuple[ClassDrop, ...]
    layers: Layers | None
    worst_images: tuple[WorstImage, ...]
    calibration: CalibrationAudit | None
    runtimes: tuple[InRuntime, ...]
    findings: tuple[Finding, ...]
    target: str
    machine: Mapping[str, Any]
    notes: tuple[str, ...]
    seconds: Mapping[str, float]

    def to_dict(self) -> dict[str, Any]:
        """Plain data as `report.json` holds it."""
        layers = self.layers
        body = {
            "verdict": self.verdict.to_dict(),
            "models": {"int8": self._model(self.int8), "reference": self._model(self.reference)},
            "preprocessing": self.int8.preprocessing.to_dict(),
            "images": self.images.to_dict(),
            "accuracy": self.accuracy.to_dict(),
            "output_error": self.output_error.to_dict(),
            "per_class": [one.to_dict() for one in self.per_class],
            "layers": [row.to_dict() for row in layers.rows] if layers else [],
            "layers_unmatched": layers.unmatched if layers else "not looked at (--no-layers)",
            "worst_images": [one.to_dict(self.images.root) for one in self.worst_images],
            "calibration": self.calibration.to_dict() if self.calibration else None,
            "runtimes": [row.to_dict() for row in self.runtimes],
            "findings": [one.to_dict() for one in self.findings],
            "target": self.target,
            "machine": dict(self.machine),
            "notes": list(self.notes),
            "seconds": {name: round(taken, 3) for name, taken in self.seconds.items()},
        }
        return document("audit", body)

    def _model(self, subject: Subject) -> dict[str, Any]:
        return {
            **subject.to_dict(),
            "preprocessing": subject.preprocessing.to_dict(),
            "runtime": self.runtime_of.get(subject.file),
        }
