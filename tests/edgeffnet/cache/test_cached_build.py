"""A build again takes every step from the cache, to the same bytes; nothing damaged or of another origin."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from edgeffnet.bundle import rebuild
from edgeffnet.cache import calibrated
from tests.conftest import ROOT, Run

BUILD = ("build", "--phi=-5", "--weights", "random", "--classes", "4", "--recipe", "fast", "--formats", "tflite")


def hashes(bundle: Path) -> dict[str, str]:
    files = json.loads((bundle / "manifest.json").read_text())["files"]
    return {name: entry["sha256"] for name, entry in files.items() if not name.startswith("report")}


def test_a_build_again_needs_no_converter_and_measures_anew(run: Run, tmp_path: Path) -> None:
    there = {"EDGEFFNET_CACHE": str(tmp_path / "cache")}
    first = run(*BUILD, "--output", "one", cwd=tmp_path, environment=there)
    assert first.returncode == 0, first.stderr
    # Whatever is not taken from the cache would need it.
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "tensorflow.py").write_text("raise ImportError('tensorflow was asked for')\n")
    broken = {**there, "PYTHONPATH": f"{tmp_path / 'broken'}:{ROOT}"}
    again = run(*BUILD, "--output", "two", cwd=tmp_path, environment=broken)
    assert again.returncode == 0, again.stderr
    assert hashes(tmp_path / "one") == hashes(tmp_path / "two")
    one, two = (json.loads((tmp_path / name / "report.json").read_text()) for name in ("one", "two"))
    assert one["calibration"] == two["calibration"]
    assert [entry["check"] for entry in one["artifacts"]] == [entry["check"] for entry in two["artifacts"]]
    assert one["artifacts"][1]["latency"] != two["artifacts"][1]["latency"]
    others = (["--no-cache"], ["--recipe=default"], ["--seed=1"])
    for said, change in (*((words, {}) for words in others), ([], {"OMP_NUM_THREADS": "1"})):
        other = run(*BUILD, *said, "--output", "three", cwd=tmp_path, environment={**broken, **change})
        assert other.returncode != 0 and "tensorflow was asked for" in other.stderr
    for path in (tmp_path / "cache" / "steps").rglob("*.tflite"):
        path.write_bytes(path.read_bytes()[:-1] + b"\xff")
    damaged = run(*BUILD, "--output", "three", cwd=tmp_path, environment=broken)
    assert damaged.returncode != 0 and "tensorflow was asked for" in damaged.stderr


def test_a_models_own_quantization_is_kept_by_the_models_hash(run: Run, bundle: Path, tmp_path: Path) -> None:
    there = {"EDGEFFNET_CACHE": str(tmp_path / "cache")}
    (tmp_path / "model.tflite").write_bytes((bundle / "model_fp32.tflite").read_bytes())
    words = ["quantize", "model.tflite", "--preprocessing", bundle / "preprocessing.json", "--recipe", "fast"]
    words += ["--formats", "tflite", "--calib-count", "8"]
    first = run(*words, "--output", "one", cwd=tmp_path, environment=there)
    assert first.returncode == 0, first.stderr
    kept = {path.name for path in (tmp_path / "cache" / "steps").iterdir()}
    again = run(*words, "--output", "two", cwd=tmp_path, environment=there)
    assert again.returncode == 0, again.stderr
    assert hashes(tmp_path / "one") == hashes(tmp_path / "two")
    assert {path.name for path in (tmp_path / "cache" / "steps").iterdir()} == kept
    # Whatever is taken from there is what was put there.
    for path in (tmp_path / "cache" / "steps").glob("*/files/model_int8.tflite"):
        path.write_bytes(b"")
    mended = run(*words, "--output", "three", cwd=tmp_path, environment=there)
    assert mended.returncode == 0, mended.stderr
    assert hashes(tmp_path / "one") == hashes(tmp_path / "three")
    none = run(*words, "--no-cache", "--output", "four", cwd=tmp_path, environment={"EDGEFFNET_CACHE": "/dev/null/no"})
    assert none.returncode == 0, none.stderr
    assert hashes(tmp_path / "one") == hashes(tmp_path / "four")


def test_rebuild_takes_nothing_from_the_cache(bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: dict[str, Any] = {}

    class Stop(Exception):  # noqa: N818
        pass

    def build(*_: Any, **options: Any) -> None:
        heard.update(options)
        raise Stop

    monkeypatch.setattr(sys.modules["edgeffnet.build"], "build", build)
    with pytest.raises(Stop):
        rebuild.rebuild(bundle, tmp_path / "again")
    assert heard["cached"] is False


def test_a_calibration_comes_back_to_the_bit(tmp_path: Path) -> None:
    from calib.calibrate import Calibrated, Done
    from calib.calibration import Calibration, Range
    from calib.convergence import Convergence

    made = Calibrated(
        model=os.urandom(100),
        calibration=Calibration({"a": Range(-0.1, 1 / 3), "b": Range(-1e-38, 2.0**0.5)}, "m", 2, "photos", "0" * 64),
        steps=(Done("Fold", "two layers", 0.1),),
        unrounded=os.urandom(100),
        convergence=Convergence("a", 0.1, 0.01),
    )
    calibrated.write(made, tmp_path)
    assert calibrated.read(tmp_path) == made
    assert calibrated.read(tmp_path).calibration.digest() == made.calibration.digest()
