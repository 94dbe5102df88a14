"""Weights and phis of the user's own, from the command line."""

from __future__ import annotations

import csv
import json
import pickle
from pathlib import Path

import pytest
from PIL import Image

from tests.conftest import Run

NAMES = "tench,English springer,cassette player,chain saw,church,French horn,garbage truck,gas pump,golf ball,parachute"
PREPROCESSING = {
    "resolution": 128,
    "crop": 0.8,
    "interpolation": "bicubic",
    "mean": [123.675, 116.28, 103.53],
    "std": [58.395, 57.12, 57.375],
}


@pytest.fixture
def b0(data: Path, tmp_path: Path) -> dict[str, Path]:
    """A trained B0 with its preprocessing, labels and short lists of its images."""
    source = data / "imagenette_b0"
    (tmp_path / "b0.json").write_text(json.dumps(PREPROCESSING))
    (tmp_path / "labels.txt").write_text("\n".join(NAMES.split(",")) + "\n")
    for name, count in (("calib", 40), ("eval", 150)):
        with (source / f"{name}.csv").open() as file, (tmp_path / f"{name}.csv").open("w", newline="") as short:
            rows = list(csv.DictReader(file))
            writer = csv.DictWriter(short, ["file", "label"])
            writer.writeheader()
            for row in rows[:: len(rows) // count][:count]:
                writer.writerow({"file": source / name / row["file"], "label": row["label"]})
    return {
        "weights": source / "efficientnet_b0_imagenette.safetensors",
        "preprocessing": tmp_path / "b0.json",
        "labels": tmp_path / "labels.txt",
        "calib": tmp_path / "calib.csv",
        "val": tmp_path / "eval.csv",
    }


@pytest.mark.slow
def test_a_swish_network_of_ones_own_survives_int8(run: Run, b0: dict[str, Path], tmp_path: Path) -> None:
    options = [argument for name, path in b0.items() for argument in (f"--{name}", path)]
    done = run(
        *("build", "--variant", "b0", *options, "--formats", "tflite,openvino", "--json"),
        *("--recipe", "fast"),
        *("--output", tmp_path / "out"),
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["chosen"]["resolution"] == 128
    assert any("normalise inside" in note for note in report["notes"])
    found = {entry["name"]: entry for entry in report["artifacts"]}
    assert found["TFLite fp32"]["accuracy"]["top1"]["value"] >= 0.92
    assert found["TFLite int8"]["accuracy"]["agreement"]["value"] >= 0.88
    assert found["TFLite int8"]["accuracy"]["snr_db"] >= 10  # `default`, which tests of calib hold, reaches 22
    assert found["OpenVINO int8"]["accuracy"]["agreement"]["value"] >= 0.97
    assert (tmp_path / "out" / "labels.txt").read_text().splitlines() == NAMES.split(",")
    assert found["TFLite int8"]["input"] == "uint8"


@pytest.mark.parametrize(
    ("code", "said", "left_out", "added"),
    [
        (2, "--preprocessing", "preprocessing", ()),
        (6, "(1280, 10)", "labels", ("--classes", "7")),
        (6, "10 classes", "", ("--labels", "short.txt")),
        (6, "b3", "", ("--variant", "b3")),
    ],
)
def test_what_does_not_fit_a_checkpoint_is_named(
    run: Run, b0: dict[str, Path], tmp_path: Path, code: int, said: str, left_out: str, added: tuple[str, ...]
) -> None:
    (tmp_path / "short.txt").write_text("a\nb\n")
    options = [argument for name, path in b0.items() if name != left_out for argument in (f"--{name}", path)]
    done = run("build", "--variant", "b0", *options, *added, cwd=tmp_path)
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


class _Attack:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        import os

        return os.system, ("touch ran",)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"resolution": 16}, "at least 32 pixels"),
        ({"resolution": 1_000_000}, "impossible resolution"),
        ({"mean": [float("nan"), 0, 0]}, "impossible mean"),
        ({"std": [float("inf"), 1, 1]}, "impossible std"),
        ({"resolution": float("inf")}, "malformed"),
    ],
)
def test_preprocessing_that_cannot_be_is_refused_by_name(
    run: Run, tmp_path: Path, changed: dict[str, object], said: str
) -> None:
    (tmp_path / "p.json").write_text(json.dumps({**PREPROCESSING, **changed}))
    (tmp_path / "b0.pth").write_bytes(b"never read")
    options = ("--weights", "b0.pth", "--preprocessing", "p.json", "--device", "rpi4", "--dry-run")
    done = run("build", "--variant", "b0", *options, cwd=tmp_path)
    assert done.returncode == 6, done.stderr
    assert "p.json" in done.stderr and said in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_resolution_stated_twice_has_to_be_the_same(run: Run, tmp_path: Path) -> None:
    (tmp_path / "p.json").write_text(json.dumps(PREPROCESSING))
    options = ("--variant", "b0", "--weights", "x.pth", "--preprocessing", "p.json", "--device", "rpi4", "--dry-run")
    other = run("build", *options, "--resolution", "96", cwd=tmp_path)
    assert (other.returncode, "says 128 pixels" in other.stderr) == (2, True)
    same = run("build", *options, "--json", cwd=tmp_path)
    assert json.loads(same.stdout)["chosen"]["rule"] == "official, resolution 128"


def test_imagenet_weights_that_cannot_be_fetched_exit_6_in_one_line(run: Run, tmp_path: Path) -> None:
    nowhere = {"https_proxy": "http://127.0.0.1:9", "http_proxy": "http://127.0.0.1:9", "KERAS_HOME": str(tmp_path)}
    done = run("build", "--variant", "b0", "--device", "rpi4", "--json", cwd=tmp_path, environment=nowhere)
    assert done.returncode == 6, done.stderr
    assert done.stdout == ""
    assert "could not fetch" in done.stderr and "--weights FILE" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("kind", ["page", "pickle", "truncated", "unknown"])
def test_files_that_are_no_weights_are_refused_and_run_nothing(run: Run, tmp_path: Path, kind: str) -> None:
    contents = {
        "page": b"<!DOCTYPE html><html>404</html>",
        "pickle": pickle.dumps(_Attack()),
        "truncated": pickle.dumps(0x1950A86A20F9469CFC6C)[:-1],
        "unknown": b"?",
    }
    path = tmp_path / ("weights.dat" if kind == "unknown" else "weights.pth")
    path.write_bytes(contents[kind])
    done = run("build", "--variant", "lite0", "--weights", path, cwd=tmp_path)
    assert done.returncode == (2 if kind == "unknown" else 6), done.stderr
    assert path.name in done.stderr
    assert sorted(found.name for found in tmp_path.iterdir()) == [path.name]


def test_any_phi_builds_from_random_weights_and_claims_no_accuracy(run: Run, tmp_path: Path) -> None:
    done = run(
        *("build", "--device", "rpi4", "--phi", "-1.5", "--weights", "random", "--recipe", "fast"),
        *("--formats", "tflite", "--output", tmp_path / "out", "--json"),
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["chosen"]["rule"] == "compound"
    assert report["chosen"]["resolution"] == 182
    assert all(entry["accuracy"] is None and entry["latency"]["p50_ms"] > 0 for entry in report["artifacts"])
    assert any("latency only" in note for note in report["notes"])
    assert any("--rule tinynet" in note for note in report["notes"])
    Image.new("RGB", (32, 32)).save(tmp_path / "a.png")
    (tmp_path / "val.csv").write_text("file,label\na.png,1\n")
    refused = run("validate", tmp_path / "out", "--val", tmp_path / "val.csv")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "weights are random" in refused.stderr


def test_scale_prints_published_figures_beside_ours_and_marks_estimates(run: Run) -> None:
    table = run("scale", "--variant", "b7", "--phi", "0.35", "--device", "rpi4")
    assert table.returncode == 0
    assert "66,347,960 (66M)" in table.stdout
    assert table.stdout.count("estimated") == 2
    rows = json.loads(run("scale", "--phi", "6", "--family", "efficientnet", "--json").stdout)
    assert rows[0]["resolution"] == 518
    lines = run("scale", "--phi", "-1", "--family", "efficientnet", "--rule", "tinynet", "--csv").stdout.splitlines()
    assert len(lines) == 2
    assert "tinynet" in lines[1]


def test_scale_gives_an_estimate_as_numbers_and_a_missing_one_with_its_reason(run: Run) -> None:
    known = json.loads(run("scale", "--variant", "b1", "--device", "rpi4", "--json").stdout)[0]["latency"]
    assert known["kind"] == "estimated"
    assert 0 < known["low_ms"] < known["mean_ms"] < known["high_ms"]
    unknown = json.loads(run("scale", "--variant", "b1", "--device", "jetson-nano", "--json").stdout)[0]["latency"]
    assert (unknown["kind"], "no published row" in unknown["reason"]) == ("no basis", True)
    row = next(csv.DictReader(run("scale", "--variant", "b1", "--device", "rpi4", "--csv").stdout.splitlines()))
    assert (row["latency_kind"], float(row["latency_mean_ms"])) == ("estimated", known["mean_ms"])
