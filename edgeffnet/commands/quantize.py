"""`edgeffnet quantize`: a float model of the user's own, in int8."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

_path = click.Path(path_type=Path)


@click.command()
@click.argument("model", type=_path)
@click.option(
    "--preprocessing", type=_path, metavar="FILE", help="What the model expects of its images: a preprocessing.json."
)
@click.option("--calib", type=_path, metavar="PATH", help="Calibration images: a folder or a CSV.")
@click.option("--val", type=_path, metavar="PATH", help="Validation images: class folders or a CSV.")
@click.option("--labels", type=_path, metavar="FILE", help="Class names, one a line, in output order.")
@click.option("--recipe", default="default", show_default=True, help="Work for int8 accuracy: fast, default or best.")
@click.option("--io", default="uint8", show_default=True, help="Input of the int8 model: uint8, int8 or float32.")
@click.option(
    "--granularity", default="channel", show_default=True, help="Weight scales: one a channel, or one a tensor."
)
@click.option("--max-drop", type=float, metavar="POINTS", help="Points of top-1 int8 may lose; needs --val.")
@click.option(
    "--min-agreement", type=float, metavar="PERCENT", help="Images on which int8 gives fp32's top-1; needs --val."
)
@click.option("--full-integer", is_flag=True, help="Leave no layer in float, even where an accuracy floor is missed.")
@click.option("--calib-count", type=click.IntRange(1), default=512, show_default=True, help="Images of --calib to use.")
@click.option(
    "--calib-choice", default="balanced", show_default=True, help="Which: balanced, coverage, or a calibration.json."
)
@click.option("--allow-overlap", is_flag=True, help="Accept pictures that both calibrate and validate.")
@click.option("--sensitivity", is_flag=True, help="Also write sensitivity.csv: what each layer's rounding costs.")
@click.option("--device", default="local", show_default=True, help="The device the OpenVINO model is for.")
@click.option("--formats", default="tflite,openvino", show_default=True, help="Formats to write.")
@click.option("--threads", type=click.IntRange(1), help="Threads of an inference.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of every random choice.")
@click.option("--output", type=_path, default=Path("out"), show_default=True, help="Folder to write.")
@click.option("--json", "as_json", is_flag=True, help="JSON to standard output, and nothing else there.")
def quantize(
    model: Path,
    preprocessing: Path | None,
    max_drop: float | None,
    min_agreement: float | None,
    formats: str,
    as_json: bool,
    **options: Any,
) -> None:
    """Quantize a float MODEL, a .tflite or .keras classifier with a batch of one, to int8.

    With --max-drop or --min-agreement, layers stay in float where all in int8 would miss it.

    \b
    Examples:
      edgeffnet quantize model.tflite --preprocessing model.json --calib photos/ --val val.csv
      edgeffnet quantize model.keras --preprocessing model.json --calib photos/ --recipe best
      edgeffnet quantize model.tflite --preprocessing model.json --calib photos/ --val val.csv --min-agreement 99.3
      edgeffnet quantize model.tflite --preprocessing model.json --calib photos/ --sensitivity
    """
    from edgeffnet.budget import Budget
    from edgeffnet.quantization import quantize as run

    chosen = [name.strip() for name in formats.split(",") if name.strip()]
    floor = Budget(drop=max_drop, agreement=min_agreement)
    found = run(model, preprocessing, budget=floor, formats=chosen, **options)
    if as_json:
        click.echo(json.dumps(found.to_dict(), indent=2, ensure_ascii=False))
        return
    from edgeffnet.report.terminal import show_quantized

    show_quantized(found)
