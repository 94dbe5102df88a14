"""What Google's benchmark_model and evaluator print, read strictly: captured output, and the same damaged."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from converters.artifact import Artifact
from edgeffnet.errors import TargetError, UsageError
from edgeffnet.images import Preprocessing
from edgeffnet.targets import benchmark_model, evaluator
from edgeffnet.targets.address import target
from tests.edgeffnet import benchmark_output as captured


def test_a_run_on_a_pi() -> None:
    found = benchmark_model.parse(captured.PI_XNNPACK)
    assert (found.threads, found.runs, found.warm_up_runs) == (4, 50, 10)
    assert (found.load_ms, found.first_ms) == (49.438, 65.683)
    assert (found.mean_ms, found.deviation_ms, found.min_ms, found.max_ms) == (55.7442, 9.9, 52.522, 113.361)
    assert (found.median_ms, found.p95_ms) == (None, None)
    assert found.memory_bytes == int(18.7227 * 2**20)
    assert found.placement["path"] == "XNNPACK"
    assert found.placement["fell_out"]


def test_a_run_whose_version_prints_percentiles() -> None:
    found = benchmark_model.parse(captured.AM62_PERCENTILES)
    assert found.threads is None
    assert found.mean_ms == pytest.approx(1240.27)
    assert (found.median_ms, found.p95_ms) == (1239.807, 1247.415)
    assert (found.warm_up_runs, found.first_ms) == (1, 1357.602)
    assert found.placement["path"] is None


def test_a_run_in_a_phones_log() -> None:
    found = benchmark_model.parse(captured.PHONE_LOG)
    assert (found.runs, found.mean_ms, found.max_ms) == (10, 2719.85, 3025.403)
    place = found.placement
    assert (place["operators"], place["fast"], place["partitions"]) == (1097, 1036, 23)
    assert place["fell_out"] == {"not named": 61}


def test_a_run_on_a_phone_all_of_it_accelerated() -> None:
    found = benchmark_model.parse(captured.PHONE_WHOLE)
    assert (found.runs, found.warm_up_runs, found.median_ms, found.p95_ms) == (1000, 9, 51.891, 68.628)
    assert found.placement == {"operators": 2168, "fast": 2168, "partitions": 1, "fell_out": {}, "path": "XNNPACK"}


def test_a_failure_is_told_in_its_own_words() -> None:
    with pytest.raises(TargetError, match="Failed to apply XNNPACK delegate"):
        benchmark_model.parse(captured.PHONE_REFUSES)


@pytest.mark.parametrize("line", range(len(captured.PI_XNNPACK.splitlines())))
def test_output_cut_off_at_any_line_is_refused_or_whole(line: int) -> None:
    """Only the note on memory may be missing."""
    lines = captured.PI_XNNPACK.splitlines()
    whole = benchmark_model.parse(captured.PI_XNNPACK)
    summary = next(index for index, text in enumerate(lines) if text.startswith("Inference timings"))
    if line > summary:
        assert benchmark_model.parse("\n".join(lines[:line])) == replace(whole, memory_bytes=None)
        return
    with pytest.raises(TargetError, match="not understood"):
        benchmark_model.parse("\n".join(lines[:line]))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("avg=55744.2", "avg=55.7442"),
        ("Inference (avg): 55744.2", "Inference (avg): 55844.2"),
        ("First inference: 65683", "First inference: 65684.9e3"),
        ("count=50 first=", "count=fifty first="),
        ("min=52522", "min=62522"),
        ("#threads used for CPU inference: [4]", "#threads used for CPU inference: [1]"),
        ("Inference timings in us", "Inference timings in ms"),
        ("count=50 first=54830", "count=50 first=-54830"),
        ("std=9900", "std=nan"),
    ],
)
def test_a_figure_that_contradicts_another_is_refused(old: str, new: str) -> None:
    assert old in captured.PI_XNNPACK
    with pytest.raises(TargetError, match="not understood"):
        benchmark_model.parse(captured.PI_XNNPACK.replace(old, new))


def test_two_runs_in_one_output_are_refused() -> None:
    with pytest.raises(TargetError, match="not understood"):
        benchmark_model.parse(captured.PI_XNNPACK * 2)


def test_what_the_evaluator_prints() -> None:
    found = evaluator.parse(captured.EVALUATOR, 300)
    assert (found.images, found.right1, found.right5) == (300, 220, 267)


@pytest.mark.parametrize(
    ("old", "new", "images"),
    [
        ("Num evaluation runs: 300", "Num evaluation runs: 299", 300),
        ("", "", 200),
        ("Top-5 Accuracy: 0.89", "Top-5 Accuracy: 0.891", 300),
        ("Top-10 Accuracy: 0.923333", "", 300),
        ("Top-1 Accuracy: 0.733333", "Top-1 Accuracy: 0.986667", 300),
    ],
    ids=["other images", "images asked", "no whole number", "rank missing", "first above second"],
)
def test_evaluations_that_cannot_be_are_refused(old: str, new: str, images: int) -> None:
    with pytest.raises(TargetError, match="the evaluator"):
        evaluator.parse(captured.EVALUATOR.replace(old, new), images)


PLAIN = Preprocessing.lite(224)


@pytest.mark.parametrize(
    ("artifact", "mean", "classes", "reason"),
    [
        (("tflite", "int8", "int8", "logits"), 127.0, 1000, None),
        (("tflite", "int8", "uint8", "probabilities"), 127.0, 1000, "--io int8"),
        (("tflite", "fp32", "float32", "probabilities"), 127.0, 1000, "127.5"),
        (("tflite", "fp32", "float32", "probabilities"), 127.5, 1000, None),
        (("openvino", "int8", "uint8", "probabilities"), 127.0, 1000, "only .tflite"),
        (("tflite", "int8", "int8", "logits"), 127.0, 5, "10 classes"),
    ],
)
def test_what_the_evaluator_would_misjudge_is_not_measured(
    artifact: tuple[str, str, str, str], mean: float, classes: int, reason: str | None
) -> None:
    form, precision, takes, output = artifact
    made = Artifact(Path("m"), form, precision, takes, output, (), 0)  # type: ignore[arg-type]
    std = 127.5 if mean == 127.5 else 128.0
    said = evaluator.cannot_judge(made, replace(PLAIN, mean=(mean,) * 3, std=(std,) * 3), classes)
    assert (said is None) if reason is None else reason in (said or "")


def test_a_program_that_is_no_file_here(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no file here"):
        target(f"adb://R58M123ABC?benchmark_model={tmp_path}/none")


def test_python_and_benchmark_model_exclude_each_other(tmp_path: Path) -> None:
    (tmp_path / "benchmark_model").touch()
    with pytest.raises(UsageError, match=r"\?python= or \?benchmark_model="):
        target(f"adb://R58M123ABC?benchmark_model={tmp_path}/benchmark_model&python=/usr/bin/python3")
