"""What calibration hands to the quantizers: a range for every activation, and where it came from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Range:
    """The real values an activation's 8-bit grid has to span; `low` <= 0 <= `high`."""

    low: float
    high: float


@dataclass(frozen=True)
class Calibration:
    """Activation ranges by tensor name, with what made them.

    `method` names the choice of ranges, `images` counts the images seen, `source` says which,
    `images_sha256` identifies their pixels.
    """

    ranges: Mapping[str, Range]
    method: str
    images: int
    source: str
    images_sha256: str

    def to_dict(self) -> dict[str, Any]:
        return {
            "method": self.method,
            "images": self.images,
            "source": self.source,
            "images_sha256": self.images_sha256,
            "ranges": {name: [found.low, found.high] for name, found in sorted(self.ranges.items())},
        }

    def digest(self) -> str:
        """SHA-256 of the calibration's canonical JSON."""
        return hashlib.sha256(json.dumps(self.to_dict(), sort_keys=True).encode()).hexdigest()
