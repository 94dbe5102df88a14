"""The doctor imports what is there, says what is not and what adds it, and its exit code is the main job's chance."""

from __future__ import annotations

import json
import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

from edgeffnet import devices
from edgeffnet.doctor import versions
from edgeffnet.doctor.examination import SUPPORTED_PYTHONS
from edgeffnet.doctor.parts import PACKAGES_USED
from tests.conftest import ROOT, Run

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_a_package_that_does_not_import_is_named_with_its_reason_and_the_others_are_found(
    run: Run, tmp_path: Path
) -> None:
    (tmp_path / "nncf.py").write_text("raise ImportError('libtorch.so is not there')\n")
    done = run("doctor", "--json", environment={"PYTHONPATH": f"{tmp_path}:{ROOT}"}, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "lacks nncf: pip install 'edgeffnet[build]'" in done.stderr
    found = json.loads(done.stdout)
    packages = {one["name"]: one for one in found["packages"]}
    assert found["main_job"] is False
    assert "libtorch.so is not there" in packages["nncf"]["reason"]
    assert [name for name, one in packages.items() if one["needed"] and one["reason"]] == ["nncf"]
    assert packages["tensorflow"]["found"] == metadata.version("tensorflow")
    assert packages["tensorflow"]["install"] is None
    here = devices.load("local")
    assert (found["machine"]["int8"], found["machine"]["cores"]) == (here.int8, here.cores)
    assert found["machine"]["int8_said"].endswith("can saturate" if here.int8_saturates else "cannot saturate")


@pytest.mark.parametrize(
    ("installed", "how", "wanted", "unmet"),
    [
        ("2.21.0", ">=", "2.20", False),
        ("2.20.0rc1", ">=", "2.20", False),
        ("2.9", ">=", "2.20", True),
        ("1.17.0", "==", "1.17.0", False),
        ("1.17.1", "==", "1.17.0", True),
        ("unknown", ">=", "1", True),
    ],
)
def test_a_version_is_held_against_what_edgeffnet_asks_for(installed: str, how: str, wanted: str, unmet: bool) -> None:
    assert versions.unmet(installed, how, wanted) is unmet


def test_the_doctor_knows_every_package_that_an_installation_asks_for() -> None:
    lines = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["build"]]
    lines += PROJECT["optional-dependencies"]["mcu"]
    asked = {re.split(r"[><=\[ ]", line)[0] for line in lines}
    # Small, pure Python, and there with edgeffnet itself.
    assert asked - {one.name for one in PACKAGES_USED} == {"click", "platformdirs", "rich"}


def test_the_stated_pythons_are_those_the_doctor_knows() -> None:
    stated = {line.rsplit(" :: ", 1)[1] for line in PROJECT["classifiers"] if "Python :: 3." in line}
    supported = [f"{major}.{minor}" for major, minor in SUPPORTED_PYTHONS]
    assert stated == set(supported)
    oldest, newest = SUPPORTED_PYTHONS[0], SUPPORTED_PYTHONS[-1]
    assert PROJECT["requires-python"] == f">={oldest[0]}.{oldest[1]},<{newest[0]}.{newest[1] + 1}"
    assert f"Python {', '.join(supported[:-1])} or {supported[-1]}" in (ROOT / "README.md").read_text(encoding="utf-8")
