"""Compound scaling (Tan & Le 2019, section 3): phi -> width, depth, resolution -> Architecture.

The official variants are named points beside the rule: each has a nominal phi, but its three
coefficients are the published ones (B7 is 600 px where the rule says 518).
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, replace
from difflib import get_close_matches

from edgeffnet import cost
from edgeffnet.architecture import Architecture, Family
from edgeffnet.bases import BASES, End
from edgeffnet.errors import UsageError
from edgeffnet.rules import Coefficients as Coefficients
from edgeffnet.rules import CompoundRule as CompoundRule
from edgeffnet.rules import Rule, rule_named

MINIMUM_RESOLUTION = 32
# Far beyond any machine, and small enough that the sizes computed from it still fit into floats.
_LARGEST_MULTIPLIER = 1e30

_DIVISOR = 8


@dataclass(frozen=True)
class Variant:
    """An official network: its published coefficients and the phi they sit near."""

    name: str
    family: Family
    phi: float
    coefficients: Coefficients
    dropout: float


def _variants(family: Family, prefix: str, rows: list[tuple[float, float, float, int, float]]) -> dict[str, Variant]:
    return {
        f"{prefix}{index}": Variant(f"{prefix}{index}", family, phi, Coefficients(width, depth, resolution), dropout)
        for index, (phi, width, depth, resolution, dropout) in enumerate(rows)
    }


VARIANTS: dict[str, Variant] = {
    **_variants(
        "lite",
        "lite",
        [
            (0, 1.0, 1.0, 224, 0.2),
            (0.5, 1.0, 1.1, 240, 0.2),
            (1, 1.1, 1.2, 260, 0.3),
            (2, 1.2, 1.4, 280, 0.3),
            (3, 1.4, 1.8, 300, 0.3),
        ],
    ),
    **_variants(
        "efficientnet",
        "b",
        [
            (0, 1.0, 1.0, 224, 0.2),
            (0.5, 1.0, 1.1, 240, 0.2),
            (1, 1.1, 1.2, 260, 0.3),
            (2, 1.2, 1.4, 300, 0.3),
            (3, 1.4, 1.8, 380, 0.4),
            (4, 1.6, 2.2, 456, 0.4),
            (5, 1.8, 2.6, 528, 0.5),
            (6, 2.0, 3.1, 600, 0.5),
        ],
    ),
}


def variant_named(name: str) -> Variant:
    """The official variant called `name` ("lite0", "b3"); UsageError names the nearest ones."""
    key = name.lower().replace("efficientnet-", "").replace("efficientnet_", "").replace("efficientnet", "")
    if key in VARIANTS:
        return VARIANTS[key]
    near = get_close_matches(key, VARIANTS, n=3, cutoff=0.3) or sorted(VARIANTS)
    raise UsageError(f"unknown variant {name!r}; nearest: {', '.join(near)}")


def round_channels(channels: float, divisor: int = _DIVISOR) -> int:
    """`channels` to the nearest multiple of `divisor`, never more than 10% below it."""
    rounded = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * channels else rounded


def round_repeats(repeats: float) -> int:
    """Repeats are rounded up: a stage never vanishes. A hair above an integer is that integer."""
    return math.ceil(repeats - 1e-9)


def scale(
    family: Family,
    coefficients: Coefficients,
    *,
    name: str,
    phi: float,
    rule: str,
    dropout: float = 0.2,
    classes: int = 1000,
    shrinking: bool = False,
) -> Architecture:
    """The base network of `family` at `coefficients`.

    What a family keeps unscaled is said in `edgeffnet.bases`; Lite, say, its stem, its head and the repeats of
    its first and last stage. `shrinking` is TinyNet's convention for networks below the base one: stem and head
    unscaled, repeats to the nearest integer rather than up.
    Raises UsageError for a network with a layer of no channels, a stage of no blocks, or an input
    under 32 pixels.
    """
    _check(coefficients, classes)
    base = BASES[family]
    stages = tuple(
        replace(
            stage,
            channels=_channels(stage.channels, coefficients.width),
            repeats=stage.repeats
            if index in base.fixed_repeats
            else _repeats(stage.repeats, coefficients.depth, shrinking),
        )
        for index, stage in enumerate(base.stages)
    )
    return Architecture(
        name=name,
        family=family,
        phi=phi,
        rule=rule,
        width=coefficients.width,
        depth=coefficients.depth,
        resolution=coefficients.resolution,
        stem_channels=_end(base.stem_channels, base.stem, coefficients.width, shrinking),
        stages=stages,
        head_channels=_end(base.head_channels, base.head, coefficients.width, shrinking),
        activation=base.activation,
        se_ratio=base.se_ratio,
        dropout=dropout,
        classes=classes,
        bn_epsilon=base.bn_epsilon,
        padding=base.padding,
        block=base.block,
        stem_kernel=base.stem_kernel,
        stem_pool=base.stem_pool,
        biased=base.biased,
    )


@dataclass(frozen=True)
class Overrides:
    """Coefficients a user states instead of a rule's or a variant's; None leaves one as it is."""

    width: float | None = None
    depth: float | None = None
    resolution: int | None = None

    def apply(self, coefficients: Coefficients) -> Coefficients:
        return Coefficients(
            width=coefficients.width if self.width is None else self.width,
            depth=coefficients.depth if self.depth is None else self.depth,
            resolution=coefficients.resolution if self.resolution is None else self.resolution,
        )

    def __str__(self) -> str:
        stated = (f"{field} {value:.6g}" for field, value in vars(self).items() if value is not None)
        return ", ".join(stated)


_NOTHING_STATED = Overrides()


def official(name: str, classes: int = 1000, overrides: Overrides = _NOTHING_STATED) -> Architecture:
    """The official variant `name` exactly as published, save for what `overrides` states.

    Raises UsageError for a network that cannot exist, or that this machine's memory does not hold.
    """
    variant = variant_named(name)
    architecture = scale(
        variant.family,
        overrides.apply(variant.coefficients),
        name=_labelled(variant.name, overrides),
        phi=variant.phi,
        rule=_labelled("official", overrides),
        dropout=variant.dropout,
        classes=classes,
    )
    if (classes, overrides) != (1000, _NOTHING_STATED):
        _check_memory(architecture, _machine_memory())
    return architecture


def at_resolution(architecture: Architecture, resolution: int) -> Architecture:
    """The network with an input of `resolution` pixels, which its rule then mentions; UsageError as `official`."""
    if resolution == architecture.resolution:
        return architecture
    _check(Coefficients(architecture.width, architecture.depth, resolution), architecture.classes)
    rule = _labelled(architecture.rule, Overrides(resolution=resolution))
    changed = replace(architecture, resolution=resolution, rule=rule)
    _check_memory(changed, _machine_memory())
    return changed


def variant_of(architecture: Architecture) -> Variant | None:
    """The official variant with the layers of `architecture`, whatever its resolution and classes; None if none has."""

    def layers(net: Architecture) -> tuple[object, ...]:
        return net.family, net.stem_channels, net.stages, net.head_channels

    return next((v for v in VARIANTS.values() if layers(official(v.name)) == layers(architecture)), None)


def architecture_at(
    phi: float,
    *,
    family: Family = "efficientnet",
    rule: str | Rule = "compound",
    overrides: Overrides = _NOTHING_STATED,
    classes: int = 1000,
    memory: int | None = None,
) -> Architecture:
    """The network of `family` at any real `phi` by `rule`: "compound", "tinynet", or one with constants of your own.

    What `overrides` states replaces what the rule says; the result's `rule` tells. Dropout grows
    from B0's 0.2 by 0.05 per phi to 0.5, as the paper's does. At phi 0 every rule gives B0 (Lite0).
    Raises UsageError for a network that cannot exist (see `scale`), or whose float32 weights and
    activations exceed `memory` bytes (this machine's unless given): the message states the size.
    """
    if not math.isfinite(phi):
        raise UsageError(f"phi is {phi}; it must be a finite number")
    chosen = rule_named(rule) if isinstance(rule, str) else rule
    try:
        coefficients = chosen.coefficients(phi)
    except OverflowError:
        raise UsageError(f"phi {phi:g} gives a network too large to put into numbers") from None
    name = f"{family} phi={phi:g}" if chosen.name == "compound" else f"{family} {chosen.name} phi={phi:g}"
    architecture = scale(
        family,
        overrides.apply(coefficients),
        name=_labelled(name, overrides),
        phi=phi,
        rule=_labelled(chosen.name, overrides),
        dropout=min(0.5, 0.2 + 0.05 * max(0.0, phi)),
        classes=classes,
        shrinking=chosen.shrinking and phi < 0,
    )
    _check_memory(architecture, _machine_memory() if memory is None else memory)
    return architecture


def _labelled(name: str, overrides: Overrides) -> str:
    return f"{name}, {overrides}" if str(overrides) else name


def _channels(base: int, width: float) -> int:
    channels = base * width
    if channels < _DIVISOR / 2:
        raise UsageError(f"width {width:g} leaves a layer of {base} channels with none (rounded to multiples of 8)")
    return round_channels(channels)


def _end(base: int, end: End, width: float, shrinking: bool) -> int:
    """Channels of a stem or head; 0 where there is none."""
    if base == 0 or shrinking or end == "fixed":
        return base
    return _channels(base, max(1.0, width) if end == "never narrower" else width)


def _repeats(base: int, depth: float, shrinking: bool) -> int:
    repeats = round(base * depth) if shrinking else round_repeats(base * depth)
    if repeats < 1:
        raise UsageError(f"depth {depth:g} leaves a stage of {base} blocks with none")
    return repeats


def _check(coefficients: Coefficients, classes: int) -> None:
    for field in ("width", "depth"):
        value = getattr(coefficients, field)
        if not (math.isfinite(value) and value > 0):
            raise UsageError(f"{field} is {value:g}; it must be a finite number above 0")
        if value > _LARGEST_MULTIPLIER:
            raise UsageError(f"{field} is {value:g}: no machine holds such a network")
    if coefficients.resolution < MINIMUM_RESOLUTION:
        raise UsageError(
            f"resolution {coefficients.resolution} is too small: the network halves it five times, "
            f"so at least {MINIMUM_RESOLUTION} pixels"
        )
    if classes < 1:
        raise UsageError(f"{classes} classes: there must be at least one")


def _check_memory(architecture: Architecture, memory: int) -> None:
    size = cost.float_bytes(architecture)
    if size > memory:
        raise UsageError(
            f"{architecture.name} needs {size / 1e9:,.1f} GB for its float32 weights and activations; "
            f"this machine has {memory / 1e9:,.1f} GB"
        )


def _machine_memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
