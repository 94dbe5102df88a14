"""Which networks are measured for a profile, and at how many threads.

They differ in what a fit has to tell apart: width, depth, resolution, and with or without swish and
squeeze-and-excitation. Small ones tell nearly as much as large ones in a fraction of the time: they
were picked one by one for the least variance left in the estimates of the official variants, and the
two largest added so that Lite4 and B2 are not far outside. No official variant is among them.
"""

from __future__ import annotations

from dataclasses import dataclass

from edgeffnet import cost, scaling
from edgeffnet.architecture import Architecture
from edgeffnet.devices.reference_models import scaled_architecture


@dataclass(frozen=True)
class Subject:
    """A network to measure, official or such as "lite:1.0,1.1,240"; `held_out` ones only judge the fit."""

    model: str
    held_out: bool = False

    @property
    def architecture(self) -> Architecture:
        return scaling.official(self.model) if self.model in scaling.VARIANTS else scaled_architecture(self.model)

    @property
    def macs(self) -> int:
        return cost.total(self.architecture).macs


_FITTED = (
    "lite:0.5,0.5,96",
    "efficientnet:0.5,0.5,96",
    "lite:0.5,0.5,160",
    "efficientnet:0.75,0.5,160",
    "efficientnet:0.5,0.5,260",
    "lite:0.75,1.4,128",
    "lite:1.4,0.5,160",
    "lite:1.0,1.0,192",
    "efficientnet:1.0,1.0,192",
    "lite:1.4,0.5,224",
    "efficientnet:1.2,1.2,224",
    "lite:1.2,1.4,256",
)
_HELD_OUT = ("efficientnet:0.75,1.0,192", "lite:0.75,1.0,224", "lite:1.2,1.0,200")

SUBJECTS: tuple[Subject, ...] = tuple(
    sorted(
        [*(Subject(model) for model in _FITTED), *(Subject(model, held_out=True) for model in _HELD_OUT)],
        key=lambda subject: subject.macs,
    )
)


def thread_counts(cores: int) -> tuple[int, ...]:
    """One, all of the fast cores, and half of them where there are four or more."""
    return tuple(sorted({1, cores} | ({cores // 2} if cores >= 4 else set())))
