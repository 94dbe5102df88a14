"""The images that int8 spoilt most, with pictures of them."""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from edgeffnet import images as image_files
from edgeffnet.audit.accuracy import labelled
from edgeffnet.audit.records import Records
from edgeffnet.errors import DataError
from edgeffnet.images import LabelledImage

SHOWN = 12
_SIDE = 128
_QUALITY = 80


@dataclass(frozen=True)
class WorstImage:
    """An image, its class, what each model takes it for and with what probability, and a small picture of it."""

    path: Path
    label: str | None
    reference: tuple[str, float]
    int8: tuple[str, float]
    thumbnail: str | None

    def to_dict(self, root: Path) -> dict[str, Any]:
        def said(one: tuple[str, float]) -> dict[str, Any]:
            return {"label": one[0], "probability": one[1]}

        return {
            "file": shown(self.path, root),
            "label": self.label,
            "reference": said(self.reference),
            "int8": said(self.int8),
            "thumbnail": self.thumbnail,
        }


def shown(path: Path, root: Path) -> str:
    """The image's name below `root`, or all of it where it lies elsewhere."""
    # As text: a Path keeps its parts once it was asked for them, which adds up over all images.
    return str(path).removeprefix(f"{root}{os.sep}")


def worst_images(records: Records, images: Sequence[LabelledImage], names: Sequence[str]) -> tuple[WorstImage, ...]:
    """At most a dozen on which the models disagree, worst first.

    Those that the reference has right and int8 has not come first, by the probability of the true class
    that int8 lost; without labels the order is that of the Kullback-Leibler divergence.
    """
    apart = np.flatnonzero(records["reference"][:, 0] != records["int8"][:, 0])
    found = records[apart]
    if labelled(records):
        lost = (found["reference"][:, 0] == found["label"]).astype(int)
        order = np.lexsort((found["image"], found["int8_true"] - found["reference_true"], -lost))
    else:
        order = np.lexsort((found["image"], -found["kl"]))
    return tuple(_worst(record, images[int(record["image"])], names) for record in found[order[:SHOWN]])


def _worst(record: np.void, image: LabelledImage, names: Sequence[str]) -> WorstImage:
    return WorstImage(
        path=image.path,
        label=None if image.label is None else names[image.label],
        reference=(names[record["reference"][0]], float(record["reference_probability"])),
        int8=(names[record["int8"][0]], float(record["int8_probability"])),
        thumbnail=_thumbnail(image.path),
    )


def _thumbnail(path: Path) -> str | None:
    """The image, small, as a data URI; None where it is gone by now."""
    try:
        picture = Image.fromarray(image_files.thumbnail(path, _SIDE))
    except DataError:
        return None
    picture.thumbnail((_SIDE, _SIDE))
    held = io.BytesIO()
    picture.save(held, "JPEG", quality=_QUALITY, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(held.getvalue()).decode("ascii")
