"""`rebuild`: the same bytes from the manifest alone, and what changed where they are not."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edgeffnet import photographs
from edgeffnet.bundle import golden
from edgeffnet.bundle.verify import verify
from tests.conftest import Run


@pytest.fixture(scope="module")
def small(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small network of integers from end to end in every format, calibrated on pictures of this folder."""
    folder = tmp_path_factory.mktemp("small")
    (folder / "photos").mkdir()
    for photograph in photographs.CALIBRATION[:2]:
        shutil.copy(photographs.path_of(photograph), folder / "photos")
    done = run(
        *("build", "--device", "rpi4", "--phi=-3", "--weights", "random", "--classes", "10", "--recipe", "fast"),
        *("--io", "int8", "--calib", "photos", "--bundle", "python", "--output", "out"),
        cwd=folder,
        environment={"PYTHONHASHSEED": "1"},
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.slow
def test_integer_outputs_are_kept_as_integers(small: Path) -> None:
    for image in golden.read(small / "out"):
        for artifact, path in image.outputs.items():
            integers = artifact.input == "int8"
            assert path.stat().st_size == 10 * (1 if integers else 4)
    names = {name for name, entry in golden.index(small / "out")["models"].items() if entry["dtype"] == "int8"}
    assert names == {"model_int8.tflite"}
    assert verify(small / "out").passed


@pytest.mark.slow
def test_the_manifest_makes_every_file_again_to_the_byte(small: Path, run: Run) -> None:
    done = run("rebuild", "out/manifest.json", "--output", "again", cwd=small, environment={"PYTHONHASHSEED": "2"})
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("PASS ")
    files = {path.relative_to(small / "out") for path in (small / "out").rglob("*") if path.is_file()}
    differing = {
        str(path) for path in files if (small / "out" / path).read_bytes() != (small / "again" / path).read_bytes()
    }
    assert differing <= {"report.json", "report.html", "manifest.json"}
    assert {"model_int8.tflite", "model_fp32.onnx"} <= {path.name for path in files}


@pytest.mark.slow
def test_other_tools_and_pictures_are_named_beside_the_files_that_differ(small: Path, run: Run, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(small, tmp_path / "copy"))
    manifest = json.loads((copy / "out" / "manifest.json").read_text())
    manifest["tools"]["openvino"] = "2020.1"
    (copy / "out" / "manifest.json").write_text(json.dumps(manifest))
    shutil.copy(photographs.path_of(photographs.CALIBRATION[2]), copy / "photos")
    done = run("rebuild", "out", "--json", cwd=copy)
    assert done.returncode == 7
    found = json.loads(done.stdout)
    assert not found["identical"]
    assert "model_int8.tflite" in found["differing"]
    assert "labels.txt" not in found["differing"]
    assert [line.split(" then")[0] for line in found["tools"]] == ["openvino 2020.1"]
    assert any(line.startswith("calibration images changed, such as") for line in found["inputs"])
    assert "openvino 2020.1 then" in done.stderr


def test_a_manifest_without_its_request_is_refused(bundle: Path, run: Run, tmp_path: Path) -> None:
    manifest = json.loads((bundle / "manifest.json").read_text())
    del manifest["request"]
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    done = run("rebuild", tmp_path / "manifest.json")
    assert done.returncode == 6
    assert "does not hold the request" in done.stderr


@pytest.mark.slow
def test_pictures_that_are_gone_are_named(small: Path, run: Run, tmp_path: Path) -> None:
    done = run("rebuild", small / "out" / "manifest.json", cwd=tmp_path)
    assert done.returncode == 6
    assert "photos: no such folder" in done.stderr


@pytest.mark.slow
def test_the_snippet_of_an_integer_model_ranks_as_the_model_does(small: Path) -> None:
    image = golden.read(small / "out")[0]
    program = small / "out" / "python" / "predict.py"
    done = subprocess.run([sys.executable, "-I", program, image.file], capture_output=True, text=True, check=True)
    artifact = next(one for one in image.outputs if one.input == "int8")
    scores = np.fromfile(image.outputs[artifact], np.int8).astype(int)
    best = np.argsort(-scores, kind="stable")[:5]
    assert [line.rsplit("% ")[1] for line in done.stdout.splitlines()] == [f"class {index}" for index in best]
