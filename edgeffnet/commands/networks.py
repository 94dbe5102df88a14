"""The options that say which networks are meant, shared by `build` and `scale`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


class Phi(click.types.FloatParamType):
    """A number, or "any"."""

    name = "number|any"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return value if value == "any" else super().convert(value, param, ctx)


def family_option(default: str) -> Callable[[F], F]:
    """Adds --family, which is called --arch too."""
    return click.option(
        "--family",
        "--arch",
        "family",
        default=default,
        show_default=True,
        help="The network that is scaled: lite, efficientnet, mobilenet_v1, mobilenet_v2, resnet50 or resnet152.",
    )


_RULE_OPTIONS = (
    family_option("lite"),
    click.option("--rule", default="compound", show_default=True, help="Scaling rule of --phi: compound or tinynet."),
    click.option("--alpha", type=float, default=1.2, show_default=True, help="Depth per unit of phi."),
    click.option("--beta", type=float, default=1.1, show_default=True, help="Width per unit of phi."),
    click.option("--gamma", type=float, default=1.15, show_default=True, help="Resolution per unit of phi."),
    click.option("--width", type=float, help="Width multiplier in place of the rule's."),
    click.option("--depth", type=float, help="Depth multiplier in place of the rule's."),
    click.option("--resolution", type=int, help="Input pixels in place of the rule's."),
)

_CLASSES = click.option("--classes", type=click.IntRange(1), help="Number of classes, where it is not 1000.")

_WEIGHT_OPTIONS = (
    click.option("--variant", help="One variant, such as lite0 or b3, instead of a search."),
    click.option(
        "--phi", type=Phi(), help="One compound coefficient, with --weights FILE or random; or any, with random ones."
    ),
    click.option(
        "--weights",
        default="imagenet",
        show_default=True,
        help="imagenet, random (latency only), or a .keras, .h5, .safetensors, .pth or .pt file.",
    ),
    click.option(
        "--preprocessing",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="What a checkpoint expects of its images: a preprocessing.json as bundles hold it.",
    ),
    click.option(
        "--labels", type=click.Path(path_type=Path), metavar="FILE", help="Class names, one a line, in output order."
    ),
)


def rule_options(command: F) -> F:
    """Adds the options of family, rule and coefficients."""
    return _with(command, _RULE_OPTIONS)


def class_option(command: F) -> F:
    """Adds --classes."""
    return _with(command, (_CLASSES,))


def network_options(command: F) -> F:
    """Adds every field of `NetworkOptions` as an option."""
    return _with(command, (*_WEIGHT_OPTIONS, *_RULE_OPTIONS, _CLASSES))


def _with(command: F, options: tuple[Callable[..., Any], ...]) -> F:
    for option in reversed(options):
        command = option(command)
    return command
