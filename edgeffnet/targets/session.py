"""A conversation with the agent: requests go to a process's standard input, answers come from its output."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from typing import IO, Any

from edgeffnet.errors import TargetError, TargetLostError

Explain = Callable[[int, str], str | None]

_BEAT_SECONDS = 2.0
_LONGEST_LINE = 16 << 20
# What a login shell may print before the agent speaks.
_MOST_NOISE = 1 << 16
_SHOWN = 200


class Session:
    """One agent, for as long as its process lives.

    `explain(code, stderr)` says why a process that ended early did, or None where it cannot tell.
    Raises TargetError when the agent does not answer within `timeout` seconds.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        explain: Explain,
        timeout: float,
        source: bytes = b"",
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self._explain = explain
        self._closed = self._ready = False
        self._writing = threading.Lock()
        self._said = bytearray()
        self._lines: queue.Queue[bytes | None] = queue.Queue(maxsize=1024)
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                # Ctrl-C is ours to handle: the agent is told by the closing of its input.
                start_new_session=True,
                env=environment,
            )
        except OSError as error:
            raise TargetError(f"{name}: {command[0]} cannot be started: {error.strerror}") from None
        for work in (self._listen, self._hear_errors, self._beat):
            threading.Thread(target=work, daemon=True).start()
        try:
            self._write([source], time.monotonic() + timeout)
            self._await_ready(time.monotonic() + timeout)
        except BaseException:
            self.kill()
            raise

    @property
    def alive(self) -> bool:
        return not self._closed and self._process.poll() is None

    def ask(
        self,
        request: Mapping[str, Any],
        timeout: float,
        on_event: Callable[[dict[str, Any]], None] | None = None,
        payload: Iterable[bytes] | None = None,
    ) -> Any:
        """The result of one request; `payload` follows it, events meanwhile go to `on_event`.

        Raises TargetError with the agent's own words, and TargetLostError when it falls silent.
        Whatever else ends the wait ends the session too: the answer would be taken for the next one's.
        """
        deadline = time.monotonic() + timeout
        try:
            self._write(chain([json.dumps(request).encode() + b"\n"], payload or ()), deadline)
            while True:
                event = self._event(deadline)
                if event["event"] == "answer":
                    return event.get("result")
                if event["event"] == "error" and "request" not in event:
                    break
                if on_event:
                    on_event(event)
        except BaseException:
            self.kill()
            raise
        raise TargetError(f"{self.name}: {event.get('message')}")

    def close(self) -> None:
        """Lets the agent clear up and end, by closing its input; kills what does not."""
        self._closed = True
        self._close_input()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(5)
        self.kill()

    def kill(self) -> None:
        """Ends the process at once; the agent at its other end sees its input close."""
        self._closed = True
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._close_input()

    def _close_input(self) -> None:
        if self._writing.acquire(timeout=1):
            try:
                with contextlib.suppress(OSError):
                    assert self._process.stdin
                    self._process.stdin.close()
            finally:
                self._writing.release()

    def _await_ready(self, deadline: float) -> None:
        noise = 0
        while noise < _MOST_NOISE:
            line = self._line(deadline)
            with contextlib.suppress(ValueError):
                event = json.loads(line)
                if isinstance(event, dict) and event.get("event") == "ready":
                    self._ready = True
                    return
            noise += len(line) + 1
        raise TargetError(f"{self.name}: the login shell there prints without end before a command runs")

    def _event(self, deadline: float) -> dict[str, Any]:
        line = self._line(deadline)
        try:
            event = json.loads(line)
            if isinstance(event, dict) and isinstance(event["event"], str):
                return event
        except (ValueError, KeyError, RecursionError):
            pass
        shown = line[:_SHOWN].decode("utf-8", "replace")
        raise TargetError(f"{self.name}: the agent's output is corrupt: {shown!r}")

    def _line(self, deadline: float) -> bytes:
        try:
            line = self._lines.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            raise TargetLostError(f"{self.name}: no answer in time") from None
        if line is None:
            raise self._ended()
        if len(line) > _LONGEST_LINE:
            raise TargetError(f"{self.name}: the agent's output is corrupt: a line of over {_LONGEST_LINE >> 20} MB")
        return line

    def _ended(self) -> TargetError:
        """Why the process ended. Its own end may follow that of its output."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(2)
        # The thread that hears errors needs a moment after the process's end.
        time.sleep(0.05)
        code = self._process.poll()
        said = bytes(self._said).decode("utf-8", "replace")
        reason = None if self._ready else self._explain(-1 if code is None else code, said)
        if reason:
            return TargetError(f"{self.name}: {reason}")
        last = next((line.strip() for line in reversed(said.splitlines()) if line.strip()), "it said nothing")
        return TargetLostError(f"{self.name}: the connection ended (exit code {code}: {last})")

    def _write(self, pieces: Iterable[bytes], deadline: float) -> None:
        """Writes all of it, with no heartbeat between; a process that does not take it in time is killed."""
        stdin = self._process.stdin
        assert stdin
        expired = threading.Event()

        def expire() -> None:
            expired.set()
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

        timer = threading.Timer(max(0.0, deadline - time.monotonic()), expire)
        # Interrupted before it is cancelled, it must not keep this process alive.
        timer.daemon = True
        try:
            timer.start()
            with self._writing:
                for piece in pieces:
                    stdin.write(piece)
                stdin.flush()
        except (BrokenPipeError, ValueError):
            if expired.is_set():
                raise TargetLostError(f"{self.name}: it did not take what was sent in time") from None
            raise self._ended() from None
        finally:
            timer.cancel()

    def _listen(self) -> None:
        stream: IO[bytes] | None = self._process.stdout
        assert stream
        with contextlib.suppress(OSError, ValueError):
            while line := stream.readline(_LONGEST_LINE + 2):
                # Half a line is the end of a link that broke, unless it is half of an endless one.
                if line.endswith(b"\n") or len(line) > _LONGEST_LINE:
                    self._lines.put(line.rstrip(b"\n"))
        stream.close()
        self._lines.put(None)

    def _hear_errors(self) -> None:
        stream: IO[bytes] | None = self._process.stderr
        assert stream
        with contextlib.suppress(OSError, ValueError):
            while data := stream.read1(4096):  # type: ignore[attr-defined]
                self._said += data
                del self._said[:-8192]
        stream.close()

    def _beat(self) -> None:
        """The agent ends when it hears nothing for some time: a cut link leaves nothing running there."""
        while not self._closed:
            time.sleep(_BEAT_SECONDS)
            with contextlib.suppress(OSError, ValueError):
                if not self._closed and self._writing.acquire(blocking=False):
                    try:
                        assert self._process.stdin
                        self._process.stdin.write(b"\n")
                        self._process.stdin.flush()
                    finally:
                        self._writing.release()
