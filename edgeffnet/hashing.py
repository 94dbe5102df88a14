"""Files and arrays by their content."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


def sha256_of(path: Path) -> str:
    """The file's SHA-256 in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_of_array(array: NDArray[Any]) -> str:
    """The SHA-256 of an array's values in hexadecimal; shape and dtype are not part of it."""
    return hashlib.sha256(np.ascontiguousarray(array).data).hexdigest()
