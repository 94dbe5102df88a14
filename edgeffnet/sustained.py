"""Latency of a long run without a pause, against time and temperature: what heat does to a board."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converters.artifact import Artifact
from edgeffnet.images import Preprocessing
from edgeffnet.targets.target import Progress, Target
from edgeffnet.validation import load_request, shards


@dataclass(frozen=True)
class Sustained:
    """Slices of a long run: each has at_s, p50_ms, p90_ms, runs, and frequency_mhz and temperature_c or None.

    `slowdown` is the last tenth's p50 over the first tenth's.
    """

    artifact: str
    on: str
    threads: int
    slices: tuple[dict[str, Any], ...]
    warnings: tuple[str, ...]

    @property
    def slowdown(self) -> float:
        times = [found["p50_ms"] for found in self.slices]
        tenth = max(1, len(times) // 10)
        return float(np.median(times[-tenth:]) / np.median(times[:tenth]))

    def to_dict(self) -> dict[str, Any]:
        return {**vars(self), "slices": list(self.slices), "slowdown": self.slowdown}

    def said(self) -> str:
        """In words."""
        heat = [found["temperature_c"] for found in self.slices if found["temperature_c"] is not None]
        warmth = f", {heat[0]:.0f} to {max(heat):.0f} C" if heat else ", temperature not readable"
        return (
            f"{self.artifact} over {self.slices[-1]['at_s']:.0f} s without a pause: p50 "
            f"{self.slices[0]['p50_ms']:.2f} ms at first, {self.slices[-1]['p50_ms']:.2f} ms at last "
            f"({self.slowdown:.2f} times){warmth}"
        )


def sustain(
    artifact: Artifact,
    target: Target,
    preprocessing: Preprocessing,
    image: NDArray[np.uint8],
    *,
    seconds: float,
    threads: int | None,
    progress: Progress | None = None,
) -> Sustained:
    """Runs the artefact over `image`, uint8 (1, h, w, 3), for `seconds`. Raises TargetError."""
    with shards(image) as (file,):
        feed = {"inputs": target.push(file), "mean": preprocessing.mean, "std": preprocessing.std}
        requests: list[dict[str, Any]] = [
            {"do": "hello"},
            {"do": "cores", "threads": threads},
            load_request(target, artifact, artifact.name),
            {"do": "sustain", "name": artifact.name, "seconds": seconds, **feed},
        ]
        machine, cores, _, found = target.run(requests, timeout=seconds + 120, progress=progress)
    return Sustained(artifact.name, machine["cpu"], cores["threads"], tuple(found["slices"]), tuple(found["warnings"]))
