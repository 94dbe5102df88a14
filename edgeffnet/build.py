"""The main job: a device and a budget in, a proven int8 model out."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeffnet.budget import RISK, Budget

if TYPE_CHECKING:
    from converters.artifact import Artifact
    from edgeffnet.report.progress import Steps
    from edgeffnet.report.report import Report
    from edgeffnet.timing import Latency
    from edgeffnet.training.train import Options
    from edgeffnet.wanted import NetworkOptions


def build(
    device: str = "local",
    budget: Budget | None = None,
    *,
    networks: NetworkOptions | None = None,
    calib: Path | str | None = None,
    val: Path | str | None = None,
    io: str = "uint8",
    recipe: str = "default",
    granularity: str = "channel",
    full_integer: bool = False,
    calib_count: int | None = None,
    calib_choice: str = "balanced",
    allow_overlap: bool = False,
    threads: int | None = None,
    percentile: float = 90,
    formats: Sequence[str] = ("tflite", "openvino", "onnx"),
    output: Path | str = "out",
    seed: int = 0,
    target: str | None = None,
    risk: float = RISK,
    tune_resolution: bool = False,
    bundle: Sequence[str] = (),
    force: bool = False,
    data: Path | str | None = None,
    training: Options | None = None,
    trained: Path | None = None,
    cached: bool = True,
    timed: bool = True,
    steps: Steps | None = None,
) -> Report:
    """Builds the largest variant that meets `budget` on `device` into the folder `output`.

    `networks` says what to choose from: the Lite family with trained weights otherwise. `calib` and
    `val` are folders or CSVs of images; without `calib`, photographs that installed packages ship
    are used, without labels in `val` no accuracy is stated. Of `calib`, `calib_count` images (512; of `data`
    128) are used, by `calib_choice` ("balanced", "coverage", or the file of an earlier choice). `io` is the int8
    artefacts' input, `recipe` (fast, default, best) how much work goes into the accuracy of the int8 `.tflite`;
    `granularity` "tensor" gives each kernel one scale. Where the all-integer `.tflite` misses the
    budget's drop or agreement, a few layers stay in float unless it has to be `full_integer`. Images
    that calibrate and validate are refused unless `allow_overlap`.
    Returns the report, which `output` also holds as report.json.

    `target` is where the artefacts are measured, such as "ssh://pi@board" or "local"; the estimate for
    `device` then only proposes, and measurements decide. Without it, `risk` is the chance that the network
    chosen is too slow after all. With `tune_resolution` the weights' other input sizes are candidates too, and
    the most accurate within the budget is built: half of `val` decides which, the other half is reported on.
    `bundle` names the parts for integrators that are added (`edgeffnet.bundle.parts`). An `output` that holds a
    bundle of other options is replaced with `force` alone. Steps that an earlier build took of the same things are
    taken from the user's cache where `cached`; what is measured is measured each time. Unless `timed` the artefacts'
    latency is not: for a machine that computes other things meanwhile.

    With `data`, images of classes of one's own, the network that fits is trained on them first, as `training` says;
    they calibrate and validate too. `trained` are weights that an earlier build made of them.

    Raises an `edgeffnet.errors.EdgeffnetError`; then `output` is as it was before.
    """
    from edgeffnet import openvino_files, resolution, validation_images
    from edgeffnet.beside import Beside
    from edgeffnet.bundle.asked import Asked
    from edgeffnet.bundle.folder import appearing, require_usable
    from edgeffnet.bundle.write import write
    from edgeffnet.cache.store import Cache
    from edgeffnet.calibration_images import MAXIMUM, OF_DATA, Selection
    from edgeffnet.report.progress import Steps
    from edgeffnet.report.quiet import quiet
    from edgeffnet.request import request as checked_request
    from edgeffnet.search import Search
    from edgeffnet.targets.address import target as target_at
    from edgeffnet.tensorflow_import import require_build_tools
    from edgeffnet.timing import latencies
    from edgeffnet.training.train import Options
    from edgeffnet.wanted import NetworkOptions

    require_build_tools()
    steps = steps or Steps()
    options: dict[str, Any] = {
        "device": device,
        "budget": budget or Budget(),
        "networks": networks or NetworkOptions(),
        "calib": None if calib is None else Path(calib),
        "val": None if val is None else Path(val),
        "io": io,
        "recipe": recipe,
        "granularity": granularity,
        "full_integer": full_integer,
        "selection": Selection(calib_count or (MAXIMUM if data is None else OF_DATA), calib_choice),
        "allow_overlap": allow_overlap,
        "threads": threads,
        "percentile": percentile,
        "formats": formats,
        "seed": seed,
        "target": target,
        "risk": risk,
        "tune_resolution": tune_resolution,
        "parts": bundle,
    }
    school = None
    if data is not None:
        from edgeffnet.training.building import TrainingOfBuild

        taught = replace(training or Options(), seed=seed, allow_overlap=allow_overlap)
        school = TrainingOfBuild(Path(data), options["networks"], taught, Path(output), steps, trained)
    request = checked_request(**options, output=Path(output), training=school.wanted() if school else ())
    asked = Asked.of("build", options | {"data": data, "training": school.options} if school else options)
    require_usable(request.output, asked, force=force)
    with ExitStack() as stack:
        stack.enter_context(quiet())
        work = stack.enter_context(appearing(request.output, asked, force=force))
        place = stack.enter_context(closing(target_at(request.target)))
        with steps("Listing images"):
            images = school.images(request) if school else validation_images.read(request)
            if request.tune_resolution:
                images = resolution.split(images)
        if request.remote:
            with steps("Reaching the target"):
                place.machine()
        store = Cache.of_user() if cached else None
        with closing(Beside(openvino_files.MODULES)) as beside:
            helped = beside if "openvino" in request.formats else None
            winner = Search(request, images, place, work, steps, store, helped).largest_that_fits()
        latency: dict[Artifact, Latency] = {}
        if not timed:
            machine = {**place.machine(), "warnings": []}
        else:
            with steps("Measuring latency"):
                latency, machine = latencies(
                    [made.artifact for made in winner.checked if made.artifact not in winner.not_run],
                    place,
                    winner.producer.contract,
                    winner.producer.pixels[:1],
                    threads=request.run_threads,
                    percentile=request.percentile,
                    progress=steps.advance,
                )
        report = write(winner, request, latency, machine, work, steps.seconds, asked, school)
    if school:
        school.clear()
    return report
