"""What an audit has done so far, kept on disk: killed, the same audit goes on from there."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgeffnet.audit.decoding import Unreadable
from edgeffnet.audit.records import RECORD, Records
from edgeffnet.audit.scoring import Scores

_KEY = "key.json"


@dataclass(frozen=True)
class Entry:
    """A shard that is done: its images' records, those that could not be read, and the scores that are kept.

    `kept` are places in the list of images; `reference` and `int8` their log-probabilities (n, classes).
    """

    records: Records
    unreadable: tuple[Unreadable, ...]
    kept: tuple[int, ...]
    reference: Scores
    int8: Scores


class Journal:
    """The entries of one audit in `folder`, by shard; those of another `key` there are thrown away."""

    def __init__(self, folder: Path, key: dict[str, Any]) -> None:
        self._folder = folder
        text = json.dumps(key, sort_keys=True, indent=1)
        stated = folder / _KEY
        if not stated.is_file() or stated.read_text(encoding="utf-8") != text:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            stated.write_text(text, encoding="utf-8")
        for partial in folder.glob("*.part"):
            partial.unlink()

    def done(self) -> set[int]:
        """Numbers of the shards that are in it."""
        return {int(path.stem) for path in self._folder.glob("*.npz")}

    def write(self, number: int, entry: Entry) -> None:
        """Keeps an entry, whole or not at all."""
        part = self._folder / f"{number}.part"
        with part.open("wb") as file:
            np.savez(
                file,
                records=entry.records,
                unreadable=np.array([(str(one.path), one.reason) for one in entry.unreadable], np.str_),
                kept=np.array(entry.kept, np.int64),
                reference=entry.reference,
                int8=entry.int8,
            )
        part.replace(self._folder / f"{number}.npz")

    def read(self, number: int) -> Entry:
        """The entry of a shard that is done."""
        with np.load(self._folder / f"{number}.npz", allow_pickle=False) as held:
            return Entry(
                records=held["records"].astype(RECORD, copy=False),
                unreadable=tuple(Unreadable(Path(path), str(why)) for path, why in held["unreadable"].reshape(-1, 2)),
                kept=tuple(int(place) for place in held["kept"]),
                reference=held["reference"],
                int8=held["int8"],
            )
