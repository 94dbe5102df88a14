"""OpenVINO's own tools take the IR of a bundle as it is, and find in it what its contract says."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize("name", ["model_int8.xml", "model_fp32.xml"])
def test_benchmark_app_runs_the_model(bundle: Path, name: str) -> None:
    program = Path(sys.executable).parent / "benchmark_app"
    options = ("-hint", "none", "-nstreams", "1", "-niter", "10")
    done = subprocess.run(
        [program, "-m", bundle / "openvino" / name, *options], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "10 iterations" in done.stdout


@pytest.mark.parametrize("name", ["model_int8.xml", "model_fp32.xml"])
def test_runtime_info_holds_preprocessing_and_labels(bundle: Path, name: str) -> None:
    import openvino

    model = openvino.Core().read_model(str(bundle / "openvino" / name))
    contract = json.loads((bundle / "preprocessing.json").read_text())

    def told(*path: str) -> str:
        return str(model.get_rt_info([*path]).value)

    raw = contract["models"][f"openvino/{name}"]["input"] == "uint8"
    mean, std = ([0] * 3, [1] * 3) if raw else (contract["mean"], contract["std"])
    assert [float(value) for value in told("model_info", "mean_values").split()] == mean
    assert [float(value) for value in told("model_info", "scale_values").split()] == std
    names = (bundle / "labels.txt").read_text().splitlines()
    assert told("model_info", "labels").split() == ["_".join(one.split()) for one in names]
    assert told("model_info", "model_type") == "Classification"
    assert not model.has_rt_info(["model_info", "resize_type"]), "Model API knows no crop of a part of the square"
    assert float(told("edgeffnet", "crop")) == contract["crop"]
    assert told("edgeffnet", "interpolation") == contract["interpolation"]
