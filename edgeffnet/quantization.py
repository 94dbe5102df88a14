"""A user's own float model -> a bundle with its int8 forms, and what int8 cost."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from converters.artifact import Artifact, Format
from converters.check import log_probabilities
from converters.description import Description
from edgeffnet import floors
from edgeffnet.budget import Budget
from edgeffnet.bundle import contents, manifest, parts
from edgeffnet.bundle.asked import Asked
from edgeffnet.bundle.folder import appearing, require_usable
from edgeffnet.cache.store import Cache
from edgeffnet.calibration_images import MAXIMUM, CalibrationImages, Selection
from edgeffnet.errors import AccuracyError, UsageError
from edgeffnet.float_models import FloatModel
from edgeffnet.float_models import read as read_model
from edgeffnet.images import Pixels, Preprocessing, read_preprocessing, unstated_preprocessing
from edgeffnet.labels import numbered
from edgeffnet.mixed_precision import Bench, Mixed, MixedPrecision, leave_in_float
from edgeffnet.production import Checked, Granularity, Interface, Producer
from edgeffnet.report import files
from edgeffnet.report.document import document
from edgeffnet.report.progress import Steps
from edgeffnet.report.quiet import quiet
from edgeffnet.request import require_int8_options
from edgeffnet.targets import agent
from edgeffnet.targets.local import LocalTarget
from edgeffnet.tensorflow_import import require_build_tools
from edgeffnet.validation import Accuracy, accuracy, scores_of_shards, shards
from edgeffnet.validation_images import ImagesOfBuild, ValidationImages, images_of
from edgeffnet.weights import statement

FORMATS: tuple[Format, ...] = ("tflite", "openvino")


@dataclass(frozen=True)
class Quantized:
    """The artefacts of a user's model, and their accuracy beside the float model's on the same images.

    `machine` is the one on which they ran.
    """

    output: Path
    model: FloatModel
    checked: tuple[Checked, ...]
    accuracies: dict[Artifact, Accuracy]
    calibration: dict[str, Any]
    validation: str
    floor: Budget
    mixed: tuple[MixedPrecision, ...]
    machine: dict[str, Any]
    notes: tuple[str, ...]
    seconds: dict[str, float]

    def to_dict(self) -> dict[str, Any]:
        """Plain data as `report.json` holds it; paths are relative to the output folder."""
        body = {
            "model": {"file": self.model.name, "sha256": self.model.sha256, "classes": self.model.classes},
            "floor": self.floor.to_dict(),
            "artifacts": [
                {
                    **made.artifact.to_dict(self.output),
                    "check": {"against": "the float model, on calibration images", **vars(made.difference)},
                    "accuracy": found.to_dict() if (found := self.accuracies.get(made.artifact)) else None,
                }
                for made in self.checked
            ],
            "calibration": self.calibration,
            "validation": self.validation,
            "mixed_precision": [mixed.to_dict() for mixed in self.mixed],
            "target": "local",
            "machine": self.machine,
            "notes": list(self.notes),
            "seconds": {name: round(taken, 3) for name, taken in self.seconds.items()},
        }
        return document("quantize", body)


@dataclass(frozen=True)
class Options:
    """How to quantize; `saturating` is of the machine the OpenVINO model is for."""

    interface: Interface
    recipe: str
    granularity: Granularity
    full_integer: bool
    saturating: bool
    formats: tuple[Format, ...]
    threads: int | None


def quantize(
    model: Path,
    preprocessing: Path | None,
    *,
    calib: Path | None = None,
    val: Path | None = None,
    labels: Path | None = None,
    io: str = "uint8",
    recipe: str = "default",
    granularity: str = "channel",
    full_integer: bool = False,
    calib_count: int | None = None,
    calib_choice: str = "balanced",
    allow_overlap: bool = False,
    budget: Budget | None = None,
    sensitivity: bool = False,
    device: str = "local",
    formats: Sequence[str] = FORMATS,
    threads: int | None = None,
    seed: int = 0,
    output: Path = Path("out"),
    bundle: Sequence[str] = (),
    force: bool = False,
    cached: bool = True,
    steps: Steps | None = None,
) -> Quantized:
    """Quantizes a float `.tflite` or `.keras` classifier into the bundle `output`.

    `preprocessing` is the JSON file that says what the model expects of its images; weights that `edgeffnet train`
    wrote, `.safetensors` too, say it themselves. The `budget`'s
    drop and agreement are floors, held against `val`; `device` is the one the OpenVINO model is for.
    `bundle` names parts for integrators (`edgeffnet.bundle.parts`); `force` replaces a bundle of other options.
    With `sensitivity` the bundle holds sensitivity.csv, a line a layer (`calib.sensitivity`). Where `cached`, steps
    that were taken of the same things before are taken from the user's cache.
    Raises an `edgeffnet.errors.EdgeffnetError`; then `output` is as it was before.
    """
    from edgeffnet import devices

    require_build_tools()
    steps, floor = steps or Steps(), budget or Budget()
    asked = Asked.of(
        "quantize",
        {
            "model": model,
            "preprocessing": preprocessing,
            "calib": calib,
            "val": val,
            "labels": labels,
            "io": io,
            "recipe": recipe,
            "granularity": granularity,
            "full_integer": full_integer,
            "calib_count": calib_count or MAXIMUM,
            "calib_choice": calib_choice,
            "allow_overlap": allow_overlap,
            "budget": floor,
            "sensitivity": sensitivity,
            "device": device,
            "formats": formats,
            "threads": threads,
            "seed": seed,
            "parts": bundle,
        },
    )
    parts.require_known(bundle, "--bundle")
    options = _options(io, recipe, granularity, full_integer, devices.load(device).int8_saturates, formats, threads)
    if floor.has_floor and val is None:
        raise UsageError("--max-drop and --min-agreement need images to be held against: give --val")
    own = statement.read(model)
    if preprocessing is not None:
        stated = read_preprocessing(preprocessing)
    elif own is not None:
        stated = own.preprocessing
    else:
        raise unstated_preprocessing(model.name)
    require_usable(output, asked, force=force)
    cache = Cache.of_user() if cached else None
    with ExitStack() as stack:
        stack.enter_context(quiet())
        work = stack.enter_context(appearing(output, asked, force=force))
        with steps("Reading the model"):
            source = read_model(model, cache)
        _require_fit(source, stated, options.interface)
        named = own.labels if own else numbered(source.classes)
        names = contents.labels_given(labels, model.name, source.classes) or named
        with steps("Listing images"):
            images = images_of(
                calib,
                val,
                names,
                seed,
                allow_overlap,
                floor.drop is not None,
                Selection(calib_count or MAXIMUM, calib_choice),
            )
        folder = work / "made"
        folder.mkdir()
        producer = ModelProducer(source, stated, names, images.calibration, folder, options, cache)
        place = stack.enter_context(closing(LocalTarget()))
        made = _made(producer, images, floor, options, place, steps)
        if sensitivity:
            with steps("Measuring what each layer's rounding costs"):
                _write_sensitivities(work / "sensitivity.csv", producer)
        return _written(made, producer, source, floor, names, work, output, asked, steps)


class ModelProducer(Producer):
    """Makes the artefacts of a model that is there already, checked against itself in float."""

    def __init__(
        self,
        source: FloatModel,
        stated: Preprocessing,
        labels: tuple[str, ...],
        images: CalibrationImages,
        folder: Path,
        options: Options,
        cache: Cache | None = None,
    ) -> None:
        self.source = source
        self.stated = stated
        self.labels = labels
        self.images = images
        self.folder = folder
        self.interface = options.interface
        self.recipe = options.recipe
        self.granularity = options.granularity
        self.saturating = options.saturating
        self.cache = cache

    @property
    def normalises_inside(self) -> bool:
        return False

    @property
    def contract(self) -> Preprocessing:
        return self.stated

    @property
    def described(self) -> Description:
        return Description(Path(self.source.name).stem, labels=self.labels, **self.contract.to_dict())

    @property
    def origin(self) -> dict[str, Any]:
        return {"model": self.source.sha256, "preprocessing": self.stated.to_dict()}

    @property
    def float_tflite(self) -> bytes:
        return self.source.data

    def _predict_reference(self, pixels: Pixels) -> NDArray[np.float32]:
        loaded = agent.FORMATS["tflite"](str(self.float_path), 1)
        mean, std = [*self.stated.mean], [*self.stated.std]
        return np.stack([agent.scores(loaded, one, mean, std) for one in pixels])


@dataclass(frozen=True)
class _Made:
    checked: tuple[Checked, ...]
    accuracies: dict[Artifact, Accuracy]
    images: ValidationImages
    mixed: tuple[MixedPrecision, ...]
    per_channel: Accuracy | None


def _options(
    io: str,
    recipe: str,
    granularity: str,
    full_integer: bool,
    saturating: bool,
    formats: Sequence[str],
    threads: int | None,
) -> Options:
    require_int8_options(io, recipe, granularity)
    unknown = [name for name in formats if name not in FORMATS]
    if unknown or "tflite" not in formats:
        raise UsageError(f"--formats: {', '.join(formats) or 'nothing'} given; choose tflite, or tflite,openvino")
    return Options(
        interface=cast(Interface, io),
        recipe=recipe,
        granularity=cast(Granularity, granularity),
        full_integer=full_integer,
        saturating=saturating,
        formats=tuple(form for form in FORMATS if form in formats),
        threads=threads,
    )


def _require_fit(source: FloatModel, stated: Preprocessing, interface: Interface) -> None:
    if source.resolution != stated.resolution:
        raise UsageError(
            f"--preprocessing says {stated.resolution} pixels, but {source.name} takes {source.resolution}"
        )
    if interface != "float32" and stated.uneven:
        raise UsageError(
            f"mean and std differ by channel, so no one 8-bit scale is the normalisation of {source.name}: "
            "say --io float32, or put the normalisation into the model"
        )


def _made(
    producer: ModelProducer, images: ImagesOfBuild, floor: Budget, options: Options, place: LocalTarget, steps: Steps
) -> _Made:
    with steps("Reading calibration images"):
        _ = producer.pixels
    checked = producer.produce(options.formats, steps)
    with steps("Reading validation images"):
        validation = images.validation_for(producer.contract)
    artifacts = [one.artifact for one in checked]
    beside = None
    if options.granularity == "tensor":
        with steps("The same with a scale for each channel, to compare"):
            beside = producer.per_channel_tflite("per_channel.tflite").artifact
            artifacts.append(beside)
    with shards(validation.pixels) as files:
        with steps("Running the artefacts over the validation images"):
            raw = scores_of_shards(
                artifacts, [place], producer.contract, files, threads=options.threads, progress=steps.advance
            )
        scores = {artifact: log_probabilities(raw[artifact], artifact.output) for artifact in artifacts}
        reference = scores[artifacts[0]]
        accuracies = {artifact: accuracy(reference, scores[artifact], validation) for artifact in artifacts}
        per_channel = None
        if beside is not None:
            per_channel = accuracies.pop(beside)
            beside.path.unlink()
        mixed: dict[Artifact, Mixed] = {}
        if floor.has_floor and not options.full_integer:
            bench = Bench(place, validation, files, reference, options.threads, 50, steps)
            mixed = leave_in_float(producer, accuracies, floor, bench)
    checked = tuple(mixed[one.artifact].checked if one.artifact in mixed else one for one in checked)
    accuracies = {
        one.artifact: mixed[before].accuracy if before in mixed else accuracies[before]
        for before, one in zip(accuracies, checked, strict=True)
    }
    worst = min(
        (at for artifact, at in accuracies.items() if artifact.precision == "int8"),
        key=lambda at: floors.margin(at, floor),
    )
    if floors.margin(worst, floor) < 0:
        how = "all in int8" if options.full_integer else "with any number of layers in float"
        raise AccuracyError(f"{producer.source.name}, {how}, {floors.said(worst, floor)} on {worst.source}")
    return _Made(checked, accuracies, validation, tuple(found.precision for found in mixed.values()), per_channel)


def _written(
    made: _Made,
    producer: ModelProducer,
    source: FloatModel,
    floor: Budget,
    labels: Sequence[str],
    work: Path,
    output: Path,
    asked: Asked,
    steps: Steps,
) -> Quantized:
    settled = contents.settle(producer.folder, work, [one.artifact for one in made.checked])
    contents.write_choice(work, producer.images)
    contents.write_contract(work, producer.contract, labels, list(settled.values()))
    handed_over = parts.hand_over(work, producer.contract, labels, list(settled.values()), asked.options["parts"])
    final = {old: new.moved_to(work, output) for old, new in settled.items()}
    calibration = contents.calibration(producer)
    found = Quantized(
        output=output,
        model=source,
        checked=tuple(replace(one, artifact=final[one.artifact]) for one in made.checked),
        accuracies={final[artifact]: at for artifact, at in made.accuracies.items()},
        calibration=calibration,
        validation=made.images.source,
        floor=floor,
        mixed=made.mixed,
        machine=agent.machine(),
        notes=(*_notes(made, source, producer), *handed_over),
        seconds=steps.seconds,
    )
    files.write(work, found.to_dict())
    made_from = {
        "model": {"file": source.name, "sha256": source.sha256},
        "calibration": calibration,
        "validation": {"source": made.images.source, "sha256": made.images.sha256 or None},
    }
    manifest.write(work, made_from, asked)
    return found


def _write_sensitivities(path: Path, producer: ModelProducer) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(("layer", "only_snr_db", "only_agreement", "without_snr_db", "without_agreement"))
        for row in producer.sensitivities:
            figures = (row.only_snr, row.only_agreement, row.without_snr, row.without_agreement)
            rows.writerow((row.unit.layer, *(f"{figure:.4f}" for figure in figures)))


def _notes(made: _Made, source: FloatModel, producer: ModelProducer) -> tuple[str, ...]:
    notes = []
    if source.softmax_added:
        notes.append(f"{source.name} ends in logits: a softmax was added, and probabilities come out")
    if made.images.labels is None:
        notes.append(f"no accuracy is stated: {made.images.unlabelled_because}; agreement and error are against fp32")
    if made.images.shared:
        notes.append(contents.shared_note(made.images.shared))
    if made.per_channel is not None:
        integer = next(at for artifact, at in made.accuracies.items() if artifact.name == "TFLite int8")
        notes.append(f"one scale for each kernel: {_beside(integer, made.per_channel)}")
    notes += contents.calibration_notes(producer)
    notes += [mixed.said() for mixed in made.mixed]
    return tuple(notes)


def _beside(here: Accuracy, per_channel: Accuracy) -> str:
    """What agreement one scale a kernel leaves, and what one a channel would, on the same images."""
    cost = 100 * (per_channel.agreement.value - here.agreement.value)
    return (
        f"TFLite int8 agrees with fp32 on {here.agreement.value:.2%} of {here.images} images, with a scale for each "
        f"channel it would on {per_channel.agreement.value:.2%}: it costs {cost:.2f} points"
    )
