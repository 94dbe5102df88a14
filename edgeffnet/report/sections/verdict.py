"""What a report comes to, in a word, a sentence and the figures that decide."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from edgeffnet.report.page import Fact, State, Verdict
from edgeffnet.report.sections.models import Model, Report, models, shipped
from edgeffnet.report.wording import (
    first_upper,
    megabytes,
    milliseconds,
    number,
    percent,
    plural,
    points_interval,
    probability,
    share_interval,
    signed,
)

_AUDIT_WORDS: dict[bool | None, tuple[State, str]] = {True: ("pass", "Pass"), False: ("fail", "Fail")}


def verdict(report: Report) -> Verdict:
    kinds = {"build": _build, "validate": _validate, "quantize": _quantize, "audit": _audit, "train": _train}
    return kinds[report["kind"]](report)


def _build(report: Report) -> Verdict:
    chosen, budget = report["chosen"], report["budget"]
    limits, floors = _limits(budget), _floors(budget)
    name = f"{chosen['name']} (phi {chosen['phi']:g}, {chosen['resolution']} px)"
    if not limits and not floors:
        return Verdict("neutral", "Built", f"{name}, for {report['device']}", (), _build_facts(report))
    only = "is within" if len(report["candidates"]) == 1 else "is the largest candidate within"
    kind = (chosen["latency"] or {}).get("kind")
    how = f" ({kind})" if budget["latency_ms"] and kind else ""
    within = f"{' and '.join(limits)} on {report['device']}{how}" if limits else "the accuracy asked for"
    kept = f", with {' and '.join(floors)}" if limits and floors else f": {' and '.join(floors)}" if floors else ""
    said = [f"Bound by {report['bound_by']}."]
    if report["may_fit"]:
        said.append(f"{first_upper(report['may_fit'])}.")
    headline = f"{name} {only} {within}{kept}."
    return Verdict("pass", "Fits", headline, tuple(said), _build_facts(report))


def _build_facts(report: Report) -> tuple[Fact, ...]:
    facts, latency = [], report["chosen"]["latency"]
    if latency:
        between = f"{latency['low_ms']:.2f} to {latency['high_ms']:.2f} ms"
        facts.append(
            Fact(
                f"p{latency['percentile']:g} latency, {report['device']}",
                milliseconds(latency["value_ms"]),
                f"{latency['kind']}, {between}",
            )
        )
    made = shipped(report)
    return (*facts, *(_model_facts(made) if made else ()))


def _model_facts(model: Model) -> tuple[Fact, ...]:
    facts = [Fact(f"Size of {model['name']}", megabytes(model["bytes"]))]
    return (*facts, *_accuracy_facts(model.get("accuracy")))


def _accuracy_facts(accuracy: Mapping[str, Any] | None) -> list[Fact]:
    if accuracy is None:
        return []
    facts = []
    if accuracy["top1"]:
        facts.append(Fact("Top-1", percent(accuracy["top1"]["value"]), share_interval(accuracy["top1"])))
    if accuracy.get("drop"):
        facts.append(
            Fact("Drop against fp32", f"{signed(accuracy['drop']['value'])} points", points_interval(accuracy["drop"]))
        )
    if accuracy.get("agreement"):
        beside = f"{share_interval(accuracy['agreement'])}, {plural(accuracy['images'], 'image')}"
        facts.append(Fact("Agreement with fp32", percent(accuracy["agreement"]["value"]), beside))
    return facts


def _limits(budget: Mapping[str, float | None]) -> list[str]:
    words: dict[str, Callable[[float], str]] = {
        "latency_ms": lambda value: f"{value:g} ms",
        "size_bytes": lambda value: f"{megabytes(value)} of size",
        "memory_bytes": lambda value: f"{megabytes(value)} of memory",
        "macs": lambda value: f"{value / 1e6:g} M multiply-adds",
        "parameters": lambda value: f"{value / 1e6:g} M parameters",
    }
    return [word(value) for name, word in words.items() if (value := budget[name]) is not None]


def _floors(budget: Mapping[str, float | None]) -> list[str]:
    drop, agreement = budget["drop_points"], budget["agreement_percent"]
    found = [] if drop is None else [f"a drop of at most {drop:g} points"]
    return found if agreement is None else [*found, f"an agreement of at least {agreement:g}%"]


def _validate(report: Report) -> Verdict:
    ran = [model for model in models(report) if not model["not_run"]]
    refused = len(models(report)) - len(ran)
    where = _where(report["target"])
    headline = f"{plural(len(ran), 'model')} ran on {where}" + (f", {refused} did not." if refused else ".")
    facts: list[Fact] = []
    best = next((model for model in ran if model["precision"] == "int8"), ran[0] if ran else None)
    if best and best["latency"]:
        latency = best["latency"]
        name = f"p{latency['percentile']:g}" if "percentile" in latency else "Mean"
        at = latency.get("value_ms", latency["mean_ms"])
        between = f"{latency['low_ms']:.2f} to {latency['high_ms']:.2f} ms"
        facts.append(Fact(f"{name} latency, {best['name']}", milliseconds(at), f"measured, {between}"))
    if best and best["instructions"]:
        facts.append(
            Fact(
                f"Instructions, {best['name']}",
                f"{number(best['instructions']['total'] / 1e6, 1)} M",
                "emulated: no latency",
            )
        )
    if best:
        facts += _model_facts(best)
    return Verdict("neutral", "Measured", headline, (), tuple(facts))


def _quantize(report: Report) -> Verdict:
    floors = _floors(report["floor"])
    made = shipped(report)
    facts = _model_facts(made) if made else ()
    name = report["model"]["file"]
    if floors:
        return Verdict("pass", "Kept", f"{name} in int8, with {' and '.join(floors)}.", (), facts)
    return Verdict("neutral", "Quantized", f"{name} in int8; no floor was asked for.", (), facts)


def _audit(report: Report) -> Verdict:
    found = report["verdict"]
    gates = found["gates"]
    state, word = _AUDIT_WORDS.get(found["passed"], ("unknown", "Cannot tell") if gates else ("neutral", "Audited"))
    accuracy = report["accuracy"]
    facts = []
    if accuracy["drop"]:
        facts.append(
            Fact("Drop of top-1", f"{signed(accuracy['drop']['value'])} points", points_interval(accuracy["drop"]))
        )
    if accuracy["relative"]:
        relative = accuracy["relative"]
        facts.append(
            Fact(
                "Relative top-1",
                number(relative["value"], 4),
                f"{relative['low']:.4f} to {relative['high']:.4f}",
            )
        )
    if accuracy["agreement"]:
        facts.append(Fact("Agreement", percent(accuracy["agreement"]["value"]), share_interval(accuracy["agreement"])))
    if accuracy["flips"]:
        flips = accuracy["flips"]
        facts.append(
            Fact(
                "Worse / better",
                f"{flips['worse']:,} / {flips['better']:,}",
                f"images; McNemar p {probability(flips['mcnemar_p'])}",
            )
        )
    facts.append(Fact("Images", f"{report['images']['count']:,}"))
    decisive = [f"{first_upper(gate['said'])}." for gate in gates if gate["passed"] is found["passed"]]
    severe = [one for one in report["findings"] if one["severity"] != "note"]
    faults = [f"{first_upper(one['severity'])}: {one['said']}." for one in severe]
    said = (*decisive[1:], *(faults or ["Nothing faulty was noticed."]))
    return Verdict(state, word, decisive[0] if decisive else f"{first_upper(found['said'])}.", said, tuple(facts))


def _train(report: Report) -> Verdict:
    found = report["training"]
    classes, top1 = len(found["data"]["classes"]), found["top1"]
    headline = f"{found['network']['name']} tells {plural(classes, 'class', 'classes')} apart."
    images = plural(found["data"]["validation_images"], "validation image")
    facts = (
        Fact("Top-1", percent(top1["value"], 1), f"{share_interval(top1)}, {images}"),
        Fact("Parameters", f"{found['network']['parameters'] / 1e6:.2f} M"),
        Fact("Multiply-adds", f"{found['network']['macs'] / 1e6:,.0f} M"),
    )
    return Verdict("neutral", "Trained", headline, (), facts)


def _where(target: str) -> str:
    return "this machine" if target == "local" else target
