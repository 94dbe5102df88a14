"""What is wrong with a dataset's images: those that cannot be read, and pictures in both parts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from calib.overlap import Fingerprint, copies, fingerprint
from edgeffnet.errors import DataError
from edgeffnet.hashing import sha256_of
from edgeffnet.images import LabelledImage, thumbnail
from edgeffnet.training.dataset import FEWEST_IMAGES, Dataset

# Images compared at a time: memory does not grow with the set.
_AT_ONCE = 2048
_LISTED = 20


@dataclass(frozen=True)
class Unreadable:
    """An image file left out, and why."""

    path: Path
    reason: str


@dataclass(frozen=True)
class Vetted:
    """The dataset without what cannot be used; `notes` say what was left out, moved or allowed."""

    dataset: Dataset
    unreadable: tuple[Unreadable, ...]
    shared: int
    notes: tuple[str, ...]


def vet(
    dataset: Dataset,
    *,
    strict: bool = False,
    allow_overlap: bool = False,
    progress: Callable[[int, int, str], None] = lambda *_: None,
) -> Vetted:
    """Looks at every image once.

    DataError, with `strict`, where one cannot be read; where a class has none left; and where a file is in both
    parts, unless that is allowed. The same picture in another file (saved again, resized) is not trained on then.
    Where the parts were drawn here, all copies of a picture are training images.
    """
    everything = (*dataset.training, *dataset.validation)
    prints: dict[Path, Fingerprint] = {}
    bad: list[Unreadable] = []
    for index, (image, found) in enumerate(zip(everything, _looks(everything), strict=True)):
        if isinstance(found, Unreadable):
            bad.append(found)
        else:
            prints[image.path] = found
        progress(index + 1, len(everything), "images")
    if bad and strict:
        raise DataError(f"{len(bad)} images cannot be read (--strict): {_listed(bad)}")
    whole = replace(
        dataset,
        training=tuple(image for image in dataset.training if image.path in prints),
        validation=tuple(image for image in dataset.validation if image.path in prints),
    )
    _require_classes(whole, bad)
    notes = [f"{len(bad)} images cannot be read and were left out: {_listed(bad)}"] if bad else []
    shared = _in_both(whole, prints)
    if shared and whole.drawn:
        moved = {other.path for _, other in shared}
        back = tuple(image for image in whole.validation if image.path in moved)
        kept = tuple(image for image in whole.validation if image.path not in moved)
        whole, shared = replace(whole, training=_by_path((*whole.training, *back)), validation=kept), []
        notes.append(f"{len(back)} images show pictures that are there more than once: all copies are trained on")
    elif shared and not allow_overlap:
        _require_no_file_twice(shared)
        gone = {one.path for one, _ in shared}
        whole = replace(whole, training=tuple(image for image in whole.training if image.path not in gone))
        first, second = shared[0]
        notes.append(
            f"{len(gone)} training images were left out, for validation images show the same pictures in other files, "
            f"such as {first.path} and {second.path}"
        )
        shared = []
    elif shared:
        notes.append(f"{len(shared)} pictures both train and validate (--allow-overlap): accuracy is flattered")
    _require_classes(whole, bad)
    return Vetted(whole, tuple(bad), len(shared), tuple(notes))


def _require_no_file_twice(shared: Sequence[tuple[LabelledImage, LabelledImage]]) -> None:
    """DataError where a file, whatever its name, is in both parts: somebody mixed them up."""
    same = [(one, two) for one, two in shared if sha256_of(one.path) == sha256_of(two.path)]
    if same:
        first, second = same[0]
        raise DataError(
            f"{len(same)} images are in both parts, such as {first.path} (train) and {second.path} (val): "
            "remove them from one, or say --allow-overlap"
        )


def _looks(images: Sequence[LabelledImage]) -> Iterator[Fingerprint | Unreadable]:
    def one(image: LabelledImage) -> Fingerprint | Unreadable:
        try:
            return fingerprint(thumbnail(image.path))
        except DataError as error:
            return Unreadable(image.path, str(error).removeprefix(f"{image.path}: "))

    with ThreadPoolExecutor() as pool:
        yield from pool.map(one, images)


def _in_both(dataset: Dataset, prints: dict[Path, Fingerprint]) -> list[tuple[LabelledImage, LabelledImage]]:
    """Pairs (training image, validation image) that show one picture."""
    found: list[tuple[int, int]] = []
    for start in range(0, len(dataset.training), _AT_ONCE):
        ours = [prints[image.path] for image in dataset.training[start : start + _AT_ONCE]]
        for other in range(0, len(dataset.validation), _AT_ONCE):
            theirs = [prints[image.path] for image in dataset.validation[other : other + _AT_ONCE]]
            found += [(start + one, other + two) for one, two in copies(ours, theirs)]
    return [(dataset.training[one], dataset.validation[two]) for one, two in sorted(found)]


def _require_classes(dataset: Dataset, bad: Sequence[Unreadable]) -> None:
    for name, part in (("train on", dataset.training), ("validate with", dataset.validation)):
        missing = sorted(set(range(len(dataset.classes))) - {image.label for image in part})
        if missing:
            why = f" ({_listed(bad)})" if bad else ""
            raise DataError(f"{dataset.source}: class {dataset.classes[missing[0]]!r} has no image to {name}{why}")
    count = len(dataset.training) + len(dataset.validation)
    if count < FEWEST_IMAGES:
        raise DataError(f"{dataset.source}: {count} images can be read: at least {FEWEST_IMAGES} are needed")


def _listed(bad: Sequence[Unreadable]) -> str:
    more = f", and {len(bad) - _LISTED} more" if len(bad) > _LISTED else ""
    return "; ".join(f"{one.path}: {one.reason}" for one in bad[:_LISTED]) + more


def _by_path(images: Sequence[LabelledImage]) -> tuple[LabelledImage, ...]:
    return tuple(sorted(images, key=lambda image: image.path))
