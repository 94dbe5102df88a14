"""Ctrl-C, a kill, and a full disk at any point: nothing half-written, nothing left running."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import command

BUILD = ("build", "--device", "rpi4", "--variant", "lite0", "--recipe", "fast", "--no-cache")


def start(folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command(BUILD), cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def agents_of(folder: Path) -> list[str]:
    """Command lines of agents still running for a build in `folder`."""
    found = []
    for process in Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        try:
            line = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            if "agent.py" in line and (process / "cwd").resolve() == folder.resolve():
                found.append(line)
        except OSError:
            continue
    return found


@pytest.mark.parametrize(
    ("sent", "seconds"),
    [
        (signal.SIGINT, 0.5),
        (signal.SIGTERM, 2),
        (signal.SIGINT, 5),
        (signal.SIGTERM, 9),
        (signal.SIGINT, 14),
        (signal.SIGTERM, 20),
        (signal.SIGINT, 27),
    ],
)
def test_an_interrupt_leaves_nothing_behind(tmp_path: Path, sent: signal.Signals, seconds: float) -> None:
    process = start(tmp_path)
    time.sleep(seconds)
    process.send_signal(sent)
    output, errors = process.communicate(timeout=60)
    finished = process.returncode == 0
    if not finished:
        assert process.returncode == 130, errors
        assert errors.strip().splitlines()[-1] == "edgeffnet: interrupted; nothing was written"
        assert output == ""
        assert list(tmp_path.iterdir()) == []
    assert agents_of(tmp_path) == []


def test_an_interrupt_inside_executed_text_ends_with_130_too(tmp_path: Path) -> None:
    """`python -m` kills itself after a KeyboardInterrupt out of an `exec` of text, as dataclasses do on import."""
    (tmp_path / "planted.py").write_text(
        "import os, signal\nfrom edgeffnet.cli import main\n\n\n@main.command()\ndef planted():\n"
        "    exec('os.kill(os.getpid(), signal.SIGINT)\\nfor _ in range(10**6): pass')\n\n\nmain(['planted'])\n"
    )
    done = subprocess.run([sys.executable, "-m", "planted"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 130, done.stderr
    assert done.stderr.splitlines()[-1] == "edgeffnet: interrupted; nothing was written"


@pytest.fixture
def older(bundle: Path, tmp_path: Path) -> Path:
    """A bundle of this test's own, to be overwritten."""
    return Path(shutil.copytree(bundle, tmp_path / "older" / "out"))


def test_an_older_bundle_survives_an_interrupt(older: Path) -> None:
    before = {path: path.read_bytes() for path in older.rglob("*") if path.is_file()}
    process = subprocess.Popen(command([*BUILD, "--force", "--output", older]), stderr=subprocess.PIPE, text=True)
    time.sleep(8)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert {path: path.read_bytes() for path in older.rglob("*") if path.is_file()} == before
    assert [path.name for path in older.parent.iterdir()] == [older.name]


@pytest.mark.parametrize("megabytes", [1, 12, 30])
def test_a_full_disk_is_said_in_one_line(tmp_path: Path, megabytes: int) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "none", disk], capture_output=True, check=False
    )
    if mounted.returncode:
        if os.environ.get("CI"):
            pytest.fail("cannot mount a small file system")
        pytest.skip("needs the right to mount a small file system")
    try:
        done = subprocess.run(
            command([*BUILD, "--output", disk / "out"]), capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 2, done.stderr
        assert "disk is full" in done.stderr
        assert done.stderr.count("\n") == 1, done.stderr
        assert list(disk.iterdir()) == []
    finally:
        subprocess.run(["umount", disk], check=True)


def test_a_build_replaces_an_older_bundle_whole(older: Path) -> None:
    (older / "stale.txt").write_text("from an older build")
    done = subprocess.run(
        command([*BUILD, "--force", "--formats", "tflite", "--output", older]),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not (older / "stale.txt").exists()
    assert not (older / "openvino").exists()
