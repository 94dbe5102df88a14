"""Files that are there whole, or as they were before; and folders that one process at a time writes."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edgeffnet.errors import UsageError


def write_whole(path: Path, data: bytes) -> None:
    """`data` as the file `path`, which is there whole or as it was before; raises OSError."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        with partial.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


@contextmanager
def writing_alone(lock: Path, output: Path, what: str) -> Iterator[None]:
    """Holds the file `lock`; UsageError where another process does, which says that `what` is writing `output`."""
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UsageError(f"--output {output}: another {what} is writing it; choose another folder") from None
        yield
