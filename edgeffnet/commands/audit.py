"""`edgeffnet audit`: an int8 model beside its reference, with a verdict and a report."""

from __future__ import annotations

from pathlib import Path

import click

from edgeffnet.commands.interrupts import when_interrupted
from edgeffnet.commands.report import say_missing_page

_path = click.Path(path_type=Path)


@click.command()
@click.argument("model", type=_path)
@click.option("--reference", type=_path, metavar="FILE", help="The float model; a bundle has its own.")
@click.option(
    "--val",
    type=_path,
    required=True,
    metavar="PATH",
    help="Validation images: class folders or a CSV with columns `file,label`.",
)
@click.option("--calib", type=_path, metavar="PATH", help="The images that MODEL was calibrated on.")
@click.option(
    "--preprocessing", type=_path, metavar="FILE", help="What both models expect of images: a preprocessing.json."
)
@click.option("--labels", type=_path, metavar="FILE", help="Class names, one a line, in output order.")
@click.option(
    "--target",
    default="local",
    show_default=True,
    metavar="URL",
    help="Where the models run: local, or ssh://user@host[:port][?python=/path], adb://serial, qemu://cortex-a72.",
)
@click.option("--threads", type=click.IntRange(1), help="Threads of an inference; one on this machine.")
@click.option("--workers", type=click.IntRange(1), help="Processes that share the images; one for each fast core.")
@click.option("--max-drop", type=float, metavar="POINTS", help="Gate: points of top-1 that int8 may lose.")
@click.option("--min-relative", type=float, metavar="RATIO", help="Gate: int8's top-1 over the reference's, as 0.99.")
@click.option("--min-agreement", type=float, metavar="PERCENT", help="Gate: images with the reference's top-1.")
@click.option("--strict", is_flag=True, help="Fail when an image cannot be read.")
@click.option("--no-detectors", is_flag=True, help="Do not try the usual mistakes of preprocessing and labels.")
@click.option("--no-layers", is_flag=True, help="Do not compare the layers.")
@click.option("--no-calibration", is_flag=True, help="Do not look at the calibration images.")
@click.option("--no-runtimes", is_flag=True, help="Do not run MODEL in other runtimes.")
@click.option("--output", type=_path, default=Path("audit"), show_default=True, help="Folder to write.")
@click.option("--json", "as_json", is_flag=True, help="JSON to standard output, and nothing else there.")
def audit(
    model: Path,
    reference: Path | None,
    val: Path,
    calib: Path | None,
    preprocessing: Path | None,
    labels: Path | None,
    target: str,
    threads: int | None,
    workers: int | None,
    max_drop: float | None,
    min_relative: float | None,
    min_agreement: float | None,
    strict: bool,
    no_detectors: bool,
    no_layers: bool,
    no_calibration: bool,
    no_runtimes: bool,
    output: Path,
    as_json: bool,
) -> None:
    """Audit an int8 MODEL beside its float reference on the same images, anybody's .tflite, .xml, .onnx or .keras.

    MODEL may be a bundle: each int8 model of it is held against its fp32 one. The folder holds report.html,
    report.json, summary.md for a pull request and predictions.csv. Ends with 4 where a gate fails; where so
    many images cannot tell, it says how many are needed and ends with 0. Interrupted, the same command goes on.
    With a bundle, --json is a list.

    \b
    Examples:
      edgeffnet audit out --val val.csv --max-drop 0.5
      edgeffnet audit int8.tflite --reference fp32.onnx --preprocessing model.json --val val.csv --min-relative 0.99
      edgeffnet audit out --val val.csv --calib photos/ --target ssh://pi@raspberrypi.local
    """
    from edgeffnet.audit.audit import audit as run
    from edgeffnet.audit.audit import require_passed, work_folder
    from edgeffnet.audit.beyond import Parts
    from edgeffnet.audit.verdict import Gates
    from edgeffnet.report.document import to_json

    def say() -> None:
        kept = [folder for folder in (work_folder(output), *output.glob(".*.work")) if folder.is_dir()]
        if kept:
            click.echo(f"the predictions so far are kept in {kept[0]}: the same command goes on", err=True)

    with when_interrupted(say):
        found = run(
            model,
            val,
            reference=reference,
            calib=calib,
            preprocessing=preprocessing,
            labels=labels,
            target=target,
            threads=threads,
            workers=workers,
            gates=Gates(max_drop, min_relative, min_agreement),
            strict=strict,
            parts=Parts(not no_detectors, not no_layers, not no_calibration, not no_runtimes),
            output=output,
        )
    say_missing_page()
    if as_json:
        reports = [one.to_dict() for one in found]
        click.echo(to_json(reports if model.is_dir() else reports[0]), nl=False)
    else:
        from edgeffnet.report.audit_tables import show

        for one in found:
            show(one)
    require_passed(found)
