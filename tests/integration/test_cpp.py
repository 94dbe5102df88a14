"""The C++ program of a bundle: built as strictly as compilers can, run on real images, held against ours."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ai_edge_litert
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from edgeffnet.bundle import cpp, golden
from edgeffnet.bundle.contents import find_contract
from edgeffnet.bundle.handover import GoldenImage
from edgeffnet.bundle.rendering import render
from edgeffnet.images import Preprocessing, read
from edgeffnet.targets import agent, sysroot
from tests.conftest import Run, with_part
from tests.integration.conftest import needed

IMAGES = 100
PACKAGES = Path(ai_edge_litert.__file__).parent.parent
STRICT = "-Wall -Wextra -Werror"
SANITIZED = f"{STRICT} -fsanitize=address,undefined -fno-sanitize-recover=all"
# The sanitizer's own libraries cannot be loaded with RTLD_DEEPBIND, which OpenVINO's TBB asks for.
NO_DEEPBIND = """
#define _GNU_SOURCE
#include <dlfcn.h>
void *dlopen(const char *path, int flags) {
    void *(*next)(const char *, int) = (void *(*)(const char *, int))dlsym(RTLD_NEXT, "dlopen");
    return next(path, flags & ~RTLD_DEEPBIND);
}
"""
PREPROCESS = """
#include <iostream>
#include "classifier.h"
int main(int argc, char** argv) {
  for (int at = 1; at < argc; ++at) {
    const auto made = edgeffnet::Preprocess(edgeffnet::ReadPpm(argv[at]));
    std::cout.write(reinterpret_cast<const char*>(made.data()), static_cast<long>(made.size()));
  }
}
"""
MODELS = ("model_int8.tflite", "model_fp32.tflite", "openvino/model_int8.xml", "openvino/model_fp32.xml")


@dataclass(frozen=True)
class Photographs:
    """Real images as PPM, and what our own preprocessing makes of them, uint8 (n, h, w, 3)."""

    files: tuple[Path, ...]
    pixels: NDArray[np.uint8]


@dataclass(frozen=True)
class Answer:
    """What one run of the program wrote: the first class of each image, pixels, and raw outputs (n, classes)."""

    first: tuple[str, ...]
    pixels: NDArray[np.uint8]
    outputs: NDArray[Any]


@pytest.fixture(scope="module")
def made(bundle: Path, run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with `cpp/`."""
    return with_part(run, bundle, tmp_path_factory.mktemp("cpp"), "cpp")


@pytest.fixture(scope="module")
def whole(integer: Path, run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with `cpp/` whose int8 model takes and returns int8."""
    return with_part(run, integer, tmp_path_factory.mktemp("whole"), "cpp")


@pytest.fixture(scope="module")
def contract(made: Path) -> Preprocessing:
    return find_contract(made / MODELS[0])[0]


@pytest.fixture(scope="module")
def program(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`classify` with both runtimes, whose every warning is an error, under the address and undefined sanitizers."""
    folder = tmp_path_factory.mktemp("sanitized")
    (folder / "dlopen.c").write_text(NO_DEEPBIND)
    succeeds("gcc", "-c", folder / "dlopen.c", "-o", folder / "dlopen.o")
    linked = f"-DCMAKE_EXE_LINKER_FLAGS={folder / 'dlopen.o'} -rdynamic"
    return built(made, folder / "build", PACKAGES, f"-DCMAKE_CXX_FLAGS={SANITIZED}", linked)


@pytest.fixture(scope="module")
def photographs(data: Path, contract: Preprocessing, tmp_path_factory: pytest.TempPathFactory) -> Photographs:
    return written(data, tmp_path_factory.mktemp("photographs"), contract, IMAGES)


def succeeds(*words: object, **options: Any) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done


def built(bundle: Path, folder: Path, packages: Path, *options: str) -> Path:
    needed(shutil.which("cmake") and shutil.which("g++"), "needs a C++ compiler: apt install cmake g++ make")
    succeeds("cmake", "-S", bundle / "cpp", "-B", folder, f"-DRUNTIME={packages}", *options)
    succeeds("cmake", "--build", folder)
    return folder / "classify"


def written(data: Path, folder: Path, contract: Preprocessing, count: int) -> Photographs:
    """Images spread over the evaluation set, which are square, each cut to another shape."""
    every = sorted((data / "imagenet" / "eval").glob("*.JPEG"))
    images = [shaped(read(path), number) for number, path in enumerate(every[:: len(every) // count][:count])]
    files = [folder / f"{number}.ppm" for number in range(len(images))]
    for file, image in zip(files, images, strict=True):
        cpp.write_ppm(np.asarray(image), file)
    return Photographs(tuple(files), np.stack([contract.pixels(image) for image in images]))


def shaped(image: Image.Image, number: int) -> Image.Image:
    """As it is, wide, tall, a strip, or enlarged and tall."""
    width, height = image.size
    if number % 5 == 4:
        image = image.resize((3 * width, 3 * height))
    shapes = ((1, 1), (1, 0.6), (0.7, 1), (0.2, 1), (0.55, 0.9))
    across, down = shapes[number % 5]
    return image.crop((3, 2, 3 + round(image.width * across), 2 + round(image.height * down)))


def answered(command: Sequence[object], model: Path, images: Sequence[Path], folder: Path) -> Answer:
    wanted = ("--top", 1, "--pixels", folder / "pixels", "--outputs", folder / "outputs")
    said = succeeds(*command, model, *images, *wanted).stdout.splitlines()
    preprocessing, _, artifact = find_contract(model)
    outputs = np.fromfile(folder / "outputs", golden.dtype_of(artifact)).reshape(len(images), -1)
    shape = (len(images), preprocessing.resolution, preprocessing.resolution, 3)
    return Answer(tuple(said[1::2]), np.fromfile(folder / "pixels", np.uint8).reshape(shape), outputs)


def ours(model: Path, pixels: NDArray[np.uint8]) -> NDArray[Any]:
    """What the runtime's Python interface returns for the same pixels, as the model returns it."""
    preprocessing, _, artifact = find_contract(model)
    loaded = agent.FORMATS[artifact.format](str(model), 1)
    return np.stack([golden.output(loaded, image, preprocessing) for image in pixels])


@pytest.mark.parametrize("name", MODELS)
def test_real_images_give_our_pixels_and_our_outputs(
    name: str, made: Path, program: Path, photographs: Photographs, tmp_path: Path
) -> None:
    found = answered([program], made / name, photographs.files, tmp_path)
    assert np.array_equal(found.pixels, photographs.pixels)
    expected = ours(made / name, photographs.pixels)
    np.testing.assert_allclose(found.outputs, expected, rtol=0, atol=0 if name.endswith("int8.tflite") else 1e-6)
    _, labels, _ = find_contract(made / name)
    assert [line.split("%  ")[1] for line in found.first] == [labels[best] for best in expected.argmax(1)]


@pytest.mark.parametrize("name", ["model_int8.tflite", "model_fp32.tflite", "openvino/model_fp32.xml"])
def test_golden_images_give_golden_outputs(name: str, made: Path, program: Path, tmp_path: Path) -> None:
    images = golden.read(made)
    found = answered([program], made / name, [as_ppm(image, tmp_path) for image in images], tmp_path)
    _, _, artifact = find_contract(made / name)
    assert hashed(found.pixels.tobytes()) == hashed(b"".join(image.pixels.read_bytes() for image in images))
    expected = np.stack([np.fromfile(image.outputs[artifact], found.outputs.dtype) for image in images])
    allowed = 0 if artifact.precision == "int8" else golden.tolerance(artifact).largest
    np.testing.assert_allclose(found.outputs, expected, rtol=0, atol=allowed)


def hashed(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def as_ppm(image: GoldenImage, folder: Path) -> Path:
    path = folder / f"{image.file.stem}.ppm"
    cpp.write_ppm(np.asarray(read(image.file)), path)
    return path


def test_integer_models_give_int8_logits(whole: Path, data: Path, run: Run, tmp_path: Path) -> None:
    preprocessing, labels, _ = find_contract(whole / "model_int8.tflite")
    some = written(data, tmp_path, preprocessing, 10)
    plain = built(whole, tmp_path / "build", PACKAGES, f"-DCMAKE_CXX_FLAGS={STRICT}")
    found = answered([plain], whole / "model_int8.tflite", some.files, tmp_path)
    expected = ours(whole / "model_int8.tflite", some.pixels)
    assert found.outputs.dtype == np.int8
    assert np.array_equal(found.outputs, expected)
    told = run("predict", whole / "model_int8.tflite", whole / "golden" / "0.png", "--top", 1)
    said = succeeds(plain, whole / "model_int8.tflite", whole / "cpp" / "example.ppm", "--top", 1)
    assert said.stdout.splitlines()[1].strip() == told.stdout.splitlines()[1].strip()
    assert said.stdout.splitlines()[1].split("%  ")[1] in labels


@pytest.mark.parametrize(
    "contract",
    [
        Preprocessing(97, 1.0, "bilinear", (123.675, 116.28, 103.53), (58.395, 57.12, 57.375), "BGR"),
        Preprocessing(160, 0.63, "nearest", (0.0,) * 3, (255.0,) * 3),
        Preprocessing(331, 0.9, "lanczos", (127.5,) * 3, (127.5,) * 3),
        Preprocessing(600, 1.0, "bicubic", (127.5,) * 3, (1e-7,) * 3),
    ],
    ids=lambda contract: f"{contract.interpolation}-{contract.resolution}",
)
def test_every_way_of_resizing_gives_our_pixels(
    contract: Preprocessing, made: Path, data: Path, tmp_path: Path
) -> None:
    some = written(data, tmp_path, contract, 20)
    source = Path(shutil.copytree(made / "cpp", tmp_path / "cpp"))
    numbers = {"mean": contract.mean, "std": contract.std, "models": [('"none"', 0, "logits")]}
    known = {"minimum_side": 8}
    (source / "contract.h").write_text(render("cpp/contract.h.jinja", contract=contract, **known, **numbers))
    (source / "preprocess.cc").write_text(PREPROCESS)
    command = ("g++", "-std=c++17", "-O1", *SANITIZED.split(), "-I", source)
    succeeds(*command, source / "preprocess.cc", source / "classifier.cc", "-o", tmp_path / "preprocess")
    done = subprocess.run([tmp_path / "preprocess", *some.files], capture_output=True, check=True)
    assert hashed(done.stdout) == hashed(some.pixels.tobytes())


def test_three_commands_of_the_readme(made: Path, tmp_path: Path) -> None:
    out = Path(shutil.copytree(made, tmp_path / "out"))
    readme = (out / "cpp" / "README.md").read_text()
    commands = [line.strip() for line in readme.split("\n\n")[2].splitlines()]
    assert len(commands) == 3
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    for command in commands:
        done = succeeds("sh", "-c", command, cwd=out / "cpp", env={**os.environ, "PATH": path})
    found = json.loads((out / "golden" / "golden.json").read_text())["images"][0]["outputs"]["model_int8.tflite"]
    _, labels, _ = find_contract(out / "model_int8.tflite")
    best = int(np.fromfile(out / "golden" / found, np.float32).argmax())
    lines = done.stdout.splitlines()
    assert lines[lines.index("example.ppm") + 1].endswith(f"%  {labels[best]}")


def test_arm_processors_give_the_same_outputs(whole: Path, data: Path, run: Run, tmp_path: Path) -> None:
    programs = ("aarch64-linux-gnu-g++", "qemu-aarch64", "mmdebstrap")
    needed(all(map(shutil.which, programs)), "needs: apt install g++-aarch64-linux-gnu qemu-user mmdebstrap")
    done = run("target", "prepare", "qemu", timeout=600)
    needed(done.returncode == 0, done.stderr)
    emulated, model = sysroot.required(), whole / "model_int8.tflite"
    compiler = ("-DCMAKE_SYSTEM_NAME=Linux", "-DCMAKE_CXX_COMPILER=aarch64-linux-gnu-g++")
    foreign = built(whole, tmp_path / "arm", emulated.arm, f"-DCMAKE_CXX_FLAGS={STRICT}", *compiler)
    command = ("qemu-aarch64", "-L", emulated.debian, "-cpu", "cortex-a72", foreign)
    some = written(data, tmp_path, find_contract(model)[0], 10)
    found = answered(command, model, some.files, tmp_path)
    assert np.array_equal(found.pixels, some.pixels)
    assert np.array_equal(found.outputs, ours(model, some.pixels))


def test_format(made: Path) -> None:
    needed(shutil.which("clang-format"), "needs: apt install clang-format")
    files = [*(made / "cpp").glob("*.h"), *(made / "cpp").glob("*.cc")]
    succeeds("clang-format", "--dry-run", "--Werror", *files)


PIXELS = b"\0" * 8 * 8 * 3


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"P6\n1 1\n255\nabc", "1x1 pixels is too small (at least 8)"),
        (b"P6\n8 8\n255\n" + PIXELS[1:], "truncated, 191 of 192 bytes of pixels"),
        (b"P5\n8 8\n255\n" + PIXELS, "not a binary PPM (P6)"),
        (b"", "not a binary PPM (P6)"),
        (b"P6\n8\n", "its PPM header is damaged"),
        (b"P6\n99999999999999999999 8\n255\n", "its PPM header is damaged"),
        (b"P6\n8 8\n65535\n" + PIXELS * 2, "its pixels are not of 8 bits (its largest value is not 255)"),
        (None, "cannot be opened"),
    ],
)
def test_images_that_cannot_be_read(
    content: bytes | None, reason: str, made: Path, program: Path, tmp_path: Path
) -> None:
    image = tmp_path / "image.ppm"
    if content is not None:
        image.write_bytes(content)
    assert refused(program, made / "model_int8.tflite", image) == f"classify: {image}: {reason}"


def test_a_comment_in_an_image(made: Path, program: Path, tmp_path: Path) -> None:
    (tmp_path / "image.ppm").write_bytes(b"P6 # made by hand\n8\t8 255\n" + PIXELS)
    succeeds(program, made / "model_int8.tflite", tmp_path / "image.ppm")


def test_models_that_cannot_be_used(made: Path, program: Path, tmp_path: Path) -> None:
    image, model = made / "cpp" / "example.ppm", made / "model_int8.tflite"
    missing, cut, foreign = tmp_path / "none.tflite", tmp_path / "model_int8.tflite", tmp_path / "other.tflite"
    cut.write_bytes(model.read_bytes()[:5000])
    shutil.copy(model, foreign)
    assert refused(program, missing, image) == f"classify: {missing}: no such model"
    assert refused(program, cut, image).endswith("truncated, or of another bundle")
    assert refused(program, foreign, image).endswith("contract.h says nothing of a model of this name")
    (tmp_path / "model_int8.xml").write_bytes((made / "openvino" / "model_int8.xml").read_bytes())
    assert refused(program, tmp_path / "model_int8.xml", image).endswith("or the .bin beside it")


@pytest.mark.parametrize("count", [0, 999, 100_000])
def test_labels_of_another_number(count: int, made: Path, program: Path, tmp_path: Path) -> None:
    labels = tmp_path / "labels.txt"
    labels.write_text("".join(f"name {number}\n" for number in range(count)))
    said = refused(program, made / "model_int8.tflite", made / "cpp" / "example.ppm", "--labels", labels)
    assert said == f"classify: {labels}: {count} names for 1000 classes"


def test_labels_of_any_characters(made: Path, program: Path, tmp_path: Path) -> None:
    names = ['a "quoted", name', "%s%n\\", "猫", *(f"{number}" for number in range(997))]
    (tmp_path / "labels.txt").write_text("\r\n".join(names), encoding="utf-8", newline="")
    words = ("--labels", tmp_path / "labels.txt", "--top", 1000)
    said = succeeds(program, made / "model_int8.tflite", made / "cpp" / "example.ppm", *words).stdout
    assert {line.split("%  ")[1] for line in said.splitlines()[1:]} == set(names)


def test_options_that_make_no_sense(program: Path) -> None:
    for words in (
        [],
        ["model"],
        ["model", "image", "--top", "0"],
        ["model", "image", "--turbo", "1"],
        ["model", "--top"],
    ):
        done = subprocess.run([program, *words], capture_output=True, text=True, check=False)
        assert done.returncode == 2
        assert "usage: classify MODEL IMAGE.ppm" in done.stderr


def refused(program: Path, *words: object) -> str:
    """The one line with which the program ends, but for what LiteRT tells of itself."""
    done = subprocess.run([str(program), *map(str, words)], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    lines = [line for line in done.stderr.splitlines() if not line.startswith("INFO: ")]
    assert len(lines) == 1, done.stderr
    return lines[0]
