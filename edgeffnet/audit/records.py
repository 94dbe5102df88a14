"""What an audit keeps of each image: little, so that fifty thousand take no more room than a thousand."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgeffnet.audit.scoring import Scores

TOP = 5
UNLABELLED = -1

# One image: its place in the list; its label or -1; the five best classes of each model, best first
# (-1 where there are fewer); the probability of each model's best class and of the label (NaN without
# one); whether int8's best score is shared; and what the error of the image is made of: the sums of
# squares of the centred logits and of their error, the largest error of a probability, and KL in nats.
RECORD = np.dtype(
    [
        ("image", "<i4"),
        ("label", "<i4"),
        ("reference", "<i4", TOP),
        ("int8", "<i4", TOP),
        ("reference_probability", "<f4"),
        ("int8_probability", "<f4"),
        ("reference_true", "<f4"),
        ("int8_true", "<f4"),
        ("tied", "?"),
        ("signal", "<f8"),
        ("noise", "<f8"),
        ("largest", "<f4"),
        ("kl", "<f8"),
    ]
)

Records = NDArray[np.void]


def records(
    indices: NDArray[np.int64], labels: NDArray[np.int64], reference: Scores, int8: Scores, floor: float = 0.0
) -> Records:
    """The RECORDs of images whose log-probabilities (n, classes) are `reference` and `int8`.

    `indices` are their places in the list, `labels` their classes or -1. Errors are taken between
    log-probabilities no lower than log(`floor`), a probability: what is below it says nothing.
    """
    made = np.zeros(len(indices), RECORD)
    made["image"], made["label"] = indices, labels
    rows = np.arange(len(indices))
    known = labels != UNLABELLED
    for name, scores in (("reference", reference), ("int8", int8)):
        best = _best(scores)
        made[name] = -1
        made[name][:, : best.shape[1]] = best
        made[f"{name}_probability"] = np.exp(scores[rows, best[:, 0]])
        made[f"{name}_true"] = np.where(known, np.exp(scores[rows, np.maximum(labels, 0)]), np.nan)
    made["tied"] = (int8 == int8.max(axis=1, keepdims=True)).sum(axis=1) > 1
    if floor > 0:
        reference, int8 = (np.maximum(scores, np.float32(np.log(floor))) for scores in (reference, int8))
    signal = reference - reference.mean(axis=1, keepdims=True)
    noise = (int8 - int8.mean(axis=1, keepdims=True)) - signal
    made["signal"] = np.square(signal, dtype=np.float64).mean(axis=1)
    made["noise"] = np.square(noise, dtype=np.float64).mean(axis=1)
    probabilities = np.exp(reference)
    made["largest"] = np.abs(np.exp(int8) - probabilities).max(axis=1)
    made["kl"] = (probabilities.astype(np.float64) * (reference - int8)).sum(axis=1)
    return made


def _best(scores: Scores) -> NDArray[np.int64]:
    """The best classes of each row, best first; ties go to the lower index, as argmax has it."""
    count = min(TOP, scores.shape[1])
    # Classes that can be among the best, by their scores; the stable sort of those few settles ties.
    least = -np.partition(-scores, count - 1, axis=1)[:, count - 1 : count]
    found = np.empty((len(scores), count), np.int64)
    for row, (line, bound) in enumerate(zip(scores, least, strict=True)):
        candidates = np.flatnonzero(line >= bound)
        found[row] = candidates[np.argsort(-line[candidates], kind="stable")[:count]]
    return found
