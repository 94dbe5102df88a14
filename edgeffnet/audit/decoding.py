"""Images made ready a shard at a time, as files that targets take."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeffnet.audit.scoring import Feed
from edgeffnet.errors import DataError
from edgeffnet.images import LabelledImage, Pixels, read

# A shard's images, or as few larger ones as have the pixels of those at 224 a side.
_SHARD_IMAGES = 32
_SHARD_PIXELS = _SHARD_IMAGES * 224 * 224


@dataclass(frozen=True)
class Shard:
    """Some images of a list: those from its place `start` on."""

    number: int
    start: int
    images: tuple[LabelledImage, ...]


@dataclass(frozen=True)
class Unreadable:
    """An image that could not be read, and why."""

    path: Path
    reason: str


@dataclass(frozen=True)
class Decoded:
    """A shard's readable images: their places in the list, and for each feed the file of its pixels.

    `files` is empty where no image of the shard can be read.
    """

    shard: Shard
    indices: NDArray[np.int64]
    files: tuple[Path, ...]
    unreadable: tuple[Unreadable, ...]

    def remove(self) -> None:
        """Deletes the files."""
        for path in set(self.files):
            path.unlink(missing_ok=True)


def shards(images: Sequence[LabelledImage], size: int) -> list[Shard]:
    """All images, in order, `size` to a shard."""
    starts = range(0, len(images), size)
    return [Shard(number, start, tuple(images[start : start + size])) for number, start in enumerate(starts)]


def shard_size(resolution: int) -> int:
    """How many images of so many pixels a side go into a shard: 32, or fewer large ones."""
    return max(1, min(_SHARD_IMAGES, _SHARD_PIXELS // (resolution * resolution)))


def decode(shard: Shard, feeds: Sequence[Feed], folder: Path, pool: Executor, *, compress: bool) -> Decoded:
    """Reads each image of `shard` once and writes what the `feeds` make of it; feeds of one input share a file.

    Files are compressed where they have far to go.
    """
    distinct = {feed.of: feed for feed in feeds}
    found = list(pool.map(lambda image: _one(image, list(distinct.values())), shard.images))
    good = [place for place, one in enumerate(found) if not isinstance(one, str)]
    unreadable = tuple(
        Unreadable(image.path, one) for image, one in zip(shard.images, found, strict=True) if isinstance(one, str)
    )
    files: dict[object, Path] = {}
    write = np.savez_compressed if compress else np.savez
    for position, key in enumerate(distinct if good else ()):
        files[key] = folder / f"{shard.number}-{position}.npz"
        write(files[key], pixels=np.stack([found[place][position] for place in good]))
    paths = tuple(files[feed.of] for feed in feeds) if good else ()
    return Decoded(shard, shard.start + np.array(good, np.int64), paths, unreadable)


def _one(image: LabelledImage, feeds: Sequence[Feed]) -> list[Pixels] | str:
    """What each feed makes of an image, or why it cannot be read."""
    try:
        opened = read(image.path)
    except DataError as error:
        return str(error).removeprefix(f"{image.path}: ")
    return [feed.prepared(feed.preprocessing.pixels(opened)) for feed in feeds]
