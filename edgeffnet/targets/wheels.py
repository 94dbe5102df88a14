"""Which interpreter a board can install: the wheels that exist, and the line that adds one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

Version = tuple[int, int]


@dataclass(frozen=True)
class Wheel:
    """A package as the index has it for these machines, Python `first` to `last`, and a glibc at least."""

    packages: tuple[str, ...]
    architectures: tuple[str, ...]
    first: Version
    last: Version
    glibc: Version


# Best first. tflite-runtime 2.14 is the last one, and crashes with numpy 2.
_WHEELS = (
    Wheel(("numpy", "ai-edge-litert"), ("aarch64", "x86_64"), (3, 9), (3, 14), (2, 27)),
    Wheel(("numpy<2", "tflite-runtime==2.14.0"), ("x86_64",), (3, 8), (3, 11), (2, 17)),
    Wheel(("numpy<2", "tflite-runtime==2.14.0"), ("aarch64", "armv7l"), (3, 8), (3, 11), (2, 34)),
    Wheel(("numpy<2", "tflite-runtime==2.13.0"), ("aarch64", "armv7l"), (3, 8), (3, 10), (2, 17)),
)


def wheel_for(machine: dict[str, Any]) -> Wheel | None:
    """The best interpreter's wheel for a machine as the agent tells of it; None where none exists."""
    major, minor, *_ = (int(part) for part in machine["python"].split("."))
    glibc = re.fullmatch(r"glibc-(\d+)\.(\d+).*", machine["libc"])
    if glibc is None:
        return None
    libc = (int(glibc[1]), int(glibc[2]))
    kind = _architecture(machine)
    return next(
        (
            wheel
            for wheel in _WHEELS
            if kind in wheel.architectures and wheel.first <= (major, minor) <= wheel.last and libc >= wheel.glibc
        ),
        None,
    )


def install_line(machine: dict[str, Any]) -> str | None:
    """What installs an interpreter there; None where no wheel of one exists for it.

    Debian's own Python takes no packages from pip, and a 32-bit one finds no numpy wheel in the
    index: it gets an environment, to be named with ?python=, with Debian's numpy below it.
    """
    wheel = wheel_for(machine)
    if wheel is None:
        return None
    packages = " ".join(f"'{package}'" if "<" in package else package for package in wheel.packages)
    python, place = machine["executable"], f"{machine['home']}/edgeffnet"
    debian = python.startswith("/usr/bin/")
    if machine["pointer_bits"] == 32 and debian:
        return (
            f"sudo apt install -y python3-venv python3-numpy && {python} -m venv --system-site-packages {place} && "
            f"{place}/bin/python -m pip install {packages}"
        )
    if machine["managed"]:
        return f"{python} -m venv {place} && {place}/bin/python -m pip install {packages}"
    return f"{python} -m pip install {packages}"


def needs_environment(machine: dict[str, Any]) -> bool:
    """Whether the line makes an environment, whose Python is another than the one that was asked."""
    return " -m venv " in (install_line(machine) or "")


def _architecture(machine: dict[str, Any]) -> str:
    """A 32-bit Python on a 64-bit kernel takes 32-bit wheels; ARMv6 takes none."""
    kind = str(machine["architecture"])
    if machine["pointer_bits"] == 32:
        return "armv7l" if kind.startswith("armv7") or kind in ("armv8l", "aarch64") else f"{kind} (32 bit)"
    return "aarch64" if kind == "arm64" else kind
