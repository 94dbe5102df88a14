"""The versions that edgeffnet asks for, read from its own metadata."""

from __future__ import annotations

import re
from importlib import metadata

_REQUIREMENT = re.compile(r"(?P<name>[A-Za-z0-9._-]+)\s*(?P<how>>=|==)\s*(?P<version>[0-9][0-9A-Za-z.]*)")


def required() -> dict[str, tuple[str, str]]:
    """(">=" or "==", version) by the package's name in lower case; empty where edgeffnet is not installed."""
    try:
        lines = metadata.requires("edgeffnet") or []
    except metadata.PackageNotFoundError:
        return {}
    found = [_REQUIREMENT.match(line) for line in lines]
    return {match["name"].lower(): (match["how"], match["version"]) for match in found if match}


def unmet(installed: str, how: str, wanted: str) -> bool:
    """Whether the version `installed` is older than `wanted`, or for "==" another."""
    if how == "==":
        return installed != wanted
    return _numbers(installed) < _numbers(wanted)


def _numbers(version: str) -> tuple[int, ...]:
    """(2, 20, 0) of "2.20.0rc1": what follows the numbers is left out."""
    digits = re.match(r"\d+(\.\d+)*", version)
    return tuple(int(part) for part in digits[0].split(".")) if digits else ()
