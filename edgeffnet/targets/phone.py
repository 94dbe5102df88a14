"""A phone without Python: the user's own `benchmark_model`, and evaluator, run there by adb."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import select
import shlex
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeffnet.errors import TargetError, TargetLostError, UsageError
from edgeffnet.targets.adb import only_device, refusal, serial_of
from edgeffnet.targets.address import Address
from edgeffnet.targets.remote import RemoteTarget
from edgeffnet.targets.target import Progress, Request

_FOLDER = "/data/local/tmp/edgeffnet"
_SHORT_SECONDS = 30.0
# The slowest cable that is waited for.
_BYTES_PER_SECOND = 200_000
_LONGEST_OUTPUT = 4 << 20
_SAMPLE = "edgeffnet:state:"
_EXIT = re.compile(r"^edgeffnet:exit:(\d+)$", re.MULTILINE)

_CORES = (
    'for c in /sys/devices/system/cpu/cpu[0-9]*; do echo "core${c##*/cpu}='
    '$(cat $c/cpu_capacity 2>/dev/null || cat $c/cpufreq/cpuinfo_max_freq 2>/dev/null)"; done'
)
_MACHINE = (
    'echo "model=$(getprop ro.product.model 2>/dev/null)"; echo "soc=$(getprop ro.soc.model 2>/dev/null)"; '
    'echo "architecture=$(uname -m)"; echo "system=$(uname -r)"; '
    f'echo "memory=$(grep MemTotal: /proc/meminfo)"; {_CORES}'
)


def _state(core: int) -> str:
    folder = f"/sys/devices/system/cpu/cpu{core}/cpufreq"
    return (
        f'echo "{_SAMPLE}$(cat {folder}/scaling_cur_freq 2>/dev/null):'
        f"$(cat {folder}/scaling_governor 2>/dev/null):"
        '$(cat /sys/class/thermal/thermal_zone0/temp 2>/dev/null)"'
    )


@dataclass(frozen=True)
class Spoken:
    """What a program on the phone printed, and the phone's states around and during it, first to last."""

    output: str
    states: tuple[dict[str, Any], ...]


class Phone(RemoteTarget):
    """Pushes files, and runs programs until they end or we do; `benchmark` and `evaluator` are files here."""

    def __init__(self, address: Address, benchmark: Path, evaluator: Path | None) -> None:
        super().__init__(address.url, self._no_agent)
        self.benchmark = benchmark
        self.evaluator = evaluator
        self._serial_given = serial_of(address)
        self._address = address
        self._serial = ""
        self._folder = address.option("cache") or _FOLDER

    def push(self, path: Path, *companions: Path) -> str:
        """A file under its content's hash, which is checked there; one that is there is not sent again."""
        if companions:
            raise TargetError(f"{self.name}: {path.name}: only models of one file run there")
        return self._sent_there(path)

    def push_program(self, path: Path) -> str:
        """A file that can be run there."""
        there = self.push(path)
        self._quick(f"chmod 755 {shlex.quote(there)}")
        return there

    def push_folder(self, files: Mapping[str, bytes], timeout: float) -> str:
        """A folder of small files, sent at once; kept by the hash of all of them."""
        digest = hashlib.sha256()
        for name, data in sorted(files.items()):
            digest.update(name.encode() + b"\0" + hashlib.sha256(data).digest())
        there = f"{self._folder}/{digest.hexdigest()[:32]}"
        whole = shlex.quote(f"{there}/whole")
        if self._quick(f"test -e {whole} && echo yes || true").strip() == "yes":
            return f"{there}/files"
        with tempfile.TemporaryDirectory(prefix="edgeffnet-") as folder:
            local = Path(folder) / "files"
            local.mkdir()
            for name, data in files.items():
                (local / name).write_bytes(data)
            self._quick(f"rm -rf {shlex.quote(there)} && mkdir -p {shlex.quote(there)}")
            self._adb("push", str(local), f"{there}/", timeout=timeout)
        count = self._quick(f"ls {shlex.quote(there)}/files | wc -l").strip()
        if count != str(len(files)):
            raise TargetError(f"{self.name}: {count} of {len(files)} files arrived")
        self._quick(f"touch {whole}")
        return f"{there}/files"

    def execute(
        self, words: Sequence[str], timeout: float, *, cores: Sequence[int] = (), told: Callable[[], None] | None = None
    ) -> Spoken:
        """Runs a program there on `cores`; it ends when this process does, or after `timeout` seconds.

        Raises TargetError with its last line when it fails, TargetLostError when the phone goes away.
        """
        mask = f"{sum(1 << core for core in cores):x}"
        pinned = ("taskset", mask, *words) if cores else tuple(words)
        state = _state(max(cores, default=0))
        seconds = int(timeout) + 1
        script = (
            f"{state}; exec 3<&0; {shlex.join(pinned)} </dev/null 2>&1 3<&- & p=$!; "
            "{ read -r _ <&3; kill -9 $p; } >/dev/null 2>&1 & a=$!; "
            f"{{ n=0; while sleep 1; do n=$((n+1)); [ $n -gt {seconds} ] && kill -9 $p; {state}; done; }} 2>&1 & s=$!; "
            f'wait $p; c=$?; kill $a $s 2>/dev/null; {state}; echo "edgeffnet:exit:$c"'
        )
        said = self._said(script, timeout + _SHORT_SECONDS, told)
        lines = said.splitlines()
        output = "\n".join(line for line in lines if not line.startswith("edgeffnet:"))
        code = _EXIT.search(said)
        if code is None:
            raise TargetLostError(f"{self.name}: the connection ended while {Path(words[0]).name} ran")
        if int(code[1]):
            last = next((line.strip() for line in reversed(output.splitlines()) if line.strip()), "it said nothing")
            raise TargetError(f"{self.name}: {Path(words[0]).name} ended with {code[1]}: {last}")
        return Spoken(output, tuple(_read_state(line) for line in lines if line.startswith(_SAMPLE)))

    def run(self, requests: Sequence[Request], timeout: float, progress: Progress | None = None) -> list[Any]:  # noqa: ARG002
        raise self._no_agent_error()

    def pull(self, remote: str, path: Path) -> None:
        part = path.with_name(f"{path.name}.part")
        try:
            self._adb("pull", remote, str(part.resolve()), timeout=10 * _SHORT_SECONDS)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)

    def machine(self) -> dict[str, Any]:
        """What the phone says of itself; `fast_cores` are its big ones."""
        told = dict(line.split("=", 1) for line in self._quick(_MACHINE).splitlines() if "=" in line)
        speed = {int(name[4:]): _number(value) or 0.0 for name, value in told.items() if name.startswith("core")}
        best = max(speed.values(), default=0.0)
        memory = re.search(r"(\d+) kB", told.get("memory", ""))
        name = " ".join(word for word in (told.get("model"), told.get("soc")) if word)
        return {
            "cpu": name or told.get("architecture", "unknown"),
            "architecture": told.get("architecture", "unknown"),
            "system": told.get("system", "unknown"),
            "cores": len(speed),
            "fast_cores": sorted(core for core, value in speed.items() if value >= 0.9 * best),
            "memory_bytes": int(memory[1]) * 1024 if memory else None,
            "cache": self._folder,
        }

    def clear(self) -> str:
        self._quick(f"rm -rf {shlex.quote(self._folder)}")
        return self._folder

    def close(self) -> None:
        """Nothing is held open."""

    def _sent_there(self, path: Path) -> str:
        data = path.read_bytes()
        digest = hashlib.sha256(data).hexdigest()
        suffix = path.suffix if re.fullmatch(r"[.][a-z0-9]+", path.suffix) else ""
        folder = f"{self._folder}/{digest[:32]}"
        there = f"{folder}/file{suffix}"
        quoted = shlex.quote(there)
        if digest in self._quick(f"sha256sum {quoted} 2>/dev/null || true"):
            return there
        self._quick(f"mkdir -p {shlex.quote(folder)}")
        self._adb("push", str(path.resolve()), there, timeout=_SHORT_SECONDS + len(data) / _BYTES_PER_SECOND)
        if digest not in self._quick(f"sha256sum {quoted}"):
            self._quick(f"rm -f {quoted}")
            raise TargetError(f"{self.name}: corrupt: {path.name} is not there what it is here (its hash differs)")
        return there

    def _quick(self, script: str) -> str:
        """The output of a short shell script, which must succeed."""
        said = self._said(f'( {script} ) 2>&1; echo "edgeffnet:exit:$?"', _SHORT_SECONDS)
        code = _EXIT.search(said)
        output = _EXIT.sub("", said)
        if code is None:
            raise TargetLostError(f"{self.name}: the connection ended")
        if int(code[1]):
            last = next((line.strip() for line in reversed(output.splitlines()) if line.strip()), "no reason given")
            raise TargetError(f"{self.name}: {last}")
        return output

    def _said(self, script: str, timeout: float, told: Callable[[], None] | None = None) -> str:
        return self._adb("shell", "-T", script, timeout=timeout, told=told)

    def _adb(self, *words: str, timeout: float, told: Callable[[], None] | None = None) -> str:
        """What `adb -s SERIAL WORDS` prints; the phone is told of our end by the closing of its input."""
        self._serial = self._serial or self._serial_given or only_device(self._address)
        try:
            process = subprocess.Popen(
                ["adb", "-s", self._serial, *words],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except FileNotFoundError:
            raise TargetError(f"{self.name}: adb is not installed: apt install adb") from None
        try:
            said = self._heard(process, words[0], time.monotonic() + timeout, told)
            code = process.wait(_SHORT_SECONDS)
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
        if code and not _EXIT.search(said):
            if words[0] == "shell" and not said.strip():
                raise TargetLostError(f"{self.name}: the connection ended (exit code {code})")
            reason = refusal(self._serial, "", code, said) or f"adb {words[0]} failed ({code})"
            raise TargetError(f"{self.name}: {reason}")
        return said

    def _heard(
        self, process: subprocess.Popen[bytes], what: str, deadline: float, told: Callable[[], None] | None
    ) -> str:
        assert process.stdout
        held = bytearray()
        while True:
            if not select.select([process.stdout], [], [], max(0.0, min(1.0, deadline - time.monotonic())))[0]:
                if time.monotonic() >= deadline:
                    raise TargetLostError(f"{self.name}: adb {what} did not finish in time")
                if told:
                    told()
                continue
            data = os.read(process.stdout.fileno(), 1 << 16)
            if not data:
                return held.decode("utf-8", "replace").replace("\r\n", "\n")
            held += data
            if len(held) > _LONGEST_OUTPUT:
                raise TargetError(f"{self.name}: over {_LONGEST_OUTPUT >> 20} MB of output from adb {what}")

    def _no_agent(self) -> Any:
        raise self._no_agent_error()

    def _no_agent_error(self) -> TargetError:
        return TargetError(
            f"{self.name}: benchmark_model gives no percentiles and no predictions; measure with "
            "`edgeffnet validate`, or name a Python there with ?python=/path"
        )


def phone_target(address: Address) -> Phone:
    """`adb://serial?benchmark_model=FILE[&evaluator=FILE]`; UsageError for a file that is not here."""
    files = {name: address.option(name) for name in ("benchmark_model", "evaluator")}
    for name, file in files.items():
        if file is not None and not Path(file).is_file():
            raise UsageError(f"--target {address.url}: ?{name}= is no file here: {file}")
    if files["benchmark_model"] is None or address.option("python"):
        raise UsageError(f"--target {address.url}: it takes ?python= or ?benchmark_model= (then &evaluator=)")
    evaluator = files["evaluator"]
    return Phone(address, Path(files["benchmark_model"]), None if evaluator is None else Path(evaluator))


def _read_state(line: str) -> dict[str, Any]:
    frequency, governor, temperature = (*line.removeprefix(_SAMPLE).split(":"), "", "")[:3]
    clock, heat = _number(frequency), _number(temperature)
    return {
        "frequency_mhz": None if clock is None else clock / 1e3,
        "governor": governor or None,
        # Some kernels give degrees, most thousandths of them.
        "temperature_c": None if heat is None else heat / 1e3 if abs(heat) > 1e3 else heat,
    }


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
