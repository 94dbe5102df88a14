"""A file of weights that `edgeffnet train` wrote (`.keras` or `.safetensors`), by what it says of itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeffnet.hashing import sha256_of
from edgeffnet.weights import keras_checkpoint, keras_file, safetensors_file
from edgeffnet.weights.source import Contract, Provenance, Request, Weights, assemble
from edgeffnet.weights.statement import Statement


def load(path: Path, stated: Statement, request: Request) -> Weights:
    """The weights in `path`, whose statement was read. DataError for a file that is damaged or does not fit."""
    contract = Contract(
        padding=stated.architecture.padding,
        bn_epsilon=stated.architecture.bn_epsilon,
        provenance=Provenance(stated.origin, "", path.name, sha256_of(path), "not stated"),
        preprocessing=stated.preprocessing,
        labels=stated.labels,
    )
    return assemble(request, tensors(path, stated), contract, str(path))


def tensors(path: Path, stated: Statement) -> dict[str, NDArray[np.float32]]:
    """The tensors in `path` by their "layer/tensor" names, float32."""
    if path.suffix == ".safetensors":
        return {name: value.astype(np.float32) for name, value in safetensors_file.read(path).items()}
    return keras_checkpoint.layer_tensors(keras_file.read(path), stated.architecture)
