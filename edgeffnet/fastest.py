"""Which precision and which runtime are fastest for a network on a device: part of every answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from edgeffnet import selection
from edgeffnet.architecture import Architecture

if TYPE_CHECKING:
    from converters.artifact import Artifact
    from edgeffnet.devices import Device
    from edgeffnet.timing import Latency

_RUNTIMES = {"tflite": "TFLite", "openvino": "OpenVINO"}


@dataclass(frozen=True)
class Way:
    """A way to run the network: milliseconds at the percentile asked for, None with the reason in `why`."""

    name: str
    format: str
    precision: str
    kind: Literal["measured", "estimated", "no basis"]
    value_ms: float | None
    low_ms: float | None
    high_ms: float | None
    why: str = ""

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def measured(latencies: Mapping[Artifact, Latency]) -> tuple[Way, ...]:
    """The artefacts that ran, fastest first."""
    ways = [
        Way(found.name, found.format, found.precision, "measured", at.value_ms, at.low_ms, at.high_ms)
        for found, at in latencies.items()
    ]
    return _ranked(ways)


def estimated(
    device: Device, architecture: Architecture, threads: int, percentile: float, risk: float
) -> tuple[Way, ...]:
    """What the device's profile says of fp32 and int8 in TFLite and OpenVINO, fastest first, unknown ones last."""
    ways = []
    for runtime, name in _RUNTIMES.items():
        for precision in ("int8", "fp32"):
            at = selection.estimated(
                device, architecture, threads, percentile, risk=risk, precision=precision, runtime=runtime
            )
            called = f"{name} {precision}"
            if isinstance(at, str):
                ways.append(Way(called, runtime, precision, "no basis", None, None, None, at))
            else:
                ways.append(Way(called, runtime, precision, "estimated", at.value_ms, at.low_ms, at.high_ms))
    return _ranked(ways)


def said(ways: Sequence[Way], where: str) -> str:
    """The ranking in a sentence; where intervals of the first two overlap, neither is called fastest."""
    known = [way for way in ways if way.value_ms is not None]
    if not known:
        return f"which precision and runtime is fastest on {where} is not known: no basis"
    listed = ", ".join(f"{way.name} {way.value_ms:.3g} ms {way.kind}" for way in known)
    unknown = ", ".join(way.name for way in ways if way.value_ms is None)
    rest = f"; no basis for {unknown}" if unknown else ""
    apart = len(known) == 1 or _above(known[0]) < _below(known[1])
    first = known[0].name if apart else f"{known[0].name} or {known[1].name}, too close to tell"
    return f"fastest on {where}: {first} ({listed}{rest})"


def _above(way: Way) -> float:
    return way.high_ms or 0.0


def _below(way: Way) -> float:
    return way.low_ms or 0.0


def _ranked(ways: Sequence[Way]) -> tuple[Way, ...]:
    return tuple(sorted(ways, key=lambda way: (way.value_ms is None, way.value_ms or 0.0)))
