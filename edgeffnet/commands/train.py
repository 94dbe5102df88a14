"""`edgeffnet train`: weights for the user's own classes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from edgeffnet.commands.interrupts import when_interrupted
from edgeffnet.commands.networks import rule_options
from edgeffnet.commands.training import seconds_of

_path = click.Path(path_type=Path)


@click.command()
@click.option(
    "--data",
    type=_path,
    required=True,
    metavar="PATH",
    help="Images: class folders, with or without train and val, or a CSV with columns `file,label[,split]`.",
)
@click.option("--variant", help="The network, such as lite0 or b0.")
@click.option("--phi", type=float, help="The network by its compound coefficient, such as 0.35.")
@rule_options
@click.option(
    "--weights",
    default="imagenet",
    show_default=True,
    help="What to begin from: imagenet (the nearest checkpoint), random, or a file of weights.",
)
@click.option(
    "--preprocessing", type=_path, metavar="FILE", help="What a checkpoint expects of its images: a preprocessing.json."
)
@click.option("--recipe", default="transfer", show_default=True, help="transfer, or paper (section 5.2).")
@click.option("--time", metavar="TIME", help="How long it may take, such as 10m; 10m without --epochs.")
@click.option("--epochs", type=click.IntRange(0), help="So many epochs of fine-tuning; 0 fits the classifier alone.")
@click.option("--batch", type=click.IntRange(1), help="Images of a step; 32 otherwise.")
@click.option("--val-share", type=float, help="Share of each class that validates where the data do not say; 0.2.")
@click.option("--mix", type=float, default=0.0, show_default=True, help="Alpha of mixup: mixed images; 0 for none.")
@click.option("--drop-connect", type=float, help="Chance of stochastic depth at the last block.")
@click.option("--distill", is_flag=True, help="Learn from the checkpoint that the weights came from, too.")
@click.option("--strict", is_flag=True, help="Fail when an image cannot be read.")
@click.option("--allow-overlap", is_flag=True, help="Accept pictures that both train and validate.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of every random choice.")
@click.option(
    "--output",
    type=_path,
    default=Path("model.keras"),
    show_default=True,
    help="Weights to write; .keras and .safetensors are both written.",
)
@click.option("--force", is_flag=True, help="Replace weights that --output holds.")
@click.option("--json", "as_json", is_flag=True, help="JSON to standard output, and nothing else there.")
def train(
    data: Path,
    variant: str | None,
    phi: float | None,
    weights: str,
    preprocessing: Path | None,
    time: str | None,
    val_share: float | None,
    output: Path,
    force: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Train an EfficientNet on your own images, from the weights there are.

    First a classifier on frozen features, then all layers. A phi without weights inherits those of the nearest
    checkpoint. Beside the weights a folder holds metrics.csv, split.csv and the report; interrupted, the same
    command goes on. A GPU is used where CUDA_VISIBLE_DEVICES names one.

    \b
    Examples:
      edgeffnet train --data flowers --variant lite0 --output flowers.keras
      edgeffnet train --data flowers --phi -0.7 --time 5m --distill --output small.keras
      edgeffnet train --data flowers --variant b0 --weights random --recipe paper --epochs 350
      edgeffnet build --weights flowers.keras --device rpi4 --val flowers/val
    """
    from edgeffnet.report.document import to_json
    from edgeffnet.training.checkpoint import NAME
    from edgeffnet.training.dataset import VALIDATION_SHARE
    from edgeffnet.training.train import Options, work_folder
    from edgeffnet.training.train import train as run
    from edgeffnet.wanted import NetworkOptions

    rule = {name: options.pop(name) for name in _RULE}
    networks = NetworkOptions(variant=variant, phi=phi, weights=weights, preprocessing=preprocessing, **rule)
    seconds = seconds_of(time)
    share = VALIDATION_SHARE if val_share is None else val_share

    def say() -> None:
        if (work_folder(output) / NAME).is_file():
            click.echo(f"the last epoch is kept in {work_folder(output)}: the same command goes on", err=True)

    with when_interrupted(say):
        found = run(
            data, output, networks=networks, options=Options(seconds=seconds, share=share, **options), force=force
        )
    if as_json:
        click.echo(to_json(found.report()), nl=False)
        return
    from edgeffnet.report.training_tables import show

    show(found)


_RULE = ("family", "rule", "alpha", "beta", "gamma", "width", "depth", "resolution")
