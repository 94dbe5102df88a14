"""Which of many images to calibrate on, as a choice that can be kept in a file and checked.

Images are known by the SHA-256 of their files, so that the choice does not depend on names or order.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from calib.errors import CalibrationError


@dataclass(frozen=True)
class Choice:
    """Images chosen from a folder: file hashes in ascending order, how, and with which seed."""

    sha256: tuple[str, ...]
    method: str
    seed: int

    def write(self, path: Path) -> None:
        """Writes the choice as JSON."""
        content = {"method": self.method, "seed": self.seed, "sha256": list(self.sha256)}
        path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Choice:
        """The choice in `path`; CalibrationError where it is none."""
        try:
            held = json.loads(path.read_text(encoding="utf-8"))
            return cls(tuple(map(str, held["sha256"])), str(held["method"]), int(held["seed"]))
        except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
            raise CalibrationError(f"{path}: not a choice of calibration images ({error})") from None


def file_hashes(paths: Sequence[Path]) -> dict[str, Path]:
    """SHA-256 -> path; of files with the same content the first by name is kept."""
    found: dict[str, Path] = {}
    for path in sorted(paths):
        found.setdefault(hashlib.sha256(path.read_bytes()).hexdigest(), path)
    return found


def balanced(labels: Mapping[str, int | None], count: int, seed: int) -> Choice:
    """`count` images with classes as even as they can be, at random within each.

    `labels` maps each image's hash to its class, or None where unlabelled (all one class then).
    Raises CalibrationError where fewer than `count` images are given.
    """
    _enough(len(labels), count)
    queues: dict[int | None, list[str]] = {}
    for hashed in sorted(labels, key=lambda one: _lot(one, seed)):
        queues.setdefault(labels[hashed], []).append(hashed)
    # Classes take turns; which classes get one more than others is by lot as well.
    turns = sorted(queues.values(), key=lambda queue: _lot(queue[0], seed + 1))
    taken: list[str] = []
    depth = 0
    while len(taken) < count:
        taken += [queue[depth] for queue in turns if depth < len(queue)][: count - len(taken)]
        depth += 1
    return Choice(tuple(sorted(taken)), "balanced", seed)


def covering(extremes: Mapping[str, NDArray[np.float32]], count: int, seed: int) -> Choice:
    """`count` images that together reach as many channels' extremes as few images can.

    `extremes` maps each image's hash to a vector of what it reaches (such as channel maxima). Greedy:
    each next image is the one that raises the joint maxima most, relative to those of all images.
    """
    _enough(len(extremes), count)
    order = sorted(extremes, key=lambda one: _lot(one, seed))
    reached = np.stack([extremes[hashed] for hashed in order]).astype(np.float64)
    floor, whole = reached.min(axis=0), reached.max(axis=0)
    share = (reached - floor) / np.maximum(whole - floor, 1e-12)
    joint = np.zeros(share.shape[1])
    taken: list[int] = []
    for _ in range(count):
        gains = np.maximum(share - joint, 0).sum(axis=1)
        gains[taken] = -1
        taken.append(int(np.argmax(gains)))
        joint = np.maximum(joint, share[taken[-1]])
    return Choice(tuple(sorted(order[index] for index in taken)), "covering", seed)


def _lot(hashed: str, seed: int) -> str:
    return hashlib.sha256(f"{seed} {hashed}".encode()).hexdigest()


def _enough(given: int, count: int) -> None:
    if not 0 < count <= given:
        raise CalibrationError(f"cannot choose {count} calibration images from {given}")
