"""A search as the command line asks for it."""

from __future__ import annotations

from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING

from edgeffnet import devices
from edgeffnet.bases import family_named
from edgeffnet.budget import share
from edgeffnet.devices.profile import LOCAL
from edgeffnet.errors import UsageError
from edgeffnet.grid.candidates import Network
from edgeffnet.grid.costs import EstimatedLatency, LatencyCost, MeasuredLatency
from edgeffnet.grid.search import Ranking
from edgeffnet.grid.search import search as run
from edgeffnet.grid.short_training import Short, ShortTraining
from edgeffnet.grid.triples import Constraint
from edgeffnet.rules import Coefficients

if TYPE_CHECKING:
    from edgeffnet.report.progress import Steps

# A measurement takes half a minute: a person waits for so many.
_MOST_MEASURED = 16


def search(
    *,
    family: str = "efficientnet",
    width: float = 1.0,
    depth: float = 1.0,
    resolution: int = 224,
    factor: float = 2.0,
    tolerance: str = "5%",
    step: float = 0.05,
    most: int | None = None,
    device: str | None = None,
    target: str | None = None,
    threads: int | None = None,
    journal: Path | None = None,
    data: Path | None = None,
    epochs: int = 2,
    seeds: int = 2,
    weights: str = "random",
) -> Ranking:
    """The candidates under FLOPs, under the estimated latency on `device`, or under the one measured on `target`.

    With `data` they are ranked by short trainings on those images, else listed.
    Raises UsageError, naming the option at fault, DataError for images that cannot be used, and TargetError where a
    target fails.
    """
    from edgeffnet.report.progress import Steps
    from edgeffnet.report.quiet import quiet

    measured = target is not None or device == LOCAL
    if target is not None and device not in (None, LOCAL):
        raise UsageError("--target is measured and --device estimated: give one of them")
    if threads is not None and device is None and target is None:
        raise UsageError("--threads belongs to a latency: give --device or --target")
    if data is None and (epochs, seeds, weights) != (2, 2, "random"):
        raise UsageError("--epochs, --seeds and --weights say how to train: give --data")
    constraint = Constraint(
        target=factor,
        tolerance=share(tolerance, "--tolerance", 0.0, 0.99),
        step=step,
        most=_MOST_MEASURED if most is None and measured else most,
    )
    network = Network(family_named(family), Coefficients(width, depth, resolution))
    network.at(None)
    steps = Steps()
    with ExitStack() as stack:
        latency = _latency(stack, device, target, threads, measured)
        evaluator = None
        if data is not None:
            evaluator = short_training(Short(data, epochs, seeds, weights), network.family, steps)
        if measured:
            stack.enter_context(quiet())
        with steps("Searching"):
            return run(
                evaluator,
                network=network,
                constraint=constraint,
                latency=latency,
                journal=journal,
                evaluator_name=evaluator.short.name if evaluator else "",
                progress=steps.advance,
            )


def short_training(short: Short, family: str, steps: Steps) -> ShortTraining:
    """The evaluator; what is wrong with its images or with this machine is no candidate's failure, and raised."""
    from edgeffnet.tensorflow_import import require_build_tools
    from edgeffnet.training import dataset
    from edgeffnet.training.train import Options

    require_build_tools()
    dataset.read(short.data, seed=0, share=Options().share)
    return ShortTraining(short, family, steps)


def _latency(
    stack: ExitStack, device: str | None, target: str | None, threads: int | None, measured: bool
) -> LatencyCost | None:
    if measured:
        from edgeffnet.targets.address import target as target_at
        from edgeffnet.tensorflow_import import require_build_tools

        require_build_tools()
        return MeasuredLatency(stack.enter_context(closing(target_at(target or "local"))), threads)
    return None if device is None else EstimatedLatency(devices.load(device), threads)
