"""What a file of weights that `edgeffnet train` wrote says of itself: network, preprocessing and class names.

It is a member `edgeffnet.json` of a `.keras` archive, and metadata of a `.safetensors` file; other readers of
these formats pass it over.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from dataclasses import Field, asdict, dataclass, fields
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
# More channels, blocks or pixels than any network has that a machine could hold.
_LARGEST_NUMBER = 1 << 20
_MOST_BLOCKS = 1000


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
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
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
    except DataError:
        raise
    except Exception as error:  # a damaged archive raises whatever its bytes lead to
        raise DataError(f"{path}: damaged archive ({error})") from None


def _parsed(values: Mapping[str, Any], source: str) -> Statement:
    if values["version"] != _VERSION:
        raise DataError(f"{source}: written by another edgeffnet (statement {values['version']!r}); upgrade")
    stated = dict(values["architecture"])
    stages = tuple(Stage(**stage) for stage in stated["stages"])
    architecture = Architecture(**{**stated, "stages": stages})
    parts: tuple[Architecture | Stage, ...] = (architecture, *stages)
    for part in parts:
        for field in fields(part):
            if not _possible(getattr(part, field.name), field):
                raise DataError(f"{source}: its architecture has an impossible {field.name}")
    base = BASES.get(architecture.family)
    if base is None or base.block != architecture.block or architecture.padding not in ("same", "symmetric"):
        raise DataError(f"{source}: its architecture is of no family known here")
    labels = tuple(str(name) for name in values["labels"])
    if len(labels) != architecture.classes:
        raise DataError(f"{source}: names {len(labels)} classes, but its network has {architecture.classes}")
    preprocessing = Preprocessing.from_dict(values["preprocessing"], source)
    return Statement(architecture, preprocessing, labels, str(values["origin"]))


def _possible(value: Any, field: Field[Any]) -> bool:
    """Whether a field of an architecture can have that value; words are checked elsewhere."""
    if field.type == "int":
        most = _MOST_BLOCKS if field.name == "repeats" else _LARGEST_NUMBER
        least = 0 if field.name == "head_channels" else 1
        return type(value) is int and least <= value <= most
    if field.type == "float":
        return type(value) in (int, float) and abs(value) <= _LARGEST_NUMBER
    return True
