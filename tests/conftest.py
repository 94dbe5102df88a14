"""Fixtures shared by all tests: the image sets, the command line, and bundles built once."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

# What earlier builds left on this machine must not answer for this one. EDGEFFNET_TEST_CACHE names a cache for several
# runs of the same sources to share.
_CACHE = tempfile.TemporaryDirectory(prefix="edgeffnet-test-cache-")
os.environ["EDGEFFNET_CACHE"] = os.environ.get("EDGEFFNET_TEST_CACHE") or _CACHE.name

# A shell's background job starts with Ctrl-C ignored, and so would every process the tests interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of image sets; in CI it must be there."""
    folder = Path(os.environ.get("EDGEFFNET_TEST_DATA", ROOT.parent / "shared" / "data"))
    if not (folder / "imagenet" / "eval.csv").is_file():
        reason = f"image sets are not in {folder}: set EDGEFFNET_TEST_DATA"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return folder


@pytest.fixture(scope="session")
def run() -> Run:
    """Runs the command line as a user does, in a process of its own."""

    def run_command(
        *arguments: object, cwd: Path | None = None, timeout: float = 900, environment: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command(arguments),
            capture_output=True,
            text=True,
            timeout=timeout,
            cwd=cwd,
            env={**os.environ, **(environment or {})},
            check=False,
        )

    return run_command


def command(arguments: Sequence[object]) -> list[str]:
    """The argument list of `edgeffnet ARGUMENTS...` in this environment."""
    return [sys.executable, "-m", "edgeffnet", *(str(argument) for argument in arguments)]


def with_part(run: Run, bundle: Path, folder: Path, part: str) -> Path:
    """A copy of `bundle` in `folder`, to which a part for integrators was added."""
    copy = Path(shutil.copytree(bundle, folder / "out"))
    done = run("bundle", copy, "--parts", part)
    assert done.returncode == 0, done.stderr
    return copy


@pytest.fixture(scope="session")
def bundle(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `edgeffnet build --device rpi4 --variant lite0` leaves, on default photographs.

    EDGEFFNET_TEST_BUNDLE names such a bundle to be copied, which is quicker.
    """
    output = tmp_path_factory.mktemp("bundle") / "out"
    if "EDGEFFNET_TEST_BUNDLE" in os.environ:
        return Path(shutil.copytree(os.environ["EDGEFFNET_TEST_BUNDLE"], output))
    made = run("build", "--device", "rpi4", "--variant", "lite0", "--max-latency", "50ms", "--output", output)
    assert made.returncode == 0, made.stderr
    return output
