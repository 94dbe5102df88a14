"""Whether a report is one: against the JSON Schemas that this package ships, one for each kind."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from edgeffnet.errors import DataError
from edgeffnet.json_file import read_json
from edgeffnet.report.document import KINDS, SCHEMA_VERSION, Kind

REPORT = "report.json"
_SHARED = "shared"


def check(report: Any, name: str = REPORT) -> None:
    """Raises DataError that names the first field of `report` that its schema does not allow.

    `name` is what the report is called in the error. A report of another version is refused too.
    """
    import jsonschema

    require_known_version(report, name)
    kind = report.get("kind")
    if kind not in KINDS:
        raise DataError(f"{name}: kind is {kind!r}; it is one of {', '.join(KINDS)}")
    error = jsonschema.exceptions.best_match(_validator(kind).iter_errors(report))
    if error is not None:
        raise DataError(f"{name}: {error.json_path.removeprefix('$').lstrip('.') or 'report'}: {_said(error)}")


def read(folder: Path) -> dict[str, Any]:
    """The report in `folder`, checked. DataError where there is none, or none that this version reads."""
    report: dict[str, Any] = _parse(folder / REPORT)
    check(report, str(folder / REPORT))
    return report


def require_readable(folder: Path) -> None:
    """DataError where `folder` holds a report of a newer schema: what lies beside it may not be what it seems."""
    if (folder / REPORT).is_file():
        _require_not_newer(_parse(folder / REPORT), str(folder / REPORT))


def require_known_version(report: Any, name: str = REPORT) -> None:
    """DataError for what is no report, or is one of a version that this package does not read."""
    version = _require_not_newer(report, name)
    if version != SCHEMA_VERSION:
        raise DataError(
            f"{name}: schema {version} is of an older edgeffnet, this one reads {SCHEMA_VERSION}: make it anew"
        )


def schema(kind: Kind) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of reports of that kind."""
    return _load(kind)


def _parse(path: Path) -> Any:
    try:
        return read_json(path)
    except FileNotFoundError:
        raise DataError(f"{path.parent}: no {REPORT}; this is not a folder of a report") from None
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: not a report ({error})") from None


def _require_not_newer(report: Any, name: str) -> str:
    if not isinstance(report, Mapping) or not isinstance(version := report.get("schema_version"), str):
        raise DataError(f"{name}: not a report: it has no schema_version")
    if not version.isdecimal() or int(version) > int(SCHEMA_VERSION):
        raise DataError(
            f"{name}: written by a newer edgeffnet (schema {version}, this one reads {SCHEMA_VERSION}): "
            "upgrade with pip install --upgrade edgeffnet"
        )
    return version


@cache
def _load(name: str) -> dict[str, Any]:
    text = resources.files("edgeffnet.report").joinpath("schemas", f"{name}.schema.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


@cache
def _validator(kind: Kind) -> Any:
    from jsonschema import Draft202012Validator
    from referencing import Registry, Resource

    shared = Resource.from_contents(_load(_SHARED))
    return Draft202012Validator(_load(kind), registry=Registry().with_resource(_load(_SHARED)["$id"], shared))


def _said(error: Any) -> str:
    """What is wrong, without the value where that is long."""
    words = str(error.message)
    shown = repr(error.instance)
    if len(shown) > 80:
        words = words.replace(shown, f"a value of type {type(error.instance).__name__}")
    return words if len(words) <= 300 else f"{words[:300]}..."
