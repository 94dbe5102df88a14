"""A target whose agent is reached through a process: files and jobs go over its standard input and output."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgeffnet.errors import TargetError, TargetLostError
from edgeffnet.targets import agent
from edgeffnet.targets.session import Explain, Session
from edgeffnet.targets.target import Progress, Request

_START_SECONDS = 30.0
_ANSWER_SECONDS = 30.0
# The slowest link that is waited for.
_BYTES_PER_SECOND = 50_000
_PIECE = 1 << 16
_OLDEST_PYTHON = (3, 8)


@dataclass(frozen=True)
class Channel:
    """How to start the agent somewhere: the command that runs Python there, and what its failures mean."""

    command: tuple[str, ...]
    explain: Explain
    source: bytes = b""
    start_seconds: float = _START_SECONDS
    environment: Mapping[str, str] = field(default_factory=dict)


def bootstrap(source: bytes) -> str:
    """The `python -c` program that reads the agent from its input: one line, of characters no shell touches.

    It is read by every Python, so that one too old can say which it is.
    """
    old = f"sys.version_info<{_OLDEST_PYTHON!r}".replace(" ", "")
    return (
        "import os,sys;"
        f'{old} and sys.exit("edgeffnet: too old: "+sys.version.split()[0]);'
        f's=b"".join(os.read(0,1) for _ in range({len(source)}));'
        's and exec(s.decode("utf-8"),{"__name__":"__main__"})'
    )


def agent_source() -> bytes:
    """The agent as it travels: it serves, whatever its arguments."""
    return Path(agent.__file__).read_bytes().replace(b"main(sys.argv[1:])", b'main(["serve"])')


class RemoteTarget:
    """Runs artefacts where `channel` leads; connects when first needed, and again after a loss."""

    def __init__(self, name: str, channel: Callable[[], Channel], cache: str | None = None) -> None:
        self.name = name
        self._channel = channel
        self._cache_wanted = cache
        self._session: Session | None = None
        self._opened: dict[str, Any] = {}

    def push(self, path: Path, *companions: Path) -> str:
        files = [(path, _hash(path)), *((companion, _hash(companion)) for companion in companions)]
        key = hashlib.sha256("".join(digest for _, digest in files).encode()).hexdigest()[:32]
        places = [self._sent(file, digest, key) for file, digest in files]
        return places[0]

    def run(self, requests: Sequence[Request], timeout: float, progress: Progress | None = None) -> list[Any]:
        results: list[Any] = []
        failures: list[dict[str, Any]] = []

        def heard(event: dict[str, Any]) -> None:
            if event["event"] == "result":
                results.append(event.get("result"))
            elif event["event"] == "error":
                failures.append(event)
            elif event["event"] == "progress" and progress:
                progress(*_progress(self.name, event))

        job = {"do": "job", "requests": list(requests), "seconds": timeout}
        try:
            self._connected().ask(job, timeout + _ANSWER_SECONDS, heard)
        except TargetLostError as error:
            raise TargetLostError(str(error), results) from None
        if failures:
            raise TargetError(f"{self.name}: {_failure(failures[0])}")
        if len(results) != len(requests):
            raise TargetError(f"{self.name}: the agent answered {len(results)} of {len(requests)} requests")
        return results

    def scratch(self, name: str) -> str:
        self._connected()
        return f"{self._opened['scratch']}/{name}"

    def pull(self, remote: str, path: Path) -> None:
        digest = hashlib.sha256()
        part = path.with_name(f"{path.name}.part")
        try:
            with part.open("wb") as file:

                def heard(event: dict[str, Any]) -> None:
                    data = _decoded(self.name, event)
                    digest.update(data)
                    file.write(data)

                answer = self._connected().ask({"do": "get", "path": remote}, 10 * _ANSWER_SECONDS, heard)
            if _field(self.name, answer, "sha256") != digest.hexdigest():
                raise TargetError(f"{self.name}: {remote} arrived here corrupt (its hash differs)")
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)

    def close(self) -> None:
        if self._session:
            self._session.close()
            self._session = None

    def machine(self) -> dict[str, Any]:
        """What the machine is, found without numpy or an interpreter, and where its cache lies."""
        session = self._connected()
        told = session.ask({"do": "machine"}, _ANSWER_SECONDS)
        for field_name in agent.machine():
            _field(self.name, told, field_name)
        return {**told, **self._opened}

    def clear(self) -> str:
        """Removes the cache there; returns the folder it was."""
        answer = self._connected().ask({"do": "clear"}, _ANSWER_SECONDS)
        self.close()
        return str(_field(self.name, answer, "removed"))

    def _connected(self) -> Session:
        if self._session is None or not self._session.alive:
            self.close()
            channel = self._channel()
            session = Session(
                self.name,
                channel.command,
                channel.explain,
                channel.start_seconds,
                channel.source,
                {**os.environ, **channel.environment},
            )
            try:
                self._opened = session.ask({"do": "open", "cache": self._cache_wanted}, _ANSWER_SECONDS)
                for field_name in ("cache", "scratch", "free_bytes"):
                    _field(self.name, self._opened, field_name)
            except BaseException:
                session.kill()
                raise
            self._session = session
        return self._session

    def _sent(self, path: Path, digest: str, key: str) -> str:
        """The file's path there, its missing bytes sent. A damaged beginning is sent again, once."""
        file = {"key": key, "name": f"model{path.suffix.lower()}", "sha256": digest}
        size = path.stat().st_size
        for attempt in range(2):
            session = self._connected()
            found = session.ask({"do": "have", **file}, _ANSWER_SECONDS + size / _BYTES_PER_SECOND)
            if _field(self.name, found, "whole"):
                return str(_field(self.name, found, "path"))
            offset = min(max(_number(self.name, found, "bytes"), 0), size)
            try:
                answer = session.ask(
                    {"do": "put", **file, "offset": offset, "size": size},
                    _ANSWER_SECONDS + (size - offset) / _BYTES_PER_SECOND,
                    payload=_pieces(path, offset, size),
                )
                return str(_field(self.name, answer, "path"))
            except TargetLostError:
                raise
            except TargetError as error:
                if attempt or not offset or "corrupt" not in str(error):
                    raise TargetError(f"{error} ({path.name})") from None
        raise AssertionError("unreachable")


def local_channel() -> Channel:
    """The agent on this machine, with this interpreter."""
    return Channel((sys.executable, "-P", agent.__file__, "serve"), lambda _code, _said: None)


def _failure(event: dict[str, Any]) -> str:
    missing = event.get("missing")
    if missing:
        return (
            f"{missing} is missing there, or cannot be imported: {event.get('message')}; see `edgeffnet target check`"
        )
    return f"the agent failed: {event.get('message')}"


def _pieces(path: Path, offset: int, size: int) -> Iterator[bytes]:
    """Exactly `size - offset` bytes, whatever becomes of the file meanwhile: its hash is checked there."""
    left = size - offset
    with path.open("rb") as file:
        file.seek(offset)
        while left:
            data = file.read(min(_PIECE, left)) or b"\0" * min(_PIECE, left)
            left -= len(data)
            yield data


def _hash(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while data := file.read(1 << 20):
            digest.update(data)
    return digest.hexdigest()


def _field(name: str, answer: Any, field_name: str) -> Any:
    """What an answer holds by that name; TargetError where it does not."""
    if not isinstance(answer, dict) or field_name not in answer:
        raise TargetError(f"{name}: the agent's output is corrupt: an answer without {field_name}")
    return answer[field_name]


def _number(name: str, answer: Any, field_name: str) -> int:
    value = _field(name, answer, field_name)
    if not isinstance(value, int):
        raise TargetError(f"{name}: the agent's output is corrupt: {field_name} is no number")
    return value


def _progress(name: str, event: dict[str, Any]) -> tuple[int, int, str]:
    return _number(name, event, "done"), _number(name, event, "of"), str(_field(name, event, "name"))


def _decoded(name: str, event: dict[str, Any]) -> bytes:
    try:
        return base64.b64decode(event["bytes"], validate=True)
    except (KeyError, TypeError, binascii.Error):
        raise TargetError(f"{name}: the agent's output is corrupt: a piece of a file is no base64") from None
