"""What int8 costs each class, corrected for how many classes were looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeffnet.audit.paired import holm, mcnemar


@dataclass(frozen=True)
class ClassDrop:
    """A class's `images`, the share of them each model has right, and the `drop` in points.

    `p` is McNemar's exact p-value within the class, `p_adjusted` Holm's over all classes with images.
    """

    index: int
    label: str
    images: int
    reference: float
    int8: float
    drop: float
    p: float
    p_adjusted: float

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def per_class(
    labels: NDArray[np.int32], reference: NDArray[np.bool_], int8: NDArray[np.bool_], names: Sequence[str]
) -> tuple[ClassDrop, ...]:
    """The drop of every class among `labels` (n), by class index; `reference` and `int8` say which images are right."""
    count = len(names)
    images = np.bincount(labels, minlength=count)
    right, kept, worse, better = (
        np.bincount(labels[chosen], minlength=count)
        for chosen in (reference, int8, reference & ~int8, ~reference & int8)
    )
    found = [int(index) for index in np.flatnonzero(images)]
    values = [mcnemar(int(worse[index]), int(better[index])) for index in found]
    return tuple(
        ClassDrop(
            index=index,
            label=names[index],
            images=int(images[index]),
            reference=float(right[index] / images[index]),
            int8=float(kept[index] / images[index]),
            drop=float(100 * (worse[index] - better[index]) / images[index]),
            p=p,
            p_adjusted=adjusted,
        )
        for index, p, adjusted in zip(found, values, holm(values), strict=True)
    )
