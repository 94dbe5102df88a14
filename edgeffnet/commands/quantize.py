"""`edgeffnet quantize`: a float model of the user's own, in int8."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from edgeffnet.commands.bundle import bundle_options, parts_of
from edgeffnet.commands.int8 import int8_options
from edgeffnet.commands.report import say_missing_page

_path = click.Path(path_type=Path)


@click.command()
@click.argument("model", type=_path)
@click.option(
    "--preprocessing", type=_path, metavar="FILE", help="What the model expects of its images: a preprocessing.json."
)
@int8_options
@click.option("--labels", type=_path, metavar="FILE", help="Class names, one a line, in output order.")
@click.option("--sensitivity", is_flag=True, help="Also write sensitivity.csv: what each layer's rounding costs.")
@click.option("--device", default="local", show_default=True, help="The device the OpenVINO model is for.")
@click.option("--formats", default="tflite,openvino", show_default=True, help="Formats to write.")
@click.option("--threads", type=click.IntRange(1), help="Threads of an inference.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of every random choice.")
@click.option("--no-cache", "cached", flag_value=False, default=True, help="Take no step from earlier runs.")
@bundle_options
@click.option("--output", type=_path, default=Path("out"), show_default=True, help="Folder to write.")
@click.option("--json", "as_json", is_flag=True, help="JSON to standard output, and nothing else there.")
def quantize(
    model: Path,
    preprocessing: Path | None,
    max_drop: float | None,
    min_agreement: float | None,
    formats: str,
    bundle: str,
    as_json: bool,
    **options: Any,
) -> None:
    """Quantize a float MODEL, a .tflite or .keras classifier with a batch of one, to int8.

    Weights that `edgeffnet train` wrote, .safetensors too, say themselves what they expect of images.

    With --max-drop or --min-agreement, layers stay in float where all in int8 would miss it.

    \b
    Examples:
      edgeffnet quantize model.tflite --preprocessing model.json --calib photos/ --val val.csv
      edgeffnet quantize model.keras --preprocessing model.json --calib photos/ --recipe best
      edgeffnet quantize model.tflite --preprocessing model.json --calib photos/ --val val.csv --min-agreement 99.3
      edgeffnet quantize model.tflite --preprocessing model.json --calib photos/ --sensitivity
      edgeffnet quantize flowers.keras --calib flowers/train --val flowers/val
    """
    from edgeffnet.budget import Budget
    from edgeffnet.quantization import quantize as run
    from edgeffnet.report.document import to_json

    chosen = [name.strip() for name in formats.split(",") if name.strip()]
    floor = Budget(drop=max_drop, agreement=min_agreement)
    found = run(model, preprocessing, budget=floor, formats=chosen, bundle=parts_of(bundle, "--bundle"), **options)
    say_missing_page()
    if as_json:
        click.echo(to_json(found.to_dict()), nl=False)
        return
    from edgeffnet.report.terminal import show_quantized

    show_quantized(found)
