"""Which images an audit saw, by content: one hash of all of them, and which are there twice."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from edgeffnet.hashing import sha256_of
from edgeffnet.images import LabelledImage

_GONE = b""
# Files that wait to be read: each that does takes two kilobytes.
_AT_ONCE = 512


@dataclass(frozen=True)
class Census:
    """The SHA-256 of each image's file, in their order; empty for one that is gone."""

    hashes: tuple[bytes, ...]

    def digest(self, images: Sequence[LabelledImage], places: Sequence[int]) -> str:
        """That of the images at `places`, as `edgeffnet.images.digest` gives it."""
        known = sorted(f"{self.hashes[place].hex()} {images[place].label}" for place in places)
        return hashlib.sha256("\n".join(known).encode()).hexdigest()

    def duplicates(self) -> tuple[tuple[int, ...], ...]:
        """Places of the images whose files have one content, for each content that is there more than once."""
        first: dict[bytes, int] = {}
        found: dict[bytes, list[int]] = {}
        for place, content in enumerate(self.hashes):
            if content == _GONE:
                continue
            if content in first:
                found.setdefault(content, [first[content]]).append(place)
            else:
                first[content] = place
        return tuple(tuple(places) for places in found.values())


def census(images: Sequence[LabelledImage], advance: Callable[[int, int, str], None]) -> Census:
    """Reads every file once, on all cores."""

    def one(image: LabelledImage) -> bytes:
        try:
            return bytes.fromhex(sha256_of(image.path))
        except OSError:
            return _GONE

    made: list[bytes] = []
    with ThreadPoolExecutor() as pool:
        for start in range(0, len(images), _AT_ONCE):
            made += pool.map(one, images[start : start + _AT_ONCE])
            advance(len(made), len(images), "images")
    return Census(tuple(made))
