"""The same artefact in every runtime, and int8 sums that saturate on machines which add them in 16 bits."""

from __future__ import annotations

import platform
from dataclasses import replace
from pathlib import Path

import pytest

from edgeffnet import devices
from edgeffnet.audit import runtimes
from edgeffnet.audit.runtimes import Runtimes
from edgeffnet.audit.subject import Port, Subject
from edgeffnet.report.quiet import quiet
from tests.edgeffnet.audit import planted
from tests.edgeffnet.audit.planted import Pair


@pytest.fixture(scope="module")
def pair(data: Path) -> Pair:
    return planted.lite0(data)


@pytest.fixture(scope="module")
def tflite(pair: Pair) -> Runtimes:
    return runtimes.compare(pair.int8, pair.reference, pair.validation.images[::80], count=16)


def test_a_tflite_file_runs_in_every_runtime_that_reads_it(tflite: Runtimes) -> None:
    rows = {row.runtime.split(" 2")[0]: row for row in tflite.rows}
    own = next(row for name, row in rows.items() if name == "LiteRT")
    assert own.agreement == 1
    assert own.largest_difference == 0
    ran = {name for name, row in rows.items() if row.not_run is None}
    assert {"LiteRT", "LiteRT without XNNPACK", "LiteRT reference kernels", "TensorFlow"} <= ran
    assert "OpenVINO" in rows
    assert all(row.agreement is not None and row.agreement >= 0.7 for row in rows.values() if row.not_run is None)


def test_openvino_reading_a_tflite_file_is_called_a_comparison(tflite: Runtimes) -> None:
    (row,) = [row for row in tflite.rows if row.runtime.startswith("OpenVINO")]
    assert "a comparison, not this file's accuracy" in row.said
    # OpenVINO's reader wants options of operators that LiteRT's quantizer leaves out, and then says so.
    assert row.not_run is not None or row.largest_difference is not None
    assert row.not_run is None or not row.not_run.startswith("Exception from")


def test_a_runtime_that_is_not_there_says_so(tflite: Runtimes) -> None:
    (row,) = [row for row in tflite.rows if row.runtime.startswith("tflite-runtime")]
    if row.not_run is None:
        pytest.skip("tflite-runtime is installed here")
    assert "tflite_runtime" in row.not_run
    assert row.agreement is None


def test_a_file_no_runtime_reads_is_told_for_each(pair: Pair, tmp_path: Path) -> None:
    path = tmp_path / "broken.tflite"
    path.write_bytes(pair.int8.artifact.path.read_bytes()[:20000])
    broken = replace(pair.int8, artifact=replace(pair.int8.artifact, path=path))
    found = runtimes.compare(broken, pair.reference, pair.validation.images[:1])
    assert all(row.not_run for row in found.rows)


@pytest.fixture(scope="module")
def full_range(pair: Pair) -> tuple[Subject, Subject]:
    """An OpenVINO int8 model whose weights use all of their range, and its reference."""
    return openvino(pair, saturating=False)


def openvino(pair: Pair, *, saturating: bool) -> tuple[Subject, Subject]:
    folder = pair.producer.folder / ("half" if saturating else "full")
    folder.mkdir(exist_ok=True)
    made = type(pair.producer)(
        pair.producer.weights, pair.producer.images, folder, interface="uint8", saturating=saturating
    )
    with quiet():
        artifacts = {one.artifact.precision: one.artifact for one in made.produce(("openvino",), lambda _: quiet())}
    stated = pair.int8.preprocessing
    return (
        planted.subject(artifacts["int8"].path, stated, "int8", Port("uint8"), "openvino"),
        planted.subject(artifacts["fp32"].path, stated, "fp32", Port("float32"), "openvino"),
    )


@pytest.mark.slow
def test_int8_sums_that_saturate_are_found_where_the_machine_has_them(
    pair: Pair, full_range: tuple[Subject, Subject]
) -> None:
    if platform.machine() not in ("x86_64", "AMD64"):
        pytest.skip("only x86 adds pairs of products in 16 bits")
    int8, reference = full_range
    found = runtimes.compare(int8, reference, pair.validation.images[::30], count=40)
    if devices.load("local").int8_saturates:
        (finding,) = found.findings
        assert finding.name == "int8-saturates"
        assert finding.evidence["snr_db_in_float"] > finding.evidence["snr_db"] + 1.5
        assert finding.evidence["p"] < 1e-3
    else:
        assert found.findings == ()
        assert any("not here, but int8 sums saturate on x86 without VNNI" in note for note in found.notes)


@pytest.mark.slow
def test_weights_made_for_16_bit_sums_cannot_saturate(pair: Pair) -> None:
    int8, reference = openvino(pair, saturating=True)
    found = runtimes.compare(int8, reference, pair.validation.images[::30], count=8)
    assert found.findings == ()
    assert "cannot saturate on any machine" in found.notes[0]
