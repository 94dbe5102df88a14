"""golden/: real images, the exact tensors made from them, and what each artefact returned for those."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from converters.artifact import Artifact
from edgeffnet import photographs
from edgeffnet.bundle import names
from edgeffnet.bundle.contents import artifacts_of
from edgeffnet.bundle.handover import GoldenImage
from edgeffnet.errors import DataError
from edgeffnet.images import Preprocessing
from edgeffnet.images import read as read_image
from edgeffnet.json_file import read_json
from edgeffnet.targets import agent

FOLDER = "golden"
INDEX = "golden.json"

# Small enough to travel with the code, large enough to be cropped and reduced for most networks.
_SHORT_SIDE = 320
# Left, top, right and bottom, as shares of the photograph: one wider than tall, one taller than wide.
_CROPS = ((0.21, 0.05, 0.87, 0.84), (0.3, 0.02, 0.71, 0.99))

# The largest difference in an output computed again: floats are summed in another order elsewhere, while
# LiteRT's 8-bit arithmetic gives the same bits on every processor, and only the softmax after it is in float.
_FLOAT_TOLERANCE = 1e-4
_LITERT_TOLERANCE = 1e-5
# A float sum that ends beside a rounding's edge moves by a whole 8-bit step, and all after it with it: for the
# steps that OpenVINO repeats in float, the signal-to-noise ratio of the logits in dB. On Lite0, another processor's
# instructions left 31.6 dB, the same network calibrated on other crops 12.4 dB.
_REPEATED_SNR_DB = 28.0


@dataclass(frozen=True)
class Tolerance:
    """The `largest` difference allowed in a value of an output, or the least `snr_db` of all outputs' logits."""

    largest: float | None = None
    snr_db: float | None = None

    def to_dict(self) -> dict[str, float | None]:
        return {"tolerance": self.largest, "least_snr_db": self.snr_db}


def write(bundle: Path, preprocessing: Preprocessing, artifacts: Sequence[Artifact]) -> tuple[GoldenImage, ...]:
    """Fills `bundle`/golden with four photographs and returns them; `artifacts` lie in `bundle`.

    Raises UsageError where scikit-image, which ships the photographs, is not installed.
    """
    folder = bundle / FOLDER
    folder.mkdir()
    models = {artifact: loaded(artifact) for artifact in artifacts}
    made = [_image(folder, str(number), image, preprocessing, models) for number, image in enumerate(_photographs())]
    index = {
        "images": [
            {
                "file": image.file.name,
                "pixels": {"file": image.pixels.name, "dtype": "uint8", "shape": _shape(preprocessing)},
                "normalised": {"file": image.normalised.name, "dtype": "float32", "shape": _shape(preprocessing)},
                "outputs": {_name(bundle, artifact): file.name for artifact, file in image.outputs.items()},
            }
            for image in made
        ],
        "models": {
            _name(bundle, artifact): {
                "input": artifact.input,
                "dtype": dtype_of(artifact),
                "shape": list(model.raw()[0].shape),
                "runtime": model.runtime,
                "arithmetic": "8-bit steps repeated in float" if replayed(artifact) else "the runtime's own",
                "output": artifact.output,
                **tolerance(artifact).to_dict(),
            }
            for artifact, model in models.items()
        },
        "byte_order": "little",
        "licenses": [f"{Path(one.file).name}: {one.license}" for one in photographs.HELD_OUT],
    }
    (folder / INDEX).write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")
    return tuple(made)


def read(bundle: Path) -> tuple[GoldenImage, ...]:
    """The golden images of `bundle`, with the outputs of each of its artefacts that the index names.

    DataError where there is no index or contract that can be read; the files it names may be missing.
    """
    folder, listed, artifacts = bundle / FOLDER, index(bundle), artifacts_of(bundle)
    source = str(folder / INDEX)
    if not listed.get("images"):
        raise DataError(f"{source}: names no image")
    try:
        return tuple(
            GoldenImage(
                file=names.plain(folder, entry["file"], source),
                pixels=names.plain(folder, entry["pixels"]["file"], source),
                normalised=names.plain(folder, entry["normalised"]["file"], source),
                outputs={
                    artifact: names.plain(folder, entry["outputs"][name], source)
                    for artifact in artifacts
                    if (name := _name(bundle, artifact)) in entry["outputs"]
                },
            )
            for entry in listed["images"]
        )
    except (KeyError, TypeError) as error:
        raise DataError(f"{source}: not an index of golden images ({error})") from None


def index(bundle: Path) -> dict[str, Any]:
    """golden.json as it is; DataError where there is none."""
    path = bundle / FOLDER / INDEX
    try:
        found = read_json(path)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; `edgeffnet bundle` adds golden images to an older bundle") from None
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read ({error})") from None
    if not isinstance(found, dict):
        raise DataError(f"{path}: not an index of golden images")
    return found


def loaded(artifact: Artifact) -> agent.Model:
    """The artefact in its runtime, one thread, so that every machine should compute the same."""
    if replayed(artifact):
        return agent.OpenVINOModel(str(artifact.path), 1, replayed=True)
    return agent.FORMATS[artifact.format](str(artifact.path), 1)


def replayed(artifact: Artifact) -> bool:
    """Whether its 8-bit arithmetic is repeated in float: OpenVINO's own differs between processors."""
    return artifact.format == "openvino" and artifact.precision == "int8"


def output(model: agent.Model, pixels: NDArray[np.uint8], preprocessing: Preprocessing) -> NDArray[Any]:
    """What `model` returns for uint8 pixels (h, w, 3), as it returns it: float32 or int8 (classes,)."""
    agent.scores(model, pixels, [*preprocessing.mean], [*preprocessing.std])
    found: NDArray[Any] = model.raw()[0]
    return found


def dtype_of(artifact: Artifact) -> str:
    """The type of the artefact's output: int8 where its input is."""
    return "int8" if artifact.input == "int8" else "float32"


def storage_of(artifact: Artifact) -> str:
    """The same as numpy writes it, with its byte order."""
    return "i1" if dtype_of(artifact) == "int8" else "<f4"


def tolerance(artifact: Artifact) -> Tolerance:
    """How far from the golden outputs the artefact's may lie when they are computed again."""
    if artifact.precision == "fp32":
        return Tolerance(largest=_FLOAT_TOLERANCE)
    if replayed(artifact):
        return Tolerance(snr_db=_REPEATED_SNR_DB)
    return Tolerance(largest=0 if artifact.input == "int8" else _LITERT_TOLERANCE)


def _image(
    folder: Path, name: str, image: Image.Image, preprocessing: Preprocessing, models: dict[Artifact, agent.Model]
) -> GoldenImage:
    file = folder / f"{name}.png"
    image.save(file)
    pixels = preprocessing.pixels(read_image(file))
    return GoldenImage(
        file=file,
        pixels=_tensor(folder / f"{name}.pixels.bin", pixels, "u1"),
        normalised=_tensor(folder / f"{name}.normalised.bin", preprocessing.normalise(pixels), "<f4"),
        outputs={
            artifact: _tensor(
                folder / f"{name}.{artifact.path.name}.bin",
                output(model, pixels, preprocessing),
                storage_of(artifact),
            )
            for artifact, model in models.items()
        },
    )


def _photographs() -> list[Image.Image]:
    whole = [read_image(photographs.path_of(photograph)) for photograph in photographs.HELD_OUT]
    crops = [_cropped(image, shares) for image, shares in zip(whole, _CROPS, strict=True)]
    return [_reduced(image) for image in (*whole, *crops)]


def _cropped(image: Image.Image, shares: tuple[float, float, float, float]) -> Image.Image:
    left, top, right, bottom = shares
    corner = (round(left * image.width), round(top * image.height))
    return image.crop((*corner, round(right * image.width), round(bottom * image.height)))


def _reduced(image: Image.Image) -> Image.Image:
    ratio = _SHORT_SIDE / min(image.size)
    if ratio >= 1:
        return image
    return image.resize((round(image.width * ratio), round(image.height * ratio)), Image.Resampling.LANCZOS)


def _tensor(path: Path, values: NDArray[Any], dtype: str) -> Path:
    path.write_bytes(np.ascontiguousarray(values, dtype).tobytes())
    return path


def _shape(preprocessing: Preprocessing) -> list[int]:
    return [preprocessing.resolution, preprocessing.resolution, 3]


def _name(bundle: Path, artifact: Artifact) -> str:
    return artifact.path.relative_to(bundle).as_posix()
