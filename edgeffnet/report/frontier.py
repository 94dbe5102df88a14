"""The frontier: latency against accuracy and size of every candidate looked at, and why each was rejected."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from edgeffnet.selection import Candidate, EstimatedLatency
from edgeffnet.validation import Accuracy

# Top-1 on ImageNet-1k in fp32, as the authors print it (Tan & Le 2019, Table 2; README of EfficientNet-Lite).
PUBLISHED_TOP1 = {
    **{f"lite{number}": top1 for number, top1 in enumerate((75.1, 76.7, 77.6, 79.8, 81.5))},
    **{f"b{number}": top1 for number, top1 in enumerate((77.1, 79.1, 80.1, 81.6, 82.9, 83.6, 84.0, 84.3))},
}


@dataclass(frozen=True)
class Point:
    """A candidate: milliseconds with their interval and kind, percent of top-1 and its kind, bytes of int8.

    `published_top1` is that of fp32 on ImageNet, whatever was measured.

    `top1_kind` is "measured" on the validation images in int8, or "published" of fp32 on ImageNet: the
    two cannot be compared. `size_kind` is "file", or "weights" for the least a file can take. `best` is
    True where no candidate with as good an accuracy (multiply-adds where it is unknown) is faster.
    """

    name: str
    phi: float
    resolution: int
    macs: int
    latency_ms: float | None
    low_ms: float | None
    high_ms: float | None
    latency_kind: Literal["measured", "estimated", "no figure"]
    top1: float | None
    top1_kind: Literal["measured", "published", "no figure"]
    size_bytes: int
    size_kind: Literal["file", "weights"]
    verdict: str
    why: str
    published_top1: float | None = None
    best: bool = False

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def frontier(
    candidates: Sequence[Candidate], accuracies: Mapping[str, Accuracy] | None = None, *, trained: bool = True
) -> tuple[Point, ...]:
    """A point for each candidate, in their order. `accuracies` are those of int8, by the candidates' names."""
    known = accuracies or {}
    return with_best([_point(candidate, known.get(candidate.architecture.name), trained) for candidate in candidates])


def with_best(points: Sequence[Point]) -> tuple[Point, ...]:
    """`points` with `best` told."""
    return tuple(replace(point, best=_undominated(point, points)) for point in points)


def _point(candidate: Candidate, accuracy: Accuracy | None, trained: bool) -> Point:
    net, figure = candidate.architecture, candidate.latency
    printed = trained and net.rule == "official" and net.classes == 1000
    published = PUBLISHED_TOP1.get(net.name) if printed else None
    top1 = published
    kind: Literal["measured", "published", "no figure"] = "no figure" if published is None else "published"
    if accuracy is not None and accuracy.top1 is not None:
        top1, kind = 100 * accuracy.top1.value, "measured"
    estimated = isinstance(figure, EstimatedLatency)
    return Point(
        name=net.name,
        phi=net.phi,
        resolution=net.resolution,
        macs=candidate.cost.macs,
        latency_ms=figure.value_ms if figure else None,
        low_ms=figure.low_ms if figure else None,
        high_ms=figure.high_ms if figure else None,
        latency_kind="no figure" if figure is None else "estimated" if estimated else "measured",
        top1=top1,
        top1_kind=kind,
        size_bytes=candidate.size_bytes or candidate.cost.int8_bytes,
        size_kind="file" if candidate.size_bytes else "weights",
        verdict=candidate.verdict,
        why=candidate.reason,
        published_top1=published,
    )


def _undominated(point: Point, points: Sequence[Point]) -> bool:
    if point.latency_ms is None:
        return False
    return not any(
        other is not point
        and other.latency_ms is not None
        and other.latency_ms <= point.latency_ms
        and _better(other, point)
        for other in points
    )


def _better(other: Point, point: Point) -> bool:
    """Whether `other` is worth more: by accuracies of one kind, else by multiply-adds."""
    if other.top1 is not None and point.top1 is not None and other.top1_kind == point.top1_kind:
        return other.top1 > point.top1
    return other.macs > point.macs
