"""Folders and CSVs of images: labels found, and mistakes named."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from edgeffnet import imagesets, labels
from edgeffnet.errors import DataError

NAMES = ("cat", "dog", "bird")


def image(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (16, 16)).save(path)
    return path


def test_class_folders_are_labelled_by_name_index_or_wordnet_id(tmp_path: Path) -> None:
    for folder in ("dog", "2"):
        image(tmp_path / folder / "a.png")
    found = imagesets.read(tmp_path, NAMES)
    assert sorted(entry.label for entry in found.images) == [1, 2]
    image(tmp_path / "wordnet" / "n01440764" / "a.png")
    assert imagesets.read(tmp_path / "wordnet", labels.imagenet()).images[0].label == 0


def test_a_flat_folder_has_no_labels(tmp_path: Path) -> None:
    image(tmp_path / "b.png")
    image(tmp_path / "a.JPG")
    found = imagesets.read(tmp_path, NAMES)
    assert not found.labelled
    assert [entry.path.name for entry in found.images] == ["a.JPG", "b.png"]


def test_csv_labels_are_indices_or_names_and_files_lie_beside_it_or_in_its_folder(tmp_path: Path) -> None:
    image(tmp_path / "a.png")
    image(tmp_path / "list" / "b.png")
    listing = tmp_path / "list.csv"
    listing.write_text("file,label\nb.png,Dog\na.png,2\n")
    found = imagesets.read(listing, NAMES)
    assert [(entry.path.name, entry.label) for entry in found.images] == [("a.png", 2), ("b.png", 1)]


def test_digest_tells_contents_and_labels_but_not_names(tmp_path: Path) -> None:
    image(tmp_path / "one" / "cat" / "a.png")
    image(tmp_path / "two" / "cat" / "z.png")
    image(tmp_path / "three" / "dog" / "a.png")
    one, two, three = (imagesets.read(tmp_path / name, NAMES).digest() for name in ("one", "two", "three"))
    assert one == two != three


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("file,label\nmissing.png,0\n", "missing.png"),
        ("file,label\na.png,3\n", "0 to 2"),
        ("file,label\na.png,-1\n", "0 to 2"),
        ("file,label\na.png,unicorn\n", "unicorn"),
        ("name,label\na.png,0\n", "'file'"),
        ("file,label\n", "no images"),
        ("", "'file'"),
        ("file,label\n,0\n", "line 2"),
    ],
)
def test_a_csv_mistake_is_named(tmp_path: Path, content: str, said: str) -> None:
    image(tmp_path / "a.png")
    listing = tmp_path / "list.csv"
    listing.write_text(content)
    with pytest.raises(DataError, match=said):
        imagesets.read(listing, NAMES)


def test_an_empty_folder_a_missing_one_and_an_unknown_class_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no images"):
        imagesets.read(tmp_path, NAMES)
    with pytest.raises(DataError, match="no such"):
        imagesets.read(tmp_path / "nowhere", NAMES)
    image(tmp_path / "unicorn" / "a.png")
    with pytest.raises(DataError, match="unicorn"):
        imagesets.read(tmp_path, NAMES)


def test_imagenet_labels_are_a_thousand_distinct_names() -> None:
    assert len(set(labels.imagenet())) == 1000
    assert labels.imagenet()[0] == "tench"
