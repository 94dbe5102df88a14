"""No estimate from a profile is printed without the word "estimated", in any format."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edgeffnet import devices, scaling
from edgeffnet.devices import Estimate
from tests.conftest import Run

PLAN = ("build", "--device", "rpi4", "--max-latency", "40ms", "--dry-run")
FIGURES = ("value_ms", "mean_ms", "low_ms", "high_ms", "predicted_ms", "estimated_ms", "latency_ms")
# A number of milliseconds that is the user's own, not an estimate.
OWN = ("within 40 ms", "budget 40 ms", "within 1 ms")


def objects(value: Any) -> Iterator[dict[str, Any]]:
    """Every object in JSON data, outermost first."""
    if isinstance(value, dict):
        yield value
        for item in value.values():
            yield from objects(item)
    elif isinstance(value, list):
        for item in value:
            yield from objects(item)


def told(found: dict[str, Any]) -> bool:
    return "estimated" in (found.get("kind"), found.get("latency_kind"))


def milliseconds(text: str) -> list[str]:
    """The sentences and lines that state milliseconds."""
    for own in OWN:
        text = text.replace(own, "")
    return [line for line in text.splitlines() if re.search(r"\d ms\b", line)]


@pytest.mark.parametrize(
    "words",
    [
        (*PLAN, "--json"),
        (*PLAN, "--phi", "any", "--json"),
        ("devices", "rpi4", "--explain", "--json"),
        ("devices", "pixel4", "--explain", "--precision", "fp32", "--json"),
    ],
    ids=" ".join,
)
def test_json_flags_every_estimated_figure(run: Run, words: tuple[str, ...]) -> None:
    done = run(*words)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    document.pop("budget", None)  # the user's own
    figures = [found for found in objects(document) if set(found) & set(FIGURES)]
    assert figures
    missing = [found for found in figures if all(found.get(name) is None for name in FIGURES)]
    assert all(told(found) for found in figures if found not in missing)
    assert all(found["kind"] == "no basis" for found in missing)


@pytest.mark.parametrize(
    "words",
    [PLAN, (*PLAN, "--phi", "any"), ("scale", "--device", "rpi4"), ("scale", "--phi", "0.3", "--device", "rpi5")],
    ids=" ".join,
)
def test_each_line_with_milliseconds_says_estimated(run: Run, words: tuple[str, ...]) -> None:
    done = run(*words, environment={"COLUMNS": "400"})
    assert done.returncode == 0, done.stderr
    lines = milliseconds(done.stdout)
    assert lines
    assert all("estimated" in line for line in lines), [line for line in lines if "estimated" not in line]


def test_the_explanation_names_the_column(run: Run) -> None:
    assert "estimated ms" in run("devices", "rpi4", "--explain").stdout


def test_scale_says_it_in_data_too(run: Run) -> None:
    (row,) = json.loads(run("scale", "--variant", "lite0", "--device", "rpi4", "--json").stdout)
    assert row["latency"]["kind"] == "estimated"
    table = run("scale", "--variant", "lite0", "--device", "rpi4", "--csv").stdout
    (line,) = csv.DictReader(io.StringIO(table))
    assert "estimated" in line.values()


def test_an_error_says_it(run: Run) -> None:
    done = run("build", "--device", "rpi4", "--max-latency", "1ms", "--dry-run")
    assert done.returncode == 3
    assert all("estimated" in line for line in milliseconds(done.stderr))
    assert "estimated" in done.stderr


def test_the_plot_says_it_at_every_mark(run: Run, tmp_path: Path) -> None:
    picture = tmp_path / "plot.svg"
    assert run(*PLAN, "--plot", picture).returncode == 0
    titles = re.findall(r"<title>(lite.*?)</title>", picture.read_text())
    labels = re.findall(r">(lite\d[^<]*)</text>", picture.read_text())
    assert len(titles) == len(labels) == 3
    assert all("estimated" in text for text in (*titles, *labels))


def test_the_report_of_a_build_says_it(bundle: Path) -> None:
    report = json.loads((bundle / "report.json").read_text())
    named = [report["chosen"], *report["candidates"], *report["frontier"], *report["fastest_on_device"]]
    figures = [found for part in named for found in objects(part) if set(found) & set(FIGURES)]
    assert all(told(found) for found in figures if any(found.get(name) is not None for name in FIGURES))
    said = [report["bound_by"], report["may_fit"] or "", *report["notes"]]
    about = [text for text in said if "rpi4" in text and re.search(r"\d ms\b", text)]
    assert all("estimated" in text for text in about)


def test_python_says_it_too() -> None:
    found = devices.estimate(devices.load("rpi4"), scaling.official("lite0"))
    assert isinstance(found, Estimate) and found.kind == "estimated" and "estimated" in str(found)
