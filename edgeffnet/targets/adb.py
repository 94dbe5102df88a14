"""A device on the Android Debug Bridge that has Python: embedded Linux, or Termux's.

The user's own `adb` carries it: the keys that the device trusts, and the cable's server, are its.
A phone without Python is `phone`'s.
"""

from __future__ import annotations

import re
import shlex
import subprocess

from edgeffnet.errors import TargetError, UsageError
from edgeffnet.targets.address import Address
from edgeffnet.targets.remote import Channel, RemoteTarget, agent_source, bootstrap

_SERIAL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:()-]*")
_LIST_SECONDS = 20.0


def adb_target(address: Address) -> RemoteTarget:
    """`adb://serial[?python=/path&cache=/folder]`; UsageError for what is no serial.

    Without a serial there must be one device.
    """
    serial = serial_of(address)
    python = address.option("python") or "python3"
    if python.startswith("-"):
        raise UsageError(f"--target {address.url}: {python!r} is not a Python")
    source = agent_source()
    started = f"exec {shlex.quote(python)} -c {shlex.quote(bootstrap(source))}"

    def channel() -> Channel:
        found = serial or only_device(address)
        return Channel(
            ("adb", "-s", found, "shell", "-T", started),
            lambda code, said: refusal(found, python, code, said),
            source,
        )

    return RemoteTarget(address.url, channel, address.option("cache"))


def serial_of(address: Address) -> str:
    """The serial in an address, empty where none is named; UsageError for what is none."""
    serial = f"{address.host}:{address.port}" if address.port else address.host
    if address.user is not None or (serial and not _SERIAL.fullmatch(serial)):
        raise UsageError(f"--target {address.url}: not a device's serial; `adb devices` lists them")
    return serial


def only_device(address: Address) -> str:
    """The serial of the one device there is; TargetError names them all where there are more, or none."""
    try:
        done = subprocess.run(
            ["adb", "devices"],
            capture_output=True,
            text=True,
            timeout=_LIST_SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
    except FileNotFoundError:
        raise TargetError(f"{address.url}: adb is not installed: apt install adb") from None
    except subprocess.TimeoutExpired:
        raise TargetError(f"{address.url}: adb did not list its devices within {_LIST_SECONDS:.0f} s") from None
    found = [line.split("\t")[0] for line in done.stdout.splitlines()[1:] if "\t" in line]
    if len(found) != 1:
        there = f"there are {', '.join(found)}: name one, as in adb://{found[0]}" if found else "there is no device"
        raise TargetError(f"{address.url}: {there}")
    return found[0]


def refusal(serial: str, python: str, code: int, said: str) -> str | None:
    """Why no agent came up, from adb's exit code and words; None where they tell nothing."""
    last = next((line.strip() for line in reversed(said.splitlines()) if line.strip()), "")
    if "unauthorized" in said:
        return f"device {serial} is unauthorized: unlock it and allow this computer's key"
    if "offline" in said:
        return f"device {serial} is offline: reconnect it, or adb reconnect"
    if "not found" in said and "device" in said:
        return f"there is no device {serial}; `adb devices` lists those there are"
    if code in (126, 127):
        return (
            f"no Python there as {python!r} ({last}): name one with ?python=/path. "
            "A phone without Python is measured by a benchmark_model of your own: ?benchmark_model=FILE"
        )
    old = re.search(r"edgeffnet: too old: (\S+)", said)
    if old:
        return f"Python {old[1]} there is too old: 3.8 or newer is needed; name another with ?python=/path"
    return f"it cannot be reached: {last}" if said.strip() else None
