"""This machine as a target: the agent in a process of its own, away from the converters' threads."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from edgeffnet.targets.remote import RemoteTarget, local_channel


class LocalTarget(RemoteTarget):
    """Runs the agent with this interpreter; files are used where they lie."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="edgeffnet-"))
        super().__init__("this machine", local_channel, str(self._folder))

    def push(self, path: Path, *companions: Path) -> str:  # noqa: ARG002
        return str(path.resolve())

    def close(self) -> None:
        super().close()
        shutil.rmtree(self._folder, ignore_errors=True)
