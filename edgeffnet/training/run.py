"""One training, from its beginning or from wherever an earlier run of it stopped."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edgeffnet.errors import TrainingError, UsageError
from edgeffnet.tensorflow_import import import_tensorflow
from edgeffnet.training import checkpoint, export, frozen, recalibration, recipe, split
from edgeffnet.training.checkpoint import State
from edgeffnet.training.clock import Clock
from edgeffnet.training.depth import Depth, affordable
from edgeffnet.training.fit import Fit, Plan
from edgeffnet.training.head import judged
from edgeffnet.training.metrics import Row
from edgeffnet.training.objective import Objective, objective
from edgeffnet.training.pipeline import Ordered, Shuffled
from edgeffnet.training.recipe import Recipe
from edgeffnet.training.result import Trained, of_classes
from edgeffnet.training.start import Start
from edgeffnet.training.teacher import teacher
from edgeffnet.training.train import Options, work_folder
from edgeffnet.training.trainee import Trainee
from edgeffnet.training.vetting import Vetted
from edgeffnet.weights.statement import Statement
from edgeffnet.whole_file import write_whole

if TYPE_CHECKING:
    from edgeffnet.report.progress import Steps

SPLIT = "split.csv"
LAST_GOOD = "last-good.safetensors"
# Validation images that judge an epoch; the result is judged by all.
_JUDGES = 2000
# Seconds kept for judging the result and writing the files.
_AFTER_SECONDS = 15.0


class Run:
    """Trains `begin` on what was `vetted`, within `clock`, into `output`."""

    def __init__(
        self, vetted: Vetted, begin: Start, options: Options, clock: Clock, steps: Steps, output: Path
    ) -> None:
        self.vetted = vetted
        self.data = vetted.dataset
        self.begin = begin
        self.options = options
        self.clock = clock
        self.steps = steps
        self.output = output
        self.folder = work_folder(output)
        self.recipe = _recipe(options, begin)
        self.request = _digest(vetted, begin, options)
        self.judges = split.sample(self.data.validation, _JUDGES, options.seed)

    def result(self) -> Trained:
        """Trains to the end and writes everything; TrainingError and UsageError leave the checkpoint."""
        kept = self._kept()
        with self.steps("Loading TensorFlow"):
            import_tensorflow()
            _repeatable(self.options.seed)
        self._make_folder()
        fit, state = self._prepared(kept)
        try:
            with self.steps("Training"):
                state = fit.run(state, Plan(self.options.epochs, _AFTER_SECONDS))
        except TrainingError as error:
            best = (checkpoint.load(self.folder) or state).best
            path = self.folder / LAST_GOOD
            export.write(path, best, self._statement())
            raise TrainingError(f"{error} in {path}") from None
        return self._written(fit, state)

    def _kept(self) -> State | None:
        state = checkpoint.load(self.folder)
        if state is None:
            return None
        if state.request != self.request:
            raise UsageError(
                f"{self.folder} holds the checkpoint of another training: give the same options and images to go on, "
                "choose another --output, or remove that folder"
            )
        self.clock.before = state.seconds
        return state

    def _make_folder(self) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            text = split.as_csv(self.data, self.folder)
            write_whole(self.folder / SPLIT, text.encode("utf-8", "surrogateescape"))
        except OSError as error:
            raise UsageError(f"--output {self.output}: cannot write in {self.folder} ({error.strerror})") from None

    def _prepared(self, kept: State | None) -> tuple[Fit, State]:
        """The training at its beginning, or as `kept`."""
        aim = objective(self.data.counts(), self.recipe.label_smoothing)
        if kept is not None:
            return self._fit(aim, self.begin, Depth(kept.first_stage, kept.estimate)), kept
        begin = self.begin
        if begin.inherited and begin.changed:
            with self.steps("Statistics of the inherited network"):
                begin = recalibration.recalibrated(begin, self._shuffled())
        if not self.recipe.head_first:
            return self._from_scratch(aim, begin)
        with self.steps("Frozen features and their classifier"):
            found = frozen.fit(
                begin, self.data.training, self.judges, aim, self.options.seed, self.clock, self.steps.advance
            )
        begin = replace(begin, tensors={**begin.tensors, **found.head.tensors()})
        depth = self._depth(found.seconds_per_image)
        fit = self._fit(aim, begin, depth)
        return fit, fit.begin(self.request, found.row, depth)

    def _from_scratch(self, aim: Objective, begin: Start) -> tuple[Fit, State]:
        fit = self._fit(aim, begin, Depth(0, 0.0))
        with self.steps("Judging the beginning"):
            fit.judge()
            start = time.monotonic()
            figures = fit.judge()
            taken = time.monotonic() - start
        row = Row(0, taken, len(self.judges) / taken, 0.0, None, None, figures.loss, figures.top1, best=True)
        return fit, fit.begin(self.request, row, self._depth(taken / len(self.judges)))

    def _depth(self, forward: float) -> Depth:
        """As much of the network as there is time for; all of it where epochs are counted."""
        if self.options.epochs is not None:
            return Depth(0, 0.0)
        left = self.clock.left() - _AFTER_SECONDS
        whole = self.recipe.batch_norm == "trained"
        counts = len(self.data.training), len(self.judges)
        return affordable(self.begin.architecture, *counts, forward, left, whole=whole)

    def _fit(self, aim: Objective, begin: Start, depth: Depth) -> Fit:
        told = None
        if self.options.distill:
            with self.steps("The teacher's classifier"):
                told = teacher(self.begin, self.data, self.judges, aim, self.options.seed, self.clock)
        trainee = Trainee(
            begin.architecture, begin.tensors, self.recipe, aim, first_stage=depth.first_stage, teacher=told
        )
        judging = Ordered(self.judges, begin.preprocessing)
        return Fit(
            trainee,
            self._shuffled(),
            judging,
            self.clock,
            self.folder,
            progress=self.steps.advance,
            told=self.steps.say,
        )

    def _shuffled(self) -> Shuffled:
        return Shuffled(
            images=self.data.training,
            preprocessing=self.begin.preprocessing,
            augmentation=self.recipe.augmentation,
            batch=min(self.recipe.batch, len(self.data.training)),
            seed=self.options.seed,
        )

    def _statement(self) -> Statement:
        return Statement(self.begin.architecture, self.begin.preprocessing, self.data.classes, self.begin.origin)

    def _written(self, fit: Fit, state: State) -> Trained:
        with self.steps("Judging the result"):
            logits = fit.logits_of(state.best, Ordered(self.data.validation, self.begin.preprocessing))
        labels = np.array([image.label or 0 for image in self.data.validation], np.int64)
        figures = judged(logits, labels)
        found = Trained(
            output=self.output,
            architecture=self.begin.architecture,
            preprocessing=self.begin.preprocessing,
            data=self.data,
            unreadable=self.vetted.unreadable,
            shared=self.vetted.shared,
            recipe=self.recipe,
            options=asdict(self.options),
            origin=self.begin.origin,
            first_stage=state.first_stage,
            rows=state.rows,
            loss=figures.loss,
            right=int((logits.argmax(axis=1) == labels).sum()),
            per_class=of_classes(logits, labels, self.data.classes),
            notes=(*self.vetted.notes, *self.begin.notes, *self._notes(state)),
            seconds=self.steps.seconds,
        )
        with self.steps("Writing the weights"):
            try:
                for suffix in export.SUFFIXES:
                    export.write(self.output.with_suffix(suffix), state.best, self._statement())
                found.write(self.folder)
            except OSError as error:
                raise UsageError(
                    f"--output {self.output}: {error.strerror}; the checkpoint is kept: make room, and the same "
                    "command goes on"
                ) from None
        for name in (checkpoint.NAME, LAST_GOOD):
            (self.folder / name).unlink(missing_ok=True)
        return found

    def _notes(self, state: State) -> list[str]:
        made = []
        if self.data.drawn:
            made.append(f"{self.data.split_by} decided what validates: {SPLIT} is that split, to be given as --data")
        made.append("the validation images chose the epoch, so their top-1 is a little flattered")
        if state.first_stage:
            made.append(f"time was short: only stage {state.first_stage} and what follows it was fine-tuned")
        if len(self.judges) < len(self.data.validation):
            made.append(f"{len(self.judges):,} of {len(self.data.validation):,} validation images judged each epoch")
        if self.options.epochs is not None and state.epoch < self.options.epochs:
            made.append(f"stopped after epoch {state.epoch}: nothing got better, or the time was up")
        return made


def _recipe(options: Options, begin: Start) -> Recipe:
    if options.recipe == "paper":
        drop = {} if options.drop_connect is None else {"drop_connect": options.drop_connect}
        return recipe.paper(batch=options.batch, mix=options.mix, **drop)
    made = recipe.transfer(inherited=begin.inherited, batch=options.batch, mix=options.mix)
    made = replace(made, drop_connect=options.drop_connect or 0.0)
    return made if begin.trained else recipe.from_scratch(made)


def _digest(vetted: Vetted, begin: Start, options: Options) -> str:
    data = vetted.dataset
    files = [
        [part, str(image.path), image.path.stat().st_size, image.label or 0]
        for part, images in (("train", data.training), ("val", data.validation))
        for image in images
    ]
    # The time may be another when a training goes on.
    asked = {
        **asdict(replace(options, seconds=None)),
        "classes": data.classes,
        "images": files,
        "start": begin.digest(),
    }
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


def _repeatable(seed: int) -> None:
    """The same bytes for the same seed on one machine."""
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(seed)
    if not tf.config.list_physical_devices("GPU"):  # where some steps have no form that repeats
        tf.config.experimental.enable_op_determinism()
