"""The options of a build that trains first."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from edgeffnet.commands.interrupts import when_interrupted

if TYPE_CHECKING:
    from edgeffnet.training.train import Options
    from edgeffnet.wanted import NetworkOptions, Wanted

F = TypeVar("F", bound=Callable[..., Any])

_OPTIONS = (
    click.option(
        "--data",
        type=click.Path(path_type=Path),
        metavar="PATH",
        help="Images of your own classes to train on first: class folders, or a CSV with columns `file,label[,split]`.",
    ),
    click.option("--time", metavar="TIME", help="How long training on --data may take, such as 10m; 4m otherwise."),
    click.option("--epochs", type=click.IntRange(0), help="So many epochs on --data, however long they take."),
    click.option("--distill", is_flag=True, help="Learn from the checkpoint that the weights came from, too."),
    click.option("--strict", is_flag=True, help="Fail when an image of --data cannot be read."),
)


def training_options(command: F) -> F:
    """Adds --data and what belongs to it."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def training_of(options: dict[str, Any]) -> Options:
    """What `training_options` filled in, but for --data, taken out of `options`; UsageError where that is missing."""
    from edgeffnet.training.train import Options

    given = {name: options.pop(name) for name in ("time", "epochs", "distill", "strict")}
    if options["data"] is None and (named := next((name for name, value in given.items() if value), None)):
        raise click.UsageError(f"--{named} is for training: give --data too")
    return Options(
        seconds=seconds_of(given["time"]), epochs=given["epochs"], distill=given["distill"], strict=given["strict"]
    )


def saying_what_is_kept(output: Path) -> AbstractContextManager[None]:
    """Says on standard error, where a build is interrupted, that its training goes on when it is started again."""
    from edgeffnet.training.building import kept_folder

    def say() -> None:
        if any(kept_folder(output).glob("*/checkpoint.safetensors")):
            click.echo(f"the training so far is kept in {kept_folder(output)}: the same command goes on", err=True)

    return when_interrupted(say)


def networks_to_train(data: Path, networks: NetworkOptions, training: Options, output: Path) -> tuple[Wanted, ...]:
    """The networks that a build would choose from to train."""
    from edgeffnet.report.progress import Steps
    from edgeffnet.training.building import TrainingOfBuild

    return TrainingOfBuild(data, networks, training, output, Steps()).wanted()


def seconds_of(text: str | None) -> float | None:
    """The seconds of a --time that was given; UsageError for no time."""
    from edgeffnet.budget import seconds

    return None if text is None else seconds(text, "--time")
