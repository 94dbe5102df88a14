"""Trying the usual mistakes: does a model score better with another preprocessing than with the stated one?

Alternatives are looked at on a few images by the probability they give the true class. The best of each
family is then tried on images that did not choose it, by the classes alone: McNemar's exact test, times
the number of those tried.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from converters.check import Scores
from edgeffnet.audit import alternatives
from edgeffnet.audit.alternatives import Alternative, Family
from edgeffnet.audit.paired import mcnemar
from edgeffnet.audit.scoring import ScoresOf
from edgeffnet.audit.subject import Subject
from edgeffnet.errors import ArtifactError
from edgeffnet.images import LabelledImage, Preprocessing
from edgeffnet.statistics import paired_difference

Indices = NDArray[np.int64]

SIGNIFICANT = 1e-3
# Images on which alternatives are looked at; one that gains more than half its standard error is tried.
_LOOKED_AT = 160
_PROMISING = 0.5
# Images on which one is tried. A clear answer ends a trial; so rare by chance that many looks cost nothing.
_TRIED = 4096
_FIRST_TRIED = 256
_CLEAR = 1e-7
# In share of the images: less than a point is no mistake of anybody's.
_LEAST_GAIN = 0.01
# Below this a wrong answer is just wrong.
_SMALLEST_PROBABILITY = 1e-4


@dataclass(frozen=True)
class Trial:
    """An alternative that scores better than `stated`, over `images` images that did not choose it.

    `worse` of them only the stated one has right, `better` only the other; `p` is McNemar's, times `tests`.
    """

    stated: Preprocessing
    alternative: Alternative
    images: int
    worse: int
    better: int
    p: float
    tests: int

    @property
    def points(self) -> float:
        """Percentage points of top-1 that the mistake costs."""
        return 100 * (self.better - self.worse) / self.images


class Bench:
    """One model on labelled images, run with as many preprocessings on as many of them as is needed."""

    def __init__(
        self, model: Subject, images: Sequence[LabelledImage], labels: NDArray[np.int64], scores: Scores, run: ScoresOf
    ) -> None:
        self.model = model
        self._images = images
        self._labels = labels
        self._run = run
        self._known: dict[Preprocessing, _Answers] = {}
        answers = self._answers(model.preprocessing)
        answers.fill(np.arange(len(images)), scores, labels)

    def _answers(self, preprocessing: Preprocessing) -> _Answers:
        return self._known.setdefault(preprocessing, _Answers(len(self._images)))

    def at(self, preprocessing: Preprocessing, indices: Indices) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
        """Of the images at `indices`: whether the model is right, and the logarithm of the true class's probability."""
        answers = self._answers(preprocessing)
        missing = indices[~answers.done[indices]]
        if len(missing):
            try:
                scores = self._run(self.model, preprocessing, [self._images[index] for index in missing])
            except ArtifactError:  # what the model makes of wrongly prepared images need not be finite
                scores = np.full((len(missing), self.model.classes), -np.inf, np.float32)
            answers.fill(missing, scores, self._labels)
        return answers.right[indices], answers.worth[indices]

    def flips(self, stated: Preprocessing, other: Preprocessing, indices: Indices) -> tuple[int, int]:
        """Images that only `stated` has right, and only `other`."""
        (before, _), (after, _) = self.at(stated, indices), self.at(other, indices)
        return int((before & ~after).sum()), int((~before & after).sum())


class _Answers:
    def __init__(self, count: int) -> None:
        self.done = np.zeros(count, np.bool_)
        self.right = np.zeros(count, np.bool_)
        self.worth = np.zeros(count, np.float64)

    def fill(self, indices: Indices, scores: Scores, labels: NDArray[np.int64]) -> None:
        wanted = labels[indices]
        self.done[indices] = True
        given = scores[np.arange(len(indices)), wanted]
        self.right[indices] = (scores.argmax(axis=1) == wanted) & np.isfinite(given)
        self.worth[indices] = np.maximum(given, np.log(_SMALLEST_PROBABILITY))


def in_order(images: Sequence[LabelledImage]) -> Indices:
    """The images in an order that neither names' sorting nor labels decide: by a hash of the name."""
    hashes = [hashlib.sha256(image.path.name.encode()).hexdigest() for image in images]
    return np.array(sorted(range(len(images)), key=hashes.__getitem__), np.int64)


def mistakes(
    bench: Bench, order: Indices, families: Sequence[Family], known: Sequence[Preprocessing] = ()
) -> list[Trial]:
    """The mistakes in the preprocessing of the bench's model, the costliest first.

    Once one is found, the others are tried with it put right. `known` are other normalisations to try.
    """
    looked_at = order[: min(_LOOKED_AT, len(order) // 4)]
    rest = order[len(looked_at) :][:_TRIED]
    stated, left, found = bench.model.preprocessing, list(families), list[Trial]()
    while left:
        promising = _promising(bench, stated, alternatives.of(stated, left, known), looked_at)
        trials = (_tried(bench, stated, one, rest, len(promising)) for one in promising)
        trial = next((one for one in trials if one is not None), None)
        if trial is None:
            break
        found.append(trial)
        stated = trial.alternative.preprocessing
        left.remove(trial.alternative.family)
    return found


def _promising(
    bench: Bench, stated: Preprocessing, others: Sequence[Alternative], indices: Indices
) -> list[Alternative]:
    """The best of each family that looks better than `stated`, best first."""
    if len(indices) < 2:
        return []
    _, before = bench.at(stated, indices)
    gains = [bench.at(one.preprocessing, indices)[1] - before for one in others]
    best: dict[Family, Alternative] = {}
    for gain, one in sorted(zip(gains, others, strict=True), key=lambda entry: -float(entry[0].mean())):
        error = float(gain.std(ddof=1)) / math.sqrt(len(gain))
        if gain.mean() > _PROMISING * error:
            best.setdefault(one.family, one)
    return list(best.values())


def _tried(bench: Bench, stated: Preprocessing, other: Alternative, indices: Indices, tests: int) -> Trial | None:
    count = min(_FIRST_TRIED, len(indices))
    while count:
        part = indices[:count]
        worse, better = bench.flips(stated, other.preprocessing, part)
        p = min(1.0, tests * mcnemar(worse, better))
        trial = Trial(stated, other, count, worse, better, p, tests)
        gained = paired_difference(better, worse, count)
        last = count == len(indices)
        if gained.value >= _LEAST_GAIN and (p < _CLEAR or (last and p < SIGNIFICANT)):
            return trial
        if last or gained.high < _LEAST_GAIN or (count > _FIRST_TRIED and gained.value <= 0):
            return None
        count = min(2 * count, len(indices))
    return None
