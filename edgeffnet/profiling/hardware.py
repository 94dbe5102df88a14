"""What a target says of its hardware, as the part of a profile that a fit starts from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from edgeffnet.devices.local import described, local_device
from edgeffnet.devices.profile import Device

_UNKNOWN_CLOCK_GHZ = 1.5
_UNKNOWN_CACHE_KIB = 512


def hardware(machine: Mapping[str, Any], name: str, *, local: bool) -> Device:
    """A profile called `name` without rows, from the agent's answer to "hello"; guesses are said to be."""
    if local:
        return replace(local_device(), name=name, description=f"{machine['cpu']}, measured", spread=None)
    clock = machine["frequency_mhz"]
    guessed = ["cache", *([] if clock else ["clock"])]
    return described(
        name=name,
        description=f"{machine['board'] or machine['cpu']}, measured",
        soc=machine["board"] or machine["architecture"],
        core=machine["cpu"],
        cores=len(machine["fast_cores"]),
        clock_ghz=clock / 1e3 if clock else _UNKNOWN_CLOCK_GHZ,
        flags=frozenset(machine["flags"]),
        architecture=machine["architecture"],
        memory_mib=max(1, int(machine["memory_bytes"]) >> 20),
        cache_kib=_UNKNOWN_CACHE_KIB,
        hardware_source=f"told by the target; peaks derived; assumed: bandwidth, {', '.join(guessed)}",
    )
