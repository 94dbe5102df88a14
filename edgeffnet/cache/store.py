"""Folders kept by what made them: whole or not at all, checked before each use, the longest unused removed first."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import platformdirs

from edgeffnet.budget import size_bytes
from edgeffnet.errors import UsageError
from edgeffnet.hashing import sha256_of
from edgeffnet.json_file import read_json

LIMIT_BYTES = 4_000_000_000
_FOLDER, _LIMIT = "EDGEFFNET_CACHE", "EDGEFFNET_CACHE_LIMIT"
# Its kind and the hashes of its files, written last.
_ENTRY = "entry.json"
_LOCKS = "locks"


@dataclass(frozen=True)
class Kept:
    """An entry: what kind of thing it is, and the bytes of its files."""

    kind: str
    key: str
    bytes: int


class Cache:
    """Entries in `folder`, `limit` bytes of them at most. What it cannot keep is made all the same."""

    def __init__(self, folder: Path, limit: int = LIMIT_BYTES) -> None:
        self.folder = folder
        self.limit = limit

    @classmethod
    def of_user(cls) -> Cache:
        """The user's: below EDGEFFNET_CACHE where that is set, of EDGEFFNET_CACHE_LIMIT such as 4GB.

        UsageError for a limit that is no size.
        """
        folder = os.environ.get(_FOLDER) or platformdirs.user_cache_dir("edgeffnet", appauthor=False)
        limit = os.environ.get(_LIMIT)
        return cls(Path(folder) / "steps", size_bytes(limit, _LIMIT) if limit else LIMIT_BYTES)

    @contextmanager
    def entry(self, kind: str, made_from: Mapping[str, Any], make: Callable[[Path], None]) -> Iterator[Path]:
        """A folder with what `make` writes into one; made now unless it is there, whole, for the same `made_from`.

        No other process makes the same meanwhile, or changes it before the block ends. Where nothing can be kept,
        on a full or read-only disk, the folder is one that is gone afterwards.
        """
        key = hashlib.sha256(json.dumps([kind, made_from], sort_keys=True).encode()).hexdigest()[:40]
        place = self.folder / key
        with self._held(key) as held:
            if held and _whole(place):
                with contextlib.suppress(OSError):
                    os.utime(place)
                yield place
                return
            with tempfile.TemporaryDirectory(prefix="edgeffnet-") as private:
                made = Path(private) / "made"
                made.mkdir()
                make(made)
                yield self._kept(made, place, kind) if held else made

    def path(self, kind: str, made_from: Mapping[str, Any], make: Callable[[Path], None]) -> Path:
        """The same folder, to stay until it is unused for long. UsageError where nothing can be kept."""
        with self.entry(kind, made_from, make) as place:
            if place.parent != self.folder:
                raise UsageError(f"{self.folder}: full, or cannot be written: {_FOLDER} names another folder")
            return place

    def entries(self) -> tuple[Kept, ...]:
        """Those that are there, the longest unused first; damaged ones too."""
        found = [(path.stat().st_mtime, path) for path in self._places()]
        return tuple(Kept(_kind(path), path.name, _bytes(path)) for _, path in sorted(found))

    def clear(self) -> int:
        """Removes all entries that nobody uses just now; returns the bytes that this freed."""
        freed = 0
        for path in self._places():
            size = _bytes(path)
            with self._held(path.name, wait=False) as held:
                if held:
                    shutil.rmtree(path, ignore_errors=True)
                    freed += size
        return freed

    def _kept(self, made: Path, place: Path, kind: str) -> Path:
        """Where the entry lies from now on: `place`, or `made` where there is no room for it."""
        partial = self.folder / f".partial-{place.name}"
        files = {path.relative_to(made).as_posix(): sha256_of(path) for path in _files(made)}
        try:
            # What a killed process left; only the holder of the lock is here.
            shutil.rmtree(partial, ignore_errors=True)
            shutil.rmtree(place, ignore_errors=True)
            self._make_room(_bytes(made), place.name)
            shutil.copytree(made, partial)
            (partial / _ENTRY).write_text(json.dumps({"kind": kind, "files": files}), encoding="utf-8")
            partial.rename(place)
        except OSError:
            shutil.rmtree(partial, ignore_errors=True)
            return made
        return place

    @contextmanager
    def _held(self, key: str, *, wait: bool = True) -> Iterator[bool]:
        """Whether this process holds the entry's lock, and so may use and change it."""
        try:
            (self.folder / _LOCKS).mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(self.folder / _LOCKS / key, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError:
            yield False
            return
        try:
            # The lock goes with the process, however that ends.
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            held = True
        except OSError:
            held = False
        try:
            yield held
        finally:
            os.close(descriptor)

    def _make_room(self, size: int, keep: str) -> None:
        """Removes what was unused longest until `size` more fit; what others hold stays."""
        left = sum(one.bytes for one in self.entries()) + size
        for one in self.entries():
            if left <= self.limit:
                return
            with self._held(one.key, wait=False) as held:
                if held and one.key != keep:
                    shutil.rmtree(self.folder / one.key, ignore_errors=True)
                    left -= one.bytes

    def _places(self) -> list[Path]:
        with contextlib.suppress(OSError):
            found = [path for path in self.folder.iterdir() if path.is_dir() and path.name != _LOCKS]
            return [path for path in found if not path.name.startswith(".")]
        return []


def _whole(place: Path) -> bool:
    """Whether an entry is there with the very files that were put there."""
    try:
        listed = read_json(place / _ENTRY)["files"]
        present = {path.relative_to(place).as_posix() for path in _files(place)} - {_ENTRY}
        return present == set(listed) and all(sha256_of(place / name) == sha256 for name, sha256 in listed.items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def _kind(place: Path) -> str:
    try:
        return str(read_json(place / _ENTRY)["kind"])
    except (OSError, ValueError, KeyError, TypeError):
        return "damaged"


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in _files(folder))
