"""What is published works where nothing else is: a wheel and an sdist, in an environment of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.conftest import ROOT

CODE = ("edgeffnet", "calib", "converters")
FILES = ("pyproject.toml", "README.md", "LICENSE", "NOTICE", "constraints.txt")


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the sdist, made from a copy of the sources."""
    folder = tmp_path_factory.mktemp("published")
    source = folder / "source"
    for name in CODE:
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in FILES:
        shutil.copy(ROOT / name, source / name)
    make = "from setuptools import build_meta as b; b.build_sdist('..'); b.build_wheel('..')"
    pip = [sys.executable, "-m", "venv", str(folder / "maker")]
    subprocess.run(pip, check=True)
    python = folder / "maker" / "bin" / "python"
    install(python, "setuptools>=77", "wheel")
    subprocess.run([python, "-c", make], cwd=source, check=True, capture_output=True)
    return folder


def install(python: Path, *words: str) -> None:
    constraints = ["--constraint", str(ROOT / "constraints.txt")]
    done = subprocess.run(
        [python, "-m", "pip", "install", "--quiet", *constraints, *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_both_hold_all_code_and_data_and_no_tests(published: Path) -> None:
    (wheel,), (sdist,) = published.glob("*.whl"), published.glob("*.tar.gz")
    with zipfile.ZipFile(wheel) as held:
        names = {name for name in held.namelist() if not name.split("/")[0].endswith(".dist-info")}
    expected = {
        path.relative_to(ROOT).as_posix()
        for package in CODE
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path != ROOT / "edgeffnet" / "devices" / "README.md"
    }
    assert names == expected
    with tarfile.open(sdist) as packed:
        inside = {name.partition("/")[2] for name in packed.getnames()}
    assert expected <= inside


def test_in_an_empty_environment_the_wheel_passes_doctor_and_the_main_job(published: Path, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "empty")], check=True)
    (wheel,) = published.glob("*.whl")
    install(tmp_path / "empty" / "bin" / "python", f"{wheel}[build]")
    program = tmp_path / "empty" / "bin" / "edgeffnet"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    main_job = ["build", "--device", "rpi4", "--max-latency", "50ms", "--recipe", "fast"]
    for words in (["doctor"], main_job, ["verify", "out"]):
        done = subprocess.run(
            [program, *words], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
