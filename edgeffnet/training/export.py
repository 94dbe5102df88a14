"""Trained weights as files: a `.keras` model and a `.safetensors`, each with a statement of what it is."""

from __future__ import annotations

import io
import json
import os
import tempfile
import zipfile
from pathlib import Path

from edgeffnet import network
from edgeffnet.network import Tensors
from edgeffnet.weights.statement import KEY, MEMBER, Statement
from edgeffnet.whole_file import write_whole

SUFFIXES = (".keras", ".safetensors")
# Archives hold no time, so that the same weights are the same bytes.
_NO_TIME = (1980, 1, 1, 0, 0, 0)


def write(path: Path, tensors: Tensors, stated: Statement) -> None:
    """Writes `tensors` as `path`, in the format of its suffix; there whole or not at all. Raises OSError."""
    data = _keras(tensors, stated) if path.suffix == ".keras" else _safetensors(tensors, stated)
    write_whole(path, data)


def _safetensors(tensors: Tensors, stated: Statement) -> bytes:
    from safetensors.numpy import save

    data: bytes = save(dict(tensors), {KEY: stated.to_json()})
    return data


def _keras(tensors: Tensors, stated: Statement) -> bytes:
    """A model of normalised images (1, h, w, 3) that ends in probabilities, batch-norms unfolded."""
    model = network.build(stated.architecture, output="probabilities")
    network.assign(model, tensors)
    number, name = tempfile.mkstemp(suffix=".keras")
    os.close(number)
    saved = Path(name)
    try:
        model.save(saved)
        return _settled(saved, stated)
    finally:
        saved.unlink()


def _settled(saved: Path, stated: Statement) -> bytes:
    """The archive with the statement added, and without the time at which it was saved."""
    content = io.BytesIO()
    with zipfile.ZipFile(saved) as archive, zipfile.ZipFile(content, "w") as made:
        for entry in archive.infolist():
            data = archive.read(entry)
            if entry.filename == "metadata.json":
                told = json.loads(data)
                data = json.dumps({key: value for key, value in told.items() if key != "date_saved"}).encode()
            made.writestr(zipfile.ZipInfo(entry.filename, _NO_TIME), data)
        made.writestr(zipfile.ZipInfo(MEMBER, _NO_TIME), stated.to_json())
    return content.getvalue()
