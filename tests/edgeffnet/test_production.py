"""Artefacts made with a process beside are those made in one."""

from __future__ import annotations

from contextlib import closing, nullcontext
from pathlib import Path

import pytest

from converters.artifact import Format
from edgeffnet import calibration_images, imagesets, labels, openvino_files
from edgeffnet.architecture import Family
from edgeffnet.beside import Beside
from edgeffnet.calibration_images import Selection
from edgeffnet.errors import DataError
from edgeffnet.production import Producer
from edgeffnet.report.quiet import quiet
from edgeffnet.wanted import NetworkOptions, candidates

FORMATS: tuple[Format, ...] = ("tflite", "openvino")


def producer(data: Path, folder: Path, family: Family, beside: Beside | None = None) -> Producer:
    """A small network's, with random weights, for a processor that saturates: every road is taken."""
    folder.mkdir()
    listed = imagesets.read(data / "imagenet" / "calib.csv", labels.imagenet())
    images = calibration_images.from_set(listed, 0, Selection(16))
    network = candidates(NetworkOptions(phi=-4.0, family=family, weights="random"), seed=0)[0]
    return Producer(network.load(), images, folder, saturating=True, beside=beside)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("family", ["lite", "efficientnet"])
def test_a_process_beside_changes_no_byte(data: Path, tmp_path: Path, family: Family) -> None:
    with quiet(), closing(Beside(openvino_files.MODULES)) as beside:
        alone = producer(data, tmp_path / "alone", family).produce(FORMATS, lambda _: nullcontext())
        helped = producer(data, tmp_path / "helped", family, beside).produce(FORMATS, lambda _: nullcontext())
        assert beside.running
    assert contents(tmp_path / "alone") == contents(tmp_path / "helped")
    assert [one.artifact.name for one in helped] == [one.artifact.name for one in alone]
    assert [one.difference for one in helped] == [one.difference for one in alone]


def test_a_failure_ends_what_it_leaves_undone(data: Path, tmp_path: Path) -> None:
    with quiet(), closing(Beside(openvino_files.MODULES)) as beside:
        made = producer(data, tmp_path / "made", "lite", beside)
        _ = made.float_tflite
        made.recipe = "unknown"
        with pytest.raises(DataError, match="unknown recipe"):
            made.produce(("openvino",), lambda _: nullcontext())
        assert not beside.running
