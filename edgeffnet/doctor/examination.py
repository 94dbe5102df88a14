"""Every part tried: packages are imported in processes of their own, programs looked for."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import edgeffnet
from edgeffnet import devices
from edgeffnet.devices.profile import INT8_ARITHMETIC, LOCAL
from edgeffnet.doctor import versions
from edgeffnet.doctor.parts import PACKAGES_USED, PROGRAMS_USED, Package
from edgeffnet.errors import TargetError, TargetLostError
from edgeffnet.targets import agent
from edgeffnet.targets.local import LocalTarget
from edgeffnet.targets.target import Target

# The tests run on the first; the main job and `verify` were run on all, with the pinned versions.
SUPPORTED_PYTHONS = ((3, 11), (3, 12), (3, 13))
_IMPORT_SECONDS = 120.0
# Of the models of a build and what they are made from.
_NEEDED_DISK = 500e6


@dataclass(frozen=True)
class Finding:
    """A package or program: its version or place, or None and the `reason`; `install` is the line that adds it."""

    name: str
    found: str | None
    reason: str | None
    enables: str
    install: str | None
    needed: bool


@dataclass(frozen=True)
class Examination:
    """What `edgeffnet doctor` found; the main job can run where nothing `needed` is missing."""

    machine: dict[str, Any]
    packages: tuple[Finding, ...]
    programs: tuple[Finding, ...]
    warnings: tuple[str, ...]

    @property
    def missing(self) -> tuple[Finding, ...]:
        """What the main job lacks."""
        return tuple(one for one in self.packages if one.needed and one.reason is not None)

    def to_dict(self) -> dict[str, Any]:
        return {
            "edgeffnet": edgeffnet.__version__,
            "main_job": not self.missing,
            "machine": self.machine,
            "packages": [asdict(one) for one in self.packages],
            "programs": [asdict(one) for one in self.programs],
            "warnings": list(self.warnings),
        }


def examine(note: Callable[[int, int, str], None] = lambda *_: None) -> Examination:
    """Looks at this machine; `note` hears (done, of, name) before each package is imported."""
    asked = versions.required()
    with closing(LocalTarget()) as here:
        packages = []
        for index, package in enumerate(PACKAGES_USED):
            note(index, len(PACKAGES_USED), package.name)
            packages.append(_package(package, asked, here))
    programs = tuple(_program(one.name, one.enables, one.install) for one in PROGRAMS_USED)
    return Examination(_machine(), tuple(packages), programs, _warnings())


def _package(package: Package, asked: dict[str, tuple[str, str]], here: Target) -> Finding:
    version: str | None = None
    reason: str | None = None
    try:
        version = metadata.version(package.name)
    except metadata.PackageNotFoundError:
        reason = "not installed"
    if version is not None:
        reason = _broken(package, here)
        how, wanted = asked.get(package.name.lower(), (">=", "0"))
        if reason is None and versions.unmet(version, how, wanted):
            reason = f"{version} is installed, edgeffnet asks for {how}{wanted}"
    install = None if reason is None else package.install
    return Finding(package.name, version, reason, package.enables, install, package.needed)


def _broken(package: Package, here: Target) -> str | None:
    """Why an installed package cannot be imported; None where it can."""
    if not package.module:
        return None
    try:
        here.run([{"do": "probe", "module": package.module}], timeout=_IMPORT_SECONDS)
    except TargetLostError:
        return "the process that imported it was lost"
    except TargetError as error:
        return f"cannot be imported: {str(error).removeprefix(f'{here.name}: ')}"
    return None


def _program(name: str, enables: str, install: str) -> Finding:
    place = shutil.which(name)
    missing = place is None
    return Finding(name, place, "not installed" if missing else None, enables, install if missing else None, False)


def _machine() -> dict[str, Any]:
    told, device = agent.machine(), devices.load(LOCAL)
    return {
        "cpu": told["cpu"],
        "architecture": told["architecture"],
        "cores": device.cores,
        "memory_bytes": told["memory_bytes"],
        "int8": device.int8,
        "int8_said": INT8_ARITHMETIC[device.int8],
        "int8_saturates": device.int8_saturates,
        "python": platform.python_version(),
        "executable": sys.executable,
        "system": told["system"],
        "free_bytes": shutil.disk_usage(Path.cwd()).free,
    }


def _warnings() -> tuple[str, ...]:
    made = []
    if sys.version_info[:2] not in SUPPORTED_PYTHONS:
        known = ", ".join(f"{major}.{minor}" for major, minor in SUPPORTED_PYTHONS)
        made.append(f"Python {platform.python_version()} is not one that edgeffnet was tried on ({known})")
    if shutil.disk_usage(Path.cwd()).free < _NEEDED_DISK:
        made.append(f"little room: {shutil.disk_usage(Path.cwd()).free / 1e6:.0f} MB free in {Path.cwd()}")
    if not os.access(Path.cwd(), os.W_OK):
        made.append(f"{Path.cwd()} cannot be written: give --output a folder elsewhere")
    return tuple(made)
