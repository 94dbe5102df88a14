"""Pictures to train on and pictures to validate with, from a folder of class folders or a CSV."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgeffnet import imagesets
from edgeffnet.errors import DataError
from edgeffnet.images import LabelledImage
from edgeffnet.labels import require_lines
from edgeffnet.training import split

# Names of the two parts, as folders and as words in a CSV's column `split`.
_TRAINING = ("train", "training")
_VALIDATION = ("val", "valid", "validation", "test")
FEWEST_IMAGES = 10
VALIDATION_SHARE = 0.2


@dataclass(frozen=True)
class Dataset:
    """Labelled images in two parts; a label is an index into `classes`.

    `split_by` says in words who decided which image is in which part.
    """

    source: str
    classes: tuple[str, ...]
    training: tuple[LabelledImage, ...]
    validation: tuple[LabelledImage, ...]
    split_by: str
    drawn: bool = False

    def counts(self) -> list[int]:
        """Training images of each class."""
        found = [0] * len(self.classes)
        for image in self.training:
            found[image.label or 0] += 1
        return found


def read(source: Path, seed: int, share: float = VALIDATION_SHARE) -> Dataset:
    """The images of `source`, sorted by path within each part.

    A folder holds class folders, or the folders `train` and `val` with class folders each. A CSV has the
    columns `file` and `label`, and maybe `split` ("train" or "val"). Where nobody says what validates, a
    stratified draw with `seed` does, of `share` of each class. DataError for fewer than two classes, a class
    without images, fewer than ten images in all, or a class in one part alone.
    """
    if source.is_dir():
        classes, parts = _read_folder(source)
        words = "the folders train and val"
    elif source.is_file():
        classes, parts = _read_csv(source)
        words = "the column `split`"
    else:
        raise DataError(f"{source}: no such folder or CSV file")
    require_lines(classes, str(source))
    if len(classes) < 2:
        only = f"only the class {classes[0]!r}" if classes else "no class folder"
        raise DataError(f"{source}: holds {only}: training needs at least two classes")
    images = [image for part in parts.values() for image in part]
    _require_filled(source, classes, images)
    if len(images) < FEWEST_IMAGES:
        raise DataError(f"{source}: holds {len(images)} images in all: at least {FEWEST_IMAGES} are needed")
    if "" in parts:
        training, validation = split.stratified(parts[""], classes, share, seed)
        return Dataset(
            str(source), classes, training, validation, f"a stratified draw of {share:.0%} with seed {seed}", drawn=True
        )
    for name, part in (("train", parts["train"]), ("val", parts["val"])):
        missing = sorted(set(range(len(classes))) - {image.label for image in part})
        if missing:
            raise DataError(f"{source}: class {classes[missing[0]]!r} has no image in {name}")
    return Dataset(str(source), classes, tuple(parts["train"]), tuple(parts["val"]), words)


def _read_folder(folder: Path) -> tuple[tuple[str, ...], dict[str, list[LabelledImage]]]:
    folders = _folders_in(folder)
    named = {path.name.lower(): path for path in folders}
    train = next((named[name] for name in _TRAINING if name in named), None)
    val = next((named[name] for name in _VALIDATION if name in named), None)
    if (train is None) != (val is None):
        there, lacking = (train, "val") if train else (val, "train")
        if there is not None and _folders_in(there):
            raise DataError(f"{folder}: has {there.name} but no {lacking}: add it, or give {there} as --data")
    if train is None or val is None or not (_folders_in(train) and _folders_in(val)):
        return _classes_of(folder, {"": folder})
    return _classes_of(folder, {"train": train, "val": val})


def _classes_of(folder: Path, parts: Mapping[str, Path]) -> tuple[tuple[str, ...], dict[str, list[LabelledImage]]]:
    loose = imagesets.images_in(folder)
    if loose:
        raise DataError(f"{folder}: holds images such as {loose[0].name} beside class folders: put each into its class")
    classes = tuple(sorted({path.name for part in parts.values() for path in _folders_in(part)}))
    index = {name: number for number, name in enumerate(classes)}
    found: dict[str, list[LabelledImage]] = {}
    for name, part in parts.items():
        found[name] = []
        for path in _folders_in(part):
            images = _images_under(path)
            if not images:
                raise DataError(f"{path}: the class {path.name!r} is empty: add images, or remove the folder")
            found[name] += [LabelledImage(file, index[path.name]) for file in images]
    return classes, found


def _folders_in(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    except OSError as error:
        raise DataError(f"{folder}: cannot be listed ({error.strerror})") from None


def _images_under(folder: Path) -> list[Path]:
    try:
        files = (path for path in folder.rglob("*") if path.suffix.lower() in imagesets.SUFFIXES and path.is_file())
        return sorted(files)
    except OSError as error:
        raise DataError(f"{folder}: cannot be listed ({error.strerror})") from None


def _read_csv(path: Path) -> tuple[tuple[str, ...], dict[str, list[LabelledImage]]]:
    rows: list[tuple[Path, str, str]] = []
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            for column in ("file", "label"):
                if column not in (reader.fieldnames or ()):
                    raise DataError(f"{path}: no column named {column!r} in its header")
            for row in reader:
                where = f"{path}, line {reader.line_num}"
                label = (row["label"] or "").strip()
                if not label:
                    raise DataError(f"{where}: no label")
                rows.append((imagesets.locate(path, row["file"], where), label, _part(row.get("split"), where)))
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: not a readable CSV ({error})") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None
    classes = tuple(sorted({label for _, label, _ in rows}, key=_in_order))
    index = {name: number for number, name in enumerate(classes)}
    parts: dict[str, list[LabelledImage]] = {}
    for file_, label, part in sorted(rows):
        parts.setdefault(part, []).append(LabelledImage(file_, index[label]))
    if parts.keys() - {""} and parts.keys() != {"train", "val"}:
        raise DataError(f"{path}: its column `split` has to say train or val in every line, and both somewhere")
    return classes, parts


def _part(text: str | None, where: str) -> str:
    word = (text or "").strip().lower()
    if word in _TRAINING:
        return "train"
    if word in _VALIDATION:
        return "val"
    if word:
        raise DataError(f"{where}: split {text!r} is neither train nor val")
    return ""


def _in_order(name: str) -> tuple[object, ...]:
    """Names as a person sorts them where they are numbers: 2 before 10."""
    return (0, int(name), name) if re.fullmatch(r"\d{1,18}", name) else (1, name)


def _require_filled(source: Path, classes: Sequence[str], images: Sequence[LabelledImage]) -> None:
    filled = {image.label for image in images}
    empty = [name for number, name in enumerate(classes) if number not in filled]
    if empty:
        raise DataError(f"{source}: the class {empty[0]!r} is empty")
