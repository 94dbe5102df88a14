"""What int8 was calibrated on: does it overlap with validation, cover the classes, settle the ranges?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calib.calibration import Range
from calib.convergence import Convergence
from converters.artifact import Artifact
from converters.check import Scores
from edgeffnet import calibration_choice, overlap
from edgeffnet import images as image_files
from edgeffnet.audit.finding import Finding
from edgeffnet.audit.layers import Layers
from edgeffnet.audit.scoring import ScoresOf
from edgeffnet.audit.subject import Subject
from edgeffnet.calibration_images import CalibrationImages
from edgeffnet.errors import EdgeffnetError
from edgeffnet.images import LabelledImage, Preprocessing
from edgeffnet.imagesets import ImageSet
from edgeffnet.statistics import Interval, share

# Images that calibrate the two halves together, and those both are asked about.
HALVES_IMAGES = 256
ASKED_IMAGES = 512
_CLIPPED_TENSORS = 20


@dataclass(frozen=True)
class Coverage:
    """Calibration images by class: how many of the model's classes have any, and the least and most of one."""

    classes: int
    covered: int
    least: int
    most: int
    missing: tuple[int, ...]


@dataclass(frozen=True)
class Halves:
    """Two int8 models made from disjoint halves of the calibration images, by the recipe "fast".

    Agreement is equal top-1 on `images` validation images: between them, and of each with the reference;
    top-1 is None without labels.
    """

    images: int
    calibrated_on: tuple[int, int]
    between: Interval
    with_reference: tuple[Interval, Interval]
    top1: tuple[Interval, Interval] | None

    def said(self) -> str:
        """In words."""
        first, second = (f"{one.value:.2%}" for one in self.with_reference)
        return (
            f"two int8 models, calibrated on {self.calibrated_on[0]} and {self.calibrated_on[1]} other images, agree "
            f"with each other on {self.between.value:.2%} of {self.images} images, with the reference on {first} "
            f"and {second}"
        )


@dataclass(frozen=True)
class CalibrationAudit:
    """What was found out; a part that is None is missing for a reason in `notes`."""

    images: int
    source: str
    overlap: tuple[tuple[Path, Path], ...]
    coverage: Coverage | None
    convergence: Convergence | None
    clipping: tuple[tuple[str, float], ...]
    halves: Halves | None
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        settling = self.convergence
        return {
            "images": self.images,
            "source": self.source,
            "overlap": [{"calibration": str(one), "validation": str(other)} for one, other in self.overlap],
            "class_coverage": asdict(self.coverage) if self.coverage else None,
            "convergence": {**asdict(settling), "settled": settling.settled} if settling else None,
            "clipping": [{"tensor": name, "share": portion} for name, portion in self.clipping],
            "halves": _plain(self.halves) if self.halves else None,
        }

    def findings(self) -> list[Finding]:
        """Faults, and what may be one."""
        if not self.overlap:
            return []
        first, second = self.overlap[0]
        said = (
            f"{len(self.overlap)} validation pictures calibrate too, such as {first} and {second}: "
            "their accuracy says nothing of other images"
        )
        pairs = [[str(one), str(other)] for one, other in self.overlap[:20]]
        return [Finding("calibration-in-validation", "fault", said, {"count": len(self.overlap), "pairs": pairs})]


def audit(
    subject: Subject,
    reference: Subject,
    validation: ImageSet,
    calibration: ImageSet | None,
    layers: Layers,
    scores_of: ScoresOf,
    folder: Path,
    *,
    reference_scores: Scores | None = None,
) -> CalibrationAudit:
    """Audits the images that `subject` was calibrated on, where they are known.

    Clipping is that of `layers`. The halves' models are written into `folder`; they need a float `.tflite`
    as reference. `reference_scores` (n, classes) are those of all validation images, where they are known.
    Raises DataError for an image that cannot be read.
    """
    clipping = _clipping(layers)
    if calibration is None:
        said = "calibration images were not given (--calib): overlap, coverage and dependence on them are not known"
        return CalibrationAudit(0, "not given", (), None, None, clipping, None, (said,))
    notes = []
    whole = CalibrationImages(calibration.images, calibration.source, (calibration.license,), 0)
    shared = overlap.pictures_in_both(whole, validation)
    coverage = _coverage(calibration, subject.classes)
    if coverage is None:
        notes.append("the calibration images have no labels: which classes they cover is not known")
    try:
        convergence, halves = _halves(reference, validation, calibration, scores_of, folder, reference_scores)
    except _NotMadeError as error:
        convergence, halves = None, None
        notes.append(f"no models of two halves of the calibration images: {error}")
    return CalibrationAudit(
        len(calibration.images), calibration.source, shared, coverage, convergence, clipping, halves, tuple(notes)
    )


class _NotMadeError(Exception):
    """Why the halves' models cannot be made."""


def _plain(halves: Halves) -> dict[str, Any]:
    both = [
        {
            "images": calibrated,
            "agreement": agreement.to_dict(),
            "top1": halves.top1[index].to_dict() if halves.top1 else None,
        }
        for index, (calibrated, agreement) in enumerate(zip(halves.calibrated_on, halves.with_reference, strict=True))
    ]
    return {
        "agreement_between": halves.between.to_dict(),
        "first": both[0],
        "second": both[1],
        "images": halves.images,
        "recipe": "fast",
        "said": halves.said(),
    }


def _clipping(layers: Layers) -> tuple[tuple[str, float], ...]:
    """The tensors with the largest shares of values beyond their grid, largest first."""
    rows = [(row.name, row.clipped) for row in layers.rows if row.clipped]
    return tuple(sorted(rows, key=lambda row: -row[1])[:_CLIPPED_TENSORS])


def _coverage(calibration: ImageSet, classes: int) -> Coverage | None:
    known = [image.label for image in calibration.images if image.label is not None]
    if not known or not calibration.labelled:
        return None
    counts = np.bincount(known, minlength=classes)
    missing = tuple(int(index) for index in np.flatnonzero(counts == 0))
    return Coverage(classes, int((counts > 0).sum()), int(counts.min()), int(counts.max()), missing[:50])


def _halves(
    reference: Subject,
    validation: ImageSet,
    calibration: ImageSet,
    scores_of: ScoresOf,
    folder: Path,
    reference_scores: Scores | None,
) -> tuple[Convergence | None, Halves | None]:
    from calib import choice, convergence, graph, statistics
    from calib.calibration import Calibration
    from calib.errors import CalibrationError
    from converters.errors import ConversionError
    from converters.int8 import quantize
    from edgeffnet.float_models import read

    if reference.artifact.format != "tflite" or reference.artifact.precision != "fp32":
        raise _NotMadeError("they are made from a float .tflite or .keras reference")
    chosen, _ = calibration_choice.choose(calibration, HALVES_IMAGES, "balanced", 0)
    preprocessing = reference.preprocessing
    try:
        source = read(reference.artifact.path).data
        seen = statistics.collect(source, _normalised(chosen, preprocessing))
        model = graph.read(source)
        settling = convergence.of(model, seen, "mse")
        if seen.halves is None:
            raise _NotMadeError(f"{len(chosen)} images have no two halves")
        entry = graph.tensor_name(model.subgraphs[0].tensors[model.subgraphs[0].inputs[0]])
        made = []
        for number, half in enumerate(seen.halves):
            ranges = {**choice.choose(model, half, "mse"), entry: _input_range(preprocessing)}
            found = Calibration(ranges, "recipe fast", half.images, calibration.source, half.images_sha256)
            path = folder / f"half_{number}.tflite"
            path.write_bytes(quantize(source, found, "float32", ranges[entry]))
            artifact = Artifact.int8_tflite(path, "float32")
            made.append(Subject(path.name, half.images_sha256, artifact, preprocessing, reference.classes))
    except (CalibrationError, ConversionError, EdgeffnetError) as error:
        raise _NotMadeError(str(error)) from error
    order = _spread(validation.images, ASKED_IMAGES)
    asked = [validation.images[index] for index in order]
    tops = [scores_of(one, preprocessing, asked).argmax(axis=1) for one in made]
    wanted = reference_scores[order] if reference_scores is not None else scores_of(reference, preprocessing, asked)
    top = wanted.argmax(axis=1)
    labels = np.array([image.label for image in asked]) if validation.labelled else None
    count = len(asked)
    first, second = tops
    return settling, Halves(
        images=count,
        calibrated_on=(seen.halves[0].images, seen.halves[1].images),
        between=share(int((first == second).sum()), count),
        with_reference=(share(int((first == top).sum()), count), share(int((second == top).sum()), count)),
        top1=None
        if labels is None
        else (share(int((first == labels).sum()), count), share(int((second == labels).sum()), count)),
    )


def _normalised(images: Sequence[LabelledImage], preprocessing: Preprocessing) -> Iterator[NDArray[np.float32]]:
    return (preprocessing.normalise(pixels) for pixels in image_files.load(images, preprocessing))


def _input_range(preprocessing: Preprocessing) -> Range:
    """What pixels become, over all channels."""
    ends = preprocessing.ends
    return Range(min(float(ends.min()), 0.0), max(float(ends.max()), 0.0))


def _spread(images: Sequence[LabelledImage], count: int) -> NDArray[np.int64]:
    """Indices of `count` images, by a hash of their names."""
    from edgeffnet.audit.trials import in_order

    return np.sort(in_order(images)[:count])
