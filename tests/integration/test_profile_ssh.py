"""A profile of a board that is only reached over ssh: measured there, and estimated from here."""

from __future__ import annotations

from pathlib import Path

from edgeffnet import devices, scaling
from edgeffnet.profiling.design import Subject
from edgeffnet.profiling.profile import profile
from tests.integration.conftest import Server

MODELS = ("lite:0.5,0.5,96", "lite:0.5,0.5,128", "efficientnet:0.5,0.5,96", "lite:0.75,0.5,128")


def test_a_board_over_ssh_is_profiled(server: Server, tmp_path: Path) -> None:
    subjects = [*(Subject(model) for model in MODELS), Subject("lite:0.6,0.5,112", held_out=True)]
    output = tmp_path / "board.toml"
    made = profile(server.url(), output, threads=(1,), subjects=sorted(subjects, key=lambda one: one.macs))
    device = devices.load(output)
    assert device.name == "board" and device.hardware_source.startswith("told by the target")
    assert {row.model for runtime in device.runtimes for row in runtime.used("int8")} == set(MODELS)
    assert len(made.held_out) == 2
    estimate = devices.estimate(device, scaling.official("lite0"), threads=1)
    assert isinstance(estimate, devices.Estimate)
    assert estimate.low_ms < estimate.mean_ms < estimate.high_ms
    assert [path.name for path in tmp_path.iterdir()] == ["board.toml"]
