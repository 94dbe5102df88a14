"""Names of files in a bundle, which a stranger may have written: they lead nowhere else."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from typing import Any

from edgeffnet.errors import DataError

# They become parts of source code too: no quotes, no spaces, nothing that a shell or a compiler reads.
_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*(?:/[A-Za-z0-9_][A-Za-z0-9_.+-]*)*")


def inside(folder: Path, name: Any, source: str) -> Path:
    """The file `name` of `folder`. DataError, naming `source`, where it is outside, or a link that leads there."""
    if not isinstance(name, str) or not leads_inside(name):
        raise DataError(f"{source}: {name!r} is not the name of a file in its folder")
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise DataError(f"{source}: {name} is a link to somewhere else")
    return path


def plain(folder: Path, name: Any, source: str) -> Path:
    """The same, of letters, digits and `_.+-` alone."""
    path = inside(folder, name, source)
    if not _PLAIN.fullmatch(name):
        raise DataError(f"{source}: {name!r} holds characters that no name of edgeffnet's has")
    return path


def leads_inside(name: str) -> bool:
    """Whether a relative name stays in its folder, links aside."""
    parts = PurePosixPath(name).parts
    return bool(parts) and not name.startswith("/") and ".." not in parts and "\0" not in name
