"""Training killed and started again ends in the weights of one that was left alone."""

from __future__ import annotations

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
    network = ("--phi", "-3", "--depth", "0.2", "--resolution", "64", "--batch", "8", "--epochs", EPOCHS)
    return ["train", "--data", pictures, *network, "--output", output]


def lines_of(output: Path) -> int:
    metrics = output.with_suffix(".training") / "metrics.csv"
    return len(metrics.read_text().splitlines()) - 1 if metrics.is_file() else -1


def stop_when(output: Path, pictures: Path, epochs: int, sent: signal.Signals) -> str:
    """Starts the training and stops it once so many epochs are told of; what it said on standard error."""
    process = subprocess.Popen(
        command(arguments(pictures, output)), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 900
    while lines_of(output) < epochs + 1:
        assert process.poll() is None, process.stderr.read() if process.stderr else ""
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(sent)
    _, errors = process.communicate()
    assert process.returncode == (130 if sent == signal.SIGINT else -sent)
    assert not output.exists()
    return errors


def test_an_interrupt_and_three_kills_change_nothing(run: Run, pictures: Path, tmp_path: Path) -> None:
    alone, killed = tmp_path / "alone.safetensors", tmp_path / "killed.safetensors"
    done = run(*arguments(pictures, alone), timeout=900)
    assert done.returncode == 0, done.stderr
    said = stop_when(killed, pictures, 0, signal.SIGINT)
    assert "the same command goes on" in said
    for epochs in (1, 2, 3):
        stop_when(killed, pictures, epochs, signal.SIGKILL)
    done = run(*arguments(pictures, killed), timeout=900)
    assert done.returncode == 0, done.stderr
    assert sha256_of(killed) == sha256_of(alone)
    assert lines_of(killed) == lines_of(alone) == EPOCHS + 1
