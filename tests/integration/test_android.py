"""The Android module compiled, and its preprocessing run on the JVM against ours."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from edgeffnet import imagesets, labels, photographs
from edgeffnet.bundle import android, golden
from edgeffnet.bundle.contents import find_contract
from edgeffnet.bundle.handover import Handover
from edgeffnet.images import Preprocessing, read
from edgeffnet.targets import agent
from tests.integration.conftest import needed
from tests.integration.kotlin import Kotlin

HERE = Path(__file__).parent / "android"
MODELS = ("model_int8.tflite", "model_fp32.tflite")
LABELS = {
    "awkward": ("a, b", 'quoted "name"', "$dollar ${brace} \\n", "crème brûlée 焼き", "", " spaced "),
    "none": (),
    "many": tuple(f"class {index}" for index in range(100_000)),
}
ODD = Preprocessing(97, 0.9, "lanczos", (123.675, 116.28, 103.53), (58.395, 57.12, 57.375), "BGR")
LOGITS = (701.5, 703.0, 707.0, 706.0, 703.0)
# Reduced and enlarged, cropped and whole, by each way of resizing.
GEOMETRIES = [
    (resolution, crop, interpolation)
    for interpolation in ("bicubic", "bilinear", "nearest", "lanczos")
    for resolution, crop in ((64, 1.0), (240, 240 / 272), (701, 0.31))
]


@dataclass(frozen=True)
class Replayed:
    """A module, and the folder of what the JVM made with its code: a file's name is the job's, and a tensor's kind."""

    handover: Handover
    output: Path
    said: str

    def pixels(self, job: str, resolution: int) -> NDArray[np.uint8]:
        return np.fromfile(self.output / f"{job}.pixels", np.uint8).reshape(resolution, resolution, 3)

    def tensor(self, job: str, takes: str) -> NDArray[np.generic]:
        return np.fromfile(self.output / f"{job}.{takes}", np.dtype(takes).newbyteorder("<"))


@pytest.fixture(scope="module")
def kotlin() -> Kotlin:
    """The Kotlin tools; in CI they must be there."""
    found = Kotlin()
    needed(not found.missing, f"no Kotlin tools: {', '.join(found.missing)}; .ci/run installs them")
    return found


@pytest.fixture(scope="module")
def handover(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Handover:
    """The module of the bundle's TFLite models, in a folder of its own."""
    folder = tmp_path_factory.mktemp("handover")
    for name in ("labels.txt", "preprocessing.json", *MODELS):
        shutil.copyfile(bundle / name, folder / name)
    found = [find_contract(folder / name) for name in MODELS]
    preprocessing, names, _ = found[0]
    models = tuple(artifact for _, _, artifact in found)
    made = Handover(folder, preprocessing, names, models, golden.write(folder, preprocessing, models))
    assert android.write(made) == ()
    return made


@pytest.fixture(scope="module")
def images(data: Path) -> list[Path]:
    """100 real images, of as many classes."""
    found = imagesets.read(data / "imagenet" / "eval.csv", labels.imagenet()).images
    return [image.path for image in found[:: len(found) // 100][:100]]


@pytest.fixture(scope="module")
def large() -> Image.Image:
    """A photograph beside noise: wider than tall, with an odd number of pixels."""
    photograph = read(photographs.path_of(photographs.HELD_OUT[1]))
    noise = np.random.default_rng(0).integers(0, 256, (photograph.height, 512, 3), np.uint8)
    return Image.fromarray(np.concatenate([np.asarray(photograph), noise], axis=1)[:-2])


@pytest.fixture(scope="module")
def translucent() -> NDArray[np.uint8]:
    """(256, 256, 4): every red under every alpha."""
    column, row = np.meshgrid(np.arange(256), np.arange(256))
    return np.stack([column, column[:, ::-1], column ^ row, row], axis=-1).astype(np.uint8)


@pytest.fixture(scope="module")
def replayed(
    kotlin: Kotlin,
    handover: Handover,
    images: list[Path],
    large: Image.Image,
    translucent: NDArray[np.uint8],
    tmp_path_factory: pytest.TempPathFactory,
) -> Replayed:
    """One compilation of everything, and one run of the JVM."""
    work = tmp_path_factory.mktemp("replay")
    inputs, output = work / "inputs", work / "output"
    inputs.mkdir()
    output.mkdir()
    module = handover.folder / "android"
    sources = [module / "src" / part / "kotlin" for part in ("main", "test", "androidTest")]
    said = kotlin.compile([*sources, _odd_contract(handover, inputs), HERE / "Replay.kt", HERE / "stubs"], work / "out")
    assert not said, said
    argb = _saved(inputs / "translucent.argb", np.roll(translucent, 1, axis=-1))
    jobs = [
        *_image_jobs(images, large, inputs, output),
        *_label_jobs(handover, inputs, output),
        ("best", _saved(inputs / "logits", np.array(LOGITS, ">f4")), output / "best"),
        ("contract", argb, output / "translucent", 256, 1.0, "NEAREST"),
    ]
    (work / "jobs").write_text("".join("\t".join(map(str, job)) + "\n" for job in jobs))
    found = kotlin.run("edgeffnet.classifier.ReplayKt", [work / "out", module / "test-data"], work / "jobs")
    assert found.returncode == 0, found.stdout + found.stderr
    return Replayed(handover, output, found.stdout)


def test_the_modules_own_test_passes_on_the_golden_images(replayed: Replayed) -> None:
    assert replayed.said.splitlines()[-1] == "ran 2 tests, 0 failed"


def test_100_real_images_become_the_same_pixels(replayed: Replayed, images: list[Path]) -> None:
    contract = replayed.handover.preprocessing
    for index, image in enumerate(images):
        made = replayed.pixels(f"image{index}", contract.resolution)
        np.testing.assert_array_equal(made, contract.pixels(read(image)), str(image))


@pytest.mark.parametrize("name", MODELS)
def test_100_real_images_get_the_same_class(replayed: Replayed, images: list[Path], name: str) -> None:
    from ai_edge_litert.interpreter import Interpreter

    (model,) = (one for one in replayed.handover.artifacts if one.path.name == name)
    contract = replayed.handover.preprocessing
    ours = agent.FORMATS["tflite"](str(model.path), 1)
    fed = Interpreter(str(model.path), num_threads=1)
    fed.allocate_tensors()
    (takes,), (gives,) = fed.get_input_details(), fed.get_output_details()
    for index, image in enumerate(images):
        fed.set_tensor(takes["index"], replayed.tensor(f"image{index}", model.input).reshape(takes["shape"]))
        fed.invoke()
        expected = agent.scores(ours, contract.pixels(read(image)), [*contract.mean], [*contract.std])
        assert fed.get_tensor(gives["index"]).argmax() == expected.argmax(), str(image)


@pytest.mark.parametrize("shape", ["wide", "tall"])
@pytest.mark.parametrize(("resolution", "crop", "interpolation"), GEOMETRIES)
def test_every_resizing_is_ours_to_the_bit(
    replayed: Replayed, large: Image.Image, resolution: int, crop: float, interpolation: str, shape: str
) -> None:
    contract = Preprocessing(resolution, crop, interpolation, (0.0,) * 3, (1.0,) * 3)  # type: ignore[arg-type]
    made = replayed.pixels(f"{shape}-{interpolation}{resolution}", resolution)
    np.testing.assert_array_equal(made, contract.pixels(_shaped(large, shape)))


def test_channels_in_another_order_are_normalised_as_ours(replayed: Replayed, large: Image.Image) -> None:
    pixels = ODD.pixels(_shaped(large, "tall"))
    np.testing.assert_array_equal(replayed.pixels("odd", ODD.resolution), pixels)
    np.testing.assert_array_equal(replayed.tensor("odd", "uint8"), pixels.ravel())
    np.testing.assert_array_equal(replayed.tensor("odd", "int8"), (pixels.astype(int) - 128).ravel())
    np.testing.assert_array_equal(replayed.tensor("odd", "float32"), ODD.normalise(pixels).ravel())


def test_transparency_is_laid_on_white(replayed: Replayed, translucent: NDArray[np.uint8], tmp_path: Path) -> None:
    Image.fromarray(translucent).save(tmp_path / "translucent.png")
    np.testing.assert_array_equal(replayed.pixels("translucent", 256), np.asarray(read(tmp_path / "translucent.png")))


@pytest.mark.parametrize("name", LABELS)
def test_labels_are_read_back_as_they_were(replayed: Replayed, name: str) -> None:
    text = (replayed.output / f"labels-{name}").read_bytes().decode()
    assert tuple(text.split("\0") if text else ()) == LABELS[name]


def test_the_best_classes_come_first_with_labels_where_there_are_any(replayed: Replayed) -> None:
    rows = [line.split("\t") for line in (replayed.output / "best").read_text().splitlines()]
    assert [row[:2] for row in rows] == [["2", "class 2"], ["3", "class 3"], ["1", "second"]]
    powers = np.exp(np.array(LOGITS) - max(LOGITS))
    np.testing.assert_allclose([float(row[2]) for row in rows], (powers / powers.sum())[[2, 3, 1]], rtol=1e-6)


def test_the_kotlin_is_in_the_official_style(kotlin: Kotlin, handover: Handover) -> None:
    assert kotlin.lint(handover.folder / "android", HERE) == ""


def _odd_contract(handover: Handover, folder: Path) -> Path:
    """A second Contract.kt, of a package of its own: integers throughout, another order and uneven normalisation."""
    (int8,) = (replace(one, input="int8", output="logits") for one in handover.artifacts if one.precision == "int8")
    other = folder / "odd"
    shutil.copytree(handover.folder, other, ignore=shutil.ignore_patterns("android", "golden"))
    android.write(Handover(other, ODD, handover.labels, (int8,), ()))
    code = (other / "android/src/main/kotlin/edgeffnet/classifier/Contract.kt").read_text()
    path = folder / "Odd.kt"
    path.write_text(code.replace("package edgeffnet.classifier", "package odd\n\nimport edgeffnet.classifier.*"))
    return path


def _image_jobs(images: list[Path], large: Image.Image, inputs: Path, output: Path) -> Iterator[tuple[object, ...]]:
    for index, image in enumerate(images):
        read(image).save(inputs / f"{index}.ppm")
        yield "image", inputs / f"{index}.ppm", output / f"image{index}"
    for shape in ("wide", "tall"):
        path = inputs / f"{shape}.ppm"
        _shaped(large, shape).save(path)
        for resolution, crop, interpolation in GEOMETRIES:
            job = output / f"{shape}-{interpolation}{resolution}"
            yield "contract", path, job, resolution, crop, interpolation.upper()
    yield "odd", path, output / "odd"


def _label_jobs(handover: Handover, inputs: Path, output: Path) -> Iterator[tuple[object, ...]]:
    for name, names in LABELS.items():
        folder = inputs / f"labels-{name}"
        android.write(replace(handover, folder=folder, labels=names, golden=()))
        yield "labels", folder / "android/src/main/assets/edgeffnet/labels.txt", output / f"labels-{name}"


def _shaped(image: Image.Image, shape: str) -> Image.Image:
    return image.transpose(Image.Transpose.ROTATE_90) if shape == "tall" else image


def _saved(path: Path, values: NDArray[np.generic]) -> Path:
    path.write_bytes(values.tobytes())
    return path
