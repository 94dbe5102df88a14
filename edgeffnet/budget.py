"""Budgets, and quantities with units as people write them: "50ms", "8MB", "400M"."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from edgeffnet.errors import UsageError

# The chance that what is estimated to fit is too slow after all, unless another is asked for.
RISK = 0.05
LEAST_RISK, LARGEST_RISK = 0.005, 0.25

_TIME = {"us": 1e-3, "µs": 1e-3, "ms": 1.0, "s": 1e3}
_DURATION = {"s": 1.0, "m": 60.0, "h": 3600.0}
_SIZE = {"B": 1, "kB": 1_000, "KB": 1_000, "MB": 1_000_000, "GB": 1_000_000_000}
_SIZE |= {"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
_COUNT = {"": 1, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9, "B": 1e9}
_NUMBER = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*(\S*)\s*")


def milliseconds(text: str, option: str = "latency") -> float:
    """ "50ms", "0.2s" -> milliseconds; UsageError without a unit, or for nothing positive."""
    return _quantity(text, _TIME, option, "50ms or 0.2s")


def size_bytes(text: str, option: str = "size") -> int:
    """ "8MB" (decimal), "8MiB" -> bytes; UsageError without a unit, or for nothing positive."""
    return _whole(_quantity(text, _SIZE, option, "8MB or 500kB"), text, option)


def count(text: str, option: str = "count") -> int:
    """ "400M", "1.2G", "5288548" -> a number; UsageError for nothing positive."""
    return _whole(_quantity(text, _COUNT, option, "400M or 1.2G"), text, option)


def seconds(text: str, option: str) -> float:
    """ "30s", "10m", "1h" -> seconds; UsageError for anything else, or for more than a day."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smh])", text.strip())
    if not found or not 1 <= float(found[1]) * _DURATION[found[2]] <= 86400:
        raise UsageError(f"{option} {text!r}: not a time such as 30s, 10m or 1h, up to a day")
    return float(found[1]) * _DURATION[found[2]]


def share(text: str, option: str, low: float, high: float) -> float:
    """ "5%" -> 0.05; UsageError without the sign, or outside `low` to `high` (shares too)."""
    found = re.fullmatch(r"\s*(\d+\.?\d*|\.\d+)\s*%\s*", text)
    if not found:
        raise UsageError(f"{option}: {text!r} is not a percentage; write it as 5%")
    value = float(found[1]) / 100
    if not low <= value <= high:
        raise UsageError(f"{option}: {text!r} is not between {low:.1%} and {high:.0%}")
    return value


def _whole(value: float, text: str, option: str) -> int:
    if value < 1:
        raise UsageError(f"{option}: {text!r} is less than one")
    return int(value)


def _quantity(text: str, units: dict[str, float] | dict[str, int], option: str, example: str) -> float:
    found = _NUMBER.fullmatch(text)
    if not found:
        raise UsageError(f"{option}: {text!r} is not a quantity; write it as {example}")
    number, unit = float(found[1]), found[2]
    if unit not in units:
        known = ", ".join(name for name in units if name)
        wrong = f"has the unknown unit {unit!r}" if unit else "has no unit"
        raise UsageError(f"{option}: {text!r} {wrong}; write it as {example} (units: {known})")
    value = number * units[unit]
    if not math.isfinite(value) or value <= 0:
        raise UsageError(f"{option}: {text!r} must be more than zero")
    return value


# How each limit is read from text with its unit.
READERS: dict[str, Callable[[str, str], float]] = {
    "latency": milliseconds,
    "size": size_bytes,
    "memory": size_bytes,
    "macs": count,
    "parameters": count,
}


@dataclass(frozen=True)
class Budget:
    """What the network may cost (section 3.1 of the paper); a field that is None is no constraint.

    Text with units is accepted and turned into numbers: `latency` in milliseconds, `size` of the
    int8 `.tflite` and `memory` of its activations' peak in bytes (on a microcontroller its arena's, where
    tflite-micro is there to measure it), `macs` and `parameters` as counts, `drop` of top-1 in percentage
    points against fp32. `agreement` is a floor: the percentage of images on which int8 has to give fp32's
    top-1.
    """

    latency: float | str | None = None
    size: int | str | None = None
    memory: int | str | None = None
    macs: int | str | None = None
    parameters: int | str | None = None
    drop: float | None = None
    agreement: float | None = None

    def __post_init__(self) -> None:
        for name, number in READERS.items():
            value = getattr(self, name)
            if isinstance(value, str):
                value = number(value, name)
                object.__setattr__(self, name, value)
            if value is not None and not (math.isfinite(value) and value > 0):
                raise UsageError(f"{name}: {value!r} must be more than zero")
        if self.drop is not None and not math.isfinite(self.drop):
            raise UsageError(f"drop: {self.drop!r} is not a number of percentage points")
        if self.agreement is not None and not 0 < self.agreement <= 100:
            raise UsageError(f"agreement: {self.agreement!r} is not a percentage between 0 and 100")

    @property
    def has_floor(self) -> bool:
        """Whether int8 has to keep some accuracy."""
        return self.drop is not None or self.agreement is not None

    @property
    def latency_ms(self) -> float | None:
        return None if self.latency is None else float(self.latency)

    @property
    def size_bytes(self) -> int | None:
        return None if self.size is None else int(self.size)

    @property
    def limits(self) -> dict[str, float]:
        """Every limit that was set, by the field's name, the accuracy floors left out."""
        set_ = {name: getattr(self, name) for name in READERS}
        return {name: float(value) for name, value in set_.items() if value is not None}

    def to_dict(self) -> dict[str, Any]:
        return {
            "latency_ms": self.latency_ms,
            "size_bytes": self.size_bytes,
            "memory_bytes": self.memory,
            "macs": self.macs,
            "parameters": self.parameters,
            "drop_points": self.drop,
            "agreement_percent": self.agreement,
        }
