"""The triples that meet a constraint, as networks."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edgeffnet import cost, scaling
from edgeffnet.architecture import Architecture, Family
from edgeffnet.grid.costs import LatencyCost
from edgeffnet.grid.triples import Constraint, Triple, axis, grid
from edgeffnet.journal import Journal
from edgeffnet.rules import BASE_RESOLUTION, Coefficients

Progress = Callable[[int, int, str], None]

# Of measured candidates, so many are looked at for each that is kept, and at least so many.
_LOOKS = 2
_FEWEST_LOOKS = 8
_WIDEST_DOUBT = 0.3
_AS_PUBLISHED = Coefficients(1.0, 1.0, BASE_RESOLUTION)


@dataclass(frozen=True)
class Network:
    """What is scaled: a family at phi 0, as it is or made smaller so that trying it out is quick."""

    family: Family = "efficientnet"
    base: Coefficients = _AS_PUBLISHED
    classes: int = 1000

    def at(self, triple: Triple | None) -> Architecture:
        """The network at phi 1 by `triple`, or at phi 0. UsageError for one that cannot exist."""
        coefficients = self.base if triple is None else triple.applied(self.base)
        name = f"{self.family}, base" if triple is None else f"{self.family}, {triple}"
        return scaling.scale(
            self.family,
            coefficients,
            name=name,
            phi=0.0 if triple is None else 1.0,
            rule="compound" if triple is None else triple.rule.name,
            classes=self.classes,
        )


@dataclass(frozen=True)
class Candidate:
    """A triple that meets the constraint: `factor` is that of the `kind` of cost constrained.

    `macs_factor` is counted over the network, whose channels and blocks are whole: not quite the rule's.
    """

    triple: Triple
    architecture: Architecture
    factor: float
    kind: Literal["by the rule", "estimated", "measured"]
    macs_factor: float


def under_flops(network: Network, constraint: Constraint) -> tuple[Candidate, ...]:
    """Every triple with alpha beta^2 gamma^2 near the target, in order; UsageError where there is none."""
    end = constraint.target * (1 + constraint.tolerance)
    sides = axis(constraint.step, math.sqrt(end))
    triples = grid(axis(constraint.step, end), sides, sides)
    met = [triple for triple in triples if constraint.met_by(triple.flops_factor)]
    if not met:
        nearest = min(triples, key=lambda triple: abs(triple.flops_factor - constraint.target))
        raise constraint.unmet("alpha*beta^2*gamma^2", nearest, nearest.flops_factor)
    return _candidates(network, {triple: triple.flops_factor for triple in _spread(met, constraint.most)}, None)


def under_latency(
    network: Network,
    constraint: Constraint,
    latency: LatencyCost,
    journal: Journal | None = None,
    progress: Progress = lambda *_: None,
) -> tuple[Candidate, ...]:
    """Triples whose latency at phi 1 is near the target times that at phi 0, in order; UsageError where none is.

    Where the triples lie is learnt on the way: log latency is taken to be linear in the logarithms of alpha, beta
    and gamma, as the paper takes FLOPs to be, but with exponents of the device's own. Each triple that is returned
    was looked at itself, and of those that give the same network the largest is kept: blocks are rounded up to whole
    ones. What meets the constraint by measurement is measured once more when the others have been, and their mean has
    to meet it too: what slowed the machine for a while must not choose. What is measured goes into the `journal`.
    """
    looked = _Looked(network, latency, journal or Journal(None, {}))
    target = constraint.target
    for triple in alone(target):
        progress(len(looked.factors), 0, f"latency of {triple}")
        looked.at(triple)
    triples = _distinct(network, constraint)
    logs, left = _logs(triples), np.ones(len(triples), bool)
    kept: dict[Triple, float] = {}
    # Estimates are free; what is measured ends with enough candidates, or with having tried for long enough.
    most = constraint.most if latency.kind == "measured" else None
    limit = len(triples) if most is None else max(_LOOKS * most, _FEWEST_LOOKS)
    for count in range(limit):
        exponents = looked.exponents()
        off = np.where(left, np.abs(logs @ exponents - math.log(target)), np.inf)
        index = int(np.argmin(off))
        if off[index] > math.log1p(constraint.tolerance) + looked.doubt(exponents):
            break
        left[index] = False
        progress(count, 0 if most is None else limit, f"latency of {triples[index]}")
        factor = looked.at(triples[index])
        if constraint.met_by(factor):
            kept[triples[index]] = factor
        if len(kept) == most:
            kept = looked.confirmed(kept, constraint, progress)
            if len(kept) == most:
                break
    if latency.kind == "measured":
        kept = looked.confirmed(kept, constraint, progress)
    if not kept:
        nearest = min(looked.factors, key=lambda triple: abs(math.log(looked.factors[triple] / target)))
        raise constraint.unmet(f"a factor of {latency.said}", nearest, looked.factors[nearest])
    chosen = _spread(sorted(kept), constraint.most)
    return _candidates(network, {triple: kept[triple] for triple in chosen}, latency)


def alone(target: float) -> tuple[Triple, Triple, Triple]:
    """Depth, width and resolution, each alone, where it multiplies FLOPs by `target`."""
    side = math.sqrt(target)
    return Triple(target, 1.0, 1.0), Triple(1.0, side, 1.0), Triple(1.0, 1.0, side)


def _distinct(network: Network, constraint: Constraint) -> tuple[Triple, ...]:
    """The grid's triples, of those that give one network the largest.

    Each constant changes something of its own (repeats, channels, pixels), so each axis is thinned by itself.
    """

    def thinned(name: str, end: float) -> list[float]:
        made: dict[object, float] = {}
        for value in axis(constraint.step, end):
            net = network.at(replace(Triple(1.0, 1.0, 1.0), **{name: value}))
            made[net.stem_channels, net.stages, net.head_channels, net.resolution] = value
        return list(made.values())

    target = constraint.target
    return grid(thinned("alpha", target**2), thinned("beta", target), thinned("gamma", target))


def _logs(triples: Iterable[Triple]) -> NDArray[np.float64]:
    """Their logarithms, (n, 3)."""
    return np.log([[triple.alpha, triple.beta, triple.gamma] for triple in triples])


class _Looked:
    """Factors of latency looked at so far, and the exponents that explain them best."""

    def __init__(self, network: Network, latency: LatencyCost, journal: Journal) -> None:
        self.network = network
        self.latency = latency
        self.journal = journal
        self.base = network.at(None)
        self.factors: dict[Triple, float] = {}
        self.again: dict[Triple, float] = {}

    def at(self, triple: Triple) -> float:
        """The factor of `triple`, looked at once."""
        self.factors[triple] = self._look(triple, f"factor {triple.key}")
        return self.factors[triple]

    def confirmed(self, kept: Iterable[Triple], constraint: Constraint, progress: Progress) -> dict[Triple, float]:
        """Those of `kept` that meet the constraint in the mean of two looks, with that mean."""
        for triple in kept:
            if triple not in self.again:
                progress(len(self.again), 0, f"latency of {triple}, again")
                self.again[triple] = self._look(triple, f"factor {triple.key}, again")
                self.factors[triple] = math.sqrt(self.factors[triple] * self.again[triple])
        return {triple: self.factors[triple] for triple in kept if constraint.met_by(self.factors[triple])}

    def _look(self, triple: Triple, key: str) -> float:
        known = self.journal.get(key)
        factor = float(known["value"]) if known else self.latency.factor(self.network.at(triple), self.base)
        if known is None and self.latency.kind == "measured":
            self.journal.put(key, {"value": factor})
        return factor

    def exponents(self) -> NDArray[np.float64]:
        logs, wanted = self._equations()
        return np.asarray(np.linalg.lstsq(logs, wanted, rcond=None)[0], np.float64)

    def doubt(self, exponents: NDArray[np.float64]) -> float:
        """How far off, in log, the exponents are where it is known."""
        logs, wanted = self._equations()
        return min(_WIDEST_DOUBT, float(np.abs(logs @ exponents - wanted).max()))

    def _equations(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        return _logs(self.factors), np.log(list(self.factors.values()))


def _candidates(network: Network, factors: dict[Triple, float], latency: LatencyCost | None) -> tuple[Candidate, ...]:
    base = cost.total(network.at(None)).macs
    made = []
    for triple, factor in factors.items():
        net = network.at(triple)
        kind: Literal["by the rule", "estimated", "measured"] = latency.kind if latency else "by the rule"
        made.append(Candidate(triple, net, factor, kind, cost.total(net).macs / base))
    return tuple(made)


def _spread(triples: list[Triple], most: int | None) -> list[Triple]:
    """At most `most` of them, evenly over their order."""
    if most is None or len(triples) <= most:
        return triples
    return [triples[round(place)] for place in np.linspace(0, len(triples) - 1, most)]
