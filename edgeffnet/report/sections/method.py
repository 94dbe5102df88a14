"""How each figure was obtained, from what and on what machine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgeffnet.report.page import Fact, Facts, Part, Section, Table, Text
from edgeffnet.report.plots import timeline
from edgeffnet.report.sections.models import Report, models
from edgeffnet.report.wording import first_upper, gigabytes, plain, plural, spaced

_LISTED = 10


def section(report: Report) -> Section:
    parts: list[Part] = [Table(("figure", "how it was obtained"), tuple(_ways(report)))]
    headings: tuple[str, ...] = ("model", "file", "takes", "gives", "bytes", "SHA-256")
    if report["kind"] == "train":
        headings = ("file", "bytes", "SHA-256")
    parts.append(Table(headings, tuple(_files(report)), frozenset({headings.index("bytes")}), title="Models"))
    if sources := _sources(report):
        parts.append(Facts(tuple(sources), "Images and sources"))
    parts.append(Facts(tuple(_machine(report)), "Machine"))
    if report["notes"]:
        parts.append(Text(tuple(report["notes"]), listed=True, title="What to know of these figures"))
    parts.append(_seconds(report["seconds"]))
    if len(report["seconds"]) > 1:
        parts.append(timeline.drawing(report["seconds"]))
    if report.get("tools"):
        versions = ", ".join(f"{name} {version}" for name, version in report["tools"].items())
        parts.append(Text((f"{versions}.",), title="Versions"))
    return Section("method", "How each figure was obtained", tuple(parts))


def _ways(report: Report) -> list[tuple[str, str]]:
    ways = []
    if report["kind"] in ("build", "validate"):
        ways.append(("Latency of models", _timing(report)))
    if report["kind"] == "build":
        ways.append(("Latency of candidates", _candidates(report)))
    if report["kind"] == "audit":
        ways += [
            ("Accuracy of both", "top-1 and top-5 with Wilson's 95% score interval"),
            ("Drop, relative", "paired: only images on which the models differ decide; 95% intervals for pairs"),
            ("Flips", "McNemar's exact test; by class with Holm's correction for all classes"),
            ("Output error", "of log-probabilities over all images; of layers over the first images, in real values"),
        ]
    elif report["kind"] == "train":
        how = "top-1 of the kept weights on all validation images, with Wilson's 95% score interval; in float"
        ways.append(("Accuracy", how))
    else:
        how = "top-1, top-5 and agreement with Wilson's 95% score interval; drop paired with the float model"
        ways.append(("Accuracy", how))
    return ways


def _timing(report: Report) -> str:
    timed = [model["latency"] for model in models(report) if model["latency"]]
    if not timed:
        return "not measured"
    first = timed[0]
    least = f"{min(at['runs'] for at in timed):,} to {max(at['runs'] for at in timed):,} runs each"
    figure = f"p{first['percentile']:g} from order statistics" if "percentile" in first else "mean over rounds"
    return f"measured on {first['on']} ({report['target']}), {least}; {figure}, 95% interval"


def _candidates(report: Report) -> str:
    kinds = sorted({point["latency_kind"] for point in report["frontier"]})
    figure = next((one["latency"] for one in report["candidates"] if one["latency"]), None)
    if figure and figure["kind"] == "estimated":
        rows = "published rows" if figure["published"] else "rows measured on the device"
        return (
            f"estimated from {figure['rows']} {rows} of {figure['runtime']}, {figure['coverage']:.0%} interval; "
            f"sources: {'; '.join(figure['sources'])}"
        )
    return f"{', '.join(kinds)}; {plural(len(report['probes']), 'network')} probed with random weights"


def _files(report: Report) -> list[tuple[str, ...]]:
    if report["kind"] == "audit":
        return [
            (name, one["file"], one["input"], one["output"], f"{one['bytes']:,}", one["sha256"])
            for name, one in report["models"].items()
        ]
    if report["kind"] == "train":
        return [(one["path"], f"{one['bytes']:,}", one["sha256"]) for one in report["files"]]
    hashes = "in manifest.json"
    return [
        (one["name"], one["path"], one["input"], one["output"], f"{one['bytes']:,}", one.get("sha256", hashes))
        for one in models(report)
    ]


def _sources(report: Report) -> list[Fact]:
    facts = []
    if report["kind"] == "build":
        weights, images = report["weights"], report["validation"]
        facts.append(Fact("Weights", f"{weights['name']} {weights['version']}".strip(), _hashed(weights)))
        facts.append(_images("Validation images", images["images"], images))
    elif report["kind"] == "quantize":
        facts.append(Fact("Model", report["model"]["file"], f"SHA-256 {report['model']['sha256']}"))
        facts.append(Fact("Validation images", report["validation"]))
    elif report["kind"] == "audit":
        images = report["images"]
        facts.append(_images("Images", images["count"], images))
        facts += _bad_images(images)
        facts += [Fact(first_upper(spaced(name)), plain(value)) for name, value in report["preprocessing"].items()]
        facts += _grids(report["models"])
    elif report["kind"] == "train":
        facts += [Fact(first_upper(spaced(name)), plain(value)) for name, value in report["preprocessing"].items()]
    else:
        found = next((model["accuracy"] for model in models(report) if model["accuracy"]), None)
        if found:
            facts.append(Fact("Validation images", f"{found['images']:,}", found["source"]))
    return facts


def _images(name: str, count: int, images: Mapping[str, Any]) -> Fact:
    labelled = "labelled" if images["labelled"] else "without labels"
    return Fact(name, f"{count:,}, {labelled}", f"{images['source']}; {_hash(images['sha256'])}")


def _bad_images(images: Mapping[str, Any]) -> list[Fact]:
    facts = []
    duplicates, unreadable = images["duplicates"], images["unreadable"]
    if duplicates:
        listed = "; ".join(" = ".join(group) for group in duplicates[:_LISTED])
        facts.append(Fact("Duplicates", plural(len(duplicates), "group"), listed))
    if unreadable:
        listed = "; ".join(f"{one['file']}: {one['reason']}" for one in unreadable[:_LISTED])
        facts.append(Fact("Unreadable", plural(len(unreadable), "file"), listed))
    return facts


def _grids(audited: Mapping[str, Any]) -> list[Fact]:
    found = audited["int8"].get("quantization") or {}
    return [Fact(f"int8 {name}", plain(grid)) for name, grid in found.items() if grid]


def _hashed(weights: Mapping[str, Any]) -> str:
    return f"{weights['file']}, {_hash(weights['sha256'])}, {weights['license']}"


def _hash(sha256: str | None) -> str:
    return f"SHA-256 {sha256}" if sha256 else "no hash"


def _machine(report: Report) -> list[Fact]:
    machine = report["machine"]
    facts = [Fact("Target", "this machine" if report["target"] == "local" else report["target"])]
    words = {"cpu": "Processor", "board": "Board", "architecture": "Architecture", "cores": "Cores", "system": "System"}
    facts += [Fact(word, plain(machine[name])) for name, word in words.items() if machine.get(name)]
    if machine.get("memory_bytes"):
        facts.append(Fact("Memory", gigabytes(machine["memory_bytes"])))
    if machine.get("python"):
        facts.append(Fact("Python", machine["python"]))
    before, during = machine.get("before") or {}, machine.get("during") or {}
    if before.get("governor"):
        facts.append(Fact("Governor", before["governor"]))
    clock, heat, foreign = (during.get(name) for name in ("frequency_mhz", "temperature_c", "foreign_cores"))
    if during:
        facts.append(Fact("Clock while timing", f"{clock[0]:.0f} to {clock[1]:.0f} MHz" if clock else "not readable"))
        facts.append(Fact("Temperature", f"{heat[0]:.0f} to {heat[1]:.0f} °C" if heat else "not readable"))
    if pace := during.get("pace_ms"):
        best, usual = pace
        facts.append(Fact("A fixed calculation meanwhile", f"{usual / best:.2f} times as long as at its best"))
    if during.get("left_out"):
        said = f"{during['left_out']:.0%} of the inferences: others slowed this virtual machine meanwhile"
        facts.append(Fact("Left out", said))
    if foreign is not None:
        facts.append(Fact("Used by others meanwhile", f"{foreign:.2f} cores"))
    facts += [Fact("Warning", warning) for warning in machine.get("warnings") or []]
    return facts


def _seconds(seconds: Mapping[str, float]) -> Table:
    rows = [(name, f"{taken:.1f} s") for name, taken in seconds.items()]
    rows.append(("all", f"{sum(seconds.values()):.1f} s"))
    return Table(("step", "time"), tuple(rows), frozenset({1}), title="Time taken")
