"""Scores gathered from targets and set beside this machine's; what a disturbed or slow run is called."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from edgeffnet.bundle.contents import find_contract
from edgeffnet.errors import TargetLostError
from edgeffnet.report import schema
from edgeffnet.targets.local import LocalTarget
from edgeffnet.targets.target import Progress, Request
from edgeffnet.timing import latencies
from edgeffnet.validation import SHARD_IMAGES, compare, raw_scores
from tests.conftest import Run

IMAGES = 9 * SHARD_IMAGES


def pixels(count: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.random.default_rng(5).integers(0, 256, (count, 224, 224, 3), dtype=np.uint8)


class LosingTarget(LocalTarget):
    """Is lost once, in its second shard, as by a cut link; then works."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[int] = []

    def run(self, requests: Sequence[Request], timeout: float, progress: Progress | None = None) -> list[Any]:
        self.asked.append(len(requests) - 2)
        if len(self.asked) == 1:
            done = super().run(requests[:3], timeout, progress)
            raise TargetLostError("lost", done)
        return super().run(requests, timeout, progress)


def test_a_lost_link_is_taken_up_at_the_shard_where_it_broke(bundle: Path) -> None:
    preprocessing, _, artifact = find_contract(bundle / "model_int8.tflite")
    images = pixels(2 * SHARD_IMAGES + 7)
    with closing(LosingTarget()) as losing, closing(LocalTarget()) as steady:
        found = raw_scores([artifact], [losing], preprocessing, images, threads=None)[artifact]
        whole = raw_scores([artifact], [steady], preprocessing, images, threads=None)[artifact]
    assert losing.asked == [3, 2]
    assert compare(whole, found).bit_equal


def test_two_targets_share_the_images(bundle: Path) -> None:
    preprocessing, _, artifact = find_contract(bundle / "model_int8.tflite")
    images = pixels(IMAGES)
    with closing(LocalTarget()) as one, closing(LocalTarget()) as two:
        shared = raw_scores([artifact], [one, two], preprocessing, images, threads=1)[artifact]
        alone = raw_scores([artifact], [one], preprocessing, images, threads=1)[artifact]
    assert compare(alone, shared).bit_equal


class HastyTarget(LocalTarget):
    """Takes a second where MLPerf takes sixty."""

    def run(self, requests: Sequence[Request], timeout: float, progress: Progress | None = None) -> list[Any]:
        *before, timing = requests
        assert (timing["percentile"], timing["min_runs"], timing["min_seconds"]) == (90, 1024, 60)
        return super().run([*before, {**timing, "min_seconds": 1}], timeout, progress)


def test_mlperfs_single_stream_ends_when_its_minimums_are_met(bundle: Path) -> None:
    preprocessing, _, artifact = find_contract(bundle / "model_int8.tflite")
    with closing(HastyTarget()) as target:
        made, _ = latencies([artifact], target, preprocessing, pixels(1), threads=1, percentile=50, mlperf=True)
    found = made[artifact]
    assert found.runs >= 1024
    assert found.value_ms == found.p90_ms
    # Whole blocks of a quarter second are run.
    assert found.runs * found.mean_ms < 1e3 * 1.5 + 1024 * found.mean_ms


def test_a_difference_is_counted_image_by_image() -> None:
    here = np.array([[1, 2, 3], [3, 2, 1], [0, 5, 0]], np.float32)
    there = here.copy()
    there[1] = [2, 3, 1]
    there[2, 1] = 5.5
    found = compare(here, there)
    assert (found.images, found.differing, found.identical, found.largest_difference) == (3, 1, 1, 1.0)
    assert not found.bit_equal
    assert compare(here, here).bit_equal


def test_zeros_of_either_sign_are_not_the_same_bits() -> None:
    assert not compare(np.zeros((1, 2), np.float32), -np.zeros((1, 2), np.float32)).bit_equal


def test_an_operator_off_the_fast_path_is_named(bundle: Path, run: Run) -> None:
    done = run("validate", bundle / "model_int8.tflite", "--require-delegated")
    assert done.returncode == 5
    assert "QUANTIZE" in done.stderr
    assert run("validate", bundle / "model_fp32.tflite", "--require-delegated").returncode == 0


def test_a_latency_says_all_that_the_protocol_measures(bundle: Path, run: Run) -> None:
    done = run("validate", bundle / "model_fp32.tflite", "--threads", "1", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    schema.check(found)
    (made,) = found["models"]
    latency = made["latency"]
    assert latency["threads"] == 1
    assert latency["low_ms"] <= latency["value_ms"] <= latency["high_ms"]
    assert latency["p50_ms"] <= latency["p90_ms"] <= latency["p99_ms"] <= latency["max_ms"]
    told = latency["quantiles_ms"]
    assert list(told.values()) == sorted(told.values())
    assert (told["50"], told["100"]) == (latency["p50_ms"], latency["max_ms"])
    assert latency["throughput_per_second"] == pytest.approx(1e3 / latency["mean_ms"])
    assert latency["load_ms"] > 0
    assert latency["memory_bytes"] > 0
    assert latency["affinity"]
    assert latency["placement"]["path"] == "XNNPACK"
    assert set(found["machine"]["during"]) == {"frequency_mhz", "temperature_c", "foreign_cores", "pace_ms", "left_out"}
    assert made["comparison"] is None


def test_a_long_run_is_sliced_and_drawn(bundle: Path, run: Run, tmp_path: Path) -> None:
    plot = tmp_path / "long.svg"
    model = bundle / "model_int8.tflite"
    done = run("validate", model, "--sustained", "5s", "--plot", plot, "--output", tmp_path / "report", "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report == schema.read(tmp_path / "report")
    assert "without a pause" in (tmp_path / "report" / "report.html").read_text()
    found = report["sustained"]
    assert len(found["slices"]) >= 4
    assert found["slices"][-1]["at_s"] >= 5
    assert all(slice_["p50_ms"] <= slice_["p90_ms"] for slice_ in found["slices"])
    assert ElementTree.parse(plot).getroot().tag.endswith("svg")


def test_a_report_is_not_written_into_a_bundle(bundle: Path, run: Run) -> None:
    done = run("validate", bundle, "--output", bundle)
    assert done.returncode == 2
    assert "choose another folder" in done.stderr


def test_a_bundle_with_a_report_of_a_newer_schema_is_refused_at_once(bundle: Path, run: Run, tmp_path: Path) -> None:
    for name in ("preprocessing.json", "labels.txt", "model_int8.tflite"):
        (tmp_path / name).symlink_to(bundle / name)
    report = json.loads((bundle / "report.json").read_text())
    (tmp_path / "report.json").write_text(json.dumps({**report, "schema_version": "3"}))
    done = run("validate", tmp_path / "model_int8.tflite")
    assert done.returncode == 6
    assert "upgrade" in done.stderr and done.stderr.count("\n") == 1


def test_a_plot_without_a_run_or_a_folder_is_refused_at_once(bundle: Path, run: Run, tmp_path: Path) -> None:
    done = run("validate", bundle, "--plot", tmp_path / "long.svg")
    assert done.returncode == 2
    assert "--sustained" in done.stderr
    done = run("validate", bundle, "--sustained", "10m", "--plot", tmp_path / "nowhere" / "long.svg")
    assert done.returncode == 2
    assert "nowhere" in done.stderr


def test_a_sustained_run_is_drawn_where_no_file_is_named(bundle: Path, run: Run, tmp_path: Path) -> None:
    done = run("validate", bundle / "model_int8.tflite", "--sustained", "2s", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert ElementTree.parse(tmp_path / "sustained.svg").getroot().tag.endswith("svg")
    assert "without a pause" in done.stdout
    assert "governor" in done.stdout


def test_openvino_says_in_which_precision_each_layer_ran(bundle: Path, run: Run) -> None:
    done = run("validate", bundle / "openvino" / "model_int8.xml", "--json")
    assert done.returncode == 0, done.stderr
    place = json.loads(done.stdout)["models"][0]["latency"]["placement"]
    assert len(place["layers"]) == place["operators"] == sum(place["precisions"].values())
    ran = [told for told in place["layers"].values() if told.startswith("Convolution")]
    assert ran
    assert all(told.split()[1] in ("u8", "i8") for told in ran)


@pytest.mark.parametrize("text", ["10", "0s", "-1m", "10 minutes", "25h", ""])
def test_a_time_that_is_none(bundle: Path, run: Run, text: str) -> None:
    done = run("validate", bundle, "--sustained", text)
    assert done.returncode == 2
    assert "10m" in done.stderr


def test_strict_fails_while_another_process_computes(bundle: Path, run: Run) -> None:
    busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        done = run("validate", bundle / "model_fp32.tflite", "--threads", "1", "--strict")
    finally:
        busy.kill()
        busy.wait()
    assert done.returncode == 5
    assert "other processes used" in done.stderr
