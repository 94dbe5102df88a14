"""Whether int8 stays within what was asked, as far as so many images can tell."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal

from edgeffnet.audit.accuracy import PairedAccuracy
from edgeffnet.audit.paired import ratio
from edgeffnet.errors import UsageError
from edgeffnet.statistics import Interval, paired_difference, share

GateName = Literal["max-drop", "min-relative", "min-agreement"]

# More images than this nobody gathers: no number is given then.
_MOST_IMAGES = 100_000_000


@dataclass(frozen=True)
class Gates:
    """What was asked: `max_drop` in points of top-1, `min_relative` as a ratio, `min_agreement` in percent."""

    max_drop: float | None = None
    min_relative: float | None = None
    min_agreement: float | None = None

    @property
    def need_labels(self) -> bool:
        return self.max_drop is not None or self.min_relative is not None

    def require_possible(self) -> None:
        """UsageError names an option that asks for what cannot be."""
        ranges = {
            "--max-drop": (self.max_drop, 0, 100),
            "--min-relative": (self.min_relative, 0, 2),
            "--min-agreement": (self.min_agreement, 0, 100),
        }
        for option, (value, low, high) in ranges.items():
            if value is not None and not low <= value <= high:
                raise UsageError(f"{option} {value:g}: it takes {low:g} to {high:g}")


@dataclass(frozen=True)
class Gate:
    """One gate and the figure held against it, with its 95% interval.

    `passed` is None where the interval holds the limit: these images cannot tell, and about
    `images_needed` of the same kind could; None where no feasible number would.
    """

    name: GateName
    limit: float
    value: float
    low: float
    high: float
    passed: bool | None
    images_needed: int | None
    said: str

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Verdict:
    """All gates: failed where one fails, None where none does but one cannot be told, or none was asked."""

    passed: bool | None
    said: str
    gates: tuple[Gate, ...]

    def to_dict(self) -> dict[str, Any]:
        return {"passed": self.passed, "said": self.said, "gates": [gate.to_dict() for gate in self.gates]}


def verdict(found: PairedAccuracy, gates: Gates) -> Verdict:
    """The verdict on `found`; its images have labels where `gates.need_labels`."""
    judged = tuple(_judged(found, gates))
    if not judged:
        return Verdict(None, "no gate was set: --max-drop, --min-relative or --min-agreement set one", ())
    outcomes = [gate.passed for gate in judged]
    passed = False if False in outcomes else None if None in outcomes else True
    decisive = [gate.said for gate in judged if gate.passed is passed]
    return Verdict(passed, "; ".join(decisive), judged)


def _judged(found: PairedAccuracy, gates: Gates) -> list[Gate]:
    made = []
    flips, count = found.flips, found.images
    if gates.max_drop is not None and flips is not None:

        def drop(factor: float) -> Interval:
            at = paired_difference(flips.worse * factor, flips.better * factor, count * factor)
            return Interval(100 * at.value, 100 * at.low, 100 * at.high)

        made.append(_gate("max-drop", gates.max_drop, drop, count, most=True))
    if gates.min_relative is not None and flips is not None:
        if found.relative is None:
            raise UsageError("--min-relative: the reference has no image right, so there is nothing to be relative to")

        def relative(factor: float) -> Interval:
            at = ratio(found.both_right * factor, flips.worse * factor, flips.better * factor)
            assert at is not None
            return at

        made.append(_gate("min-relative", gates.min_relative, relative, count, most=False))
    if gates.min_agreement is not None:
        agreeing = found.agreement.value * count

        def agreement(factor: float) -> Interval:
            at = share(agreeing * factor, count * factor)
            return Interval(100 * at.value, 100 * at.low, 100 * at.high)

        made.append(_gate("min-agreement", gates.min_agreement, agreement, count, most=False))
    return made


_UNITS: dict[GateName, tuple[str, str]] = {
    "max-drop": ("{:.2f}", " points"),
    "min-relative": ("{:.4f}", ""),
    "min-agreement": ("{:.2f}", "%"),
}
_FIGURES: dict[GateName, str] = {
    "max-drop": "the drop of top-1",
    "min-relative": "int8's top-1 relative to the reference's",
    "min-agreement": "the agreement of top-1",
}


def _gate(name: GateName, limit: float, at: Callable[[float], Interval], count: int, *, most: bool) -> Gate:
    """The gate `name`; `at` gives the figure's interval on that many times the images."""
    found = at(1.0)
    passed = _passes(found, limit, most)
    needed = None if passed is not None else _needed(at, limit, count, most)
    number, unit = _UNITS[name]
    value, low, high, asked = (number.format(one) for one in (found.value, found.low, found.high, limit))
    bound = f"{'at most' if most else 'at least'} {asked}{unit}"
    figure = f"{_FIGURES[name]} is {value}{unit} (95%: {low} to {high})"
    if passed is None:
        more = f"about {needed:,} are needed" if needed else "no feasible number would: it is at the limit"
        said = f"cannot tell with {count:,} images: {more}: {figure}, {bound} was asked"
    else:
        said = f"{figure}: {'within' if passed else 'misses'} {bound}"
    return Gate(name, limit, found.value, found.low, found.high, passed, needed, said)


def _passes(found: Interval, limit: float, most: bool) -> bool | None:
    below, above = found.high <= limit, found.low >= limit
    good, bad = (below, found.low > limit) if most else (above, found.high < limit)
    return True if good else False if bad else None


def _needed(at: Callable[[float], Interval], limit: float, count: int, most: bool) -> int | None:
    """The fewest images, two digits of them, on which the same shares would settle it."""
    enough = 1.0
    while _passes(at(enough), limit, most) is None:
        enough *= 2
        if count * enough > _MOST_IMAGES:
            return None
    low, high = enough / 2, enough
    for _ in range(20):
        middle = (low + high) / 2
        low, high = (middle, high) if _passes(at(middle), limit, most) is None else (low, middle)
    images = count * high
    unit = 10 ** max(0, math.floor(math.log10(images)) - 1)
    return int(math.ceil(images / unit) * unit)
