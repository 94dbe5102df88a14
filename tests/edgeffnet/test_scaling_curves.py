"""Figure 8: the points, and what `edgeffnet scale --plot` makes of them."""

import json
import xml.etree.ElementTree as ElementTree

import pytest

from edgeffnet import cost, devices, scaling
from edgeffnet.errors import UsageError
from edgeffnet.grid.candidates import Network
from edgeffnet.grid.costs import EstimatedLatency
from edgeffnet.grid.search import Score
from edgeffnet.report.plots.scaling_curves import svg
from edgeffnet.rules import Coefficients
from edgeffnet.scaling_curves import WAYS, curves

SVG = "{http://www.w3.org/2000/svg}"


def by_way(points):
    return {way: [point for point in points if point.way == way] for way in WAYS}


def test_every_way_starts_at_b0_and_grows_one_coefficient():
    found = by_way(curves(phis=(0, 1, 2)))
    b0 = cost.total(scaling.official("b0"))
    for way, points in found.items():
        assert (points[0].macs, points[0].parameters, points[0].resolution) == (b0.macs, b0.parameters, 224)
        assert [point.phi for point in points] == [0, 1, 2]
        assert points[0].macs < points[1].macs < points[2].macs
        assert all(point.depth == 1 for point in points if way in ("width", "resolution"))
        assert all(point.width == 1 for point in points if way in ("depth", "resolution"))
        assert all(point.resolution == 224 for point in points if way in ("depth", "width"))
    assert {point.parameters for point in found["resolution"]} == {b0.parameters}
    assert [point.depth for point in found["depth"]] == [1, 2, 4]


@pytest.mark.parametrize("way", WAYS)
def test_phi_doubles_what_is_counted_as_far_as_whole_blocks_allow(way):
    # Repeats are rounded up: B0's two blocks become three where the rule says 2.4.
    points = by_way(curves(phis=(0, 3)))[way]
    assert points[1].macs / points[0].macs == pytest.approx(8, rel=0.1)


def test_the_compound_points_are_the_networks_of_the_rule():
    for point in by_way(curves(phis=(1, 2)))["compound"]:
        costs = cost.total(scaling.architecture_at(point.phi))
        assert (point.macs, point.parameters) == (costs.macs, costs.parameters)


def test_another_network_is_scaled_from_its_own_base():
    points = curves(Network("mobilenet_v2", Coefficients(0.5, 1.0, 96)), (0, 2))
    assert {point.resolution for point in points if point.phi == 0} == {96}
    assert [point.width for point in by_way(points)["width"]] == [0.5, 1.0]


def test_latencies_are_the_devices_estimates_and_say_so():
    device = devices.load("rpi4")
    points = curves(phis=(0, 1), latency=EstimatedLatency(device))
    deep = next(point for point in points if point.way == "depth" and point.phi == 1)
    net = scaling.architecture_at(0, overrides=scaling.Overrides(depth=2.0))
    found = devices.estimate(device, net)
    assert (deep.latency_ms, deep.low_ms, deep.high_ms) == pytest.approx((found.mean_ms, found.low_ms, found.high_ms))
    assert {point.latency_kind for point in points} == {"estimated"}
    assert {point.latency_kind for point in curves(phis=(0,))} == {"no figure"}


def test_scores_are_asked_for_once_each_kept_and_drawn(tmp_path):
    asked = []

    def evaluate(net):
        asked.append(net.name)
        if net.resolution > 300:
            raise RuntimeError("too large")
        return Score(net.depth + net.width, spread=0.5, seeds=2, rests_on="nothing at all")

    points = curves(phis=(0, 1), evaluate=evaluate, journal=tmp_path / "journal")
    assert len(asked) == 5, "the base network once, and four others"
    failed = [point for point in points if point.score is None]
    assert [(point.way, point.phi, point.failure) for point in failed] == [("resolution", 1, "RuntimeError: too large")]
    again = curves(phis=(0, 1), evaluate=lambda _: pytest.fail("asked again"), journal=tmp_path / "journal")
    assert again == points
    text = svg(points, "efficientnet", None)
    assert "score after a short training" in text
    assert "nothing at all" in text


def test_scaling_up_takes_no_negative_phi():
    with pytest.raises(UsageError, match="below 0"):
        curves(phis=(-1,))


def test_the_drawing_names_axes_kinds_and_each_point():
    points = curves(phis=(0, 1), latency=EstimatedLatency(devices.load("rpi4")))
    root = ElementTree.fromstring(svg(points, "efficientnet", "latency on rpi4"))
    words = " ".join("".join(text.itertext()) for text in root.iter(f"{SVG}text"))
    for said in ("multiply-adds, billions", "estimated latency, milliseconds", "parameters, millions", *WAYS):
        assert said in words
    titles = [title.text for title in root.iter(f"{SVG}title")]
    assert len(titles) == len(points) + 1
    assert all("ms estimated" in title for title in titles[1:])
    assert svg(points, "efficientnet", "latency on rpi4") == svg(points, "efficientnet", "latency on rpi4")


def test_without_a_device_the_drawing_holds_no_latency():
    text = svg(curves(phis=(0, 1)), "efficientnet", None)
    assert "milliseconds" not in text
    assert "no latency" in text


def test_the_command_draws_b0_and_prints_its_points(run, tmp_path):
    done = run("scale", "--plot", "fig8.svg", "--phi", "1", "--phi", "0", "--device", "rpi4", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    points = json.loads(done.stdout)
    assert [(point["way"], point["phi"]) for point in points] == [(way, phi) for way in WAYS for phi in (0.0, 1.0)]
    assert points[0]["macs"] == cost.total(scaling.official("b0")).macs
    assert (tmp_path / "fig8.svg").read_text().startswith("<svg")


@pytest.mark.parametrize(
    ("said", "arguments"),
    [
        ("leave out", ("--plot", "a.svg", "--variant", "b0")),
        ("leave out", ("--plot", "a.svg", "--max-macs", "1G")),
        ("--plot nowhere/a.svg", ("--plot", "nowhere/a.svg")),
        ("below 0", ("--plot", "a.svg", "--phi", "-1")),
        ("--rule tinynet", ("--plot", "a.svg", "--rule", "tinynet")),
        ("nearest: resnet50", ("--plot", "a.svg", "--arch", "resnet")),
        ("rpi4", ("--plot", "a.svg", "--device", "rpi44")),
        ("give --plot as well", ("--accuracy", "pictures")),
        ("--epochs belongs to", ("--plot", "a.svg", "--epochs", "3")),
        ("--journal belongs to", ("--phi", "1", "--journal", "j")),
        ("trains nothing", ("--plot", "a.svg", "--accuracy", "pictures", "--seeds", "0")),
    ],
)
def test_what_cannot_be_drawn_is_one_line_and_leaves_no_file(run, tmp_path, said, arguments):
    done = run("scale", *arguments, cwd=tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert said in done.stderr
    assert list(tmp_path.iterdir()) == []
