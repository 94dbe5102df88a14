"""Int8 accuracy and latency of peers and of our recipes: same models, same images, one run.

Each validation list is split in two halves by a hash of the file name; figures that count are from
half b, as means over draws of calibration images. Milliseconds are of one run each: who is faster is
for `benchmarks.int8_latency`, which times them in turns. Finished rows stay in benchmarks/results and are
not made again until our sources or the peer's version change. `python -m benchmarks.quantization --help`.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks import quantization_bars, rows, subjects
from benchmarks.figures import Figures, agrees, compare
from benchmarks.methods import METHODS, Artefact
from benchmarks.rows import Row
from benchmarks.running import Outcome, run
from benchmarks.subjects import Subject


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="folder with imagenet/ and imagenette_b0/; without it, only show")
    parser.add_argument("--models", nargs="+", default=subjects.MODELS, choices=subjects.MODELS)
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS), metavar="METHOD")
    parser.add_argument("--draws", nargs="+", type=int, default=[0, 1, 2, 3, 4], help="seeds of the draws")
    parser.add_argument("--images", type=int, help="calibration images per draw instead of 256 (Lite) and 150 (b0)")
    parser.add_argument("--photographs", action="store_true", help="calibrate on the default photographs instead")
    parser.add_argument("--half", choices=("a", "b"), default="b", help="tune on a, report b")
    parser.add_argument("--results", type=Path, default=rows.FOLDER, help="folder of finished rows")
    chosen = parser.parse_args(arguments)
    images: int | str | None = "photographs" if chosen.photographs else chosen.images
    if chosen.data:
        for name in chosen.models:
            _measure(name, chosen.data, chosen.half, chosen.draws, chosen.methods, images, chosen.results)
    found = [row for name in subjects.MODELS for row in rows.read(name, chosen.results)]
    Console(width=160).print(_table([row for row in found if row["half"] == chosen.half]))
    if chosen.half == "b":
        print("\n".join(quantization_bars.lines(found)))
    stale = [row for row in found if row["half"] == chosen.half and row["by"] != rows.made_by(row["method"])]
    for (model, images, method, sums), older in _groups(stale).items():
        what = f"{model} {method} on {images or 'all'}{f', {sums} sums' if sums else ''}"
        print(f"older    {what}: {len(older)} draws made by other sources or versions than today's")


def _measure(
    name: str,
    data: Path,
    half: str,
    draws: Sequence[int],
    methods: Sequence[str],
    images: int | str | None,
    folder: Path,
) -> None:
    """Makes the rows that are missing or out of date, and writes each as soon as it is there."""
    wanted = [
        Row(
            model=name,
            half=half,
            images=images,
            method=method,
            sums=rows.sums_here(method),
            draw=draw,
            by=rows.made_by(method),
        )
        for draw in draws
        for method in methods
    ]
    missing = [row for row in wanted if not any(rows.same(held, row) for held in rows.read(name, folder))]
    if not missing:
        return
    subject = subjects.load_subject(name, data, half)
    reference = run(Artefact("litert", subject.model), subject)
    for row in missing:
        made = {**row, **_figures(subject, reference, row["method"], row["draw"], images)}
        identity = {field: row[field] for field in ("model", "half", "images", "method", "sums", "draw")}
        held = [other for other in rows.read(name, folder) if not rows.same(other, identity)]
        rows.write(name, [*held, made], folder)


def _figures(subject: Subject, reference: Outcome, method: str, draw: int, images: int | str | None) -> Row:
    try:
        drawn = subject.photographs(draw) if images == "photographs" else subject.draw(draw, images)  # type: ignore[arg-type]
        start, computed = time.perf_counter(), time.process_time()
        artefact = METHODS[method](subject, drawn)
        seconds, busy = time.perf_counter() - start, time.process_time() - computed
        found = run(artefact, subject)
    except Exception as error:  # a peer that fails is a row that says so, not the end of the run
        return {"error": f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"}
    return {
        **asdict(compare(reference, found, subject.labels, seconds)),
        "cpu_seconds": busy,
        "float_top1": float((reference.shipped.argmax(axis=1) == subject.labels).mean()),
        "float_milliseconds": reference.milliseconds,
        "count": len(subject.labels),
        "agreeing": rows.packed(agrees(reference.shipped, found.shipped)),
    }


def _table(found: list[Row]) -> Table:
    """Means over draws; flips and p are of the draw with the median agreement."""
    table = Table(title="int8, means over draws")
    for column in ("model", "images", "method", "sums", "draws", "top-1", "drop (95%)", "agreement", "flips -/+ (p)"):
        table.add_column(column)
    for column in ("SNR dB", "ties", "seconds", "ms"):
        table.add_column(column, justify="right")
    for (model, images, method, sums), mine in _groups(found).items():
        table.add_row(model, str(images or "all"), method, sums or "", *_cells(mine))
    return table


def _groups(found: list[Row]) -> dict[tuple[Any, ...], list[Row]]:
    """Rows that differ in their draw alone."""
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in found:
        groups.setdefault((row["model"], row["images"], row["method"], row["sums"]), []).append(row)
    return groups


def _cells(mine: list[Row]) -> list[str]:
    failed = [row["error"] for row in mine if "error" in row]
    if failed:
        return ["failed", failed[0]]
    mean = {field: float(np.mean([row[field] for row in mine])) for field in Figures.__dataclass_fields__}
    median = sorted(mine, key=lambda row: row["agreement"])[len(mine) // 2]
    return [
        str(len(mine)),
        f"{mean['top1']:.4f}",
        f"{mean['drop']:+.2f} ({mean['drop_low']:+.2f}, {mean['drop_high']:+.2f})",
        f"{mean['agreement']:.4f}",
        f"{median['worse']}/{median['better']} ({median['mcnemar_p']:.2f})",
        f"{mean['snr']:.1f}",
        f"{mean['ties']:.4f}",
        f"{mean['seconds']:.1f}",
        f"{mean['milliseconds']:.2f}",
    ]


if __name__ == "__main__":
    main()
