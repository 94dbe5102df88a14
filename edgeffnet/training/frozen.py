"""The first part of transfer: features of the frozen network, and the classifier that is fitted to them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgeffnet import network
from edgeffnet.images import LabelledImage
from edgeffnet.training import features, head, split
from edgeffnet.training.clock import Clock
from edgeffnet.training.features import Extractor
from edgeffnet.training.head import Head
from edgeffnet.training.metrics import Row
from edgeffnet.training.objective import Objective
from edgeffnet.training.pipeline import Ordered
from edgeffnet.training.start import Start

Progress = Callable[[int, int, str], None]

# Of the time that is left, features may take so much; mirrored images are looked at too where it is less.
_MOST_OF_TIME, _CHEAP = 0.3, 0.15
_TIMED = 64
# For the fit, however late it is: without it there is nothing to use.
_LEAST_SECONDS = 30.0
# Training images on which the classifier is judged: enough to see whether it has learned them.
_JUDGED = 2000


@dataclass(frozen=True)
class Frozen:
    """The fitted classifier, what it came to, and the seconds that one image takes through the network."""

    head: Head
    row: Row
    seconds_per_image: float


def fit(
    start: Start,
    training: Sequence[LabelledImage],
    validation: Sequence[LabelledImage],
    objective: Objective,
    seed: int,
    clock: Clock,
    progress: Progress = lambda *_: None,
) -> Frozen:
    """The classifier of `start`'s features: of all training images, or of as many as the clock has time for."""
    began = time.monotonic()
    extractor = Extractor(forward(start), start.preprocessing, start.digest(), features.cache_folder())
    each = _seconds_per_image(extractor, training)
    chosen, views = _affordable(training, len(validation), each, clock, seed)
    total = len(chosen) * views + len(validation)

    def extracted(images: Sequence[LabelledImage], before: int, *, mirrored: bool = False) -> features.Features:
        return extractor.features(
            images, mirrored=mirrored, progress=lambda done: progress(before + done, total, "features")
        )

    ours = [extracted(chosen, view * len(chosen), mirrored=bool(view)) for view in range(views)]
    labels = np.array([image.label or 0 for image in chosen], np.int64)
    judging = np.array([image.label or 0 for image in validation], np.int64)
    theirs = extracted(validation, views * len(chosen))
    limit = max(_LEAST_SECONDS, _MOST_OF_TIME * clock.left())
    fitted = head.fit(np.concatenate(ours), np.tile(labels, views), objective, seed, (theirs, judging), limit)
    some = np.linspace(0, len(labels) - 1, min(_JUDGED, len(labels))).astype(np.intp)
    known = head.judged(fitted.logits(ours[0][some]), labels[some])
    seen = head.judged(fitted.logits(theirs), judging)
    seconds = time.monotonic() - began
    row = Row(0, seconds, total / seconds, 0.0, known.loss, known.top1, seen.loss, seen.top1, best=True)
    return Frozen(fitted, row, each)


def forward(start: Start) -> Callable[[Any], Any]:
    """float32 images (n, h, w, 3) -> what reaches the classifier of `start`'s network, (n, head channels)."""
    import keras
    import tensorflow as tf

    model = network.build(start.architecture, folded=True, batch=None)
    network.assign(model, network.fold(start.architecture, start.tensors))
    body = keras.Model(model.inputs, model.get_layer("avg_pool").output)
    made: Callable[[Any], Any] = tf.function(lambda images: body(images, training=False), reduce_retracing=True)
    return made


def _seconds_per_image(extractor: Extractor, images: Sequence[LabelledImage]) -> float:
    """Timed on a batch, after one that also made the graph."""
    batches = list(Ordered(images[:_TIMED], extractor.preprocessing).batches())
    count = sum(len(np.asarray(extractor.forward(batch))) for batch in batches)
    start = time.monotonic()
    for batch in batches:
        np.asarray(extractor.forward(batch))
    return (time.monotonic() - start) / count


def _affordable(
    images: Sequence[LabelledImage], validation: int, each: float, clock: Clock, seed: int
) -> tuple[Sequence[LabelledImage], int]:
    """The images to look at, and at how many views of each."""
    left = clock.left()
    if (2 * len(images) + validation) * each <= _CHEAP * left:
        return images, 2
    fit = int(_MOST_OF_TIME * left / each) - validation
    return split.sample(images, max(fit, 1), seed), 1
