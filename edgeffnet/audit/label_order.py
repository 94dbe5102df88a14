"""Classes in another order than the labels say: shifted by one, or exchanged. Found from predictions alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeffnet.audit.finding import Finding
from edgeffnet.audit.paired import mcnemar

Classes = NDArray[np.integer[Any]]

_SIGNIFICANT = 1e-3
_SHIFTS = (-1, 1)


@dataclass(frozen=True)
class _Order:
    """Another order of the classes, and how it fares: images right only in one of the two, corrected p."""

    name: str
    said: str
    worse: int
    better: int
    images: int
    p: float
    moved: dict[int, int]


def findings(predicted: Mapping[str, Classes], labels: Classes) -> list[Finding]:
    """What is wrong with the order of classes, where another one has more images right (McNemar, corrected).

    `predicted` holds each model's top classes (n) under its name, `labels` the images' (n).
    """
    orders = {model: found for model, top in predicted.items() if (found := _better(top, labels, len(predicted)))}
    if not orders:
        return []
    shared = len(orders) == len(predicted) and _one_order(list(orders.values()))
    made = []
    for model, order in orders.items():
        whose = "both models'" if shared and len(orders) > 1 else f"the {model} model's"
        where = "the labels, or the list of classes" if shared else f"the {model} model"
        made.append(_finding(order, list(orders) if shared else [model], f"{whose} {order.said}", where))
        if shared:
            break
    return made


def between(int8: Classes, reference: Classes) -> list[Finding]:
    """The same of int8's classes beside the reference's, which needs no labels."""
    order = _better(int8, reference, 1)
    if order is None:
        return []
    return [_finding(order, ["int8"], f"beside the reference, the int8 model's {order.said}", "the int8 model")]


def _one_order(orders: Sequence[_Order]) -> bool:
    """Whether all say the same of most classes that they speak of together."""
    first = orders[0]
    for other in orders[1:]:
        both = first.moved.keys() & other.moved.keys()
        agreeing = sum(first.moved[label] == other.moved[label] for label in both)
        if first.name != other.name or 2 * agreeing < len(both) or (first.said != other.said and not both):
            return False
    return True


def _finding(order: _Order, models: list[str], what: str, where: str) -> Finding:
    said = (
        f"{what}: in that order {order.better} of {order.images} images are right that were not, and {order.worse} "
        f"are no longer (McNemar p = {order.p:.1g}, corrected); {where} must be put in order"
    )
    moved = {str(label): became for label, became in list(order.moved.items())[:20]}
    evidence = {
        "models": models,
        "worse": order.worse,
        "better": order.better,
        "images": order.images,
        "p": order.p,
        "classes": moved,
    }
    return Finding(order.name, "fault", said, evidence)


def _better(top: Classes, labels: Classes, models: int) -> _Order | None:
    tests = (len(_SHIFTS) + 1) * models
    for shift in _SHIFTS:
        order = _tried(top, labels, labels + shift, tests)
        if order is not None:
            worse, better, p = order
            said = f"class indices are {'one more' if shift > 0 else 'one less'} than the labels say"
            return _Order("labels-shifted", said, worse, better, len(labels), p, {})
    return _exchanged(top, labels, tests)


def _tried(top: Classes, labels: Classes, others: Classes, tests: int) -> tuple[int, int, float] | None:
    stated, other = top == labels, top == others
    worse, better = int((stated & ~other).sum()), int((~stated & other).sum())
    p = min(1.0, tests * mcnemar(worse, better))
    return (worse, better, p) if better > worse and p < _SIGNIFICANT else None


def _exchanged(top: Classes, labels: Classes, tests: int) -> _Order | None:
    """Learnt on every other image of each class, tried on the rest.

    Only one-to-one moves count: two classes that a model confuses end in one, exchanged ones do not.
    """
    order = np.argsort(labels, kind="stable")
    ranks = np.zeros(len(labels), np.int64)
    starts = np.flatnonzero(np.r_[True, np.diff(labels[order]) != 0]) if len(labels) else np.zeros(0, np.int64)
    ranks[order] = np.arange(len(labels)) - np.repeat(starts, np.diff(np.r_[starts, len(labels)]))
    learnt = ranks % 2 == 0
    became: dict[int, int] = {}
    for label in np.unique(labels[learnt]):
        classes, counts = np.unique(top[learnt & (labels == label)], return_counts=True)
        if 2 * counts.max() > counts.sum():
            became[int(label)] = int(classes[counts.argmax()])
    reached = list(became.values())
    moved = {label: found for label, found in became.items() if label != found and reached.count(found) == 1}
    others = np.array([moved.get(int(label), int(label)) for label in labels[~learnt]], np.int64)
    tried = _tried(top[~learnt], labels[~learnt], others, tests)
    if tried is None:
        return None
    # One image alone may be a mistake of the model's: named is what the other half shows too.
    seen = set(zip(labels[~learnt].tolist(), top[~learnt].tolist(), strict=True))
    confirmed = {label: found for label, found in moved.items() if (label, found) in seen}
    shown = ", ".join(f"{label} is {found}" for label, found in list(confirmed.items())[:3])
    said = f"classes are exchanged for at least {len(confirmed)} labels ({shown})"
    return _Order("labels-permuted", said, tried[0], tried[1], int((~learnt).sum()), tried[2], confirmed)
