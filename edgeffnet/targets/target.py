"""What every target offers: files go there, a job runs there, files come back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

Request = Mapping[str, Any]
Progress = Callable[[int, int, str], None]


class Target(Protocol):
    """A machine that runs artefacts. Every call ends in bounded time or raises TargetError.

    TargetLostError says that the link broke: the same call may be made again, and connects anew.
    """

    name: str

    def push(self, path: Path, *companions: Path) -> str:
        """Makes a local file readable there, its companions beside it; returns its path there.

        A file that is there already, by its content, is not sent again, and half of one is continued.
        """

    def run(self, requests: Sequence[Request], timeout: float, progress: Progress | None = None) -> list[Any]:
        """Has the agent serve `requests` in one process, within `timeout` seconds; returns their results in order."""

    def scratch(self, name: str) -> str:
        """A path there for a file that a request writes; it is gone after `close`."""

    def pull(self, remote: str, path: Path) -> None:
        """Copies a file from there to local `path`, which appears whole or not at all."""

    def close(self) -> None:
        """Ends what runs there and removes what was written there, but for the cache of pushed files."""
