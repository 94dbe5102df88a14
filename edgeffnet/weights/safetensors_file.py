"""Tensors of a `.safetensors` file: eight bytes of length, a JSON header, then the raw data."""

from __future__ import annotations

import json
import math
import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeffnet.errors import DataError

_DTYPES: dict[str, np.dtype[Any]] = {
    "F64": np.dtype("<f8"),
    "F32": np.dtype("<f4"),
    "F16": np.dtype("<f2"),
    "BF16": np.dtype("<u2"),
    "I64": np.dtype("<i8"),
    "I32": np.dtype("<i4"),
    "I16": np.dtype("<i2"),
    "I8": np.dtype("i1"),
    "U8": np.dtype("u1"),
    "BOOL": np.dtype("?"),
}
_LARGEST_HEADER = 100_000_000


def read(path: Path) -> dict[str, NDArray[Any]]:
    """The tensors in `path` by name, in the file's layouts; bfloat16 comes as float32.

    Raises DataError for a file that is truncated, no safetensors file, or has tensors outside it.
    """
    content = _content(path)
    try:
        header, data = _split(content)
        return {name: _tensor(entry, data, name) for name, entry in header.items() if name != "__metadata__"}
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise DataError(f"{path}: not a safetensors file ({type(error).__name__} in its header)") from None


def metadata(path: Path) -> dict[str, str]:
    """The file's own words about itself, empty where it has none; DataError as `read`."""
    content = _content(path)
    try:
        found = _split(content)[0].get("__metadata__") or {}
        return {str(name): str(text) for name, text in found.items()}
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    except (TypeError, ValueError, AttributeError, RecursionError) as error:
        raise DataError(f"{path}: not a safetensors file ({type(error).__name__} in its header)") from None


def _content(path: Path) -> NDArray[np.uint8]:
    try:
        return np.memmap(path, np.uint8, "r") if path.stat().st_size else np.empty(0, np.uint8)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from None


def _split(content: NDArray[np.uint8]) -> tuple[dict[str, Any], NDArray[np.uint8]]:
    if len(content) < 8:
        raise DataError("too short for a safetensors file")
    (length,) = struct.unpack("<Q", content[:8].tobytes())
    if length > min(_LARGEST_HEADER, len(content) - 8):
        raise DataError("not a safetensors file, or truncated within its header")
    header = json.loads(content[8 : 8 + length].tobytes().decode("utf-8"))
    if not isinstance(header, dict):
        raise DataError("not a safetensors file: its header is no JSON object")
    return header, content[8 + length :]


def _tensor(entry: Any, data: NDArray[np.uint8], name: str) -> NDArray[Any]:
    if entry["dtype"] not in _DTYPES:
        raise DataError(f"tensor {name} has type {entry['dtype']}, which is not read here")
    dtype, shape = _DTYPES[entry["dtype"]], tuple(int(size) for size in entry["shape"])
    start, end = (int(offset) for offset in entry["data_offsets"])
    if end > len(data):
        raise DataError(f"truncated: tensor {name} reaches beyond the end of the file")
    if start < 0 or min(shape, default=0) < 0 or end - start != math.prod(shape) * dtype.itemsize:
        raise DataError(f"tensor {name} is described inconsistently")
    array: NDArray[Any] = np.frombuffer(data[start:end].tobytes(), dtype).reshape(shape)
    if entry["dtype"] == "BF16":
        array = np.left_shift(array, 16, dtype=np.uint32).view(np.float32)
    return array
