"""What a source of weights hands over: tensors by layer name, and everything that belongs to them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from edgeffnet import network, scaling
from edgeffnet.architecture import Architecture, Padding
from edgeffnet.errors import DataError, UsageError
from edgeffnet.images import Preprocessing
from edgeffnet.network import Tensors


@dataclass(frozen=True)
class Provenance:
    """Where weights came from: a name a person recognises, the file's hash, and its licence."""

    name: str
    version: str
    file: str
    sha256: str
    license: str

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Weights:
    """Float32 tensors named "layer/tensor" that fit `architecture` exactly, and their contract.

    `architecture` carries the weights' own batch-norm epsilon, padding and class count, and its
    resolution is that of `preprocessing`; `labels` is empty where the source names no classes.
    Nothing may be said about the accuracy of weights that are not `trained`.
    """

    architecture: Architecture
    tensors: Tensors
    preprocessing: Preprocessing
    labels: tuple[str, ...]
    provenance: Provenance
    trained: bool = True


@dataclass(frozen=True)
class Request:
    """What a user asks of a source.

    `architecture` is the network the tensors must fit. Where `resolution_fixed` is false its
    resolution gives way to that of the preprocessing. `classes` None takes the checkpoint's own
    count; `preprocessing` None the source's own, which then has to be known.
    """

    architecture: Architecture
    resolution_fixed: bool = False
    classes: int | None = None
    preprocessing: Preprocessing | None = None


@dataclass(frozen=True)
class Contract:
    """What a source knows of its tensors; `preprocessing` is None where it does not say.

    `names` are the file's own names of our tensors, for messages.
    """

    padding: Padding
    bn_epsilon: float
    provenance: Provenance
    preprocessing: Preprocessing | None = None
    labels: tuple[str, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)


def assemble(request: Request, tensors: Tensors, contract: Contract, source: str) -> Weights:
    """The checked Weights of `tensors` under `contract`, as `request` wants them.

    Raises UsageError where nobody states the preprocessing; DataError names a missing, misshapen or
    non-finite tensor, the class count included, or a resolution the network cannot have.
    """
    head = tensors.get("predictions/kernel")
    classes = request.classes
    if classes is None:
        classes = head.shape[-1] if head is not None and head.ndim == 2 else request.architecture.classes
    architecture = replace(
        request.architecture, classes=classes, padding=contract.padding, bn_epsilon=contract.bn_epsilon
    )
    network.check(architecture, tensors, source, contract.names)
    preprocessing = request.preprocessing or contract.preprocessing
    if preprocessing is None:
        raise UsageError(
            f"{source}: nothing states how its images are resized, cropped and normalised; "
            "give --preprocessing FILE (resolution, crop, interpolation, mean, std, channels)"
        )
    if request.resolution_fixed:
        preprocessing = replace(preprocessing, resolution=architecture.resolution)
    else:
        try:
            architecture = scaling.at_resolution(architecture, preprocessing.resolution)
        except UsageError as error:
            raise DataError(f"{source}: its preprocessing does not fit: {error}") from None
    return Weights(
        architecture=architecture,
        tensors=tensors,
        preprocessing=preprocessing,
        labels=contract.labels if len(contract.labels) == classes else (),
        provenance=contract.provenance,
    )


def digest_of(tensors: Tensors) -> str:
    """SHA-256 over names and contents, for weights that come from no single file."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(tensors[name]).tobytes())
    return digest.hexdigest()
