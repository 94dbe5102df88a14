"""Whatever the bytes of weights, images and models are, they are read or refused."""

from __future__ import annotations

import io
import pickle
import pickletools
import struct
import zipfile
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from converters import label_file
from edgeffnet import images
from edgeffnet.weights import keras_file, safetensors_file, torch_file
from edgeffnet.weights.keras_archive import require_harmless
from tests.edgeffnet.fuzzing.changes import changed_bytes
from tests.edgeffnet.fuzzing.watch import folder, only_answers_or_refuses, tries

_FORMATS = ("JPEG", "PNG", "BMP", "GIF", "TIFF", "WEBP", "PPM")
_TENSOR = (
    b"\x80\x02}X\x01\x00\x00\x00actorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storagectorch\nFloatStorage\n"
    b"X\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x06tQK\x00K\x02K\x03\x86K\x03K\x01\x86\x89)tRs."
)


def torch_zip(pickled: bytes) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr("archive/data.pkl", pickled)
        archive.writestr("archive/data/0", np.arange(6, dtype=np.float32).tobytes())
    return held.getvalue()


def torch_old(pickled: bytes) -> bytes:
    head = [pickle.dumps(value, 2) for value in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True})]
    tail = pickle.dumps(["0"], 2) + struct.pack("<q", 6) + np.arange(6, dtype=np.float32).tobytes()
    return b"".join([*head, pickled, tail])


def safetensors() -> bytes:
    header = b'{"a": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}}'
    return struct.pack("<Q", len(header)) + header + bytes(24)


def hdf5() -> bytes:
    import h5py

    held = io.BytesIO()
    with h5py.File(held, "w") as file:
        group = file.create_group("layers/dense/vars")
        group.create_dataset("0", data=np.zeros((2, 3), np.float32))
        group.attrs["name"] = "predictions"
    return held.getvalue()


def keras_archive() -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr("config.json", '{"module": "keras", "class_name": "Functional", "config": {}}')
        archive.writestr("model.weights.h5", hdf5())
    return held.getvalue()


def image(form: str) -> bytes:
    held = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (16, 20, 3), np.uint8)
    Image.fromarray(noise).save(held, form)
    return held.getvalue()


def read_as(name: str, data: bytes, reader: Any) -> Any:
    with folder() as made:
        path = made / name
        path.write_bytes(data)
        return only_answers_or_refuses(lambda: reader(path))


@pytest.mark.parametrize("form", _FORMATS)
def test_an_image_of_any_bytes(form: str) -> None:
    @given(changed_bytes(image(form)))
    @tries(40)
    def each(data: bytes) -> None:
        read_as(f"cat.{form.lower()}", data, images.read)
        read_as(f"cat.{form.lower()}", data, images.thumbnail)

    each()


@pytest.mark.parametrize("whole", [torch_zip(_TENSOR), torch_old(_TENSOR), _TENSOR], ids=["zip", "old", "bare"])
def test_a_torch_checkpoint_of_any_bytes(whole: bytes) -> None:
    @given(changed_bytes(whole))
    @tries(120)
    def each(data: bytes) -> None:
        read_as("weights.pth", data, torch_file.read)

    each()


_OPCODES = [code.code.encode("latin-1") for code in pickletools.opcodes]


@given(st.lists(st.sampled_from(_OPCODES) | st.binary(max_size=4) | st.just(_TENSOR[:30]), max_size=40))
@tries(200)
def test_a_torch_checkpoint_of_any_opcodes(codes: list[bytes]) -> None:
    program = b"\x80\x04" + b"".join(codes) + b"."
    read_as("weights.pth", torch_zip(program), torch_file.read)
    read_as("weights.pth", torch_old(program), torch_file.read)


@pytest.mark.parametrize(
    ("name", "whole", "reader"),
    [
        ("weights.safetensors", safetensors(), safetensors_file.read),
        ("weights.h5", hdf5(), keras_file.read),
        ("weights.keras", keras_archive(), keras_file.read),
        ("model.keras", keras_archive(), require_harmless),
        (
            "model.tflite",
            label_file.appended(b"TFL3", ["cat", "dog"]),
            lambda path: label_file.labels_in(path.read_bytes()),
        ),
    ],
    ids=["safetensors", "h5", "keras weights", "keras model", "labels behind a model"],
)
def test_a_file_of_weights_or_a_model_of_any_bytes(name: str, whole: bytes, reader: Any) -> None:
    @given(changed_bytes(whole))
    @tries(80)
    def each(data: bytes) -> None:
        read_as(name, data, reader)

    each()


def test_what_is_whole_is_read() -> None:
    """The changes above are of files that pass as they are."""
    for data in (torch_zip(_TENSOR), torch_old(_TENSOR)):
        assert read_as("weights.pth", data, torch_file.read)["a"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert read_as("weights.safetensors", safetensors(), safetensors_file.read)["a"].shape == (2, 3)
    assert read_as("weights.h5", hdf5(), keras_file.read).tensors["predictions/kernel"].shape == (2, 3)
    assert read_as("model.keras", keras_archive(), require_harmless) is None
    for form in _FORMATS:
        assert read_as(f"cat.{form.lower()}", image(form), images.read).size == (20, 16)
