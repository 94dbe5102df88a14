"""What may grow by a factor from phi 0 to phi 1 instead of multiply-adds: latency, estimated or measured."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median
from typing import Any, Literal, Protocol

from edgeffnet import devices
from edgeffnet.architecture import Architecture
from edgeffnet.errors import UsageError
from edgeffnet.patience import Patience
from edgeffnet.targets.target import Target

# Of each timing of one network.
_SECONDS = 3.0
# From one process to another, or within tens of seconds, a network's ratio to another may move by 15%.
_PROCESSES = 3
_SECONDS_IN_EACH = 1.5


class LatencyCost(Protocol):
    """How many times as long as one network another takes."""

    @property
    def kind(self) -> Literal["estimated", "measured"]: ...

    @property
    def said(self) -> str:
        """What it is a latency of, in words."""

    def factor(self, net: Architecture, base: Architecture) -> float:
        """The latency of `net` over that of `base`. UsageError or TargetError where there is none."""


@dataclass(frozen=True)
class EstimatedLatency:
    """By the profile of `device`: the ratio of two estimated means, int8 TFLite."""

    device: devices.Device
    threads: int | None = None
    kind: Literal["estimated", "measured"] = "estimated"

    @property
    def said(self) -> str:
        count = self.threads or self.device.default_threads
        return f"int8 TFLite latency on {self.device.name}, {count} thread{'s' * (count > 1)}, estimated"

    def milliseconds(self, net: Architecture) -> devices.Estimate:
        """The estimate; UsageError where the profile has no basis for one."""
        found = devices.estimate(self.device, net, threads=self.threads)
        if isinstance(found, devices.NoBasis):
            raise UsageError(f"{self.device.name}: {found}")
        return found

    def factor(self, net: Architecture, base: Architecture) -> float:
        return self.milliseconds(net).mean_ms / self.milliseconds(base).mean_ms


@dataclass(frozen=True)
class MeasuredLatency:
    """On `target`, int8 TFLite with random weights: a machine that slows down meanwhile slows both, timed in turns."""

    target: Target
    threads: int | None = None
    patience: Patience = field(default_factory=Patience)
    kind: Literal["estimated", "measured"] = "measured"

    @property
    def said(self) -> str:
        threads = "" if self.threads is None else f", {self.threads} thread{'s' * (self.threads > 1)}"
        return f"int8 TFLite latency on {self.target.name}{threads}, measured with random weights"

    def milliseconds(self, net: Architecture) -> float:
        """The median of one inference."""
        from edgeffnet import stand_ins
        from edgeffnet.timing import latencies

        artifact = stand_ins.make(net)["int8"]

        def measured() -> tuple[float, dict[str, Any]]:
            found, machine = latencies(
                [artifact],
                self.target,
                *stand_ins.contract(net),
                threads=self.threads,
                percentile=50,
                seconds=_SECONDS,
                pace_ms=self.patience.pace_ms,
            )
            return found[artifact].typical_ms, machine

        return self.patience.timed(measured)

    def factor(self, net: Architecture, base: Architecture) -> float:
        from edgeffnet import stand_ins
        from edgeffnet.timing import times_as_long

        artifacts = stand_ins.make(net)["int8"], stand_ins.make(base)["int8"]
        preprocessing, image = stand_ins.contract(net)
        images = image, stand_ins.contract(base)[1]
        return median(
            times_as_long(
                *artifacts, self.target, preprocessing, images, threads=self.threads, seconds=_SECONDS_IN_EACH
            )
            for _ in range(_PROCESSES)
        )
