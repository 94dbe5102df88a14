"""Parts for integrators: which there are, the snippet for a board, and parts added later."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from edgeffnet import photographs
from edgeffnet.bundle.verify import verify
from tests.conftest import Run, with_part


@pytest.fixture(scope="module")
def with_python(bundle: Path, run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle to which the snippet was added."""
    return with_part(run, bundle, tmp_path_factory.mktemp("parts"), "python")


@pytest.mark.parametrize(
    "arguments",
    [
        ("build", "--device", "rpi4", "--max-latency", "50ms", "--bundle", "android,ios"),
        ("build", "--device", "rpi4", "--max-latency", "50ms", "--dry-run", "--bundle", "ios"),
        ("bundle", "out", "--parts", "ios"),
    ],
)
def test_an_unknown_part_is_refused_naming_those_there_are(
    run: Run, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    done = run(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert "no part ios; choose from android, cpp, mcu, python" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_bundle_with_a_part_added_verifies_and_remembers_it(with_python: Path) -> None:
    assert verify(with_python).passed
    manifest = json.loads((with_python / "manifest.json").read_text())
    assert "python/predict.py" in manifest["files"]
    assert "python" in manifest["request"]["options"]["parts"]


def test_nothing_is_added_to_a_bundle_that_was_changed(bundle: Path, run: Run, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(bundle, tmp_path / "out"))
    (copy / "labels.txt").write_text("cat\n")
    done = run("bundle", copy, "--parts", "python")
    assert done.returncode == 7
    assert "labels.txt was changed" in done.stderr
    assert not (copy / "python").exists()


def test_the_snippet_needs_no_edgeffnet_and_says_what_predict_says(with_python: Path, run: Run) -> None:
    cat = photographs.path_of(photographs.HELD_OUT[0])
    program = with_python / "python" / "predict.py"
    # Isolated: neither this folder nor PYTHONPATH is searched.
    done = subprocess.run([sys.executable, "-I", program, cat], capture_output=True, text=True, check=True)
    found = json.loads(run("predict", with_python / "model_int8.tflite", cat, "--json").stdout)[0]["classes"]
    assert done.stdout.splitlines() == [f"{cat}: {probability:6.1%} {name}" for name, probability in found]
    assert "edgeffnet" not in program.read_text()
    told = ("import", "from", '"', "    #")
    assert len([line for line in program.read_text().splitlines() if line and not line.startswith(told)]) <= 20
