"""The options of an int8 model: its images, its accuracy, and what it may cost to keep."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

_path = click.Path(path_type=Path)

_OPTIONS = (
    click.option("--max-drop", type=float, metavar="POINTS", help="Points of top-1 int8 may lose; needs --val."),
    click.option(
        "--min-agreement", type=float, metavar="PERCENT", help="Images on which int8 gives fp32's top-1; needs --val."
    ),
    click.option("--calib", type=_path, metavar="PATH", help="Calibration images: a folder or a CSV."),
    click.option("--val", type=_path, metavar="PATH", help="Validation images: class folders or a CSV."),
    click.option("--io", default="uint8", show_default=True, help="Input of the int8 model: uint8, int8 or float32."),
    click.option(
        "--recipe", default="default", show_default=True, help="Work for int8 accuracy: fast, default or best."
    ),
    click.option(
        "--granularity", default="channel", show_default=True, help="Weight scales: one a channel, or one a tensor."
    ),
    click.option(
        "--full-integer", is_flag=True, help="Leave no layer in float, even where an accuracy floor is missed."
    ),
    click.option(
        "--calib-count",
        type=click.IntRange(1),
        help="Images of --calib to use; 512 otherwise, and 128 of --data.",
    ),
    click.option(
        "--calib-choice",
        default="balanced",
        show_default=True,
        help="Which: balanced, coverage, or a calibration.json.",
    ),
    click.option("--allow-overlap", is_flag=True, help="Accept pictures that both calibrate and validate."),
)


def int8_options(command: F) -> F:
    """Adds the options that `build` and `quantize` share."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
