"""What must be quick or light: help, listing, and imports of the base install."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {
    *("tensorflow", "keras", "openvino", "nncf", "onnx", "onnxruntime", "skimage", "sklearn", "scipy"),
    *("matplotlib", "jinja2", "jsonschema"),
}


def imported_by(code: str) -> set[str]:
    program = f"import sys\n{code}\nprint(' '.join(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return {name.split(".")[0] for name in done.stdout.splitlines()[-1].split()}


@pytest.mark.parametrize(
    "code",
    [
        "import edgeffnet, edgeffnet.cli",
        "from edgeffnet import devices, scaling, cost; cost.total(scaling.official('b7'))",
        "import edgeffnet.prediction, edgeffnet.bundle.validate, edgeffnet.bundle.verify",
    ],
)
def test_nothing_of_the_build_extra_is_imported(code: str) -> None:
    assert not imported_by(code) & HEAVY


def test_help_does_not_even_import_numpy() -> None:
    assert "numpy" not in imported_by("import edgeffnet, edgeffnet.cli")


@pytest.mark.parametrize("name", ["converters.py", "calib.py"])
def test_a_users_file_that_hides_a_package_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("x = 1\n")
    done = subprocess.run(
        [sys.executable, "-c", "import edgeffnet"], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert done.returncode != 0
    assert str(tmp_path / name) in done.stderr
    assert "rename" in done.stderr
