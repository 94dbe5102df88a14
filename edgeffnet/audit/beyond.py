"""What an audit looks at besides the predictions of both models, each part where it was asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from edgeffnet.audit.accuracy import PairedAccuracy
from edgeffnet.audit.finding import Finding
from edgeffnet.audit.models import Pair
from edgeffnet.audit.predictions import Predictor
from edgeffnet.audit.run import Seen
from edgeffnet.images import LabelledImage
from edgeffnet.imagesets import ImageSet
from edgeffnet.report.progress import Steps

if TYPE_CHECKING:
    from edgeffnet.audit.calibration import CalibrationAudit
    from edgeffnet.audit.layers import Layers
    from edgeffnet.audit.runtimes import InRuntime


@dataclass(frozen=True)
class Parts:
    """What is looked at besides the predictions of both models."""

    detectors: bool = True
    layers: bool = True
    calibration: bool = True
    runtimes: bool = True


@dataclass(frozen=True)
class Beyond:
    """What was found; a part that is None was not looked at."""

    findings: tuple[Finding, ...]
    layers: Layers | None
    calibration: CalibrationAudit | None
    runtimes: tuple[InRuntime, ...]
    notes: tuple[str, ...]


def look(
    pair: Pair,
    validation: ImageSet,
    calibrated: ImageSet | None,
    seen: Seen,
    accuracy: PairedAccuracy,
    predictor: Predictor,
    parts: Parts,
    work: Path,
    steps: Steps,
) -> Beyond:
    """Looks at `parts` of `pair`, on the images of `validation` whose scores `seen` holds.

    `calibrated` are the images that int8 was calibrated on, where they are known; `work` is a folder for
    models made on the way. Raises an EdgeffnetError.
    """
    images = [validation.images[int(place)] for place in seen.kept]
    found: list[Finding] = []
    notes: list[str] = []
    if parts.detectors:
        from edgeffnet.audit import detectors

        with steps("Trying the usual mistakes"):
            found += detectors.findings(
                *(pair.int8, pair.reference, images, predictor.scores_of, seen.reference, seen.int8), names=pair.labels
            )
        if len(images) < len(seen.records):
            notes.append(f"mistakes were looked for on {len(images):,} of the images, spread over the list")
    else:
        notes.append("mistakes in preprocessing, labels and classes were not looked for (--no-detectors)")
    compared = None
    if parts.layers:
        from edgeffnet.audit import layers

        with steps("Comparing the layers"):
            compared = layers.compare(pair.int8, pair.reference, _spread(images, layers.IMAGES))
        flips = accuracy.flips
        found += layers.findings(compared, flips.p if flips and flips.worse > flips.better else None)
    beside = None
    if parts.calibration:
        from edgeffnet.audit import calibration, layers

        with steps("Looking at the calibration images"):
            beside = calibration.audit(
                *(pair.int8, pair.reference, _readable(validation, seen), calibrated),
                *(compared or layers.Layers((), 0), predictor.scores_of, work),
                reference_scores=seen.reference if len(images) == len(seen.records) else None,
            )
        found += beside.findings()
        notes += beside.notes
    elif calibrated:
        notes.append("the calibration images were not looked at (--no-calibration)")
    rows: tuple[InRuntime, ...] = ()
    if parts.runtimes:
        from edgeffnet.audit import runtimes

        with steps("Running int8 in other runtimes"):
            ran = runtimes.compare(pair.int8, pair.reference, _spread(images, runtimes.IMAGES))
        rows = ran.rows
        found += ran.findings
        notes += ran.notes
    return Beyond(tuple(found), compared, beside, rows, tuple(notes))


def _readable(validation: ImageSet, seen: Seen) -> ImageSet:
    gone = {one.path for one in seen.unreadable}
    return replace(validation, images=tuple(one for one in validation.images if one.path not in gone))


def _spread(images: Sequence[LabelledImage], count: int) -> list[LabelledImage]:
    """`count` of the images, evenly from all of the list."""
    return list(images[:: max(1, len(images) // count)][:count])
