"""Resolution as a second knob: which sizes are tried, on which images, and which is built."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from edgeffnet import cost
from edgeffnet.calibration_images import default
from edgeffnet.errors import UsageError
from edgeffnet.images import LabelledImage
from edgeffnet.imagesets import ImageSet
from edgeffnet.resolution import split
from edgeffnet.validation_images import ImagesOfBuild
from edgeffnet.wanted import NetworkOptions, at_other_sizes, candidates
from tests.conftest import ROOT, Run

LITE = candidates(NetworkOptions(), seed=0)


def test_each_network_is_tried_at_multiples_of_32_around_its_own_size() -> None:
    made = at_other_sizes(LITE)
    macs = [cost.total(one.architecture).macs for one in made]
    assert macs == sorted(macs, reverse=True)
    sizes = {one.architecture.resolution for one in made if one.architecture.name.startswith("lite0")}
    assert sizes == {128, 160, 192, 224, 256, 288, 320}
    assert {one.architecture.name for one in LITE} <= {one.architecture.name for one in made}
    assert len({one.architecture.name for one in made}) == len(made)


def test_the_weights_stay_those_of_the_variant_at_any_size() -> None:
    smaller = next(one for one in at_other_sizes(LITE) if one.architecture.name == "lite0, resolution 192")
    native = next(one for one in LITE if one.architecture.name == "lite0")
    small, own = smaller.load(), native.load()
    assert small.architecture.resolution == small.preprocessing.resolution == 192
    assert small.provenance == own.provenance
    assert small.preprocessing.crop == own.preprocessing.crop


def images(count: int, label: int | None = 0) -> ImagesOfBuild:
    found = ImageSet(tuple(LabelledImage(Path(f"{index}.png"), label) for index in range(count)), "val.csv")
    return ImagesOfBuild(default(0), found, seed=3)


def test_no_image_both_tunes_and_validates() -> None:
    halves = split(images(41))
    assert halves.tuning is not None and halves.validation is not None
    tuning, validation = ({image.path for image in part.images} for part in (halves.tuning, halves.validation))
    assert not tuning & validation
    assert (len(tuning), len(validation)) == (21, 20)
    assert split(images(41)) == halves


@pytest.mark.parametrize("found", [images(10), images(40, None)], ids=["few", "unlabelled"])
def test_images_that_cannot_tell_are_refused(found: ImagesOfBuild) -> None:
    with pytest.raises(UsageError, match="labelled images"):
        split(found)


@pytest.mark.parametrize(
    "words",
    [("--tune-resolution",), ("--tune-resolution", "--dry-run"), ("--tune-resolution", "--weights", "random")],
    ids=" ".join,
)
def test_what_cannot_be_tuned_is_told(run: Run, words: tuple[str, ...]) -> None:
    done = run("build", "--device", "rpi4", "--max-latency", "30ms", *words)
    assert (done.returncode, "--tune-resolution" in done.stderr) == (2, True)


@pytest.mark.slow
def test_the_most_accurate_size_within_the_budget_is_built(run: Run, data: Path, tmp_path: Path) -> None:
    val = tmp_path / "val.csv"
    with (data / "imagenet" / "eval.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))[::13]
    with val.open("w", newline="") as file:
        writer = csv.DictWriter(file, ("file", "label"))
        writer.writeheader()
        for row in rows:
            where = next(
                path
                for path in (data / "imagenet" / "eval" / row["file"], data / "imagenet" / row["file"])
                if path.is_file()
            )
            writer.writerow({"file": where, "label": row["label"]})
    words = ["build", "--device", "rpi4", "--variant", "lite0", "--max-latency", "20ms", "--tune-resolution"]
    words += ["--val", val, "--recipe", "fast", "--formats", "tflite", "--json"]
    there = {"EDGEFFNET_CACHE": str(tmp_path / "cache")}
    done = run(*words, "--output", tmp_path / "out", environment=there)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    chosen = report["chosen"]
    assert chosen["name"].startswith("lite0, resolution ") and chosen["latency"]["high_ms"] <= 20
    by_verdict: dict[str, list[str]] = {}
    for candidate in report["candidates"]:
        by_verdict.setdefault(candidate["verdict"], []).append(candidate["name"])
    assert "lite0" in by_verdict["may fit"] + by_verdict.get("too slow", [])
    assert by_verdict["less accurate"]
    assert report["validation"]["images"] == len(rows) // 2
    assert any("one half" in note and "other half" in note for note in report["notes"])
    int8 = next(entry for entry in report["artifacts"] if entry["precision"] == "int8")
    point = next(point for point in report["frontier"] if point["name"] == chosen["name"])
    assert point["top1"] == pytest.approx(100 * int8["accuracy"]["top1"]["value"])
    assert point["top1_kind"] == "measured"

    # Again, nothing is converted: whatever is not taken from the cache would need TensorFlow.
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "tensorflow.py").write_text("raise ImportError('tensorflow was asked for')\n")
    broken = {**there, "PYTHONPATH": f"{tmp_path / 'broken'}:{ROOT}"}
    again = run(*words, "--output", tmp_path / "again", environment=broken)
    assert again.returncode == 0, again.stderr
    known = ("name", "verdict", "reason")
    first, second = (
        [{key: candidate[key] for key in known} for candidate in one["candidates"]]
        for one in (report, json.loads(again.stdout))
    )
    assert first == second
