"""What a bundle was asked for: every option of the command that made it, as its manifest holds them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, is_dataclass
from pathlib import Path
from typing import Any

# Options that add to a bundle and change nothing else in it.
_ADDING = ("parts",)


@dataclass(frozen=True)
class Asked:
    """`command` is "build" or "quantize"; `options` are its arguments in plain data, the output left out."""

    command: str
    options: Mapping[str, Any]

    @classmethod
    def of(cls, command: str, options: Mapping[str, Any]) -> Asked:
        """The same of arguments as they are: paths as they were given, dataclasses by their fields."""
        return cls(command, {name: _plain(value) for name, value in options.items()})

    @classmethod
    def from_manifest(cls, manifest: Mapping[str, Any]) -> Asked | None:
        """What made the bundle of that manifest; None where it does not tell, as older ones did not."""
        found = manifest.get("request")
        if not isinstance(found, dict) or not isinstance(found.get("options"), dict):
            return None
        return cls(str(found.get("command")), found["options"])

    def makes_the_same_as(self, other: Asked) -> bool:
        """Whether both ask for the same artefacts."""
        return self.command == other.command and self._decisive == other._decisive

    @property
    def _decisive(self) -> dict[str, Any]:
        return {name: value for name, value in self.options.items() if name not in _ADDING}

    def with_parts(self, parts: Sequence[str]) -> Asked:
        """The same with `parts` added."""
        return Asked(self.command, {**self.options, "parts": sorted({*self.options.get("parts", ()), *parts})})

    def to_dict(self) -> dict[str, Any]:
        return {"command": self.command, "options": dict(self.options)}


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value))
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
