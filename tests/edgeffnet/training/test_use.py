"""What was trained goes on: into a bundle, into int8, beside an int8 model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgeffnet.report import schema
from tests.conftest import Run
from tests.edgeffnet.training.conftest import COLOURS, paint

SMALL = ("--phi", "-3", "--depth", "0.2", "--resolution", "64")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data") / "pictures"
    for part, first, count in (("train", 0, 12), ("val", 50, 8)):
        for number, label in enumerate(("blue", "red", "yellow")):
            for index in range(first, first + count):
                paint(root / part / label / f"{label}{index}.png", COLOURS[label], 100 * number + index)
    return root


@pytest.fixture(scope="module")
def bundled(run: Run, pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `edgeffnet build --data` leaves of a small network."""
    output = tmp_path_factory.mktemp("built") / "out"
    plan = ("build", "--data", pictures, *SMALL, "--epochs", "1", "--recipe", "fast", "--formats", "tflite")
    done = run(*plan, "--output", output, timeout=900)
    assert done.returncode == 0, done.stderr
    assert [path.name for path in output.parent.iterdir()] == ["out"]
    return output


@pytest.mark.slow
def test_a_build_with_data_trains_quantizes_and_verifies(run: Run, bundled: Path) -> None:
    report = schema.read(bundled)
    assert report["training"]["data"]["classes"] == ["blue", "red", "yellow"]
    assert report["validation"]["images"] == 24
    assert "36 images" in report["calibration"]["source"]
    found = {entry["name"]: entry["accuracy"] for entry in report["artifacts"]}
    assert found["TFLite int8"]["top1"]["value"] >= 0.7
    assert (bundled / "labels.txt").read_text().split() == ["blue", "red", "yellow"]
    assert 'id="training"' in (bundled / "report.html").read_text()
    assert sorted(path.name for path in (bundled / "training").iterdir()) == [
        *("metrics.csv", "model.keras", "model.safetensors", "split.csv")
    ]
    done = run("verify", bundled)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_a_bundle_is_rebuilt_from_the_weights_it_holds(run: Run, bundled: Path) -> None:
    done = run("rebuild", bundled / "manifest.json", timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_trained_weights_are_quantized_and_audited_without_more_being_said(
    run: Run, bundled: Path, pictures: Path, tmp_path: Path
) -> None:
    weights = bundled / "training" / "model.keras"
    images = ("--calib", pictures / "train", "--val", pictures / "val")
    made = run("quantize", weights, *images, "--recipe", "fast", "--formats", "tflite", "--output", tmp_path / "int8")
    assert made.returncode == 0, made.stderr
    assert (tmp_path / "int8" / "labels.txt").read_text().split() == ["blue", "red", "yellow"]
    reference = ("--reference", weights.with_suffix(".safetensors"), "--val", pictures / "val")
    audit = ("audit", tmp_path / "int8" / "model_int8.tflite", *reference)
    done = run(*audit, "--no-detectors", "--no-layers", "--no-runtimes", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["images"]["labelled"] and found["accuracy"]["agreement"]["value"] >= 0.8
