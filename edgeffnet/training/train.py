"""`edgeffnet train`: a folder of pictures -> weights of an EfficientNet that knows them."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from edgeffnet.errors import UsageError
from edgeffnet.training import dataset, recipe
from edgeffnet.training.dataset import VALIDATION_SHARE

if TYPE_CHECKING:
    from edgeffnet.architecture import Architecture
    from edgeffnet.report.progress import Steps
    from edgeffnet.training.result import Trained
    from edgeffnet.wanted import NetworkOptions

# Without --time and --epochs: what a person waits for.
DEFAULT_SECONDS = 600.0
_LARGEST_BATCH = 4096


@dataclass(frozen=True)
class Options:
    """How to train; `seconds` None and `epochs` None: ten minutes.

    `share` of each class validates where the data do not say. `mix` is mixup's alpha, `drop_connect` None the
    recipe's own; with `distill` the network also learns from the checkpoint that its weights came from.
    """

    recipe: str = "transfer"
    seconds: float | None = None
    epochs: int | None = None
    batch: int | None = None
    share: float = VALIDATION_SHARE
    mix: float = 0.0
    drop_connect: float | None = None
    distill: bool = False
    strict: bool = False
    allow_overlap: bool = False
    seed: int = 0


def train(
    data: Path,
    output: Path,
    *,
    networks: NetworkOptions,
    options: Options | None = None,
    force: bool = False,
    architecture: Architecture | None = None,
    steps: Steps | None = None,
) -> Trained:
    """Trains the network that `networks` names, or `architecture`, on `data` into `output`.

    `output` ends in .keras or .safetensors; the other is written beside it, and the folder named after it with
    ".training" holds split.csv, metrics.csv and report.json. Until it is done that folder holds the checkpoint
    from which the same call goes on. `force` replaces weights that are there.

    Raises UsageError, DataError, and TrainingError where a loss is no number; then `output` is as it was.
    """
    from edgeffnet.report.progress import Steps
    from edgeffnet.report.quiet import quiet
    from edgeffnet.tensorflow_import import require_build_tools
    from edgeffnet.training.clock import Clock
    from edgeffnet.training.run import Run
    from edgeffnet.training.start import start, wanted_architecture
    from edgeffnet.training.vetting import vet

    require_build_tools()
    chosen = checked(options or Options())
    net = architecture or wanted_architecture(networks)
    require_output(output, force=force)
    steps, clock = steps or Steps(), Clock(chosen.seconds)
    with ExitStack() as stack:
        stack.enter_context(quiet())
        with steps("Listing images"):
            listed = dataset.read(data, chosen.seed, chosen.share)
        with steps("Looking at the images"):
            vetted = vet(listed, strict=chosen.strict, allow_overlap=chosen.allow_overlap, progress=steps.advance)
        with steps("Reading weights"):
            begin = start(networks, net, vetted.dataset.classes, chosen.seed)
        return Run(vetted, begin, chosen, clock, steps, output).result()


def require_output(output: Path, *, force: bool) -> None:
    """UsageError where the weights cannot become `output`."""
    from edgeffnet.training import checkpoint
    from edgeffnet.training.export import SUFFIXES

    if output.suffix not in SUFFIXES:
        raise UsageError(f"--output {output}: its name has to end in {' or '.join(SUFFIXES)}")
    folder = work_folder(output)
    # Where a checkpoint is left, what is there was written by the training that it is of, or was given up by --force.
    replaced = force or (folder / checkpoint.NAME).is_file()
    for suffix in SUFFIXES:
        path = output.with_suffix(suffix)
        if path.exists() and not (replaced and path.is_file()):
            raise UsageError(f"--output {path} is there: choose another name, or say --force")
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"--output {output}: {folder} is there and no folder; choose another name")


def work_folder(output: Path) -> Path:
    """Where the checkpoint lies, and later what is told of the training."""
    return output.with_suffix(".training")


def checked(options: Options) -> Options:
    """`options` with the default time where nothing limits it; UsageError for a value that cannot be."""
    if options.recipe not in recipe.RECIPES:
        raise UsageError(f"--recipe {options.recipe!r} is none of {', '.join(recipe.RECIPES)}")
    if options.seed < 0:
        raise UsageError(f"--seed {options.seed} is negative")
    if not 0 < options.share < 1:
        raise UsageError(f"--val-share {options.share:g} is not between 0 and 1")
    if options.mix < 0:
        raise UsageError(f"--mix {options.mix:g} is negative")
    if options.drop_connect is not None and not 0 <= options.drop_connect < 1:
        raise UsageError(f"--drop-connect {options.drop_connect:g} is not between 0 and 1")
    if options.batch is not None and not 1 <= options.batch <= _LARGEST_BATCH:
        raise UsageError(f"--batch {options.batch} is not between 1 and {_LARGEST_BATCH}")
    if options.epochs is not None and options.epochs < 0:
        raise UsageError(f"--epochs {options.epochs} is negative")
    if options.seconds is None and options.epochs is None:
        return replace(options, seconds=DEFAULT_SECONDS)
    return options
