"""`edgeffnet audit` from end to end: what it writes, how it ends, and what it makes of bad input."""

from __future__ import annotations

import csv
import fcntl
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeffnet import imagesets
from edgeffnet.audit.audit import audit, work_folder
from edgeffnet.audit.beyond import Parts
from edgeffnet.audit.result import Audit
from edgeffnet.audit.verdict import Gates
from edgeffnet.errors import ArtifactError, DataError, EdgeffnetError, UsageError
from edgeffnet.report import schema
from tests.conftest import Run
from tests.edgeffnet.audit import colours
from tests.edgeffnet.audit.colours import NAMES, Grid

PER_CLASS = 25
PLAIN = ("--no-detectors", "--no-layers", "--no-calibration", "--no-runtimes")


class Case:
    """A pair of models, their contract and pictures, in a folder of its own."""

    def __init__(self, folder: Path, pictures: Path) -> None:
        self.folder = folder
        self.val = pictures
        self.int8 = colours.tflite(folder / "int8.tflite", colours.weights(0.06), Grid(1 / 128, 127))
        self.reference = colours.tflite(folder / "fp32.tflite", colours.weights())
        self.preprocessing = colours.contract(folder / "stated.json")
        self.labels = colours.labels(folder / "names.txt")
        self.output = folder / "audit"

    def audit(self, **changes: Any) -> Audit:
        """The plain audit, in this process."""
        asked: dict[str, Any] = {
            "model": self.int8,
            "val": self.val,
            "reference": self.reference,
            "preprocessing": self.preprocessing,
            "labels": self.labels,
            "parts": Parts(False, False, False, False),
            "workers": 1,
            "output": self.output,
            **changes,
        }
        (found,) = audit(asked.pop("model"), asked.pop("val"), **asked)
        return found

    def command(self, *more: object) -> list[object]:
        named = ("--reference", self.reference, "--preprocessing", self.preprocessing, "--labels", self.labels)
        return ["audit", self.int8, *named, "--val", self.val, "--output", self.output, *more]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return colours.pictures(tmp_path_factory.mktemp("pictures"), PER_CLASS)


@pytest.fixture
def case(tmp_path: Path, pictures: Path) -> Case:
    return Case(tmp_path, pictures)


@pytest.fixture
def own(case: Case) -> Case:
    """A case whose pictures may be changed."""
    case.val = Path(shutil.copytree(case.val, case.folder / "pictures"))
    return case


def test_every_figure_follows_from_the_predictions_of_every_image(case: Case) -> None:
    found = case.audit(gates=Gates(max_drop=50))
    report = json.loads((case.output / "report.json").read_text())
    schema.check(report)
    rows = list(csv.DictReader((case.output / "predictions.csv").open()))
    assert len(rows) == report["images"]["count"] == PER_CLASS * len(NAMES)
    labels, theirs, mine = (np.array([row[name] for row in rows]) for name in ("label", "reference", "int8"))
    assert [row["file"].split("/")[0] for row in rows] == list(labels)
    accuracy = report["accuracy"]
    assert accuracy["reference"]["top1"]["value"] == pytest.approx((labels == theirs).mean())
    assert accuracy["int8"]["top1"]["value"] == pytest.approx((labels == mine).mean())
    assert accuracy["agreement"]["value"] == pytest.approx((mine == theirs).mean())
    assert accuracy["agreement"]["value"] < 1, "models that agree on everything show nothing"
    assert [row["agree"] for row in rows] == ["yes" if same else "no" for same in mine == theirs]
    worse = [row for row in rows if row["flip"] == "worse"]
    better = [row for row in rows if row["flip"] == "better"]
    assert accuracy["flips"]["worse"] == len(worse) == ((labels == theirs) & (labels != mine)).sum()
    assert accuracy["flips"]["better"] == len(better)
    assert sum(one["images"] for one in report["per_class"]) == len(rows)
    assert report["images"]["sha256"] == imagesets.read(case.val, NAMES).digest()
    assert {one["file"] for one in report["worst_images"]} >= {row["file"] for row in worse[:12]}
    assert all(one["thumbnail"].startswith("data:image/jpeg;base64,") for one in report["worst_images"])
    assert report["models"]["int8"]["quantization"]["input"] == {"dtype": "uint8", "scale": 1 / 128, "zero_point": 127}
    assert report["models"]["int8"]["runtime"].startswith("LiteRT")
    assert report["verdict"]["passed"] is True
    assert found.to_dict()["accuracy"] == accuracy
    assert not list(case.folder.glob(".*")), "the journal is gone once the report is there"


def test_a_model_beside_itself_is_the_same(case: Case) -> None:
    found = case.audit(model=case.reference)
    assert found.accuracy.agreement.value == 1
    assert found.output_error.snr_db is None
    assert found.worst_images == ()


def test_a_summary_is_markdown_whatever_files_are_called(own: Case) -> None:
    strange = own.val / "red" / "a|b`c_<b>.png"
    # Blue pictures that are called red: both models have them wrong, and their names get into no table's way.
    shutil.copy(own.val / "blue" / "0.png", strange)
    own.audit(gates=Gates(min_agreement=50))
    text = (own.output / "summary.md").read_text()
    assert text.startswith("### int8 audit: int8.tflite against fp32.tflite\n\n**PASS**")
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert all(line.replace("\\|", "").count("|") == 5 for line in table)
    assert f"{PER_CLASS * len(NAMES) + 1:,} images" in text


def test_workers_share_the_images_and_change_nothing(case: Case) -> None:
    case.audit(workers=1)
    alone = (case.output / "predictions.csv").read_bytes()
    case.audit(workers=3)
    assert (case.output / "predictions.csv").read_bytes() == alone


def test_a_flat_folder_gives_agreement_and_no_accuracy(own: Case) -> None:
    flat = own.folder / "flat"
    flat.mkdir()
    for path in own.val.glob("*/*.png"):
        shutil.copy(path, flat / f"{path.parent.name}-{path.name}")
    found = own.audit(val=flat)
    assert found.accuracy.reference is None
    assert found.accuracy.agreement.value < 1
    assert found.worst_images and found.worst_images[0].label is None
    schema.check(json.loads((own.output / "report.json").read_text()))
    with pytest.raises(UsageError, match="need labels"):
        own.audit(val=flat, gates=Gates(max_drop=1))


def test_unreadable_images_are_counted_and_listed_and_fail_when_strict(own: Case) -> None:
    (own.val / "red" / "3.png").write_bytes(b"no image")
    (own.val / "cyan" / "7.png").write_bytes((own.val / "cyan" / "8.png").read_bytes()[:200])
    found = own.audit()
    report = found.to_dict()
    assert report["images"]["count"] == PER_CLASS * len(NAMES) - 2
    assert [one["file"] for one in report["images"]["unreadable"]] == ["cyan/7.png", "red/3.png"]
    assert "not an image" in report["images"]["unreadable"][1]["reason"]
    assert any(note.startswith("2 images cannot be read") for note in report["notes"])
    with pytest.raises(DataError, match="--strict: 2 images"):
        own.audit(strict=True)
    for path in own.val.glob("*/*.png"):
        path.write_bytes(b"no image")
    with pytest.raises(DataError, match="none of its"):
        own.audit()


def test_copies_are_told_by_content(own: Case) -> None:
    shutil.copy(own.val / "red" / "3.png", own.val / "red" / "again.png")
    found = own.audit().to_dict()
    assert found["images"]["duplicates"] == [["red/3.png", "red/again.png"]]
    assert any(note.startswith("1 image is a copy of another") for note in found["notes"])


def test_outputs_that_are_not_finite_name_the_model_and_the_image(case: Case) -> None:
    spoilt = colours.spoilt(case.folder / "spoilt.tflite")
    with pytest.raises(ArtifactError, match=r"spoilt.tflite: its outputs are not finite .* for .*\.png"):
        case.audit(model=spoilt)
    with pytest.raises(ArtifactError, match=r"spoilt.tflite"):
        case.audit(reference=spoilt)
    assert not (case.output / "report.json").exists()


def test_two_audits_into_one_folder_do_not_collide(case: Case) -> None:
    work = work_folder(case.output)
    work.mkdir()
    with (work / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(UsageError, match="another audit is writing it"):
            case.audit()
    assert case.audit().images.count == PER_CLASS * len(NAMES)


def test_a_bundles_models_are_audited_each_into_a_folder(case: Case) -> None:
    bundle = case.folder / "bundle"
    (bundle / "onnx").mkdir(parents=True)
    models = {
        "model_fp32.tflite": {"input": "float32", "output": "probabilities"},
        "model_int8.tflite": {"input": "uint8", "output": "probabilities"},
        "onnx/model_int8.onnx": {"input": "float32", "output": "logits"},
    }
    colours.contract(bundle / "preprocessing.json", models=models)
    colours.labels(bundle / "labels.txt")
    shutil.copy(case.reference, bundle / "model_fp32.tflite")
    shutil.copy(case.int8, bundle / "model_int8.tflite")
    colours.onnx(bundle / "onnx" / "model_int8.onnx", colours.weights(0.06))
    parts = Parts(False, False, False, False)
    found = audit(bundle, case.val, parts=parts, workers=1, output=case.output)
    assert [one.output.name for one in found] == ["model_int8-tflite", "model_int8-onnx"]
    assert {one.reference.file for one in found} == {str(bundle / "model_fp32.tflite")}
    assert all((one.output / "report.json").is_file() for one in found)
    # The same weights, once fed 8-bit pixels and once floats of the other layout.
    assert abs(found[0].accuracy.agreement.value - found[1].accuracy.agreement.value) < 0.02
    assert found[0].findings == found[1].findings == ()


def test_a_report_of_a_newer_schema_is_left_alone(case: Case) -> None:
    case.output.mkdir()
    (case.output / "report.json").write_text('{"schema_version": "99", "kind": "audit"}')
    with pytest.raises(DataError, match="newer edgeffnet"):
        case.audit()
    assert json.loads((case.output / "report.json").read_text())["schema_version"] == "99"


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        ({"gates": Gates(max_drop=-1)}, UsageError, "--max-drop"),
        ({"reference": None}, UsageError, "--reference"),
        ({"model": Path("gone.tflite")}, DataError, "no such model"),
        ({"val": Path("gone")}, DataError, "gone"),
        ({"target": "qemu://cortex-a72", "workers": 2}, UsageError, "--workers 2"),
        ({"target": "ftp://board"}, UsageError, "--target"),
    ],
    ids=lambda value: str(value)[:40] if isinstance(value, dict) else None,
)
def test_options_that_cannot_be_are_named(
    case: Case, changes: dict[str, Any], error: type[EdgeffnetError], said: str
) -> None:
    with pytest.raises(error, match=said):
        case.audit(**changes)
    assert not case.output.exists()
    assert not list(case.folder.glob(".*"))


def test_a_class_the_models_do_not_know_is_named(own: Case) -> None:
    (own.val / "red").rename(own.val / "beige")
    with pytest.raises(DataError, match="'beige' is no label"):
        own.audit()


def test_the_command_prints_the_verdict_and_ends_with_4_where_a_gate_fails(run: Run, case: Case) -> None:
    failed = run(*case.command(*PLAIN, "--min-agreement", "99.5", "--max-drop", "50"))
    assert failed.returncode == 4, failed.stderr
    assert "FAIL" in failed.stdout
    assert failed.stderr.count("\n") == 1
    assert "agreement" in failed.stderr
    assert (case.output / "report.html").is_file()
    assert json.loads((case.output / "report.json").read_text())["verdict"]["passed"] is False


def test_a_gate_that_cannot_be_told_ends_with_0_and_says_how_many_images_could(run: Run, case: Case) -> None:
    found = case.audit().accuracy.agreement
    limit = 100 * (found.value - 0.002)
    done = run(*case.command(*PLAIN, "--min-agreement", f"{limit:.2f}", "--json"))
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    verdict = json.loads(done.stdout)["verdict"]
    assert verdict["passed"] is None
    assert "cannot tell with 150 images" in verdict["said"]
    assert verdict["gates"][0]["images_needed"] > 1000


@pytest.mark.parametrize("left_out", [("--no-runtimes",), pytest.param((), marks=pytest.mark.slow)])
def test_an_audit_of_a_healthy_model_finds_no_fault_but_its_calibration_images(
    run: Run, case: Case, left_out: tuple[str, ...]
) -> None:
    case.int8 = colours.tflite(case.folder / "healthy.tflite", colours.weights(0.002), Grid(1 / 128, 127))
    done = run(*case.command("--calib", case.val, "--json", *left_out), timeout=600)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    schema.check(report)
    # The images said to have calibrated are those that validate.
    assert [one["name"] for one in report["findings"] if one["severity"] == "fault"] == ["calibration-in-validation"]
    assert report["verdict"]["said"].endswith("1 fault found: calibration-in-validation")
    assert report["calibration"]["images"] == report["images"]["count"]
    assert bool(report["runtimes"]) != bool(left_out)
