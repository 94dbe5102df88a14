"""Networks and checkpoints for the tests of weights."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from PIL import Image

from edgeffnet import network, scaling
from edgeffnet.images import Preprocessing
from edgeffnet.weights import untrained


def lively_tensors(architecture, seed=0):
    """Random weights whose batch-norms do something: importers that mix up their tensors show."""
    generator = np.random.default_rng(seed)
    tensors = untrained.draw(architecture, seed)
    ranges = {
        "gamma": (0.8, 1.2),
        "beta": (-0.2, 0.2),
        "moving_mean": (-0.2, 0.2),
        "moving_variance": (0.7, 1.4),
        "bias": (-0.1, 0.1),
    }
    for name, tensor in tensors.items():
        kind = name.split("/")[1]
        if kind in ranges:
            tensors[name] = generator.uniform(*ranges[kind], tensor.shape).astype(np.float32)
    return tensors


def outputs(weights, pixels):
    """Logits of our network for uint8 pixels, by the preprocessing that came with the weights."""
    model = network.build(weights.architecture, batch=None)
    network.assign(model, weights.tensors)
    resized = np.stack([weights.preprocessing.pixels(Image.fromarray(image)) for image in pixels])
    return np.asarray(model(weights.preprocessing.normalise(resized), training=False))


def whole_image(resolution, mean=0.0, std=1.0):
    return Preprocessing(resolution, 1.0, "bicubic", (mean,) * 3, (std,) * 3)


def small(name="b0", classes=10, resolution=64):
    return replace(scaling.official(name, classes), resolution=resolution)
