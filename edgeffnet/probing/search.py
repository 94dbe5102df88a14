"""Candidates of a request, probed: which are ruled out, and what is known of the rest."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from edgeffnet import selection
from edgeffnet.architecture import Architecture
from edgeffnet.budget import Budget
from edgeffnet.devices.latency import hardware_ms
from edgeffnet.images import Preprocessing
from edgeffnet.patience import Patience
from edgeffnet.probing.belief import FITTED, FROM_HARDWARE, Belief
from edgeffnet.probing.ladder import Found, largest
from edgeffnet.probing.probe import Probe, probe
from edgeffnet.selection import Candidate, EstimatedLatency
from edgeffnet.stand_ins import Manner
from edgeffnet.targets.target import Target

if TYPE_CHECKING:
    from edgeffnet.report.progress import Steps
    from edgeffnet.request import Request
    from edgeffnet.wanted import Wanted

# Each side of a 90% interval of a normal, in deviations.
_SIDE = 1.645
# Weights of B0 to B7 come with a mean and a deviation for each channel: the model normalises inside.
_IMAGENET = Preprocessing(224, 0.875, "bicubic", (123.675, 116.28, 103.53), (58.395, 57.12, 57.375))


@dataclass(frozen=True)
class Probed:
    """What the probes left: each candidate judged, by name, and those worth making.

    `worth_making` names what was measured to fit, and all that is smaller. `notes` say what a reader
    has to know: a device unlike its profile, measurements that contradict each other.
    """

    candidates: dict[str, Candidate]
    worth_making: frozenset[str]
    probes: tuple[Probe, ...]
    notes: tuple[str, ...]


def probe_candidates(
    request: Request, wanted: Sequence[Wanted], target: Target, steps: Steps, patience: Patience | None = None
) -> Probed:
    """`wanted`, largest first, against the request's latency budget, by probes on `target`."""
    patience = patience or Patience()
    ladder = list(reversed(wanted))
    nets = [one.architecture for one in ladder]
    limit = request.budget.latency_ms
    assert limit is not None
    estimates = _estimates(request, nets)
    belief = _belief(request, nets, estimates)

    def measure(index: int, thoroughly: bool) -> Probe:
        with steps(f"Probing {nets[index].name} on {target.name}"):
            return probe(
                nets[index],
                manner_of(request, ladder[index]),
                target,
                limit_ms=limit,
                threads=request.run_threads,
                percentile=request.percentile,
                thoroughly=thoroughly,
                patience=patience,
                progress=steps.advance,
            )

    found = largest(len(nets), limit, belief, measure)
    answer = -1 if found.answer is None else found.answer
    judged = {net.name: _judged(request, net, index, belief, found, estimates[index]) for index, net in enumerate(nets)}
    return Probed(
        candidates=judged,
        worth_making=frozenset(net.name for net in nets[: answer + 1]),
        probes=tuple(found.probes.values()),
        notes=(
            *_off_profile(request, found, estimates),
            *_contradictions(nets, found),
            *_in_doubt(found),
            *_disturbed(patience),
        ),
    )


def manner_of(request: Request, wanted: Wanted) -> Manner:
    """How the request would make its int8 `.tflite`, as far as time depends on it."""
    stated = wanted.preprocessing
    if stated is None and wanted.architecture.family == "efficientnet" and wanted.weights == "imagenet":
        stated = _IMAGENET
    return Manner(
        interface=request.interface,
        recipe=request.recipe,
        granularity=request.granularity,
        inside=replace(stated, resolution=wanted.architecture.resolution) if stated and stated.uneven else None,
    )


def _estimates(request: Request, nets: Sequence[Architecture]) -> list[EstimatedLatency | None]:
    """The profile's estimate of each network; None throughout where there is not one for every one."""
    found = [selection.estimated(request.device, net, request.threads, request.percentile) for net in nets]
    figures = [figure for figure in found if isinstance(figure, EstimatedLatency)]
    return list(figures) if len(figures) == len(nets) else [None] * len(nets)


def _belief(request: Request, nets: Sequence[Architecture], estimates: Sequence[EstimatedLatency | None]) -> Belief:
    known = [figure for figure in estimates if figure is not None]
    if known:
        widest = max(math.log(figure.high_ms / figure.low_ms) / 2 / _SIDE for figure in known)
        return Belief([figure.value_ms for figure in known], replace(FITTED, scale=widest))
    return Belief([hardware_ms(request.device, net, request.threads) for net in nets], FROM_HARDWARE)


def _judged(
    request: Request,
    net: Architecture,
    index: int,
    belief: Belief,
    found: Found[Probe],
    before: EstimatedLatency | None,
) -> Candidate:
    if index in found.probes:
        measured = found.probes[index]
        candidate = selection.judge(net, request.budget, measured.latency, measured.bytes)
        return replace(candidate, reason=f"{candidate.reason} with random weights")
    figure = _rescaled(request, index, belief, found, before)
    return selection.judge(net, request.budget, figure)


def _rescaled(
    request: Request, index: int, belief: Belief, found: Found[Probe], before: EstimatedLatency | None
) -> EstimatedLatency:
    """What the probes make of a network that was not measured."""
    ms, deviation = belief.at(index)
    factor = math.exp(_SIDE * deviation)
    some = next(iter(found.probes.values())).latency
    names = ", ".join(measured.architecture.name for measured in found.probes.values())
    basis = "its profile" if before else "the hardware"
    return EstimatedLatency(
        device=request.device.name,
        runtime=some.runtime,
        threads=some.threads,
        percentile=request.percentile,
        value_ms=ms,
        low_ms=ms / factor,
        high_ms=ms * factor,
        coverage=0.9,
        mean_ms=ms * some.mean_ms / some.value_ms,
        percentile_over_mean=some.value_ms / some.mean_ms,
        percentile_source="measured in the probes",
        rows=before.rows if before else 0,
        sources=before.sources if before else (),
        notes=(f"estimated from {basis}, scaled by what {names} took on {some.on}",),
        published=before.published if before else False,
    )


def _off_profile(
    request: Request, found: Found[Probe], estimates: Sequence[EstimatedLatency | None]
) -> tuple[str, ...]:
    """Where the target is faster or slower than its profile by more than the interval."""
    for index, measured in found.probes.items():
        before = estimates[index]
        if before is None or before.low_ms <= measured.ms <= before.high_ms:
            continue
        pace = "slower" if measured.ms > before.high_ms else "faster"
        return (
            f"the target is {pace} than the profile {request.device.name} says: {measured.architecture.name} took "
            f"{measured.ms:.2f} ms, {before.low_ms:.2f} to {before.high_ms:.2f} ms were estimated; its estimates were "
            f"rescaled; `edgeffnet profile --target {request.target} --output FILE.toml` makes a profile that fits",
        )
    return ()


def _contradictions(nets: Sequence[Architecture], found: Found[Probe]) -> tuple[str, ...]:
    noise = [
        f"{nets[index].name} was measured again, because a larger network seemed faster"
        for index in found.again
        if not any(index in pair for pair in found.contradictions)
    ]
    held = [
        f"{nets[smaller].name} is slower than the larger {nets[larger].name}, measured twice: "
        f"{found.probes[smaller].ms:.2f} ms against {found.probes[larger].ms:.2f} ms"
        for smaller, larger in found.contradictions
    ]
    return (*noise, *held)


def _in_doubt(found: Found[Probe]) -> tuple[str, ...]:
    return tuple(
        f"{measured.architecture.name} is too close to {measured.limit_ms:g} ms to tell: it took {measured.ms:.2f} ms"
        for measured in found.probes.values()
        if not measured.certain
    )


def _disturbed(patience: Patience) -> tuple[str, ...]:
    if not patience.disturbed:
        return ()
    return ("other processes computed during the probes, again and again: their latencies may be too high",)


def probing_helps(budget: Budget, measured: bool, candidates: int) -> bool:
    """Whether a search by probes is of use: a latency to be held, measured, and a choice."""
    return measured and budget.latency_ms is not None and candidates > 1
