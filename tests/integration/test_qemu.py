"""Real arm64 code under QEMU, on a real model: what it computes, and what it executes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

from edgeffnet.bundle.contents import find_contract
from edgeffnet.errors import UsageError
from edgeffnet.instructions import count
from edgeffnet.report import html, schema
from edgeffnet.targets.address import target
from edgeffnet.targets.qemu import EmulatedTarget
from tests.conftest import Run, command
from tests.integration.conftest import eventually, marked, needed, some_images


@pytest.fixture(scope="module")
def prepared(run: Run) -> str:
    """The address of an emulated target that is ready."""
    programs = [name for name in ("qemu-aarch64", "mmdebstrap", "gcc") if not shutil.which(name)]
    needed(not programs, "needs emulation: apt install qemu-user mmdebstrap gcc")
    done = run("target", "prepare", "qemu", timeout=600)
    needed(done.returncode == 0, done.stderr)
    return "qemu://cortex-a72"


def test_int8_scores_are_this_machines_bit_for_bit(
    prepared: str, integer: Path, data: Path, run: Run, tmp_path: Path
) -> None:
    val = some_images(data, tmp_path, 20)
    done = run("validate", integer / "model_int8.tflite", "--val", val, "--target", prepared, "--json", timeout=600)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    schema.check(report)
    assert "counted under emulation" in html.render(report)
    (made,) = report["models"]
    assert made["comparison"]["bit_equal"]
    assert made["comparison"]["images"] == 20
    assert made["latency"] is None
    assert made["instructions"]["kind"] == "instructions"
    assert "_ms" not in json.dumps(made["instructions"])


def test_counts_repeat_and_int8_takes_fewer(prepared: str, integer: Path) -> None:
    made = {}
    there = target(prepared)
    assert isinstance(there, EmulatedTarget)
    try:
        for precision in ("int8", "fp32"):
            preprocessing, _, artifact = find_contract(integer / f"model_{precision}.tflite")
            image = np.zeros((1, preprocessing.resolution, preprocessing.resolution, 3), np.uint8)
            first, second = (count(artifact, there, preprocessing, image) for _ in range(2))
            assert first.spread < 0.001
            assert first.total == pytest.approx(second.total, rel=0.001)
            assert first.total == pytest.approx(first.multiply_accumulate + first.load + first.store + first.other)
            made[precision] = first
    finally:
        there.close()
    assert made["int8"].total < made["fp32"].total
    # Four multiply-adds in one vector instruction, 385 million in Lite0.
    assert made["fp32"].multiply_accumulate == pytest.approx(385e6 / 4, rel=0.01)


@pytest.mark.parametrize(
    "address", ["qemu://cortex-m7", "qemu://me@cortex-a72", "qemu://-cpu", "qemu://cortex-a72?a=b"]
)
def test_a_processor_that_is_not_emulated(address: str) -> None:
    with pytest.raises(UsageError):
        target(address)


def test_a_build_says_that_emulation_gives_no_latency(run: Run) -> None:
    done = run("build", "--variant", "lite0", "--target", "qemu://cortex-a72")
    assert done.returncode == 2
    assert "no latency" in done.stderr


def test_unprepared_says_what_to_run(run: Run, integer: Path, tmp_path: Path) -> None:
    needed(shutil.which("qemu-aarch64"), "needs emulation: apt install qemu-user")
    model = integer / "model_int8.tflite"
    done = run("validate", model, "--target", "qemu://cortex-a72", environment={"XDG_CACHE_HOME": str(tmp_path)})
    assert done.returncode == 5
    assert "edgeffnet target prepare qemu" in done.stderr


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupt_ends_the_emulator(prepared: str, integer: Path, sent: signal.Signals) -> None:
    mark = f"EDGEFFNET_TEST_MARK=qemu{os.getpid()}"
    process = subprocess.Popen(
        command(["validate", integer, "--target", prepared]),
        env={**os.environ, **dict([mark.split("=")])},
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    time.sleep(6)
    assert marked(mark)
    process.send_signal(sent)
    process.communicate(timeout=30)
    assert eventually(lambda: not marked(mark))
