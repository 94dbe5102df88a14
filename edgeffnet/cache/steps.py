"""A producer's steps, each kept by all that made it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from converters.check import Difference
from edgeffnet.cache.makers import makers
from edgeffnet.cache.store import Cache

if TYPE_CHECKING:
    from calib.calibrate import Calibrated

_DIFFERENCE = "difference.json"


class KeptSteps:
    """Steps from `cache`, or made each time where there is none; `origin` is what all of them come from."""

    def __init__(self, cache: Cache | None, origin: Mapping[str, Any]) -> None:
        self._cache = cache
        self._origin = origin

    def bytes(self, kind: str, make: Callable[[], bytes], options: Mapping[str, Any] = MappingProxyType({})) -> bytes:
        """What `make` returns, for this origin and `options`."""
        if self._cache is None:
            return make()
        with self._entry(kind, dict(options), lambda folder: _write(folder / "made", make())) as place:
            return (place / "made").read_bytes()

    def calibrated(self, options: Mapping[str, Any], make: Callable[[], Calibrated]) -> Calibrated:
        """The calibration that `make` returns, for this origin and `options`."""
        if self._cache is None:
            return make()
        from edgeffnet.cache import calibrated

        with self._entry("calibration", options, lambda folder: calibrated.write(make(), folder)) as place:
            return calibrated.read(place)

    def checked(
        self, kind: str, options: Mapping[str, Any], into: Path, make: Callable[[Path], Difference]
    ) -> Difference:
        """The files that `make` writes into a folder, in `into`, and how they differ from what they come from."""
        if self._cache is None:
            return make(into)

        def filled(folder: Path) -> None:
            files = folder / "files"
            files.mkdir()
            found = make(files)
            (folder / _DIFFERENCE).write_text(json.dumps(asdict(found)), encoding="utf-8")

        with self._entry(kind, options, filled) as place:
            shutil.copytree(place / "files", into, dirs_exist_ok=True)
            return Difference(**json.loads((place / _DIFFERENCE).read_text(encoding="utf-8")))

    def _entry(
        self, kind: str, options: Mapping[str, Any], make: Callable[[Path], None]
    ) -> AbstractContextManager[Path]:
        assert self._cache is not None
        return self._cache.entry(kind, {**makers(), "origin": self._origin, "options": options}, make)


def _write(path: Path, data: bytes) -> None:
    path.write_bytes(data)
