"""What an audit says of the images that int8 was calibrated on."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from edgeffnet.audit import calibration, layers
from edgeffnet.audit.calibration import CalibrationAudit
from edgeffnet.audit.layers import Layers
from edgeffnet.images import LabelledImage
from edgeffnet.imagesets import ImageSet
from tests.edgeffnet.audit import planted
from tests.edgeffnet.audit.planted import Here, Pair

NOTHING = Layers((), 0)


@pytest.fixture(scope="module")
def pair(data: Path) -> Pair:
    return planted.lite0(data)


@pytest.fixture(scope="module")
def here() -> Here:
    return Here()


@pytest.fixture(scope="module")
def audited(pair: Pair, here: Here, tmp_path_factory: pytest.TempPathFactory) -> CalibrationAudit:
    """Of 40 calibration and 120 validation images."""
    compared = layers.compare(pair.int8, pair.reference, pair.validation.images[::100], 2)
    few, many = planted.spread(pair.calibration, 40), planted.spread(pair.validation, 120)
    folder = tmp_path_factory.mktemp("halves")
    return calibration.audit(pair.int8, pair.reference, many, few, compared, here, folder)


def without_models(
    pair: Pair, validation: ImageSet, calibrated: ImageSet, here: Here, folder: Path
) -> CalibrationAudit:
    """An audit whose reference is not a float `.tflite`: no halves are made of it."""
    other = replace(pair.reference, artifact=replace(pair.reference.artifact, format="onnx"))
    return calibration.audit(pair.int8, other, validation, calibrated, NOTHING, here, folder)


def test_sets_that_are_apart_have_no_overlap_and_no_finding(audited: CalibrationAudit) -> None:
    assert audited.overlap == ()
    assert audited.findings() == []


def test_calibration_images_inside_validation_are_found_recompressed_and_resized(
    pair: Pair, here: Here, tmp_path: Path
) -> None:
    copied = []
    for number, image in enumerate(pair.calibration.images[5:8]):
        with Image.open(image.path) as opened:
            smaller = (opened.width // (number + 1), opened.height // (number + 1))
            copy = opened.convert("RGB").resize(smaller)
        copied.append(tmp_path / f"photo_{number}.jpg")
        copy.save(copied[-1], quality=40)
    validation = planted.spread(pair.validation, 40)
    mixed = replace(validation, images=(*validation.images, *(LabelledImage(path, 0) for path in copied)))
    audit = without_models(pair, mixed, replace(pair.calibration, images=pair.calibration.images[:40]), here, tmp_path)
    assert {(one.name, other.name) for one, other in audit.overlap} == {
        (image.path.name, path.name) for image, path in zip(pair.calibration.images[5:8], copied, strict=True)
    }
    (finding,) = audit.findings()
    assert finding.name == "calibration-in-validation"
    assert finding.severity == "fault"
    assert finding.evidence["count"] == 3
    assert str(copied[0]) in finding.said


def test_two_halves_of_the_calibration_images_tell_how_much_depends_on_the_draw(audited: CalibrationAudit) -> None:
    halves = audited.halves
    assert halves is not None
    assert sum(halves.calibrated_on) == 40
    assert min(halves.calibrated_on) > 10
    assert halves.images == 120
    assert 0.85 < halves.between.value <= 1
    assert all(0.85 < one.value <= 1 for one in halves.with_reference)
    assert halves.top1 is not None
    assert all(0.7 < one.value < 0.95 for one in halves.top1)
    assert audited.convergence is not None
    assert 0 <= audited.convergence.typical < audited.convergence.movement < 1


def test_classes_without_calibration_images_are_counted(audited: CalibrationAudit) -> None:
    coverage = audited.coverage
    assert coverage is not None
    assert coverage.classes == 1000
    assert 0 < coverage.covered <= 40
    assert coverage.least == 0
    assert len(coverage.missing) == 50


def test_tensors_that_clip_are_listed_the_worst_first(audited: CalibrationAudit) -> None:
    assert audited.clipping
    shares = [share for _, share in audited.clipping]
    assert shares == sorted(shares, reverse=True)
    assert 0 < shares[0] < 0.01
    assert "stem_activation" not in dict(audited.clipping), "its grid ends where its activation does"


def test_its_json_holds_what_a_report_shows(audited: CalibrationAudit) -> None:
    plain = json.loads(json.dumps(audited.to_dict()))
    assert plain["images"] == 40
    assert plain["halves"]["first"]["agreement"]["low"] <= plain["halves"]["agreement_between"]["high"]
    assert plain["class_coverage"]["covered"] > 0
    assert set(plain["clipping"][0]) == {"tensor", "share"}


def test_what_is_not_known_is_said(pair: Pair, here: Here, tmp_path: Path) -> None:
    validation = planted.spread(pair.validation, 20)
    nothing = calibration.audit(pair.int8, pair.reference, validation, None, NOTHING, here, tmp_path)
    assert "--calib" in nothing.notes[0]
    assert nothing.halves is None
    unlabelled = [LabelledImage(one.path) for one in pair.calibration.images[:8]]
    audit = without_models(pair, validation, replace(pair.calibration, images=tuple(unlabelled)), here, tmp_path)
    assert audit.coverage is None
    assert any("no labels" in note for note in audit.notes)
    assert any("float .tflite" in note for note in audit.notes)
