"""What the emulated target runs in: an arm64 Debian, the interpreter for it and for this machine, the counter."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edgeffnet.errors import TargetError

# QEMU 7.2 cannot run 2.3.0; the same version runs on both sides, so that only the processor differs.
LITERT = "2.1.2"
NUMPY = "1.26.4"
_RELEASE, _PYTHON = "bookworm", "3.11"
_PACKAGES = f"python{_PYTHON}-minimal,libpython{_PYTHON}-stdlib,libstdc++6"
_PLATFORMS = ("manylinux_2_17_aarch64", "manylinux_2_27_aarch64", "manylinux_2_28_aarch64")
_SECONDS = 600.0
_TOOLS = {"qemu-aarch64": "qemu-user", "mmdebstrap": "mmdebstrap", "gcc": "gcc"}


@dataclass(frozen=True)
class Sysroot:
    """A prepared folder: `debian` is the root of the emulated files, `arm` and `here` hold packages."""

    folder: Path

    @property
    def debian(self) -> Path:
        return self.folder / "debian"

    @property
    def python(self) -> Path:
        return self.debian / "usr" / "bin" / f"python{_PYTHON}"

    @property
    def arm(self) -> Path:
        return self.folder / "arm64-packages"

    @property
    def here(self) -> Path:
        return self.folder / "own-packages"

    @property
    def counter(self) -> Path:
        return self.folder / "libinstructions.so"

    @property
    def ready(self) -> bool:
        return self.python.exists() and self.counter.exists()


def sysroot() -> Sysroot:
    """Where it lies, prepared or not; the folder's name says what is in it."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Sysroot(cache / "edgeffnet" / f"qemu-{_RELEASE}-litert{LITERT}-py{sys.version_info[0]}{sys.version_info[1]}")


def required() -> Sysroot:
    """The prepared sysroot; TargetError names what to install or run where there is none."""
    _require_tools(("qemu-aarch64",))
    found = sysroot()
    if not found.ready:
        raise TargetError("the emulated target is not prepared: run `edgeffnet target prepare qemu`")
    return found


def prepare(told: Callable[[str], None]) -> Sysroot:
    """Makes the sysroot unless it is there; `told` hears each step. It appears whole or not at all.

    Raises TargetError with the failing program's last line.
    """
    found = sysroot()
    if found.ready:
        return found
    _require_tools(tuple(_TOOLS))
    found.folder.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix="preparing-", dir=found.folder.parent))
    try:
        made = Sysroot(work / "made")
        made.folder.mkdir()
        told(f"Debian {_RELEASE} for arm64")
        _run("mmdebstrap", "--arch=arm64", "--variant=extract", f"--include={_PACKAGES}", _RELEASE, made.debian)
        told(f"ai-edge-litert {LITERT} and numpy {NUMPY} for arm64")
        wheels = [f"--platform={name}" for name in _PLATFORMS]
        _pip(made.arm, *wheels, f"--python-version={_PYTHON}", f"ai-edge-litert=={LITERT}", f"numpy=={NUMPY}")
        told(f"ai-edge-litert {LITERT} for this machine")
        _pip(made.here, f"ai-edge-litert=={LITERT}")
        told("the instruction counter")
        source = Path(__file__).with_name("instructions.c")
        _run("gcc", "-O2", "-shared", "-fPIC", "-fvisibility=hidden", "-o", made.counter, source)
        # Another process may have finished first.
        if not found.ready:
            shutil.rmtree(found.folder, ignore_errors=True)
            made.folder.rename(found.folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return found


def _pip(into: Path, *words: str) -> None:
    common = ("--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:")
    _run(sys.executable, "-m", "pip", "install", *common, f"--target={into}", *words)


def _run(*words: object) -> None:
    command = [str(word) for word in words]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_SECONDS, check=False, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired:
        raise TargetError(f"preparing qemu: {command[0]} did not finish within {_SECONDS:.0f} s") from None
    if done.returncode:
        last = next((line.strip() for line in reversed(done.stderr.splitlines()) if line.strip()), "no reason given")
        raise TargetError(f"preparing qemu: {' '.join(command[:4])} failed: {last}")


def _require_tools(names: tuple[str, ...]) -> None:
    missing = [_TOOLS[name] for name in names if not shutil.which(name)]
    if missing:
        raise TargetError(f"the emulated target needs programs that are not here: apt install {' '.join(missing)}")
