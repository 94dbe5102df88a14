"""Class names of ImageNet-1k, in the order of the models' outputs (sorted WordNet ids)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import cache
from importlib.resources import files

from edgeffnet.errors import DataError


@cache
def imagenet_synsets() -> tuple[tuple[str, str], ...]:
    """1,000 pairs (WordNet id, all names of the class separated by ", ")."""
    text = files("edgeffnet").joinpath("data/imagenet_synsets.txt").read_text(encoding="utf-8")
    return tuple((line[:9], line[10:]) for line in text.splitlines())


def imagenet() -> tuple[str, ...]:
    """1,000 distinct class names: each class's first name, with its id where two classes share it."""
    first = [names.split(", ")[0] for _, names in imagenet_synsets()]
    shared = {name for name, count in Counter(first).items() if count > 1}
    return tuple(
        f"{name} ({wnid})" if name in shared else name
        for name, (wnid, _) in zip(first, imagenet_synsets(), strict=True)
    )


def require_lines(names: Sequence[str], source: str) -> None:
    """DataError for a name that holds a line break: labels are kept one a line, and every reader counts lines."""
    broken = next((index for index, name in enumerate(names) if name.splitlines() not in ([], [name])), None)
    if broken is not None:
        raise DataError(f"{source}: the name of class {broken} holds a line break: {names[broken]!r}")


def numbered(classes: int) -> tuple[str, ...]:
    """Names for classes that nobody named."""
    return tuple(f"class {index}" for index in range(classes))
