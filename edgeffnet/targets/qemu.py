"""Real ARM machine code without a board: the agent under QEMU's user emulation.

It tells what an ARM processor computes, and how many instructions that takes; never how long.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgeffnet.errors import TargetError, UsageError
from edgeffnet.targets import agent
from edgeffnet.targets.address import Address
from edgeffnet.targets.remote import Channel, RemoteTarget, agent_source, bootstrap
from edgeffnet.targets.sysroot import Sysroot, required
from edgeffnet.targets.target import Request

CPUS = ("cortex-a53", "cortex-a72", "cortex-a76")
# Start-up alone takes seconds where every instruction is translated.
_START_SECONDS = 120.0


class EmulatedTarget(RemoteTarget):
    """The agent under `qemu-aarch64 -cpu CPU`, in a sysroot made by `edgeffnet target prepare qemu`."""

    def __init__(self, name: str, cpu: str) -> None:
        self.cpu = cpu
        self._folder = tempfile.TemporaryDirectory(prefix="edgeffnet-")
        super().__init__(name, lambda: self._emulated(required()), str(Path(self._folder.name) / "cache"))

    def counted(self, requests: Sequence[Request], timeout: float) -> tuple[list[Any], np.ndarray[Any, Any]]:
        """`run`, and the instructions between the marks that the requests set, int64 (intervals, 4).

        The columns are multiply-accumulates, loads, stores and others.
        """
        out = Path(self._folder.name) / "counts"
        out.unlink(missing_ok=True)
        counting = RemoteTarget(self.name, lambda: self._emulated(required(), out), self._cache_wanted)
        try:
            results = counting.run(requests, timeout)
        finally:
            counting.close()
        try:
            marks = np.loadtxt(out, dtype=np.int64, ndmin=2)
        except (OSError, ValueError):
            raise TargetError(f"{self.name}: no instructions were counted; is this QEMU 7.2 or newer?") from None
        return results, np.diff(marks, axis=0)

    def machine(self) -> dict[str, Any]:
        return {**super().machine(), "cpu": f"{self.cpu} (emulated)", "board": None}

    def here(self) -> RemoteTarget:
        """This machine with the same interpreter's version as the emulated one has."""
        own = str(required().here)
        channel = Channel(
            (sys.executable, "-P", agent.__file__, "serve"), lambda _code, _said: None, environment={"PYTHONPATH": own}
        )
        return RemoteTarget("this machine", lambda: channel, str(Path(self._folder.name) / "own cache"))

    def close(self) -> None:
        super().close()
        self._folder.cleanup()

    def _emulated(self, made: Sysroot, counts: Path | None = None) -> Channel:
        source = agent_source()
        # A comma parts a plugin's arguments; its own temporary folder has none.
        count = ("-plugin", f"{made.counter},out={counts}") if counts else ()
        command = (
            "qemu-aarch64",
            *("-L", str(made.debian), "-cpu", self.cpu, "-E", f"PYTHONPATH={made.arm}", "-E", "PYTHONNOUSERSITE=1"),
            *(*count, str(made.python), "-B", "-c", bootstrap(source)),
        )
        return Channel(command, _refusal, source, _START_SECONDS)


def emulated_target(address: Address) -> EmulatedTarget:
    """`qemu://CPU`; UsageError for a processor that is not emulated."""
    if address.host not in CPUS or address.user or address.port:
        raise UsageError(f"--target {address.url}: there are {', '.join(f'qemu://{cpu}' for cpu in CPUS)}")
    return EmulatedTarget(address.url, address.host)


def _refusal(code: int, said: str) -> str | None:
    last = next((line.strip() for line in reversed(said.splitlines()) if line.strip()), "")
    return f"the emulator ended with {code}: {last}" if code else None
