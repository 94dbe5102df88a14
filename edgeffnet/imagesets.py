"""Lists of images to calibrate on or validate with, from a folder or a CSV."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgeffnet import labels as label_names
from edgeffnet.errors import DataError
from edgeffnet.images import LabelledImage, digest

SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm"}


@dataclass(frozen=True)
class ImageSet:
    """Images in a fixed order; `source` is what the user named, `license` what is known of it."""

    images: tuple[LabelledImage, ...]
    source: str
    license: str = "the user's own"

    @property
    def labelled(self) -> bool:
        return all(image.label is not None for image in self.images)

    def digest(self) -> str:
        """SHA-256 of contents and labels: the same for the same images under other names."""
        return digest(self.images)


def read(source: Path, labels: Sequence[str]) -> ImageSet:
    """The images `source` names, sorted by path: a CSV, a folder of images, or one of class folders.

    Class folders are named by label, by WordNet id (ImageNet's 1,000 classes) or by index; a flat
    folder has no labels. A CSV has a header with `file` and, for labels, `label` (an index or a
    name); files are relative to the CSV or to the folder beside it that bears its name. DataError
    names what is empty, missing, unknown or out of range.
    """
    if source.is_dir():
        images = _read_folder(source, labels)
    elif source.is_file():
        images = _read_csv(source, labels)
    else:
        raise DataError(f"{source}: no such folder or CSV file")
    if not images:
        raise DataError(f"{source}: holds no images ({', '.join(sorted(SUFFIXES))})")
    return ImageSet(tuple(images), str(source))


def _read_folder(folder: Path, labels: Sequence[str]) -> list[LabelledImage]:
    try:
        flat = [LabelledImage(path) for path in images_in(folder)]
        classes = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    except OSError as error:
        raise DataError(f"{folder}: cannot be listed ({error.strerror})") from None
    filled = [(path, found) for path in classes if (found := images_in(path))]
    if flat and filled:
        raise DataError(f"{folder}: holds both images and class folders; separate them")
    if flat:
        return flat
    index = _class_index(labels)
    images = []
    for path, found in filled:
        if path.name.lower() not in index:
            raise DataError(
                f"{path}: {path.name!r} is no label, WordNet id or index of the model's {len(labels)} classes"
            )
        images += [LabelledImage(file, index[path.name.lower()]) for file in found]
    return images


def images_in(folder: Path) -> list[Path]:
    """The image files directly in `folder`, by name."""
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and path.is_file())


def _read_csv(path: Path, labels: Sequence[str]) -> list[LabelledImage]:
    index = _class_index(labels)
    images = []
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = csv.DictReader(file)
            if "file" not in (rows.fieldnames or ()):
                raise DataError(f"{path}: no column named 'file' in its header")
            for row in rows:
                where = f"{path}, line {rows.line_num}"
                images.append(LabelledImage(locate(path, row["file"], where), _label(row.get("label"), index, where)))
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: not a readable CSV ({error})") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None
    return sorted(images, key=lambda image: image.path)


def locate(listing: Path, name: str | None, where: str) -> Path:
    """The file that `listing` calls `name`, beside it or in the folder that bears its name; DataError, at `where`."""
    if not name:
        raise DataError(f"{where}: no file named")
    for folder in (listing.parent, listing.parent / listing.stem):
        if (folder / name).is_file():
            return folder / name
    raise DataError(f"{where}: {name} is neither in {listing.parent} nor in {listing.parent / listing.stem}")


def _label(text: str | None, index: dict[str, int], where: str) -> int | None:
    if text is None or text.strip() == "":
        return None
    if text.strip().lower() not in index:
        classes = len(set(index.values()))
        raise DataError(f"{where}: label {text!r} is no class name and no index from 0 to {classes - 1}")
    return index[text.strip().lower()]


def _class_index(labels: Sequence[str]) -> dict[str, int]:
    """Every accepted spelling of a class, in lower case, to its index; indices win over names."""
    index = {name.lower(): number for number, name in enumerate(labels)}
    if tuple(labels) == label_names.imagenet():
        index.update({wnid: number for number, (wnid, _) in enumerate(label_names.imagenet_synsets())})
    index.update({str(number): number for number in range(len(labels))})
    return index
