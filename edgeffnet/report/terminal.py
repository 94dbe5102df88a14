"""Reports as tables on a terminal, and as plain text elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from edgeffnet import fastest
from edgeffnet.budget import Budget
from edgeffnet.bundle.validate import Validation
from edgeffnet.planning import Plan
from edgeffnet.quantization import Quantized
from edgeffnet.report.console import open_console, plain_table
from edgeffnet.report.frontier import Point
from edgeffnet.report.report import Report
from edgeffnet.selection import Candidate, EstimatedLatency, bound_by, limit_text, may_fit
from edgeffnet.statistics import Interval
from edgeffnet.timing import Latency
from edgeffnet.validation import Accuracy

_MARKS = {"chosen": "[green]chosen[/green]", "fits": "fits"}


def show(report: Report) -> None:
    """Prints what was chosen and why, what each artefact does, and what to know about the figures."""
    console = open_console()
    console.print(_asked(report.device, report.budget, report.percentile, report.threads))
    _print_candidates(console, report.candidates, report.frontier)
    console.print(
        f"\nMeasured on {_where(report.target)} ({report.machine['cpu']}, {_threads(_threads_here(report))}), "
        f"agreement with fp32 on {report.validation['images']} images: {escape(report.validation['source'])}"
    )
    console.print(_artifacts(report))
    for note in report.notes:
        console.print(f"- {escape(note)}", highlight=False)
    chosen = report.chosen.architecture
    if len(report.candidates) > 1:
        console.print(f"- bound by {escape(bound_by(report.candidates, report.chosen))}", highlight=False)
    _print_may_fit(console, report.candidates, report.budget)
    console.print(f"- {escape(fastest.said(report.fastest, _where(report.target)))}")
    if any(way.value_ms is not None for way in report.fastest_on_device):
        console.print(f"- {escape(fastest.said(report.fastest_on_device, report.device))}")
    console.print(
        f"\n{chosen.name} (phi {chosen.phi:g}, {chosen.rule}, {chosen.resolution} px) -> "
        f"{report.output}/model_int8.tflite in {sum(report.seconds.values()):.0f} s",
        highlight=False,
    )


def show_plan(plan: Plan) -> None:
    """Prints the verdicts of a dry run and what its latencies rest on."""
    console, candidates = open_console(), plan.candidates
    console.print(_asked(plan.device, plan.budget, plan.percentile, plan.threads))
    _print_candidates(console, candidates, plan.frontier)
    figures = [candidate.latency for candidate in _shown(candidates) if isinstance(candidate.latency, EstimatedLatency)]
    for note in dict.fromkeys(note for figure in figures for note in figure.notes):
        console.print(f"- {escape(note)}")
    if len(candidates) > 1:
        console.print(f"- bound by {escape(bound_by(candidates, plan.chosen))}")
    if figures:
        console.print(f"- latency is estimated, not measured, from {figures[0].rows_said}; nothing was built")
    if all(candidate.architecture.rule != "official" for candidate in candidates):
        console.print("- latency only: nobody publishes weights for networks between the variants")
    if any(way.value_ms is not None for way in plan.fastest_on_device):
        console.print(f"- {escape(fastest.said(plan.fastest_on_device, plan.device))}")
    _print_may_fit(console, candidates, plan.budget)


def show_validation(found: Validation) -> None:
    """Prints the tables of a validation, and what to know about its figures."""
    console = open_console()
    if found.instructions:
        console.print(_instructions(found))
    elif found.phone_latencies:
        console.print(_on_phone(found))
        console.print(f"- {_conditions(found)}")
    else:
        console.print(_timed(found))
        console.print(_details(found))
        console.print(f"- {_conditions(found)}")
    for artifact, compared in found.comparisons.items():
        console.print(f"- {artifact.name}: {compared.said()}")
    for artifact, reason in found.not_run.items():
        console.print(f"- {artifact.name}: not run there: {escape(reason)}")
    for artifact, reason in found.not_measured.items():
        console.print(f"- {artifact.name}: accuracy not measured: {escape(reason)}")
    for note in found.notes:
        console.print(f"- {escape(note)}")


def show_quantized(found: Quantized) -> None:
    """Prints what int8 kept of a user's model, and what to know about the figures."""
    console = open_console()
    images = next(iter(found.accuracies.values())).images
    console.print(f"{found.model.name} on {images} images: {escape(found.validation)}")
    table = plain_table()
    _artifact_columns(table, timed=False)
    for made in found.checked:
        row = _artifact_row(made.artifact.name, made.artifact.bytes, None, found.accuracies.get(made.artifact))
        table.add_row(*row[:2], *row[4:])
    console.print(table)
    for note in found.notes:
        console.print(f"- {escape(note)}", highlight=False)
    console.print(f"\n-> {found.output}/model_int8.tflite in {sum(found.seconds.values()):.0f} s", highlight=False)


def _instructions(found: Validation) -> Table:
    """Counts, in millions, for one inference."""
    table = plain_table(f"On {_where(found.target)}: millions of instructions, emulated, no time")
    for name in ("model", "multiply-accumulate", "load", "store", "other", "all", "top-1", "agreement"):
        table.add_column(name, justify="left" if name == "model" else "right")
    for artifact, counted in found.instructions.items():
        classes = (counted.multiply_accumulate, counted.load, counted.store, counted.other, counted.total)
        accuracy = found.accuracies.get(artifact)
        shares = (_share(accuracy.top1 if accuracy else None), _share(accuracy.agreement if accuracy else None))
        table.add_row(artifact.name, *(f"{count / 1e6:.1f}" for count in classes), *shares)
    return table


def _timed(found: Validation) -> Table:
    latency = next(iter(found.latencies.values()))
    cores = ", ".join(map(str, latency.affinity))
    table = plain_table(
        f"On {_where(found.target)}: {found.machine['cpu']}, {_threads(latency.threads)} on cores {cores}"
    )
    _artifact_columns(table)
    for artifact, latency in found.latencies.items():
        table.add_row(*_artifact_row(artifact.name, artifact.bytes, latency, found.accuracies.get(artifact)))
    return table


def _details(found: Validation) -> Table:
    """How each latency came about."""
    table = plain_table()
    table.add_column("model")
    for name in ("p99", "deviation", "max", "runs", "outliers", "load", "first", "memory", "per second"):
        table.add_column(name, justify="right")
    table.add_column("accelerated operators")
    for artifact, latency in found.latencies.items():
        place = latency.placement
        told = "not told" if place["operators"] is None else f"{place['fast']} of {place['operators']}"
        out = ", ".join(f"{count} {name}" for name, count in place["fell_out"].items())
        table.add_row(
            artifact.name,
            f"{latency.p99_ms:.2f} ms",
            f"{latency.deviation_ms:.2f} ms",
            f"{latency.max_ms:.2f} ms",
            f"{latency.runs}" if latency.tight else f"{latency.runs} (capped)",
            str(latency.outliers),
            f"{latency.load_ms:.0f} ms",
            f"{latency.first_ms:.2f} ms",
            f"{latency.memory_bytes / 1e6:.0f} MB",
            f"{latency.throughput_per_second:.1f}",
            f"{told} in {place['partitions']} partitions ({out} not)" if out else f"{told}{_precisions(place)}",
        )
    return table


def _precisions(placement: dict[str, Any]) -> str:
    """How many of OpenVINO's layers were executed in which precision."""
    counts = placement.get("precisions")
    if not counts:
        return ""
    return f" ({', '.join(f'{count} in {name}' for name, count in sorted(counts.items()))})"


def _on_phone(found: Validation) -> Table:
    """What benchmark_model and the evaluator told."""
    latency = next(iter(found.phone_latencies.values()))
    cores = ", ".join(map(str, latency.affinity))
    table = plain_table(f"On {_where(found.target)}: {latency.on}, {_threads(latency.threads)} on cores {cores}")
    table.add_column("model")
    for name in (
        "mean (95%)",
        "median",
        "p95",
        "deviation",
        "max",
        "runs",
        "load",
        "first",
        "memory",
        "top-1",
        "top-5",
    ):
        table.add_column(name, justify="right")
    table.add_column("accelerated operators")
    for artifact, latency in found.phone_latencies.items():
        accuracy = found.phone_accuracies.get(artifact)
        place = latency.placement
        table.add_row(
            artifact.name,
            f"{latency.mean_ms:.2f} ms ({latency.low_ms:.2f} to {latency.high_ms:.2f})",
            _milliseconds(latency.median_ms),
            _milliseconds(latency.p95_ms),
            f"{latency.deviation_ms:.2f} ms",
            f"{latency.max_ms:.2f} ms",
            f"{latency.runs}" if latency.tight else f"{latency.runs} (capped)",
            f"{latency.load_ms:.0f} ms",
            f"{latency.first_ms:.2f} ms",
            "-" if latency.memory_bytes is None else f"{latency.memory_bytes / 1e6:.0f} MB",
            _share(accuracy.top1 if accuracy else None),
            _share(accuracy.top5 if accuracy else None),
            "not told" if place["operators"] is None else f"{place['fast']} of {place['operators']}",
        )
    return table


def _milliseconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f} ms"


def _conditions(found: Validation) -> str:
    """The machine around the timing, as far as it could be read."""
    before, during, after = (found.machine[name] or {} for name in ("before", "during", "after"))
    clock, heat = during.get("frequency_mhz"), during.get("temperature_c")
    told = [
        f"governor {before.get('governor') or 'not readable'}",
        f"clock {clock[0]:.0f} to {clock[1]:.0f} MHz" if clock else "clock not readable",
        f"{heat[0]:.0f} to {heat[1]:.0f} C, {after['temperature_c'] or heat[1]:.0f} C after"
        if heat
        else "temperature not readable",
    ]
    if during.get("foreign_cores") is not None:
        told.append(f"others used {during['foreign_cores']:.2f} cores")
    if found.machine["peak_memory_bytes"]:
        told.append(f"peak memory of the process {found.machine['peak_memory_bytes'] / 1e6:.0f} MB")
    return "; ".join(told)


def _asked(device: str, budget: Budget, percentile: float, threads: int) -> str:
    limits = [limit_text(name, value) for name, value in budget.limits.items()]
    if budget.drop is not None:
        limits.append(f"{budget.drop:g} points")
    within = f" within {', '.join(limits)} at p{percentile:g}" if limits else ""
    return f"Candidates for {device}{within}, int8 TFLite, {_threads(threads)}"


# Beyond so many candidates, those around the chosen one are shown.
_SHOWN = 12


def _shown(candidates: Sequence[Candidate]) -> list[Candidate]:
    """All of them, or where they are many those around the chosen one and those measured."""
    if len(candidates) <= _SHOWN:
        return list(candidates)
    chosen = next((index for index, found in enumerate(candidates) if found.verdict == "chosen"), 0)
    start = max(0, min(chosen - _SHOWN // 2, len(candidates) - _SHOWN))
    near = range(start, start + _SHOWN)
    return [found for index, found in enumerate(candidates) if index in near or isinstance(found.latency, Latency)]


def _print_candidates(console: Console, candidates: Sequence[Candidate], points: Sequence[Point]) -> None:
    shown = _shown(candidates)
    console.print(_candidates(shown, {point.name: point for point in points}))
    if len(shown) < len(candidates):
        console.print(f"- {len(candidates) - len(shown)} candidates further off are not shown; --json holds them")


def _print_may_fit(console: Console, candidates: Sequence[Candidate], budget: Budget) -> None:
    chosen = next((found for found in candidates if found.verdict == "chosen"), None)
    said = may_fit(tuple(candidates), chosen, budget) if chosen else None
    if said:
        console.print(f"- {escape(said)}")


_NUMBERS = ("phi", "pixels", "MACs", "parameters", "int8 size")


def _candidates(candidates: Sequence[Candidate], points: Mapping[str, Point]) -> Table:
    table = plain_table()
    for name in ("variant", *_NUMBERS, "top-1", "latency", "verdict", "why"):
        table.add_column(name, justify="right" if name in _NUMBERS else "left")
    for candidate in candidates:
        net = candidate.architecture
        table.add_row(
            net.name,
            f"{net.phi:g}",
            str(net.resolution),
            f"{candidate.cost.macs / 1e6:.0f}M",
            f"{candidate.cost.parameters / 1e6:.1f}M",
            *_worth(points.get(net.name)),
            _candidate_latency(candidate),
            _MARKS.get(candidate.verdict, candidate.verdict),
            escape(candidate.reason),
        )
    return table


def _worth(point: Point | None) -> tuple[str, str]:
    """Size and accuracy: a file's, or the least that one takes; measured in int8, or published of fp32."""
    if point is None:
        return "-", "-"
    size = f"{'' if point.size_kind == 'file' else '>= '}{point.size_bytes / 1e6:.1f} MB"
    return size, "-" if point.top1 is None else f"{point.top1:.1f}% {point.top1_kind}"


def _candidate_latency(candidate: Candidate) -> str:
    found = candidate.latency
    if isinstance(found, EstimatedLatency):
        return f"{found.value_ms:.1f} ms estimated"
    if isinstance(found, Latency):
        return f"{found.value_ms:.2f} ms measured"
    return "-"


def _artifacts(report: Report) -> Table:
    labelled = report.validation["labelled"]
    table = plain_table()
    _artifact_columns(table, labelled)
    for found in report.artifacts:
        row = _artifact_row(found.artifact.name, found.artifact.bytes, found.latency, found.accuracy)
        table.add_row(*(row if labelled else (*row[:4], *row[7:])))
    return table


def _where(target: str) -> str:
    return "this machine" if target == "local" else escape(target)


def _threads_here(report: Report) -> int:
    return next((found.latency.threads for found in report.artifacts if found.latency), report.threads)


def _artifact_columns(table: Table, labelled: bool = True, timed: bool = True) -> None:
    table.add_column("model")
    for name in ("size", "p50", "p90") if timed else ("size",):
        table.add_column(name, justify="right")
    if labelled:
        for name in ("top-1", "top-5", "drop (points, 95%)"):
            table.add_column(name, justify="right")
    for name in ("agreement (95%)", "logits SNR"):
        table.add_column(name, justify="right")


def _artifact_row(name: str, size: int, latency: Latency | None, accuracy: Accuracy | None) -> tuple[str, ...]:
    return (
        name,
        f"{size / 1e6:.2f} MB",
        f"{latency.p50_ms:.2f} ms" if latency else "-",
        f"{latency.p90_ms:.2f} ms" if latency else "-",
        _share(accuracy.top1 if accuracy else None),
        _share(accuracy.top5 if accuracy else None),
        _drop(accuracy.drop if accuracy else None),
        _agreement(accuracy.agreement if accuracy else None),
        f"{accuracy.snr_db:.1f} dB" if accuracy and accuracy.snr_db < 99 else "-" if accuracy is None else "same",
    )


def _share(found: Interval | None) -> str:
    return f"{found.value:.2%}" if found else "-"


def _agreement(found: Interval | None) -> str:
    return f"{found.value:.2%} ({found.low:.1%} to {found.high:.1%})" if found else "-"


def _drop(found: Interval | None) -> str:
    return f"{found.value:+.2f} ({found.low:+.2f} to {found.high:+.2f})" if found else "-"


def _threads(count: int) -> str:
    return f"{count} thread{'s' if count != 1 else ''}"
