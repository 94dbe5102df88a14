"""The microcontroller part of a bundle: compiled strictly, and run by TensorFlow Lite Micro itself, in Python."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from numpy.typing import NDArray

from converters import flatbuffer
from edgeffnet import devices, micro
from edgeffnet.bundle import golden, mcu, parts
from edgeffnet.bundle.contents import artifacts_of, find_contract
from edgeffnet.bundle.handover import Handover
from edgeffnet.errors import UsageError
from edgeffnet.images import read
from tests.conftest import Run
from tests.integration.conftest import needed

INTERFACE = Path(__file__).parent / "tflm"
SMALL = (
    *("build", "--device", "cortex-m7", "--phi", "-9", "--weights", "random", "--io", "int8"),
    *("--recipe", "fast", "--formats", "tflite"),
)
COPY = """
#include <cstdio>
#include "model.h"
int main() {
  std::fwrite(kModel, 1, sizeof(kModel), stdout);
  std::fwrite(kExample, 1, sizeof(kExample), stdout);
}
"""


@pytest.fixture(scope="module", autouse=True)
def library() -> None:
    needed(micro.installed(), "needs tflite-micro: pip install -e '.[mcu]'")


@pytest.fixture(scope="module")
def small(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle that fits into a Cortex-M7, with `mcu/`."""
    out = tmp_path_factory.mktemp("mcu") / "out"
    done = run(*SMALL, "--bundle", "mcu", "--output", out)
    assert done.returncode == 0, done.stderr
    assert "mcu: 1.79 MB of flash and an arena of 0.11 MB, measured with tflite-micro" in done.stderr + done.stdout
    return out


@pytest.fixture(scope="module")
def larger(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Handover:
    """Lite0, which takes uint8 pixels and returns float probabilities, before `mcu/` is written."""
    out = Path(shutil.copytree(bundle, tmp_path_factory.mktemp("larger") / "out"))
    shutil.rmtree(out / golden.FOLDER, ignore_errors=True)
    preprocessing, labels, _ = find_contract(out / "model_int8.tflite")
    artifacts = tuple(one for one in artifacts_of(out) if one.format == "tflite")
    return Handover(out, preprocessing, labels, artifacts, golden.write(out, preprocessing, artifacts))


def images(data: Path, model: Path, count: int) -> NDArray[np.int8]:
    """Real images as the int8 model takes them."""
    preprocessing, _, _ = find_contract(model)
    every = sorted((data / "imagenet" / "eval").glob("*.JPEG"))[:: 1300 // count][:count]
    return np.stack([(preprocessing.pixels(read(path)) ^ 0x80).view(np.int8) for path in every])


def litert(model: Path, inputs: NDArray[Any], kernels: OpResolverType) -> NDArray[np.int64]:
    interpreter = Interpreter(str(model), num_threads=1, experimental_op_resolver_type=kernels)
    interpreter.allocate_tensors()
    found = []
    for image in inputs:
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image[None])
        interpreter.invoke()
        found.append(interpreter.get_tensor(interpreter.get_output_details()[0]["index"])[0])
    return np.stack(found).astype(np.int64)


def succeeds(*words: object) -> None:
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_outputs_are_those_of_reference_kernels_within_a_step(small: Path, data: Path) -> None:
    model = small / "model_int8.tflite"
    inputs = images(data, model, 20)
    found = micro.run(model, inputs).outputs
    assert np.abs(found - litert(model, inputs, OpResolverType.BUILTIN_REF)).max() <= 1


def test_a_trained_network_gives_the_classes_of_litert(integer: Path, data: Path) -> None:
    model = integer / "model_int8.tflite"
    inputs = images(data, model, 10)
    found = micro.run(model, inputs).outputs
    assert np.abs(found[:3] - litert(model, inputs[:3], OpResolverType.BUILTIN_REF)).max() <= 1
    # XNNPACK rounds otherwise: outputs are more than a step apart, and the README says so.
    assert np.array_equal(found.argmax(1), litert(model, inputs, OpResolverType.AUTO).argmax(1))


def test_readme_says_how_far_outputs_are_apart(small: Path) -> None:
    _, _, artifact = find_contract(small / "model_int8.tflite")
    pixels = np.stack([np.fromfile(one.pixels, np.uint8).reshape(64, 64, 3) for one in golden.read(small)])
    found = micro.run(artifact.path, (pixels ^ 0x80).view(np.int8)).outputs.astype(int)
    expected = np.stack([np.fromfile(one.outputs[artifact], np.int8) for one in golden.read(small)])
    said = re.search(r"up to (\d+) steps of 8 bits", (small / "mcu" / "README.md").read_text())
    assert said
    assert int(said[1]) == np.abs(found - expected).max()


def test_the_arena_is_what_the_model_takes(small: Path) -> None:
    stated = re.search(r"kArenaBytes = (\d+);", (small / "mcu" / "model.h").read_text())
    assert stated
    program = (
        "import sys; from tflite_micro import runtime; import numpy as np;"
        "made = runtime.Interpreter.from_file(sys.argv[1], arena_size=int(sys.argv[2]));"
        "made.set_input(np.zeros((1, 64, 64, 3), np.int8), 0); made.invoke()"
    )
    enough, little = (
        subprocess.run(
            [sys.executable, "-c", program, small / "model_int8.tflite", str(size)], capture_output=True, check=False
        )
        for size in (int(stated[1]), int(stated[1]) * 9 // 10)
    )
    assert enough.returncode == 0
    assert little.returncode != 0


def test_arrays_hold_the_model_and_the_example(small: Path, tmp_path: Path) -> None:
    (tmp_path / "copy.cc").write_text(COPY)
    sources = [small / "mcu" / "model.cc", small / "mcu" / "example.cc", tmp_path / "copy.cc"]
    strict = ("g++", "-std=c++17", "-Wall", "-Wextra", "-Werror", "-fsanitize=address,undefined")
    succeeds(*strict, "-I", small / "mcu", *sources, "-o", tmp_path / "copy")
    copied = subprocess.run([tmp_path / "copy"], capture_output=True, check=True).stdout
    assert copied == (small / "model_int8.tflite").read_bytes() + golden.read(small)[0].pixels.read_bytes()


def test_main_compiles_for_each_input(small: Path, larger: Handover) -> None:
    compiled(small / "mcu")
    notes = written(larger)
    assert "Dequantize" in (larger.folder / "mcu" / "operators.h").read_text()
    assert "arena of 1.70 MB" in notes[0]
    assert "the same class on 4 of the 4 golden images" in notes[1]
    compiled(larger.folder / "mcu")
    # Float from end to end: its input is that of an int8 model with float32 input.
    float32 = larger.artifact("tflite", "fp32")
    assert float32
    stand_in = replace(float32, precision="int8")
    images = [replace(one, outputs={stand_in: one.outputs[float32]}) for one in larger.golden]
    written(replace(larger, artifacts=(stand_in,), golden=tuple(images)))
    compiled(larger.folder / "mcu")


def written(handover: Handover) -> tuple[str, ...]:
    shutil.rmtree(handover.folder / "mcu", ignore_errors=True)
    return mcu.write(handover)


def compiled(folder: Path) -> None:
    """Checks main.cc against the interface in tests/integration/tflm, which see."""
    strict = ("g++", "-std=c++17", "-Wall", "-Wextra", "-Werror", "-fsyntax-only")
    succeeds(*strict, "-I", INTERFACE, "-I", folder, folder / "main.cc")
    needed(shutil.which("clang-format"), "needs: apt install clang-format")
    # The model's array is marked as not to be formatted, and takes the tool a minute all the same.
    sources = [path for path in folder.iterdir() if path.suffix in (".h", ".cc") and path.name != "model.cc"]
    succeeds("clang-format", "--dry-run", "--Werror", *sources)


def test_a_model_that_is_too_big_says_by_how_much(larger: Handover) -> None:
    shutil.rmtree(larger.folder / "mcu", ignore_errors=True)
    with pytest.raises(UsageError) as caught:
        mcu.write(replace(larger, device=devices.load("cortex-m7")))
    assert "model_int8.tflite is too big for cortex-m7: its arena takes 1.70 MB, 0.65 MB more than" in str(caught.value)
    size, flash = (larger.folder / "model_int8.tflite").stat().st_size / 1e6, 2 * 2**20 / 1e6
    said = f"the file takes {size:.2f} MB, {size - flash:.2f} MB more than the {flash:.2f} MB of flash"
    assert said in str(caught.value)
    assert not (larger.folder / "mcu").exists()


def test_generated_code_does_not_depend_on_labels(small: Path, tmp_path: Path) -> None:
    out = Path(shutil.copytree(small, tmp_path / "out"))
    preprocessing, _, artifact = find_contract(out / "model_int8.tflite")
    handover = Handover(out, preprocessing, (), (artifact,), golden.read(out))
    made = []
    for labels in ((), ('"', "a, b", "\\", "*/", "猫", "%s"), tuple(map(str, range(100_000)))):
        written(replace(handover, labels=labels))
        made.append({path.name: path.read_bytes() for path in (out / "mcu").iterdir()})
    assert made[0] == made[1] == made[2]


def test_max_memory_is_held_against_the_arena(run: Run, tmp_path: Path) -> None:
    # Activations take 70 kB at their peak, the arena 113 kB.
    done = run(*SMALL, "--max-memory", "90kB", "--output", tmp_path / "out")
    assert done.returncode == 3
    assert "the arena takes 0.11 MB, measured with tflite-micro" in done.stderr


def test_an_operator_that_is_not_there(small: Path, tmp_path: Path) -> None:
    read_ = flatbuffer.read((small / "model_int8.tflite").read_bytes())
    for code in read_.operatorCodes:
        if code.builtinCode == schema.BuiltinOperator.MEAN:
            code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.WHERE
    (tmp_path / "model.tflite").write_bytes(flatbuffer.write(read_))
    with pytest.raises(UsageError, match=r"cannot run it .*WHERE.*--full-integer"):
        micro.run(tmp_path / "model.tflite", np.zeros((1, 64, 64, 3), np.int8))


def test_without_the_library(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tflite_micro", None)
    with pytest.raises(UsageError, match=r"pip install 'edgeffnet\[mcu\]'"):
        parts.names("cpp,mcu", "--bundle")
    with pytest.raises(UsageError, match=r"pip install 'edgeffnet\[mcu\]'"):
        micro.run(small / "model_int8.tflite", np.zeros((1, 64, 64, 3), np.int8))
