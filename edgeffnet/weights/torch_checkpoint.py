"""A torch checkpoint (`.pth`, `.pt`, `.bin`, `.safetensors`) under timm's, torchvision's or lukemelas' names.

timm gives `efficientnet_b0` and `tf_efficientnet_b0` the same tensors, but other padding and
epsilon: which of the two a file is has to be stated, by the config.json beside it or by its name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edgeffnet import labels, scaling
from edgeffnet.architecture import Architecture, Padding
from edgeffnet.errors import DataError, UsageError
from edgeffnet.hashing import sha256_of
from edgeffnet.weights import published, safetensors_file, timm_config, torch_file, torch_names
from edgeffnet.weights.source import Contract, Provenance, Request, Weights, assemble

_TIMM_NAME = re.compile(r"(?<![a-z])(tf_)?(?:efficientnet_(?:b\d|lite\d)|tinynet_[a-e])")
# torchvision trains its three largest with this epsilon, the others with torch's own.
_TORCHVISION_LARGE = ("b5", "b6", "b7")


@dataclass(frozen=True)
class _Arithmetic:
    """How a library computes what its checkpoint does not say."""

    padding: Padding
    bn_epsilon: float


_TENSORFLOW = _Arithmetic("same", 1e-3)
_TORCH = _Arithmetic("symmetric", 1e-5)


def load(path: Path, request: Request) -> Weights:
    """The weights in `path`, with what its naming, its publisher or a config.json beside it states of them.

    Raises DataError for a file that is damaged, asks for code, or does not fit; UsageError where
    padding or preprocessing is stated nowhere.
    """
    state = torch_names.without_prefix(
        safetensors_file.read(path) if path.suffix.lower() == ".safetensors" else torch_file.read(path)
    )
    naming = torch_names.naming_of(state, str(path))
    modules = torch_names.NAMINGS[naming](request.architecture)
    tensors = torch_names.convert(state, modules, str(path))
    contract = _contract(path, naming, request.architecture, torch_names.originals(modules))
    return assemble(request, tensors, contract, str(path))


def _contract(path: Path, naming: str, architecture: Architecture, names: Mapping[str, str]) -> Contract:
    sha256 = sha256_of(path)
    provenance = Provenance(f"checkpoint with {naming} names", "", path.name, sha256, "not stated")
    known = published.known(sha256)
    if known is not None:
        return Contract(known.padding, known.bn_epsilon, provenance, known.preprocessing, labels.imagenet(), names)
    config = timm_config.beside(path) if naming == "timm" else None
    arithmetic = _arithmetic(path, naming, architecture, config)
    return Contract(
        padding=arithmetic.padding,
        bn_epsilon=arithmetic.bn_epsilon,
        provenance=provenance,
        preprocessing=config.preprocessing if config else None,
        labels=config.labels if config else (),
        names=names,
    )


def _arithmetic(
    path: Path, naming: str, architecture: Architecture, config: timm_config.TimmConfig | None
) -> _Arithmetic:
    if naming == "lukemelas":
        return _TENSORFLOW
    if naming == "torchvision":
        variant = scaling.variant_of(architecture)
        return _Arithmetic("symmetric", 1e-3) if variant and variant.name in _TORCHVISION_LARGE else _TORCH
    stated = _TIMM_NAME.search(config.architecture if config else path.name.lower())
    if stated:
        return _TENSORFLOW if stated[1] else _TORCH
    if config:
        raise DataError(f"{path.parent / 'config.json'}: {config.architecture!r} is no EfficientNet of timm's")
    raise UsageError(
        f"{path}: timm's efficientnet_* and tf_efficientnet_* have the same tensors but other padding; "
        "put timm's config.json beside the file, or let its name begin with the model's"
    )
