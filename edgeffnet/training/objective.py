"""What training minimises: cross-entropy with smoothed labels and weighted classes, and the teacher's opinion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Of Hinton et al. 2015: softer opinions tell more of what is alike.
TEMPERATURE = 2.0
# The share of the loss that is the teacher's.
TEACHERS_SHARE = 0.5
# Sets this even need no weights; a class so rare gets no more.
_EVEN, _LARGEST_WEIGHT = 1.5, 10.0


@dataclass(frozen=True)
class Objective:
    """The loss of logits against soft targets; `class_weights` has the mean 1 over the training images."""

    classes: int
    smoothing: float
    class_weights: NDArray[np.float32]

    def targets(self, labels: Any) -> Any:
        """float32 (n, classes) of int labels (n,): 1 - smoothing for the label, the rest spread over all."""
        import tensorflow as tf

        return tf.one_hot(labels, self.classes) * (1 - self.smoothing) + self.smoothing / self.classes

    def loss(self, logits: Any, targets: Any, teacher: Any = None) -> Any:
        """The mean over the batch; with `teacher` logits, half of it is agreement with them."""
        import tensorflow as tf

        weights = tf.linalg.matvec(targets, tf.constant(self.class_weights))
        found = tf.nn.softmax_cross_entropy_with_logits(targets, logits) * weights
        if teacher is not None:
            opinion = tf.nn.softmax(teacher / TEMPERATURE)
            apart = tf.nn.softmax_cross_entropy_with_logits(opinion, logits / TEMPERATURE)
            found = (1 - TEACHERS_SHARE) * found + TEACHERS_SHARE * TEMPERATURE**2 * apart
        return tf.reduce_mean(found)


def objective(counts: Sequence[int], smoothing: float) -> Objective:
    """For a training set with so many images of each class: rare classes weigh more where the set is uneven."""
    found = np.asarray(counts, np.float64)
    weights = np.ones(len(found))
    if found.max() > _EVEN * found.min():
        weights = np.minimum(found.mean() / found, _LARGEST_WEIGHT)
        weights /= (weights * found).sum() / found.sum()
    return Objective(len(found), smoothing, weights.astype(np.float32))


def mixed(images: Any, targets: Any, alpha: float, generator: np.random.Generator) -> tuple[Any, Any]:
    """The batch mixed with itself turned around (mixup): a share drawn from Beta(alpha, alpha) of each."""
    share = np.float32(generator.beta(alpha, alpha))
    return share * images + (1 - share) * images[::-1], share * targets + (1 - share) * targets[::-1]
