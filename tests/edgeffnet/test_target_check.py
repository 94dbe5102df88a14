"""The line that installs an interpreter, by board: what wheels exist for it."""

from __future__ import annotations

import pytest

from edgeffnet.targets.check import install_line


@pytest.mark.parametrize(
    ("architecture", "bits", "python", "installs"),
    [
        ("aarch64", 64, "3.11.2", "numpy ai-edge-litert"),
        ("aarch64", 64, "3.13.5", "numpy ai-edge-litert"),
        ("aarch64", 64, "3.9.2", "'numpy<2' tflite-runtime==2.14.0"),
        ("aarch64", 32, "3.11.2", "'numpy<2' tflite-runtime==2.14.0"),
        ("armv7l", 32, "3.11.2", "'numpy<2' tflite-runtime==2.14.0"),
        ("armv7l", 32, "3.13.5", None),
        ("armv6l", 32, "3.11.2", None),
        ("aarch64", 64, "3.7.3", None),
        ("riscv64", 64, "3.12.0", None),
    ],
    ids=[
        "Pi OS 12",
        "Pi OS 13",
        "Pi OS 11",
        "32-bit user space",
        "32-bit Pi OS",
        "32-bit Pi OS 13",
        "Pi Zero",
        "old",
        "RISC-V",
    ],
)
def test_the_line_fits_the_board(architecture: str, bits: int, python: str, installs: str | None) -> None:
    line = install_line(
        {
            "architecture": architecture,
            "pointer_bits": bits,
            "python": python,
            "executable": "/usr/bin/python3",
            "managed": False,
        }
    )
    assert line == (installs and f"/usr/bin/python3 -m pip install {installs}")


def test_debians_own_python_gets_an_environment() -> None:
    board = {"architecture": "aarch64", "pointer_bits": 64, "python": "3.11.2", "executable": "/usr/bin/python3"}
    line = install_line({**board, "managed": True, "home": "/home/pi"})
    assert line == (
        "/usr/bin/python3 -m venv /home/pi/edgeffnet && "
        "/home/pi/edgeffnet/bin/python -m pip install numpy ai-edge-litert"
    )
