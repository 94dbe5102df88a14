"""Batch-norm statistics of a network that others' weights were put into, taken anew from the user's images."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from edgeffnet import network
from edgeffnet.training.pipeline import Shuffled
from edgeffnet.training.start import Start

_BATCHES = 12
_STATISTICS = ("moving_mean", "moving_variance")


def recalibrated(start: Start, images: Shuffled) -> Start:
    """`start` with the mean and variance of every batch-norm averaged over some batches of training images."""
    import tensorflow as tf

    model = network.build(start.architecture, batch=None)
    network.assign(model, start.tensors)
    for layer in model.layers:
        if type(layer).__name__ == "BatchNormalization":
            layer.momentum = 0.0  # what is kept is then what this batch has
    step = tf.function(lambda batch: model(batch, training=True), reduce_retracing=True)
    found: list[dict[str, NDArray[np.float32]]] = []
    for batch, _ in images.epoch(0).take(_BATCHES):
        step(batch)
        seen = network.extract(model)
        found.append({name: value for name, value in seen.items() if name.endswith(_STATISTICS)})
    means = {name: np.asarray(np.mean([one[name] for one in found], axis=0), np.float32) for name in found[0]}
    return replace(start, tensors={**start.tensors, **means})
