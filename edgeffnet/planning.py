"""Selection alone: which network would be built for a board, from estimates, in no time."""

from __future__ import annotations

from dataclasses import replace

from edgeffnet import devices, fastest, selection
from edgeffnet.budget import RISK, Budget
from edgeffnet.errors import UsageError
from edgeffnet.fastest import Way
from edgeffnet.selection import Candidate
from edgeffnet.wanted import NetworkOptions, candidates


def plan(
    device: str,
    budget: Budget,
    networks: NetworkOptions,
    threads: int | None = None,
    percentile: float = 90,
    risk: float = RISK,
) -> tuple[Candidate, ...]:
    """Every candidate with its verdict, largest first; the chosen one is marked.

    Nothing is read, made or measured; `risk` is the chance that the chosen one is too slow after all.
    UsageError for this machine, whose latency is measured; BudgetError when nothing fits.
    """
    profile = devices.load(device)
    if profile.name == "local" and budget.latency_ms is not None:
        raise UsageError("--dry-run works on estimates, and this machine is measured: name another --device")
    if networks.phi == "any":
        networks = replace(networks, weights="random")
    threads = threads or profile.default_threads
    judged = []
    for wanted in candidates(networks, seed=0):
        figure = selection.estimated(profile, wanted.architecture, threads, percentile, risk=risk)
        judged.append(selection.judge(wanted.architecture, budget, figure))
    found = selection.mark_chosen(tuple(judged))
    if not any(candidate.verdict == "chosen" for candidate in found):
        raise selection.nothing_fits(found, budget)
    return found


def ways(
    found: tuple[Candidate, ...], device: str, threads: int | None, percentile: float, risk: float
) -> tuple[Way, ...]:
    """Which precision and runtime the profile says is fastest for the chosen one of `found`."""
    profile = devices.load(device)
    chosen = next(candidate for candidate in found if candidate.verdict == "chosen")
    return fastest.estimated(profile, chosen.architecture, threads or profile.default_threads, percentile, risk)
