"""`edgeffnet audit`: an int8 model beside its reference, image by image, with what can be said of the difference."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import edgeffnet
from edgeffnet import imagesets
from edgeffnet.audit import beyond, csv_rows, models
from edgeffnet.audit.accuracy import labelled, paired_accuracy, right
from edgeffnet.audit.beyond import Parts
from edgeffnet.audit.census import Census, census
from edgeffnet.audit.crew import Crew, crew
from edgeffnet.audit.decoding import Unreadable
from edgeffnet.audit.finding import Finding
from edgeffnet.audit.journal import Journal
from edgeffnet.audit.markdown import summary
from edgeffnet.audit.models import Named, Pair
from edgeffnet.audit.output_error import output_error
from edgeffnet.audit.per_class import per_class
from edgeffnet.audit.result import Audit, AuditedImages
from edgeffnet.audit.run import Seen, run
from edgeffnet.audit.verdict import Gates, Verdict, verdict
from edgeffnet.audit.worst import worst_images
from edgeffnet.errors import AccuracyError, ArtifactError, DataError, UsageError
from edgeffnet.images import LabelledImage
from edgeffnet.imagesets import ImageSet
from edgeffnet.report import files, schema
from edgeffnet.report.progress import Steps
from edgeffnet.report.quiet import quiet
from edgeffnet.whole_file import writing_alone

PREDICTIONS = "predictions.csv"
SUMMARY = "summary.md"
# What is kept in an unfinished audit is of use to the same version alone.
_JOURNAL_VERSION = 1


def audit(
    model: Path,
    val: Path,
    *,
    reference: Path | None = None,
    calib: Path | None = None,
    preprocessing: Path | None = None,
    labels: Path | None = None,
    target: str = "local",
    threads: int | None = None,
    workers: int | None = None,
    gates: Gates | None = None,
    strict: bool = False,
    parts: Parts | None = None,
    output: Path = Path("audit"),
    steps: Steps | None = None,
) -> tuple[Audit, ...]:
    """Audits `model` against `reference` on the images of `val`; of a bundle, each int8 model against its fp32 one.

    Writes report.json, report.html, summary.md and predictions.csv into `output`, or for several models
    into a folder there for each. `calib` are the images that calibrated. What is done is kept beside
    `output` until it is written: the same call after an interruption goes on from there. `strict` makes an
    unreadable image a DataError. Raises an `edgeffnet.errors.EdgeffnetError`; of a gate that fails it is
    `require_passed` that tells.
    """
    gates = gates or Gates()
    gates.require_possible()
    pairs = models.named(model, reference, preprocessing, labels)
    if model.is_dir():
        schema.require_readable(model)
    made = []
    with ExitStack() as stack:
        stack.enter_context(quiet())
        there = stack.enter_context(crew(target, threads, workers))
        for one, place in zip(pairs, _places(pairs, output), strict=True):
            asked = _Asked(one, val, calib, gates, strict, parts or Parts(), place)
            made.append(_audited(asked, there, steps or Steps()))
    return tuple(made)


def require_passed(audits: Sequence[Audit]) -> None:
    """AccuracyError where a gate failed; one that cannot be told fails nothing."""
    failed = [one for one in audits if one.verdict.passed is False]
    if failed:
        told = "; ".join(f"{Path(one.int8.file).name}: {one.verdict.said}" for one in failed)
        raise AccuracyError(f"{told} (on {failed[0].images.count:,} images of {failed[0].images.source})")


def work_folder(output: Path) -> Path:
    """Where what is done of an unfinished audit lies."""
    return output.parent / f".{output.name}.work"


@dataclass(frozen=True)
class _Asked:
    named: Named
    val: Path
    calib: Path | None
    gates: Gates
    strict: bool
    parts: Parts
    output: Path


def _places(pairs: Sequence[Named], output: Path) -> list[Path]:
    """Where each pair's report goes: `output`, or a folder there of the model's name."""
    if len(pairs) == 1:
        return [output]
    names = [f"{one.int8.stem}-{one.int8.suffix[1:]}" for one in pairs]
    return [
        output / (name if names.count(name) == 1 else f"{name}-{number}") for number, name in enumerate(names, start=1)
    ]


def _audited(asked: _Asked, there: Crew, steps: Steps) -> Audit:
    files.require_usable(asked.output)
    schema.require_readable(asked.output)
    work = work_folder(asked.output)
    work.mkdir(parents=True, exist_ok=True)
    with writing_alone(work / "lock", asked.output, "audit"):
        try:
            made, seen, validation, pair = _found(asked, there, work, steps)
        except (DataError, UsageError, ArtifactError):
            # Asked again, it would fail again.
            shutil.rmtree(work, ignore_errors=True)
            with suppress(OSError):
                asked.output.rmdir()
            raise
        with steps("Writing the report"):
            _write(made, seen, validation.images, pair, work)
        shutil.rmtree(work)
    return made


def _found(asked: _Asked, there: Crew, work: Path, steps: Steps) -> tuple[Audit, Seen, ImageSet, Pair]:
    before = dict(steps.seconds)
    with steps("Reading the models"):
        pair = models.read(asked.named, work)
    with steps("Listing images"):
        validation = imagesets.read(asked.val, pair.labels)
        calibrated = imagesets.read(asked.calib, pair.labels) if asked.calib else None
        if asked.gates.need_labels and not validation.labelled:
            raise UsageError(
                f"--max-drop and --min-relative need labels, and not every image of {validation.source} has one"
            )
    with steps("Hashing the images"):
        counted = census(validation.images, steps.advance)
    with steps(f"Reaching {there.workers[0].name}"):
        machine, runtime_of = there.machine((pair.int8, pair.reference))
    journal = Journal(work / "predictions", _key(pair, validation, counted, there, runtime_of))
    predictor = there.predictor()
    with steps("Running both models over the images"):
        seen = run(pair.int8, pair.reference, validation.images, predictor, journal, steps.advance)
    _require_readable(seen.unreadable, len(seen.records), asked)
    images = _audited_images(asked.val, validation, counted, seen)
    accuracy = paired_accuracy(seen.records)
    more = beyond.look(pair, validation, calibrated, seen, accuracy, predictor, asked.parts, work, steps)
    found = (*pair.findings, *more.findings)
    per = (
        per_class(seen.records["label"], right(seen.records, "reference"), right(seen.records, "int8"), pair.labels)
        if labelled(seen.records)
        else ()
    )
    made = Audit(
        output=asked.output,
        verdict=_with_faults(verdict(accuracy, asked.gates), found),
        int8=pair.int8,
        reference=pair.reference,
        runtime_of=runtime_of,
        images=images,
        accuracy=accuracy,
        output_error=output_error(seen.records),
        per_class=per,
        layers=more.layers,
        worst_images=worst_images(seen.records, validation.images, pair.labels),
        calibration=more.calibration,
        runtimes=more.runtimes,
        findings=found,
        target=there.target,
        machine=machine,
        notes=(*pair.notes, *_notes(images, seen, pair), *more.notes),
        seconds={name: taken - before.get(name, 0.0) for name, taken in steps.seconds.items()},
    )
    return made, seen, validation, pair


def _key(
    pair: Pair, validation: ImageSet, counted: Census, there: Crew, runtime_of: dict[str, str]
) -> dict[str, object]:
    """All that predictions depend on."""
    ordered = "\n".join(
        f"{content.hex()} {image.label}" for content, image in zip(counted.hashes, validation.images, strict=True)
    )
    return {
        "version": [_JOURNAL_VERSION, edgeffnet.__version__],
        "models": [
            {
                **one.to_dict(),
                "preprocessing": one.preprocessing.to_dict(),
                "runtime": runtime_of[one.file],
                "quantizes_input": one.quantizes_input,
            }
            for one in (pair.int8, pair.reference)
        ],
        "images": hashlib.sha256(ordered.encode()).hexdigest(),
        "target": there.target,
    }


def _require_readable(unreadable: Sequence[Unreadable], read: int, asked: _Asked) -> None:
    if not unreadable:
        return
    first = f"{unreadable[0].path}: {unreadable[0].reason}"
    if not read:
        raise DataError(f"{asked.val}: none of its {len(unreadable)} images can be read ({first})")
    if asked.strict:
        raise DataError(f"--strict: {len(unreadable)} images of {asked.val} cannot be read, such as {first}")


def _audited_images(val: Path, validation: ImageSet, counted: Census, seen: Seen) -> AuditedImages:
    places = [int(place) for place in seen.records["image"]]
    return AuditedImages(
        source=validation.source,
        root=val if val.is_dir() else val.parent,
        count=len(places),
        sha256=counted.digest(validation.images, places),
        labelled=labelled(seen.records),
        duplicates=tuple(tuple(validation.images[one].path for one in same) for same in counted.duplicates()),
        unreadable=seen.unreadable,
    )


def _notes(images: AuditedImages, seen: Seen, pair: Pair) -> list[str]:
    made = []
    if images.unreadable:
        first, count = images.unreadable[0], len(images.unreadable)
        told = "1 image" if count == 1 else f"{count:,} images"
        made.append(f"{told} cannot be read, and left out, such as {first.path}: {first.reason}")
    if images.duplicates:
        extra = sum(len(paths) - 1 for paths in images.duplicates)
        told = "1 image is a copy of another" if extra == 1 else f"{extra:,} images are copies of others"
        made.append(
            f"{told}, by content, such as {images.duplicates[0][1]}: each counts, so intervals are narrower than "
            "they should be"
        )
    if seen.resumed:
        made.append(f"{seen.resumed:,} images were done by an earlier run that did not end; seconds are without them")
    if not images.labelled:
        made.append("not every image has a label: agreement and error are against the reference, accuracy is not known")
    for one in (pair.int8, pair.reference):
        if one.artifact.output == "probabilities" and one.gives.dtype != "float32":
            made.append(
                f"{Path(one.file).name} gives probabilities in 8 bits: those below half a step count as that, "
                "and best classes tie where they are equal"
            )
        if one.quantizes_input:
            made.append(f"{Path(one.file).name} takes normalised pixels on its own {one.takes.dtype} grid")
    return made


def _with_faults(found: Verdict, findings: Sequence[Finding]) -> Verdict:
    faults = [one.name for one in findings if one.severity == "fault"]
    if not faults:
        return found
    told = f"{len(faults)} fault{'s' if len(faults) > 1 else ''} found: {', '.join(faults)}"
    return replace(found, said=f"{found.said}; {told}")


def _write(made: Audit, seen: Seen, images: Sequence[LabelledImage], pair: Pair, work: Path) -> None:
    """Writes every file beside the output first, so that each appears whole."""
    folder = work / "report"
    folder.mkdir(exist_ok=True)
    report = made.to_dict()
    try:
        files.write(folder, report)
        (folder / SUMMARY).write_text(summary(report), encoding="utf-8")
        csv_rows.write(folder / PREDICTIONS, seen.records, images, pair.labels, made.images.root)
        for path in sorted(folder.iterdir()):
            path.replace(made.output / path.name)
    except OSError as error:
        raise UsageError(f"--output {made.output}: {error.strerror}") from None
