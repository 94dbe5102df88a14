"""What a floor on agreement costs a swish network: layers left in float, agreement and latency.

    python -m benchmarks.mixed_precision --data DATA

The floor is held against half a of the validation images, as a user's own would be; half b says what
it is worth on others. Exits with 1 when the floor or the latency bar is missed.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.figures import agrees
from benchmarks.methods import Artefact
from benchmarks.running import run
from benchmarks.subjects import DRAW_SIZE, Subject, half_of, load_subject
from edgeffnet.budget import Budget
from edgeffnet.quantization import quantize

FLOOR_PERCENT, LATENCY_RATIO = 99.3, 1.25


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with imagenette_b0/")
    parser.add_argument("--draws", nargs="+", type=int, default=[0, 1, 2], help="seeds of the calibration images")
    chosen = parser.parse_args(arguments)
    subject = load_subject("b0", chosen.data, "b")
    passed = [_one(subject, chosen.data / "imagenette_b0", draw) for draw in chosen.draws]
    return int(not all(passed))


def _one(subject: Subject, images: Path, draw: int) -> bool:
    with tempfile.TemporaryDirectory() as held:
        folder = Path(held)
        (folder / "b0.tflite").write_bytes(subject.model)
        fields = ("resolution", "crop", "interpolation", "mean", "std")
        contract = {field: getattr(subject.preprocessing, field) for field in fields}
        (folder / "b0.json").write_text(json.dumps(contract), encoding="utf-8")
        found = quantize(
            folder / "b0.tflite",
            folder / "b0.json",
            calib=_listed(images, "calib", folder),
            val=_listed(images, "eval", folder),
            io="float32",
            calib_count=DRAW_SIZE["b0"],
            budget=Budget(agreement=FLOOR_PERCENT),
            formats=("tflite",),
            seed=draw,
            output=folder / "out",
        )
        int8 = next(made.artifact for made in found.checked if made.artifact.precision == "int8")
        on_a = 100 * found.accuracies[int8].agreement.value
        reference, other = (
            run(Artefact("litert", model), subject) for model in (subject.model, int8.path.read_bytes())
        )
    on_b = 100 * agrees(reference.shipped, other.shipped).mean()
    ratio, layers = 1.0, "no layer in float"
    if found.mixed:
        (mixed,) = found.mixed
        ratio = mixed.mixed_ms / mixed.integer_ms
        layers = (
            f"{len(mixed.layers)} of {mixed.of} layers in float, {100 * mixed.integer.agreement.value:.2f}% without"
        )
    passed = on_a >= FLOOR_PERCENT and ratio < LATENCY_RATIO
    print(
        f"{'pass' if passed else 'MISS'}  draw {draw}: agreement {on_a:.2f}% >= {FLOOR_PERCENT}% on half a, "
        f"{on_b:.2f}% on half b; latency {ratio:.3f} < {LATENCY_RATIO} of all-integer; {layers}",
        flush=True,
    )
    return passed


def _listed(images: Path, part: str, folder: Path) -> Path:
    """A CSV of calibration images, or of half a of the validation images, with absolute paths."""
    with (images / f"{part}.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if part == "calib" or half_of(row["file"]) == "a"]
    target = folder / f"{part}.csv"
    with target.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("file", "label"))
        writer.writerows(((images / part / row["file"]).resolve(), row["label"]) for row in rows)
    return target


if __name__ == "__main__":
    sys.exit(main())
