"""Int8 accuracy and latency of peers and of our recipes: same models, same images, one run.

Each validation list is split in two halves by a hash of the file name; figures that count are from
half b, as means over draws of calibration images. `python -m benchmarks.quantization --help`.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks import subjects
from benchmarks.figures import Figures, compare
from benchmarks.methods import METHODS, Artefact
from benchmarks.running import Outcome, run
from benchmarks.subjects import Subject


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with imagenet/ and imagenette_b0/")
    parser.add_argument("--models", nargs="+", default=subjects.MODELS, choices=subjects.MODELS)
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS), metavar="METHOD")
    parser.add_argument("--draws", nargs="+", type=int, default=[0, 1, 2, 3, 4], help="seeds of the draws")
    parser.add_argument("--images", type=int, help="calibration images per draw instead of 256 (Lite) and 150 (b0)")
    parser.add_argument("--half", choices=("a", "b"), default="b", help="tune on a, report b")
    parser.add_argument("--cache", type=Path, required=True, help="folder for finished figures: a second run resumes")
    parser.add_argument("--output", type=Path, required=True, help="JSON to write")
    chosen = parser.parse_args(arguments)
    chosen.cache.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, Any]] = []
    for name in chosen.models:
        subject = subjects.load_subject(name, chosen.data, chosen.half)
        reference = _reference(subject, chosen.cache / f"{name}_{chosen.half}_float.npz")
        for draw in chosen.draws:
            for method in chosen.methods:
                rows.append(_row(subject, reference, method, draw, chosen.images, chosen.half, chosen.cache))
                chosen.output.write_text(json.dumps(rows, indent=1), encoding="utf-8")
    Console(width=160).print(_table(rows, chosen.half))


def _reference(subject: Subject, cached: Path) -> Outcome:
    if cached.exists():
        held = np.load(cached)
        return Outcome(held["logits"], held["shipped"], float(held["milliseconds"]))
    found = run(Artefact("litert", subject.model), subject)
    np.savez(cached, logits=found.logits, shipped=found.shipped, milliseconds=found.milliseconds)
    return found


def _row(
    subject: Subject, reference: Outcome, method: str, draw: int, size: int | None, half: str, cache: Path
) -> dict[str, Any]:
    key = f"{subject.name}_{half}_{method.replace(' ', '-').replace(',', '')}_{draw}_{size or 'all'}.json"
    if (cache / key).exists():
        held: dict[str, Any] = json.loads((cache / key).read_text(encoding="utf-8"))
        return held
    row: dict[str, Any] = {"model": subject.name, "method": method, "draw": draw, "images": size, "half": half}
    try:
        images = subject.draw(draw, size)
        start = time.perf_counter()
        artefact = METHODS[method](subject, images)
        seconds = time.perf_counter() - start
        row.update(asdict(compare(reference, run(artefact, subject), subject.labels, seconds)))
    except Exception as error:  # a peer that fails is a row that says so, not the end of the run
        row["error"] = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
        return row
    row["float_top1"] = float((reference.shipped.argmax(axis=1) == subject.labels).mean())
    row["float_milliseconds"] = reference.milliseconds
    (cache / key).write_text(json.dumps(row), encoding="utf-8")
    return row


def _table(rows: list[dict[str, Any]], half: str) -> Table:
    """Means over draws; flips and p are of the draw with the median agreement."""
    table = Table(title=f"int8, half {half}, means over draws")
    for column in ("model", "method", "draws", "top-1", "drop (95%)", "agreement", "flips -/+ (p)"):
        table.add_column(column)
    for column in ("SNR dB", "ties", "seconds", "latency / TFLite converter"):
        table.add_column(column, justify="right")
    for model, method in dict.fromkeys((row["model"], row["method"]) for row in rows):
        table.add_row(*_cells(model, method, rows))
    return table


def _cells(model: str, method: str, rows: list[dict[str, Any]]) -> list[str]:
    mine = [row for row in rows if (row["model"], row["method"]) == (model, method)]
    failed = [row["error"] for row in mine if "error" in row]
    if failed:
        return [model, method, "failed", failed[0]]
    fields = Figures.__dataclass_fields__
    mean = {field: float(np.mean([row[field] for row in mine])) for field in fields}
    median = sorted(mine, key=lambda row: row["agreement"])[len(mine) // 2]
    naive = [row["milliseconds"] for row in rows if (row["model"], row["method"]) == (model, "TFLite converter")]
    return [
        model,
        method,
        str(len(mine)),
        f"{mean['top1']:.4f}",
        f"{mean['drop']:+.2f} ({mean['drop_low']:+.2f}, {mean['drop_high']:+.2f})",
        f"{mean['agreement']:.4f}",
        f"{median['worse']}/{median['better']} ({median['mcnemar_p']:.2f})",
        f"{mean['snr']:.1f}",
        f"{mean['ties']:.4f}",
        f"{mean['seconds']:.1f}",
        f"{mean['milliseconds'] / np.mean(naive):.2f}" if naive else "-",
    ]


if __name__ == "__main__":
    main()
