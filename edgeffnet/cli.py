"""The command line: parse, call, print. Heavy imports happen inside the command that needs them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from edgeffnet.commands.audit import audit as audit_command
from edgeffnet.commands.bundle import bundle as bundle_command
from edgeffnet.commands.bundle import bundle_options, parts_of
from edgeffnet.commands.bundle import rebuild as rebuild_command
from edgeffnet.commands.bundle import verify as verify_command
from edgeffnet.commands.cache import cache as cache_command
from edgeffnet.commands.completion import completion as completion_command
from edgeffnet.commands.completion import device_names
from edgeffnet.commands.doctor import doctor as doctor_command
from edgeffnet.commands.int8 import int8_options
from edgeffnet.commands.interrupts import Interrupts
from edgeffnet.commands.limits import budget_of, limit_options
from edgeffnet.commands.networks import network_options
from edgeffnet.commands.profile import profile as profile_command
from edgeffnet.commands.quantize import quantize as quantize_command
from edgeffnet.commands.report import report as report_command
from edgeffnet.commands.report import say_missing_page
from edgeffnet.commands.scale import scale as scale_command
from edgeffnet.commands.sweep import sweep as sweep_command
from edgeffnet.commands.target import target as target_commands
from edgeffnet.commands.train import train as train_command
from edgeffnet.commands.training import networks_to_train, saying_what_is_kept, training_of, training_options
from edgeffnet.errors import EdgeffnetError, UsageError
from edgeffnet.report.wording import readable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgeffnet.budget import Budget
    from edgeffnet.report.frontier import Point
    from edgeffnet.wanted import NetworkOptions, Wanted

_CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class _Group(click.Group):
    """Turns every error into one line on standard error and the exit code of its cause."""

    def main(self, *args: Any, **kwargs: Any) -> NoReturn:
        Interrupts.listen()
        try:
            code = super().main(*args, **{**kwargs, "standalone_mode": False})
            sys.exit(code if isinstance(code, int) else 0)
        except click.exceptions.Exit as error:
            sys.exit(error.exit_code)
        except (click.Abort, KeyboardInterrupt):
            _interrupted()
        except BrokenPipeError:
            sys.stderr.close()
            sys.exit(1)
        except Exception as error:
            if Interrupts.came:
                _interrupted()
            if isinstance(error, EdgeffnetError):
                _fail(str(error), error.exit_code)
            if isinstance(error, click.ClickException):
                _fail(error.format_message(), UsageError.exit_code)
            raise


def _interrupted() -> NoReturn:
    _fail("interrupted; nothing was written", 130)


def _fail(message: str, code: int) -> NoReturn:
    # A name in it may hold what a terminal takes for a command.
    click.echo(f"edgeffnet: {readable(' '.join(message.split()))}", err=True)
    sys.exit(code)


@click.group(cls=_Group, context_settings=_CONTEXT)
@click.version_option(package_name="edgeffnet", message="%(version)s")
def main() -> None:
    """The largest EfficientNet that runs in time on your device, in int8.

    \b
    Examples:
      edgeffnet build --device rpi4 --max-latency 50ms
      edgeffnet build --device local --max-latency 8ms --calib photos/ --val val.csv
      edgeffnet audit out --val val.csv --max-drop 0.5
      edgeffnet predict out/model_int8.tflite cat.jpg
      edgeffnet train --data flowers --variant lite0 --output flowers.keras
      edgeffnet devices rpi4
    """


_TARGET = "Where to measure: local, or ssh://user@host[:port][?python=/path], adb://serial, qemu://cortex-a72."
_as_json = click.option("--json", "as_json", is_flag=True, help="JSON to standard output, and nothing else there.")


@main.command()
@click.option(
    "--device",
    default="local",
    show_default=True,
    shell_complete=device_names,
    help="A profile's name (`edgeffnet devices`) or TOML file.",
)
@limit_options
@training_options
@network_options
@int8_options
@click.option("--threads", type=int, help="Threads of an inference; the device's own default otherwise.")
@click.option("--percentile", type=float, default=90, show_default=True, help="Latency percentile the budget is for.")
@click.option("--formats", default="tflite,openvino,onnx", show_default=True, help="Formats to write.")
@click.option(
    "--output", type=click.Path(path_type=Path), default=Path("out"), show_default=True, help="Folder to write."
)
@bundle_options
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of every random choice.")
@click.option("--target", metavar="URL", help=_TARGET)
@click.option(
    "--risk",
    default="5%",
    show_default=True,
    metavar="PERCENT",
    help="Chance that what is estimated to fit is too slow.",
)
@click.option(
    "--tune-resolution", is_flag=True, help="Try the weights at other input sizes, by accuracy on half of --val."
)
@click.option(
    "--plot", type=click.Path(path_type=Path), metavar="SVG", help="Where to draw latency against accuracy and size."
)
@click.option("--no-cache", "cached", flag_value=False, default=True, help="Take no step from earlier builds.")
@click.option(
    "--no-latency", "timed", flag_value=False, default=True, help="Measure no latency: for a machine that is busy."
)
@click.option("--dry-run", is_flag=True, help="Only tell what would be chosen, from estimates.")
@_as_json
def build(
    device: str,
    max_drop: float | None,
    min_agreement: float | None,
    formats: str,
    risk: str,
    plot: Path | None,
    dry_run: bool,
    bundle: str,
    as_json: bool,
    **options: Any,
) -> None:
    """Find, quantize, convert and validate the largest network within a budget.

    The int8 model takes raw RGB pixels and returns probabilities (--io uint8), takes pixels - 128 and returns
    integer logits (int8), or takes normalised floats and returns probabilities (float32).

    \b
    Examples:
      edgeffnet build --device rpi4 --max-latency 50ms
      edgeffnet build --device rpi4 --max-latency 50ms --dry-run
      edgeffnet build --device local --max-latency 8ms --max-drop 1 --calib photos/ --val val.csv
      edgeffnet build --variant lite0 --min-agreement 99.3 --calib photos/ --val val.csv
      edgeffnet build --device rpi4 --max-latency 30ms --tune-resolution --val val.csv
      edgeffnet build --variant lite0 --io int8 --output lite0-int8
      edgeffnet build --variant lite0 --bundle android,cpp,python
      edgeffnet build --data flowers --device rpi4 --max-latency 50ms
      edgeffnet build --variant b0 --weights b0.safetensors --preprocessing b0.json
      edgeffnet build --phi -1.5 --weights random --output latency-only
      edgeffnet build --device rpi4 --max-latency 50ms --phi any --risk 10% --dry-run --plot frontier.svg
    """
    from edgeffnet.budget import LARGEST_RISK, LEAST_RISK, share
    from edgeffnet.build import build as run
    from edgeffnet.wanted import NetworkOptions

    budget = budget_of(options, drop=max_drop, agreement=min_agreement)
    options["bundle"] = parts_of(bundle, "--bundle")
    if not options["timed"] and budget.latency is not None and (options["target"] or device == "local"):
        raise UsageError("--no-latency: --max-latency is held against what is measured there: leave out one of them")
    training = training_of(options)
    named = {name: options.pop(name) for name in NetworkOptions.__dataclass_fields__}
    chance = share(risk, "--risk", LEAST_RISK, LARGEST_RISK)
    if dry_run:
        if options["tune_resolution"]:
            raise UsageError("--tune-resolution measures accuracy, which a --dry-run does not")
        networks = NetworkOptions(**named)
        wanted = networks_to_train(options["data"], networks, training, options["output"]) if options["data"] else ()
        _plan(device, budget, networks, options["threads"], options["percentile"], chance, plot, as_json, wanted)
        return
    if plot is not None:
        _require_writable(plot)
    chosen_formats = [name.strip() for name in formats.split(",") if name.strip()]
    with saying_what_is_kept(options["output"]):
        report = run(
            device,
            budget,
            networks=NetworkOptions(**named),
            formats=chosen_formats,
            risk=chance,
            training=training,
            **options,
        )
    if plot is not None:
        _draw(plot, report.frontier, report.device, budget, report.percentile)
    say_missing_page()
    if as_json:
        click.echo(report.to_json(), nl=False)
        return
    from edgeffnet.report.terminal import show

    show(report)


def _plan(
    device: str,
    budget: Budget,
    networks: NetworkOptions,
    threads: int | None,
    percentile: float,
    risk: float,
    plot: Path | None,
    as_json: bool,
    wanted: Sequence[Wanted] = (),
) -> None:
    from edgeffnet.planning import plan

    found = plan(device, budget, networks, threads, percentile, risk, wanted)
    if plot is not None:
        _require_writable(plot)
        _draw(plot, found.frontier, device, budget, percentile)
    if as_json:
        click.echo(json.dumps(found.to_dict(), indent=2, ensure_ascii=False))
        return
    from edgeffnet.report.terminal import show_plan

    show_plan(found)


def _require_writable(plot: Path) -> None:
    from edgeffnet.report.plots.canvas import require_library

    require_library("--plot")
    if plot.is_dir() or not plot.absolute().parent.is_dir():
        raise UsageError(f"--plot {plot}: not a file in a folder that is there")


def _draw(plot: Path, points: Sequence[Point], device: str, budget: Budget, percentile: float) -> None:
    from edgeffnet.report.plots.frontier import svg

    drawn = svg([point.to_dict() for point in points], device, budget.latency_ms, percentile)
    try:
        plot.write_text(drawn, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"--plot {plot}: {error.strerror}") from None


@main.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("images", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--top", type=click.IntRange(1), default=5, show_default=True, help="Classes to name for each image.")
@click.option("--threads", type=click.IntRange(1), default=1, show_default=True)
@_as_json
def predict(model: Path, images: tuple[Path, ...], top: int, threads: int, as_json: bool) -> None:
    """Classify IMAGES with a MODEL of a bundle, by the contract the bundle ships.

    \b
    Examples:
      edgeffnet predict out/model_int8.tflite cat.jpg dog.jpg
      edgeffnet predict out/openvino/model_int8.xml cat.jpg --top 1 --json
    """
    from edgeffnet.prediction import predict as run

    made = run(model, images, top=top, threads=threads)
    if as_json:
        click.echo(json.dumps([prediction.to_dict() for prediction in made], indent=2, ensure_ascii=False))
        return
    for prediction in made:
        click.echo(readable(prediction.image))
        for name, probability in prediction.classes:
            click.echo(f"  {probability:6.1%}  {readable(name)}")


@main.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option(
    "--val",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="Validation images: class folders or a CSV with columns `file,label`.",
)
@click.option("--target", "targets", multiple=True, default=("local",), show_default=True, help=_TARGET)
@click.option("--threads", type=click.IntRange(1), help="Threads of an inference; one for each fast core otherwise.")
@click.option("--percentile", type=click.FloatRange(50, 99), default=90, show_default=True)
@click.option("--mlperf", is_flag=True, help="MLPerf's single stream: at least 1,024 inferences and 60 s, p90.")
@click.option("--strict", is_flag=True, help="Fail when the clock moved, the board throttled, or others computed.")
@click.option("--sustained", metavar="TIME", help="Also run for TIME, such as 10m, without a pause.")
@click.option(
    "--plot", type=click.Path(path_type=Path), metavar="SVG", help="Where to draw the --sustained run; sustained.svg."
)
@click.option("--require-delegated", is_flag=True, help="Fail when an operator ran outside the accelerated path.")
@click.option(
    "--output", type=click.Path(path_type=Path), metavar="DIR", help="Folder for report.json and report.html."
)
@_as_json
def validate(path: Path, val: Path | None, targets: tuple[str, ...], as_json: bool, **options: Any) -> None:
    """Measure latency, and with --val accuracy, of a bundle (or one model in it) here or on a target.

    With --target given more than once, the targets share the images.

    \b
    Examples:
      edgeffnet validate out --val val.csv --output validation
      edgeffnet validate out/model_int8.tflite --threads 1 --json
      edgeffnet validate out --target ssh://pi@raspberrypi.local --val val.csv
      edgeffnet validate out/model_int8.tflite --target qemu://cortex-a72 --val val.csv
      edgeffnet validate out --target ssh://pi@one --target ssh://pi@two --val val.csv
      edgeffnet validate out --target 'adb://R58M123ABC?benchmark_model=android_aarch64_benchmark_model'
    """
    from edgeffnet.bundle.validate import validate as run
    from edgeffnet.report.document import to_json

    found = run(path, val, targets=targets, **options)
    if options["output"] is not None:
        say_missing_page()
    if as_json:
        click.echo(to_json(found.to_dict()), nl=False)
        return
    from edgeffnet.report.terminal import show_validation

    show_validation(found)


@main.command()
@click.argument("name", required=False, shell_complete=device_names)
@click.option("--explain", is_flag=True, help="Show how the latency estimate is made and how far it errs.")
@click.option("--precision", default="int8", show_default=True, type=click.Choice(["int8", "fp32"]))
@_as_json
def devices(name: str | None, explain: bool, precision: str, as_json: bool) -> None:
    """List the device profiles, or show one.

    \b
    Examples:
      edgeffnet devices
      edgeffnet devices rpi4 --explain
      edgeffnet devices rpi4 --json
    """
    from edgeffnet.report import device_tables

    if explain:
        if name is None:
            raise UsageError("--explain needs a device's name: `edgeffnet devices` lists them")
        device_tables.show_explanation(name, precision, as_json)
        return
    if as_json:
        found = device_tables.listing() if name is None else device_tables.details(name)
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
    elif name is None:
        device_tables.show_listing(device_tables.listing())
    else:
        device_tables.show_details(device_tables.details(name))


main.add_command(audit_command)
main.add_command(verify_command)
main.add_command(rebuild_command)
main.add_command(bundle_command)
main.add_command(cache_command)
main.add_command(completion_command)
main.add_command(doctor_command)
main.add_command(profile_command)
main.add_command(quantize_command)
main.add_command(report_command)
main.add_command(scale_command)
main.add_command(sweep_command)
main.add_command(target_commands)
main.add_command(train_command)
