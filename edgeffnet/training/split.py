"""Which images validate where nobody said: a seeded draw of each class, written down."""

from __future__ import annotations

import csv
import hashlib
import io
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edgeffnet.errors import DataError
from edgeffnet.images import LabelledImage

if TYPE_CHECKING:
    from edgeffnet.training.dataset import Dataset

Parts = tuple[tuple[LabelledImage, ...], tuple[LabelledImage, ...]]


def stratified(images: Sequence[LabelledImage], classes: Sequence[str], share: float, seed: int) -> Parts:
    """Training and validation images: of every class `share` validates, at least one and not all.

    An image's part depends on its name within its class and on `seed`, not on where the folder lies.
    DataError names a class of one image.
    """
    training: list[LabelledImage] = []
    validation: list[LabelledImage] = []
    of_class: dict[int | None, list[LabelledImage]] = {}
    for image in images:
        of_class.setdefault(image.label, []).append(image)
    for number, name in enumerate(classes):
        own = of_class[number]
        if len(own) < 2:
            raise DataError(f"the class {name!r} has one image: one to train on and one to validate with are needed")
        drawn = sorted(own, key=lambda image: _lot(image.path.name, name, seed))
        count = min(max(1, round(share * len(own))), len(own) - 1)
        validation += drawn[:count]
        training += drawn[count:]
    return _by_path(training), _by_path(validation)


def sample(images: Sequence[LabelledImage], count: int, seed: int) -> tuple[LabelledImage, ...]:
    """At most `count` of `images`, of each class its share, by path; at least one of each class where there is room."""
    if len(images) <= count:
        return tuple(images)
    drawn = sorted(images, key=lambda image: _lot(image.path.name, str(image.label), seed))
    place: dict[int | None, int] = {}
    total = Counter(image.label for image in images)
    ranked = []
    for image in drawn:
        place[image.label] = place.get(image.label, 0) + 1
        ranked.append((place[image.label] / total[image.label], image.path, image))
    return _by_path([image for _, _, image in sorted(ranked, key=lambda entry: entry[:2])[:count]])


def as_csv(dataset: Dataset, folder: Path) -> str:
    """The dataset as a CSV with the columns `file,label,split`, files named from `folder`; `read` takes it as --data.

    What lies elsewhere than under the folder's parents is named whole.
    """
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(("file", "label", "split"))
    for part, images in (("train", dataset.training), ("val", dataset.validation)):
        for image in images:
            named = os.path.relpath(image.path.absolute(), folder.absolute())
            rows.writerow((named, dataset.classes[image.label or 0], part))
    return text.getvalue()


def _lot(file: str, name: str, seed: int) -> str:
    return hashlib.sha256(f"{seed}/{name}/{file}".encode("utf-8", "surrogateescape")).hexdigest()


def _by_path(images: list[LabelledImage]) -> tuple[LabelledImage, ...]:
    return tuple(sorted(images, key=lambda image: image.path))
