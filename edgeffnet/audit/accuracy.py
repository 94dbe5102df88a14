"""The accuracy of both models on one list of images, and how they differ."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeffnet.audit.confidence import calibration_error
from edgeffnet.audit.paired import Flips, ratio
from edgeffnet.audit.records import UNLABELLED, Records
from edgeffnet.statistics import Interval, paired_difference, share


@dataclass(frozen=True)
class ModelAccuracy:
    """One model's shares of images with the label first, and among the first five; its calibration error."""

    top1: Interval
    top5: Interval
    calibration_error: float


@dataclass(frozen=True)
class PairedAccuracy:
    """Figures of both models over the same images.

    `drop` is in points of top-1, `relative` is int8's top-1 over the reference's, `agreement` the share
    of images with one top-1. Without labels only agreement and ties are known. `ties` counts images
    where int8's best score is shared; the lower class index has it.
    """

    images: int
    reference: ModelAccuracy | None
    int8: ModelAccuracy | None
    drop: Interval | None
    relative: Interval | None
    agreement: Interval
    flips: Flips | None
    both_right: int
    ties: int

    def to_dict(self) -> dict[str, Any]:
        def shares(model: ModelAccuracy | None) -> dict[str, Any]:
            return {"top1": _plain(model.top1 if model else None), "top5": _plain(model.top5 if model else None)}

        flips = self.flips
        return {
            "reference": shares(self.reference),
            "int8": shares(self.int8),
            "drop": _plain(self.drop),
            "relative": _plain(self.relative),
            "agreement": _plain(self.agreement),
            "flips": None if flips is None else {**asdict(flips), "mcnemar_p": flips.p},
            "ties": self.ties,
            "calibration_error": {
                "reference": self.reference.calibration_error if self.reference else None,
                "int8": self.int8.calibration_error if self.int8 else None,
            },
        }


def _plain(found: Interval | None) -> dict[str, Any] | None:
    return found.to_dict() if found else None


def right(records: Records, model: str) -> NDArray[np.bool_]:
    """Which images `model`, "reference" or "int8", has right (n)."""
    return np.asarray(records[model][:, 0] == records["label"])


def labelled(records: Records) -> bool:
    return bool((records["label"] != UNLABELLED).all())


def paired_accuracy(records: Records) -> PairedAccuracy:
    """The figures of `records`, at least one; those that need labels only where every image has one."""
    count = len(records)
    same = int((records["reference"][:, 0] == records["int8"][:, 0]).sum())
    agreement, ties = share(same, count), int(records["tied"].sum())
    if not labelled(records):
        return PairedAccuracy(count, None, None, None, None, agreement, None, 0, ties)
    theirs, mine = right(records, "reference"), right(records, "int8")
    worse, better, both = (int(chosen.sum()) for chosen in (theirs & ~mine, ~theirs & mine, theirs & mine))
    drop = paired_difference(worse, better, count)
    return PairedAccuracy(
        images=count,
        reference=_of(records, "reference"),
        int8=_of(records, "int8"),
        drop=Interval(100 * drop.value, 100 * drop.low, 100 * drop.high),
        relative=ratio(both, worse, better),
        agreement=agreement,
        flips=Flips(worse, better),
        both_right=both,
        ties=ties,
    )


def _of(records: Records, model: str) -> ModelAccuracy:
    first = right(records, model)
    among = (records[model] == records["label"][:, None]).any(axis=1)
    return ModelAccuracy(
        top1=share(int(first.sum()), len(records)),
        top5=share(int(among.sum()), len(records)),
        calibration_error=calibration_error(records[f"{model}_probability"], first),
    )
