"""Figure 8 of the paper: one network scaled in one dimension alone, and in all of them together."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

from edgeffnet import cost, scaling
from edgeffnet.architecture import Architecture
from edgeffnet.errors import UsageError
from edgeffnet.grid.candidates import Network
from edgeffnet.grid.costs import EstimatedLatency, MeasuredLatency
from edgeffnet.grid.search import Evaluator, Score, score_of
from edgeffnet.grid.triples import Triple
from edgeffnet.journal import Journal
from edgeffnet.rules import CompoundRule

Way = Literal["depth", "width", "resolution", "compound"]
WAYS: tuple[Way, ...] = get_args(Way)
Progress = Callable[[int, int, str], None]

# Up to eight times the base network; what is measured has to be made first.
PHIS = (0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0)
PHIS_MEASURED = (0.0, 1.0, 2.0)
_PUBLISHED_RULE = CompoundRule()


@dataclass(frozen=True)
class CurvePoint:
    """A network whose FLOPs are 2^`phi` times the base network's, by the rule, grown the one `way`.

    `width` and `depth` are multipliers, `resolution` is in pixels; `macs` and `parameters` are counted. Latency is in
    milliseconds at batch 1, int8 TFLite: the estimated mean with its 90% interval, or a measured median without one;
    None where no device was named. `score` is what an evaluator says, `rests_on` on what; or it is None, and `failure`
    the reason where one was asked.
    """

    way: Way
    phi: float
    width: float
    depth: float
    resolution: int
    parameters: int
    macs: int
    latency_ms: float | None = None
    low_ms: float | None = None
    high_ms: float | None = None
    latency_kind: Literal["estimated", "measured", "no figure"] = "no figure"
    score: float | None = None
    spread: float | None = None
    rests_on: str = ""
    failure: str | None = None

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def curves(
    network: Network | None = None,
    phis: Sequence[float] = PHIS,
    *,
    rule: CompoundRule = _PUBLISHED_RULE,
    latency: EstimatedLatency | MeasuredLatency | None = None,
    evaluate: Evaluator | None = None,
    journal: Path | None = None,
    evaluator_name: str = "",
    progress: Progress = lambda *_: None,
) -> tuple[CurvePoint, ...]:
    """A point for each way and each of `phis`, way after way.

    At `phi` a single dimension grows as FLOPs do with it: depth by 2^phi, width and resolution by 2^(phi/2); the
    compound network follows `rule`. With `evaluate` each network has a score; the `journal` keeps them as a search's
    does, and the base network, where all ways begin, is asked for once.
    UsageError for a phi below 0, and as `Network.at` and the latency raise.
    """
    network = network or Network()
    wrong = next((phi for phi in phis if not (math.isfinite(phi) and phi >= 0)), None)
    if wrong is not None:
        raise UsageError(f"--plot scales up: --phi {wrong:g} is below 0")
    order = sorted(set(phis))
    question = {"curves": network.family, "base": asdict(network.base), "evaluator": evaluator_name}
    book = Journal(journal, question)
    made: list[CurvePoint] = []
    for way in WAYS:
        for phi in order:
            progress(len(made), len(WAYS) * len(order), f"{way}, phi {phi:g}")
            net = _network(network, way, phi, rule)
            point = _timed(_counted(way, phi, net), net, latency)
            if evaluate is not None:
                point = _scored(point, score_of(net, growth(way, phi, rule), evaluate, book))
            made.append(point)
    return tuple(made)


def growth(way: Way, phi: float, rule: CompoundRule = _PUBLISHED_RULE) -> Triple:
    """What depth, width and resolution are multiplied by, grown the one `way` until FLOPs are 2^phi times as many."""
    side = 2 ** (phi / 2)
    return {
        "depth": Triple(2**phi, 1.0, 1.0),
        "width": Triple(1.0, side, 1.0),
        "resolution": Triple(1.0, 1.0, side),
        "compound": Triple(rule.alpha**phi, rule.beta**phi, rule.gamma**phi),
    }[way]


def _network(network: Network, way: Way, phi: float, rule: CompoundRule) -> Architecture:
    return scaling.scale(
        network.family,
        growth(way, phi, rule).applied(network.base),
        name=f"{network.family}, {way} at phi {phi:g}",
        phi=phi,
        rule=rule.name if way == "compound" else f"{way} alone",
        classes=network.classes,
    )


def _counted(way: Way, phi: float, net: Architecture) -> CurvePoint:
    costs = cost.total(net)
    return CurvePoint(way, phi, net.width, net.depth, net.resolution, costs.parameters, costs.macs)


def _timed(point: CurvePoint, net: Architecture, latency: EstimatedLatency | MeasuredLatency | None) -> CurvePoint:
    if latency is None:
        return point
    if isinstance(latency, MeasuredLatency):
        return replace(point, latency_ms=latency.milliseconds(net), latency_kind="measured")
    found = latency.milliseconds(net)
    return replace(
        point, latency_ms=found.mean_ms, low_ms=found.low_ms, high_ms=found.high_ms, latency_kind="estimated"
    )


def _scored(point: CurvePoint, found: Score | str) -> CurvePoint:
    if isinstance(found, str):
        return replace(point, failure=found)
    return replace(point, score=found.value, spread=found.spread, rests_on=found.rests_on)
