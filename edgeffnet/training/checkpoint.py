"""Where training stands after an epoch, in one file: it goes on from there as if nothing had happened."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeffnet.errors import DataError, UsageError
from edgeffnet.training.metrics import Row
from edgeffnet.weights import safetensors_file
from edgeffnet.whole_file import write_whole

Arrays = Mapping[str, NDArray[Any]]

NAME = "checkpoint.safetensors"
_KEY = "edgeffnet-training"
_BEST = "best/"


@dataclass(frozen=True)
class State:
    """`epoch` epochs are done, and `progress` (0..1) of the plan.

    Stages below `first_stage` stay as they are, and the first epoch is thought to take `estimate` seconds.
    `live` holds weights, averages and the optimizer's tensors; `best` the weights of the best epoch so far.
    `seconds` is the time that was worked, interruptions left out; `request` identifies what was asked for.
    """

    request: str
    epoch: int
    progress: float
    seconds: float
    first_stage: int
    estimate: float
    rows: tuple[Row, ...]
    live: Arrays
    best: Arrays
    over: bool = False

    @property
    def best_row(self) -> Row:
        return next(row for row in reversed(self.rows) if row.best)


def save(folder: Path, state: State) -> None:
    """Replaces the checkpoint in `folder`; whatever goes wrong, the older one stays whole.

    UsageError where the disk is full or cannot be written.
    """
    from safetensors.numpy import save as to_bytes

    told = {
        "request": state.request,
        "epoch": state.epoch,
        "progress": state.progress,
        "seconds": state.seconds,
        "first_stage": state.first_stage,
        "estimate": state.estimate,
        "rows": [row.to_dict() for row in state.rows],
        "over": state.over,
    }
    arrays = {**state.live, **{f"{_BEST}{name}": value for name, value in state.best.items()}}
    data = to_bytes({name: np.asarray(value, order="C") for name, value in arrays.items()}, {_KEY: json.dumps(told)})
    try:
        write_whole(folder / NAME, data)
    except OSError as error:
        kept = f"that of epoch {state.epoch - 1} is intact" if (folder / NAME).is_file() else "there is none yet"
        raise UsageError(
            f"{folder / NAME}: the checkpoint of epoch {state.epoch} cannot be written ({error.strerror}); {kept}: "
            "make room, and the same command goes on"
        ) from None


def load(folder: Path) -> State | None:
    """The checkpoint in `folder`, None where there is none; DataError for one that is damaged."""
    path = folder / NAME
    if not path.is_file():
        return None
    try:
        told = json.loads(safetensors_file.metadata(path)[_KEY])
        arrays = safetensors_file.read(path)
        return State(
            request=told["request"],
            epoch=told["epoch"],
            progress=told["progress"],
            seconds=told["seconds"],
            first_stage=told["first_stage"],
            estimate=told["estimate"],
            rows=tuple(Row.from_dict(row) for row in told["rows"]),
            live={name: value for name, value in arrays.items() if not name.startswith(_BEST)},
            best={name.removeprefix(_BEST): value for name, value in arrays.items() if name.startswith(_BEST)},
            over=told["over"],
        )
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"{path}: not a checkpoint of this version ({type(error).__name__}): remove its folder to begin anew"
        ) from None
