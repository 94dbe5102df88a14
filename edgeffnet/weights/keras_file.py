"""Tensors of a Keras file (`.keras`, `.h5`, `.weights.h5`) read as HDF5: no model is built, no code is run."""

from __future__ import annotations

import io
import json
import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeffnet.errors import DataError

# Keras 3 stores a layer's variables by number, in the order the layer creates them.
_NUMBERED = {
    "conv2d": ("kernel", "bias"),
    "depthwise_conv2d": ("kernel", "bias"),
    "batch_normalization": ("gamma", "beta", "moving_mean", "moving_variance"),
    "dense": ("kernel", "bias"),
    "normalization": ("mean", "variance", "count"),
}
# Far above any tensor of the family: B7's largest has 7 million elements.
_LARGEST_TENSOR = 1 << 30
_LARGEST_SUM = 1 << 32
# Weights hardly compress, and Keras does not try.
_LARGEST_RATIO = 10
_SMALL_MEMBER = 1 << 22


@dataclass(frozen=True)
class KerasFile:
    """`tensors` as "layer/tensor" in Keras' layouts; `config` is the model's, None in a file of weights only.

    `layers` are all the layer names the file mentions, those without tensors included. Layers
    whose name the file does not hold (Keras before 3.7) are named by class and number,
    "conv2d_3", with `named` False.
    """

    tensors: dict[str, NDArray[Any]]
    config: dict[str, Any] | None
    layers: tuple[str, ...]
    named: bool


def read(path: Path) -> KerasFile:
    """What `path` holds; DataError for a file that is truncated, no Keras file, or refers to other files."""
    try:
        import h5py
    except ImportError:
        raise DataError(f"{path}: reading Keras files needs h5py: pip install 'edgeffnet[build]'") from None
    config: dict[str, Any] | None = None
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                config = model_config(member(archive, "config.json"))
                content: Any = io.BytesIO(member(archive, "model.weights.h5"))
        elif path.suffix == ".keras":
            raise DataError("not a .keras archive, or truncated")
        else:
            content = path
        with h5py.File(content, "r") as file:
            if "model_config" in file.attrs:
                config = model_config(file.attrs["model_config"])
            return _read(file, config)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise DataError(f"{path}: damaged or truncated archive ({error})") from None
    except Exception as error:  # a damaged file raises whatever its bytes lead to
        raise DataError(f"{path}: not a Keras file, or truncated ({type(error).__name__})") from None


def member(archive: zipfile.ZipFile, name: str) -> bytes:
    """A member of a `.keras` archive; DataError where it is missing, or claims far more room than it takes."""
    if name not in archive.namelist():
        raise DataError(f"not a .keras archive: it has no {name}")
    entry = archive.getinfo(name)
    if entry.file_size > _LARGEST_RATIO * entry.compress_size + _SMALL_MEMBER:
        raise DataError(f"{name} claims {entry.file_size:,} bytes; not loaded")
    return archive.read(name)


def model_config(text: bytes | str) -> dict[str, Any]:
    """A model's configuration, as data; DataError where it describes none."""
    try:
        config = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"its model configuration is no JSON ({type(error).__name__})") from None
    if not isinstance(config, dict) or not isinstance(config.get("config"), dict):
        raise DataError("its model configuration describes no model")
    return config


def _read(file: Any, config: dict[str, Any] | None) -> KerasFile:
    root = file.get("model_weights", file)
    found: list[tuple[str, Any]] = []
    # Links to other files and soft links are not followed by visititems.
    root.visititems(lambda name, item: found.append((name, item)))
    datasets = [(name, item) for name, item in found if hasattr(item, "dtype")]
    if "layer_names" in root.attrs:
        rows = list(_legacy(datasets))
        layers = tuple(_text(name) for name in root.attrs["layer_names"])
        named = True
    else:
        groups = {name.removesuffix("/vars"): item for name, item in found if name.endswith("/vars")}
        named = any("name" in item.attrs for item in groups.values())
        rows = list(_numbered(datasets, groups))
        layers = tuple(
            _text(item.attrs["name"]) if "name" in item.attrs else name.split("/")[-1] for name, item in groups.items()
        )
    tensors: dict[str, NDArray[Any]] = {}
    claimed = 0
    for name, dataset in rows:
        if name in tensors:
            raise DataError(f"tensor {name} is there twice")
        claimed += dataset.nbytes
        if claimed > _LARGEST_SUM:
            raise DataError(f"its tensors claim over {_LARGEST_SUM:,} bytes; not loaded")
        tensors[name] = _array(name, dataset)
    if not tensors:
        raise DataError("holds no tensors of layers")
    return KerasFile(tensors, config, layers, named)


def _legacy(datasets: list[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
    """Keras 2's layout, and Keras 3's `.h5`: .../layer/tensor, maybe with ":0"."""
    for path, dataset in datasets:
        layer, _, tensor = path.rpartition("/")
        tensor = tensor.split(":")[0]
        yield f"{layer.split('/')[-1]}/{'kernel' if tensor == 'depthwise_kernel' else tensor}", dataset


def _numbered(datasets: list[tuple[str, Any]], groups: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Keras 3's layout: .../class_3/vars/0, the layer's name as an attribute."""
    for path, dataset in datasets:
        match = re.fullmatch(r"(?P<group>(?:.*/)?(?P<kind>[a-z0-9_]+?)(?:_\d+)?)/vars/(?P<number>\d+)", path)
        if match is None or match["kind"] not in _NUMBERED or path.startswith("optimizer"):
            continue
        tensors, number = _NUMBERED[match["kind"]], int(match["number"])
        attributes = groups[match["group"]].attrs
        layer = _text(attributes["name"]) if "name" in attributes else match["group"].split("/")[-1]
        if number >= len(tensors):
            raise DataError(f"layer {layer} has {number + 1} tensors where {len(tensors)} were expected")
        yield f"{layer}/{tensors[number]}", dataset


def _array(name: str, dataset: Any) -> NDArray[Any]:
    if dataset.dtype.kind not in "fiu":
        raise DataError(f"tensor {name} holds no numbers")
    if dataset.external or dataset.is_virtual:
        raise DataError(f"tensor {name} lies in another file; not loaded")
    if dataset.nbytes > _LARGEST_TENSOR:
        raise DataError(f"tensor {name} claims {dataset.nbytes:,} bytes; not loaded")
    return np.asarray(dataset[()])


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
