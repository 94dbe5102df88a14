"""The parts of a bundle that integrators take away, by the names `--bundle` knows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path

from converters.artifact import Artifact
from edgeffnet import micro
from edgeffnet.bundle import golden
from edgeffnet.bundle.handover import Handover
from edgeffnet.devices import Device
from edgeffnet.errors import UsageError
from edgeffnet.images import Preprocessing

Writer = Callable[[Handover], tuple[str, ...]]


def _writer(name: str) -> Writer:
    def write(handover: Handover) -> tuple[str, ...]:
        notes: tuple[str, ...] = import_module(f"edgeffnet.bundle.{name}").write(handover)
        return notes

    return write


# Each fills the folder of its name in the bundle, and returns what has to be known of it.
PARTS: dict[str, Writer] = {name: _writer(name) for name in ("android", "cpp", "mcu", "python")}


def names(text: str, option: str) -> tuple[str, ...]:
    """ "cpp, python" -> the parts named, each once; UsageError names an unknown one, and those there are."""
    asked = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    require_known(asked, option)
    return asked


def require_known(asked: Sequence[str], option: str) -> None:
    """UsageError for a part that there is not, and before any work for one that cannot be made here."""
    unknown = [name for name in asked if name not in PARTS]
    if unknown:
        raise UsageError(f"{option}: there is no part {', '.join(unknown)}; choose from {', '.join(PARTS)}")
    if "mcu" in asked:
        micro.require()


def hand_over(
    folder: Path,
    preprocessing: Preprocessing,
    labels: Sequence[str],
    artifacts: Sequence[Artifact],
    asked: Sequence[str],
    device: Device | None = None,
) -> tuple[str, ...]:
    """Writes golden images and the parts `asked` into the bundle `folder`; what has to be known of them."""
    images = golden.write(folder, preprocessing, artifacts)
    return write(Handover(folder, preprocessing, tuple(labels), tuple(artifacts), images, device), asked)


def write(handover: Handover, asked: Sequence[str]) -> tuple[str, ...]:
    """Writes the parts `asked` into the bundle; what has to be known of them."""
    return tuple(note for name in asked for note in PARTS[name](handover))
