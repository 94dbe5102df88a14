"""Lite0 in float and int8 with its images, and faults planted into the files: what the tests of detectors share."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, cast

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from calib import graph
from converters.artifact import Artifact, Format, Input, Precision
from converters.check import Scores, log_probabilities
from edgeffnet import calibration_images, imagesets, labels
from edgeffnet.audit.scoring import Feed
from edgeffnet.audit.subject import Port, Subject
from edgeffnet.calibration_images import Selection
from edgeffnet.images import LabelledImage, Preprocessing, load
from edgeffnet.imagesets import ImageSet
from edgeffnet.production import Producer
from edgeffnet.report.quiet import quiet
from edgeffnet.targets import agent
from edgeffnet.weights import packages


@dataclass(frozen=True)
class Pair:
    """An int8 model with its reference, and the validation and calibration sets they go with."""

    int8: Subject
    reference: Subject
    validation: ImageSet
    calibration: ImageSet
    producer: Producer

    def prepared(self, **changes: Any) -> Pair:
        """Both models under a preprocessing that states something else."""
        stated = replace(self.int8.preprocessing, **changes)
        both = (replace(one, preprocessing=stated) for one in (self.int8, self.reference))
        return replace(self, int8=next(both), reference=next(both))


@cache
def lite0(data: Path) -> Pair:
    """ImageNet's Lite0, calibrated on 64 images by the recipe "fast"; made once, gone when the tests end."""
    folder = Path(tempfile.mkdtemp(prefix="edgeffnet-"))
    atexit.register(shutil.rmtree, folder, True)
    calibration = imagesets.read(data / "imagenet" / "calib.csv", labels.imagenet())
    images = calibration_images.from_set(calibration, 0, Selection(64))
    made = Producer(packages.load("lite0"), images, folder, interface="float32", recipe="fast")
    with quiet():
        artifacts = {one.artifact.precision: one.artifact for one in made.produce(("tflite",), lambda _: quiet())}
    both = {
        precision: Subject(one.path.name, precision, one, made.contract, 1000) for precision, one in artifacts.items()
    }
    validation = imagesets.read(data / "imagenet" / "eval.csv", labels.imagenet())
    return Pair(both["int8"], both["fp32"], validation, calibration, made)


def spread(images: ImageSet, count: int) -> ImageSet:
    """`count` images at even distances."""
    return replace(images, images=images.images[:: len(images.images) // count][:count])


def subject(
    path: Path, preprocessing: Preprocessing, precision: Precision, takes: Port, form: Format = "tflite"
) -> Subject:
    """A model file of 1,000 classes as a subject."""
    companions = (path.with_suffix(".bin"),) if form == "openvino" else ()
    artifact = Artifact.at(path, form, precision, cast(Input, takes.dtype), "probabilities", *companions)
    return Subject(path.name, precision, artifact, preprocessing, 1000, takes)


class Here:
    """Runs subjects over images in this process, on two threads; counts the images it ran."""

    def __init__(self) -> None:
        self.ran = 0
        self._loaded: dict[Path, list[agent.Model]] = {}

    def __call__(self, model: Subject, preprocessing: Preprocessing, images: Sequence[LabelledImage]) -> Scores:
        self.ran += len(images)
        artifact = model.artifact
        with quiet():
            loaded = self._loaded.setdefault(
                artifact.path, [agent.FORMATS[artifact.format](str(artifact.path), 1) for _ in range(2)]
            )
        pixels = Feed(model, preprocessing).prepared(np.concatenate(list(load(images, preprocessing))))
        mean, std = [*preprocessing.mean], [*preprocessing.std]

        def half(start: int) -> list[Any]:
            return [agent.scores(loaded[start], one, mean, std) for one in pixels[start::2]]

        made = np.empty((len(images), model.classes), np.float32)
        with ThreadPoolExecutor(2) as pool:
            for start, rows in enumerate(pool.map(half, range(2))):
                made[start::2] = rows
        return log_probabilities(made, artifact.output)


def edited(source: Subject, path: Path, edit: Callable[[Any], None]) -> Subject:
    """`source` with its `.tflite` (ModelT) changed by `edit`, written to `path`."""
    model = graph.read(source.artifact.path.read_bytes())
    edit(model)
    path.write_bytes(graph.write(model))
    return replace(source, file=path.name, artifact=replace(source.artifact, path=path))


def tensor(model: Any, name: str) -> Any:
    """The tensor called `name`."""
    return next(one for one in model.subgraphs[0].tensors if graph.tensor_name(one) == name)


def kernel(model: Any, name: str, place: int = 1) -> Any:
    """The kernel (or with 2 the bias) of the layer that writes the tensor called `name`."""
    main = model.subgraphs[0]
    layer = next(one for one in main.operators if graph.tensor_name(main.tensors[one.outputs[0]]) == name)
    return main.tensors[layer.inputs[place]]


def rescaled(quantized: Any, factor: float) -> None:
    """Makes a quantized tensor's scale wrong."""
    quantized.quantization.scale = [float(scale) * factor for scale in quantized.quantization.scale]


def with_metadata(mean: float, std: float) -> Callable[[Any], None]:
    """Puts TensorFlow Lite's model metadata into a file: one input, normalised by (x - mean) / std."""

    def edit(model: Any) -> None:
        builder = flatbuffers.Builder(0)

        def table(fields: dict[int, tuple[str, int]]) -> int:
            builder.StartObject(8)
            for place, (kind, value) in fields.items():
                prepend = builder.PrependUOffsetTRelativeSlot if kind == "offset" else builder.PrependUint8Slot
                prepend(place, value, 0)
            return int(builder.EndObject())

        def vector(offset: int) -> int:
            builder.StartVector(4, 1, 4)
            builder.PrependUOffsetTRelative(offset)
            return int(builder.EndVector())

        def floats(value: float) -> int:
            builder.StartVector(4, 1, 4)
            builder.PrependFloat32(value)
            return int(builder.EndVector())

        means, deviations = floats(mean), floats(std)
        normalisation = table({0: ("offset", means), 1: ("offset", deviations)})
        unit = vector(table({0: ("byte", 1), 1: ("offset", normalisation)}))
        entry = vector(table({4: ("offset", unit)}))
        builder.Finish(table({3: ("offset", vector(table({2: ("offset", entry)})))}), file_identifier=b"M001")
        buffer, metadata = schema.BufferT(), schema.MetadataT()
        buffer.data = np.frombuffer(bytes(builder.Output()), np.uint8)
        metadata.name, metadata.buffer = "TFLITE_METADATA", len(model.buffers)
        model.buffers.append(buffer)
        others = [one for one in model.metadata or [] if one.name != b"TFLITE_METADATA"]
        model.metadata = [*others, metadata]

    return edit
