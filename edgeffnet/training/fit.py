"""Epoch after epoch: within its time, to a checkpoint after each, until nothing gets better."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeffnet import network
from edgeffnet.errors import TrainingError
from edgeffnet.network import Tensors
from edgeffnet.training import checkpoint, metrics, objective
from edgeffnet.training.checkpoint import State
from edgeffnet.training.clock import Clock
from edgeffnet.training.depth import Depth
from edgeffnet.training.head import Figures, judged
from edgeffnet.training.metrics import Row
from edgeffnet.training.pipeline import Ordered, Shuffled
from edgeffnet.training.trainee import Trainee
from edgeffnet.whole_file import write_whole

METRICS = "metrics.csv"
# Without a better validation for so many epochs at least, before training stops early.
_FEWEST_PATIENT = 4

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Plan:
    """`epochs` None for as many as the clock allows; `reserve` are seconds kept for what comes after training."""

    epochs: int | None
    reserve: float


class Fit:
    """Trains `trainee` on `training`, judges it on `validation`, and keeps its state in `folder`."""

    def __init__(
        self,
        trainee: Trainee,
        training: Shuffled,
        validation: Ordered,
        clock: Clock,
        folder: Path,
        *,
        progress: Progress = lambda *_: None,
        told: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.trainee = trainee
        self.training = training
        self.validation = validation
        self.clock = clock
        self.folder = folder
        self.progress = progress
        self.told = told
        self._judging = 0.0

    def begin(self, request: str, epoch_zero: Row, depth: Depth) -> State:
        """The state before the first epoch, kept."""
        state = State(
            request=request,
            epoch=0,
            progress=0.0,
            seconds=self.clock.worked(),
            first_stage=depth.first_stage,
            estimate=depth.seconds,
            rows=(epoch_zero,),
            live=self.trainee.state(),
            best=self.trainee.weights(),
        )
        self._keep(state)
        return state

    def run(self, state: State, plan: Plan) -> State:
        """From `state` to the end of the plan.

        TrainingError where a loss is no number: the last checkpoint is kept.
        """
        self.trainee.restore(state.live)
        seconds = state.rows[-1].seconds if state.epoch else state.estimate
        while not state.over:
            left = self._epochs_left(state, plan, seconds)
            if left < 1 or self._impatient(state, left):
                state = replace(state, over=True)
                self._keep(state)
                break
            start = time.monotonic()
            span = (state.progress, state.progress + (1 - state.progress) / left)
            state = self._epoch(state, span, left, plan.reserve)
            seconds = time.monotonic() - start
        return state

    def judge(self) -> Figures:
        """Loss and top-1 on the validation images, as the network is now."""
        start = time.monotonic()
        found = judged(self._logits(self.validation), self.validation.labels)
        self._judging = time.monotonic() - start
        return found

    def logits_of(self, tensors: Tensors, images: Ordered) -> NDArray[np.float32]:
        """(n, classes) of `images` with the weights `tensors`."""
        network.assign(self.trainee.judged, tensors)
        return self._logits(images)

    def _logits(self, images: Ordered) -> NDArray[np.float32]:
        return np.concatenate([np.asarray(self.trainee.logits(batch)) for batch in images.batches()])

    def _epochs_left(self, state: State, plan: Plan, seconds: float) -> int:
        if plan.epochs is not None:
            return plan.epochs - state.epoch if self.clock.left() > plan.reserve else 0
        if state.progress >= 1:
            return 0  # the rate has come down to nothing
        fit = self.clock.epochs(seconds, plan.reserve)
        # One epoch is always begun: it stops by itself when its time is up.
        return max(fit, 1) if state.epoch == 0 else fit

    def _impatient(self, state: State, left: int) -> bool:
        patience = max(_FEWEST_PATIENT, math.ceil(self.trainee.recipe.patience * (state.epoch + left)))
        return state.epoch - state.best_row.epoch >= patience

    def _epoch(self, state: State, span: tuple[float, float], left: int, reserve: float) -> State:
        number, steps = state.epoch + 1, self.training.steps
        start = time.monotonic()
        self.trainee.begin(self.training.seed, number)
        total, right, seen, rate = 0.0, 0, 0, 0.0
        for index, (images, labels) in enumerate(self.training.epoch(number)):
            share = (index + 1) / steps
            rate = self.trainee.recipe.rate_at(span[0] + (span[1] - span[0]) * share, state.epoch + share)
            images, targets = self._mixed(images, labels, number, index)
            loss, correct = self.trainee.step(images, targets, rate)
            if not math.isfinite(loss):
                raise self._diverged(state, f"the loss of batch {index + 1} in epoch {number} is {loss}")
            total, right, seen = total + loss * len(labels), right + correct, seen + len(labels)
            self._show(state, left, index + 1, steps, seen / (time.monotonic() - start))
            if self.clock.left() < reserve + self._judging:
                break
        speed = seen / (time.monotonic() - start)
        figures = self.judge()
        if not math.isfinite(figures.loss):
            raise self._diverged(state, f"the validation loss after epoch {number} is {figures.loss}")
        row = Row(
            epoch=number,
            seconds=time.monotonic() - start,
            images_per_second=speed,
            rate=rate * self.trainee.recipe.rate,
            train_loss=total / seen,
            train_top1=right / seen,
            val_loss=figures.loss,
            val_top1=figures.top1,
            best=False,
        )
        row = replace(row, best=row.better_than(state.best_row))
        self.told(row.said())
        state = replace(
            state,
            epoch=number,
            progress=span[1],
            seconds=self.clock.worked(),
            rows=(*state.rows, row),
            live=self.trainee.state(),
            best=self.trainee.weights() if row.best else state.best,
        )
        self._keep(state)
        return state

    def _mixed(self, images: Any, labels: Any, number: int, index: int) -> tuple[Any, Any]:
        targets = self.trainee.objective.targets(labels)
        alpha = self.trainee.recipe.mix
        if not alpha:
            return images, targets
        return objective.mixed(images, targets, alpha, np.random.default_rng((self.training.seed, number, index)))

    def _keep(self, state: State) -> None:
        checkpoint.save(self.folder, state)
        write_whole(self.folder / METRICS, metrics.to_csv(state.rows).encode())

    def _diverged(self, state: State, what: str) -> TrainingError:
        return TrainingError(
            f"{what}: training stopped; the weights of epoch {state.best_row.epoch} "
            f"({state.best_row.val_top1:.1%} on the validation images) are kept"
        )

    def _show(self, state: State, left: int, done: int, of: int, speed: float) -> None:
        seconds = (left - done / of) * (self.training.steps * self.training.batch / speed + self._judging)
        self.progress(
            done,
            of,
            f"epoch {state.epoch + 1} of {state.epoch + left}, {speed:.1f} images/s, {seconds / 60:.1f} min left, "
            f"validation {state.rows[-1].val_top1:.1%}, best {state.best_row.val_top1:.1%}",
        )
