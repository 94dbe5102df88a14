"""`verify`: passes as built, and catches what was changed even where the manifest was made to agree."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from edgeffnet.bundle.verify import verify
from tests.conftest import Run
from tests.edgeffnet.bundle import changes

ARTEFACTS = (
    "model_fp32.tflite",
    "model_int8.tflite",
    "model_fp32.onnx",
    "openvino/model_fp32.xml",
    "openvino/model_fp32.bin",
    "openvino/model_int8.xml",
    "openvino/model_int8.bin",
)


@pytest.fixture
def copy(bundle: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(bundle, tmp_path / "copy"))


def test_a_bundle_as_built_passes_and_names_what_was_replayed(bundle: Path, run: Run) -> None:
    done = run("verify", bundle)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("PASS ")
    assert done.stderr == ""
    for name in ("model_int8.tflite in LiteRT", "openvino/model_int8.xml in OpenVINO", "model_fp32.onnx in ONNX"):
        assert name in done.stdout
    assert "4 images: pixels and normalised tensors" in done.stdout


def test_json_is_alone_on_standard_output_when_something_differs(copy: Path, run: Run) -> None:
    changes.flip(copy / "model_int8.tflite")
    (copy / "labels.txt").unlink()
    (copy / "extra").touch()
    done = run("verify", copy, "--json")
    assert done.returncode == 7
    found = json.loads(done.stdout)
    assert not found["passed"]
    expected = {"model_int8.tflite was changed", "labels.txt is missing", "extra was added"}
    assert expected <= set(found["differences"])
    assert all(said in done.stderr for said in expected)
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(("name", "place"), zip(ARTEFACTS, (0.0, 0.5, 1.0, 0.2, 0.8, 0.5, 0.0), strict=True))
def test_one_flipped_bit_in_an_artefact_is_caught(copy: Path, name: str, place: float) -> None:
    changes.flip(copy / name, place)
    found = verify(copy)
    assert f"{name} was changed" in found.differences
    model = name.replace(".bin", ".xml")
    assert not any(line.startswith(model) for line in found.checked), "a damaged model was run"
    assert any(line.startswith(f"{model}: not replayed") for line in found.not_checked)


@pytest.mark.parametrize(
    ("change", "file", "caught_without_hash"),
    [
        (changes.rename_classes, "labels.txt", "of which 2 differ"),
        (changes.swap_mean_and_std, "preprocessing.json", "mean and std of the contract give values"),
        (changes.swap_mean_and_std, "preprocessing.json", "model_fp32.tflite: outputs in LiteRT"),
        (changes.change_crop, "preprocessing.json", "pixels made from 0.png differ by up to"),
        (changes.other_int8_tflite, "model_int8.tflite", "model_int8.tflite: outputs in LiteRT"),
        (changes.other_int8_openvino, "openvino/model_int8.bin", "openvino/model_int8.xml: outputs in OpenVINO"),
    ],
)
def test_a_change_is_caught_by_its_hash_and_by_what_it_changes(
    copy: Path, change: Callable[[Path], None], file: str, caught_without_hash: str
) -> None:
    change(copy)
    assert f"{file} was changed" in verify(copy).differences
    changes.rehash(copy)
    found = verify(copy)
    assert not any("was changed" in line for line in found.differences)
    assert any(caught_without_hash in line for line in found.differences), found.differences


@pytest.mark.parametrize("name", ["0.png", "1.pixels.bin", "2.normalised.bin", "3.model_int8.tflite.bin"])
def test_a_missing_golden_file_is_caught_though_the_manifest_forgot_it(copy: Path, name: str) -> None:
    (copy / "golden" / name).unlink()
    assert f"golden/{name} is missing" in verify(copy).differences
    changes.rehash(copy)
    assert any(name in line for line in verify(copy).differences)


def test_a_bundle_robbed_of_its_golden_images_does_not_pass(copy: Path) -> None:
    shutil.rmtree(copy / "golden")
    changes.rehash(copy)
    assert any("golden.json: no such file" in line for line in verify(copy).differences)


def test_a_runtime_that_is_not_installed_is_said_and_fails_nothing(
    bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    found = verify(bundle)
    assert found.passed
    assert "openvino/model_int8.xml: not replayed: OpenVINO is not installed" in found.not_checked
    assert "model_fp32.onnx: not replayed: ONNX Runtime is not installed" in found.not_checked
    assert any(line.startswith("model_int8.tflite in LiteRT") for line in found.checked)


@pytest.mark.parametrize(
    ("limit", "value", "said"),
    [
        ("latency_ms", 5.0, "ms (estimated), 5 ms allowed"),
        ("size_bytes", 1_000_000, "model_int8.tflite takes"),
        ("macs", 100_000_000, "multiply-adds"),
        ("parameters", 1_000_000, "parameters"),
        ("agreement_percent", 100.0, "agrees with fp32 on"),
        ("drop_points", 1.0, "points of top-1"),
    ],
)
def test_a_gate_that_the_reports_own_figures_miss_is_caught(copy: Path, limit: str, value: float, said: str) -> None:
    path = copy / "report.json"
    report = json.loads(path.read_text())
    report["budget"][limit] = value
    path.write_text(json.dumps(report))
    changes.rehash(copy)
    missed = [line for line in verify(copy).differences if line.startswith("gate: ")]
    assert missed and all(said in line for line in missed)


def test_an_older_bundle_passes_on_its_hashes_and_says_that_nothing_was_replayed(copy: Path) -> None:
    shutil.rmtree(copy / "golden")
    changes.rehash(copy)
    manifest = json.loads((copy / "manifest.json").read_text())
    (copy / "manifest.json").write_text(json.dumps({**manifest, "schema_version": "1"}))
    found = verify(copy)
    assert found.passed
    assert found.not_checked == ("built before bundles held golden images: nothing is replayed",)
