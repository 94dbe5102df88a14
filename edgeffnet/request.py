"""What a build is asked for, checked before any work begins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from calib.recipes import RECIPES
from converters.artifact import Format
from edgeffnet import devices
from edgeffnet.budget import LARGEST_RISK, LEAST_RISK, RISK, Budget
from edgeffnet.bundle.parts import require_known
from edgeffnet.calibration_images import Selection
from edgeffnet.devices import Device
from edgeffnet.errors import UsageError
from edgeffnet.production import FORMATS, Granularity, Interface
from edgeffnet.targets import address
from edgeffnet.wanted import NetworkOptions, Wanted, at_other_sizes, candidates

INTERFACES = ("uint8", "int8", "float32")
GRANULARITIES = ("channel", "tensor")


@dataclass(frozen=True)
class Request:
    """A build's options with defaults filled in; `wanted` are to be considered in this order."""

    device: Device
    budget: Budget
    wanted: tuple[Wanted, ...]
    calib: Path | None
    val: Path | None
    interface: Interface
    recipe: str
    granularity: Granularity
    full_integer: bool
    selection: Selection
    allow_overlap: bool
    threads: int
    percentile: float
    formats: tuple[Format, ...]
    output: Path
    seed: int
    target: str = "local"
    threads_chosen: bool = False
    target_chosen: bool = False
    risk: float = RISK
    tune_resolution: bool = False
    parts: tuple[str, ...] = ()
    training: bool = False

    @property
    def measured(self) -> bool:
        """True where latency is measured, on this machine or a target, instead of estimated."""
        return self.device.name == "local" or self.target_chosen

    @property
    def remote(self) -> bool:
        """True where the artefacts run on another machine."""
        return self.target != "local"

    @property
    def run_threads(self) -> int | None:
        """Threads for runs: as chosen, else one for each fast core of a target; here as on the device."""
        if self.remote:
            return self.threads if self.threads_chosen else None
        return min(self.threads, devices.load("local").cores)


def require_int8_options(io: str, recipe: str, granularity: str) -> None:
    """UsageError for a value that its option does not know."""
    for option, value, known in (
        ("--io", io, INTERFACES),
        ("--recipe", recipe, tuple(RECIPES)),
        ("--granularity", granularity, GRANULARITIES),
    ):
        if value not in known:
            raise UsageError(f"{option} {value!r} is none of {', '.join(known)}")


def request(
    *,
    device: str,
    budget: Budget,
    networks: NetworkOptions,
    calib: Path | None,
    val: Path | None,
    io: str,
    recipe: str,
    granularity: str,
    full_integer: bool,
    selection: Selection,
    allow_overlap: bool,
    threads: int | None,
    percentile: float,
    formats: Sequence[str],
    output: Path,
    seed: int,
    target: str | None = None,
    risk: float = RISK,
    tune_resolution: bool = False,
    parts: Sequence[str] = (),
    training: Sequence[Wanted] = (),
) -> Request:
    """The request with every value checked; UsageError names the option and what it takes.

    `training` are the networks of which one is trained first, on data that validate too.
    """
    profile = devices.load(device)
    target_chosen, target = target is not None, target or "local"
    require_int8_options(io, recipe, granularity)
    unknown = [name for name in formats if name not in FORMATS]
    if unknown or not formats:
        raise UsageError(f"--formats: {', '.join(unknown) or 'nothing'} given; choose from {', '.join(FORMATS)}")
    if "tflite" not in formats:
        raise UsageError("--formats must include tflite: its int8 model is what the budget is held against")
    require_known(parts, "--bundle")
    if not 50 <= percentile <= 99:
        raise UsageError(f"--percentile {percentile:g} is not between 50 and 99")
    if address.parse(target).kind == "qemu":
        raise UsageError(f"--target {target}: emulation gives no latency: build first, then `edgeffnet validate`")
    if address.parse(target).option("benchmark_model"):
        raise UsageError(
            f"--target {target}: benchmark_model gives no percentiles: build first, then `edgeffnet validate`"
        )
    threads_chosen = threads is not None
    threads = profile.default_threads if threads is None else threads
    if not 1 <= threads <= profile.cores:
        raise UsageError(f"--threads {threads} is not between 1 and the {profile.cores} cores of {profile.name}")
    if not LEAST_RISK <= risk <= LARGEST_RISK:
        raise UsageError(f"--risk {risk:g} is not between {LEAST_RISK:.1%} and {LARGEST_RISK:.0%}")
    if seed < 0:
        raise UsageError(f"--seed {seed} is negative")
    if training and (val is not None or tune_resolution):
        raise UsageError(
            "--data validates with its own images, at the network's own size: leave out --val and --tune-resolution"
        )
    if budget.drop is not None and val is None and not training:
        raise UsageError("--max-drop needs labelled images to hold it against: give --val")
    if budget.agreement is not None and val is None and not training:
        raise UsageError("--min-agreement needs images to hold it against: give --val")
    if networks.weights == "random" and val is not None:
        raise UsageError("--weights random is for latency only: an untrained network has no accuracy; leave out --val")
    if tune_resolution and (val is None or networks.weights == "random"):
        raise UsageError("--tune-resolution measures what weights are worth at other sizes: give --val, and weights")
    wanted = tuple(training) or candidates(networks, seed)
    if len(wanted) > 1 and not budget.limits:
        raise UsageError("nothing limits the search: give --max-latency or another budget, or name a --variant")
    return Request(
        device=profile,
        budget=budget,
        wanted=at_other_sizes(wanted) if tune_resolution else wanted,
        calib=calib,
        val=val,
        interface=cast(Interface, io),
        recipe=recipe,
        granularity=cast(Granularity, granularity),
        full_integer=full_integer,
        selection=selection,
        allow_overlap=allow_overlap,
        threads=threads,
        percentile=percentile,
        formats=tuple(form for form in FORMATS if form in formats),
        output=output,
        seed=seed,
        target=target,
        threads_chosen=threads_chosen,
        target_chosen=target_chosen,
        risk=risk,
        tune_resolution=tune_resolution,
        parts=tuple(parts),
        training=bool(training),
    )
