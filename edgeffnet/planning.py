"""Selection alone: which network would be built for a board, from estimates, in no time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from edgeffnet import devices, fastest, selection
from edgeffnet.budget import RISK, Budget
from edgeffnet.errors import UsageError
from edgeffnet.fastest import Way
from edgeffnet.report.frontier import Point, frontier
from edgeffnet.selection import Candidate
from edgeffnet.wanted import NetworkOptions, Wanted, candidates


@dataclass(frozen=True)
class Plan:
    """The answer of a dry run: every candidate with its verdict, largest first, and what is fastest for the chosen."""

    device: str
    budget: Budget
    threads: int
    percentile: float
    candidates: tuple[Candidate, ...]
    fastest_on_device: tuple[Way, ...]
    trained: bool

    @property
    def chosen(self) -> Candidate:
        return next(candidate for candidate in self.candidates if candidate.verdict == "chosen")

    @property
    def frontier(self) -> tuple[Point, ...]:
        return frontier(self.candidates, trained=self.trained)

    def to_dict(self) -> dict[str, Any]:
        """Plain data, by the names that `report.json` has for the same."""
        return {
            "device": self.device,
            "budget": self.budget.to_dict(),
            "threads": self.threads,
            "percentile": self.percentile,
            "chosen": self.chosen.to_dict(),
            "bound_by": selection.bound_by(self.candidates, self.chosen),
            "may_fit": selection.may_fit(self.candidates, self.chosen, self.budget),
            "fastest_on_device": [way.to_dict() for way in self.fastest_on_device],
            "frontier": [point.to_dict() for point in self.frontier],
            "candidates": [candidate.to_dict() for candidate in self.candidates],
        }


def plan(
    device: str,
    budget: Budget,
    networks: NetworkOptions,
    threads: int | None = None,
    percentile: float = 90,
    risk: float = RISK,
    wanted: Sequence[Wanted] = (),
) -> Plan:
    """The largest network within `budget` by the profile's estimates.

    Nothing is read, made or measured; `risk` is the chance that the chosen one is too slow after all. `wanted` are
    the networks to consider, where it is not `networks` that says so.
    UsageError for this machine, whose latency is measured; BudgetError when nothing fits.
    """
    profile = devices.load(device)
    if profile.name == "local" and budget.latency_ms is not None:
        raise UsageError("--dry-run works on estimates, and this machine is measured: name another --device")
    if networks.phi == "any":
        networks = replace(networks, weights="random")
    threads = threads or profile.default_threads
    judged = []
    for one in wanted or candidates(networks, seed=0):
        figure = selection.estimated(profile, one.architecture, threads, percentile, risk=risk)
        judged.append(selection.judge(one.architecture, budget, figure))
    found = selection.mark_chosen(tuple(judged))
    if not any(candidate.verdict == "chosen" for candidate in found):
        raise selection.nothing_fits(found, budget)
    chosen = next(candidate for candidate in found if candidate.verdict == "chosen").architecture
    ways = fastest.estimated(profile, chosen, threads, percentile, risk)
    return Plan(profile.name, budget, threads, percentile, found, ways, trained=networks.weights != "random")
