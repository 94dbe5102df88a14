"""Every mistake gets one line, the exit code of its cause, and leaves nothing behind."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgeffnet import photographs
from tests.conftest import Run

BUILD = ("build", "--device", "rpi4", "--max-latency", "50ms")


def refused(run: Run, code: int, said: str, folder: Path, *arguments: object) -> None:
    """Asserts one line holding `said`, exit code `code`, and an untouched working folder."""
    before = sorted(folder.rglob("*"))
    done = run(*arguments, cwd=folder)
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1, done.stderr
    assert said in done.stderr
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize(
    ("said", "arguments"),
    [
        ("rpi4", ("build", "--device", "rpi44", "--max-latency", "50ms")),
        ("nearest", ("build", "--variant", "lite9")),
        ("no unit", ("build", "--device", "rpi4", "--max-latency", "50")),
        ("parsecs", ("build", "--device", "rpi4", "--max-latency", "50 parsecs")),
        ("more than zero", ("build", "--device", "rpi4", "--max-latency=-3ms")),
        ("more than zero", ("build", "--device", "rpi4", "--max-latency", "0ms")),
        ("unknown unit", ("build", "--device", "rpi4", "--max-size", "8 bananas")),
        ("--max-latency", ("build", "--device", "rpi4")),
        ("--io", (*BUILD, "--io", "int4")),
        ("--formats", (*BUILD, "--formats", "tflite,coreml")),
        ("--formats", (*BUILD, "--formats", "onnx")),
        ("--family", (*BUILD, "--family", "resnet")),
        ("--threads", (*BUILD, "--threads", "64")),
        ("--percentile", (*BUILD, "--percentile", "100")),
        ("--seed", (*BUILD, "--seed", "-1")),
        ("fast, default, best", (*BUILD, "--recipe", "slow")),
        ("--variant and --phi", (*BUILD, "--variant", "lite0", "--phi", "1")),
        ("--weights FILE", (*BUILD, "--phi", "0.35")),
        ("latency only", (*BUILD, "--weights", "random", "--val", "x.csv")),
        ("--variant or --phi", (*BUILD, "--weights", "x.safetensors")),
        ("at least 32 pixels", ("scale", "--phi=-30")),
        ("288,000.0 GB", ("scale", "--variant", "b0", "--resolution", "1000000")),
        ("GB", (*BUILD, "--variant", "b0", "--weights", "random", "--depth", "1e7")),
        ("leaves a layer", ("scale", "--variant", "b0", "--width", "0.1")),
        ("depth is 0", ("scale", "--phi", "1", "--depth", "0")),
        ("--alpha", ("scale", "--variant", "b0", "--alpha", "1.3")),
        ("--alpha", ("scale", "--phi=-1", "--rule", "tinynet", "--alpha", "1.3")),
        ("--rule", (*BUILD, "--rule", "tinynet")),
        ("--family", (*BUILD, "--family", "efficientnet", "--variant", "lite0")),
        ("--family", ("scale", "--phi", "1", "--family", "resnet")),
        ("--csv and --json", ("scale", "--csv", "--json")),
        ("leave out", ("scale", "--phi", "1", "--max-macs", "1G")),
        ("--max-macs", ("scale", "--max-macs", "many")),
        ("device", ("scale", "--max-latency", "20ms")),
        ("GB", ("scale", "--family", "efficientnet", "--phi", "40")),
        ("--val", (*BUILD, "--max-drop", "1")),
        ("weights for lite4", ("build", "--variant", "lite4")),
        ("No such option", (*BUILD, "--frobnicate")),
        ("nearest", ("devices", "rpi44")),
        ("nearest", ("scale", "--variant", "lite9")),
    ],
)
def test_a_wrong_option_exits_2(run: Run, tmp_path: Path, said: str, arguments: tuple[str, ...]) -> None:
    refused(run, 2, said, tmp_path, *arguments)


@pytest.mark.parametrize(
    ("said", "limit"),
    [
        ("lite0", ("--max-latency", "1ms")),
        ("4.63 MB", ("--max-size", "1MB")),
        ("1.51 MB at their peak", ("--max-memory", "1MB")),
        ("385M multiply-adds", ("--max-macs", "100M")),
        ("4.65M parameters", ("--max-parameters", "1M")),
    ],
)
def test_a_budget_nothing_meets_exits_3_naming_the_smallest(
    run: Run, tmp_path: Path, said: str, limit: tuple[str, str]
) -> None:
    refused(run, 3, said, tmp_path, "build", "--device", "rpi4", *limit)


def test_an_empty_calibration_folder_exits_6(run: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    refused(run, 6, "empty: holds no images", tmp_path, *BUILD, "--calib", "empty")


@pytest.mark.parametrize("option", ["--calib", "--val"])
@pytest.mark.parametrize("kind", ["corrupt", "truncated", "zero-byte", "one-pixel"])
def test_a_damaged_image_exits_6_before_any_conversion(run: Run, tmp_path: Path, option: str, kind: str) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    photo = photographs.path_of(photographs.HELD_OUT[1])
    shutil.copy(photo, folder / "good.jpg")
    bad = folder / "bad.jpg"
    if kind == "one-pixel":
        Image.new("RGB", (1, 1)).save(bad)
    else:
        data = {"corrupt": b"\xff\xd8" + bytes(999), "truncated": photo.read_bytes()[:5000], "zero-byte": b""}[kind]
        bad.write_bytes(data)
    refused(run, 6, "bad.jpg", tmp_path, *BUILD, option, "images")


def test_a_csv_with_a_missing_file_or_a_label_out_of_range_exits_6(run: Run, tmp_path: Path) -> None:
    (tmp_path / "gone.csv").write_text("file,label\nnowhere.jpg,1\n")
    refused(run, 6, "nowhere.jpg", tmp_path, *BUILD, "--val", "gone.csv")
    Image.new("RGB", (32, 32)).save(tmp_path / "a.png")
    (tmp_path / "range.csv").write_text("file,label\na.png,1000\n")
    refused(run, 6, "0 to 999", tmp_path, *BUILD, "--val", "range.csv")


def test_an_image_in_both_sets_exits_6(run: Run, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        shutil.copy(photographs.path_of(photographs.HELD_OUT[0]), tmp_path / name / f"{name}.png")
    refused(run, 6, "both sets hold the same pictures (1)", tmp_path, *BUILD, "--calib", "one", "--val", "two")


def test_a_folder_that_is_not_ours_is_left_alone(run: Run, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("ten years of work")
    refused(run, 2, "not an edgeffnet bundle", tmp_path, *BUILD)
    assert (tmp_path / "out" / "thesis.txt").read_text() == "ten years of work"
    (tmp_path / "file").write_text("")
    refused(run, 2, "not a folder", tmp_path, *BUILD, "--output", "file")


def test_an_output_that_cannot_be_made_exits_2(run: Run, tmp_path: Path) -> None:
    refused(run, 2, "/proc/nowhere", tmp_path, *BUILD, "--output", "/proc/nowhere/out")


@pytest.mark.parametrize("model", ["missing.tflite", "lonely.tflite"])
def test_predict_needs_a_model_in_its_bundle(run: Run, tmp_path: Path, model: str) -> None:
    (tmp_path / "lonely.tflite").write_bytes(b"TFL3")
    Image.new("RGB", (32, 32)).save(tmp_path / "a.png")
    refused(run, 6, model, tmp_path, "predict", model, "a.png")


def test_predict_names_a_damaged_image_and_a_damaged_model(run: Run, bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.jpg").write_bytes(b"")
    refused(run, 6, "bad.jpg", tmp_path, "predict", bundle / "model_int8.tflite", "bad.jpg")
    copy = tmp_path / "copy"
    shutil.copytree(bundle, copy)
    (copy / "model_int8.tflite").write_bytes(b"TFL3" * 100)
    Image.new("RGB", (32, 32)).save(tmp_path / "a.png")
    refused(run, 6, "cannot be loaded", tmp_path, "predict", copy / "model_int8.tflite", "a.png")


def test_verify_of_something_else_exits_6(run: Run, tmp_path: Path) -> None:
    refused(run, 6, "manifest.json", tmp_path, "verify", tmp_path)
    (tmp_path / "manifest.json").write_text(json.dumps({"files": 3}))
    refused(run, 6, "not a manifest", tmp_path, "verify", tmp_path)


def test_awkward_but_whole_images_calibrate(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    photo = Image.open(photographs.path_of(photographs.HELD_OUT[1]))
    photo.convert("CMYK").save(folder / "cmyk.jpg")
    photo.convert("L").save(folder / "grey.png")
    Image.fromarray(np.asarray(photo.convert("L")).astype(np.uint16) * 257).save(folder / "wide.png")
    photo.save(folder / "moving.gif", save_all=True, append_images=[photo.rotate(90)])
    done = run(
        *BUILD, "--calib", "images", "--formats", "tflite", "--variant", "lite0", "--recipe", "fast", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert "4 images" in json.loads((tmp_path / "out" / "report.json").read_text())["calibration"]["source"]
