"""Where in the network the int8 model departs from its reference: the error of every tensor both compute."""

from __future__ import annotations

import os
import queue
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from edgeffnet.audit import onnx_tensors, openvino_tensors, tensors
from edgeffnet.audit.finding import Finding
from edgeffnet.audit.pairing import Pair, Side, UnmatchedError
from edgeffnet.audit.subject import Subject
from edgeffnet.images import LabelledImage, load

T = TypeVar("T")
Sums = NDArray[np.float64]

IMAGES = 16
# Nothing on paper or in a plot is told apart beyond this, and JSON holds no infinity.
_MOST_DB = 120.0
# Factors of a rewritten model differ between channels, and its grids fit them. Where this share of channels
# has one factor (to 3%), or more than that share of values is beyond the grid, a scale is wrong instead.
_ONE_FACTOR = 0.5
_SAME_FACTOR = 0.03
_BEYOND = 0.02
_FACTORS_GAIN_DB = 6.0
# What reads a layer shows what an error in it does: a sigmoid is flat where its input is clipped, a mean takes
# noise away, a bias can outweigh what is read. Not these, which mix it with what went around it.
_MIXING = {"ADD", "Add", "CONCATENATION", "Concat"}
# An error that enters at one layer: what goes in is better by so much than what comes out, which is poor.
_ENTERS_DB = 8.0
_POOR_DB = 12.0
# A grid that spans so many times the values wastes two bits and more.
_COARSE = 4.0
_SIGNIFICANT = 1e-3


@dataclass(frozen=True)
class LayerError:
    """One tensor's error over some images, beside the reference's, in real values.

    `snr_db` is the reference's power over that of the difference, `largest` the largest difference.
    Where `factors` is true the int8 model holds the tensor with a factor for each channel, which was
    undone first. `gain` is what the int8 tensor is times the reference's, over all channels. `seen`
    are the reference's extremes and `grid` those that the int8 tensor can hold, `clipped` the share of
    values beyond it; both are None for a tensor in float. `sources` are places of earlier layers.
    """

    name: str
    int8_tensor: str
    operator: str
    snr_db: float
    largest: float
    factors: bool
    gain: float
    seen: tuple[float, float]
    grid: tuple[float, float] | None
    clipped: float | None
    sources: tuple[int, ...]

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "int8_tensor": self.int8_tensor,
            "snr_db": self.snr_db,
            "largest": self.largest,
            "factors_undone": self.factors,
            "clipped": self.clipped,
        }


@dataclass(frozen=True)
class Layers:
    """Errors in the network's order over `images` images; `unmatched` is the reason where there are none.

    `conflicts` are int8 tensors whose bias has not the scale of input times kernel, with the quotient.
    """

    rows: tuple[LayerError, ...]
    images: int
    unmatched: str | None = None
    conflicts: Mapping[str, float] = field(default_factory=dict)

    def worst(self, count: int = 5) -> tuple[LayerError, ...]:
        """The layers with the least signal-to-noise, worst first."""
        return tuple(sorted(self.rows, key=lambda row: row.snr_db)[:count])


def compare(subject: Subject, reference: Subject, images: Sequence[LabelledImage], count: int = IMAGES) -> Layers:
    """The layers of two models of one format on the first `count` of `images`, one image at a time.

    Factors that a calibration moved between channels are undone by least squares, channel by channel.
    """
    chosen = images[:count]
    try:
        matched, open_pair = _sides(subject, reference)
        pool = _Pool(open_pair, subject, reference, chosen)
        sums = _added(pool.each(lambda one, other: _moments(matched, one, other)))
        factors = [_factors(moments) for moments in sums]
        ends = _merged(pool.each(lambda one, other: _extremes(matched, factors, one, other)))
    except UnmatchedError as error:
        return Layers((), 0, str(error))
    except (RuntimeError, ValueError) as error:  # runtimes raise these for tensors that they do not keep
        return Layers((), 0, f"the runtime does not show its tensors ({str(error).splitlines()[0]})")
    rows = [_row(*parts) for parts in zip(matched, sums, factors, ends, strict=True)]
    conflicts = tensors.conflicts(subject.artifact.path) if subject.artifact.format == "tflite" else {}
    return Layers(tuple(rows), len(chosen), conflicts=conflicts)


def findings(layers: Layers, p: float | None) -> list[Finding]:
    """The layer at which the error enters, where int8 is significantly worse: `p` is McNemar's over all images.

    None for images without labels; then nothing is said, as nothing shows that the error costs anything.
    """
    if p is None or p >= _SIGNIFICANT or not layers.rows:
        return []
    behind = _behind(layers.rows)
    into = [min((behind[place] for place in row.sources), default=_MOST_DB) for row in layers.rows]
    lost = [before - after for before, after in zip(into, behind, strict=True)]
    entered = [place for place, snr in enumerate(behind) if snr < _POOR_DB and lost[place] >= _ENTERS_DB]
    named = [place for place, row in enumerate(layers.rows) if row.int8_tensor in layers.conflicts]
    if not entered and not named:
        return []
    place = named[0] if named else max(entered, key=lambda one: lost[one])
    # A tensor whose own scale is wrong puts the layer that reads it out of tune too.
    place = next((source for source in layers.rows[place].sources if named and source in entered), place)
    row = layers.rows[place]
    evidence = {
        "layer": row.name,
        "int8_tensor": row.int8_tensor,
        "snr_db": row.snr_db,
        "snr_db_before": into[place],
        "gain": row.gain,
        "seen": list(row.seen),
        "grid": list(row.grid) if row.grid else None,
        "clipped": row.clipped,
        "p": p,
    }
    said = (
        f"the error enters at {row.name}: signal-to-noise is {into[place]:.1f} dB before it and {row.snr_db:.1f} dB "
        f"after it{_cause(layers, row)}"
    )
    return [Finding("layer-destroyed", "fault", said, evidence)]


def _behind(rows: Sequence[LayerError]) -> list[float]:
    """The signal-to-noise of each layer, or that of the worst of what is made of it alone, where that is better."""
    made = [row.snr_db for row in rows]
    readers: list[list[int]] = [[] for _ in rows]
    for place in range(len(rows) - 1, -1, -1):
        made[place] = max(made[place], min((made[one] for one in readers[place]), default=-_MOST_DB))
        if rows[place].operator not in _MIXING or len(rows[place].sources) == 1:
            for source in rows[place].sources:
                readers[source].append(place)
    return made


def _cause(layers: Layers, row: LayerError) -> str:
    """What the file and the figures say about the layer's scale."""
    sources = [layers.rows[place] for place in row.sources]
    if row.int8_tensor in layers.conflicts:
        read = f", or that of {sources[0].name} which it reads," if sources else ""
        return (
            f"; the scale of its bias is {layers.conflicts[row.int8_tensor]:.3g} times that of its input times its "
            f"kernel: its kernel's scale{read} is wrong"
        )
    if row.grid is not None and row.clipped is not None and row.clipped > _BEYOND:
        low, high = row.grid
        return f"; its grid ends at {low:.3g} and {high:.3g}, and {row.clipped:.0%} of its values lie beyond"
    if row.grid is not None and row.grid[1] - row.grid[0] > _COARSE * (row.seen[1] - row.seen[0]):
        return (
            f"; its grid spans {row.grid[0]:.3g} to {row.grid[1]:.3g} for values from {row.seen[0]:.3g} "
            f"to {row.seen[1]:.3g}: its scale is too coarse"
        )
    if not row.factors and not 0.8 < row.gain < 1.25:
        return f"; what comes out is {row.gain:.3g} times what it should be: its kernel's scale is wrong"
    moved = [source.name for source in sources if source.factors]
    return f"; it does not fit the factors of {', '.join(moved)}" if moved else ""


def _sides(subject: Subject, reference: Subject) -> tuple[tuple[Pair, ...], Callable[[], tuple[Side, Side]]]:
    forms = {subject.artifact.format, reference.artifact.format}
    if subject.preprocessing.resolution != reference.preprocessing.resolution:
        raise UnmatchedError("the two models take images of different sizes")
    if forms == {"tflite"}:
        return tensors.opened(subject, reference)
    if forms == {"openvino"}:
        return openvino_tensors.opened(subject, reference)
    if forms == {"onnx"}:
        return onnx_tensors.opened(subject, reference)
    raise UnmatchedError(f"tensors are compared between two models of one format, not {' and '.join(sorted(forms))}")


class _Pool:
    """The images, run through both models by as many pairs of them as there are cores."""

    def __init__(
        self,
        open_pair: Callable[[], tuple[Side, Side]],
        subject: Subject,
        reference: Subject,
        images: Sequence[LabelledImage],
    ) -> None:
        self._workers = min(os.cpu_count() or 1, len(images))
        self._free: queue.SimpleQueue[tuple[Side, Side]] = queue.SimpleQueue()
        for _ in range(self._workers):
            self._free.put(open_pair())
        self._pixels = [np.concatenate(list(load(images, one.preprocessing))) for one in (reference, subject)]

    def each(self, look: Callable[[Side, Side], T]) -> list[T]:
        """What `look` makes of reference and int8 after each image, in the images' order."""

        def one(index: int) -> T:
            sides = self._free.get()
            try:
                for side, pixels in zip(sides, self._pixels, strict=True):
                    side.run(pixels[index])
                return look(*sides)
            finally:
                self._free.put(sides)

        with ThreadPoolExecutor(self._workers) as pool:
            return list(pool.map(one, range(len(self._pixels[0]))))


def _moments(matched: Sequence[Pair], reference: Side, int8: Side) -> list[Sums]:
    """Of each pair float64 (3, channels): sums of int8 squared, of the product, of the reference squared."""
    found = []
    for pair in matched:
        wanted, held = reference.values(pair.reference), int8.values(pair.int8)
        products = [
            np.einsum("ij,ij->j", one, other) for one, other in ((held, held), (held, wanted), (wanted, wanted))
        ]
        found.append(np.stack(products).astype(np.float64))
    return found


def _added(each: Sequence[list[Sums]]) -> list[Sums]:
    return [np.sum(parts, axis=0) for parts in zip(*each, strict=True)]


def _factors(moments: Sums) -> NDArray[np.float64] | None:
    """What each channel of the int8 tensor has to be multiplied by; None where that is nothing."""
    held, product, wanted = moments
    loud = (held > 0) & (product > 0) & (wanted > 1e-4 * max(float(wanted.mean()), 1e-30))
    factor = np.divide(product, held, out=np.ones_like(held), where=loud)
    if _snr(moments, factor) < _snr(moments, None) + _FACTORS_GAIN_DB:
        return None
    apart = np.abs(np.log(factor[loud] / np.median(factor[loud])))
    return factor if float((apart < _SAME_FACTOR).mean()) < _ONE_FACTOR else None


def _snr(moments: Sums, factor: NDArray[np.float64] | None) -> float:
    held, product, wanted = moments
    k = 1.0 if factor is None else factor
    noise, signal = float((wanted - 2 * k * product + k * k * held).sum()), float(wanted.sum())
    if noise <= signal * 10 ** (-_MOST_DB / 10):
        return _MOST_DB
    return max(-_MOST_DB, float(10 * np.log10(max(signal, 1e-30) / noise)))


Extremes = tuple[float, tuple[float, float], tuple[float, float] | None, float | None]


def _extremes(
    matched: Sequence[Pair], factors: Sequence[NDArray[np.float64] | None], reference: Side, int8: Side
) -> list[Extremes]:
    """Largest difference, extremes of the reference as int8 would hold it, the grid's, share beyond the grid."""
    found: list[Extremes] = []
    for pair, factor in zip(matched, factors, strict=True):
        wanted, held = reference.values(pair.reference), int8.values(pair.int8)
        k = np.float32(1) if factor is None else factor.astype(np.float32)
        largest = float(np.abs(wanted - held * k).max())
        due = wanted if factor is None else wanted / k
        grid, half = int8.span(pair.int8), 0.5 * int8.step(pair.int8)
        clipped = None if grid is None else float(((due < grid[0] - half) | (due > grid[1] + half)).mean())
        found.append((largest, (float(due.min()), float(due.max())), grid, clipped))
    return found


def _merged(each: Sequence[list[Extremes]]) -> list[Extremes]:
    made: list[Extremes] = []
    for parts in zip(*each, strict=True):
        largest, seen, grids, clipped = zip(*parts, strict=True)
        shares = [share for share in clipped if share is not None]
        made.append(
            (
                max(largest),
                (min(low for low, _ in seen), max(high for _, high in seen)),
                grids[0],
                sum(shares) / len(shares) if shares else None,
            )
        )
    return made


def _row(pair: Pair, moments: Sums, factor: NDArray[np.float64] | None, ends: Extremes) -> LayerError:
    largest, seen, grid, clipped = ends
    plain, undone = _snr(moments, None), _snr(moments, factor)
    # A clipped tensor with good values otherwise was cut on purpose, before an activation.
    believed = factor is not None and (clipped is None or clipped <= _BEYOND or undone > _POOR_DB)
    return LayerError(
        name=pair.name,
        int8_tensor=pair.int8_name,
        operator=pair.operator,
        snr_db=undone if believed else plain,
        largest=largest,
        factors=believed,
        gain=float(moments[1].sum() / max(moments[2].sum(), 1e-30)),
        seen=seen,
        grid=grid,
        clipped=clipped,
        sources=pair.sources,
    )
