"""The checkpoint that a network's weights came from, as its teacher (Hinton et al. 2015)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from edgeffnet.images import LabelledImage
from edgeffnet.training import frozen
from edgeffnet.training.clock import Clock
from edgeffnet.training.dataset import Dataset
from edgeffnet.training.objective import Objective
from edgeffnet.training.start import Start, begun
from edgeffnet.training.trainee import Teacher


def teacher(
    start: Start, data: Dataset, judges: Sequence[LabelledImage], aim: Objective, seed: int, clock: Clock
) -> Teacher:
    """Logits of `start`'s checkpoint, with a classifier for the data's classes on its frozen features.

    It takes the student's images, resized to its own input.
    """
    import tensorflow as tf

    source = start.checkpoint
    own = begun(source, source.architecture, data.classes, seed)
    found = frozen.fit(own, data.training, judges, aim, seed, clock)
    body, size = frozen.forward(own), own.architecture.resolution

    def logits(images: Any) -> Any:
        if images.shape[1] != size:
            images = tf.image.resize(images, (size, size), "bicubic", antialias=True)
        return tf.linalg.matmul(body(images), found.head.kernel) + found.head.bias

    return logits
