"""This machine at one speed: what is timed is timed in turns with a yardstick, and told in its time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from converters.artifact import Artifact
from edgeffnet.images import Pixels
from edgeffnet.targets.local import LocalTarget
from edgeffnet.targets.target import Progress, Request
from edgeffnet.validation import load_request, shards

_NAME = "yardstick"
_MILLISECONDS = ("p50_ms", "p90_ms", "p99_ms", "mean_ms", "deviation_ms", "max_ms", "value_ms", "low_ms", "high_ms")


class SteadyTarget(LocalTarget):
    """A virtual machine whose neighbours change its speed from minute to minute, as if they did not.

    A timing of one model is made in turns with `yardstick`, for as many seconds as it may take, and no inference is
    left out; its milliseconds are multiplied by what the yardstick took in the first timing of all over what it took
    in this one, both at the percentile asked for. `factors` has these multipliers.
    """

    def __init__(self, yardstick: Artifact, image: Pixels, folder: Path) -> None:
        super().__init__()
        self._load = load_request(self, yardstick, _NAME)
        with shards(image) as (file,):
            self._image = str(file.replace(folder / "yardstick.npz"))
        self._first_ms: float | None = None
        self.factors: list[float] = []

    @property
    def said(self) -> str:
        """The multipliers in words."""
        low, middle, high = min(self.factors), median(self.factors), max(self.factors)
        return f"{len(self.factors)} timings were multiplied by {low:.2f} to {high:.2f}, median {middle:.2f}"

    def run(self, requests: Sequence[Request], timeout: float, progress: Progress | None = None) -> list[Any]:
        *before, last = requests
        if last["do"] != "latency":
            return super().run(requests, timeout, progress)
        timing = {
            **last,
            "names": [*last["names"], _NAME],
            "inputs": [*last["inputs"], self._image],
            "until_tight": False,
            "min_seconds": last["max_seconds"],
            "max_seconds": 4 * last["max_seconds"],
        }
        *answers, _, timed = super().run([*before, self._load, timing], 4 * timeout, progress)
        return [*answers, self._at_first_speed(timed)]

    def _at_first_speed(self, timed: dict[str, Any]) -> dict[str, Any]:
        now = timed["models"].pop(_NAME)["value_ms"]
        self._first_ms = self._first_ms or now
        self.factors.append(self._first_ms / now)
        for times in timed["models"].values():
            times.update({key: times[key] * self.factors[-1] for key in _MILLISECONDS})
        # A slower pace is not waited out: it is what was corrected.
        timed["during"]["pace_ms"] = None
        return timed
