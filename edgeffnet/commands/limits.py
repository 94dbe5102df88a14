"""The options that limit what a network may cost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from edgeffnet.budget import READERS, Budget

F = TypeVar("F", bound=Callable[..., Any])

_OPTIONS = (
    click.option("--max-latency", metavar="TIME", help="Latency budget, such as 50ms or 0.2s."),
    click.option("--max-size", metavar="SIZE", help="Budget for the int8 .tflite file, such as 8MB."),
    click.option("--max-memory", metavar="SIZE", help="Budget for the peak of live int8 activations, such as 512kB."),
    click.option("--max-macs", metavar="COUNT", help="Budget for multiply-adds, such as 400M."),
    click.option("--max-parameters", metavar="COUNT", help="Budget for parameters, such as 5M."),
)


def limit_options(command: F) -> F:
    """Adds `--max-latency`, `--max-size`, `--max-memory`, `--max-macs` and `--max-parameters`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def budget_of(options: dict[str, Any], drop: float | None = None, agreement: float | None = None) -> Budget:
    """The Budget that `limit_options` filled in, taken out of `options`; UsageError names the option at fault."""
    limits: dict[str, Any] = {}
    for name, number in READERS.items():
        text = options.pop(f"max_{name}")
        limits[name] = None if text is None else number(text, f"--max-{name}")
    return Budget(**limits, drop=drop, agreement=agreement)
