"""Section 3.1 of the paper for any real phi: the largest network a rule gives within a budget."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from edgeffnet import selection
from edgeffnet.architecture import Architecture
from edgeffnet.budget import Budget
from edgeffnet.devices import Device
from edgeffnet.errors import UsageError
from edgeffnet.selection import Candidate, bound_by, judge, nothing_fits

STEPS_PER_PHI = 1000
_FARTHEST = 100 * STEPS_PER_PHI


@dataclass(frozen=True)
class Largest:
    """The candidate with the largest phi within a budget, and which constraint keeps larger ones out."""

    candidate: Candidate
    bound_by: str


def largest_phi(
    make: Callable[[float], Architecture],
    budget: Budget,
    device: Device | None = None,
    *,
    threads: int | None = None,
    percentile: float = 90,
) -> Largest:
    """The network `make(phi)` of the largest phi, to a thousandth, that meets every limit of `budget`.

    `make` raises UsageError where no network exists: below some phi, and where a rule ends or this
    machine's memory does. Its networks' costs have to grow with phi, as those of compound scaling
    do. Latency is `device`'s estimate, held against the budget as `build` does. Raises BudgetError
    when no network is within it, UsageError where nothing limits it or a latency has no device.
    """
    if not budget.limits:
        raise UsageError("nothing limits phi: give a budget of latency, size, memory, MACs or parameters")
    if budget.latency_ms is not None and device is None:
        raise UsageError("a latency budget needs a device to estimate it for")

    def judged(step: int) -> Candidate:
        net = make(step / STEPS_PER_PHI)
        figure = None
        if device is not None:
            figure = selection.estimated(device, net, threads or device.default_threads, percentile)
        return judge(net, budget, figure)

    def exists(step: int) -> bool:
        try:
            make(step / STEPS_PER_PHI)
        except UsageError:
            return False
        return True

    def fits(step: int) -> bool:
        return judged(step).verdict == "fits"

    make(0)
    lowest, highest = _edge(0, -_FARTHEST, exists), _edge(0, _FARTHEST, exists)
    if not fits(lowest):
        raise nothing_fits((judged(lowest),), budget)
    # Networks far beyond the budget take long to count: the way up is by doubling.
    distance = STEPS_PER_PHI
    while fits(min(lowest + distance, highest)):
        if lowest + distance >= highest:
            return Largest(judged(highest), f"nothing: {_why_no_larger(make, highest)}")
        distance *= 2
    step = _edge(lowest, min(lowest + distance, highest), fits)
    found = judged(step)
    return Largest(found, bound_by((judged(step + 1), found), found))


def _why_no_larger(make: Callable[[float], Architecture], highest: int) -> str:
    try:
        make((highest + 1) / STEPS_PER_PHI)
    except UsageError as error:
        return str(error)
    return "no larger phi is looked at"


def _edge(inside: int, outside: int, holds: Callable[[int], bool]) -> int:
    """The last step from `inside`, where `holds` is true, towards `outside` at which it still is."""
    if holds(outside):
        return outside
    while abs(outside - inside) > 1:
        middle = (inside + outside) // 2
        if holds(middle):
            inside = middle
        else:
            outside = middle
    return inside
