"""`edgeffnet scale`: what networks are and cost, and the search for the constants they are scaled by."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from edgeffnet.commands.completion import device_names
from edgeffnet.commands.limits import budget_of, limit_options
from edgeffnet.commands.networks import class_option, family_option, rule_options
from edgeffnet.errors import UsageError

if TYPE_CHECKING:
    from edgeffnet.grid.short_training import Short
    from edgeffnet.wanted import NetworkOptions

F = TypeVar("F", bound=Callable[..., Any])

_as_json = click.option("--json", "as_json", is_flag=True, help="JSON to standard output, and nothing else there.")

_SHORT = (
    click.option("--epochs", type=int, default=2, show_default=True, help="Epochs of each short training."),
    click.option("--seeds", type=int, default=2, show_default=True, help="Short trainings of each network."),
    click.option(
        "--weights", default="random", show_default=True, help="What a short training begins from: random or imagenet."
    ),
    click.option(
        "--journal",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Where findings are kept: the same command goes on from there.",
    ),
)


def _short_training(command: F) -> F:
    for option in reversed(_SHORT):
        command = option(command)
    return command


@click.group(invoke_without_command=True)
@click.option("--variant", "variants", multiple=True, help="A variant such as lite0 or b3; repeat for more.")
@click.option("--phi", "phis", multiple=True, type=float, help="A compound coefficient, such as 0.35; repeat for more.")
@rule_options
@class_option
@limit_options
@click.option("--device", shell_complete=device_names, help="Add the estimated int8 latency on this device.")
@click.option(
    "--plot",
    type=click.Path(path_type=Path),
    metavar="SVG",
    help="Draw B0 (or --arch) scaled by depth, width, resolution and all three; --device local measures latency.",
)
@click.option(
    "--accuracy",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="With --plot: train each network on these images for a little while, and draw what it learnt.",
)
@_short_training
@click.option("--csv", "as_csv", is_flag=True, help="CSV to standard output.")
@_as_json
@click.pass_context
def scale(
    context: click.Context,
    /,
    variants: tuple[str, ...],
    phis: tuple[float, ...],
    device: str | None,
    plot: Path | None,
    accuracy: Path | None,
    **options: Any,
) -> None:
    """Show what networks are and cost; all official variants when none is named.

    With a budget (--max-...) it finds the largest real phi within all of it, and says which part
    binds. Published figures stand in brackets beside ours, which count every convolution and dense layer.

    \b
    Examples:
      edgeffnet scale --variant lite0
      edgeffnet scale --phi 0.35 --phi -1.5 --device rpi4
      edgeffnet scale --family efficientnet --phi -1 --rule tinynet --json
      edgeffnet scale --arch mobilenet_v2 --phi 1
      edgeffnet scale --device rpi4 --max-latency 25ms --max-size 5MB
      edgeffnet scale --family efficientnet --rule tinynet --max-macs 150M --max-memory 2MB
      edgeffnet scale --plot fig8.svg --device rpi4
      edgeffnet scale --plot fig8.svg --arch lite --resolution 64 --accuracy flowers --weights imagenet --phi 0 --phi 1
      edgeffnet scale search --device rpi4
    """
    if context.invoked_subcommand is not None:
        _require_nothing_before(context)
        return
    from edgeffnet.report import scale_tables
    from edgeffnet.wanted import NetworkOptions

    as_csv, as_json, journal = options.pop("as_csv"), options.pop("as_json"), options.pop("journal")
    training = {name: options.pop(name) for name in ("epochs", "seeds", "weights")}
    _require_use(context, plot, accuracy)
    if as_csv and as_json:
        raise UsageError("--csv and --json: give one of them")
    budget = budget_of(options)
    if plot is not None:
        if variants or budget.limits or as_csv:
            raise UsageError("--plot draws one network at several --phi: leave out --variant, budgets and --csv")
        if context.get_parameter_source("family") is ParameterSource.DEFAULT:
            options["family"] = "efficientnet"
        from edgeffnet.grid.short_training import Short

        short = Short(accuracy, **training) if accuracy else None
        _draw(plot, NetworkOptions(**options), phis, device, as_json, short, journal)
        return
    networks = NetworkOptions(**options)
    if not budget.limits:
        rows = scale_tables.rows(variants, phis, networks, device)
    elif variants or phis:
        raise UsageError("a budget finds its own phi: leave out --variant and --phi, or the budget")
    else:
        rows = scale_tables.largest(budget, networks, device)
    if as_json:
        click.echo(json.dumps(rows, indent=2))
    elif as_csv:
        click.echo(scale_tables.to_csv(rows), nl=False)
    else:
        scale_tables.show(rows)


def _draw(
    plot: Path,
    networks: NetworkOptions,
    phis: tuple[float, ...],
    device: str | None,
    as_json: bool,
    short: Short | None,
    journal: Path | None,
) -> None:
    from edgeffnet.report import curve_tables

    points = curve_tables.draw(plot, networks, phis, device, short, journal)
    if as_json:
        click.echo(json.dumps([point.to_dict() for point in points], indent=2))
        return
    curve_tables.show(points, plot)


def _require_use(context: click.Context, plot: Path | None, accuracy: Path | None) -> None:
    """Options that nothing would come of are refused."""
    if accuracy is not None and plot is None:
        raise UsageError("--accuracy is drawn: give --plot as well")
    for name in ("epochs", "seeds", "weights", "journal"):
        if accuracy is None and context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            raise UsageError(f"--{name} belongs to short trainings: give --plot and --accuracy")


def _require_nothing_before(context: click.Context) -> None:
    """Options of the group do nothing for its commands: they are not passed over in silence."""
    command = context.command
    for parameter in command.params:
        if context.get_parameter_source(str(parameter.name)) is ParameterSource.COMMANDLINE:
            name = context.invoked_subcommand
            raise UsageError(f"{parameter.opts[0]} stands before `{name}`: options of `scale {name}` come after it")


@scale.command()
@family_option("efficientnet")
@click.option("--width", type=float, default=1.0, show_default=True, help="Width multiplier of the base network.")
@click.option("--depth", type=float, default=1.0, show_default=True, help="Depth multiplier of the base network.")
@click.option("--resolution", type=int, default=224, show_default=True, help="Input pixels of the base network.")
@click.option("--factor", type=float, default=2.0, show_default=True, help="What phi 1 costs over phi 0.")
@click.option(
    "--tolerance", default="5%", show_default=True, metavar="PERCENT", help="How far from --factor is near enough."
)
@click.option("--step", type=float, default=0.05, show_default=True, help="Step of alpha, beta and gamma.")
@click.option("--most", type=int, help="Candidates at most; 16 where latency is measured, otherwise all.")
@click.option(
    "--device",
    shell_complete=device_names,
    help="Constrain the latency on this device, as estimated (local: measured), and not FLOPs.",
)
@click.option("--target", metavar="URL", help="Constrain the latency measured there, such as ssh://pi@board.")
@click.option("--threads", type=click.IntRange(1), help="Threads of an inference; the device's own default otherwise.")
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="Rank them by short trainings on these images, as `edgeffnet train` takes them.",
)
@_short_training
@_as_json
def search(as_json: bool, **options: Any) -> None:
    """List the alpha, beta and gamma that double a network's cost at phi 1 (step 1 of the paper's section 3.3).

    The cost is FLOPs, taken as alpha*beta^2*gamma^2, or with --device or --target a latency: on a processor the three
    do not cost what FLOPs say. With --data each candidate is trained for a little while and the best stands first;
    interrupted, the same command with --journal goes on.

    \b
    Examples:
      edgeffnet scale search
      edgeffnet scale search --tolerance 2% --json
      edgeffnet scale search --arch mobilenet_v2 --device rpi4
      edgeffnet scale search --target ssh://pi@board --most 8 --journal search.jsonl
      edgeffnet scale search --device local --width 0.5 --resolution 96 --step 0.1
      edgeffnet scale search --arch lite --data flowers --weights imagenet --resolution 96 --most 4
    """
    from edgeffnet.grid.request import search as run
    from edgeffnet.report import grid_tables

    found = run(**options)
    if as_json:
        click.echo(json.dumps(found.to_dict(), indent=2))
        return
    grid_tables.show(found)
