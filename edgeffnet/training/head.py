"""The classifier on frozen features: quick, and where fine-tuning begins."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeffnet.training.features import Features
from edgeffnet.training.objective import Objective

_BATCH = 128
_FEWEST_STEPS, _FEWEST_PASSES = 1500, 4
_RATE = 3e-3
_DECAY = 1e-2
# How often the fit is looked at on its way.
_LOOKS = 15
# Rows judged at a time: with thousands of classes each is long.
_ROWS = 512


@dataclass(frozen=True)
class Head:
    """A linear classifier: features (n, channels) -> logits (n, classes)."""

    kernel: NDArray[np.float32]
    bias: NDArray[np.float32]

    def logits(self, features: Features) -> NDArray[np.float32]:
        return features @ self.kernel + self.bias

    def tensors(self) -> dict[str, NDArray[np.float32]]:
        return {"predictions/kernel": self.kernel, "predictions/bias": self.bias}


def fit(
    features: Features,
    labels: NDArray[np.int64],
    objective: Objective,
    seed: int,
    validation: tuple[Features, NDArray[np.int64]],
    seconds: float = math.inf,
) -> Head:
    """The classifier of the looks on the way that is best on `validation`, by top-1 and then by loss.

    AdamW over batches of 128 at a rate that falls to zero; the same seed gives the same bytes, unless it takes
    longer than `seconds` and stops there.
    """
    import keras
    import tensorflow as tf

    kernel = keras.Variable(np.zeros((features.shape[1], objective.classes), np.float32), name="kernel")
    bias = keras.Variable(np.zeros(objective.classes, np.float32), name="bias")
    optimizer = keras.optimizers.AdamW(_RATE, weight_decay=_DECAY)
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    optimizer.build([kernel, bias])

    def learn(batch: Any, targets: Any) -> None:
        with tf.GradientTape() as tape:
            loss = objective.loss(batch @ kernel.value + bias.value, targets)
        optimizer.apply(tape.gradient(loss, [kernel.value, bias.value]), [kernel, bias])

    step = tf.function(learn, reduce_retracing=True)
    per_pass = max(1, len(features) // _BATCH)
    passes = max(_FEWEST_PASSES, -(-_FEWEST_STEPS // per_pass))
    total, done, best = passes * per_pass, 0, None
    end = time.monotonic() + seconds
    for number in range(passes):
        order = np.random.default_rng((seed, number)).permutation(len(features))
        for start in range(per_pass):
            chosen = order[start * _BATCH : (start + 1) * _BATCH]
            optimizer.learning_rate = _RATE * 0.5 * (1 + np.cos(np.pi * done / total))
            step(features[chosen], objective.targets(labels[chosen]))
            done += 1
            if time.monotonic() > end:
                break
        late = time.monotonic() > end
        if late or (number + 1) % max(1, passes // _LOOKS) == 0 or number + 1 == passes:
            seen = Head(np.asarray(kernel.numpy()), np.asarray(bias.numpy()))
            figures = judged(seen.logits(validation[0]), validation[1])
            if best is None or (figures.top1, -figures.loss) > (best[1].top1, -best[1].loss):
                best = seen, figures
        if late:
            break
    assert best is not None
    return best[0]


@dataclass(frozen=True)
class Figures:
    """Cross-entropy in nats without smoothing or weights, and top-1 as a share of 1."""

    loss: float
    top1: float


def judged(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> Figures:
    """How `logits` (n, classes) fare against `labels`."""
    losses = []
    for start in range(0, len(labels), _ROWS):
        wide, own = logits[start : start + _ROWS].astype(np.float64), labels[start : start + _ROWS]
        wide -= wide.max(axis=1, keepdims=True)
        losses.append(np.log(np.exp(wide).sum(axis=1)) - wide[np.arange(len(own)), own])
    return Figures(float(np.concatenate(losses).mean()), float((logits.argmax(axis=1) == labels).mean()))
