"""How much of a network is fine-tuned: all of it, or its last stages where time is short."""

from __future__ import annotations

from dataclasses import dataclass

from edgeffnet import cost
from edgeffnet.architecture import Architecture
from edgeffnet.training.trainee import stage_of

# A step computes the network forward, and twice its work backward through what learns.
_BACKWARD = 2.2
# With fewer epochs than these, fewer layers learn.
_WANTED_EPOCHS = 6
_STAGES = (0, 4, 6)


@dataclass(frozen=True)
class Depth:
    """The first stage that learns, and the seconds an epoch is thought to take."""

    first_stage: int
    seconds: float


def affordable(
    net: Architecture, images: int, validation: int, forward: float, seconds: float, *, whole: bool
) -> Depth:
    """For an epoch over so many images where one takes `forward` seconds forward, within `seconds` in all.

    All stages where six epochs fit, or where they have to learn as a `whole`; else the last ones.
    """
    found = Depth(0, float("inf"))
    for first in _STAGES[:1] if whole else _STAGES:
        share = _share_above(net, first)
        found = Depth(first, images * forward * (1 + _BACKWARD * share) + validation * forward)
        if found.seconds * _WANTED_EPOCHS <= seconds:
            break
    return found


def _share_above(net: Architecture, first: int) -> float:
    """The share of the multiply-adds that lies in the stages from `first` on."""
    found = [(stage_of(operator.name, net), operator.macs) for operator in cost.operators(net)]
    return sum(macs for stage, macs in found if stage >= first) / sum(macs for _, macs in found)
