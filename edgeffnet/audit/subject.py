"""One of the two models an audit sets side by side."""

from __future__ import annotations

from dataclasses import dataclass

from converters.artifact import Artifact
from edgeffnet.images import Preprocessing


@dataclass(frozen=True)
class Subject:
    """A classifier as it runs on a target, and what is done to images before it.

    `file` is what the user named; `artifact` what runs (a `.keras` file runs as its float `.tflite`).
    """

    file: str
    sha256: str
    artifact: Artifact
    preprocessing: Preprocessing
    classes: int
