"""Device profiles, and the latency a network should have on each.

    device = load("rpi4")
    estimate(device, scaling.official("lite0"), precision="int8", threads=4)

Names are loaded on first use: listing the profiles should not wait for the fit's modules.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edgeffnet.devices.explanation import Explanation, explain
    from edgeffnet.devices.latency import Estimate, NoBasis, estimate
    from edgeffnet.devices.percentile import PercentileEstimate, to_percentile
    from edgeffnet.devices.profile import Device, device_names, load

__all__ = [
    "Device",
    "Estimate",
    "Explanation",
    "NoBasis",
    "PercentileEstimate",
    "device_names",
    "estimate",
    "explain",
    "load",
    "to_percentile",
]

_HOMES = {
    "explanation": ("Explanation", "explain"),
    "latency": ("Estimate", "NoBasis", "estimate"),
    "percentile": ("PercentileEstimate", "to_percentile"),
    "profile": ("Device", "device_names", "load"),
}


def __getattr__(name: str) -> object:
    for module, names in _HOMES.items():
        if name in names:
            value: object = getattr(import_module(f"{__name__}.{module}"), name)
            globals()[name] = value
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
