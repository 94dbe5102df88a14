"""Classes that int8 no longer gives: seen in which classes lead an image's scores, labels or not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from converters.check import Scores
from edgeffnet.audit.finding import Finding
from edgeffnet.audit.paired import holm, mcnemar

_SIGNIFICANT = 1e-3
# A dead class is left in the lead on at most this share of the images where it was.
_LEFT = 0.05
# So many points lost make a class collapsed; with more classes than this share dead, the model is.
_COLLAPSED = 0.2
_DEAD_SHARE = 0.3
_ROWS = 512


def findings(
    reference: Scores,
    int8: Scores,
    labels: NDArray[np.int64] | None = None,
    names: Sequence[str] | None = None,
) -> list[Finding]:
    """Dead and collapsed classes, from both models' log-probabilities (n, classes) of the same images.

    A class leads an image where it is in the first tenth of the classes (of ten classes: the first).
    McNemar's test within each class, Holm's correction over all classes.
    """
    dead = _dead(reference, int8, names)
    return [*dead, *(_collapsed(reference, int8, labels, names) if labels is not None and not dead else [])]


def _dead(reference: Scores, int8: Scores, names: Sequence[str] | None) -> list[Finding]:
    classes = reference.shape[1]
    leading = max(1, classes // 10)
    ours, theirs, both = (np.zeros(classes, np.int64) for _ in range(3))
    for start in range(0, len(reference), _ROWS):
        before, after = (_leads(part[start : start + _ROWS], leading) for part in (reference, int8))
        ours += before.sum(axis=0)
        theirs += after.sum(axis=0)
        both += (before & after).sum(axis=0)
    adjusted = np.array(holm([mcnemar(int(n - k), int(m - k)) for n, m, k in zip(ours, theirs, both, strict=True)]))
    found = np.flatnonzero((adjusted < _SIGNIFICANT) & (theirs <= _LEFT * ours))
    if not len(found) or len(found) > max(1, _DEAD_SHARE * classes):
        return []
    where = "first" if leading == 1 else f"among the first {leading}"
    told = "; ".join(
        f"{_name(index, names)}: {where} on {ours[index]} of {len(reference)} images in the reference, "
        f"on {theirs[index]} in int8"
        for index in found[:3]
    )
    more = f" and {len(found) - 3} more" if len(found) > 3 else ""
    rows = [
        {
            "class": int(index),
            "reference": int(ours[index]),
            "int8": int(theirs[index]),
            "p_adjusted": float(adjusted[index]),
        }
        for index in found[:20]
    ]
    said = f"int8 hardly ever gives {len(found)} of {classes} classes: {told}{more}"
    return [Finding("dead-class", "fault", said, {"classes": rows, "leading": leading, "images": len(reference)})]


def _leads(scores: Scores, leading: int) -> NDArray[np.bool_]:
    made = np.zeros(scores.shape, np.bool_)
    best = np.argsort(-scores, axis=1, kind="stable")[:, :leading]
    np.put_along_axis(made, best, True, axis=1)
    return made


def _collapsed(
    reference: Scores, int8: Scores, labels: NDArray[np.int64], names: Sequence[str] | None
) -> list[Finding]:
    right, kept = reference.argmax(axis=1) == labels, int8.argmax(axis=1) == labels
    present = np.unique(labels)
    flips = [
        (int((right & ~kept & (labels == one)).sum()), int((~right & kept & (labels == one)).sum())) for one in present
    ]
    adjusted = holm([mcnemar(*pair) for pair in flips])
    rows = []
    for one, (worse, better), p in zip(present, flips, adjusted, strict=True):
        images = int((labels == one).sum())
        drop = (worse - better) / images
        if p < _SIGNIFICANT and drop >= _COLLAPSED:
            rows.append({"class": int(one), "images": images, "drop": 100 * drop, "p_adjusted": p})
    if not rows or len(rows) > max(1, _DEAD_SHARE * len(present)):
        return []
    worst = max(rows, key=lambda row: row["drop"])
    said = (
        f"int8 loses {len(rows)} of {len(present)} classes far more than the others, most of all "
        f"{_name(int(worst['class']), names)}: {worst['drop']:.0f} points of {worst['images']} images"
    )
    return [Finding("class-collapsed", "fault", said, {"classes": rows})]


def _name(index: int, names: Sequence[str] | None) -> str:
    return f"{names[index]} (class {index})" if names and index < len(names) else f"class {index}"
