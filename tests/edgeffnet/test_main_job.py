"""The main job without any image of the user's: what it leaves, what it prints, what it promises."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from edgeffnet import Budget, build, photographs
from edgeffnet.report import schema
from tests.conftest import Run

MODELS = {
    "model_fp32.tflite",
    "model_int8.tflite",
    "openvino/model_fp32.xml",
    "openvino/model_int8.xml",
    "model_fp32.onnx",
}


def report_of(bundle: Path) -> dict:
    return json.loads((bundle / "report.json").read_text())


def test_the_bundle_holds_every_artefact_its_contract_and_its_report(bundle: Path) -> None:
    files = [path.relative_to(bundle) for path in bundle.rglob("*") if path.is_file()]
    present = {str(path) for path in files if path.parts[0] != "golden"}
    companions = {"openvino/model_fp32.bin", "openvino/model_int8.bin"}
    others = {"labels.txt", "preprocessing.json", "report.json", "report.html", "manifest.json"}
    assert present == MODELS | companions | others
    assert len([path for path in files if path.suffix == ".png"]) == 4
    assert len((bundle / "labels.txt").read_text().splitlines()) == 1000
    assert not list(bundle.parent.glob(".*")), "work folders were left behind"


def test_the_report_follows_its_schema_and_its_page_shows_its_sections(bundle: Path) -> None:
    schema.check(report_of(bundle))
    page = (bundle / "report.html").read_text()
    assert 'id="verdict"' in page
    names = ("frontier", "latency", "accuracy", "calibration", "method")
    assert all(f'<section id="{name}">' in page for name in names)
    assert report_of(bundle)["calibration"]["sha256"] in page


def test_the_manifest_lists_every_file_by_hash_with_tools_seed_and_sources(bundle: Path) -> None:
    manifest = json.loads((bundle / "manifest.json").read_text())
    for name, entry in manifest["files"].items():
        assert hashlib.sha256((bundle / name).read_bytes()).hexdigest() == entry["sha256"]
    assert {"edgeffnet", "tensorflow", "openvino", "ai-edge-litert"} <= set(manifest["tools"])
    assert manifest["seed"] == 0
    assert manifest["weights"]["license"] == "Apache-2.0"
    assert len(manifest["weights"]["sha256"]) == 64
    assert any("CC0" in text for text in manifest["calibration"]["licenses"])
    assert len(manifest["calibration"]["files"]) == len(photographs.CALIBRATION)


def test_an_estimate_says_it_is_one_and_what_it_rests_on(bundle: Path) -> None:
    report = report_of(bundle)
    latency = report["chosen"]["latency"]
    assert latency["kind"] == "estimated"
    assert latency["low_ms"] < latency["value_ms"] < latency["high_ms"] <= 50
    assert latency["sources"] and latency["rows"] >= 4
    notes = " ".join(report["notes"])
    assert "estimated, not measured" in notes
    assert "no EfficientNet classifier was published for rpi4" in notes
    assert "no accuracy is claimed for it" in notes


def test_every_artefact_was_measured_and_none_claims_an_accuracy_without_labels(bundle: Path) -> None:
    report = report_of(bundle)
    assert {entry["path"] for entry in report["artifacts"]} == MODELS
    for entry in report["artifacts"]:
        latency = entry["latency"]
        assert latency["kind"] == "measured"
        assert 0 < latency["low_ms"] <= latency["value_ms"] <= latency["high_ms"]
        assert latency["p50_ms"] <= latency["p90_ms"] <= latency["p99_ms"]
        assert entry["accuracy"]["top1"] is None
    assert any("no accuracy is stated" in note for note in report["notes"])


def test_float_artefacts_equal_the_keras_model_on_real_images(bundle: Path) -> None:
    for entry in report_of(bundle)["artifacts"]:
        if entry["precision"] == "fp32":
            assert entry["check"]["probability"] <= 1e-3
            assert entry["check"]["logit"] <= 1e-2


def test_uint8_input_takes_raw_pixels_and_everything_inside_is_integer(bundle: Path) -> None:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(bundle / "model_int8.tflite"))
    entry = interpreter.get_input_details()[0]
    assert entry["dtype"] == np.uint8
    assert entry["quantization"] == (1 / 128, 127)
    outputs = {
        operator["op_name"]: interpreter._get_tensor_details(operator["outputs"][0], 0)["dtype"]
        for operator in interpreter._get_ops_details()
        if operator["op_name"] not in ("DEQUANTIZE", "SOFTMAX")
    }
    assert {np.dtype(dtype) for dtype in outputs.values()} == {np.dtype(np.int8)}
    assert interpreter.get_output_details()[0]["dtype"] == np.float32


def test_openvino_fp32_is_not_compressed(bundle: Path) -> None:
    assert (bundle / "openvino" / "model_fp32.bin").stat().st_size > 4 * 4_600_000
    assert 'element_type="f16"' not in (bundle / "openvino" / "model_fp32.xml").read_text()


@pytest.mark.parametrize("model", sorted(MODELS))
def test_predict_knows_a_cat_when_it_sees_one(bundle: Path, run: Run, model: str) -> None:
    cat = photographs.path_of(photographs.HELD_OUT[0])
    done = run("predict", bundle / model, cat, "--top", 3, "--json")
    assert done.returncode == 0, done.stderr
    (prediction,) = json.loads(done.stdout)
    names = [name for name, _ in prediction["classes"]]
    assert {"tabby", "tiger cat", "Egyptian cat"} & set(names[:1])
    probabilities = [probability for _, probability in prediction["classes"]]
    assert probabilities == sorted(probabilities, reverse=True)


def test_photographs_of_known_things_get_their_names(bundle: Path, run: Run) -> None:
    things = {
        "skimage/data/coffee.png": {"espresso", "cup", "coffee mug"},
        "skimage/data/rocket.jpg": {"missile", "projectile", "space shuttle"},
        "skimage/data/motorcycle_left.png": {"disk brake", "moped", "motor scooter", "crash helmet", "tricycle"},
        "sklearn/datasets/images/china.jpg": {"palace", "monastery", "stupa", "bell cote", "boathouse"},
    }
    files = {photo.file: photographs.path_of(photo) for photo in (*photographs.CALIBRATION, *photographs.HELD_OUT)}
    done = run("predict", bundle / "model_int8.tflite", *(files[name] for name in things), "--json")
    for prediction, expected in zip(json.loads(done.stdout), things.values(), strict=True):
        assert expected & {name for name, _ in prediction["classes"]}, prediction


def test_validate_measures_a_bundle_again(bundle: Path, run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "photos" / "Egyptian cat"
    folder.mkdir(parents=True)
    shutil.copy(photographs.path_of(photographs.HELD_OUT[0]), folder)
    done = run("validate", bundle, "--val", folder.parent, "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    schema.check(found)
    models = found["models"]
    assert {model["path"] for model in models} == MODELS
    assert all(model["latency"]["p50_ms"] > 0 and model["accuracy"]["images"] == 1 for model in models)


def test_the_same_seed_gives_the_same_bytes_in_another_process(bundle: Path, run: Run, tmp_path: Path) -> None:
    output = tmp_path / "again"
    done = run(
        *("build", "--device", "rpi4", "--variant", "lite0", "--no-cache", "--output", output, "--json"),
        environment={"PYTHONHASHSEED": "12345"},
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["schema_version"] == "2"
    for name in sorted(MODELS | {"openvino/model_fp32.bin", "openvino/model_int8.bin"}):
        assert (output / name).read_bytes() == (bundle / name).read_bytes(), name


def test_json_is_alone_on_standard_output_and_a_pipe_sees_no_progress(run: Run, tmp_path: Path) -> None:
    done = run(
        *("build", "--device", "rpi4", "--variant", "lite0", "--io", "int8", "--formats", "tflite"),
        *("--recipe", "fast"),
        *("--output", tmp_path / "out", "--json"),
    )
    assert done.returncode == 0
    assert done.stderr == ""
    report = json.loads(done.stdout)
    int8 = next(entry for entry in report["artifacts"] if entry["precision"] == "int8")
    assert (int8["input"], int8["output"]) == ("int8", "logits")
    assert int8["accuracy"]["agreement"]["value"] > 0.8


def test_a_budget_of_everything_builds_the_largest_within_it_and_says_what_bound(tmp_path: Path) -> None:
    budget = Budget(latency="60ms", memory="1.6MB", size="9MB", macs="1G", parameters="6M")
    report = build("rpi4", budget, formats=["tflite"], recipe="fast", output=tmp_path / "out")
    made = report.to_dict()
    assert made["chosen"]["name"] == "lite0"
    assert made["bound_by"] == "memory (lite1: activations take 1.73 MB at their peak in int8)"
    assert [found["violates"] for found in made["candidates"]] == [["memory", "parameters"], ["memory"], []]
    assert made["chosen"]["size_bytes"] == (tmp_path / "out" / "model_int8.tflite").stat().st_size
    assert report_of(tmp_path / "out") == json.loads(report.to_json())
