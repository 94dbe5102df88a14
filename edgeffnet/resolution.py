"""Resolution as a second knob: the same weights at other input sizes, the most accurate within the budget.

A convolutional network takes any input size; weights lose or gain accuracy with it in a way that is only
known by measuring. That is done in fp32, on images that play no part in the accuracy reported.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from converters.artifact import Artifact
from edgeffnet import cost
from edgeffnet.cache.steps import KeptSteps
from edgeffnet.cache.store import Cache
from edgeffnet.errors import UsageError
from edgeffnet.hashing import sha256_of_array
from edgeffnet.imagesets import ImageSet
from edgeffnet.production import Producer
from edgeffnet.targets.local import LocalTarget
from edgeffnet.validation import predictions
from edgeffnet.validation_images import ImagesOfBuild, from_set

if TYPE_CHECKING:
    from edgeffnet.report.progress import Steps
    from edgeffnet.wanted import Wanted

# Of one network's sizes within the budget, so many of the largest are measured: beyond its best size accuracy falls.
_MEASURED = 3
_FEWEST_IMAGES = 20


@dataclass(frozen=True)
class Tuned:
    """Networks in the order they deserve to be made, and percent of top-1 in fp32 by name, as measured."""

    order: tuple[Wanted, ...]
    top1: Mapping[str, float]


def split(images: ImagesOfBuild) -> ImagesOfBuild:
    """The validation images in two halves by a seeded draw: one to tune with, one to validate.

    UsageError where they are too few or have no labels.
    """
    found = images.validation
    if found is None or not found.labelled or len(found.images) < _FEWEST_IMAGES:
        raise UsageError(f"--tune-resolution measures accuracy: --val needs at least {_FEWEST_IMAGES} labelled images")
    order = np.random.default_rng(images.seed).permutation(len(found.images))
    halves = (sorted(order[0::2]), sorted(order[1::2]))
    tuning, validation = (
        replace(found, images=tuple(found.images[index] for index in half), source=f"{found.source}, {which} half")
        for half, which in zip(halves, ("one", "the other"), strict=True)
    )
    return replace(images, tuning=tuning, validation=validation)


def by_accuracy(
    wanted: Sequence[Wanted], images: ImagesOfBuild, work: Path, steps: Steps, cache: Cache | None = None
) -> Tuned:
    """`wanted` are within the budget; of each network its largest sizes are measured, the most accurate first.

    What was not measured comes last, largest first: it is made only where all others miss a floor. What `cache`
    holds of an earlier look is taken from there.
    """
    assert images.tuning is not None
    chosen: list[Wanted] = []
    for name in dict.fromkeys(_network(one) for one in wanted):
        same = [one for one in wanted if _network(one) == name]
        chosen += sorted(same, key=lambda one: -one.architecture.resolution)[:_MEASURED]
    top1: dict[str, float] = {}
    with closing(LocalTarget()) as here:
        for one in chosen:
            with steps(f"Accuracy of {one.architecture.name}"):
                top1[one.architecture.name] = _top1(one, images, images.tuning, here, work, cache)
    measured = sorted(chosen, key=lambda one: (-top1[one.architecture.name], cost.total(one.architecture).macs))
    return Tuned((*measured, *(one for one in wanted if one not in chosen)), top1)


def _top1(
    one: Wanted, images: ImagesOfBuild, tuning: ImageSet, here: LocalTarget, work: Path, cache: Cache | None
) -> float:
    folder = Path(tempfile.mkdtemp(dir=work))
    try:
        producer = Producer(one.load(), images.calibration, folder, cache=cache)
        seen = from_set(tuning, producer.contract)

        def classes() -> bytes:
            artifact = Artifact.float_tflite(producer.float_path)
            scores = predictions([artifact], here, producer.contract, seen.pixels, threads=None)[artifact]
            return np.asarray(scores.argmax(axis=1), "<i8").tobytes()

        pixels = {"pixels": sha256_of_array(seen.pixels)}
        found = KeptSteps(cache, producer.origin).bytes("classes of the float .tflite", classes, pixels)
        return float(100 * np.mean(np.frombuffer(found, "<i8") == seen.labels))
    finally:
        shutil.rmtree(folder)


def _network(one: Wanted) -> str:
    return one.architecture.name.partition(",")[0]
