"""The models that a report holds, whatever its kind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Report = Mapping[str, Any]
Model = Mapping[str, Any]


def models(report: Report) -> list[Model]:
    """The artefacts of a build or a quantization, the models of a validation; empty for an audit."""
    found: list[Model] = report.get("artifacts") or report.get("models") or []
    return [] if report["kind"] == "audit" else found


def shipped(report: Report) -> Model | None:
    """The first int8 model, which is what a build is for."""
    return next((model for model in models(report) if model["precision"] == "int8"), None)


def measured_here(report: Report) -> bool:
    """Whether latencies were measured on the device the budget is for."""
    return bool(report.get("chosen", {}).get("latency")) and report["chosen"]["latency"]["kind"] == "measured"
