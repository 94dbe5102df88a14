"""manifest.json: what lies in a bundle, by hash, and everything that made it."""

from __future__ import annotations

import json
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

import edgeffnet
from edgeffnet.bundle.folder import MANIFEST
from edgeffnet.errors import DataError
from edgeffnet.hashing import sha256_of

SCHEMA_VERSION = "1"
_TOOLS = (
    "tensorflow",
    "keras",
    "ai-edge-litert",
    "litert-quantizer",
    "openvino",
    "nncf",
    "onnx",
    "onnxruntime",
    "tf2onnx",
    "numpy",
    "Pillow",
)


def write(folder: Path, made_from: dict[str, Any]) -> None:
    """Writes the manifest of every file in `folder`; `made_from` tells seed, weights and images."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != MANIFEST)
    manifest = {
        "schema_version": SCHEMA_VERSION,
        "files": {
            str(path.relative_to(folder)): {"sha256": sha256_of(path), "bytes": path.stat().st_size} for path in files
        },
        "tools": tool_versions(),
        **made_from,
    }
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def tool_versions() -> dict[str, str]:
    """The version of each tool that is installed, and of Python."""
    found = {"edgeffnet": edgeffnet.__version__, "python": platform.python_version()}
    for tool in _TOOLS:
        try:
            found[tool] = metadata.version(tool)
        except metadata.PackageNotFoundError:
            continue
    return found


def differences(folder: Path) -> tuple[str, ...]:
    """What differs from the manifest: files changed, missing or added; empty where all is as built."""
    path = folder / MANIFEST
    try:
        recorded = json.loads(path.read_text(encoding="utf-8"))["files"]
        expected = {name: entry["sha256"] for name, entry in recorded.items()}
    except FileNotFoundError:
        raise DataError(f"{folder}: no {MANIFEST}; this is not an edgeffnet bundle") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path}: not a manifest ({error})") from None
    found = []
    for name, sha256 in expected.items():
        file = folder / name
        if not file.is_file():
            found.append(f"{name} is missing")
        elif sha256_of(file) != sha256:
            found.append(f"{name} was changed")
    present = {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()}
    found += [f"{name} was added" for name in sorted(present - set(expected) - {MANIFEST})]
    return tuple(found)
