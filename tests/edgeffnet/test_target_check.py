"""The line that installs an interpreter, by board: what wheels exist for it."""

from __future__ import annotations

import pytest

from edgeffnet.targets.wheels import install_line

LITERT = "numpy ai-edge-litert"
LAST = "'numpy<2' tflite-runtime==2.14.0"
BEFORE = "'numpy<2' tflite-runtime==2.13.0"


@pytest.mark.parametrize(
    ("architecture", "bits", "python", "glibc", "installs"),
    [
        ("aarch64", 64, "3.11.2", "2.36", LITERT),
        ("aarch64", 64, "3.13.5", "2.41", LITERT),
        ("aarch64", 64, "3.9.2", "2.31", LITERT),
        ("aarch64", 64, "3.8.10", "2.31", BEFORE),
        ("aarch64", 64, "3.8.10", "2.35", LAST),
        ("aarch64", 32, "3.11.2", "2.36", LAST),
        ("armv7l", 32, "3.11.2", "2.36", LAST),
        ("armv7l", 32, "3.9.2", "2.31", BEFORE),
        ("armv7l", 32, "3.11.2", "2.31", None),
        ("armv7l", 32, "3.13.5", "2.41", None),
        ("armv6l", 32, "3.11.2", "2.36", None),
        ("x86_64", 64, "3.8.10", "2.31", LAST),
        ("aarch64", 64, "3.7.3", "2.28", None),
        ("riscv64", 64, "3.12.0", "2.39", None),
        ("aarch64", 64, "3.11.2", "", None),
    ],
    ids=[
        "Pi OS 12",
        "Pi OS 13",
        "Pi OS 11",
        "Ubuntu 20.04 on a Jetson",
        "old Python, new system",
        "32-bit user space",
        "32-bit Pi OS 12",
        "32-bit Pi OS 11",
        "new Python, old system",
        "32-bit Pi OS 13",
        "Pi Zero",
        "old PC",
        "Pi OS 10",
        "RISC-V",
        "musl",
    ],
)
def test_the_line_fits_the_board(architecture: str, bits: int, python: str, glibc: str, installs: str | None) -> None:
    line = install_line(board(architecture, bits, python, glibc))
    assert line == (installs and f"/opt/python/bin/python3 -m pip install {installs}")


def board(architecture: str, bits: int, python: str, glibc: str, **more: object) -> dict[str, object]:
    """What the agent would tell of a machine."""
    told = {"architecture": architecture, "pointer_bits": bits, "python": python}
    libc = f"glibc-{glibc}" if glibc else "-"
    found = {"libc": libc, "executable": "/opt/python/bin/python3", "managed": False, "home": "/home/pi"}
    return {**told, **found, **more}


def test_debians_own_python_gets_an_environment() -> None:
    line = install_line(board("aarch64", 64, "3.11.2", "2.36", executable="/usr/bin/python3", managed=True))
    assert line == (
        "/usr/bin/python3 -m venv /home/pi/edgeffnet && "
        "/home/pi/edgeffnet/bin/python -m pip install numpy ai-edge-litert"
    )


def test_32_bit_pi_os_takes_debians_numpy() -> None:
    """The index has no numpy wheel for 32-bit ARM; building one takes hours there."""
    line = install_line(board("armv7l", 32, "3.11.2", "2.36", executable="/usr/bin/python3", managed=True))
    assert line == (
        "sudo apt install -y python3-venv python3-numpy && "
        "/usr/bin/python3 -m venv --system-site-packages /home/pi/edgeffnet && "
        "/home/pi/edgeffnet/bin/python -m pip install 'numpy<2' tflite-runtime==2.14.0"
    )
