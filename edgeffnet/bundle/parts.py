"""The parts of a bundle that integrators take away, by the names `--bundle` knows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module

from edgeffnet.bundle.handover import Handover
from edgeffnet.errors import UsageError

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
    """UsageError for a part that there is not."""
    unknown = [name for name in asked if name not in PARTS]
    if unknown:
        raise UsageError(f"{option}: there is no part {', '.join(unknown)}; choose from {', '.join(PARTS)}")


def write(handover: Handover, asked: Sequence[str]) -> tuple[str, ...]:
    """Writes the parts `asked` into the bundle; what has to be known of them."""
    return tuple(note for name in asked for note in PARTS[name](handover))
