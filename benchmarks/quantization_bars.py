"""What has to hold of the int8 figures, each line with the figure seen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from benchmarks.rows import SATURATING, Row, unpacked

LITE = ("lite0", "lite1", "lite2")
PEERS = ("TFLite converter", "litert-quantizer", "ONNX Runtime static")
NNCF = ("NNCF default", "NNCF overflow fix", "NNCF full bias correction")
RESAMPLES = 5000


def lines(rows: Sequence[Row]) -> Iterator[str]:
    """One line a bar: pass, MISS, or not run with what is missing."""
    rows = [row for row in rows if row["half"] == "b" and "error" not in row]
    table = _Means(rows)
    for recipe, agreement, snr in (("default", 0.98, 19.0), ("best", 0.984, 22.0)):
        ours = f"ours {recipe}"
        yield table.bar(f"b0 {recipe} agreement", ("b0", ours, "agreement"), at_least=agreement)
        yield table.bar(f"b0 {recipe} logits' SNR", ("b0", ours, "snr"), at_least=snr)
        yield table.bar(f"b0 {recipe} drop", ("b0", ours, "drop"), at_most=0.7)
    for model in LITE:
        yield from _lite(table, model)
    yield _jointly(table)
    for sums in ("32-bit", SATURATING):
        alike = _Means([row for row in rows if row["sums"] == sums])
        for model in (*LITE, "b0"):
            best = alike.best(model, NNCF, "agreement")
            label = f"{model} OpenVINO agreement, {sums} sums"
            yield alike.bar(label, (model, "ours, OpenVINO", "agreement"), at_least=best)
    label = "lite0 on 128 images, seconds fast / litert-quantizer's"
    yield table.ratio(label, "lite0", "ours fast", "litert-quantizer", "seconds", 0.5, images=128)
    for model in (*LITE, "b0"):
        for images, loss in ((32, 0.005), ("photographs", 0.01)):
            whole = table.mean(model, "ours default", "agreement")
            least = None if whole is None else whole - loss
            label = f"{model} default on {images}{' images' if images == 32 else ''}"
            yield table.bar(label, (model, "ours default", "agreement"), at_least=least, images=images)


class _Means:
    """Rows by what they are of."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows = rows

    def rows(self, model: str, method: str, images: Any = None) -> list[Row]:
        return [row for row in self._rows if (row["model"], row["method"], row["images"]) == (model, method, images)]

    def mean(self, model: str, method: str, field: str, images: Any = None) -> float | None:
        found = self.rows(model, method, images)
        return float(np.mean([row[field] for row in found])) if found else None

    def best(self, model: str, methods: Sequence[str], field: str) -> float | None:
        """The highest mean among them; None unless all have run."""
        found = [self.mean(model, method, field) for method in methods]
        return None if None in found else max(value for value in found if value is not None)

    def ratio(
        self, label: str, model: str, ours: str, peer: str, field: str, at_most: float, images: Any = None
    ) -> str:
        """The median over draws of ours by the peer's on the same draw."""
        theirs = {row["draw"]: row[field] for row in self.rows(model, peer, images)}
        found = [row[field] / theirs[row["draw"]] for row in self.rows(model, ours, images) if row["draw"] in theirs]
        if not found:
            return f"not run  {label}"
        value = float(np.median(found))
        draws = f"{len(found)} draws, {min(found):.2f} to {max(found):.2f}"
        return f"{'pass' if value <= at_most else 'MISS':8} {label}: {value:.3f} <= {at_most:g} ({draws})"

    def bar(
        self,
        label: str,
        of: tuple[str, str, str],
        *,
        at_least: float | None = None,
        at_most: float | None = None,
        images: Any = None,
    ) -> str:
        value = self.mean(*of, images=images)
        bound = at_least if at_most is None else at_most
        if value is None or bound is None:
            return f"not run  {label}"
        held = value >= bound if at_most is None else value <= bound
        sign = ">=" if at_most is None else "<="
        return f"{'pass' if held else 'MISS':8} {label}: {value:.4f} {sign} {bound:.4f} ({self._draws(of, images)})"

    def _draws(self, of: tuple[str, str, str], images: Any) -> str:
        return f"{len(self.rows(of[0], of[1], images))} draws"


def _lite(table: _Means, model: str) -> Iterator[str]:
    agreement, snr = (table.best(model, PEERS, field) for field in ("agreement", "snr"))
    yield table.bar(f"{model} default agreement", (model, "ours default", "agreement"), at_least=agreement)
    more = None if snr is None else snr + 2
    yield table.bar(f"{model} default logits' SNR", (model, "ours default", "snr"), at_least=more)
    yield table.bar(f"{model} default drop's lower end", (model, "ours default", "drop_low"), at_most=0.0)


def _jointly(table: _Means) -> str:
    """Agreement beyond the best peer's over the three Lites: images resampled within each, all draws kept."""
    label = "lite0-2 together, agreement beyond the best peer's"
    gains = []
    for model in LITE:
        run = [(table.mean(model, peer, "agreement"), peer) for peer in PEERS]
        if any(value is None for value, _ in run) or table.mean(model, "ours default", "agreement") is None:
            return f"not run  {label}"
        best = max((value, peer) for value, peer in run if value is not None)[1]
        gains.append(_agreeing(table, model, "ours default") - _agreeing(table, model, best))
    generator = np.random.default_rng(0)
    resampled = np.mean(
        [gain[generator.integers(0, len(gain), (RESAMPLES, len(gain)))].mean(axis=1) for gain in gains], axis=0
    )
    low = float(np.quantile(resampled, 0.025))
    value = float(np.mean([gain.mean() for gain in gains]))
    return (
        f"{'pass' if low > 0 else 'MISS':8} {label}: {100 * value:+.2f} points, paired bootstrap from {100 * low:+.2f}"
    )


def _agreeing(table: _Means, model: str, method: str) -> Any:
    """Per image, the share of draws in which the method agreed with float."""
    return np.mean([unpacked(row["agreeing"], row["count"]) for row in table.rows(model, method)], axis=0)
