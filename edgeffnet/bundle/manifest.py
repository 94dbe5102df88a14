"""manifest.json: what lies in a bundle, by hash, and everything that made it."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import edgeffnet
from edgeffnet import devices
from edgeffnet.bundle import names
from edgeffnet.bundle.asked import Asked
from edgeffnet.bundle.folder import MANIFEST
from edgeffnet.errors import DataError
from edgeffnet.hashing import sha256_of
from edgeffnet.json_file import read_json
from edgeffnet.targets import agent

# Since 2 it holds the request and the machine, and the bundle golden images.
SCHEMA_VERSION = "2"
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


def write(folder: Path, made_from: Mapping[str, Any], asked: Asked) -> None:
    """Writes the manifest of every file in `folder`; `made_from` tells seed, weights and images."""
    _write(folder, {"tools": tool_versions(), "machine": machine(), **made_from, "request": asked.to_dict()})


def write_again(folder: Path, before: Mapping[str, Any]) -> None:
    """Writes the manifest `before` anew after files were added to `folder`."""
    _write(folder, {name: value for name, value in before.items() if name not in ("schema_version", "files")})


def _write(folder: Path, told: Mapping[str, Any]) -> None:
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != MANIFEST)
    manifest = {
        "schema_version": SCHEMA_VERSION,
        "files": {
            path.relative_to(folder).as_posix(): {"sha256": sha256_of(path), "bytes": path.stat().st_size}
            for path in files
        },
        **told,
    }
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def read(path: Path) -> dict[str, Any]:
    """A manifest.json as it is; DataError where it is none."""
    try:
        found = read_json(path)
        if not all(isinstance(entry["sha256"], str) for entry in found["files"].values()):
            raise ValueError("a file without its hash")
    except FileNotFoundError:
        raise DataError(f"{path.parent}: no {MANIFEST}; this is not an edgeffnet bundle") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path}: not a manifest ({error})") from None
    if (outside := next((name for name in found["files"] if not names.leads_inside(name)), None)) is not None:
        raise DataError(f"{path}: not a manifest ({outside!r} is not the name of a file in its folder)")
    made: dict[str, Any] = found
    return made


def machine() -> dict[str, str]:
    """The processor here and its 8-bit arithmetic, on which calibration's and the outputs' last bits depend."""
    return {"cpu": agent.machine()["cpu"], "int8": devices.load("local").int8}


def tool_versions() -> dict[str, str]:
    """The version of each tool that is installed, and of Python."""
    found = {"edgeffnet": edgeffnet.__version__, "python": platform.python_version()}
    for tool in _TOOLS:
        try:
            found[tool] = metadata.version(tool)
        except metadata.PackageNotFoundError:
            continue
    return found


def differences(folder: Path) -> dict[str, str]:
    """What differs from the manifest, by file: it "was changed", "is missing", "is a link" or "was added"."""
    expected = {name: entry["sha256"] for name, entry in read(folder / MANIFEST)["files"].items()}
    found = {}
    for name, sha256 in expected.items():
        file = folder / name
        if file.is_symlink():
            found[name] = "is a link"
        elif not file.is_file():
            found[name] = "is missing"
        elif sha256_of(file) != sha256:
            found[name] = "was changed"
    present = {file.relative_to(folder).as_posix() for file in folder.rglob("*") if _is_there(file)}
    return found | dict.fromkeys(sorted(present - set(expected) - {MANIFEST}), "was added")


def _is_there(path: Path) -> bool:
    """A file, or a link to anything: a folder behind it would be taken for the bundle's own."""
    return path.is_symlink() or path.is_file()
