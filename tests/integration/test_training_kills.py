"""Training killed and started again ends in the weights of one that was left alone."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from edgeffnet.hashing import sha256_of
from tests.conftest import Run, command
from tests.edgeffnet.training.conftest import COLOURS, paint

EPOCHS = 5


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    for number, label in enumerate(("blue", "green", "red")):
        for index in range(14):
            paint(tmp_path / "pictures" / label / f"{label}{index}.png", COLOURS[label], 100 * number + index)
    return tmp_path / "pictures"


def arguments(pictures: Path, output: Path) -> list[object]:
    network = ("--phi", "-3", "--resolution", "64", "--batch", "8", "--epochs", EPOCHS)
    return ["train", "--data", pictures, *network, "--output", output]


def lines_of(output: Path) -> int:
    metrics = output.with_suffix(".training") / "metrics.csv"
    return len(metrics.read_text().splitlines()) - 1 if metrics.is_file() else -1


def kill_when(output: Path, pictures: Path, epochs: int) -> None:
    """Starts the training and kills it, with all it started, once so many epochs are told of."""
    process = subprocess.Popen(
        command(arguments(pictures, output)), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True
    )
    deadline = time.monotonic() + 240
    while lines_of(output) < epochs + 1:
        assert process.poll() is None, process.stderr.read() if process.stderr else ""
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert not output.exists()


def test_three_kills_change_nothing(run: Run, pictures: Path, tmp_path: Path) -> None:
    alone, killed = tmp_path / "alone.safetensors", tmp_path / "killed.safetensors"
    done = run(*arguments(pictures, alone))
    assert done.returncode == 0, done.stderr
    for epochs in (0, 1, 3):
        kill_when(killed, pictures, epochs)
    done = run(*arguments(pictures, killed))
    assert done.returncode == 0, done.stderr
    assert sha256_of(killed) == sha256_of(alone)
    assert lines_of(killed) == lines_of(alone) == EPOCHS + 1


def test_an_interrupt_says_how_to_go_on(pictures: Path, tmp_path: Path) -> None:
    output = tmp_path / "model.keras"
    process = subprocess.Popen(
        command(arguments(pictures, output)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    while lines_of(output) < 1:
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "the same command goes on" in errors
    assert (tmp_path / "model.training" / "checkpoint.safetensors").is_file()
