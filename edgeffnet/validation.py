"""Scores and accuracy of artefacts, as a target computes them."""

from __future__ import annotations

import base64
import binascii
import hashlib
import tempfile
import threading
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converters.artifact import Artifact
from converters.check import difference, log_probabilities
from edgeffnet.errors import TargetError, TargetLostError
from edgeffnet.images import Preprocessing
from edgeffnet.statistics import Interval, paired_difference, share
from edgeffnet.targets.target import Progress, Target
from edgeffnet.validation_images import ValidationImages

Scores = NDArray[np.float32]

# Images travel in shards of this many, and so many shards are done with one loading of a model.
SHARD_IMAGES = 64
_SHARDS_AT_ONCE = 8
_ATTEMPTS = 3

_INTERPRETERS = {
    "tflite": ("ai_edge_litert.interpreter", "tflite_runtime.interpreter", "tensorflow"),
    "openvino": ("openvino",),
    "onnx": ("onnxruntime",),
}


@dataclass(frozen=True)
class Accuracy:
    """An artefact's predictions beside those of the fp32 reference, over the same images.

    `top1`, `top5`, `drop` (percentage points, paired) are None for unlabelled images. A tie counts
    for the lower class index, as argmax does; `ties` counts images whose top score is shared.
    Agreement is equal top-1. `snr_db` is the signal-to-noise ratio of the logits.
    """

    images: int
    source: str
    top1: Interval | None
    top5: Interval | None
    drop: Interval | None
    agreement: Interval
    snr_db: float
    largest_probability_error: float
    ties: int

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Comparison:
    """A target's scores beside this machine's for the same artefact and images.

    `differing` images have another top-1 there; `identical` ones the same bits in every score.
    `largest_difference` is between scores as the artefact gives them.
    """

    images: int
    differing: int
    identical: int
    largest_difference: float

    @property
    def bit_equal(self) -> bool:
        return self.identical == self.images

    def said(self) -> str:
        """In words."""
        scores = "bit-equal to this machine's" if self.bit_equal else f"bit-equal on {self.identical}"
        apart = "" if self.bit_equal else f", {self.largest_difference:g} apart at most"
        return f"{self.differing} of {self.images} predictions differ from this machine's; scores {scores}{apart}"

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "bit_equal": self.bit_equal}


def compare(here: Scores, there: Scores) -> Comparison:
    """The scores (n, classes) of one artefact on two machines, image by image."""
    same = (here.view(np.uint32) == there.view(np.uint32)).all(axis=1)
    return Comparison(
        images=len(here),
        differing=int((here.argmax(axis=1) != there.argmax(axis=1)).sum()),
        identical=int(same.sum()),
        largest_difference=float(np.abs(here - there).max(initial=0.0)),
    )


def missing_runtimes(artifacts: Sequence[Artifact], target: Target) -> dict[Artifact, str]:
    """The artefacts that cannot run on `target`, each with the reason; their runtimes are imported there to see."""
    reasons = {form: _why_not(form, target) for form in dict.fromkeys(artifact.format for artifact in artifacts)}
    return {artifact: reason for artifact in artifacts if (reason := reasons[artifact.format])}


def _why_not(form: str, target: Target) -> str | None:
    reasons = []
    for module in _INTERPRETERS[form]:
        try:
            target.run([{"do": "probe", "module": "numpy"}, {"do": "probe", "module": module}], timeout=120)
            return None
        except TargetLostError:
            raise
        except TargetError as error:
            reasons.append(str(error).removeprefix(f"{target.name}: "))
    # The first is the one to install; one that is there and crashes says more than one that is not.
    return next((reason for reason in reasons if "crashed" in reason), reasons[0])


def predictions(
    artifacts: Sequence[Artifact],
    target: Target,
    preprocessing: Preprocessing,
    pixels: NDArray[np.uint8],
    *,
    threads: int | None,
    progress: Progress | None = None,
) -> dict[Artifact, Scores]:
    """Log-probabilities float32 (n, classes) of each artefact over `pixels`, run on `target`."""
    made = raw_scores(artifacts, [target], preprocessing, pixels, threads=threads, progress=progress)
    return {artifact: log_probabilities(scores, artifact.output) for artifact, scores in made.items()}


def raw_scores(
    artifacts: Sequence[Artifact],
    targets: Sequence[Target],
    preprocessing: Preprocessing,
    pixels: NDArray[np.uint8],
    *,
    threads: int | None,
    progress: Progress | None = None,
) -> dict[Artifact, Scores]:
    """Scores float32 (n, classes) of each artefact over `pixels` as it gives them; `targets` share the images.

    A lost link is taken up again where it broke. Raises TargetError when that fails too.
    """
    with shards(pixels) as files:
        made = scores_of_shards(artifacts, targets, preprocessing, files, threads=threads, progress=progress)
    for scores in made.values():
        if len(scores) != len(pixels):
            raise TargetError(f"{targets[0].name} returned {scores.shape} scores for {len(pixels)} images")
    return made


def scores_of_shards(
    artifacts: Sequence[Artifact],
    targets: Sequence[Target],
    preprocessing: Preprocessing,
    files: Sequence[Path],
    *,
    threads: int | None,
    progress: Progress | None = None,
) -> dict[Artifact, Scores]:
    """As `raw_scores`, over images that are in `shards` already."""
    size = min(_SHARDS_AT_ONCE, -(-len(files) // len(targets)))
    groups = [files[start : start + size] for start in range(0, len(files), size)]
    work = _Work([(artifact, group) for artifact in artifacts for group in groups])

    def serve(target: Target) -> None:
        while (job := work.next()) is not None:
            artifact, group = job
            work.done[job[0], job[1][0]] = _scores_of(
                artifact, target, preprocessing, group, threads, work.stopped, progress
            )

    if len(targets) == 1:
        serve(targets[0])
    else:
        with ThreadPoolExecutor(len(targets)) as pool:
            try:
                for future in [pool.submit(serve, target) for target in targets]:
                    future.result()
            except BaseException:
                work.stopped.set()
                for target in targets:
                    target.close()
                raise
    return {artifact: np.concatenate([work.done[artifact, group[0]] for group in groups]) for artifact in artifacts}


class _Work:
    """Groups of shards to be done, handed out to whoever is free."""

    def __init__(self, jobs: Sequence[tuple[Artifact, Sequence[Path]]]) -> None:
        self._jobs = list(reversed(jobs))
        self._lock = threading.Lock()
        self.stopped = threading.Event()
        self.done: dict[tuple[Artifact, Path], Scores] = {}

    def next(self) -> tuple[Artifact, Sequence[Path]] | None:
        with self._lock:
            return self._jobs.pop() if self._jobs and not self.stopped.is_set() else None


def _scores_of(
    artifact: Artifact,
    target: Target,
    preprocessing: Preprocessing,
    shards: Sequence[Path],
    threads: int | None,
    stopped: threading.Event,
    progress: Progress | None,
) -> Scores:
    inputs = [Input(artifact, preprocessing, shard) for shard in shards]
    return np.concatenate(scores_of_inputs(inputs, target, threads=threads, stopped=stopped, progress=progress))


@dataclass(frozen=True)
class Input:
    """A shard of images, and the artefact that is to run over it."""

    artifact: Artifact
    preprocessing: Preprocessing
    file: Path


def scores_of_inputs(
    inputs: Sequence[Input],
    target: Target,
    *,
    threads: int | None,
    stopped: threading.Event,
    progress: Progress | None = None,
) -> list[Scores]:
    """Scores float32 (n, classes) of each input as its artefact gives them, all from one process on `target`.

    A lost link is taken up again where it broke, unless `stopped` is set. Raises TargetError when that fails too.
    """
    names: dict[Artifact, str] = {}
    for artifact in dict.fromkeys(one.artifact for one in inputs):
        taken = artifact.name in names.values()
        names[artifact] = f"{artifact.name} {len(names) + 1}" if taken else artifact.name
    made: list[Scores] = []
    attempt = 0
    while len(made) < len(inputs):
        left = inputs[len(made) :]
        before: list[dict[str, Any]] = [{"do": "cores", "threads": threads}]
        try:
            before += [load_request(target, one, names[one]) for one in dict.fromkeys(one.artifact for one in left)]
            requests = [
                {
                    "do": "predict",
                    "name": names[one.artifact],
                    "inputs": target.push(one.file),
                    "mean": one.preprocessing.mean,
                    "std": one.preprocessing.std,
                }
                for one in left
            ]
            answers = target.run([*before, *requests], timeout=120 + 3.0 * SHARD_IMAGES * len(left), progress=progress)
        except TargetLostError as error:
            answers = error.results
            attempt += 1
            if attempt == _ATTEMPTS or stopped.is_set():
                raise
            time.sleep(2.0**attempt)
        made += [_decoded(target.name, answer) for answer in answers[len(before) :]]
    return made


def _decoded(name: str, answer: Mapping[str, Any]) -> Scores:
    try:
        shape = [int(size) for size in answer["shape"]]
        data = zlib.decompress(base64.b64decode(answer["scores"], validate=True))
        if hashlib.sha256(data).hexdigest() != answer["sha256"]:
            raise ValueError("their hash differs")
        return np.frombuffer(data, "<f4").astype(np.float32).reshape(shape[0], -1)
    except (KeyError, TypeError, ValueError, IndexError, zlib.error, binascii.Error) as error:
        raise TargetError(f"{name}: scores arrived corrupt ({error})") from None


def accuracy(reference: Scores, scores: Scores, images: ValidationImages) -> Accuracy:
    """How `scores` (log-probabilities) fare on `images`, beside the fp32 `reference`'s."""
    n = len(scores)
    found = difference(reference, scores)
    mine, theirs = scores.argmax(axis=1), reference.argmax(axis=1)
    top1 = top5 = drop = None
    if images.labels is not None:
        right, reference_right = mine == images.labels, theirs == images.labels
        top1 = share(int(right.sum()), n)
        top5 = share(int((_top(scores, 5) == images.labels[:, None]).any(axis=1).sum()), n)
        lost, gained = int((reference_right & ~right).sum()), int((~reference_right & right).sum())
        difference_ = paired_difference(lost, gained, n)
        drop = Interval(100 * difference_.value, 100 * difference_.low, 100 * difference_.high)
    return Accuracy(
        images=n,
        source=images.source,
        top1=top1,
        top5=top5,
        drop=drop,
        agreement=share(int((mine == theirs).sum()), n),
        snr_db=found.snr_db,
        largest_probability_error=found.probability,
        ties=int(((scores == scores.max(axis=1, keepdims=True)).sum(axis=1) > 1).sum()),
    )


def _top(scores: Scores, k: int) -> NDArray[np.int64]:
    """The k best classes of each row, best first; ties go to the lower index."""
    return np.argsort(-scores, axis=1, kind="stable")[:, :k]


def load_request(target: Target, artifact: Artifact, name: str) -> dict[str, Any]:
    """The request that loads an artefact as `name`, its files pushed."""
    path = target.push(artifact.path, *artifact.companions)
    return {"do": "load", "name": name, "path": path, "format": artifact.format}


@contextmanager
def shards(pixels: NDArray[np.uint8]) -> Iterator[list[Path]]:
    """The images as compressed files, for as long as the block lasts; the same images make the same bytes."""
    with tempfile.TemporaryDirectory(prefix="edgeffnet-") as folder:
        files = []
        for start in range(0, len(pixels), SHARD_IMAGES):
            files.append(Path(folder) / f"{start}.npz")
            np.savez_compressed(files[-1], pixels=pixels[start : start + SHARD_IMAGES])
        yield files
