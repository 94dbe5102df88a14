"""What a `.keras` archive must not hold before Keras itself may read it.

Keras' safe mode refuses lambdas, and has had holes: configurations that name functions of any module, and weights
that lie in other files. Both are looked for here first, in the configuration as data and the weights as HDF5.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edgeffnet.errors import DataError
from edgeffnet.weights.keras_file import member, model_config

# Layers that run what a file names, or read files that it names.
_REFUSED = {
    *("Lambda", "TorchModuleWrapper", "TFSMLayer", "JaxLayer", "FlaxLayer", "StringLookup", "IntegerLookup"),
    *("TextVectorization", "function", "__lambda__", "__typespec__"),
}


def require_harmless(path: Path) -> None:
    """DataError where the archive names code outside Keras' own layers, or its weights lie in other files."""
    try:
        with zipfile.ZipFile(path) as archive:
            config = model_config(member(archive, "config.json"))
            weights = member(archive, "model.weights.h5")
        for said in _named(config):
            raise DataError(f"its configuration names {ascii(said)[:100]}, which is no layer of Keras; not loaded")
        _require_own_weights(weights)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    except Exception as error:  # a damaged archive raises whatever its bytes lead to
        raise DataError(f"{path}: not a .keras archive, or damaged ({type(error).__name__})") from None


def _named(config: Any) -> Iterator[str]:
    """What the configuration names outside Keras, and of Keras what reads files or runs code."""
    left = [config]
    while left:
        value = left.pop()
        if isinstance(value, dict):
            left += value.values()
            module, name = value.get("module"), value.get("class_name")
            if module is not None and not (module == "keras" or str(module).startswith("keras.")):
                yield f"{module}.{name}"
            if str(name) in _REFUSED:
                yield str(name)
        elif isinstance(value, list):
            left += value


def _require_own_weights(content: bytes) -> None:
    import h5py

    with h5py.File(io.BytesIO(content), "r") as file:
        left = [file]
        while left:
            group = left.pop()
            for name in group:
                if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                    raise DataError(f"its weights hold a link ({ascii(name)[:100]}); not loaded")
                item = group[name]
                if isinstance(item, h5py.Group):
                    left.append(item)
                elif item.external or item.is_virtual:
                    raise DataError(f"its weights lie in another file ({ascii(name)[:100]}); not loaded")
