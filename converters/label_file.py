"""The label file that a `.tflite` carries in a zip archive after the model."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence

NAME = "labels.txt"

# Of a million names: what claims to unpack to more is none.
_LARGEST = 1 << 26
# Before this day a zip archive knows no time.
_NO_TIME = (1980, 1, 1, 0, 0, 0)


def as_text(labels: Sequence[str]) -> str:
    """What a label file holds: the names in the order of the output, one a line."""
    return "".join(f"{name}\n" for name in labels)


def appended(model: bytes, labels: Sequence[str]) -> bytes:
    """`model` with its labels, one a line, in an archive behind it; the same in, the same out."""
    held = io.BytesIO(model)
    with zipfile.ZipFile(held, "a") as archive:
        entry = zipfile.ZipInfo(NAME, _NO_TIME)
        entry.create_system, entry.external_attr = 3, 0o644 << 16
        archive.writestr(entry, as_text(labels))
    return held.getvalue()


def labels_in(model: bytes) -> tuple[str, ...] | None:
    """The names in the label file behind the model; None where it carries none that can be read."""
    try:
        with zipfile.ZipFile(io.BytesIO(model)) as archive:
            if archive.getinfo(NAME).file_size > _LARGEST:
                return None
            text = archive.read(NAME).decode("utf-8")
    except Exception:  # a damaged archive raises whatever its bytes lead to
        return None
    return tuple(text.removesuffix("\n").split("\n")) if text else ()
