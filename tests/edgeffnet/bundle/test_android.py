"""The Android module as files; what its code does is tested in tests/integration/test_android.py."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from converters.artifact import Artifact
from edgeffnet.bundle import android
from edgeffnet.bundle.handover import Handover
from edgeffnet.errors import UsageError
from edgeffnet.images import Preprocessing

AWKWARD = ("a, b", 'quoted "name"', "$dollar ${brace} \\n", "crème brûlée 焼き", "", " spaced ")
CODE = "src/main/kotlin/edgeffnet/classifier"
ASSETS = "src/main/assets/edgeffnet"


@pytest.fixture
def handover(tmp_path: Path) -> Handover:
    """Of models that are never run."""
    (tmp_path / "model_int8.tflite").write_bytes(b"int8")
    (tmp_path / "model_fp32.tflite").write_bytes(b"fp32")
    models = (
        Artifact.int8_tflite(tmp_path / "model_int8.tflite", "uint8"),
        Artifact.float_tflite(tmp_path / "model_fp32.tflite"),
    )
    return Handover(tmp_path, Preprocessing.lite(224), ("cat", "dog"), models, ())


@pytest.mark.parametrize(
    "labels",
    [AWKWARD, (), tuple(f"class {index}" for index in range(100_000))],
    ids=["awkward", "none", "100,000"],
)
def test_no_label_reaches_the_source_code(handover: Handover, labels: tuple[str, ...]) -> None:
    android.write(handover)
    code = {path: path.read_bytes() for path in (handover.folder / "android").rglob("*.kt")}
    android.write(replace(handover, labels=labels))
    assert {path: path.read_bytes() for path in code} == code
    lines = (handover.folder / "android" / ASSETS / "labels.txt").read_bytes().decode().split("\n")
    assert lines == [*labels, ""]


def test_only_the_int8_model_goes_into_an_app(handover: Handover) -> None:
    assert android.write(handover) == ()
    folder = handover.folder / "android"
    assert {path.name for path in (folder / ASSETS).iterdir()} == {"model_int8.tflite", "labels.txt"}
    assert (folder / "src/androidTest/assets/edgeffnet/model_fp32.tflite").read_bytes() == b"fp32"


def test_a_lone_float_model_goes_into_the_app(handover: Handover) -> None:
    android.write(replace(handover, artifacts=handover.artifacts[1:]))
    folder = handover.folder / "android"
    assert {path.name for path in (folder / ASSETS).iterdir()} == {"model_fp32.tflite", "labels.txt"}
    assert "val DEFAULT = FP32" in (folder / CODE / "Contract.kt").read_text()


def test_a_bundle_without_tflite_model_is_refused(handover: Handover) -> None:
    with pytest.raises(UsageError, match=r"no \.tflite"):
        android.write(replace(handover, artifacts=()))
    assert not (handover.folder / "android").exists()


def test_the_contract_holds_the_numbers_by_which_we_normalise(handover: Handover) -> None:
    uneven = Preprocessing(96, 1.0, "lanczos", (123.675, 116.28, 103.53), (58.395, 57.12, 57.375), "BGR")
    android.write(replace(handover, preprocessing=uneven))
    code = (handover.folder / "android" / CODE / "Contract.kt").read_text()
    for said in (
        "resolution = 96,",
        "crop = 1.0,",
        "Interpolation.LANCZOS",
        "Channels.BGR",
        "floatArrayOf(123.675f, 116.28f, 103.53f)",
        "floatArrayOf(58.395f, 57.12f, 57.375f)",
    ):
        assert said in code


def test_the_manifest_is_xml(handover: Handover) -> None:
    android.write(handover)
    assert ElementTree.parse(handover.folder / "android/src/main/AndroidManifest.xml").getroot().tag == "manifest"
