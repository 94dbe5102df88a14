"""The words of a comparison tensor by tensor: what is the same in two models, and how a side is read."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float32]
_LEAST_MATCHED = 0.5


class UnmatchedError(Exception):
    """Two models whose tensors cannot be compared; the message says why."""


@dataclass(frozen=True)
class Output:
    """What an operator of one model writes: its tensor, and the tensors it is computed from, by index."""

    name: str
    operator: str
    index: int
    shape: tuple[int, ...]
    inputs: tuple[int, ...]


@dataclass(frozen=True)
class Pair:
    """An operator's output in both models: names, tensor indices, and the places of earlier pairs it comes from."""

    name: str
    int8_name: str
    operator: str
    reference: int
    int8: int
    sources: tuple[int, ...]


class Side(Protocol):
    """One of the two models, run so that each tensor can be read after an image."""

    def run(self, pixels: NDArray[np.uint8]) -> None:
        """Infers one image, uint8 (h, w, 3), not yet normalised."""

    def values(self, index: int) -> Values:
        """What tensor `index` holds in real values: float32 (positions, channels), until the next `run`."""

    def span(self, index: int) -> tuple[float, float] | None:
        """The least and the greatest real value that the tensor's grid holds; None for one in float."""

    def step(self, index: int) -> float:
        """The distance between two values of the tensor's grid; 0 for one in float."""


def in_order(ours: Sequence[Output], theirs: Sequence[Output]) -> list[tuple[int, int]]:
    """Places of the outputs that follow one another in both models, by kind of operator and shape."""
    first, second = ([f"{one.operator} {one.shape}" for one in side] for side in (ours, theirs))
    blocks = difflib.SequenceMatcher(None, first, second, autojunk=False).get_matching_blocks()
    return [(block.a + step, block.b + step) for block in blocks for step in range(block.size)]


def common(ours: Sequence[Output], theirs: Sequence[Output]) -> list[tuple[int, int]]:
    """Those `in_order`; UnmatchedError where less than half of `ours`, the reference's, are among them."""
    matched = in_order(ours, theirs)
    require_most(matched, ours, "by kind and shape in order")
    return matched


def require_most(matched: Sequence[tuple[int, int]], ours: Sequence[Output], how: str) -> None:
    """UnmatchedError where less than half of `ours` were matched, as `how` says."""
    if len(matched) < _LEAST_MATCHED * len(ours):
        raise UnmatchedError(
            f"of the reference's {len(ours)} operators only {len(matched)} have a counterpart in the int8 model, {how}"
        )


def linked(outputs: Sequence[Output], matched: Sequence[tuple[Output, Output]]) -> tuple[Pair, ...]:
    """The pairs of `matched`, in order; each knows its sources, through `outputs` without a counterpart too."""
    places = {one.index: place for place, (one, _) in enumerate(matched)}
    reached: dict[int, frozenset[int]] = {}
    before: dict[int, frozenset[int]] = {}
    for one in outputs:
        before[one.index] = frozenset[int]().union(*(reached.get(index, frozenset()) for index in one.inputs))
        reached[one.index] = frozenset({places[one.index]}) if one.index in places else before[one.index]
    return tuple(
        Pair(one.name, other.name, one.operator, one.index, other.index, tuple(sorted(before[one.index])))
        for one, other in matched
    )
