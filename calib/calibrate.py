"""The one way in: a float `.tflite`, images and a recipe -> the model and ranges to quantize."""

from __future__ import annotations

import hashlib
import heapq
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from calib import (
    channels,
    choice,
    convergence,
    equalization,
    graph,
    narrowing,
    recipes,
    reconstruction,
    selection,
    statistics,
    swish,
)
from calib.calibration import Calibration, Range
from calib.convergence import Convergence
from calib.errors import CalibrationError
from calib.graph import Array
from calib.recipes import Factors, Narrow, Ranges, Recipe

# Images on which the noise of each swish is simulated.
_SELECTION_IMAGES = 16

Images = Callable[[], Iterable[Array]]


@dataclass(frozen=True)
class Done:
    """A step that was taken: what it did, in words and figures, and the seconds it took."""

    step: str
    detail: str
    seconds: float


@dataclass(frozen=True)
class Calibrated:
    """A float `.tflite` of the same function, fit for 8 bits, and the ranges of its activations.

    `unrounded` is that model before its weights were put on their grids: the same tensors, the same
    places. `convergence` says whether more images would still move the ranges.
    """

    model: bytes
    calibration: Calibration
    steps: tuple[Done, ...]
    unrounded: bytes
    convergence: Convergence | None


def calibrate(
    model: bytes,
    images: Images,
    recipe: str | Recipe = "default",
    *,
    source: str,
    input_range: Range | None = None,
    seed: int = 0,
    threads: int | None = None,
    in_float: frozenset[str] = frozenset(),
    granularity: Literal["channel", "tensor"] = "channel",
    on_unrounded: Callable[[bytes], object] = lambda _: None,
) -> Calibrated:
    """Takes `recipe`'s steps on `model`, a float `.tflite` with a static batch of one.

    `images()` yields float32 batches (n, h, w, 3) of normalised images, the same at every call; their
    order does not matter. `input_range` is what the input's grid spans (that of the images unless
    given); `source` says where they come from. Operators that write the tensors named `in_float` will
    stay in float (`calib.mixed`), and are calibrated as such; with `granularity` "tensor" weights are
    rounded to one step a kernel. `on_unrounded` hears `Calibrated.unrounded` as soon as it is there, if
    weights are to be rounded after that. Raises CalibrationError for an unknown recipe, no images, or a
    model that is not finite on them.
    """
    taken = recipes.named(recipe) if isinstance(recipe, str) else recipe
    work = _Work(graph.read(model), images, input_range, seed, threads, in_float, granularity == "tensor")
    done = []
    unrounded = None
    for step in taken.steps:
        start = time.perf_counter()
        if isinstance(step, recipes.Reconstruct) and unrounded is None:
            unrounded = graph.write(work.model)
            on_unrounded(unrounded)
        detail = work.take(step)
        done.append(Done(type(step).__name__, detail, time.perf_counter() - start))
    graph.prune(work.model)
    calibration = Calibration(
        ranges=work.ranges,
        method=f"recipe {taken.name}",
        images=work.seen.images,
        source=source,
        images_sha256=work.seen.images_sha256,
    )
    made = graph.write(work.model)
    return Calibrated(made, calibration, tuple(done), unrounded or made, work.convergence)


@dataclass(frozen=True)
class Settled:
    """A float `.tflite` and the step of each row of each layer's weights, (rows, 1), in the network's order."""

    model: bytes
    steps: tuple[NDArray[np.float64], ...]


def settled(made: Calibrated, granularity: Literal["channel", "tensor"] = "channel") -> Settled | None:
    """`made.model` with the steps of its weights; None where the recipe settled none."""
    if made.model == made.unrounded:
        return None
    steps = reconstruction.row_steps(graph.read(made.model), per_tensor=granularity == "tensor")
    return Settled(made.model, tuple(steps))


def settled_for_saturation(
    made: Calibrated,
    images: Images,
    recipe: str | Recipe = "default",
    *,
    seed: int = 0,
    threads: int | None = None,
    granularity: Literal["channel", "tensor"] = "channel",
) -> Settled | None:
    """`made.model` with its weights settled on the grids of `calib.saturation` instead, for the same ranges.

    The other arguments are those `made` came from. None where the recipe settles none.
    """
    if made.model == made.unrounded:
        return None
    taken = recipes.named(recipe) if isinstance(recipe, str) else recipe
    per_tensor = granularity == "tensor"
    work = _Work(graph.read(made.unrounded), images, None, seed, threads, frozenset(), per_tensor, saturating=True)
    work.ranges = dict(made.calibration.ranges)
    for step in taken.steps:
        if isinstance(step, recipes.Reconstruct):
            work.take(step)
    graph.prune(work.model)
    return Settled(graph.write(work.model), work.steps)


class _Work:
    """The model between steps; statistics are taken again when a step has changed it."""

    def __init__(
        self,
        model: Any,
        images: Images,
        input_range: Range | None,
        seed: int,
        threads: int | None,
        in_float: frozenset[str],
        per_tensor: bool,
        saturating: bool = False,
    ) -> None:
        self.model = model
        self.images = images
        self.input_range = input_range
        self.seed = seed
        self.threads = threads
        self.in_float = in_float
        self.per_tensor = per_tensor
        self.saturating = saturating
        self.ranges: dict[str, Range] = {}
        self.steps: tuple[NDArray[np.float64], ...] = ()
        self.convergence: Convergence | None = None
        self._seen: statistics.Statistics | None = None

    @property
    def seen(self) -> statistics.Statistics:
        if self._seen is None:
            self._seen = statistics.collect(graph.write(self.model), self.images(), self.threads)
        return self._seen

    def take(self, step: recipes.Step) -> str:
        if isinstance(step, Factors):
            return self._factors(step)
        if isinstance(step, Ranges):
            self.ranges = choice.choose(self.model, self.seen, step.method)
            self.convergence = convergence.of(self.model, self.seen, step.method)
            if self.input_range is not None:
                main = self.model.subgraphs[0]
                self.ranges[graph.tensor_name(main.tensors[main.inputs[0]])] = self.input_range
            return f"{len(self.ranges)} ranges by {step.method} over {self.seen.images} images"
        if isinstance(step, Narrow):
            return self._narrow(step)
        return self._reconstruct(step)

    def _factors(self, step: Factors) -> str:
        if not any(not group.bounded for group in channels.groups(self.model)):
            return "no channels are free to be rescaled"
        if swish.swishes(self.model):
            looked_at = _subset(self.images(), _SELECTION_IMAGES, self.seed)
            rows = selection.candidates(self.model, self.seen, step.strength, looked_at)
            restored = selection.within(rows, self.model, step.share)
            swish.add_restoring(self.model, restored)
            extremes = self.seen
        else:
            rows, restored = [], frozenset()
            extremes = statistics.collect(graph.write(self.model), self.images(), self.threads, extremes_only=True)
        touched = equalization.equalize(self.model, extremes, step.strength)
        self._seen = None
        return f"factors around {len(restored)} of {len(rows)} swishes; {len(touched)} tensors rescaled"

    def _narrow(self, step: Narrow) -> str:
        chosen = _subset(self.images(), step.images, self.seed)
        before, self.ranges = self.ranges, narrowing.narrow(self.model, self.ranges, chosen, step.shares)
        moved = sum(found != before[name] for name, found in self.ranges.items())
        return f"{moved} ranges narrowed on {len(chosen)} images"

    def _reconstruct(self, step: recipes.Reconstruct) -> str:
        if not self.ranges:
            raise CalibrationError("a recipe must choose ranges before it reconstructs layers")
        chosen = _subset(self.images(), step.images, self.seed)
        how = replace(step.how, per_tensor=self.per_tensor, saturating=self.saturating)
        changes = reconstruction.reconstruct(
            self.model, self.ranges, chosen, how, self.seed, self.threads or 1, self.in_float
        )
        self.steps = tuple(change.step for change in changes)
        worst = min(changes, key=lambda change: change.after)
        gain = float(np.mean([change.after - change.before for change in changes]))
        return (
            f"{len(changes)} layers on {len(chosen)} images: {gain:+.1f} dB each on average, "
            f"least at {worst.layer} with {worst.after:.1f} dB"
        )


def _subset(batches: Iterable[Array], count: int, seed: int) -> Array:
    """`count` images, the same whatever the order of all: those whose seeded hash is least."""
    kept: list[tuple[int, int, Array]] = []
    for number, image in enumerate(image for batch in batches for image in batch):
        hashed = hashlib.sha256(seed.to_bytes(8, "little", signed=True) + np.ascontiguousarray(image).tobytes())
        key = -int.from_bytes(hashed.digest()[:8], "big")
        if len(kept) < count:
            heapq.heappush(kept, (key, number, image))
        elif key > kept[0][0]:
            heapq.heapreplace(kept, (key, number, image))
    return np.stack([image for _, _, image in sorted(kept, key=lambda entry: -entry[0])])
