"""What an audit noticed beside its figures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Severity = Literal["fault", "warning", "note"]


@dataclass(frozen=True)
class Finding:
    """One thing noticed: `name` such as "channels-swapped", `said` in one sentence, `evidence` as plain data.

    A fault is something that costs accuracy or makes a figure untrue; a warning may; a note does not.
    """

    name: str
    severity: Severity
    said: str
    evidence: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        return {"name": self.name, "severity": self.severity, "said": self.said, "evidence": self.evidence}
