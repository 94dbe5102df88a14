"""A machine reached by OpenSSH's own client.

It, and no library, because `~/.ssh/config`, agents, certificates, hardware keys and jump hosts then
work exactly as in the `ssh board` the user has tried.
"""

from __future__ import annotations

import re
import shlex

from edgeffnet.errors import UsageError
from edgeffnet.targets.address import Address
from edgeffnet.targets.remote import Channel, RemoteTarget, agent_source, bootstrap

# ProxyCommand and the like hand host and user to a shell: no character that means something there.
_HOST = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:%-]*")
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@+-]*")

_OPTIONS = {
    "BatchMode": "yes",
    "StrictHostKeyChecking": "yes",
    "ConnectTimeout": "10",
    "ServerAliveInterval": "5",
    "ServerAliveCountMax": "3",
    "ControlMaster": "no",
    "ClearAllForwardings": "yes",
    "PermitLocalCommand": "no",
    "RemoteCommand": "none",
    "LogLevel": "ERROR",
}


def ssh_target(address: Address) -> RemoteTarget:
    """`ssh://user@host[:port][?python=/path&cache=/folder&config=/ssh/config]`; UsageError where it cannot be one."""
    if not address.host or not _HOST.fullmatch(address.host):
        raise UsageError(f"--target {address.url}: {address.host!r} is not a host name")
    if address.user is not None and not _USER.fullmatch(address.user):
        raise UsageError(f"--target {address.url}: {address.user!r} is not a user name")
    python = address.option("python") or "python3"
    if python.startswith("-"):
        raise UsageError(f"--target {address.url}: {python!r} is not a Python")
    source = agent_source()
    command = (*_client(address), "--", address.host, f"exec {shlex.quote(python)} -c {shlex.quote(bootstrap(source))}")

    def explain(code: int, said: str) -> str | None:
        return _refusal(address, python, code, said)

    return RemoteTarget(address.url, lambda: Channel(command, explain, source), address.option("cache"))


def _client(address: Address) -> tuple[str, ...]:
    """`ssh` with what the address says and what we insist on, up to the host."""
    made = ["ssh", "-T", "-x", "-a"]
    config = address.option("config")
    made += ["-F", config] if config else []
    made += ["-p", str(address.port)] if address.port else []
    made += ["-l", address.user] if address.user else []
    for name, value in _OPTIONS.items():
        made += ["-o", f"{name}={value}"]
    return tuple(made)


def _refusal(address: Address, python: str, code: int, said: str) -> str | None:
    """Why no agent came up, with the way out."""
    by_hand = _by_hand(address)
    last = next((line.strip() for line in reversed(said.splitlines()) if line.strip()), "")
    if code == 255:
        if "IDENTIFICATION HAS CHANGED" in said:
            place = f"[{address.host}]:{address.port}" if address.port else address.host
            return (
                "its host key is not the one in known_hosts. If the board was reinstalled: "
                f"ssh-keygen -R {shlex.quote(place)}, then {by_hand}; if not, do not connect"
            )
        if "Host key verification failed" in said or "host key is known" in said:
            return f"its host key is not in known_hosts: run once, and compare the fingerprint: {by_hand}"
        if "Permission denied" in said or "Too many authentication failures" in said:
            return f"the login was refused; this must work without a password: {by_hand} (see ssh-copy-id, ssh-add)"
        return f"it cannot be reached: {last or 'ssh gave no reason'}"
    if code in (126, 127):
        return f"no Python there as {python!r} ({last}): install python3, or name one with ?python=/path"
    old = re.search(r"edgeffnet: too old: (\S+)", said)
    if old:
        return f"Python {old[1]} there is too old: 3.8 or newer is needed; name another with ?python=/path"
    if code > 128:
        return f"Python there died of signal {code - 128}: {last}"
    return None


def _by_hand(address: Address) -> str:
    """The ssh command that a person would type."""
    words = ["ssh"]
    config = address.option("config")
    words += ["-F", config] if config else []
    words += ["-p", str(address.port)] if address.port else []
    host = f"{address.user}@{address.host}" if address.user else address.host
    return shlex.join([*words, host])
