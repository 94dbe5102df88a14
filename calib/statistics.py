"""One pass over the images: extremes per channel and a histogram of every activation.

Images are shared between as many interpreters as there are cores; what each image gives is merged
in the order of the images, so that the result does not depend on which core was faster. Memory
holds one histogram and two channel vectors per tensor, however many images there are.
"""

from __future__ import annotations

import hashlib
import os
import queue
import warnings
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calib import graph, histograms, swish
from calib.errors import CalibrationError
from calib.graph import Array
from calib.histograms import Histogram

# Values of one tensor of one image that enter its histogram; extremes use all values.
SAMPLES = 4096


@dataclass(frozen=True)
class Activation:
    """What one tensor held: extremes per channel, of the whole, averaged over images, and a histogram.

    `weighted` counts each value by the squared slope of the swish at it: errors there are what
    passes the swish. None for tensors no swish reads.
    """

    channel_low: Array
    channel_high: Array
    mean_low: float
    mean_high: float
    histogram: Histogram
    weighted: Histogram | None

    @property
    def low(self) -> float:
        return float(self.channel_low.min())

    @property
    def high(self) -> float:
        return float(self.channel_high.max())


@dataclass(frozen=True)
class Statistics:
    """Every activation by tensor name, over `images` images whose contents hash to `images_sha256`.

    `halves` are those of two disjoint halves of the images; None where one would be empty.
    """

    activations: Mapping[str, Activation]
    images: int
    images_sha256: str
    halves: tuple[Statistics, Statistics] | None = None


def collect(
    model: bytes, batches: Iterable[Array], workers: int | None = None, *, extremes_only: bool = False
) -> Statistics:
    """Statistics of every activation of the float `.tflite` `model` over the images of `batches`.

    The model's batch is one; each batch is float32 (n, h, w, 3), normalised. With `extremes_only` the
    histograms are empty. Raises CalibrationError without images, or naming an activation that is not finite.
    """
    workers = workers or os.cpu_count() or 1
    observers: queue.SimpleQueue[_Observer] = queue.SimpleQueue()
    for _ in range(workers):
        observers.put(_Observer(model, extremes_only))

    def one(image: Array) -> dict[str, Activation]:
        observer = observers.get()
        try:
            return observer.observe(image)
        finally:
            observers.put(observer)

    halves: tuple[dict[str, Activation], ...] = ({}, {})
    hashes: list[str] = []
    with ThreadPoolExecutor(workers) as pool:
        for number, seen in enumerate(_ahead(pool, one, _images(batches, hashes), 2 * workers)):
            _add(halves[int(hashes[number], 16) % 2], seen)
    if not hashes:
        raise CalibrationError("no calibration images")
    whole = dict(halves[0])
    _add(whole, halves[1])
    odd = [hashed for hashed in hashes if int(hashed, 16) % 2]
    even = [hashed for hashed in hashes if not int(hashed, 16) % 2]
    parts = (_finished(halves[0], even), _finished(halves[1], odd)) if even and odd else None
    return replace(_finished(whole, hashes), halves=parts)


def _add(merged: dict[str, Activation], seen: Mapping[str, Activation]) -> None:
    for name, found in seen.items():
        merged[name] = _merge(merged[name], found) if name in merged else found


def _finished(merged: Mapping[str, Activation], hashes: list[str]) -> Statistics:
    averaged = {name: _averaged(found, len(hashes)) for name, found in merged.items()}
    digest = hashlib.sha256("".join(sorted(hashes)).encode()).hexdigest()
    return Statistics(averaged, len(hashes), digest)


def _images(batches: Iterable[Array], hashes: list[str]) -> Iterator[Array]:
    for batch in batches:
        for image in batch:
            hashes.append(hashlib.sha256(np.ascontiguousarray(image).tobytes()).hexdigest())
            yield image


def _ahead(pool: ThreadPoolExecutor, function: Any, items: Iterator[Array], depth: int) -> Iterator[Any]:
    """map() that keeps at most `depth` items in flight, so that images are not all in memory."""
    pending: list[Future[Any]] = []
    for item in items:
        pending.append(pool.submit(function, item))
        if len(pending) >= depth:
            yield pending.pop(0).result()
    for future in pending:
        yield future.result()


class _Observer:
    """One interpreter and the tensors it watches."""

    def __init__(self, model: bytes, extremes_only: bool) -> None:
        from ai_edge_litert.interpreter import Interpreter

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # preserving all tensors is what we want here
            self.interpreter = Interpreter(model_content=model, experimental_preserve_all_tensors=True, num_threads=1)
        self.interpreter.allocate_tensors()
        self.extremes_only = extremes_only
        read = graph.read(model)
        main = read.subgraphs[0]
        self.entry = int(main.inputs[0])
        self.names = {self.entry: graph.tensor_name(main.tensors[self.entry])}
        for operator in main.operators:
            self.names[int(operator.outputs[0])] = graph.tensor_name(main.tensors[operator.outputs[0]])
        self.sigmoids = {found.source: found.sigmoid_input for found in swish.swishes(read)}
        self.restored = {found.sigmoid_input for found in swish.swishes(read) if found.rewritten}

    def observe(self, image: Array) -> dict[str, Activation]:
        self.interpreter.set_tensor(self.entry, image[None])
        self.interpreter.invoke()
        return {name: self._activation(index, name) for index, name in self.names.items()}

    def _values(self, index: int) -> Array:
        values = self.interpreter.tensor(index)()  # a view: nothing outlives the image
        return np.asarray(values.reshape(-1, values.shape[-1]))

    def _activation(self, index: int, name: str) -> Activation:
        values = self._values(index)
        low, high = _extremes(values)
        if not (np.isfinite(low).all() and np.isfinite(high).all()):
            raise CalibrationError(
                f"activation {name} is not finite on the calibration images: are the weights damaged?"
            )
        if self.extremes_only:
            return Activation(low, high, float(low.min()), float(high.max()), histograms.EMPTY, None)
        # An odd stride visits all columns of the map in turn.
        stride = -(-values.size // SAMPLES) | 1
        sample = values[::stride]
        weighted = None
        if index in self.sigmoids:
            entry = sample if self.sigmoids[index] == index else self._values(self.sigmoids[index])[::stride]
            weighted = histograms.of(sample, _slope(entry))
        elif index in self.restored:
            weighted = histograms.of(sample, _sigmoid_share(sample))
        return Activation(low, high, float(low.min()), float(high.max()), histograms.of(sample), weighted)


def _extremes(values: Array) -> tuple[Array, Array]:
    """Minimum and maximum of each column; numpy is slow over short rows, so rows are taken together."""
    rows, columns = values.shape
    together = 1
    while rows % (2 * together) == 0 and columns * together < 1024:
        together *= 2
    wide = values.reshape(-1, columns * together)
    low, high = (found.reshape(together, columns) for found in (wide.min(axis=0), wide.max(axis=0)))
    return low.min(axis=0), high.max(axis=0)


def _sigmoid(x: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-np.clip(x, -30, 30))))


def _slope(x: Array) -> NDArray[np.int64]:
    """The squared derivative of x sigmoid(x), in 1/200: whole numbers add up the same in any order."""
    s = _sigmoid(x)
    return np.asarray(np.rint(200 * (s + x * s * (1 - s)) ** 2), np.int64)


def _sigmoid_share(x: Array) -> NDArray[np.int64]:
    """The same of the part that passes through the sigmoid alone: (x sigmoid'(x)) squared."""
    s = _sigmoid(x)
    return np.asarray(np.rint(4000 * (x * s * (1 - s)) ** 2), np.int64)


def _merge(one: Activation, other: Activation) -> Activation:
    weighted = None
    if one.weighted is not None and other.weighted is not None:
        weighted = histograms.merge(one.weighted, other.weighted)
    return Activation(
        np.minimum(one.channel_low, other.channel_low),
        np.maximum(one.channel_high, other.channel_high),
        one.mean_low + other.mean_low,
        one.mean_high + other.mean_high,
        histograms.merge(one.histogram, other.histogram),
        weighted,
    )


def _averaged(found: Activation, images: int) -> Activation:
    return Activation(
        found.channel_low,
        found.channel_high,
        found.mean_low / images,
        found.mean_high / images,
        found.histogram,
        found.weighted,
    )
