"""Whether files of the user are as they were: their hashes, or of many images names, sizes and dates."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterable
from pathlib import Path

from edgeffnet.errors import DataError
from edgeffnet.hashing import sha256_of


def state(path: Path) -> str:
    """A text that changes when `path` does, or what it lists; DataError where it cannot be read."""
    try:
        if path.is_dir():
            return _dates(sorted(path.rglob("*")), path)
        listed = _listed(path) if path.suffix == ".csv" else ()
        return sha256_of(path) + _dates(listed, path.parent)
    except OSError as error:
        raise DataError(f"{error.filename or path}: {error.strerror or error}") from None


def _listed(path: Path) -> Iterable[Path]:
    """The files that a list of images names and that are there; what is wrong with it, its reader says."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            names = [row.get("file") for row in csv.DictReader(file)]
    except (UnicodeDecodeError, csv.Error):
        return ()
    return [one for name in names if name and (one := path.parent / name).is_file()]


def _dates(paths: Iterable[Path], start: Path) -> str:
    digest = hashlib.sha256()
    for one in paths:
        about = one.stat() if one.exists() else one.lstat()
        line = f"{one.relative_to(start) if one.is_relative_to(start) else one}\0{about.st_size}\0{about.st_mtime_ns}\n"
        digest.update(line.encode("utf-8", "surrogateescape"))
    return digest.hexdigest()
