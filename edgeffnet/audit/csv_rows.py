"""predictions.csv: what both models made of every image."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from edgeffnet.audit.records import Records
from edgeffnet.audit.worst import shown
from edgeffnet.images import LabelledImage

_COLUMNS = ("file", "label", "reference", "reference_probability", "int8", "int8_probability", "agree", "flip")


def write(path: Path, records: Records, images: Sequence[LabelledImage], names: Sequence[str], root: Path) -> None:
    """A line an image, in their order: its class, each model's best class and its probability, whether they agree.

    `flip` is "worse" where only the reference is right, "better" where only int8 is. `label` and `flip`
    are empty for an image without a label.
    """
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(_COLUMNS)
        for record in records:
            image = images[int(record["image"])]
            theirs, mine = int(record["reference"][0]), int(record["int8"][0])
            flip = "" if image.label is None or theirs == mine else _flip(image.label, theirs, mine)
            rows.writerow(
                (
                    shown(image.path, root),
                    "" if image.label is None else names[image.label],
                    names[theirs],
                    f"{record['reference_probability']:.6f}",
                    names[mine],
                    f"{record['int8_probability']:.6f}",
                    "yes" if theirs == mine else "no",
                    flip,
                )
            )


def _flip(label: int, reference: int, int8: int) -> str:
    return "worse" if reference == label else "better" if int8 == label else ""
