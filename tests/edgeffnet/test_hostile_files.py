"""Files of ill will: nothing in them runs, leads out of its folder, or reaches code, a page or a terminal."""

from __future__ import annotations

import io
import json
import os
import shutil
import stat
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from converters import label_file
from edgeffnet import devices, images
from edgeffnet.bundle import adding, contents, golden, manifest, rebuild, verify
from edgeffnet.errors import DataError, EdgeffnetError, UsageError
from edgeffnet.images import Preprocessing
from edgeffnet.targets.local import LocalTarget
from edgeffnet.weights.keras_archive import require_harmless
from tests.conftest import Run


def changed(path: Path, change: Any) -> None:
    """The JSON in `path` after `change` was made to it."""
    held = json.loads(path.read_text(encoding="utf-8"))
    change(held)
    path.write_text(json.dumps(held), encoding="utf-8")


@pytest.fixture
def small_bundle(tmp_path: Path) -> Path:
    """A folder with a contract, labels, golden images and a manifest: enough of a bundle to be refused."""
    folder = tmp_path / "out"
    (folder / "golden").mkdir(parents=True)
    (folder / "model_int8.tflite").write_bytes(b"....TFL3")
    contract = {
        **Preprocessing.lite(64).to_dict(),
        "models": {"model_int8.tflite": {"input": "uint8", "output": "probabilities"}},
    }
    (folder / "preprocessing.json").write_text(json.dumps(contract))
    (folder / "labels.txt").write_text("cat\ndog\n")
    index = {
        "images": [{"file": "0.png", "pixels": {"file": "0.bin"}, "normalised": {"file": "1.bin"}, "outputs": {}}],
        "models": {},
    }
    (folder / "golden" / "golden.json").write_text(json.dumps(index))
    files = {str(path.relative_to(folder)): {"sha256": "0" * 64} for path in folder.rglob("*") if path.is_file()}
    (folder / "manifest.json").write_text(json.dumps({"files": files, "tools": {"edgeffnet": "0"}}))
    return folder


LEADING_OUT = ["../secret.tflite", "/etc/passwd", "golden/../../secret.tflite", "..", "", "a\0b"]


@pytest.mark.parametrize("name", LEADING_OUT)
def test_a_contract_names_no_model_outside_its_bundle(small_bundle: Path, name: str) -> None:
    (small_bundle.parent / "secret.tflite").write_bytes(b"secret")
    entry = {"input": "uint8", "output": "probabilities"}
    changed(small_bundle / "preprocessing.json", lambda held: held.update(models={name: entry}))
    with pytest.raises(DataError, match=r"preprocessing\.json"):
        contents.models_of(small_bundle)


def test_a_models_name_cannot_become_source_code(small_bundle: Path) -> None:
    name = '" + __import__("os").system("id") + ".tflite'
    (small_bundle / name).write_bytes(b"....TFL3")
    entry = {"input": "uint8", "output": "probabilities"}
    changed(small_bundle / "preprocessing.json", lambda held: held.update(models={name: entry}))
    with pytest.raises(DataError, match="characters"):
        contents.artifacts_of(small_bundle)


@pytest.mark.parametrize("field", ["input", "output"])
def test_a_contract_cannot_state_an_input_or_output_that_there_is_not(small_bundle: Path, field: str) -> None:
    def change(held: Any) -> None:
        held["models"]["model_int8.tflite"][field] = "float64"

    changed(small_bundle / "preprocessing.json", change)
    with pytest.raises(DataError, match="float64"):
        contents.artifacts_of(small_bundle)


@pytest.mark.parametrize("name", LEADING_OUT)
def test_golden_images_lie_in_their_folder(small_bundle: Path, name: str) -> None:
    changed(small_bundle / "golden" / "golden.json", lambda held: held["images"][0]["pixels"].update(file=name))
    with pytest.raises(DataError, match=r"golden\.json"):
        golden.read(small_bundle)


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "golden/../../secret"])
def test_a_manifest_lists_no_file_outside_its_bundle(small_bundle: Path, name: str) -> None:
    changed(small_bundle / "manifest.json", lambda held: held["files"].update({name: {"sha256": "0" * 64}}))
    with pytest.raises(DataError, match=r"manifest\.json"):
        verify.verify(small_bundle)


def test_a_link_in_a_bundle_is_no_file_of_it(small_bundle: Path) -> None:
    secret = small_bundle.parent / "secret"
    secret.mkdir()
    (secret / "key").write_text("private")
    (small_bundle / "labels.txt").unlink()
    (small_bundle / "labels.txt").symlink_to(secret / "key")
    (small_bundle / "more").symlink_to(secret)
    found = manifest.differences(small_bundle)
    assert found["labels.txt"] == "is a link"
    assert found["more"] == "was added"
    with pytest.raises(EdgeffnetError, match="not as it was built"):
        adding.add(small_bundle, ["python"])
    (small_bundle / "model_int8.tflite").unlink()
    (small_bundle / "model_int8.tflite").symlink_to(secret / "key")
    with pytest.raises(DataError, match="link"):
        contents.models_of(small_bundle)


def test_a_manifest_does_not_decide_where_rebuild_connects_to(bundle: Path, tmp_path: Path) -> None:
    """The address could name a configuration of ssh that runs a program."""
    ran = tmp_path / "ran"
    (tmp_path / "config").write_text(f"Host *\n  ProxyCommand touch {ran}\n")
    target = f"ssh://board?config={tmp_path / 'config'}"
    copy = Path(shutil.copytree(bundle, tmp_path / "out"))

    def change(held: Any) -> None:
        held["request"]["options"].update(target=target, val="val.csv")
        held["request"]["options"]["budget"]["agreement"] = 99

    changed(copy / "manifest.json", change)
    with pytest.raises(UsageError, match="--target"):
        rebuild.rebuild(copy)
    assert not ran.exists()


def keras_archive(path: Path, config: dict[str, Any], weights: bytes) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", json.dumps(config))
        archive.writestr("metadata.json", "{}")
        archive.writestr("model.weights.h5", weights)


def hdf5(fill: Any) -> bytes:
    import h5py

    held = io.BytesIO()
    with h5py.File(held, "w") as file:
        fill(file)
    return held.getvalue()


LAYER = {"module": "keras.layers", "class_name": "Dense", "config": {"units": 2}}


@pytest.mark.parametrize(
    "layer",
    [
        {"module": "os", "class_name": "system", "config": "touch ran"},
        {"module": "keras.layers", "class_name": "Lambda", "config": {}},
        {"module": "keras.layers", "class_name": "TFSMLayer", "config": {"filepath": "/somewhere"}},
        {"module": "keras.layers", "class_name": "StringLookup", "config": {"vocabulary": "/etc/passwd"}},
        {"module": "builtins", "class_name": "function", "config": "print"},
        {"module": "keras.layers", "class_name": "Dense", "config": {"activation": {"class_name": "__lambda__"}}},
        {"module": "kerasevil", "class_name": "Dense", "config": {}},
    ],
    ids=lambda layer: f"{layer['module']}.{layer['class_name']}",
)
def test_a_keras_archive_names_only_layers_of_keras(tmp_path: Path, layer: dict[str, Any]) -> None:
    weights = hdf5(lambda file: file.create_dataset("a", data=np.zeros(2)))
    model = {"module": "keras.models", "class_name": "Sequential", "config": {"layers": [LAYER]}}
    keras_archive(tmp_path / "good.keras", model, weights)
    require_harmless(tmp_path / "good.keras")
    model["config"] = {"layers": [LAYER, layer]}
    keras_archive(tmp_path / "bad.keras", model, weights)
    with pytest.raises(DataError, match="no layer of Keras"):
        require_harmless(tmp_path / "bad.keras")


def test_the_weights_of_a_keras_archive_lie_in_it(tmp_path: Path) -> None:
    import h5py

    (tmp_path / "secret").write_bytes(bytes(16))
    fills = {
        "link": lambda file: file.__setitem__("a", h5py.ExternalLink("secret.h5", "/a")),
        "soft link": lambda file: file.__setitem__("a", h5py.SoftLink("/b")),
        "external": lambda file: file.create_dataset("a", (2,), "f8", external=[(str(tmp_path / "secret"), 0, 16)]),
    }
    for fill in fills.values():
        keras_archive(tmp_path / "bad.keras", {"class_name": "Sequential", "config": {}}, hdf5(fill))
        with pytest.raises(DataError, match="weights"):
            require_harmless(tmp_path / "bad.keras")


def test_a_keras_archive_that_unpacks_to_far_more_than_it_is_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bomb.keras", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", json.dumps({"config": {}}))
        archive.writestr("model.weights.h5", bytes(1 << 26))
    with pytest.raises(DataError, match="claims"):
        require_harmless(tmp_path / "bomb.keras")


def test_labels_that_unpack_to_far_more_than_a_model_are_not_read() -> None:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(label_file.NAME, bytes(1 << 27))
    assert label_file.labels_in(held.getvalue()) is None


def test_a_photographs_name_does_not_start_a_postscript_interpreter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = tmp_path / "ran"
    program = tmp_path / "bin" / "gs"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\ntouch {ran}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    Image.new("RGB", (32, 32)).save(tmp_path / "cat.eps")
    (tmp_path / "cat.eps").rename(tmp_path / "cat.jpg")
    for read in (images.read, images.thumbnail):
        with pytest.raises(DataError, match=r"cat\.jpg"):
            read(tmp_path / "cat.jpg")
    assert not ran.exists()


@pytest.mark.parametrize("side", [10_000, 20_000])
def test_an_image_of_too_many_pixels_is_refused_without_a_warning(
    tmp_path: Path, side: int, recwarn: pytest.WarningsRecorder
) -> None:
    Image.new("1", (side, side)).save(tmp_path / "huge.png")
    for read in (images.read, images.thumbnail):
        with pytest.raises(DataError, match="too many pixels"):
            read(tmp_path / "huge.png")
    assert not recwarn.list


def test_a_folder_one_works_in_cannot_replace_numpy(tmp_path: Path, bundle: Path) -> None:
    (tmp_path / "numpy.py").write_text("open('ran', 'w').close()\n")
    program = "from edgeffnet.cli import main; main(prog_name='edgeffnet')"
    done = subprocess.run(
        [sys.executable, "-P", "-c", program, "validate", str(bundle / "model_int8.tflite"), "--json"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "ran").exists()


def test_an_error_shows_a_name_and_does_not_move_the_cursor(tmp_path: Path, run: Run) -> None:
    name = "cat\x1b]0;owned\x07\x1b[2J.jpg"
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / name).write_bytes(b"no image")
    done = run("build", "--device", "rpi4", "--max-latency", "50ms", "--calib", "images", cwd=tmp_path)
    assert done.returncode == 6
    assert "\x1b" not in done.stderr
    assert "owned" in done.stderr


@pytest.mark.parametrize("nested", ["[" * 100_000, '{"a":' * 100_000])
def test_json_and_toml_without_end_are_refused(tmp_path: Path, nested: str, small_bundle: Path) -> None:
    (tmp_path / "deep.json").write_text(nested)
    with pytest.raises(DataError, match="JSON"):
        images.read_preprocessing(tmp_path / "deep.json")
    (tmp_path / "deep.toml").write_text("a = " + "[" * 100_000)
    with pytest.raises(DataError, match="TOML"):
        devices.load(str(tmp_path / "deep.toml"))
    (small_bundle / "manifest.json").write_text(nested)
    with pytest.raises(DataError, match="manifest"):
        manifest.read(small_bundle / "manifest.json")


def test_what_a_job_is_told_lies_where_no_one_else_can_look() -> None:
    target = LocalTarget()
    try:
        target.machine()
        folder = Path(target.scratch("shard.npz")).parent
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert stat.S_IMODE(folder.parent.stat().st_mode) == 0o700
    finally:
        target.close()
