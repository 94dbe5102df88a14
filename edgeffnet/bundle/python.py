"""python/predict.py: the int8 `.tflite` on the board itself, without edgeffnet."""

from __future__ import annotations

from edgeffnet.bundle.handover import Handover
from edgeffnet.bundle.rendering import render
from edgeffnet.errors import UsageError


def write(handover: Handover) -> tuple[str, ...]:
    """Fills `python/`; nothing has to be known of it. UsageError for a bundle without int8 `.tflite`."""
    artifact = handover.artifact("tflite", "int8")
    if artifact is None:
        raise UsageError("--bundle python: the bundle holds no int8 .tflite for it")
    folder = handover.folder / "python"
    folder.mkdir()
    text = render(
        "python/predict.py.jinja",
        contract=handover.preprocessing,
        model=artifact.path.relative_to(handover.folder).as_posix(),
        takes=artifact.input,
        returns=artifact.output,
    )
    (folder / "predict.py").write_text(text, encoding="utf-8")
    return ()
