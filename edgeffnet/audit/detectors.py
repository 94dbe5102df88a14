"""What is wrong with two models' accuracy besides int8: faults found and named, and nothing said of healthy ones.

A detector speaks only where McNemar's exact test, corrected for what was tried, leaves p < .001.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from converters.check import Scores
from edgeffnet.audit import contract, dead_classes, label_order, tflite_metadata, trials
from edgeffnet.audit.alternatives import FAMILIES, Family
from edgeffnet.audit.finding import Finding
from edgeffnet.audit.paired import mcnemar
from edgeffnet.audit.scoring import ScoresOf
from edgeffnet.audit.subject import Subject
from edgeffnet.audit.trials import Bench, Indices, Trial
from edgeffnet.images import LabelledImage, Preprocessing

# Images on which the other model is asked whether it has the same mistake.
_ASKED = 512


def findings(
    subject: Subject,
    reference: Subject,
    images: Sequence[LabelledImage],
    scores_of: ScoresOf,
    reference_scores: Scores,
    subject_scores: Scores,
    *,
    names: Sequence[str] | None = None,
) -> list[Finding]:
    """What is wrong with the contract, the labels' order, the classes and the preprocessing of two models.

    Both scores are log-probabilities (n, classes) of `images`, in order; `scores_of` runs a model with
    another preprocessing over some of them. `names` are the classes'. Raises what `scores_of` raises.
    """
    found = [*contract.findings(subject, "int8"), *contract.findings(reference, "reference")]
    mine, theirs = subject_scores.argmax(axis=1), reference_scores.argmax(axis=1)
    labels = _labels(images)
    if labels is None:
        said = "images without labels do not show mistakes of preprocessing or in the order of labels: not looked for"
        untried = Finding("mistakes-not-sought", "note", said, {"images": len(images)})
        return [*found, *_of_classes(reference_scores, subject_scores, None, names, mine, theirs), untried]
    misordered = label_order.findings({"int8": mine, "reference": theirs}, labels)
    if misordered:
        said = "mistakes of preprocessing are looked for only once the labels are in order"
        return [*found, *misordered, Finding("mistakes-not-sought", "note", said, {"images": len(images)})]
    ours = Bench(subject, images, labels, subject_scores, scores_of)
    other = Bench(reference, images, labels, reference_scores, scores_of)
    mistakes = _of_preprocessing(ours, other, trials.in_order(images))
    if mistakes:
        # Images that are fed wrongly make classes and grids look wrong as well.
        return [*(one for one in found if one.name != "input-range"), *mistakes]
    return found + _of_classes(reference_scores, subject_scores, labels, names, mine, theirs)


def _of_classes(
    reference: Scores,
    int8: Scores,
    labels: NDArray[np.int64] | None,
    names: Sequence[str] | None,
    mine: NDArray[np.intp],
    theirs: NDArray[np.intp],
) -> list[Finding]:
    misordered = label_order.between(mine, theirs)
    return misordered or dead_classes.findings(reference, int8, labels, names)


def _labels(images: Sequence[LabelledImage]) -> NDArray[np.int64] | None:
    known = [image.label for image in images if image.label is not None]
    return np.array(known, np.int64) if known and len(known) == len(images) else None


def _of_preprocessing(int8: Bench, reference: Bench, order: Indices) -> list[Finding]:
    """Mistakes that either model shows: int8 is tried, the reference where it does worse or where int8 cannot tell."""
    found: dict[str, Finding] = {}
    worse = _worse(reference, int8, order)
    for bench, other in ((int8, reference), (reference, int8)):
        families: Sequence[Family] = FAMILIES
        if bench is reference and not worse:
            families = () if int8.model.artifact.input == "float32" else ("normalisation",)
        for trial in trials.mistakes(bench, order, families, _known(bench.model, other.model)):
            if trial.alternative.mistake not in found:
                found[trial.alternative.mistake] = _finding(trial, bench, other, order)
    return list(found.values())


def _known(model: Subject, other: Subject) -> list[Preprocessing]:
    """Other normalisations that somebody states."""
    tflite = model.artifact.format == "tflite"
    written = tflite_metadata.stated(model.artifact.path, model.preprocessing) if tflite else None
    return [other.preprocessing, *([written] if written else [])]


def _worse(first: Bench, second: Bench, order: Indices) -> bool:
    """Whether `first` has significantly fewer images right than `second`, each as stated."""
    (mine, _), (theirs, _) = (one.at(one.model.preprocessing, order) for one in (first, second))
    lost, gained = int((~mine & theirs).sum()), int((mine & ~theirs).sum())
    return lost > gained and mcnemar(lost, gained) < trials.SIGNIFICANT


def _finding(trial: Trial, bench: Bench, other: Bench, order: Indices) -> Finding:
    which, second = ("int8", "reference") if bench.model.artifact.precision == "int8" else ("reference", "int8")
    shared, told = _whose(trial, other, order, which, second)
    said = (
        f"{trial.alternative.said}: {trial.points:.1f} points better in {which} on {trial.images} images "
        f"(McNemar p = {trial.p:.1g}, corrected for {trial.tests} tries); {told}"
    )
    evidence = {
        "models": [which, second] if shared else [which],
        "better_preprocessing": trial.alternative.preprocessing.to_dict(),
        "points": trial.points,
        "images": trial.images,
        "worse": trial.worse,
        "better": trial.better,
        "p": trial.p,
        "tests": trial.tests,
    }
    return Finding(trial.alternative.mistake, "fault", said, evidence)


def _whose(trial: Trial, other: Bench, order: Indices, which: str, second: str) -> tuple[bool, str]:
    """Whether the other model has the mistake too, and whose it is, in words."""
    size = other.model.preprocessing.resolution
    stated, better_one = (replace(one, resolution=size) for one in (trial.stated, trial.alternative.preprocessing))
    asked = order[len(order) // 4 :][:_ASKED]
    worse, better = other.flips(stated, better_one, asked)
    if better > worse and mcnemar(worse, better) < trials.SIGNIFICANT:
        return True, f"in the {second} model too: the stated preprocessing is wrong"
    if worse > better and mcnemar(worse, better) < trials.SIGNIFICANT:
        return False, f"in the {second} model it is worse: the mistake is the {which} model's own"
    return False, f"the {second} model does not show it on {len(asked)} images"
