"""The frontier: what each candidate takes and is worth, drawn and in the report."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path

import pytest

from edgeffnet import Budget, devices, scaling, selection
from edgeffnet.report.frontier import Point, frontier
from edgeffnet.report.plots.frontier import svg
from edgeffnet.selection import Candidate, judge, mark_chosen
from edgeffnet.statistics import share
from edgeffnet.validation import Accuracy
from tests.conftest import Run

BUDGET = Budget(latency="40ms")
SVG = "{http://www.w3.org/2000/svg}"


def candidates() -> tuple[Candidate, ...]:
    board = devices.load("rpi4")
    nets = [scaling.official(f"lite{number}") for number in (4, 3, 2, 1, 0)]
    return mark_chosen(tuple(judge(net, BUDGET, selection.estimated(board, net, 4, 90)) for net in nets))


def accuracy(right: int) -> Accuracy:
    found = share(right, 100)
    return Accuracy(100, "val", found, found, None, found, 20.0, 0.1, 0)


def test_every_candidate_is_there_with_why_it_was_rejected() -> None:
    points = frontier(candidates())
    assert [point.name for point in points] == ["lite4", "lite3", "lite2", "lite1", "lite0"]
    assert [point.verdict for point in points] == ["too slow", "too slow", "may fit", "chosen", "fits"]
    assert all(point.latency_kind == "estimated" and "estimated" in point.why for point in points)
    assert all(point.low_ms < point.latency_ms < point.high_ms for point in points)
    assert [point.top1 for point in points] == [81.5, 79.8, 77.6, 76.7, 75.1]
    assert {point.top1_kind for point in points} == {"published"}
    assert {point.size_kind for point in points} == {"weights"}
    assert all(point.best for point in points)


def test_an_accuracy_measured_in_int8_takes_the_place_of_the_published_one() -> None:
    by_name = {point.name: point for point in frontier(candidates(), {"lite1": accuracy(74)})}
    assert (by_name["lite1"].top1, by_name["lite1"].top1_kind) == (74.0, "measured")
    assert by_name["lite0"].top1_kind == "published"


def test_a_slower_and_less_accurate_candidate_is_not_on_the_frontier() -> None:
    points = frontier(candidates(), {"lite1": accuracy(70), "lite0": accuracy(74)})
    best = {point.name: point.best for point in points}
    assert not best["lite1"] and best["lite0"]


def test_untrained_networks_have_no_accuracy() -> None:
    assert {point.top1 for point in frontier(candidates(), trained=False)} == {None}


def drawn(points: tuple[Point, ...]) -> ElementTree.Element:
    return ElementTree.fromstring(svg([point.to_dict() for point in points], "rpi4 <&>", BUDGET.latency_ms, 90))


def marks(root: ElementTree.Element) -> list[ElementTree.Element]:
    """The groups of points, each with its title."""
    return [group for group in root.iter(f"{SVG}g") if group.find(f"{SVG}title") is not None]


def texts(root: ElementTree.Element) -> list[str]:
    return [text.text or "" for text in root.iter(f"{SVG}text")]


def hollow(mark: ElementTree.Element) -> bool:
    return any("fill: var(--paper)" in use.get("style", "") for use in mark.iter(f"{SVG}use"))


def test_the_plot_has_a_mark_an_interval_and_a_reason_for_each_and_the_budget() -> None:
    points = frontier(candidates())
    root = drawn(points)
    found = marks(root)
    titles = [mark.findtext(f"{SVG}title") or "" for mark in found]
    assert [title.partition(":")[0] for title in titles] == [point.name for point in points]
    assert all(point.why in title for point, title in zip(points, titles, strict=True))
    assert all(hollow(mark) for mark in found), "estimates are hollow"
    assert {"budget 40 ms", "chosen", "fits", "may fit", "rejected"} <= set(texts(root))
    across, up = ([float(next(mark.iter(f"{SVG}use")).get(axis, "0")) for mark in found] for axis in "xy")
    assert across == sorted(across, reverse=True) and up == sorted(up)


def test_a_measured_figure_is_filled_and_what_has_none_is_counted() -> None:
    points = frontier(candidates())
    mixed = (replace(points[0], latency_kind="measured"), replace(points[1], latency_ms=None), *points[2:])
    root = drawn(mixed)
    assert [hollow(mark) for mark in marks(root)] == [False, True, True, True]
    assert "1 without a latency" in (root.findtext(f"{SVG}title") or "")


def test_accuracies_of_two_kinds_are_not_drawn_on_one_scale() -> None:
    points = frontier(candidates(), {"lite1": accuracy(99)})
    assert "top-1, percent (published, of fp32 on ImageNet)" in texts(drawn(points))
    unpublished = tuple(replace(point, published_top1=None) for point in points)
    assert any(text.startswith("multiply-adds") for text in texts(drawn(unpublished)))


def test_a_plot_of_nothing_is_still_a_picture() -> None:
    nothing = tuple(replace(point, latency_ms=None) for point in frontier(candidates()))
    assert marks(drawn(nothing)) == []


def test_the_report_of_a_build_holds_it(bundle: Path) -> None:
    report = json.loads((bundle / "report.json").read_text())
    (point,) = report["frontier"]
    assert point["name"] == "lite0" and point["verdict"] == "chosen" and point["best"]
    assert point["size_kind"] in ("file", "weights") and point["latency_kind"] == "estimated"
    fastest = report["fastest"]
    assert {way["name"] for way in fastest} == {
        *("TFLite fp32", "TFLite int8", "OpenVINO fp32", "OpenVINO int8", "ONNX fp32")
    }
    assert [way["value_ms"] for way in fastest] == sorted(way["value_ms"] for way in fastest)
    on_device = {way["name"]: way for way in report["fastest_on_device"]}
    assert report["fastest_on_device"][0]["name"] == "TFLite int8"
    assert on_device["TFLite fp32"]["kind"] == "estimated"
    assert on_device["OpenVINO int8"]["kind"] == "no basis" and on_device["OpenVINO int8"]["why"]


@pytest.mark.parametrize("name", ["no/such/folder/plot.svg", "."])
def test_a_plot_that_cannot_be_written_is_told(run: Run, tmp_path: Path, name: str) -> None:
    done = run("build", "--device", "rpi4", "--max-latency", "50ms", "--dry-run", "--plot", tmp_path / name)
    assert (done.returncode, "--plot" in done.stderr) == (2, True)
