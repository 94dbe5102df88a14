"""What the jobs found, a row for each model of each cell."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

from edgeffnet import cost, selection
from edgeffnet.errors import DataError
from edgeffnet.report import schema
from edgeffnet.report.frontier import Point, with_best
from edgeffnet.report.plots.size_accuracy import Built
from edgeffnet.sweep.dispatch import done
from edgeffnet.sweep.jobs import Cell, Job
from edgeffnet.sweep.plan import Board
from edgeffnet.sweep.run import Outcome
from edgeffnet.timing import Latency

_DEVICE_MODEL = "TFLite int8"
_KINDS: Mapping[str, Literal["measured", "estimated", "no figure"]] = {
    "measured": "measured",
    "measured mean": "measured",
    "estimated": "estimated",
    "no figure": "no figure",
}
_PRECISION_OF = {"TFLite fp32": "fp32", _DEVICE_MODEL: "int8"}


@dataclass(frozen=True)
class Row:
    """A model of one variant, on one device, with one set of images; None where a figure is not known.

    Latency is the percentile's, in milliseconds; accuracies are percentages, `drop` points of top-1. `verdict` is
    that of the device's budget on the int8 `.tflite`, `audit` whether the gates passed.
    """

    variant: str
    device: str
    data: str
    network: str
    phi: float
    resolution: int
    macs: int
    parameters: int
    model: str | None = None
    bytes: int | None = None
    sha256: str | None = None
    latency_ms: float | None = None
    latency_low_ms: float | None = None
    latency_high_ms: float | None = None
    latency_kind: str = "no figure"
    percentile: float | None = None
    threads: int | None = None
    images: int | None = None
    top1: float | None = None
    drop: float | None = None
    drop_low: float | None = None
    drop_high: float | None = None
    agreement: float | None = None
    agreement_low: float | None = None
    agreement_high: float | None = None
    accuracy_on: str | None = None
    verdict: str = ""
    audit: str = ""
    error: str = ""


def rows(cells: Sequence[Cell], outcomes: Mapping[str, Outcome]) -> tuple[Row, ...]:
    """Of every cell, in order; one that failed has a row with its error."""
    return tuple(row for cell in cells for row in _rows(cell, outcomes))


def to_csv(found: Sequence[Row]) -> str:
    """A line for each row, with a header; what is not known is empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [one.name for one in fields(Row)], lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _plain(value) for name, value in asdict(row).items()} for row in found)
    return text.getvalue()


def _plain(value: object) -> object:
    # A microsecond, and a ten-thousandth of a point, are beyond what any figure here tells.
    return round(value, 4) if isinstance(value, float) else value


def points(found: Sequence[Row], board: Board) -> dict[str, tuple[Point, ...]]:
    """The frontier of a device for each set of images: the int8 `.tflite` of every variant that was made."""
    kept: dict[str, list[Point]] = {}
    for row in found:
        if row.device == board.name and row.model == _DEVICE_MODEL:
            kept.setdefault(row.data, []).append(_point(row))
    return {data: with_best(listed) for data, listed in kept.items()}


def built(found: Sequence[Row]) -> dict[str, tuple[Built, ...]]:
    """For each set of images the networks whose accuracy on it is known, as `.tflite`, each once."""
    kept: dict[str, dict[str, Built]] = {}
    for row in found:
        if row.model not in _PRECISION_OF or row.top1 is None:
            continue
        networks = kept.setdefault(row.data, {})
        known = networks.get(row.variant, Built(row.variant, row.parameters, row.macs, {}))
        top1 = {_PRECISION_OF[row.model]: row.top1, **known.top1}
        networks[row.variant] = replace(known, top1=top1)
    return {data: tuple(networks.values()) for data, networks in kept.items()}


def _point(row: Row) -> Point:
    verdict, _, why = row.verdict.partition(": ")
    return Point(
        name=row.variant,
        phi=row.phi,
        resolution=row.resolution,
        macs=row.macs,
        latency_ms=row.latency_ms,
        low_ms=row.latency_low_ms,
        high_ms=row.latency_high_ms,
        latency_kind=_KINDS[row.latency_kind],
        top1=row.top1,
        top1_kind="no figure" if row.top1 is None else "measured",
        size_bytes=row.bytes or 0,
        size_kind="file",
        verdict=verdict or "fits",
        why=why or "no budget was given",
    )


def _rows(cell: Cell, outcomes: Mapping[str, Outcome]) -> Iterator[Row]:
    net = cell.network.architecture
    costs = cost.total(net)
    row = Row(
        variant=cell.network.name,
        device=cell.board.name,
        data=cell.data.name,
        network=net.name,
        phi=net.phi,
        resolution=net.resolution,
        macs=costs.macs,
        parameters=costs.parameters,
    )
    failed = [job for job in (cell.build, cell.validate, cell.audit) if job and not _done(job, outcomes)]
    error = "; ".join(_said(job, outcomes) for job in failed if job.name in outcomes)
    if cell.build in failed:
        yield replace(row, error=error)
        return
    try:
        built = schema.read(cell.build.output)
        measured = schema.read(cell.validate.output) if cell.validate and cell.validate not in failed else None
        audits = _audits(cell.audit, cell.build.output) if cell.audit and cell.audit not in failed else {}
    except DataError as broken:
        yield replace(row, error=str(broken))
        return
    row = replace(row, error=error)
    for model in built["artifacts"]:
        row_of_model = replace(row, model=model["name"], bytes=model["bytes"], sha256=model["sha256"])
        row_of_model = _with_latency(row_of_model, cell, model, measured)
        row_of_model = _with_accuracy(row_of_model, model, measured)
        yield replace(row_of_model, audit=audits.get(model["path"], ""))


def _with_latency(row: Row, cell: Cell, model: Mapping[str, Any], measured: Mapping[str, Any] | None) -> Row:
    """As measured on the device, or estimated where it has no address; for the int8 `.tflite` with its verdict."""
    board, net = cell.board, cell.network.architecture
    figure: selection.EstimatedLatency | Latency | str
    if board.target is None:
        threads = board.threads or board.profile.default_threads
        figure = selection.estimated(
            board.profile, net, threads, board.percentile, precision=model["precision"], runtime=model["format"]
        )
    else:
        told = _of(measured, model, "latency")
        if told is not None and "value_ms" not in told:
            return _by_program(row, told)
        figure = "not measured" if told is None else Latency(**told)
    if not isinstance(figure, str):
        row = replace(
            row,
            latency_ms=figure.value_ms,
            latency_low_ms=figure.low_ms,
            latency_high_ms=figure.high_ms,
            latency_kind="measured" if isinstance(figure, Latency) else "estimated",
            percentile=board.percentile,
            threads=figure.threads,
        )
    if row.model != _DEVICE_MODEL or not board.budget.limits:
        return row
    judged = selection.judge(net, board.budget, figure, row.bytes)
    return replace(row, verdict=f"{judged.verdict}: {judged.reason}")


def _by_program(row: Row, told: Mapping[str, Any]) -> Row:
    """What a phone's own program measured: a mean, which no budget of a percentile is held against."""
    return replace(
        row,
        latency_ms=told["mean_ms"],
        latency_low_ms=told["low_ms"],
        latency_high_ms=told["high_ms"],
        latency_kind="measured mean",
        threads=told["threads"],
        verdict="no figure: the phone's program tells means, no percentiles",
    )


def _with_accuracy(row: Row, model: Mapping[str, Any], measured: Mapping[str, Any] | None) -> Row:
    """As measured on the device where it was, else where the models were built."""
    found, where = _of(measured, model, "accuracy"), "device"
    if found is None:
        found, where = model["accuracy"], "built"
    if found is None:
        return row
    # A phone's own program counts right answers, and tells no predictions to compare.
    drop, agreement = found.get("drop") or {}, found.get("agreement")
    return replace(
        row,
        images=found["images"],
        top1=_percent(found["top1"], "value"),
        drop=drop.get("value"),
        drop_low=drop.get("low"),
        drop_high=drop.get("high"),
        agreement=_percent(agreement, "value"),
        agreement_low=_percent(agreement, "low"),
        agreement_high=_percent(agreement, "high"),
        accuracy_on=where,
    )


def _of(measured: Mapping[str, Any] | None, model: Mapping[str, Any], figure: str) -> Any:
    listed = measured["models"] if measured else ()
    return next((one[figure] for one in listed if one["path"] == model["path"]), None)


def _percent(interval: Mapping[str, float] | None, name: str) -> float | None:
    return None if interval is None else 100 * interval[name]


def _audits(job: Job, bundle: Path) -> dict[str, str]:
    """Whether each int8 model passed its gates, by its path in the bundle."""
    found = {}
    for path in sorted(job.output.rglob(schema.REPORT)):
        report = schema.read(path.parent)
        passed = report["verdict"]["passed"]
        told = {True: "passed", False: "failed", None: "not told"}[passed]
        model = Path(report["models"]["int8"]["file"]).relative_to(bundle)
        found[model.as_posix()] = f"{told}: {report['verdict']['said']}"
    return found


def _done(job: Job, outcomes: Mapping[str, Outcome]) -> bool:
    return job.name in outcomes and done(job, outcomes[job.name])


def _said(job: Job, outcomes: Mapping[str, Outcome]) -> str:
    outcome = outcomes[job.name]
    return f"{job.kind} ended with {outcome.code}: {outcome.said}"
