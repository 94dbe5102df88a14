"""The bundle of a build: artefacts, labels, contract, report and manifest in one folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from converters.artifact import Artifact
from edgeffnet import devices, fastest, selection
from edgeffnet.bundle import contents, manifest, parts
from edgeffnet.bundle.asked import Asked
from edgeffnet.hashing import sha256_of
from edgeffnet.report import files
from edgeffnet.report.frontier import frontier
from edgeffnet.report.report import ArtifactReport, Report
from edgeffnet.request import Request
from edgeffnet.search import Winner
from edgeffnet.timing import Latency, runtime_notes, speed_verdict

if TYPE_CHECKING:
    from edgeffnet.training.building import TrainingOfBuild


def write(
    winner: Winner,
    request: Request,
    latency: dict[Artifact, Latency],
    machine: dict[str, Any],
    folder: Path,
    seconds: dict[str, float],
    asked: Asked,
    school: TrainingOfBuild | None = None,
) -> Report:
    """Fills `folder`, which becomes the request's output; returns the report it holds."""
    weights = winner.producer.weights
    settled = contents.settle(winner.producer.folder, folder, [made.artifact for made in winner.checked])
    contents.write_choice(folder, winner.producer.images)
    contents.write_contract(
        folder, winner.producer.contract, weights.labels, list(settled.values()), trained=weights.trained
    )
    handed_over = parts.hand_over(
        folder, winner.producer.contract, weights.labels, list(settled.values()), request.parts, request.device
    )
    taught = None
    if school is not None:
        school.add_to(folder, winner.candidate.architecture.name)
        taught = school.results.get(winner.candidate.architecture.name)
    made_from = {
        "weights": weights.provenance.to_dict(),
        "calibration": contents.calibration(winner.producer),
    }
    validation = {
        "source": winner.images.source,
        "images": len(winner.images.pixels),
        "sha256": winner.images.sha256 or None,
        "labelled": winner.images.labels is not None,
        "shared_with_calibration": winner.images.shared,
    }
    candidates = tuple(sorted(winner.candidates, key=selection.rank, reverse=True))
    on_device: tuple[fastest.Way, ...] = ()
    if not request.measured:
        net = winner.candidate.architecture
        on_device = fastest.estimated(request.device, net, request.threads, request.percentile, request.risk)
    report = Report(
        output=request.output,
        device=request.device.name,
        budget=request.budget,
        threads=request.threads,
        percentile=request.percentile,
        interface=request.interface,
        seed=request.seed,
        chosen=winner.candidate,
        candidates=candidates,
        artifacts=tuple(
            ArtifactReport(
                artifact=settled[made.artifact].moved_to(folder, request.output),
                sha256=sha256_of(settled[made.artifact].path),
                check=made.difference,
                latency=latency.get(made.artifact),
                accuracy=winner.accuracies.get(made.artifact),
                comparison=winner.comparisons.get(made.artifact),
                not_run=winner.not_run.get(made.artifact),
            )
            for made in winner.checked
        ),
        validation=validation,
        target=request.target,
        machine=machine,
        notes=(*notes(request, winner, latency, machine), *(taught.notes if taught else ()), *handed_over),
        mixed_precision=winner.mixed,
        probes=winner.probed.probes if winner.probed else (),
        frontier=frontier(candidates, winner.seen, trained=weights.trained),
        fastest=fastest.measured(latency),
        fastest_on_device=on_device,
        training=taught.to_dict() if taught else None,
        seconds=seconds,
        **made_from,
    )
    files.write(folder, report.to_dict())
    net = winner.candidate.architecture
    built = {
        "seed": request.seed,
        "device": request.device.name,
        "variant": net.name,
        "phi": net.phi,
        "io": request.interface,
    }
    manifest.write(folder, {**built, **made_from, "validation": validation}, asked)
    return report


NORMALISATION_MACS_PER_PIXEL = 3


def notes(
    request: Request, winner: Winner, latency: dict[Artifact, Latency], machine: dict[str, Any]
) -> tuple[str, ...]:
    """What a reader has to know to read the figures right."""
    made: list[str] = []
    figure, device = winner.candidate.latency, request.device.name
    if isinstance(figure, selection.EstimatedLatency):
        made.append(
            f"{device}: latency is estimated, not measured; "
            f"what was measured on this machine says nothing of the {device}'s speed"
        )
        made.append(
            f"the estimate rests on {figure.rows_said} of {figure.runtime} "
            f"({figure.coverage:.0%} interval; sources: {'; '.join(figure.sources)})"
        )
        made += figure.notes
        means = "published figures" if figure.published else "its rows"
        made.append(
            f"{means} are means; p{figure.percentile:g} is estimated as "
            f"{figure.percentile_over_mean:.2f} times the mean ({figure.percentile_source})"
        )
    made += winner.probed.notes if winner.probed else ()
    here = devices.load("local")
    if not request.measured and here.int8 != request.device.int8:
        made.append(
            f"int8 results are of this machine's arithmetic ({here.int8}); {device} computes otherwise "
            f"({request.device.int8}), so no accuracy is claimed for it"
        )
    if winner.images.labels is None and winner.accuracies:
        made.append(f"no accuracy is stated: {winner.images.unlabelled_because}; agreement and error are against fp32")
    if winner.producer.normalises_inside:
        made.append(
            "mean and std differ by channel: the models normalise inside, in one operator before the first convolution "
            f"({NORMALISATION_MACS_PER_PIXEL * winner.producer.contract.resolution**2:,} multiply-adds)"
        )
    if request.tune_resolution:
        made.append(
            f"the input size was chosen by top-1 in fp32 on one half of {request.val}; every accuracy here is on the "
            "other half"
        )
    if winner.images.shared:
        made.append(contents.shared_note(winner.images.shared))
    made += [mixed.said() for mixed in winner.mixed]
    if winner.mixed and isinstance(figure, selection.EstimatedLatency):
        made.append(f"the latency estimated for {device} is that of all layers in int8")
    net = winner.candidate.architecture
    if net.phi < 0 and net.rule.startswith("compound"):
        made.append(
            f"phi {net.phi:g} by the {net.rule} rule: below the base network TinyNet's (--rule tinynet) is known "
            "to keep more accuracy for as many multiply-adds"
        )
    if not winner.producer.weights.trained:
        made.append("random weights: latency only; no accuracy, agreement or error means anything")
    made += contents.calibration_notes(winner.producer)
    loose = dict.fromkeys(found.runtime for found in latency.values() if not found.tight)
    if loose:
        made.append(f"noisy machine: latency intervals stayed wider than 2% in {', '.join(loose)}")
    made += [] if latency else ["no latency was measured: none was asked for"]
    made += machine["warnings"]
    made += [f"{artifact.name}: not run on {request.target}: {reason}" for artifact, reason in winner.not_run.items()]
    made += [f"{artifact.name}: {found.said()}" for artifact, found in winner.comparisons.items()]
    return (*made, *runtime_notes(latency), *speed_verdict(latency))
