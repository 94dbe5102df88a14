"""What a file of weights that `edgeffnet train` wrote says of itself: network, preprocessing and class names.

It is a member `edgeffnet.json` of a `.keras` archive, and metadata of a `.safetensors` file; other readers of
these formats pass it over.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from edgeffnet.architecture import Architecture, Stage
from edgeffnet.bases import BASES
from edgeffnet.errors import DataError
from edgeffnet.images import Preprocessing
from edgeffnet.weights import safetensors_file

MEMBER = "edgeffnet.json"
KEY = "edgeffnet"
_VERSION = "1"
_LARGEST = 10_000_000


@dataclass(frozen=True)
class Statement:
    """`origin` says in words where the weights came from."""

    architecture: Architecture
    preprocessing: Preprocessing
    labels: tuple[str, ...]
    origin: str

    def to_json(self) -> str:
        """The same bytes for the same statement."""
        values = {
            "version": _VERSION,
            "architecture": asdict(self.architecture),
            "preprocessing": self.preprocessing.to_dict(),
            "labels": list(self.labels),
            "origin": self.origin,
        }
        return json.dumps(values, ensure_ascii=False)


def read(path: Path) -> Statement | None:
    """The statement in `path`, None where it holds none; DataError where it holds one that is damaged."""
    text = _text(path)
    if text is None:
        return None
    try:
        return _parsed(json.loads(text), str(path))
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise DataError(f"{path}: what it says of itself is malformed ({type(error).__name__}: {error})") from None


def _text(path: Path) -> str | None:
    if path.suffix == ".safetensors" and path.is_file():
        return safetensors_file.metadata(path).get(KEY)
    if path.suffix != ".keras" or not path.is_file() or not zipfile.is_zipfile(path):
        return None
    try:
        with zipfile.ZipFile(path) as archive:
            if MEMBER not in archive.namelist():
                return None
            if archive.getinfo(MEMBER).file_size > _LARGEST:
                raise DataError(f"{path}: {MEMBER} claims {archive.getinfo(MEMBER).file_size:,} bytes; not loaded")
            return archive.read(MEMBER).decode("utf-8")
    except (OSError, zipfile.BadZipFile, UnicodeDecodeError) as error:
        raise DataError(f"{path}: damaged archive ({error})") from None


def _parsed(values: Mapping[str, Any], source: str) -> Statement:
    if values["version"] != _VERSION:
        raise DataError(f"{source}: written by another edgeffnet (statement {values['version']!r}); upgrade")
    stated = dict(values["architecture"])
    stated["stages"] = tuple(Stage(**{key: int(value) for key, value in stage.items()}) for stage in stated["stages"])
    for field in fields(Architecture):
        if field.type in ("int", "float") and not isinstance(stated[field.name], int | float):
            raise DataError(f"{source}: its architecture has an impossible {field.name}")
    architecture = Architecture(**stated)
    base = BASES.get(architecture.family)
    if base is None or base.block != architecture.block or architecture.padding not in ("same", "symmetric"):
        raise DataError(f"{source}: its architecture is of no family known here")
    labels = tuple(str(name) for name in values["labels"])
    if len(labels) != architecture.classes:
        raise DataError(f"{source}: names {len(labels)} classes, but its network has {architecture.classes}")
    preprocessing = Preprocessing.from_dict(values["preprocessing"], source)
    return Statement(architecture, preprocessing, labels, str(values["origin"]))
