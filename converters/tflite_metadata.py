"""What a `.tflite` classifier says of itself, in TensorFlow Lite's model metadata, for tools that read it there.

The metadata is a flatbuffer of metadata_schema.fbs 1.5.0 in a buffer of the model; the label file it names is
in a zip archive after the model. Scores are probabilities as they are, so no calibration of them is stated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from converters import flatbuffer, label_file
from converters.artifact import Input, Output
from converters.description import Description

ENTRY = "TFLITE_METADATA"

_IDENTIFIER = b"M001"
_PARSER_VERSION = "1.0.0"
# What the schema numbers: types of content, of processing and of files, colours.
_FEATURES, _IMAGE = 1, 2
_NORMALISATION = 1
_AXIS_LABELS = 2
_UNKNOWN_COLOURS, _RGB = 0, 1


def with_metadata(model: bytes, described: Description, takes: Input, returns: Output) -> bytes:
    """`model`, the bytes of a `.tflite`, with metadata and label file in place of any it had; same in, same out.

    An 8-bit input states the normalisation of the float model: its scale and zero point are the same one.
    """
    read = flatbuffer.read(model)
    entry = entry_of(read)
    if entry is None:
        entry = schema.MetadataT()
        entry.name, entry.buffer = ENTRY, len(read.buffers)
        read.buffers.append(schema.BufferT())
        read.metadata = [*(read.metadata or []), entry]
    read.buffers[entry.buffer].data = _metadata(described, takes, returns)
    return label_file.appended(flatbuffer.write(read), described.labels)


def entry_of(model: Any) -> Any:
    """The entry of the metadata in a model that was read; None where it holds none."""
    return next((one for one in model.metadata or [] if _text(one.name) == ENTRY), None)


def _metadata(described: Description, takes: Input, returns: Output) -> Any:
    import flatbuffers

    made = _Tables(flatbuffers.Builder(1024))
    size = made.table({0: _uint(described.resolution), 1: _uint(described.resolution)})
    colours = _RGB if described.channels == "RGB" else _UNKNOWN_COLOURS
    image = made.table({0: _byte(colours), 1: size})
    normalisation = made.table({0: made.floats(described.mean), 1: made.floats(described.std)})
    low, high = _ends(described, takes)
    entry = made.table(
        {
            0: made.text("image"),
            1: made.text("Pixels of the centre of an image, red first" if colours == _RGB else "Pixels, blue first"),
            3: made.table({0: _byte(_IMAGE), 1: image}),
            4: made.tables([made.table({0: _byte(_NORMALISATION), 1: normalisation})]),
            5: made.table({0: made.floats(high), 1: made.floats(low)}),
        }
    )
    classes = made.table(
        {0: made.text(label_file.NAME), 1: made.text("The class of each score, one a line"), 2: _byte(_AXIS_LABELS)}
    )
    fields = {
        0: made.text("probability" if returns == "probabilities" else "logit"),
        1: made.text("The probability of each class" if returns == "probabilities" else "The logit of each class"),
        3: made.table({0: _byte(_FEATURES), 1: made.table({})}),
        6: made.tables([classes]),
    }
    if returns == "probabilities":
        fields[5] = made.table({0: made.floats([1.0]), 1: made.floats([0.0])})
    graph = made.table({2: made.tables([entry]), 3: made.tables([made.table(fields)])})
    model = made.table(
        {
            0: made.text(described.name),
            1: made.text("An image classifier"),
            3: made.tables([graph]),
            7: made.text(_PARSER_VERSION),
        }
    )
    return made.finished(model)


def _ends(described: Description, takes: Input) -> tuple[list[float], list[float]]:
    """The least and the greatest input value: of each channel where they are normalised floats."""
    if takes != "float32":
        return ([0.0], [255.0]) if takes == "uint8" else ([-128.0], [127.0])
    pairs = list(zip(described.mean, described.std, strict=True))
    return [(0 - mean) / std for mean, std in pairs], [(255 - mean) / std for mean, std in pairs]


@dataclass(frozen=True)
class _Field:
    """A field of a table: an offset to what was written before, or a number."""

    kind: Literal["offset", "byte", "uint"]
    value: int


def _byte(value: int) -> _Field:
    return _Field("byte", value)


def _uint(value: int) -> _Field:
    return _Field("uint", value)


class _Tables:
    """Tables of a flatbuffer by the places of their fields in the schema; what they refer to comes first."""

    def __init__(self, builder: Any) -> None:
        self._builder = builder

    def text(self, value: str) -> _Field:
        return _Field("offset", self._builder.CreateString(value))

    def floats(self, values: Sequence[float]) -> _Field:
        self._builder.StartVector(4, len(values), 4)
        for value in reversed(values):
            self._builder.PrependFloat32(value)
        return _Field("offset", self._builder.EndVector())

    def tables(self, members: Sequence[_Field]) -> _Field:
        self._builder.StartVector(4, len(members), 4)
        for member in reversed(members):
            self._builder.PrependUOffsetTRelative(member.value)
        return _Field("offset", self._builder.EndVector())

    def table(self, fields: Mapping[int, _Field]) -> _Field:
        add = {
            "offset": self._builder.PrependUOffsetTRelativeSlot,
            "byte": self._builder.PrependInt8Slot,
            "uint": self._builder.PrependUint32Slot,
        }
        self._builder.StartObject(max(fields, default=-1) + 1)
        for place, field in fields.items():
            add[field.kind](place, field.value, 0)
        return _Field("offset", self._builder.EndObject())

    def finished(self, root: _Field) -> Any:
        """The bytes, as an array that a buffer of the model can hold."""
        self._builder.Finish(root.value, file_identifier=_IDENTIFIER)
        return np.frombuffer(bytes(self._builder.Output()), np.uint8)


def _text(name: bytes | str) -> str:
    return name.decode() if isinstance(name, bytes) else name
