"""Which phi? Candidates judged against a budget, largest first."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, Literal, cast

from edgeffnet import cost
from edgeffnet.architecture import Architecture
from edgeffnet.budget import RISK, Budget
from edgeffnet.errors import BudgetError
from edgeffnet.timing import Latency

if TYPE_CHECKING:
    from edgeffnet.devices import Device

Verdict = Literal[
    "fits", "may fit", "too slow", "over budget", "no figure", "too inaccurate", "less accurate", "chosen"
]


@dataclass(frozen=True)
class EstimatedLatency:
    """The `percentile` of single inferences, in milliseconds, estimated and not measured.

    `coverage` of such intervals should hold the true figure. Its `rows` were `published`, or are those
    of `edgeffnet profile`.
    """

    device: str
    runtime: str
    threads: int
    percentile: float
    value_ms: float
    low_ms: float
    high_ms: float
    coverage: float
    mean_ms: float
    percentile_over_mean: float
    percentile_source: str
    rows: int
    sources: tuple[str, ...]
    notes: tuple[str, ...]
    published: bool = True
    kind: str = "estimated"

    @property
    def rows_said(self) -> str:
        """The rows it rests on, in words."""
        return f"{self.rows} published rows" if self.published else f"{self.rows} rows measured on the device"

    def chance_within(self, limit_ms: float) -> float:
        """How likely the true figure is within `limit_ms`: normal in the logarithm, as the interval is."""
        deviation = math.log(self.high_ms / self.low_ms) / 2 / NormalDist().inv_cdf((1 + self.coverage) / 2)
        return NormalDist(math.log(self.value_ms), deviation).cdf(math.log(limit_ms))

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Candidate:
    """A network considered: what it costs, what it takes, and what was decided about it."""

    architecture: Architecture
    cost: cost.Cost
    latency: EstimatedLatency | Latency | None
    verdict: Verdict
    reason: str
    size_bytes: int | None = None
    violates: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        net = self.architecture
        return {
            "name": net.name,
            "phi": net.phi,
            "rule": net.rule,
            "width": net.width,
            "depth": net.depth,
            "resolution": net.resolution,
            "parameters": self.cost.parameters,
            "macs": self.cost.macs,
            "size_bytes": self.size_bytes,
            "latency": self.latency.to_dict() if self.latency else None,
            "verdict": self.verdict,
            "reason": self.reason,
            "violates": list(self.violates),
        }


def estimated(
    device: Device,
    architecture: Architecture,
    threads: int,
    percentile: float,
    *,
    risk: float = RISK,
    precision: str = "int8",
    runtime: str = "tflite",
) -> EstimatedLatency | str:
    """The latency on `device` from rows of its profile, or why there is none; of the int8 `.tflite` unless stated.

    `risk` is the chance that the truth lies above the interval, and below it.
    """
    from edgeffnet import devices

    coverage = 1 - 2 * risk
    found = devices.estimate(
        device, architecture, precision=precision, runtime=runtime, threads=threads, coverage=coverage
    )
    if isinstance(found, devices.NoBasis):
        return found.reason
    at = devices.to_percentile(found, percentile)
    return EstimatedLatency(
        device=device.name,
        runtime=f"{found.runtime} {found.runtime_version}",
        threads=found.threads,
        percentile=percentile,
        value_ms=at.ms,
        low_ms=at.low_ms,
        high_ms=at.high_ms,
        coverage=at.coverage,
        mean_ms=found.mean_ms,
        percentile_over_mean=at.ratio,
        percentile_source=at.source,
        rows=found.rows,
        sources=found.sources,
        notes=found.notes,
        published=found.published,
    )


def judge(
    architecture: Architecture,
    budget: Budget,
    latency: EstimatedLatency | Latency | str | None,
    size: int | None = None,
    arena: int | None = None,
) -> Candidate:
    """The candidate and its verdict: a latency that is text says why there is no figure.

    An estimate fits when the upper end of its interval does, a measurement when it does itself.
    `size` is the int8 file's, in bytes; without it the weights alone are a lower bound. `arena`
    is the memory it was measured to take on a microcontroller; without it the activations' peak is one.
    """
    figure = None if isinstance(latency, str) else latency
    made = Candidate(architecture, cost.total(architecture), figure, "fits", "", size)
    over = _over(made.cost, size, arena, budget)
    if budget.latency_ms is None:
        verdict, reason = "fits", "no latency asked for"
    elif figure is None:
        verdict, reason = "no figure", latency if isinstance(latency, str) else "not looked at"
    else:
        verdict, reason = _latency_verdict(figure, budget.latency_ms)
    violates = (("latency",) if verdict == "too slow" else ()) + tuple(over)
    if over:
        verdict = "over budget"
        reason = "; ".join([*over.values(), *([reason] if "latency" in violates else [])])
    return replace(made, verdict=cast(Verdict, verdict), reason=reason, violates=violates)


def _over(found: cost.Cost, size: int | None, arena: int | None, budget: Budget) -> dict[str, str]:
    """What of the budget but latency is exceeded: each constraint with its figure."""
    bytes_ = size or found.int8_bytes
    memory = f"activations take {_mb(found.peak)} at their peak in int8"
    if arena:
        memory = f"the arena takes {_mb(arena)}, measured with tflite-micro"
    figures = {
        "size": (bytes_, f"int8 file takes {'' if size else 'at least '}{_mb(bytes_)}"),
        "memory": (arena or found.peak, memory),
        "macs": (found.macs, f"{found.macs / 1e6:.0f}M multiply-adds"),
        "parameters": (found.parameters, f"{found.parameters / 1e6:.2f}M parameters"),
    }
    limits = budget.limits
    return {name: text for name, (figure, text) in figures.items() if figure > limits.get(name, math.inf)}


def _latency_verdict(figure: EstimatedLatency | Latency, limit: float) -> tuple[str, str]:
    if isinstance(figure, Latency):
        verdict = "fits" if figure.value_ms <= limit else "too slow"
        return verdict, f"p{figure.percentile:g} measured {figure.value_ms:.2f} ms"
    interval = f"{figure.low_ms:.1f} to {figure.high_ms:.1f} ms estimated"
    if figure.high_ms <= limit:
        return "fits", f"{interval}, all of it within {limit:g} ms"
    if figure.low_ms <= limit:
        return "may fit", f"{interval}: not certain to be within {limit:g} ms"
    return "too slow", interval


def mark_chosen(candidates: tuple[Candidate, ...]) -> tuple[Candidate, ...]:
    """The candidates with the largest that fits marked as chosen; unchanged where none fits."""
    fitting = [candidate for candidate in candidates if candidate.verdict == "fits"]
    largest = max(fitting, key=rank, default=None)
    return tuple(replace(found, verdict="chosen") if found is largest else found for found in candidates)


def rank(candidate: Candidate) -> tuple[int, float]:
    """What "larger" means: more multiply-adds, which phi stands for but for rounding."""
    return candidate.cost.macs, candidate.architecture.phi


def may_fit(candidates: tuple[Candidate, ...], chosen: Candidate, budget: Budget) -> str | None:
    """The largest candidate above the chosen one that may be within the budget, with its chance; None if none may."""
    above = [found for found in candidates if found.verdict == "may fit" and rank(found) > rank(chosen)]
    largest = max(above, key=rank, default=None)
    if largest is None or not isinstance(largest.latency, EstimatedLatency) or budget.latency_ms is None:
        return None
    figure, name = largest.latency, largest.architecture.name
    chance = figure.chance_within(budget.latency_ms)
    return (
        f"{name} may fit as well: {figure.low_ms:.1f} to {figure.high_ms:.1f} ms estimated, within "
        f"{budget.latency_ms:g} ms with a chance of {chance:.0%}; {chosen.architecture.name} was chosen because it is "
        f"with one of at least {50 * (1 + figure.coverage):g}%; measuring decides (--target), --risk takes a lower one"
    )


def bound_by(candidates: tuple[Candidate, ...], chosen: Candidate) -> str:
    """Which constraint kept the next larger candidate out, in words."""
    larger = [found for found in candidates if rank(found) > rank(chosen)]
    if not larger:
        return "nothing: there is no larger candidate"
    nearest = min(larger, key=rank)
    accuracy = nearest.verdict in ("too inaccurate", "less accurate")
    names = ", ".join(nearest.violates) or ("accuracy" if accuracy else "latency")
    return f"{names} ({nearest.architecture.name}: {nearest.reason})"


def nothing_fits(candidates: tuple[Candidate, ...], budget: Budget) -> BudgetError:
    """The error for a budget nothing meets: it names the smallest candidate's figure."""
    smallest = min(candidates, key=rank)
    asked = [limit_text(name, value) for name, value in budget.limits.items()]
    may = max((found for found in candidates if found.verdict == "may fit"), key=rank, default=None)
    hint = f"; {may.architecture.name} may fit ({may.reason})" if may and may is not smallest else ""
    name = smallest.architecture.name
    return BudgetError(
        f"no candidate is within {' and '.join(asked)}: the smallest, {name}, {_nearest(smallest)}{hint}"
    )


def _nearest(candidate: Candidate) -> str:
    if candidate.verdict == "no figure":
        return f"is without a latency figure ({candidate.reason})"
    return f"{'' if candidate.verdict == 'may fit' else 'is '}{candidate.verdict}: {candidate.reason}"


def limit_text(name: str, value: float) -> str:
    """A limit of a budget in words, such as "8.00 MB of size"."""
    if name == "latency":
        return f"{value:g} ms"
    if name in ("size", "memory"):
        return f"{_mb(value)} of {name}"
    return f"{value / 1e6:g}M {'multiply-adds' if name == 'macs' else name}"


def _mb(count: float) -> str:
    return f"{count / 1e6:.2f} MB"
