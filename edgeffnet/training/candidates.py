"""Which networks a build with images of one's own may train: those with weights, and any phi below the largest."""

from __future__ import annotations

from dataclasses import replace

from edgeffnet import cost, scaling
from edgeffnet.architecture import Architecture
from edgeffnet.errors import UsageError
from edgeffnet.training.start import wanted_architecture
from edgeffnet.wanted import NetworkOptions, architecture_at
from edgeffnet.weights import packages

_STEPS_PER_PHI = 10
_SMALLEST_PHI = -5
_LITTLE_MORE = 1.1


def trainable(options: NetworkOptions, classes: int) -> tuple[Architecture, ...]:
    """The networks, most multiply-adds first; the one that is named by --variant, --phi or --weights alone.

    UsageError for options that contradict each other.
    """
    if options.variant is not None or options.phi not in (None, "any") or options.weights not in ("imagenet", "random"):
        return (replace(wanted_architecture(options), classes=classes),)
    official = [scaling.official(name, classes) for name in _with_weights(options.family)]
    if not official:
        raise UsageError("no trained weights of family lite are installed: pip install 'edgeffnet[build]'")
    largest = max(net.phi for net in official)
    made = {_layers(net): net for net in official}
    named = [net.phi for net in official]
    for step in range(_SMALLEST_PHI * _STEPS_PER_PHI, round(largest * _STEPS_PER_PHI)):
        phi = step / _STEPS_PER_PHI
        if any(abs(phi - other) < 1 / _STEPS_PER_PHI for other in named):
            continue  # a checkpoint is there
        try:
            net = architecture_at(replace(options, classes=classes, phi=phi), phi)
        except UsageError:  # too small to exist
            continue
        made.setdefault(_layers(net), net)
    ranked = sorted(made.values(), key=lambda net: (-cost.total(net).macs, -net.phi))
    known = [cost.total(net).macs for net in official]
    return tuple(net for net in ranked if net in official or _of_use(cost.total(net).macs, known))


def _of_use(macs: int, known: list[int]) -> bool:
    """False beyond the largest checkpoint, and just above any: its own weights are worth more than so little more."""
    return macs <= max(known) and not any(one <= macs <= _LITTLE_MORE * one for one in known)


def _with_weights(family: str) -> list[str]:
    names = [name for name, variant in scaling.VARIANTS.items() if variant.family == family]
    return [name for name in names if name in packages.available()] if family == "lite" else names


def _layers(net: Architecture) -> tuple[object, ...]:
    return net.stem_channels, net.stages, net.head_channels, net.resolution
