"""What an output folder may hold: nothing, a bundle of the same request, or with --force any bundle."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from edgeffnet.budget import Budget
from edgeffnet.bundle.asked import Asked
from edgeffnet.bundle.folder import appearing, require_usable
from edgeffnet.errors import UsageError
from tests.conftest import Run


def asked(**options: object) -> Asked:
    return Asked.of("build", {"device": "rpi4", "budget": Budget(latency="50ms"), "parts": (), **options})


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """A folder whose manifest holds the request of `asked()`."""
    folder = tmp_path / "out"
    folder.mkdir()
    manifest = {"tools": {"edgeffnet": "0"}, "variant": "lite0", "request": asked().to_dict()}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def test_the_same_request_replaces_its_bundle_whole(made: Path) -> None:
    with appearing(made, asked()) as work:
        (work / "new").touch()
    assert [path.name for path in made.iterdir()] == ["new"]


def test_parts_do_not_make_it_another_bundle(made: Path) -> None:
    require_usable(made, asked(parts=("cpp",)))


@pytest.mark.parametrize(
    "other",
    [asked(device="pixel4"), asked(budget=Budget(latency="49ms")), asked(seed=1), Asked("quantize", asked().options)],
)
def test_another_request_is_refused_and_forced(made: Path, other: Asked) -> None:
    with pytest.raises(UsageError, match=r"holds another bundle \(lite0\): .* --force"):
        require_usable(made, other)
    require_usable(made, other, force=True)


def test_a_bundle_that_does_not_tell_its_request_is_another(made: Path) -> None:
    (made / "manifest.json").write_text(json.dumps({"tools": {"edgeffnet": "0"}}))
    with pytest.raises(UsageError, match="--force"):
        require_usable(made, asked())


def test_force_does_not_reach_what_is_no_bundle(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("ten years of work")
    with pytest.raises(UsageError, match="not an edgeffnet bundle"):
        require_usable(tmp_path, asked(), force=True)


@pytest.mark.parametrize(
    "command",
    [
        ("build", "--device", "rpi4", "--variant", "lite1"),
        ("quantize", "model_fp32.tflite", "--preprocessing", "preprocessing.json"),
    ],
)
def test_commands_refuse_another_bundle_before_any_work(
    bundle: Path, run: Run, tmp_path: Path, command: tuple[str, ...]
) -> None:
    copy = Path(shutil.copytree(bundle, tmp_path / "out"))
    before = {path: path.stat().st_mtime_ns for path in copy.rglob("*")}
    done = run(*command, "--output", ".", cwd=copy)
    assert done.returncode == 2, done.stderr
    assert "holds another bundle (lite0, rpi4, uint8): choose another folder, or say --force" in done.stderr
    assert done.stderr.count("\n") == 1
    assert {path: path.stat().st_mtime_ns for path in copy.rglob("*")} == before


PROGRAM = """
import sys, time
from pathlib import Path
from edgeffnet.bundle.folder import appearing
with appearing(Path(sys.argv[1])) as work:
    (work / "half").write_bytes(b"half")
    print("writing", flush=True)
    time.sleep(600)
"""


def writing(output: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, str(output)], stdout=subprocess.PIPE, text=True)
    assert process.stdout and process.stdout.readline() == "writing\n"
    return process


def test_what_a_killed_process_left_is_cleared_up_and_a_living_ones_is_not(tmp_path: Path) -> None:
    killed, living = writing(tmp_path / "out"), writing(tmp_path / "out")
    try:
        killed.kill()
        killed.communicate()
        assert len(list(tmp_path.iterdir())) == 2
        with appearing(tmp_path / "out") as work:
            (work / "whole").touch()
        assert [path.name for path in (tmp_path / "out").iterdir()] == ["whole"]
        left = [path for path in tmp_path.iterdir() if path.name != "out"]
        assert len(left) == 1 and (left[0] / "half").exists()
    finally:
        living.kill()
        living.communicate()


def test_a_bundle_is_there_at_every_moment_of_its_replacement(made: Path) -> None:
    missing: list[int] = []
    over = threading.Event()

    def look() -> None:
        while not over.is_set():
            if not (made / "manifest.json").is_file():
                missing.append(1)

    looking = threading.Thread(target=look)
    looking.start()
    text = (made / "manifest.json").read_text()
    try:
        for _ in range(50):
            with appearing(made, asked()) as work:
                (work / "manifest.json").write_text(text)
    finally:
        over.set()
        looking.join()
    assert not missing
