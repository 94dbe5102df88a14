"""What somebody may do to a bundle, with or without covering it up in the manifest."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from calib import graph
from converters.label_file import appended, labels_in


def rehash(bundle: Path) -> None:
    """Makes the manifest list the files as they are now."""
    path = bundle / "manifest.json"
    manifest = json.loads(path.read_text())
    files = [file for file in bundle.rglob("*") if file.is_file() and file != path]
    manifest["files"] = {
        file.relative_to(bundle).as_posix(): {
            "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
            "bytes": file.stat().st_size,
        }
        for file in files
    }
    path.write_text(json.dumps(manifest))


def flip(path: Path, place: float = 0.5) -> None:
    """Flips one bit of the byte that far into the file."""
    data = bytearray(path.read_bytes())
    data[int(place * (len(data) - 1))] ^= 1
    path.write_bytes(data)


def rename_classes(bundle: Path) -> None:
    """Swaps two class names."""
    path = bundle / "labels.txt"
    names = path.read_text().split("\n")
    names[281], names[282] = names[282], names[281]
    path.write_text("\n".join(names))


def swap_mean_and_std(bundle: Path) -> None:
    path = bundle / "preprocessing.json"
    contract = json.loads(path.read_text())
    contract["mean"], contract["std"] = contract["std"], contract["mean"]
    path.write_text(json.dumps(contract))


def change_crop(bundle: Path) -> None:
    path = bundle / "preprocessing.json"
    contract = json.loads(path.read_text())
    contract["crop"] = 1.0
    path.write_text(json.dumps(contract))


def other_int8_tflite(bundle: Path) -> None:
    """Rounds the weights of one layer otherwise, in the file of the same name."""
    path = bundle / "model_int8.tflite"
    data = path.read_bytes()
    model = graph.read(data)
    kernel = next(
        tensor
        for tensor in model.subgraphs[0].tensors
        if tensor.type == schema.TensorType.INT8 and graph.tensor_name(tensor).endswith("block3a_project_conv/kernel")
    )
    held = np.array(model.buffers[kernel.buffer].data, np.uint8).view(np.int8)
    held[::7] = np.clip(held[::7].astype(np.int16) + 1, -127, 127)
    model.buffers[kernel.buffer].data = held.view(np.uint8)
    path.write_bytes(appended(graph.write(model), labels_in(data) or ()))


def other_int8_openvino(bundle: Path) -> None:
    """Moves every 8-bit weight by a step or not, as another calibration would."""
    text = (bundle / "openvino" / "model_int8.xml").read_text()
    path = bundle / "openvino" / "model_int8.bin"
    data = np.frombuffer(path.read_bytes(), np.uint8).copy()
    generator = np.random.default_rng(0)
    for offset, size in re.findall(r'element_type="i8"[^>]*offset="(\d+)"[^>]*size="(\d+)"', text):
        part = data[int(offset) : int(offset) + int(size)].view(np.int8)
        part[:] = np.clip(part.astype(np.int16) + generator.integers(-1, 2, part.size), -127, 127)
    path.write_bytes(data.tobytes())
