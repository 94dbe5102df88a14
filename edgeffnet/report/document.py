"""A report as plain data: of which kind it is, and which version of the schema it follows."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from edgeffnet.bundle.manifest import tool_versions

Kind = Literal["build", "validate", "audit", "quantize", "train"]
KINDS: tuple[Kind, ...] = ("build", "validate", "audit", "quantize", "train")

# Raised when a reader of an older version would misread or miss a field.
SCHEMA_VERSION = "2"


def document(kind: Kind, body: Mapping[str, Any]) -> dict[str, Any]:
    """`body` as a report of that kind, with the versions of the tools here.

    NaN and infinities, which JSON has not, become None.
    """
    found: dict[str, Any] = finite(body)
    return {"schema_version": SCHEMA_VERSION, "kind": kind, "tools": tool_versions(), **found}


def to_json(report: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> str:
    """One report, or several, as JSON text; the same data give the same text, which UTF-8 can always hold."""
    text = json.dumps(report, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    # A file's name that is no UTF-8 holds lone surrogates; Python's escape of one is JSON's too.
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def finite(value: Any) -> Any:
    """`value` in lists, dicts and scalars, with None for every float that is not finite."""
    if isinstance(value, Mapping):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    if isinstance(value, float) and value - value != 0:
        return None
    return value
