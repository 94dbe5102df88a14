"""mcu/: the int8 `.tflite` as C++ for TensorFlow Lite Micro, with the memory it was measured to take."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from converters import flatbuffer
from converters.artifact import Artifact
from edgeffnet import micro
from edgeffnet.bundle.handover import Handover
from edgeffnet.bundle.rendering import float32, render
from edgeffnet.errors import UsageError
from edgeffnet.images import Preprocessing
from edgeffnet.report.wording import megabytes

# Where TensorFlow Lite Micro's name of an operator is not the schema's in another case.
_NAMES = {"PADV2": "PadV2"}
_BYTES_A_LINE = 24
# Outputs of 8 bits differ by whole steps; probabilities are called the same up to this.
_SAME_PROBABILITY = 1e-3


def write(handover: Handover) -> tuple[str, ...]:
    """Fills `mcu/`; the memory it takes, and how far its outputs on the golden images are from LiteRT's.

    UsageError for a bundle without int8 `.tflite`, for one that TensorFlow Lite Micro cannot run or the
    bundle's device has no room for, and where tflite-micro is not installed.
    """
    artifact = handover.artifact("tflite", "int8")
    if artifact is None or not handover.golden:
        raise UsageError("--bundle mcu: it takes an int8 .tflite, and golden images")
    pixels = np.stack([_pixels(handover, path.pixels) for path in handover.golden])
    found = micro.run(artifact.path, _fed(pixels, artifact, handover.preprocessing))
    _require_room(handover, artifact, found.arena)
    expected = np.stack([np.fromfile(one.outputs[artifact], found.outputs.dtype) for one in handover.golden])
    agreement = _agreement(found.outputs, expected)
    folder = handover.folder / "mcu"
    folder.mkdir()
    values = {
        "model": artifact.path.name,
        "contract": handover.preprocessing,
        "mean": [f"{float32(value)}F" for value in handover.preprocessing.mean],
        "std": [f"{float32(value)}F" for value in handover.preprocessing.std],
        "takes": artifact.input,
        "returns_int8": expected.dtype == np.int8,
        "bytes": artifact.bytes,
        "arena": _aligned(found.arena),
        "megabytes": megabytes(artifact.bytes),
        "arena_megabytes": megabytes(found.arena),
        "example_megabytes": megabytes(pixels[0].size),
        "best": int(expected[0].argmax()),
        "operators": operators(artifact.path),
        "version": micro.version(),
        "agreement": agreement,
    }
    for name in ("model.h", "operators.h", "main.cc", "README.md"):
        (folder / name).write_text(render(f"mcu/{name}.jinja", **values), encoding="utf-8")
    _write_array(folder / "model.cc", np.frombuffer(artifact.path.read_bytes(), np.uint8))
    _write_array(folder / "example.cc", pixels[0].ravel())
    (folder / ".clang-format").write_text(render("mcu/clang-format"), encoding="utf-8")
    return (
        f"mcu: {megabytes(artifact.bytes)} of flash and an arena of {megabytes(found.arena)}, measured with "
        f"tflite-micro {micro.version()}",
        f"mcu: {agreement}",
    )


def operators(model: Path) -> tuple[str, ...]:
    """What the `.tflite` is made of, by TensorFlow Lite Micro's names, such as "Conv2D", in alphabetical order."""
    read = flatbuffer.read(model.read_bytes())
    used = {flatbuffer.operator_name(read, one) for graph in read.subgraphs for one in graph.operators}
    return tuple(sorted(_NAMES.get(name) or "".join(map(_capitalised, name.split("_"))) for name in used))


def _capitalised(word: str) -> str:
    return word if word[0].isdigit() else word.capitalize()


def _pixels(handover: Handover, path: Path) -> NDArray[np.uint8]:
    side = handover.preprocessing.resolution
    return np.fromfile(path, np.uint8).reshape(side, side, 3)


def _fed(pixels: NDArray[np.uint8], artifact: Artifact, preprocessing: Preprocessing) -> NDArray[np.generic]:
    if artifact.input == "uint8":
        return pixels
    if artifact.input == "int8":
        return (pixels ^ 0x80).view(np.int8)
    return preprocessing.normalise(pixels)


def _require_room(handover: Handover, artifact: Artifact, arena: int) -> None:
    device = handover.device
    if device is None:
        return
    over = [
        f"{what} takes {megabytes(taken)}, {megabytes(taken - there)} more than the {megabytes(there)} of {kind}"
        for what, taken, there, kind in (
            ("its arena", arena, device.memory_mib << 20, "memory"),
            ("the file", artifact.bytes, device.flash_mib << 20, "flash"),
        )
        if there and taken > there
    ]
    if over:
        raise UsageError(f"--bundle mcu: {artifact.path.name} is too big for {device.name}: {'; '.join(over)}")


def _agreement(found: NDArray[np.generic], expected: NDArray[np.generic]) -> str:
    """How far the outputs are from LiteRT's, in words."""
    apart = float(np.abs(found.astype(np.float64) - expected.astype(np.float64)).max())
    same = int((found.argmax(1) == expected.argmax(1)).sum())
    classes = f"the same class on {same} of the {len(found)} golden images"
    if expected.dtype == np.int8:
        if apart <= 1:
            return f"its outputs are LiteRT's within a step of 8 bits; {classes}"
        return (
            f"its outputs differ from LiteRT's by up to {apart:.0f} steps of 8 bits, because XNNPACK, which it uses,"
            f" rounds otherwise; {classes}"
        )
    if apart <= _SAME_PROBABILITY:
        return f"its probabilities are LiteRT's within {_SAME_PROBABILITY}; {classes}"
    return (
        f"its probabilities differ from LiteRT's by up to {apart:.4f}, because XNNPACK, which it uses, rounds "
        f"otherwise; {classes}"
    )


def _write_array(path: Path, values: NDArray[np.uint8]) -> None:
    texts = [str(value) for value in values.tolist()]
    lines = (",".join(texts[at : at + _BYTES_A_LINE]) for at in range(0, len(texts), _BYTES_A_LINE))
    path.write_text(render(f"mcu/{path.name}.jinja", data=",\n".join(lines)), encoding="utf-8")


def _aligned(count: int) -> int:
    return -(-count // 16) * 16
