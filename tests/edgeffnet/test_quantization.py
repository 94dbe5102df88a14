"""`edgeffnet quantize`: a user's own float model in int8, and what keeps one from being quantized."""

from __future__ import annotations

import csv
import json
import re
import shutil
from pathlib import Path
from statistics import median

import pytest

from calib import graph
from edgeffnet.report import schema
from tests.conftest import Run
from tests.edgeffnet.test_own_weights import NAMES, PREPROCESSING


@pytest.fixture(scope="module")
def b0(data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A trained B0 as a float `.tflite`, with what quantizing it needs."""
    from benchmarks.subjects import load_subject

    folder, source = tmp_path_factory.mktemp("b0"), data / "imagenette_b0"
    (folder / "b0.tflite").write_bytes(load_subject("b0", data, "a").model)
    (folder / "b0.json").write_text(json.dumps(PREPROCESSING))
    (folder / "labels.txt").write_text("\n".join(NAMES.split(",")) + "\n")
    for name, count in (("calib", 60), ("eval", 300)):
        with (source / f"{name}.csv").open() as file:
            rows = list(csv.DictReader(file))
        with (folder / f"{name}.csv").open("w", newline="") as short:
            writer = csv.DictWriter(short, ["file", "label"])
            writer.writeheader()
            for row in rows[:: len(rows) // count][:count]:
                writer.writerow({"file": source / name / row["file"], "label": row["label"]})
    return {
        "model": folder / "b0.tflite",
        "preprocessing": folder / "b0.json",
        "labels": folder / "labels.txt",
        "calib": folder / "calib.csv",
        "val": folder / "eval.csv",
    }


def options(b0: dict[str, Path]) -> list[object]:
    named = [argument for name, path in b0.items() if name != "model" for argument in (f"--{name}", path)]
    return [b0["model"], *named, "--io", "float32", "--recipe", "fast"]


def test_a_float_tflite_becomes_a_bundle_that_verifies_and_predicts(run: Run, bundle: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = run(
        *("quantize", bundle / "model_fp32.tflite", "--preprocessing", bundle / "preprocessing.json"),
        *("--recipe", "fast", "--formats", "tflite", "--labels", bundle / "labels.txt", "--output", out, "--json"),
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    report = json.loads(done.stdout)
    schema.check(report)
    int8 = next(entry for entry in report["artifacts"] if entry["precision"] == "int8")
    assert int8["input"] == "uint8"
    assert int8["accuracy"]["agreement"]["value"] > 0.8
    assert report["calibration"]["convergence"]["tensor"]
    assert run("verify", out).returncode == 0
    page = (out / "report.html").read_text()
    assert report["machine"]["cpu"] in page and report["calibration"]["sha256"] in page
    from edgeffnet import photographs

    cat = photographs.path_of(photographs.HELD_OUT[0])
    assert "cat" in run("predict", out / "model_int8.tflite", cat, "--top", 1).stdout


@pytest.mark.slow
def test_a_floor_missed_in_int8_is_met_with_few_layers_in_float(run: Run, b0: dict[str, Path], tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = run(
        *("quantize", *options(b0), "--min-agreement", "98", "--sensitivity", "--output", out, "--json"), timeout=600
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    schema.check(report)
    found = {mixed["artifact"]: mixed for mixed in report["mixed_precision"]}
    assert set(found) <= {"TFLite int8", "OpenVINO int8"}
    for mixed in found.values():
        assert mixed["met"]
        assert mixed["integer"]["agreement"]["value"] < 0.98, "an artefact that met the floor was left alone"
        assert 0 < len(mixed["layers"]) < mixed["of"] - 20
    mixed = found["TFLite int8"]
    for entry in report["artifacts"]:
        assert entry["accuracy"]["agreement"]["value"] >= 0.98
    model = graph.read((out / "model_int8.tflite").read_bytes())
    types = {graph.tensor_name(tensor): tensor.type for tensor in model.subgraphs[0].tensors}
    rows = list(csv.DictReader((out / "sensitivity.csv").open()))
    others = [row["layer"] for row in rows if row["layer"].endswith("dwconv") and row["layer"] not in mixed["layers"]]
    assert others and all(types[name] == 9 for name in others), "int8 where no layer was named"
    assert types[mixed["layers"][-1]] == 0, "float where it was"
    assert len(list(out.glob("**/*mixed*"))) == 0
    assert [row["layer"] for row in rows[:2]] == ["stem_conv", "block1a_dwconv"]
    assert len(rows) == mixed["of"]
    # A layer that dominates the noise is worse alone than all others together; most are not.
    without, only = (median(float(row[name]) for row in rows) for name in ("without_snr_db", "only_snr_db"))
    assert without < only
    assert run("verify", out).returncode == 0


@pytest.mark.slow
def test_one_scale_for_each_kernel_says_what_it_costs(run: Run, bundle: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = run(
        *("quantize", bundle / "model_fp32.tflite", "--preprocessing", bundle / "preprocessing.json"),
        *("--formats", "tflite", "--granularity", "tensor", "--output", out, "--json"),
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    schema.check(report)
    (said,) = [note for note in report["notes"] if note.startswith("one scale for each kernel: ")]
    (int8,) = [entry for entry in report["artifacts"] if entry["precision"] == "int8"]
    here, beside, cost = (float(found) for found in re.findall(r"(-?[\d.]+)(?:%| points)", said))
    assert here == pytest.approx(100 * int8["accuracy"]["agreement"]["value"], abs=0.01)
    assert cost == pytest.approx(beside - here, abs=0.011)
    assert not list(out.rglob("*per_channel*"))
    kernels = [
        tensor.quantization
        for tensor in graph.read((out / "model_int8.tflite").read_bytes()).subgraphs[0].tensors
        if tensor.quantization is not None
        and tensor.type == 9
        and tensor.buffer
        and tensor.quantization.scale is not None
    ]
    assert kernels and all(len(found.scale) == 1 for found in kernels)


def test_full_integer_says_what_was_reached_and_exits_4(run: Run, b0: dict[str, Path], tmp_path: Path) -> None:
    done = run(
        *("quantize", *options(b0), "--formats", "tflite", "--min-agreement", "99.9", "--full-integer"),
        cwd=tmp_path,
        timeout=600,
    )
    assert done.returncode == 4, done.stderr
    assert "all in int8" in done.stderr
    assert "99.9% asked" in done.stderr
    assert done.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("code", "said", "arguments"),
    [
        (6, "no such model", ("gone.tflite", "--preprocessing", "p.json")),
        (6, "not a .tflite or .keras", ("p.json", "--preprocessing", "p.json")),
        (6, "not a .tflite file", ("text.tflite", "--preprocessing", "p.json")),
        (6, "damaged", ("damaged.tflite", "--preprocessing", "p.json")),
        (6, "not a .keras archive", ("text.keras", "--preprocessing", "p.json")),
        (6, "quantized already", ("int8.tflite", "--preprocessing", "p.json")),
        (2, "--preprocessing FILE", ("fp32.tflite",)),
        (2, "240 pixels", ("fp32.tflite", "--preprocessing", "240.json")),
        (2, "2 names", ("fp32.tflite", "--preprocessing", "p.json", "--labels", "two.txt")),
        (2, "give --val", ("fp32.tflite", "--preprocessing", "p.json", "--min-agreement", "99")),
        (2, "fast, default, best", ("fp32.tflite", "--preprocessing", "p.json", "--recipe", "slow")),
        (2, "--granularity", ("fp32.tflite", "--preprocessing", "p.json", "--granularity", "row")),
        (2, "no file of an earlier choice", ("fp32.tflite", "--preprocessing", "p.json", "--calib-choice", "x")),
    ],
)
def test_what_cannot_be_quantized_is_one_line(
    run: Run, bundle: Path, tmp_path: Path, code: int, said: str, arguments: tuple[str, ...]
) -> None:
    contract = json.loads((bundle / "preprocessing.json").read_text())
    (tmp_path / "p.json").write_text(json.dumps(contract))
    (tmp_path / "240.json").write_text(json.dumps({**contract, "resolution": 240}))
    (tmp_path / "two.txt").write_text("one\ntwo\n")
    for name in ("text.tflite", "text.keras"):
        (tmp_path / name).write_text("<!DOCTYPE html>")
    (tmp_path / "fp32.tflite").symlink_to(bundle / "model_fp32.tflite")
    (tmp_path / "int8.tflite").symlink_to(bundle / "model_int8.tflite")
    (tmp_path / "damaged.tflite").write_bytes((bundle / "model_fp32.tflite").read_bytes()[:40])
    if "--calib-choice" in arguments:
        (tmp_path / "photos").mkdir()
        from edgeffnet import photographs

        shutil.copy(photographs.path_of(photographs.HELD_OUT[0]), tmp_path / "photos")
        arguments = (*arguments, "--calib", "photos")
    done = run("quantize", *arguments, cwd=tmp_path)
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()
