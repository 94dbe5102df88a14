"""What a build with data may train, and what it does not take beside the data."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgeffnet import cost, scaling
from edgeffnet.training.candidates import trainable
from edgeffnet.training.start import start
from edgeffnet.wanted import NetworkOptions
from tests.conftest import Run
from tests.edgeffnet.training.conftest import Painted


def test_checkpoints_and_any_phi_below_the_largest_are_candidates_largest_first() -> None:
    found = trainable(NetworkOptions(), 5)
    sizes = [cost.total(net).macs for net in found]
    assert sizes == sorted(sizes, reverse=True)
    assert found[0].name == "lite2"
    assert {"lite0", "lite1", "lite2"} <= {net.name for net in found}
    assert min(net.phi for net in found) < -3
    assert all(net.classes == 5 for net in found)
    assert any(0 < net.phi < 0.5 for net in found)


def test_nothing_is_trained_anew_that_costs_hardly_more_than_a_checkpoint() -> None:
    lite0 = cost.total(scaling.official("lite0", 5)).macs
    between = [net for net in trainable(NetworkOptions(), 5) if lite0 < cost.total(net).macs <= 1.1 * lite0]
    assert between == []


def test_a_network_that_is_named_is_the_only_candidate() -> None:
    assert [net.phi for net in trainable(NetworkOptions(phi=-0.7), 3)] == [-0.7]
    assert [net.name for net in trainable(NetworkOptions(variant="lite1"), 3)] == ["lite1"]


@pytest.mark.parametrize(("phi", "source"), [(-0.7, "lite0"), (0.4, "lite1"), (2.5, "lite2")])
def test_weights_come_from_the_nearest_checkpoint(phi: float, source: str) -> None:
    net = scaling.architecture_at(phi, family="lite")
    begin = start(NetworkOptions(phi=phi), net, ("a", "b"), seed=0)
    assert begin.checkpoint.architecture.name == source
    assert begin.inherited
    assert begin.preprocessing.resolution == net.resolution
    assert begin.preprocessing.crop == pytest.approx(net.resolution / (net.resolution + 32))
    assert begin.architecture.classes == 2


def test_a_variants_own_weights_are_taken_as_they_are() -> None:
    begin = start(NetworkOptions(variant="lite0"), scaling.official("lite0"), ("a", "b"), seed=0)
    assert not begin.inherited and not begin.changed
    assert begin.notes == ()


@pytest.mark.parametrize(
    ("said", "options"),
    [
        ("leave out --val", ("--val", "x.csv")),
        ("--weights random", ("--weights", "random")),
        ("--classes", ("--classes", "7")),
        ("nothing limits", ()),
    ],
)
def test_what_data_say_is_not_said_twice(
    run: Run, painted: Painted, tmp_path: Path, said: str, options: tuple[str, ...]
) -> None:
    folder = painted({"red": 6, "blue": 6})
    limit = () if said == "nothing limits" else ("--max-latency", "30ms")
    done = run("build", "--data", folder, "--device", "rpi4", *limit, *options, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert said in done.stderr and done.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["pictures"]
