"""What long work has found so far, a line each in a file: killed, the same work goes on from there."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from edgeffnet.errors import DataError, UsageError
from edgeffnet.whole_file import write_whole


class Journal:
    """Findings by key, in memory and, where there is a `path`, in that file.

    `question` is what was asked, as plain data: a file of another question is refused with UsageError, one that
    cannot be read or written with DataError.
    """

    def __init__(self, path: Path | None, question: dict[str, Any]) -> None:
        self.path = path
        self._found: dict[str, dict[str, Any]] = {}
        if path is None:
            return
        try:
            self._open(path, json.dumps(question, sort_keys=True))
        except OSError as error:
            raise DataError(f"{path}: {error.strerror or error}") from None
        self.resumed = len(self._found)

    resumed = 0

    def get(self, key: str) -> dict[str, Any] | None:
        """What was found before, None where nothing was."""
        return self._found.get(key)

    def put(self, key: str, found: dict[str, Any]) -> None:
        """Keeps a finding; it is on the disk when this returns."""
        self._found[key] = found
        if self.path is None:
            return
        line = json.dumps({"key": key, "found": found})
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(line + "\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise DataError(f"{self.path}: {error.strerror or error}") from None

    def _open(self, path: Path, question: str) -> None:
        text = path.read_bytes().decode("utf-8", errors="replace") if path.exists() else ""
        first, *lines = text.split("\n")
        if text and first != question:
            raise UsageError(f"{path}: the journal of something else that was asked; name another file, or delete it")
        whole = [question]
        for line in lines:
            try:
                entry = json.loads(line)
                self._found[str(entry["key"])] = dict(entry["found"])
            except (ValueError, TypeError, KeyError):
                break  # the last line may have been cut off
            whole.append(line)
        kept = "\n".join(whole) + "\n"
        if kept != text:
            write_whole(path, kept.encode())
