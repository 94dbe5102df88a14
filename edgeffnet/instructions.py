"""Executed instructions of an inference, counted under emulation: a figure of its own kind, and no time."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converters.artifact import Artifact
from edgeffnet.errors import TargetError
from edgeffnet.images import Preprocessing
from edgeffnet.targets.qemu import EmulatedTarget
from edgeffnet.validation import load_request, shards

_RUNS = 3
_SECONDS = 600.0


@dataclass(frozen=True)
class Instructions:
    """Instructions of one inference on `cpu`, one thread, by class; the mean of `runs`.

    Multiplications count as multiply-accumulates, with an addition or without. `spread` is the
    largest run minus the smallest, over the mean.
    """

    cpu: str
    runtime: str
    multiply_accumulate: float
    load: float
    store: float
    other: float
    total: float
    runs: int
    spread: float
    placement: dict[str, Any]
    kind: str = "instructions"

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def count(
    artifact: Artifact, target: EmulatedTarget, preprocessing: Preprocessing, image: NDArray[np.uint8]
) -> Instructions:
    """Instructions of the artefact's inference over `image`, uint8 (1, h, w, 3). Raises TargetError."""
    with shards(image) as (file,):
        feed = {"inputs": target.push(file), "mean": preprocessing.mean, "std": preprocessing.std}
        requests = [
            {"do": "cores", "threads": 1},
            load_request(target, artifact, artifact.name),
            {"do": "repeat", "name": artifact.name, "runs": _RUNS, **feed},
        ]
        (_, loaded, _), counted = target.counted(requests, _SECONDS)
    if len(counted) != _RUNS:
        raise TargetError(f"{target.name}: {len(counted)} of {_RUNS} inferences were counted")
    multiplied, loads, stores, others = (float(value) for value in counted.mean(axis=0))
    totals = counted.sum(axis=1)
    return Instructions(
        cpu=target.cpu,
        runtime=loaded["runtime"],
        multiply_accumulate=multiplied,
        load=loads,
        store=stores,
        other=others,
        total=float(totals.mean()),
        runs=_RUNS,
        spread=float((totals.max() - totals.min()) / totals.mean()),
        placement=loaded["placement"],
    )
