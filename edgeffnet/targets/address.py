"""Where a target is: the text after `--target`."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote, urlsplit

from edgeffnet.errors import UsageError
from edgeffnet.targets.local import LocalTarget
from edgeffnet.targets.remote import RemoteTarget

FORMS = "local, ssh://user@host[:port][?python=/path], adb://serial, qemu://cortex-a72"


@dataclass(frozen=True)
class Address:
    """A target's URL taken apart; `options` are the pairs after its question mark."""

    url: str
    kind: str
    user: str | None
    host: str
    port: int | None
    options: tuple[tuple[str, str], ...]

    def option(self, name: str) -> str | None:
        return dict(self.options).get(name)


_OPTIONS = {
    "local": (),
    "ssh": ("python", "cache", "config"),
    "adb": ("python", "cache", "benchmark_model", "evaluator"),
    "qemu": (),
}


def parse(text: str) -> Address:
    """The address in `text`; UsageError says which part is wrong."""
    if text == "local":
        return Address(text, "local", None, "", None, ())
    try:
        parts = urlsplit(text)
        port = parts.port
        options = tuple(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
    except ValueError as error:
        raise UsageError(f"--target {text!r}: {error}; it takes {FORMS}") from None
    if parts.scheme not in _OPTIONS or parts.path.strip("/") or parts.fragment or parts.password is not None:
        wrong = "a password cannot be given: use a key" if parts.password is not None else f"it takes {FORMS}"
        shown = text if parts.password is None else f"{parts.scheme}://…"
        raise UsageError(f"--target {shown!r}: {wrong}")
    for name, value in options:
        if name not in _OPTIONS[parts.scheme] or not value or any(character < " " for character in value):
            known = ", ".join(_OPTIONS[parts.scheme])
            raise UsageError(f"--target {text!r}: ?{name}= is not an option with a value; there are: {known}")
    user = None if parts.username is None else unquote(parts.username)
    host = parts.netloc.rpartition("@")[2]
    host = host[: -len(f":{port}")] if port is not None else host
    return Address(text, parts.scheme, user, unquote(host.strip("[]")), port, options)


def target(text: str) -> RemoteTarget:
    """The target at an address, not yet connected. Raises UsageError for an address that is none."""
    address = parse(text)
    if address.kind == "local":
        return LocalTarget()
    if address.kind == "qemu":
        from edgeffnet.targets.qemu import emulated_target

        return emulated_target(address)
    if address.option("benchmark_model") or address.option("evaluator"):
        from edgeffnet.targets.phone import phone_target

        return phone_target(address)
    if address.kind == "adb":
        from edgeffnet.targets.adb import adb_target

        return adb_target(address)
    from edgeffnet.targets.ssh import ssh_target

    return ssh_target(address)
