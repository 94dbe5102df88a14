"""Whether a machine can serve as a target: what it is, what is installed, and the line that adds the rest."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import Any

from edgeffnet.errors import TargetError, TargetLostError
from edgeffnet.targets.address import target
from edgeffnet.targets.target import Target
from edgeffnet.targets.wheels import install_line, needs_environment

_MODULES = {
    "numpy": "numpy",
    "ai-edge-litert": "ai_edge_litert.interpreter",
    "tflite-runtime": "tflite_runtime.interpreter",
    "tensorflow": "tensorflow",
    "openvino": "openvino",
}
_INTERPRETERS = ("ai-edge-litert", "tflite-runtime", "tensorflow")
# Of one model and its shards of images.
_NEEDED_DISK = 100e6
_NEEDED_MEMORY = 150e6


@dataclass(frozen=True)
class Check:
    """A machine, the packages that import there, why the others do not, and what to do about it."""

    url: str
    machine: dict[str, Any]
    versions: dict[str, str]
    failures: dict[str, str]
    missing: str | None
    install: str | None
    warnings: tuple[str, ...]

    @property
    def usable(self) -> bool:
        return self.missing is None

    def to_dict(self) -> dict[str, Any]:
        return {
            "target": self.url,
            "usable": self.usable,
            "machine": self.machine,
            "versions": self.versions,
            "failures": self.failures,
            "missing": self.missing,
            "install": self.install,
            "warnings": list(self.warnings),
        }

    def lines(self) -> list[str]:
        """For a terminal."""
        found = self.machine
        clock = "clock unknown" if found["frequency_mhz"] is None else f"{found['frequency_mhz']:.0f} MHz"
        heat = "temperature unknown" if found["temperature_c"] is None else f"{found['temperature_c']:.0f} C"
        made = [
            f"board        {found['board'] or found['cpu']} ({found['architecture']}, {found['pointer_bits']} bit)",
            f"cores        {found['cores']}, the fastest: {', '.join(map(str, found['fast_cores']))}",
            f"clock        {clock}, governor {found['governor'] or 'unknown'}",
            f"cooling      {', '.join(found['cooling']) or 'none seen'}; {heat}",
            f"memory       {found['memory_bytes'] / 1e6:.0f} MB, {found['memory_free_bytes'] / 1e6:.0f} MB free",
            f"disk         {found['free_bytes'] / 1e6:.0f} MB free at {found['cache']}",
            f"python       {found['python']} at {found['executable']}, {found['libc']}",
        ]
        made += [f"{name:12} {version}" for name, version in self.versions.items()]
        made += [f"{name:12} crashes: {reason}" for name, reason in self.failures.items() if "crashed" in reason]
        made += [f"- {warning}" for warning in self.warnings]
        if self.missing:
            made.append(f"missing: {self.missing}")
        if self.install:
            made.append(f"to install it there: {self.install}")
        return made


def check(url: str) -> Check:
    """Looks at the machine at `url`. Raises TargetError where it cannot be reached or has no usable Python."""
    with closing(target(url)) as there:
        machine = there.machine()
        versions, failures = {}, {}
        for name, module in _MODULES.items():
            try:
                versions[name] = _probed(there, module)
            except TargetLostError:
                raise
            except TargetError as error:
                failures[name] = str(error).removeprefix(f"{there.name}: ")
    missing = _missing(versions, failures)
    warnings = _warnings(machine, versions)
    line = None if missing is None else install_line(machine)
    if missing and line is None:
        missing = f"{missing}, and no wheel of an interpreter exists for {_what(machine)}"
    if line and needs_environment(machine):
        warnings = (*warnings, f"after installing, add ?python={machine['home']}/edgeffnet/bin/python to the address")
    return Check(url, machine, versions, failures, missing, line, warnings)


def _probed(there: Target, module: str) -> str:
    return str(there.run([{"do": "probe", "module": module}], timeout=120)[0]["version"])


def _missing(versions: dict[str, str], failures: dict[str, str]) -> str | None:
    absent = [] if "numpy" in versions else [_absent("numpy", failures)]
    if not any(name in versions for name in _INTERPRETERS):
        crashed = next((name for name in _INTERPRETERS if "crashed" in failures[name]), None)
        absent.append(_absent(crashed, failures) if crashed else f"an interpreter ({' or '.join(_INTERPRETERS)})")
    return " and ".join(absent) or None


def _absent(name: str, failures: dict[str, str]) -> str:
    return f"{name} ({failures[name]})" if "crashed" in failures[name] else name


def _warnings(machine: dict[str, Any], versions: dict[str, str]) -> tuple[str, ...]:
    made = []
    if machine["governor"] not in (None, "performance"):
        made.append(f"governor is {machine['governor']}: latency will move with the clock")
    if machine["throttled"]:
        made.append("the board is throttled now: look to its cooling and power supply")
    if machine["free_bytes"] < _NEEDED_DISK:
        made.append(f"little room: {machine['free_bytes'] / 1e6:.0f} MB free at {machine['cache']}; see ?cache=")
    if machine["memory_free_bytes"] < _NEEDED_MEMORY:
        made.append(f"little memory: {machine['memory_free_bytes'] / 1e6:.0f} MB free")
    if "ai-edge-litert" not in versions and "tflite-runtime" in versions:
        made.append(
            "tflite-runtime 2.14 has other int8 kernels than LiteRT and does not use XNNPACK for int8: "
            "predictions may differ from this machine's, and latency will"
        )
        if versions.get("numpy", "1").split(".")[0] != "1":
            made.append("tflite-runtime 2.14 crashes with numpy 2: install 'numpy<2'")
    return tuple(made)


def _what(machine: dict[str, Any]) -> str:
    return f"Python {machine['python']} on {machine['architecture']} ({machine['pointer_bits']} bit, {machine['libc']})"
