"""A process beside this one: what it answers, and that it never outlives who started it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from edgeffnet.beside import Beside
from edgeffnet.errors import DataError


def own_process(_: object = None) -> int:
    return os.getpid()


def refuse(what: str) -> None:
    raise DataError(f"no {what}")


def sleep() -> None:
    time.sleep(60)


@pytest.fixture
def beside() -> Iterator[Beside]:
    with closing(Beside()) as made:
        made.start()
        yield made


def test_a_function_runs_in_the_other_process_and_its_error_comes_back(beside: Beside) -> None:
    there = beside.run(own_process)
    assert there != os.getpid()
    with pytest.raises(DataError, match="no wine"):
        beside.run(refuse, "wine")
    assert beside.run(own_process) == there


def test_without_a_start_it_runs_here() -> None:
    with closing(Beside()) as never:
        assert not never.running
        assert never.run(own_process) == os.getpid()


def test_work_of_a_process_that_is_lost_is_done_here(beside: Beside) -> None:
    there = beside.run(own_process)
    os.kill(there, signal.SIGKILL)
    assert beside.run(own_process) == os.getpid()


def test_closed_it_is_gone(beside: Beside) -> None:
    there = beside.run(own_process)
    beside.close()
    assert gone(there)
    assert not beside.running


def test_closing_ends_what_others_wait_for(beside: Beside) -> None:
    beside.run(own_process)
    with ThreadPoolExecutor(1) as thread:
        waiting = thread.submit(beside.run, sleep)
        time.sleep(0.5)
        beside.close()
        with pytest.raises(CancelledError):
            waiting.result(timeout=10)


PARENT = """
from tests.edgeffnet.test_beside import own_process
from edgeffnet.beside import Beside
import time
if __name__ == "__main__":
    beside = Beside()
    beside.start()
    print(beside.run(own_process), flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_it_ends_with_who_started_it_however_that_ends(tmp_path: Path, how: signal.Signals) -> None:
    script = tmp_path / "parent.py"
    script.write_text(PARENT, encoding="utf-8")
    path = os.pathsep.join([str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": path}
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, env=environment) as parent:
        assert parent.stdout
        there = int(parent.stdout.readline())
        assert not gone(there, seconds=0)
        parent.send_signal(how)
    assert gone(there)


def gone(process: int, seconds: float = 10) -> bool:
    """Whether the process ends within `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":
            return True
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.05)
