"""A report on disk: report.json, and report.html beside it where the libraries for it are installed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgeffnet.bundle.folder import MANIFEST
from edgeffnet.errors import UsageError
from edgeffnet.report import html, schema
from edgeffnet.report.document import to_json


def write(folder: Path, report: Mapping[str, Any]) -> None:
    """Writes both into `folder`; only report.json where `html.missing` says why there can be no page."""
    (folder / schema.REPORT).write_text(to_json(report), encoding="utf-8")
    if html.missing() is None:
        html.write(folder / html.PAGE, report)


def require_usable(folder: Path) -> None:
    """Makes `folder`, for a report alone. UsageError where that cannot be, or where it is a bundle's."""
    if (folder / MANIFEST).exists():
        raise UsageError(f"--output {folder} is a bundle, whose files stay as they were built; choose another folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"--output {folder}: {error.strerror}") from None
