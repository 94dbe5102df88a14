"""Training as a part of the main job: the data are its images, and what fits is trained before it is built."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from edgeffnet import weights
from edgeffnet.architecture import Architecture
from edgeffnet.calibration_images import from_set
from edgeffnet.errors import UsageError
from edgeffnet.imagesets import ImageSet
from edgeffnet.training import dataset, export, split
from edgeffnet.training.candidates import trainable
from edgeffnet.training.fit import METRICS
from edgeffnet.training.run import SPLIT, Run
from edgeffnet.training.train import Options, checked, work_folder
from edgeffnet.training.vetting import Vetted, vet
from edgeffnet.validation_images import ImagesOfBuild
from edgeffnet.wanted import NetworkOptions, Wanted
from edgeffnet.weights import Weights

if TYPE_CHECKING:
    from edgeffnet.report.progress import Steps
    from edgeffnet.request import Request
    from edgeffnet.training.result import Trained

# In a bundle.
FOLDER = "training"
NAME = "model"
# A build has other things to do.
DEFAULT_SECONDS = 240.0


@dataclass
class TrainingOfBuild:
    """`data` for a build into `output`; `trained` are weights of an earlier build, which are then not made again.

    `results` are the trainings that were needed, by the network's name: one, unless the first was too slow.
    """

    data: Path
    networks: NetworkOptions
    options: Options
    output: Path
    steps: Steps
    trained: Path | None = None
    results: dict[str, Trained] = field(default_factory=dict)
    _vetted: Vetted | None = None

    def __post_init__(self) -> None:
        if self.networks.weights == "random":
            raise UsageError("--data trains from the weights there are: leave out --weights random")
        if self.networks.classes is not None or self.networks.labels is not None:
            raise UsageError("--data says what the classes are: leave out --classes and --labels")
        if self.options.seconds is None and self.options.epochs is None:
            self.options = replace(self.options, seconds=DEFAULT_SECONDS)
        self.options = checked(self.options)
        self.listed = dataset.read(self.data, self.options.seed, self.options.share)

    def wanted(self) -> tuple[Wanted, ...]:
        """The networks to consider, most multiply-adds first; each is trained when its weights are asked for."""
        return tuple(
            Wanted(
                architecture=net,
                weights=self.networks.weights,
                official=False,
                classes=None,
                preprocessing=None,
                labels=self.listed.classes,
                seed=self.options.seed,
                trainer=self.load,
            )
            for net in trainable(self.networks, len(self.listed.classes))
        )

    def images(self, request: Request) -> ImagesOfBuild:
        """The training part calibrates and the validation part validates; DataError where `vet` finds fault."""
        found = self.vetted
        training = ImageSet(found.dataset.training, f"the training images of {self.data}")
        validation = ImageSet(found.dataset.validation, f"the validation images of {self.data}")
        calibration = from_set(training, request.seed, request.selection)
        return ImagesOfBuild(calibration, validation, request.seed, found.shared)

    @property
    def vetted(self) -> Vetted:
        if self._vetted is None:
            self._vetted = vet(
                self.listed,
                strict=self.options.strict,
                allow_overlap=self.options.allow_overlap,
                progress=self.steps.advance,
            )
        return self._vetted

    def load(self, net: Architecture) -> Weights:
        """The weights of `net`, trained now, or in an earlier run of the same build."""
        if self.trained is not None:
            return weights.load(str(self.trained), architecture=net)
        from edgeffnet.training.clock import Clock
        from edgeffnet.training.start import start

        self.kept.mkdir(parents=True, exist_ok=True)
        output = self.kept / f"{''.join(c if c.isalnum() or c in '.-' else '_' for c in net.name)}.keras"
        begin = start(self.networks, net, self.listed.classes, self.options.seed)
        found = Run(self.vetted, begin, self.options, Clock(self.options.seconds), self.steps, output).result()
        self.results[net.name] = found
        return weights.load(str(output), architecture=net)

    @property
    def kept(self) -> Path:
        """Where checkpoints lie while the build is not done."""
        return kept_folder(self.output)

    def add_to(self, bundle: Path, name: str) -> None:
        """Puts the weights of the network `name`, its metrics and the split into `bundle`."""
        folder = bundle / FOLDER
        folder.mkdir()
        if self.trained is not None:
            for file in (*(f"{NAME}{suffix}" for suffix in export.SUFFIXES), METRICS, SPLIT):
                shutil.copy(self.trained.with_name(file), folder / file)
            return
        output = self.results[name].output
        for suffix in export.SUFFIXES:
            shutil.copy(output.with_suffix(suffix), folder / f"{NAME}{suffix}")
        shutil.copy(work_folder(output) / METRICS, folder / METRICS)
        text = split.as_csv(self.vetted.dataset, self.output / FOLDER)
        (folder / SPLIT).write_bytes(text.encode("utf-8", "surrogateescape"))

    def clear(self) -> None:
        """Removes what was kept for a build that is done."""
        shutil.rmtree(self.kept, ignore_errors=True)


def kept_folder(output: Path) -> Path:
    """Where an unfinished build into `output` keeps its training."""
    return output.parent / f".{output.name}.work"
