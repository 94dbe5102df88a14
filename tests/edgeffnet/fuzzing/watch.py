"""What a reader may do with a file of anybody's: answer or refuse, in five seconds of processor time, no more."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings

from edgeffnet.errors import EdgeffnetError

# By hand: EDGEFFNET_FUZZ=100 tries a hundred times as much as CI does.
_TIMES = int(os.environ.get("EDGEFFNET_FUZZ", "1"))
_CPU_SECONDS = 5.0
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_STARTS = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "socket.connect", "ctypes.dlopen")
_CHANGES = ("os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.symlink", "os.truncate", "shutil.rmtree")


class _Watch:
    """Collects what happens while it is `on`; Python keeps an audit hook for good."""

    on = False
    seen: list[str] = []  # noqa: RUF012

    @classmethod
    def hear(cls, event: str, arguments: tuple[Any, ...]) -> None:
        if not cls.on:
            return
        if event in _STARTS or event in _CHANGES:
            cls.seen.append(f"{event} {arguments[:1]}")
        elif event == "open" and isinstance(arguments[2], int) and arguments[2] & _WRITES:
            cls.seen.append(f"open {arguments[0]}")


sys.addaudithook(_Watch.hear)


class TookTooLongError(Exception):
    """Five seconds of the processor's time."""


def tries(count: int) -> settings:
    """That many examples, or as many times more as EDGEFFNET_FUZZ says; the same in every run of CI."""
    return settings(
        max_examples=count * _TIMES,
        deadline=None,
        derandomize=_TIMES == 1,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


def only_answers_or_refuses(read: Callable[[], Any], *, silent: bool = True) -> Any:
    """What `read` returns, or its EdgeffnetError; an AssertionError for whatever else it does.

    `silent` readers start no process, open no connection and change no file.
    """
    with _limited():
        _Watch.seen, _Watch.on = [], silent
        try:
            return read()
        except EdgeffnetError as error:
            return error
        finally:
            _Watch.on = False
            assert not _Watch.seen, _Watch.seen


@contextmanager
def _limited() -> Iterator[None]:
    def late(*_: Any) -> None:
        raise TookTooLongError

    before = signal.signal(signal.SIGVTALRM, late)
    signal.setitimer(signal.ITIMER_VIRTUAL, _CPU_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


@contextmanager
def folder() -> Iterator[Path]:
    """A folder of one example's own."""
    with tempfile.TemporaryDirectory(prefix="edgeffnet-fuzz-") as made:
        yield Path(made)
