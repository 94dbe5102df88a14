"""The normalisation that a `.tflite` file states of itself, in TensorFlow Lite's model metadata."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from edgeffnet.images import Preprocessing

# Places of the fields in the tables of metadata_schema.fbs, and the kind of its normalisation units.
_SUBGRAPHS = 3
_INPUTS = 2
_PROCESS_UNITS = 4
_OPTIONS_TYPE, _OPTIONS = 0, 1
_NORMALISATION = 1
_MEAN, _STD = 0, 1


def stated(path: Path, used: Preprocessing) -> Preprocessing | None:
    """`used` with the mean and deviation in the file's metadata; None where it states none that can be read.

    Metadata hold float32: where those are `used`'s values so rounded, the result equals `used`.
    """
    from calib import graph
    from converters.tflite_metadata import entry_of

    model = graph.read(path.read_bytes())
    entry = entry_of(model)
    if entry is None:
        return None
    try:
        found = _normalisation(bytes(model.buffers[entry.buffer].data))
    except (struct.error, IndexError, TypeError, ValueError):
        return None
    if found is None:
        return None
    mean, std = ((values * 3)[:3] if len(values) == 1 else values for values in found)
    if len(mean) != 3 or len(std) != 3 or min(std) <= 0:
        return None
    if mean == _as_float32(used.mean) and std == _as_float32(used.std):
        return used
    return replace(used, mean=(mean[0], mean[1], mean[2]), std=(std[0], std[1], std[2]))


def _as_float32(values: Iterable[float]) -> list[float]:
    return [float(np.float32(value)) for value in values]


def _normalisation(data: bytes) -> tuple[list[float], list[float]] | None:
    """Mean and deviation of the first input's normalisation unit."""
    from flatbuffers import encode, packer
    from flatbuffers.table import Table

    root = Table(data, encode.Get(packer.uoffset, data, 0))
    for subgraph in _tables(root, _SUBGRAPHS)[:1]:
        for entry in _tables(subgraph, _INPUTS)[:1]:
            for unit in _tables(entry, _PROCESS_UNITS):
                place = unit.Offset(_slot(_OPTIONS_TYPE))
                if place and data[unit.Pos + place] == _NORMALISATION:
                    place = unit.Offset(_slot(_OPTIONS))
                    options = Table(data, unit.Indirect(unit.Pos + place))
                    return _floats(options, _MEAN), _floats(options, _STD)
    return None


def _slot(field: int) -> int:
    """Where a table's field stands in its list of offsets."""
    return 4 + 2 * field


def _tables(table: Any, field: int) -> list[Any]:
    from flatbuffers.table import Table

    place = table.Offset(_slot(field))
    if not place:
        return []
    start = table.Vector(place)
    return [Table(table.Bytes, table.Indirect(start + 4 * index)) for index in range(table.VectorLen(place))]


def _floats(table: Any, field: int) -> list[float]:
    place = table.Offset(_slot(field))
    if not place:
        return []
    return list(struct.unpack_from(f"<{table.VectorLen(place)}f", table.Bytes, table.Vector(place)))
