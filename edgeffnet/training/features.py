"""What the frozen network makes of images, computed once and kept: (n, head channels) in front of the classifier."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeffnet.hashing import sha256_of
from edgeffnet.images import LabelledImage, Preprocessing
from edgeffnet.training.pipeline import Ordered

Features = NDArray[np.float32]
# Images whose features are one file: an interrupted run keeps all but the last of them.
CHUNK = 256
_KEPT_BYTES = 1 << 30


@dataclass(frozen=True)
class Extractor:
    """Computes features with `forward` (float32 images -> float32 features), or reads them from `folder`.

    `digest` identifies the network's weights and what is done to images before it.
    """

    forward: Callable[[Any], Any]
    preprocessing: Preprocessing
    digest: str
    folder: Path

    def features(
        self,
        images: Sequence[LabelledImage],
        *,
        mirrored: bool = False,
        progress: Callable[[int], None] = lambda _: None,
    ) -> Features:
        """float32 (n, channels), in the order of `images`; `progress` hears how many are done."""
        found = []
        for start in range(0, len(images), CHUNK):
            chunk = images[start : start + CHUNK]
            found.append(self._chunk(chunk, mirrored))
            progress(start + len(chunk))
        return np.concatenate(found)

    def _chunk(self, images: Sequence[LabelledImage], mirrored: bool) -> Features:
        path = self.folder / f"{self._key(images, mirrored)}.npy"
        try:
            known = np.load(path, allow_pickle=False)
            os.utime(path)
            if known.shape[0] == len(images) and known.dtype == np.float32:
                return np.asarray(known, np.float32)
        except (OSError, ValueError):
            pass  # not computed yet, or damaged
        batches = Ordered(images, self.preprocessing, mirrored).batches()
        made = np.concatenate([np.asarray(self.forward(batch), np.float32) for batch in batches])
        self._keep(path, made)
        return made

    def _key(self, images: Sequence[LabelledImage], mirrored: bool) -> str:
        with ThreadPoolExecutor() as pool:
            hashes = list(pool.map(lambda image: sha256_of(image.path), images))
        return hashlib.sha256("\n".join([self.digest, str(mirrored), *hashes]).encode()).hexdigest()[:32]

    def _keep(self, path: Path, made: Features) -> None:
        partial = path.with_name(f".{path.stem}.{os.getpid()}.npy")
        try:
            make_room(self.folder, _KEPT_BYTES - made.nbytes)
            np.save(partial, made, allow_pickle=False)
            partial.replace(path)
        except OSError:
            partial.unlink(missing_ok=True)  # a cache that cannot be written costs time, nothing else


def cache_folder() -> Path:
    """Where features are kept between runs."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "edgeffnet" / "features"


def make_room(folder: Path, kept: int) -> None:
    """Removes the files of `folder` that were used longest ago, down to `kept` bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    files = sorted((path for path in folder.glob("*.npy")), key=lambda path: path.stat().st_mtime)
    total = sum(path.stat().st_size for path in files)
    for path in files:
        if total <= kept:
            return
        total -= path.stat().st_size
        path.unlink(missing_ok=True)
