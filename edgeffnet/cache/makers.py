"""What every step depends on beside its input: our own code, the tools, the processor, and their variables."""

from __future__ import annotations

import hashlib
import os
from functools import cache
from pathlib import Path
from typing import Any

import calib
import converters
import edgeffnet
from edgeffnet.bundle.manifest import tool_versions
from edgeffnet.targets import agent

# Variables by which numerical libraries choose other instructions or sums.
_PREFIXES = ("ONEDNN_", "DNNL_", "TF_", "XLA_", "OMP_", "MKL_", "OPENBLAS_", "KMP_", "OV_", "NNCF_", "KERAS_")


@cache
def makers() -> dict[str, Any]:
    """Plain data; another value of any of it may give other bytes."""
    machine = agent.machine()
    return {
        "sources": sources(),
        "tools": tool_versions(),
        "processor": [machine["cpu"], machine["architecture"], machine["flags"], len(os.sched_getaffinity(0))],
        "environment": {name: value for name, value in sorted(os.environ.items()) if name.startswith(_PREFIXES)},
    }


def sources() -> str:
    """SHA-256 over the code of the three packages, as it lies on the disk now."""
    digest = hashlib.sha256()
    for package in (calib, converters, edgeffnet):
        root = Path(str(package.__file__)).parent
        for path in sorted(root.rglob("*.py")):
            digest.update(f"{package.__name__}/{path.relative_to(root).as_posix()}".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
