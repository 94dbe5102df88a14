"""One job: its command in a process of its own, wherever that runs."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edgeffnet.bundle.manifest import tool_versions
from edgeffnet.cache.makers import sources
from edgeffnet.errors import TargetError
from edgeffnet.sweep.leashed import PARENT

_LONGEST_SAID = 400


@dataclass(frozen=True)
class Order:
    """A command's `words`, the folder that paths start from, the sweep it belongs to, and what is to run it."""

    words: tuple[str, ...]
    folder: str
    sweep: str
    sources: str
    tools: Mapping[str, str]


@dataclass(frozen=True)
class Outcome:
    """How a command ended: its exit code, what it said if that is not 0, and how many seconds it took."""

    code: int
    said: str
    seconds: float


class _Running:
    """The commands of this process, by sweep."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._processes: dict[str, set[subprocess.Popen[bytes]]] = {}
        self._stopped: set[str] = set()

    def start(self, order: Order) -> subprocess.Popen[bytes] | None:
        """None where the sweep was stopped."""
        with self._lock:
            if order.sweep in self._stopped:
                return None
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "edgeffnet.sweep.leashed", *order.words],
                cwd=order.folder,
                env={**os.environ, PARENT: str(os.getpid())},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
            )
            self._processes.setdefault(order.sweep, set()).add(process)
            return process

    def ended(self, order: Order, process: subprocess.Popen[bytes]) -> None:
        with self._lock:
            self._processes[order.sweep].discard(process)

    def stop(self, sweep: str) -> None:
        with self._lock:
            self._stopped.add(sweep)
            for process in self._processes.get(sweep, ()):
                process.terminate()


_RUNNING = _Running()


def run(order: Order) -> Outcome:
    """Runs it and waits; the command ends when this process does."""
    begun = time.perf_counter()
    if (why := _why_not(order)) is not None:
        return Outcome(TargetError.exit_code, why, 0.0)
    process = _RUNNING.start(order)
    if process is None:
        return Outcome(TargetError.exit_code, "the sweep was stopped", 0.0)
    try:
        said = process.communicate()[1].decode("utf-8", "replace").strip().splitlines()
    finally:
        _RUNNING.ended(order, process)
    last = said[-1].removeprefix("edgeffnet: ") if process.returncode and said else ""
    return Outcome(process.returncode, last[:_LONGEST_SAID], round(time.perf_counter() - begun, 3))


def stop(sweep: str) -> None:
    """Ends the commands of a sweep that run in this process, and starts no more of them."""
    _RUNNING.stop(sweep)


def _why_not(order: Order) -> str | None:
    """Why this machine would give another answer, or none."""
    if sources() != order.sources:
        return "a worker has another version of edgeffnet: install the same one everywhere"
    here = tool_versions()
    if differing := sorted(name for name in {*here, *order.tools} if here.get(name) != order.tools.get(name)):
        name = differing[0]
        return f"a worker has {name} {here.get(name)}, not {order.tools.get(name)}: install the same everywhere"
    if not Path(order.folder).is_dir():
        return f"{order.folder}: not there on a worker: the plan and its images have to lie on a disk that all share"
    return None
